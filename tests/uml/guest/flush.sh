#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# usage: flush.sh TRACE: the guest's part of test-flush.sh. TRACE is the host's file to which strace writes the
# server's calls; a call is in it before its result is in the guest.

. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

# calls: how many there are by now. A call that was interrupted in the trace has a second, "resumed", line.
calls() {
	grep -v resumed "$trace" | grep -c 'sync' || true
}

# expect NUMBER WHAT
expect() {
	local now

	now=$(calls)
	echo "$2: $((now - before)) calls of fdatasync on the host"
	[ $((now - before)) -eq "$1" ] || { cat "$trace"; guest_fail "$2: not $1"; }
	before=$now
}

trace=$1
await_device /dev/rdiska
before=$(calls)

for i in 1 2 3 4 5; do
	dd if=/dev/zero of=/dev/rdiska bs=4k count=1 seek="$i" conv=fsync status=none
done
expect 5 "five times dd conv=fsync"

dd if=/dev/zero of=/dev/rdiska bs=4k count=20 oflag=direct status=none
expect 0 "20 direct writes"

dd if=/dev/zero of=/dev/rdiska bs=4k count=1 oflag=direct,dsync status=none
now=$(calls)
[ "$now" -gt "$before" ] || guest_fail "O_DSYNC: no call of fdatasync"
