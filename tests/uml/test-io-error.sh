#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# An error of the image reaches the guest as an error: of reading, of writing, of a flush; the guest lives on,
# and what works still works.

. "$(dirname "${BASH_SOURCE[0]}")/functions.sh"
requires strace

# with_fault CALLS: a server whose calls of these names fail, in their image part: -P keeps to calls on that file.
with_fault() {
	write_config "$(device disk 64M)"
	truncate -s 64M "$work/disk.img"
	ASAN_OPTIONS=detect_leaks=0 start_rdisk strace -D -f -q -o /dev/null -P "$work/disk.img" -e "trace=$1" -e "inject=$1:error=EIO"
}

with_fault pwrite64,pwritev,pwritev2
run_guest io-error.sh write
stop_rdisk

with_fault pread64,preadv,preadv2
run_guest io-error.sh read
stop_rdisk

with_fault fdatasync
run_guest io-error.sh flush
# A flush of the server's own at its end fails as well, which it may tell in its exit status.
kill -TERM "$server"
wait "$server" || note "the server ended with status $?"
