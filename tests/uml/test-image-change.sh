#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The server comes back with another image. A disk that nobody has open is the new one, with its partitions. One that
# is open and cannot go on (it is read-only now) fails until it is closed, and can be opened again at once.
# The guest's kernel is stopped the second time, so that it sees only the new server and not that the old one went, as it
# may on a busy host: it has to say that it is connected all the same.

. "$(dirname "${BASH_SOURCE[0]}")/functions.sh"
requires sfdisk

# new_image PARTITIONS: puts another file in the image's place.
new_image() {
	rm -f "$work/new.img"
	truncate -s 64M "$work/new.img"
	{
		echo 'label: gpt'
		for ((i = 0; i < $1; i++)); do
			echo 'size=10MiB'
		done
	} | sfdisk -q "$work/new.img"
	mv "$work/new.img" "$work/disk.img"
}

new_image 1
write_config "$(device disk 64M)"
start_rdisk
start_guest -2 image-change.sh
await_line 'idle with one partition'
stop_rdisk
new_image 2
start_rdisk
await_line 'open for writing'
kill -STOP "$(guest_kernel)"
stop_rdisk
write_config "$(device disk 64M 'read_only = true;')"
start_rdisk
# rd_thread goes on: it has asked for the disk and to open it anew
until [ "$(server_answers)" -ge 2 ]; do
	kill -0 "$guest" || fail "the guest has ended"
done
kill -CONT "$(guest_kernel)"
status=0
finish_guest "$guest" "$console" || status=$?
[ "$status" -eq 125 ] || fail "a disk has failed while it was open for writing, and the guest ended with status $status"
stop_rdisk
