#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The guest's part of scripts/bench.sh with a file system: untar, find, cp -r and rm -r of a tree on a new ext4, on
# each device in turn, round by round. Each of the four is timed from mount to umount, so that it begins with nothing of
# the file system in the guest's memory and ends with all of it on the device. No fsync but umount's own.
#
# usage: guest-tree.sh ROUNDS RESULTS TAR NAME=DEVICE...

set -euo pipefail
rounds=$1 results=$2 tar=$3
shift 3
. "$(dirname "${BASH_SOURCE[0]}")/guest-functions.sh"

work_untar() { tar -xf /tmp/tree.tar -C /tmp/disk; }
# A size makes find look at each inode.
work_find() { find /tmp/disk/tree -type f -size +0 | wc -l >/tmp/found; }
work_cp() { cp -r /tmp/disk/tree /tmp/disk/copy; }
work_rm() { rm -r /tmp/disk/copy; }

# step NAME DEVICE: sets elapsed, in us.
step() {
	local start

	echo 3 >/proc/sys/vm/drop_caches
	start=${EPOCHREALTIME/./}
	mount -t ext4 "$2" /tmp/disk
	"work_$1"
	umount /tmp/disk
	elapsed=$((${EPOCHREALTIME/./} - start))
}

report() {
	printf '{"row": "%s", "side": "%s", "round": %d, "value": %d.%06d}\n' "$1" "$2" "$3" \
		$(($4 / 1000000)) $(($4 % 1000000)) >>"$results"
}

# run ROUND NAME DEVICE
run() {
	local name total=0 line="round $1: tree, $2:"

	mkfs.ext4 -q -F -E lazy_itable_init=0,lazy_journal_init=0 "$3"
	for name in untar find cp rm; do
		step "$name" "$3"
		report "tree-$name" "$2" "$1" "$elapsed"
		total=$((total + elapsed))
		line+=" $name $((elapsed / 1000)) ms"
	done
	[ "$(cat /tmp/found)" -eq 10000 ] || { echo "find found $(cat /tmp/found) files, not 10000"; exit 1; }
	report tree "$2" "$1" "$total"
	echo "$line"
}

mkdir /tmp/disk
cp "$tar" /tmp/tree.tar # into the guest's memory: the host's file system is not to be measured
for pair in "$@"; do
	await_device "${pair#*=}"
	# The blocks of both are there: the host's allocation is not to be measured either.
	dd if=/dev/zero of="${pair#*=}" bs=1M oflag=direct status=none 2>/dev/null || true
done
for ((round = 1; round <= rounds; round++)); do
	if [ $((round % 2)) -eq 1 ]; then
		order=("$@")
	else
		order=("$2" "$1")
	fi
	for pair in "${order[@]}"; do
		run "$round" "${pair%%=*}" "${pair#*=}"
	done
done
