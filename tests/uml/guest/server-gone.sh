#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# usage: server-gone.sh GO leave|umount|sync|off|fsync: the guest's part of test-server-gone.sh. Leaves data unwritten on a
# mounted disk; when the host's file GO is there it
#   leave   ends
#   umount  says that it is about to end, and unmounts
#   sync    syncs as if nothing were, then unmounts
#   off     powers off without more ado, in the middle of a sync
# fsync mounts nothing: the host holds up its fsync, which has to fail.

. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

driver=/sys/module/rdisk/parameters

await_go() {
	until [ -e "$go" ]; do
		:
	done
}

leave_unwritten_data() {
	mkfs.ext4 -q -E lazy_itable_init=0,lazy_journal_init=0 /dev/rdiska
	mount /dev/rdiska "$mnt"
	echo kept >"$mnt/kept"
	sync
	# Nothing is written before somebody asks for it.
	echo 0 >/proc/sys/vm/dirty_writeback_centisecs
	# A server that does not answer is noticed sooner.
	echo 1000 >/sys/block/rdiska/queue/io_timeout
	seq 1000000 >"$mnt/numbers"
	echo "there is unwritten data"
	await_go
}

waits() {
	dmesg | grep 'rdiska waits for the server' >/dev/null
}

go=$1
await_device /dev/rdiska
case $2 in
leave)
	leave_unwritten_data
	;;
umount)
	leave_unwritten_data
	echo 1 >"$driver/shutdown"
	umount "$mnt"
	echo "unmounted"
	;;
sync)
	leave_unwritten_data
	sync
	[ "$(cat "$driver/abandoned")" = N ]
	umount "$mnt"
	if dmesg | grep -i 'I/O error'; then
		guest_fail "an error came through"
	fi
	;;
off)
	leave_unwritten_data
	sync &
	await "the sync does not wait" waits
	echo o >/proc/sysrq-trigger
	wait
	;;
fsync)
	dd if=/dev/zero of=/dev/rdiska bs=4k count=1 conv=fsync status=none &
	held=$!
	# The server has come to it when it has answered all these.
	for ((i = 0; i < 50; i++)); do
		dd if=/dev/zero of=/dev/rdiska bs=64k seek=16 count=1 oflag=direct status=none
	done
	kill -0 "$held" || guest_fail "the fsync was not held up"
	echo "there is unwritten data"
	await_go
	echo 1 >"$driver/shutdown"
	if wait "$held"; then
		guest_fail "the fsync has not failed"
	fi
	must_fail dd if=/dev/rdiska of=/dev/null bs=4k count=1 iflag=direct
	;;
esac
