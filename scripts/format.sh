#!/usr/bin/env bash
# Formats every C++ file of the project; with --check, only says which would change.
set -euo pipefail
CDPATH="" cd -- "$(dirname -- "$0")/.."

formatter=$(command -v clang-format-14 || command -v clang-format) ||
    { echo "format: clang-format is not installed (scripts/deps.sh ci)" >&2; exit 1; }
mapfile -t files < <(git ls-files '*.h' '*.cpp')
if [ "${1:-}" = --check ]; then
    "$formatter" --dry-run --Werror "${files[@]}" && echo "format: ${#files[@]} files are formatted"
else
    "$formatter" -i "${files[@]}"
fi
