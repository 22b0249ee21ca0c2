#!/usr/bin/env bash
# get_data.sh cifar10|cifar100 [FOLDER]: fetches a data set from its authors' site, checks it and
# unpacks it into FOLDER (default: $DIAGRAD_DATA, else ./datasets), where `--data cifar10` finds it.
set -euo pipefail

site=https://www.cs.toronto.edu/~kriz
case "${1:-}" in
  cifar10)
    archive=cifar-10-binary.tar.gz
    md5=c32a1d4ab5d03f1284b67883e8d87530
    inner=cifar-10-batches-bin
    last=test_batch.bin ;;
  cifar100)
    archive=cifar-100-binary.tar.gz
    md5=03b5dce01913d631647c71ecec9e9cb8
    inner=cifar-100-binary
    last=test.bin ;;
  -h | --help)
    sed -n '2,3s/^# //p' "$0"
    exit 0 ;;
  *)
    echo "get_data: '${1:-}' is not known, use cifar10 or cifar100" >&2
    exit 2 ;;
esac
folder=${2:-${DIAGRAD_DATA:-datasets}}
case $folder in -*) folder=./$folder ;; esac  # no option of mkdir, tar and the others
target=$folder/$inner

if [ -f "$target/$last" ]; then
  echo "$target is there already; train on it with: diagrad train --data $(printf %q "$target")"
  exit 0
fi
if [ -e "$target" ]; then
  echo "get_data: $target is there but has no $last; move it away and run this again" >&2
  exit 3
fi
mkdir -p "$folder"

# A finished archive from an earlier call is used again; a half one is fetched anew.
checked() { [ -f "$1" ] && [ "$(md5sum <"$1" | cut -d' ' -f1)" = "$md5" ]; }

if ! checked "$folder/$archive"; then
  part=$folder/$archive.part
  trap 'rm -f "$part"' EXIT
  echo "fetching $site/$archive (about 165 MB)"
  if command -v curl >/dev/null; then
    fetch=(curl --fail --location --show-error --connect-timeout 30 --output "$part")
    [ -t 2 ] && fetch+=(--progress-bar) || fetch+=(--silent)
  elif command -v wget >/dev/null; then
    fetch=(wget --timeout=30 --tries=2 --no-verbose --output-document="$part")
  else
    echo "get_data: neither curl nor wget is here, install one: apt-get install curl" >&2
    exit 3
  fi
  if ! "${fetch[@]}" "$site/$archive"; then
    echo "get_data: $site/$archive could not be fetched; with no network here, fetch it elsewhere," \
      "put it into $folder/ and run this again" >&2
    exit 3
  fi
  if ! checked "$part"; then
    echo "get_data: $archive has md5 $(md5sum <"$part" | cut -d' ' -f1), expected $md5; the" \
      "download is damaged: try again" >&2
    exit 3
  fi
  mv "$part" "$folder/$archive"
fi

# Unpacked beside its place and moved there whole: a break leaves no half data set.
unpacked=$(mktemp -d "$folder/.unpack-XXXXXX")
trap 'rm -rf "$unpacked"' EXIT
tar -xzf "$folder/$archive" -C "$unpacked" --no-same-owner
mv "$unpacked/$inner" "$target"
rm -f "$folder/$archive"
echo "$target is ready; train on it with: diagrad train --data $(printf %q "$target")"
