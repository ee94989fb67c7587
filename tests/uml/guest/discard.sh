#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# usage: discard.sh fill|discard|delete|trim: the guest's part of test-discard.sh, a step a boot.

. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

ones() {
	head -c "$1" /dev/zero | tr '\0' '\377'
}

await_device /dev/rdiska
case $1 in
fill)
	ones 256M | dd of=/dev/rdiska bs=1M iflag=fullblock oflag=direct status=none
	;;
discard)
	# Leaves 32 MiB at either end.
	blkdiscard -o 32MiB -l 192MiB /dev/rdiska
	forget_cache
	cmp <(ones 32M) <(head -c 32M /dev/rdiska)
	cmp <(ones 32M) <(tail -c 32M /dev/rdiska)
	cmp <(head -c 192M /dev/zero) <(dd if=/dev/rdiska bs=1M skip=32 count=192 status=none)
	# Write-zeroes: odd ends, the neighbours stay.
	blkdiscard -z -o 512 -l 1048576 /dev/rdiska
	forget_cache
	cmp <(ones 512 && head -c 1048576 /dev/zero && ones 512) <(dd if=/dev/rdiska bs=512 count=2050 status=none)
	;;
delete)
	mkfs.ext4 -q /dev/rdiska
	mount /dev/rdiska "$mnt"
	ones 100M >"$mnt/file"
	umount "$mnt"
	;;
trim)
	mount /dev/rdiska "$mnt"
	rm "$mnt/file"
	# The blocks are free when the journal has said so.
	sync
	fstrim -v "$mnt"
	umount "$mnt"
	;;
esac
