#!/usr/bin/env bash
# Fuzzes readers, each for SECONDS; stops at the first input that one fails on, which lies then in
# build/fuzz/found. Without names: all readers.
# Usage: tests/fuzz/run.sh [SECONDS [READER...]]
set -euo pipefail
cd "$(dirname "$0")/../.."

seconds=${1:-60}
shift || true
scripts/build.sh fuzz
program=$PWD/build/fuzz/tests/diagrad_fuzz
readers=("$@")
[ $# -gt 0 ] || mapfile -t readers < <("$program")
mkdir -p build/fuzz/found
log=$(mktemp)
trap 'rm -f "$log"' EXIT
for reader in "${readers[@]}"; do
    if ! DIAGRAD_READER=$reader "$program" -max_total_time="$seconds" -max_len=65536 -timeout=10 \
        -rss_limit_mb=2048 -artifact_prefix="build/fuzz/found/$reader-" >"$log" 2>&1; then
        grep -E -A 25 'ERROR|error|SUMMARY|Test unit' "$log" | head -n 60 >&2 || tail "$log" >&2
        echo "fuzz: $reader fails; repeat it with:" \
            "DIAGRAD_READER=$reader build/fuzz/tests/diagrad_fuzz build/fuzz/found/$reader-*" >&2
        exit 1
    fi
    echo "fuzz: $reader: $(grep -oE 'Done [0-9]+ runs' "$log" || echo done) without a failure"
done
