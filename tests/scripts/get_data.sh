#!/usr/bin/env bash
# The test `get_data`: scripts/get_data.sh against a network that is made up. PATH holds fakes of
# curl and wget and nothing that could reach a real one; the archives are small, so the script under
# test is a copy in which their md5 stands for the real one's. Usage: get_data.sh SOURCE
set -euo pipefail

source=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
bash=$(command -v bash)

fail() {
    echo "get_data: $1" >&2
    [ ! -f "$work/log" ] || cat "$work/log" >&2
    exit 1
}

# ---------------------------------------------------------------- the made-up network

tools=$work/tools
mkdir -p "$tools" "$work/curl" "$work/wget"
for tool in cut gzip md5sum mkdir mktemp mv rm sed tar; do
    ln -s "$(command -v "$tool")" "$tools/$tool"
done
# Both write the file $work/served to where they are told, tell that they were called, and end with
# the code in $work/code.
for name in curl wget; do
    cat >"$work/$name/$name" <<FAKE
#!$bash
echo "$name \$*" >>"$work/calls"
while [ \$# -gt 0 ]; do
    case \$1 in
        --output) to=\$2; shift ;;
        --output-document=*) to=\${1#*=} ;;
    esac
    shift
done
"$(command -v cp)" "$work/served" "\$to"
exit "\$(<"$work/code")"
FAKE
    chmod +x "$work/$name/$name"
done

mkdir -p "$work/made/cifar-10-batches-bin" "$work/made/cifar-100-binary"
echo images >"$work/made/cifar-10-batches-bin/test_batch.bin"
echo images >"$work/made/cifar-100-binary/test.bin"
tar -czf "$work/ten.tar.gz" -C "$work/made" cifar-10-batches-bin
tar -czf "$work/hundred.tar.gz" -C "$work/made" cifar-100-binary
head -c 60 "$work/ten.tar.gz" >"$work/half"
echo "something else" >"$work/other"

md5_of() { md5sum <"$1" | cut -d' ' -f1; }
grep -q '^    md5=c32a1d4ab5d03f1284b67883e8d87530$' "$source/scripts/get_data.sh" ||
    fail "the md5 of cifar-10-binary.tar.gz is not its authors'"
grep -q '^    md5=03b5dce01913d631647c71ecec9e9cb8$' "$source/scripts/get_data.sh" ||
    fail "the md5 of cifar-100-binary.tar.gz is not its authors'"
sed -e "s/c32a1d4ab5d03f1284b67883e8d87530/$(md5_of "$work/ten.tar.gz")/" \
    -e "s/03b5dce01913d631647c71ecec9e9cb8/$(md5_of "$work/hundred.tar.gz")/" \
    "$source/scripts/get_data.sh" >"$work/get_data.sh"

# ---------------------------------------------------------------- how a case is written

folder=$work/datasets
# fresh: an empty data folder. serves FILE [CODE]: what the network gives, and how it ends.
fresh() { rm -rf "$folder" "$work/calls"; : >"$work/calls"; }
serves() { cp "$1" "$work/served"; printf '%s' "${2:-0}" >"$work/code"; }
# ends CODE TEXT [ARGUMENTS...]: the script does, with the fetchers in $fetchers.
fetchers=$work/curl
ends() {
    local expected=$1 text=$2 code=0
    shift 2
    env -i PATH="$fetchers:$tools" DIAGRAD_DATA="$folder" "$bash" "$work/get_data.sh" "$@" \
        >"$work/log" 2>&1 || code=$?
    [ "$code" = "$expected" ] || fail "'$*' ended with $code, expected $expected"
    grep -qF -- "$text" "$work/log" || fail "'$*' does not say: $text"
}
calls() { [ "$(wc -l <"$work/calls")" = "$1" ] || fail "$(cat "$work/calls"): expected $1 calls"; }
holds() { [ "$(ls -A "$folder" | tr '\n' ' ')" = "$1" ] || fail "left: $(ls -A "$folder")"; }

# ---------------------------------------------------------------- the cases

fresh; serves "$work/other"
ends 3 "has md5 $(md5_of "$work/other"), expected $(md5_of "$work/ten.tar.gz")" cifar10
calls 1; holds ""

fresh; serves "$work/half" 18  # curl's code for a transfer that broke off
ends 3 "could not be fetched" cifar10
calls 1; holds ""
serves "$work/half"  # a proxy that ends it as if it were whole
ends 3 "the download is damaged" cifar10
holds ""

serves "$work/ten.tar.gz"
ends 0 "cifar-10-batches-bin is ready" cifar10
calls 3; holds "cifar-10-batches-bin "
cmp -s "$work/made/cifar-10-batches-bin/test_batch.bin" "$folder/cifar-10-batches-bin/test_batch.bin" ||
    fail "the images are not those of the archive"
ends 0 "is there already" cifar10
calls 3; holds "cifar-10-batches-bin "

serves "$work/hundred.tar.gz"
ends 0 "cifar-100-binary is ready" cifar100 "$folder"
calls 4; holds "cifar-10-batches-bin cifar-100-binary "

# Archives from elsewhere: a whole one is used without the network, a half one fetched anew.
fresh; mkdir -p "$folder"; cp "$work/ten.tar.gz" "$folder/cifar-10-binary.tar.gz"
ends 0 "is ready" cifar10
calls 0; holds "cifar-10-batches-bin "
fresh; mkdir -p "$folder"; cp "$work/half" "$folder/cifar-10-binary.tar.gz"; serves "$work/ten.tar.gz"
ends 0 "is ready" cifar10
calls 1; holds "cifar-10-batches-bin "

fresh; mkdir -p "$folder/cifar-10-batches-bin"
ends 3 "has no test_batch.bin; move it away" cifar10
calls 0

fresh; fetchers=$work/wget
ends 0 "is ready" cifar10
grep -q '^wget .*cifar-10-binary.tar.gz$' "$work/calls" || fail "wget was not called"
holds "cifar-10-batches-bin "
fresh; fetchers=$tools
ends 3 "neither curl nor wget is here" cifar10
holds ""

# A folder whose name is no option of any command, and is quoted in the one that is printed.
fresh; fetchers=$work/curl; serves "$work/ten.tar.gz"
cd "$work"
ends 0 'train --data ./-my\ data/cifar-10-batches-bin' cifar10 "-my data"
[ -f "./-my data/cifar-10-batches-bin/test_batch.bin" ] || fail "the folder '-my data' was not made"
ends 0 'train --data ./-my\ data/cifar-10-batches-bin' cifar10 "-my data"

ends 2 "'cifar' is not known, use cifar10 or cifar100" cifar
ends 0 "get_data.sh cifar10|cifar100 [FOLDER]" --help
echo "get_data: all is well"
