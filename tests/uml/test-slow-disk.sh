#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A disk of the host that takes long holds up those who wait for it and nobody else in the guest: while an fsync is held up
# (tests/fault/fault_hold.h) others read and write. A server that is killed meanwhile is followed by one that is sent the
# request again.

. "$(dirname "${BASH_SOURCE[0]}")/functions.sh"
can_hold || skip "there is no library of faults, or $work is on tmpfs, which is never waited for"

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
