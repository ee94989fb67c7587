#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A device that is configured read-only is read-only in the guest: it can be read and mounted, not written,
# and the image does not change.

. "$(dirname "${BASH_SOURCE[0]}")/functions.sh"
requires mke2fs

mkdir "$work/content"
echo "read only" >"$work/content/file"
truncate -s 64M "$work/disk.img"
mke2fs -q -t ext4 -d "$work/content" "$work/disk.img"
sum=$(sha256sum <"$work/disk.img")

write_config "$(device disk 64M 'read_only = true;')"
start_rdisk
run_guest read-only.sh
stop_rdisk
[ "$(sha256sum <"$work/disk.img")" = "$sum" ] || fail "the image has changed"
