#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The guest's part of test-limits.sh.

. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

# at_least FILE NUMBER
at_least() {
	local value

	value=$(cat "/sys/block/rdiska/queue/$1")
	[ "$value" -ge "$2" ] || guest_fail "queue/$1 is $value, not at least $2"
}

await_device /dev/rdiska
[ "$(blockdev --getsize64 /dev/rdiska)" -eq $((6 << 30)) ]
at_least max_hw_sectors_kb 1024
at_least max_segments 128
at_least discard_max_bytes $((64 << 20))
at_least write_zeroes_max_bytes $((64 << 20))
at_least nr_requests 64
[ "$(cat /sys/block/rdiska/queue/write_cache)" = "write back" ]

# HDIO_GETGEO: 2 heads and 32 sectors are the original's.
sfdisk -g /dev/rdiska | grep ' 2 heads, 32 sectors/track' >/dev/null || { sfdisk -g /dev/rdiska; guest_fail "not the geometry expected"; }

# A block at each of these places, named by it.
places=(0 4095 524287 524288 1048575 1048576 1572863)
for place in "${places[@]}"; do
	printf 'block %d' "$place" | dd of=/dev/rdiska bs=4096 seek="$place" conv=sync,fsync status=none
done
forget_cache
for place in "${places[@]}"; do
	[ "$(dd if=/dev/rdiska bs=4096 skip="$place" count=1 status=none | tr -d '\0')" = "block $place" ] ||
		guest_fail "block $place holds something else"
done
must_fail dd if=/dev/zero of=/dev/rdiska bs=4096 seek=1572864 count=1
