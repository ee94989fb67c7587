#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# usage: replay-device.sh DIRECTORY: the guest's part of test-replay-device.sh. DIRECTORY has the program, the traces, the
# file that the trace `mixed` was replayed onto, and the server's calls as strace writes them.

. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
cd "$1"
# For what --verify keeps: the guest's own.
export TMPDIR=/tmp

replay() {
	./rdisk-replay --quiet --device /dev/rdiska --speed max --seed 7 "$@"
}

# refused TEXT ARGUMENT...: the replay is not begun, for that reason.
refused() {
	local text=$1 status=0

	shift
	./rdisk-replay "$@" >/tmp/refusal 2>&1 || status=$?
	[ "$status" -eq 2 ] || { cat /tmp/refusal; guest_fail "status $status, not 2: $*"; }
	grep -F "$text" /tmp/refusal || { cat /tmp/refusal; guest_fail "it does not say \"$text\": $*"; }
}

await_device /dev/rdiska
await_device /dev/rdiskb

for how in "--depth 1" "--depth 32" "--depth 1 --direct" "--depth 32 --direct"; do
	blkdiscard /dev/rdiska
	# shellcheck disable=SC2086 # several options
	replay $how --writes real --verify --json /tmp/result mixed
	grep '"target_bytes":[[:space:]]*16777216' /tmp/result || { cat /tmp/result; guest_fail "$how: not the disk's size"; }
	forget_cache
	cmp /dev/rdiska file.img || guest_fail "$how: the disk is not as the file that the same trace was replayed onto"
done

# calls: of the server, by now. One that was interrupted in the trace has a second, "resumed", line.
calls() {
	grep -v resumed calls | grep -c sync || true
}
for how in "" --direct; do
	before=$(calls)
	# shellcheck disable=SC2086 # it may be none
	replay $how --depth 1 --writes real --verify flushes
	now=$(calls)
	[ $((now - before)) -eq 5 ] || { cat calls; guest_fail "$how: $((now - before)) calls of fdatasync for 5 flushes"; }
done

mkfs.ext4 -q -F /dev/rdiska
mount /dev/rdiska "$mnt"
refused "/dev/rdiska is in use (mounted?): it is not written" --device /dev/rdiska --writes real mixed
replay --writes discard mixed
umount "$mnt"
e2fsck -fn /dev/rdiska >/tmp/e2fsck 2>&1 || { cat /tmp/e2fsck; guest_fail "the file system is damaged"; }

refused "to replay only what reads, use --writes discard" --device /dev/rdiskb --writes real mixed

# The host looks at what the image has after this.
blkdiscard /dev/rdiska
replay --depth 1 --direct --writes real --verify discard
