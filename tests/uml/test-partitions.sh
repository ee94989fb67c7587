#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Two devices; partitions on the first, with file systems in them; both keep what was written apart; the
# partition table is there at the next boot.

. "$(dirname "${BASH_SOURCE[0]}")/functions.sh"
requires sfdisk

write_config "$(device one 128M)" "$(device two 64M)"
start_rdisk
run_guest partitions.sh make
run_guest partitions.sh check
stop_rdisk

check_image "$work/two.img"
sfdisk -l "$work/one.img" >&2
# The first partition begins at 1 MiB.
dd if="$work/one.img" of="$work/part.img" bs=1M skip=1 count=40 status=none
check_image "$work/part.img"
read_image "$work/part.img" "$work/part"
[ "$(cat "$work/part/name")" = "first partition" ] || fail "the partition does not hold what was written to it"
