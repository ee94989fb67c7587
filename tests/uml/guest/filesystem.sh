#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# usage: filesystem.sh TREE SUMS: the guest's part of test-filesystem.sh.

. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

await_device /dev/rdiska
mkfs.ext4 -q /dev/rdiska
fsck.ext4 -f -p /dev/rdiska
mount /dev/rdiska "$mnt"
cp -a "$1" "$mnt/tree"
umount "$mnt"
fsck.ext4 -f -n /dev/rdiska

mount /dev/rdiska "$mnt"
forget_cache
(cd "$mnt/tree" && sha256sum --quiet -c "$2")
umount "$mnt"
