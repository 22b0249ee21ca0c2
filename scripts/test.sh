#!/usr/bin/env bash
# Installs what is missing, builds, and runs the whole test suite.
# Usage: scripts/test.sh [ctest arguments]
set -euo pipefail
CDPATH="" cd -- "$(dirname -- "$0")/.."

scripts/deps.sh test
scripts/build.sh release
if [ -z "${DIAGRAD_DATA:-}" ] && [ -d ../shared/data ]; then
    export DIAGRAD_DATA=$PWD/../shared/data
fi
[ -n "${DIAGRAD_DATA:-}" ] ||
    echo "test: DIAGRAD_DATA is not set; tests on real images say 'skipped'"
if ! ctest --test-dir build/release --output-on-failure "$@"; then
    echo "test: failed; repeat one with: build/release/tests/diagrad_tests --test-case='NAME'" >&2
    exit 1
fi
[ -n "${CI:-}" ] ||  # whose log ends with the test runner's own lines
    echo "test: all passed; next: CONTRIBUTING.md says how to add something of your own"
