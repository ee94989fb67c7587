#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The guest's part of test-image-change.sh.

. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

# connects COUNT: the driver has met its server that often.
connects() {
	[ "$(dmesg | grep -c 'rdisk: connected')" -ge "$1" ]
}

await_device /dev/rdiska1
[ ! -e /dev/rdiska2 ]
echo "idle with one partition"
await "the server does not come back" connects 2
dd if=/dev/rdiska of=/dev/null bs=4k count=1 status=none
await_device /dev/rdiska2
dd if=/dev/zero of=/dev/rdiska2 bs=1M count=1 oflag=direct status=none

exec {disk}<>/dev/rdiska
echo "open for writing"
await "the server does not come back" connects 3
must_fail dd of=/dev/null bs=1M count=1 skip=8 iflag=direct <&"$disk"
exec {disk}<&-
dd if=/dev/rdiska of=/dev/null bs=1M count=8 iflag=direct status=none
[ "$(blockdev --getro /dev/rdiska)" -eq 1 ]
