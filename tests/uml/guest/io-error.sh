#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# usage: io-error.sh read|write|flush: the guest's part of test-io-error.sh: that fails, the others do not.

. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

expect_error() {
	must_fail "$@"
	grep -q 'Input/output error' /tmp/failure || { cat /tmp/failure; guest_fail "not EIO: $*"; }
}

await_device /dev/rdiska
case $1 in
write)
	expect_error dd if=/dev/zero of=/dev/rdiska bs=4k count=1 oflag=direct
	expect_error dd if=/dev/zero of=/dev/rdiska bs=1M count=8 conv=fsync
	dd if=/dev/rdiska of=/dev/null bs=1M count=8 iflag=direct status=none
	;;
read)
	expect_error dd if=/dev/rdiska of=/dev/null bs=4k count=1 iflag=direct
	expect_error dd if=/dev/rdiska of=/dev/null bs=1M count=8 iflag=direct
	dd if=/dev/zero of=/dev/rdiska bs=1M count=8 oflag=direct status=none
	;;
flush)
	expect_error dd if=/dev/zero of=/dev/rdiska bs=4k count=1 conv=fsync
	# A flush that failed once is never turned into success by asking again.
	expect_error dd if=/dev/zero of=/dev/rdiska bs=4k count=1 conv=fsync
	dd if=/dev/rdiska of=/dev/null bs=1M count=8 iflag=direct status=none
	;;
esac
