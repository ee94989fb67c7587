#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# usage: server-kill.sh STOP: fio on /dev/rdiska until the host's file STOP is there, then a whole round in peace.

. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

round() {
	fio --name=verify --filename=/dev/rdiska --rw=randwrite --bs="$1" --size=32M --ioengine=libaio --iodepth=16 --direct=1 \
		--verify=crc32c --verify_fatal=1 --verify_state_save=0 --randseed="$rounds" --allow_file_create=0 >/tmp/fio.log 2>&1 ||
		{ cat /tmp/fio.log; guest_fail "round $rounds, bs $1"; }
	rounds=$((rounds + 1))
}

await_device /dev/rdiska
echo "fio is running"
rounds=1
until [ -e "$1" ]; do
	round 4k
	round 64k
done
round 16k
echo "$rounds rounds"
if dmesg | grep -i 'I/O error'; then
	guest_fail "an error came through"
fi
