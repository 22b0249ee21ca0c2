#!/usr/bin/env bash
# Configures and builds one preset, by default release; an unchanged tree takes a second.
# Usage: scripts/build.sh [PRESET [arguments of cmake --build]]
set -euo pipefail
CDPATH="" cd -- "$(dirname -- "$0")/.."

preset=${1:-release}
shift || true
started=$SECONDS
echo "build: $preset, some minutes the first time"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
if ! cmake --preset "$preset" >"$log" 2>&1; then
    tail -n 20 "$log" >&2
    echo "build: configuring failed (the last lines are above)" >&2
    exit 1
fi
if [ -t 1 ]; then  # ninja draws its progress on one line
    cmake --build --preset "$preset" "$@"
elif ! LC_ALL=C cmake --build --preset "$preset" "$@" >"$log" 2>&1; then
    grep -E -A 5 'error:|FAILED|undefined' "$log" | head -n 40 >&2 || tail -n 20 "$log" >&2
    echo "build: failed (the first errors are above)" >&2
    exit 1
fi
echo "build: build/$preset is ready after $((SECONDS - started)) s"
