#!/usr/bin/env bash
# The README's two commands on a fresh Debian or Ubuntu: makes a bare root with debootstrap, puts the
# last commit into it and runs scripts/demo.sh and scripts/test.sh there. Needs root, 3 GB in ROOT
# and some 20 minutes; a root that is there already is used again, with its build.
# Usage: tests/tools/distribution.sh bookworm|trixie|noble ROOT
set -euo pipefail

suite=${1:-} root=${2:-}
case $suite in
    bookworm | trixie) mirror=http://deb.debian.org/debian like=$suite options=() ;;
    noble) # with the rules of all newer Ubuntus; Debian does not know Ubuntu's keys, apt inside does
        mirror=http://archive.ubuntu.com/ubuntu like=gutsy
        options=(--components=main,universe --no-check-gpg) ;;
    *) root= ;;
esac
if [ -z "$root" ]; then
    echo "usage: tests/tools/distribution.sh bookworm|trixie|noble ROOT, got '$*'" >&2
    exit 2
fi
source=$(cd "$(dirname "$0")/../.." && pwd)
mkdir -p "$root"
root=$(cd "$root" && pwd)
if [ ! -x "$root/usr/bin/apt-get" ]; then
    debootstrap --variant=minbase "${options[@]}" "$suite" "$root" "$mirror" \
        "/usr/share/debootstrap/scripts/$like" >"$root.log" 2>&1 ||
        { tail -n 5 "$root.log" >&2; exit 1; }
fi
work=$root/root/diagrad
if [ -d "$work" ]; then
    git -C "$work" fetch -q "$source" HEAD
    git -C "$work" checkout -q --detach FETCH_HEAD
else
    git clone -q "$source" "$work"
fi

mounted=()  # the last one first
leave() {
    local folder
    # Lazily: a build that was interrupted may still be ending, and who removes the root must not
    # find the machine's own /dev in it.
    for folder in "${mounted[@]}"; do umount --lazy "$root/$folder" || true; done
}
trap leave EXIT
for folder in proc sys dev dev/pts; do
    mount --bind "/$folder" "$root/$folder"
    mounted=("$folder" "${mounted[@]}")
done
mapfile -t proxies < <(env | grep -iE '^(http|https|no|ftp)_proxy=')
for command in scripts/demo.sh scripts/test.sh; do
    env -i HOME=/root TERM=dumb PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive \
        "${proxies[@]}" chroot "$root" bash -c "cd /root/diagrad && $command"
done
echo "distribution: both commands work on $suite"
