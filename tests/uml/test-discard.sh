#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A discard in the guest gives the image's blocks back on the host, and nothing but them; a deleted file's
# come back by fstrim; write-zeroes leaves zeroes.

. "$(dirname "${BASH_SOURCE[0]}")/functions.sh"
requires blkdiscard fstrim

allocated() { # MiB of the image
	echo $(($(stat -c '%b * %B / 1048576' "$work/disk.img")))
}

write_config "$(device disk 256M)"
start_rdisk

run_guest discard.sh fill
full=$(allocated)
[ "$full" -ge 240 ] || fail "the image has $full MiB after 256 were written"

run_guest discard.sh discard
left=$(allocated)
# 64 of the 256 MiB stay, but for one of zeroes, and what the host's file system needs besides.
[[ $left -ge 63 && $left -le 72 ]] || fail "the image has $left MiB after a discard that leaves 64"

run_guest discard.sh delete
used=$(allocated)
[ "$used" -ge 100 ] || fail "the image has $used MiB after 100 were written to a file"
run_guest discard.sh trim
left=$(allocated)
[ "$left" -le 40 ] || fail "the image has $left MiB after a trim of the deleted file's 100"

stop_rdisk
check_image "$work/disk.img"
note "$full MiB written, $left left in the end"
