#!/usr/bin/env bash
# Installs what is missing, builds the program, trains a ResNet with DIA-LSTM on images that the
# program draws itself, and names the report. Run it again as you like: runs/demo is made anew.
set -euo pipefail
CDPATH="" cd -- "$(dirname -- "$0")/.."

out=runs/demo
program=build/program/diagrad
stop() {
    echo "demo: $1" >&2
    exit 1
}

# Only a run folder is ever replaced, and none that a run is writing to.
if [ -n "$(ls -A "$out" 2>/dev/null)" ]; then
    if [ -L "$out" ] || ! [ -f "$out/.lock" ] || ! [ -d "$out/checkpoints" ]; then
        stop "$out is there and not the folder of a run; move it away and run this again"
    fi
    flock --nonblock "$out/.lock" true || stop "another process is writing to $out; wait for it"
fi

scripts/deps.sh demo
scripts/build.sh program

rm -rf "$out"
echo "demo: training, less than a minute"
"$program" train --recipe quick --out "$out" || {
    code=$?
    echo "demo: training ended with exit code $code; the run so far is in $out" >&2
    exit $code
}
accuracy=$(LC_ALL=C awk -F '[:,]' '/"last":/ { printf "%.1f", 100 * $2 }' "$out/result.json")
echo
echo "demo: $accuracy % of the test images, which the net never saw, are named right"
[ ! -f "$out/report.html" ] || echo "demo: the report is $PWD/$out/report.html, open it in a browser"
echo "demo: next: scripts/get_data.sh cifar10 fetches real images; '$program --help' tells the rest"
