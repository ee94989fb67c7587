#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# usage: partitions.sh make|check: the guest's part of test-partitions.sh, a step a boot.

. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

# put DEVICE TEXT, get DEVICE TEXT
put() {
	mkfs.ext4 -q "$1"
	mount "$1" "$mnt"
	echo "$2" >"$mnt/name"
	umount "$mnt"
}

get() {
	fsck.ext4 -fn "$1"
	mount -o ro "$1" "$mnt"
	[ "$(cat "$mnt/name")" = "$2" ] || guest_fail "$1 does not hold \"$2\""
	umount "$mnt"
}

await_device /dev/rdiska
await_device /dev/rdiskb
[ "$(blockdev --getsize64 /dev/rdiska)" -eq $((128 << 20)) ]
[ "$(blockdev --getsize64 /dev/rdiskb)" -eq $((64 << 20)) ]
if [ "$1" = make ]; then
	printf 'label: gpt\nstart=1MiB, size=40MiB\nsize=40MiB\n' | sfdisk -q /dev/rdiska
	await_device /dev/rdiska2
	put /dev/rdiska1 "first partition"
	put /dev/rdiska2 "second partition"
	put /dev/rdiskb "second device"
else
	await_device /dev/rdiska2
fi
get /dev/rdiska1 "first partition"
get /dev/rdiska2 "second partition"
get /dev/rdiskb "second device"
