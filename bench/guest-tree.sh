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

report() {
	printf '{"row": "%s", "side": "%s", "round": %d, "value": %d.%06d}\n' "$1" "$2" "$3" \
		$(($4 / 1000000)) $(($4 % 1000000)) >>"$results"
}

# run ROUND NAME DEVICE
run() {
	local name total=0 line="round $1: tree, $2:"

	make_file_system "$3"
	for name in untar find cp rm; do
		tree_step "$name" "$3"
		report "tree-$name" "$2" "$1" "$elapsed"
		total=$((total + elapsed))
		line+=" $name $((elapsed / 1000)) ms"
	done
	[ "$(cat /tmp/found)" -eq 10000 ] || { echo "find found $(cat /tmp/found) files, not 10000"; exit 1; }
	report tree "$2" "$1" "$total"
	echo "$line"
}

prepare_tree "$tar"
for pair in "$@"; do
	await_device "${pair#*=}"
	fill_device "${pair#*=}"
done
for ((round = 1; round <= rounds; round++)); do
	for pair in "$@"; do
		run "$round" "${pair%%=*}" "${pair#*=}"
	done
	set -- "${@:2}" "$1"
done
