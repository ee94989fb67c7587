#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The guest's part of test-image-change.sh.

. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

# await_connects COUNT: the driver has met its server that often.
await_connects() {
	local i

	for ((i = 0; i < 1200; i++)); do
		[ "$(dmesg | grep -c 'rdisk: connected')" -lt "$1" ] || return 0
		sleep 0.05
	done
	guest_fail "the server does not come back"
}

await_device /dev/rdiska1
[ ! -e /dev/rdiska2 ]
echo "idle with one partition"
await_connects 2
dd if=/dev/rdiska of=/dev/null bs=4k count=1 status=none
await_device /dev/rdiska2
dd if=/dev/zero of=/dev/rdiska2 bs=1M count=1 oflag=direct status=none

exec {disk}<>/dev/rdiska
echo "open for writing"
await_connects 3
must_fail dd of=/dev/null bs=1M count=1 skip=8 iflag=direct <&"$disk"
exec {disk}<&-
dd if=/dev/rdiska of=/dev/null bs=1M count=8 iflag=direct status=none
[ "$(blockdev --getro /dev/rdiska)" -eq 1 ]
