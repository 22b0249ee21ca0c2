#!/usr/bin/env bash
# Installs the distribution packages that are missing, and says which. Nothing else is downloaded.
# Usage: scripts/deps.sh [demo|test|bench|ci]   (default: demo, what building the program takes)
set -euo pipefail

what=${1:-demo}
packages=(g++ cmake ninja-build libcli11-dev nlohmann-json3-dev libfmt-dev zlib1g-dev
          libstb-dev libtomlplusplus-dev libxxhash-dev libeigen3-dev)
case $what in
    demo) ;;
    test) packages+=(doctest-dev) ;;
    bench) packages+=(libbenchmark-dev) ;;
    ci) packages+=(doctest-dev libbenchmark-dev git clang-14 clang-format-14
                   clang-tidy-14 libomp-14-dev) ;;
    *) echo "usage: scripts/deps.sh [demo|test|bench|ci], got '$what'" >&2; exit 2 ;;
esac

missing=()
for package in "${packages[@]}"; do
    status=$(dpkg-query -W -f '${Status}' "$package" 2>/dev/null || true)
    [ "$status" = "install ok installed" ] || missing+=("$package")
done
if [ ${#missing[@]} -eq 0 ]; then
    echo "deps: all ${#packages[@]} packages are installed"
    exit 0
fi

if ! command -v apt-get >/dev/null; then
    echo "deps: no apt-get here; install these by hand: ${missing[*]}" >&2
    exit 1
fi
as_root=()
if [ "$(id -u)" -ne 0 ]; then
    if ! command -v sudo >/dev/null; then
        echo "deps: need root or sudo to install: ${missing[*]}" >&2
        exit 1
    fi
    as_root=(sudo)
fi
echo "deps: installing ${missing[*]}"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
if ! { "${as_root[@]}" apt-get update -q &&
       "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -q -y \
           --no-install-recommends "${missing[@]}"; } >"$log" 2>&1; then
    tail -n 20 "$log" >&2
    echo "deps: installation failed (the last lines are above)" >&2
    exit 1
fi
echo "deps: installed ${#missing[@]} packages"
