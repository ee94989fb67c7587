#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The guest's part of scripts/bench.sh: fio on each device in turn, all in one boot, in interleaved rounds, so that
# what drifts on the machine drifts for all. Prints one line a measurement: round, device, job, value.
#
# usage: guest.sh ROUNDS SECONDS RESULTS NAME=DEVICE...

set -euo pipefail
rounds=$1 seconds=$2 results=$3
shift 3

# job NAME: fio's arguments for it. Values are IOPS for 4 KiB blocks, bytes/s for 1 MiB.
arguments() {
	case $1 in
	randread-4k-qd1) echo --rw=randread --bs=4k --ioengine=psync --iodepth=1 ;;
	randwrite-4k-qd1) echo --rw=randwrite --bs=4k --ioengine=psync --iodepth=1 ;;
	randread-4k-qd32) echo --rw=randread --bs=4k --ioengine=libaio --iodepth=32 ;;
	randwrite-4k-qd32) echo --rw=randwrite --bs=4k --ioengine=libaio --iodepth=32 ;;
	read-1M-qd4) echo --rw=read --bs=1M --ioengine=libaio --iodepth=4 ;;
	write-1M-qd4) echo --rw=write --bs=1M --ioengine=libaio --iodepth=4 ;;
	esac
}
jobs=(randread-4k-qd1 randwrite-4k-qd1 randread-4k-qd32 randwrite-4k-qd32 read-1M-qd4 write-1M-qd4)

await_device() {
	local i

	for ((i = 0; i < 600; i++)); do
		[ ! -b "$1" ] || return 0
		sleep 0.05
	done
	echo "there is no $1"
	exit 1
}

# value FIELD: of fio's terse output (version 3) in /tmp/fio.out. 8 and 49 are IOPS of reads and writes, 7 and 48 KiB/s.
value() {
	cut -d ';' -f "$1" /tmp/fio.out
}

: >"$results"
for pair in "$@"; do
	await_device "${pair#*=}"
	# Every block is there before anything is measured.
	dd if=/dev/zero of="${pair#*=}" bs=1M oflag=direct status=none 2>/dev/null || true
done
for ((round = 1; round <= rounds; round++)); do
	for job in "${jobs[@]}"; do
		for pair in "$@"; do
			# shellcheck disable=SC2046 # the arguments are words
			fio --name="$job" --filename="${pair#*=}" --direct=1 --time_based --runtime="$seconds" --randrepeat=1 \
				--allow_file_create=0 --output-format=terse --terse-version=3 $(arguments "$job") >/tmp/fio.out
			case $job in
			randread-*) figure=$(value 8) ;;
			randwrite-*) figure=$(value 49) ;;
			read-*) figure=$(($(value 7) * 1024)) ;;
			write-*) figure=$(($(value 48) * 1024)) ;;
			esac
			echo "$round ${pair%%=*} $job $figure" | tee -a "$results"
		done
	done
done
