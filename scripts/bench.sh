#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Measures rdisk beside ubd, the block driver that User-Mode Linux brings along: fio in one guest boot, both images on
# the same tmpfs, interleaved rounds, medians. Prints a table and leaves DIRECTORY/bench.json and bench.md.
#
# usage: bench.sh [--rounds N] [--seconds N] [--size MIB] [DIRECTORY]
#   5 rounds of 2 seconds a job on images of 512 MiB unless told; DIRECTORY is build/bench
# environment: RDISK_BIN  the directory of the server, build/release/bin unless told
#              RDISK_KERNEL  the guest's kernel

set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

rounds=5 seconds=2 size=512 directory=$rdisk_root/build/bench
while [ $# -gt 0 ]; do
	case $1 in
	--rounds | --seconds | --size)
		[[ ${2:-} =~ ^[1-9][0-9]*$ ]] || die "$1 needs a number"
		declare "${1#--}=$2"
		shift 2
		;;
	--help) sed -n '/^# usage:/,/^$/ s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; exit 0 ;;
	-*) die "unknown option $1 (--help)" ;;
	*) directory=$1; shift ;;
	esac
done
bin=${RDISK_BIN:-$rdisk_root/build/release/bin}
[ -x "$bin/rdisk" ] || die "there is no $bin/rdisk: cmake --preset release && cmake --build --preset release"
require_programs fio
RDISK_KERNEL=${RDISK_KERNEL:-$("$rdisk_root/scripts/build-uml.sh" | tail -n 1)}
export RDISK_KERNEL
mkdir -p "$directory"
directory=$(cd "$directory" && pwd -P)

[ "$(stat -f -c %T /dev/shm)" = tmpfs ] || die "/dev/shm is no tmpfs"
work=$(mktemp -d /dev/shm/rdisk-bench.XXXXXX)
server=
cleanup() {
	[ -z "$server" ] || { kill "$server" 2>/dev/null && wait "$server"; } || true
	rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

export DVK_RUNTIME_DIR=$work/node
mkdir -m 700 "$DVK_RUNTIME_DIR"
truncate -s "${size}M" "$work/ubd.img"
cat >"$work/rdisk.cfg" <<END
devices = ( { name = "bench"; image_type = "FILE_IMAGE"; image_file = "rdisk.img"; size = "${size}M"; } );
END
mkfifo "$work/pipe"
"$bin/rdisk" -d 0 -e 3 -c "$work/rdisk.cfg" </dev/null 2>"$work/pipe" &
server=$!
exec {pipe}<"$work/pipe"
while read -r line <&"$pipe"; do
	echo "$line" >&2
	[[ $line != *ready* ]] || break
done
[[ ${line:-} == *ready* ]] || die "rdisk did not get ready"
cat <&"$pipe" >&2 &
exec {pipe}<&-

"$rdisk_root/scripts/run-uml.sh" --timeout $((rounds * 12 * (seconds + 10) + 120)) --share "$work" --append "dcid=0 uml_ep=-2 rd_ep=3 ubd0=$work/ubd.img" -- \
	"$rdisk_root/bench/guest.sh" "$rounds" "$seconds" "$work/results" rdisk=/dev/rdiska ubd=/dev/ubda >&2

# results: ROUND DEVICE JOB VALUE a line.
LC_ALL=C sort -k 3,3 -k 2,2 -k 4,4n "$work/results" | awk -v rounds="$rounds" -v seconds="$seconds" -v size="$size" \
	-v json="$directory/bench.json" -v markdown="$directory/bench.md" -v host="$(uname -r)" -f "$rdisk_root/bench/table.awk"
cat "$directory/bench.md"
say "wrote $directory/bench.json and bench.md"
