#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The guest's part of test-late-server.sh.

. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

[ ! -e /dev/rdiska ]
echo "booted without a disk"
await_device /dev/rdiska
mkfs.ext4 -q /dev/rdiska
mount /dev/rdiska "$mnt"
echo late >"$mnt/file"
umount "$mnt"
