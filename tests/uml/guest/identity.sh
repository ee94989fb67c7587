#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The guest's part of test-identity.sh: a file system on the first disk, the second only open.

. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

connected_again() {
	[ "$(dmesg | grep -c 'rdisk: connected')" -ge 2 ]
}

await_device /dev/rdiska
await_device /dev/rdiskb
[ "$(cat /sys/block/rdiska/serial)" = disk-of-the-test ] || guest_fail "the first disk has another identity"
id=$(cat /sys/block/rdiskb/serial)
[[ $id =~ ^[0-9a-f-]{36}$ ]] || guest_fail "the second disk has no identity"
mkfs.ext4 -q /dev/rdiska
mount /dev/rdiska "$mnt"
echo before >"$mnt/before"
sync
exec {disk}<>/dev/rdiskb
echo "mounted"
await "the server does not come back" connected_again
echo after >"$mnt/after"
umount "$mnt"
dmesg | grep 'rdiska: its image is another file now' >/dev/null || guest_fail "no word of the other file"
must_fail dd of=/dev/null bs=4k count=1 iflag=direct <&"$disk"
dmesg | grep 'rdiskb: it is another disk now' >/dev/null || guest_fail "no word of the other disk"
dmesg | grep "rdiskb: its id was \"$id\" and is \"[0-9a-f-]*\".* id = \"$id\"" >/dev/null || guest_fail "no word of the two ids"
