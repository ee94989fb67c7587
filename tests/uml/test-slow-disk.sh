#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A disk of the host that takes long holds up those who wait for it and nobody else in the guest: while an fsync is held up
# (tests/fault/fault_hold.h) others read and write. A server that is killed meanwhile is followed by one that is sent the
# request again.

. "$(dirname "${BASH_SOURCE[0]}")/functions.sh"
library=$bin/../tests/libfault_inject.so
[ -f "$library" ] || skip "no $library"
[ "$(stat -f -c %T "$work")" != tmpfs ] || skip "$work is on tmpfs, which is never waited for"

start_held_rdisk() {
	start_rdisk env LD_PRELOAD="$library" RDISK_HOLD="$work/hold" \
		ASAN_OPTIONS="${ASAN_OPTIONS:+$ASAN_OPTIONS:}verify_asan_link_order=0"
}

mkfifo "$work/hold"
write_config "$(device disk 64M)"
start_held_rdisk
start_guest -2 slow-disk.sh "$work/again"
await_line 'others went on'
# Waits until a worker is held up, and lets all go on.
exec {gate}>"$work/hold"
await_line 'the first fsync is done'
exec {gate}>&-
touch "$work/again"
await_line 'others went on'
kill_rdisk
start_rdisk
finish_guest "$guest" "$console" || fail "the guest ended with status $?"
stop_rdisk
