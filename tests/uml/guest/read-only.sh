#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The guest's part of test-read-only.sh.

. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

await_device /dev/rdiska
[ "$(blockdev --getro /dev/rdiska)" -eq 1 ]
must_fail dd if=/dev/zero of=/dev/rdiska bs=4k count=1 conv=fsync
must_fail mkfs.ext4 -q -F /dev/rdiska
must_fail blkdiscard -f /dev/rdiska
# mount falls back to a read-only mount, with a warning.
mount /dev/rdiska "$mnt"
must_fail touch "$mnt/new"
[ "$(cat "$mnt/file")" = "read only" ]
umount "$mnt"
