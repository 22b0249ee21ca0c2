#!/usr/bin/env bash
# The whole suite with what takes too long for every change: 200 kills of each training, ten times
# as many damaged files, and 40 elements of each parameter in the gradients of the matrix of models.
# Usage: scripts/full_check.sh [ctest arguments]
set -euo pipefail
CDPATH="" cd -- "$(dirname -- "$0")/.."

export DIAGRAD_KILLS=${DIAGRAD_KILLS:-200}
export DIAGRAD_DAMAGES=${DIAGRAD_DAMAGES:-10}
export DIAGRAD_MATRIX_ELEMENTS=${DIAGRAD_MATRIX_ELEMENTS:-40}
exec scripts/test.sh "$@"
