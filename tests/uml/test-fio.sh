#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# fio writes and verifies with crc32c, over several block sizes and depths; the host then verifies in the
# image what the guest wrote last.

. "$(dirname "${BASH_SOURCE[0]}")/functions.sh"
requires fio

write_config "$(device disk 256M)"
start_rdisk
run_guest fio.sh "$work"
stop_rdisk

# The same job as the guest's last one, this time on the image: reading and verifying only.
(cd "$work" && fio --filename="$work/disk.img" --verify_only "$work/last.fio") >"$work/fio.log" 2>&1 ||
	{ cat "$work/fio.log" >&2; fail "the image does not hold what the guest wrote"; }
