#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The guest's part of scripts/bench.sh for what is measured on the host while a guest is there. Says "bench: ready"
# on the console each time something can be measured.
#
# usage: guest-hold.sh idle [DEVICE]       opens DEVICE, reads from it, then does nothing until it is killed
#        guest-hold.sh passes N DEVICE     reads all of DEVICE N times, in random order

set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/guest-functions.sh"

case $1 in
idle)
	if [ -n "${2:-}" ]; then
		await_device "$2"
		exec 3<"$2"
		dd if="$2" of=/dev/null bs=1M count=16 iflag=direct status=none
	fi
	sleep 2 # what came with booting is to be over
	echo "bench: ready"
	exec sleep infinity
	;;
passes)
	echo "bench: start"
	await_device "$3"
	for ((pass = 1; pass <= $2; pass++)); do
		fio --name=pass --filename="$3" --direct=1 --ioengine=libaio --iodepth=4 --bs=1M --rw=randread \
			--randseed="$pass" --allow_file_create=0 --output=/tmp/fio.out
		echo "bench: ready"
	done
	;;
esac
