#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# usage: fio.sh DIRECTORY: the guest's part of test-fio.sh; leaves its last job's file in DIRECTORY.

. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

# job PATTERN SIZE ENGINE DEPTH BLOCK-SIZE
job() {
	cat >/tmp/job.fio <<-END
		[verify]
		rw=$1
		size=$2
		ioengine=$3
		iodepth=$4
		$5
		direct=1
		verify=crc32c
		verify_fatal=1
		verify_state_save=0
		randrepeat=1
		allow_file_create=0
	END
	echo "fio: $*"
	(cd /tmp && fio --filename=/dev/rdiska /tmp/job.fio >/tmp/fio.log 2>&1) || { cat /tmp/fio.log; guest_fail "fio $*"; }
}

await_device /dev/rdiska
job randwrite 8M psync 1 bs=512
job randwrite 32M psync 1 bs=4k
job randwrite 64M libaio 32 bs=4k
job write 128M libaio 8 bs=64k
job randwrite 256M libaio 4 bs=1M
job randwrite 128M libaio 16 bsrange=512-256k
job write 256M libaio 2 bs=4M
job randwrite 128M libaio 128 bs=16k
cp /tmp/job.fio "$1/last.fio"
