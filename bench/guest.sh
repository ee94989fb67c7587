#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The guest's part of scripts/bench.sh: fio on each device in turn, all in one boot, in interleaved rounds, so that
# what drifts on the machine drifts for all. Appends a line of JSON a measurement to RESULTS.
#
# usage: guest.sh ROUNDS SECONDS RESULTS DEPTHS NAME=DEVICE...
#   NAME is rdisk, ubd, brd or virtio: where one is not there the other is measured alone; DEPTHS are the queue depths of
#   the series guest-depth ("1 2 4")

set -euo pipefail
rounds=$1 seconds=$2 results=$3 depths=$4
shift 4
. "$(dirname "${BASH_SOURCE[0]}")/guest-functions.sh"

declare -A device
for pair in "$@"; do
	device[${pair%%=*}]=${pair#*=}
done

# measure DEVICE FIO-ARGUMENT...: sets figure, IOPS for blocks of 4 KiB and bytes/s for those of 1 MiB.
measure() {
	local fields

	fio --name=bench --filename="$1" --direct=1 --time_based --runtime="$seconds" --randrepeat=1 \
		--allow_file_create=0 --output-format=terse --terse-version=3 "${@:2}" >/tmp/fio.out
	# Version 3 has reads from field 6 on (KiB, KiB/s, IOPS), writes from field 47 on.
	IFS=';' read -r -a fields </tmp/fio.out
	case $* in
	*--bs=1M*) figure=$(((fields[6] + fields[47]) * 1024)) ;;
	*) figure=$((fields[7] + fields[48])) ;;
	esac
}

# row ROUND ROW SIDES FIO-ARGUMENT...: measures all sides that there are, every other round the other way round.
row() {
	local round=$1 row=$2 side sides

	read -r -a sides <<<"$3"
	[ $((round % 2)) -eq 1 ] || sides=("${sides[1]}" "${sides[0]}")
	for side in "${sides[@]}"; do
		[ -n "${device[$side]:-}" ] || continue
		measure "${device[$side]}" "${@:4}"
		printf '{"row": "%s", "side": "%s", "round": %d, "value": %s}\n' "$row" "$side" "$round" "$figure" >>"$results"
		echo "round $round: $row, $side: $figure"
	done
}

for name in "${!device[@]}"; do
	await_device "${device[$name]}"
	fill_device "${device[$name]}"
done
psync=(--ioengine=psync --bs=4k)
libaio=(--ioengine=libaio --bs=4k)
large=(--ioengine=libaio --bs=1M --iodepth=4)
for ((round = 1; round <= rounds; round++)); do
	row "$round" guest-read-1 "rdisk ubd" "${psync[@]}" --rw=randread
	row "$round" guest-write-1 "rdisk ubd" "${psync[@]}" --rw=randwrite
	row "$round" guest-read-32 "rdisk ubd" "${libaio[@]}" --rw=randread --iodepth=32
	row "$round" guest-write-32 "rdisk ubd" "${libaio[@]}" --rw=randwrite --iodepth=32
	row "$round" guest-read-1m "rdisk ubd" "${large[@]}" --rw=read
	row "$round" guest-write-1m "rdisk ubd" "${large[@]}" --rw=write
	# The RAM disk is smaller than the others: all read only as much as it has.
	[ -z "${device[brd]:-}" ] || row "$round" guest-brd "rdisk brd" "${psync[@]}" --rw=randread --size=128M
	[ -z "${device[virtio]:-}" ] || row "$round" guest-virtio "rdisk virtio" "${psync[@]}" --rw=randread
	# Curves need fewer rounds than what is judged.
	[ "$round" -le 3 ] || depths=
	for depth in $depths; do
		for side in rdisk ubd; do
			[ -n "${device[$side]:-}" ] || continue
			measure "${device[$side]}" "${libaio[@]}" --rw=randread --iodepth="$depth"
			printf '{"series": "guest-depth", "side": "%s", "x": %d, "round": %d, "value": %s}\n' \
				"$side" "$depth" "$round" "$figure" >>"$results"
		done
	done
done
