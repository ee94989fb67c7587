#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The guest's part of scripts/profile.sh: the line "profile: begin" when all is prepared, "profile: end" afterwards.
#
# usage: guest-profile.sh read|write|tree SECONDS DEPTH DIRECTORY DEVICE

set -euo pipefail
job=$1 seconds=$2 depth=$3 directory=$4 device=$5
. "$(dirname "${BASH_SOURCE[0]}")/guest-functions.sh"

await_device "$device"
fill_device "$device"
case $job in
read | write)
	engine=libaio
	[ "$depth" -gt 1 ] || engine=psync
	echo "profile: begin"
	fio --name=profile --filename="$device" --direct=1 --time_based --runtime="$seconds" --randrepeat=1 --allow_file_create=0 \
		--ioengine="$engine" --iodepth="$depth" --bs=4k --rw="rand$job" --minimal >/dev/null
	;;
tree)
	prepare_tree "$directory/tree.tar"
	make_file_system "$device"
	echo "profile: begin"
	for name in untar find cp rm; do
		tree_step "$name" "$device"
	done
	;;
esac
echo "profile: end"
