#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# An error of the image reaches the guest as an error: of reading, of writing, of a flush; the guest lives on,
# and what works still works. Where something was not written whoever started the guest hears of it.

. "$(dirname "${BASH_SOURCE[0]}")/functions.sh"
requires strace

# with_fault CALLS: a server whose calls of these names fail, in their image part: -P keeps to calls on that file.
with_fault() {
	write_config "$(device disk 64M)"
	truncate -s 64M "$work/disk.img"
	ASAN_OPTIONS=detect_leaks=0 start_rdisk strace -D -f -q -o /dev/null -P "$work/disk.img" -e "trace=$1" -e "inject=$1:error=EIO"
}

# run_losing_guest ARGUMENT...: its script ends with 0, and something is lost all the same.
run_losing_guest() {
	local status=0

	start_guest -2 "$@"
	finish_guest "$guest" "$console" 2>"$work/console" || status=$?
	cat "$work/console" >&2
	[ "$status" -eq 125 ] || fail "a write has failed, and the guest ended with status $status"
	grep -q 'or a write to it' "$work/console" || fail "run-uml.sh does not say that something is lost"
}

with_fault pwrite64,pwritev,pwritev2
run_losing_guest io-error.sh write
stop_rdisk

with_fault pread64,preadv,preadv2
run_guest io-error.sh read
stop_rdisk

with_fault fdatasync
run_losing_guest io-error.sh flush
# A flush of the server's own at its end fails as well, which it may tell in its exit status.
kill -TERM "$server"
wait "$server" || note "the server ended with status $?"
