#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The main job: make, check and mount a file system on /dev/rdiska, copy a real tree to it, unmount; the
# tree is whole in the guest after the cache was dropped, and on the host by e2fsck and debugfs.

. "$(dirname "${BASH_SOURCE[0]}")/functions.sh"
requires e2fsck debugfs

tree=/usr/include
[ -d "$tree/linux" ] || tree=$repository
sums "$tree" >"$work/expected"

write_config "$(device disk 512M)"
start_rdisk
run_guest filesystem.sh "$tree" "$work/expected"
stop_rdisk

check_image "$work/disk.img"
read_image "$work/disk.img" "$work/read"
(cd "$work/read/tree" && sha256sum --quiet -c "$work/expected") || fail "the tree in the image is not the tree that was copied"
note "$(wc -l <"$work/expected") files copied and whole"
