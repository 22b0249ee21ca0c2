#!/usr/bin/env bash
# The test `package`: installs the build into a folder of its own, takes the variant that
# CONTRIBUTING.md tells word for word, builds this folder against the installed package, uses it.
# Usage: run.sh SOURCE BUILD COMPILER
set -euo pipefail

source=$1 build=$2 compiler=$3
work=$build/package
rm -rf "$work"
mkdir -p "$work"
step() {
    echo "package: $1"
    shift
    "$@" >"$work/log" 2>&1 || { tail -n 40 "$work/log"; echo "package: failed: $*"; exit 1; }
}
# must_say TEXT COMMAND...: the command succeeds and prints TEXT.
must_say() {
    local text=$1
    shift
    step "$*" "$@"
    grep -qF -- "$text" "$work/log" ||
        { cat "$work/log"; echo "package: expected '$text' from: $*"; exit 1; }
}

variant=$build/contributing/diagrad/nn/attention/my_gate.cpp  # by tests/contributing
grep -q '"my-gate"' "$variant" || { echo "package: CONTRIBUTING.md has no my-gate"; exit 1; }

step "install" cmake --install "$build" --prefix "$work/prefix"
step "the license is installed" cmp "$source/LICENSE" "$work/prefix/share/doc/diagrad/LICENSE"
step "configure" cmake -S "$source/tests/package" -B "$work/build" -G Ninja \
    -D CMAKE_CXX_COMPILER="$compiler" -D CMAKE_BUILD_TYPE=Release \
    -D CMAKE_PREFIX_PATH="$work/prefix" -D VARIANT="$variant"
step "build" cmake --build "$work/build"

cd "$work"
must_say "diagrad" prefix/bin/diagrad --help
must_say "my-gate is listed" build/one_step
must_say "0 wrong" build/my_vectors
must_say "my-gate" build/my_diagrad attention
must_say "my-gate" build/my_diagrad summary --model resnet20 --attention my-gate
must_say "my-gate" build/my_diagrad train --attention my-gate --data shapes --max-steps 3 --out run
must_say '"steps": 3' cat run/result.json
must_say "accuracy" build/my_diagrad eval run
echo "package: all is well"
