#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# cluster.sh: a power cut takes what was not flushed, and nothing else; also what a server that was killed before had written.

. "$(dirname "$0")/functions.sh"

# write_at KIB [FLUSH]: 64 KiB on the disk of A, by its server; flushed if asked for.
write_at() {
	{
		printf 'fio version 2 iolog\n/dev/disk add\n/dev/disk open\n'
		printf '/dev/disk write %d 65536\n' $(($1 * 1024))
		[ "${2:-}" != flush ] || printf '/dev/disk datasync 0 0\n'
		printf '/dev/disk close\n'
	} >"$work/trace"
	cluster exec A -- rdisk-replay -d 0 -e 3 --minor 0 --depth 1 --writes real "$work/trace" >"$work/replay.log" || { cat "$work/replay.log" >&2; fail "A cannot be written"; }
}

# holds KIB: whether there is anything on the disk.
holds() {
	! dd if="$work/set/A/disk.img" bs=1K skip="$1" count=64 status=none | cmp -s -n 65536 - /dev/zero
}

up 2 --unreplicated --size 16M
boot=$(cat "$work/set/A/boot-id")
write_at 0 flush
write_at 64
for kib in 0 64; do
	holds "$kib" || fail "the server has not written at $kib KiB"
done
cluster power A
expect_field '.hosts[0].on' false
[ "$(cat "$work/set/A/boot-id")" != "$boot" ] || fail "the boot id is the old one"
holds 0 || fail "what was flushed is lost"
! holds 64 || fail "what was not flushed is there"
[ "$(stat -c %s "$work/set/A/disk.img")" = $((16 * 1024 * 1024)) ] || fail "the image has another size"
cluster power A
holds 0 || fail "what was flushed is lost with the second power cut"

note "what a killed server has written is in the page cache: a flush of the next one makes it stable"
cluster start A host
write_at 128
cluster kill A
cluster start A
cluster kill A host
cluster start A host
write_at 192 flush
write_at 256
cluster power A
for kib in 0 128 192; do
	holds "$kib" || fail "what was flushed at $kib KiB is lost"
done
for kib in 64 256; do
	! holds "$kib" || fail "what was not flushed at $kib KiB is there"
done

note "without a log of what is written power is not cut"
cluster down
up 1 --unreplicated --no-power-log
expect 1 power A
expect_field '.hosts[0].rdisk' running

note "a member's state is part of it, wherever it is"
cluster down
up 3 --diskless C --group beacons --size 4M --set lease_ms=500 --set state_dir=elsewhere --set set=other
tr '\0' '\n' <"/proc/$(cat "$work/set/B/rdisk.pid")/environ" |
	grep -q "^RDISK_CRASH_FILES=$work/set/B/disk.img:$work/set/B/elsewhere/other/slot-0:" || fail "the state is not logged"
[ -s "$work/set/B/elsewhere/other/slot-0" ] || [ -s "$work/set/B/elsewhere/other/slot-1" ] || fail "the state is not there"
cluster power B
cluster wait B=outdated
cluster start B host
cluster wait in-sync
