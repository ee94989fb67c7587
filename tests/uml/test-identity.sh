#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Two disks of a guest come back from copies of their images, in other files. The one whose configuration says who it is
# goes on under the file system that is mounted on it; the other one is another disk, and fails, which also the one who
# started the guest learns.

. "$(dirname "${BASH_SOURCE[0]}")/functions.sh"

# restore NAME: the image is a copy of what it was.
restore() {
	cp --sparse=always "$work/$1.img" "$work/copy.img"
	mv "$work/copy.img" "$work/$1.img"
}

write_config "$(device same 64M 'id = "disk-of-the-test";')" "$(device other 64M)"
start_rdisk
start_guest -2 identity.sh
await_line 'mounted'
kill_rdisk
restore same
restore other
start_rdisk
status=0
finish_guest "$guest" "$console" 2>"$work/console" || status=$?
cat "$work/console" >&2
[ "$status" -eq 125 ] || fail "a disk has failed under the guest, and it ended with status $status"
stop_rdisk
check_image "$work/same.img"
read_image "$work/same.img" "$work/files"
[ "$(cat "$work/files/before" "$work/files/after")" = $'before\nafter' ] || fail "the files are not what the guest wrote"
