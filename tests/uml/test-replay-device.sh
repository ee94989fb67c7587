#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# rdisk-replay in the guest on the block device /dev/rdiska: the same trace gives the same disk as on a file of the host,
# through the page cache and past it; flushes, discards and zeroings arrive on the host; a mounted device is not written.

. "$(dirname "${BASH_SOURCE[0]}")/functions.sh"
requires strace blkdiscard
! grep -q __asan_init "$bin/rdisk-replay" || skip "a program with the address sanitizer does not run in a guest"

# Operations of all kinds at all sectors, many on the same ones; R, W, WF (FUA), D, WZ and FN (flush) of blkparse.
mixed_trace() {
	awk -v sectors=$((16 << 11)) 'BEGIN {
		srand(5)
		for (i = 0; i < 1500; i++) {
			what = rand()
			length_ = 1 + int(rand() * 64)
			at = int(rand() * (sectors - length_))
			kind = what < .3 ? "R" : what < .8 ? "W" : what < .82 ? "WF" : what < .9 ? "D" : what < .98 ? "WZ" : "FN"
			printf "  8,0    1 %8d %5d.%09d  1234  Q %3s ", i, i / 1000, i % 1000 * 1000000, kind
			print kind == "FN" ? "[x]" : at " + " length_ " [x]"
		}
	}'
}

write_config "$(device disk 16M)" "$(device fixed 1M 'read_only = true;')"
truncate -s 1M "$work/fixed.img"
truncate -s 16M "$work/file.img"
cp "$bin/rdisk-replay" "$work/"
mixed_trace >"$work/mixed"
printf 'fio version 3 iolog\n0 d add\n0 d open\n' >"$work/flushes"
for i in 1 2 3 4 5; do
	printf '%d d write %d 1000\n%d d datasync 0 0\n' "$((2 * i))" "$((i * 5000))" "$((2 * i + 1))" >>"$work/flushes"
done
printf '%s\n' 'fio version 3 iolog' '0 d add' '0 d open' '1 d write 0 8388608' '2 d trim 0 7340032' >"$work/discard"

"$bin/rdisk-replay" --device "$work/file.img" --speed max --writes real --seed 7 "$work/mixed" >&2
ASAN_OPTIONS=detect_leaks=0 start_rdisk strace -D -f -q -e trace=fdatasync,fsync -e signal=none -o "$work/calls"
run_guest replay-device.sh "$work"
stop_rdisk

# The last one was the trace `discard`: of 8 MiB one is left.
left=$(($(stat -c '%b * %B / 1024' "$work/disk.img")))
[[ $left -ge 1024 && $left -le 1536 ]] || fail "the image has $left KiB after a discard that leaves 1024"
