#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# usage: slow-disk.sh AGAIN: the guest's part of test-slow-disk.sh. Twice, the second time when the host's file AGAIN is there.

. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

# Starts an fsync, which the host holds up, and does I/O of others meanwhile.
hold_and_go_on() {
	local i

	dd if=/dev/urandom of=/tmp/data bs=4k count=16 status=none
	dd if=/tmp/data of=/dev/rdiska bs=4k seek="$1" conv=fsync status=none &
	held=$!
	# It writes first, and then waits for the flush.
	until dd if=/dev/rdiska bs=4k skip="$1" count=16 iflag=direct status=none | cmp -s - /tmp/data; do
		:
	done
	for ((i = 0; i < 50; i++)); do
		dd if=/dev/urandom of=/tmp/other bs=64k count=1 status=none
		dd if=/tmp/other of=/dev/rdiska bs=64k seek=16 oflag=direct status=none
		dd if=/dev/rdiska bs=64k skip=16 count=1 iflag=direct status=none | cmp - /tmp/other
	done
	kill -0 "$held" || guest_fail "the fsync was not held up"
	echo "others went on"
}

await_device /dev/rdiska
hold_and_go_on 0
wait "$held"
echo "the first fsync is done"
until [ -e "$1" ]; do
	:
done
hold_and_go_on 1024
wait "$held"
dd if=/dev/rdiska bs=4k skip=1024 count=16 iflag=direct status=none | cmp - /tmp/data
if dmesg | grep -i 'I/O error\|has not suspended'; then
	guest_fail "an error came through"
fi
