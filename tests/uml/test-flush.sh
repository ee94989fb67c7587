#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A flush in the guest is an fdatasync on the host, one each: `dd conv=fsync` five times makes five; direct
# writes without a flush make none; a write with O_DSYNC makes at least one.

. "$(dirname "${BASH_SOURCE[0]}")/functions.sh"
requires strace

write_config "$(device disk 64M)"
# -D: the server stays this shell's child, the tracer is beside it.
ASAN_OPTIONS=detect_leaks=0 start_rdisk strace -D -f -q -e trace=fdatasync,fsync,sync_file_range -e signal=none -o "$work/trace"
run_guest flush.sh "$work/trace"
stop_rdisk
