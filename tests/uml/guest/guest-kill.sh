#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# usage: guest-kill.sh ROUND: writes files for ever, fsyncs each and says so. Round 1 makes the file system.

. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

await_device /dev/rdiska
[ "$1" -gt 1 ] || mkfs.ext4 -q /dev/rdiska
mount /dev/rdiska "$mnt"
rm -rf "$mnt/noise"
for ((i = 0; ; i++)); do
	name=file-$1-$i
	head -c "$((RANDOM * 4 + 1))" /dev/urandom >"/tmp/$name"
	dd if="/tmp/$name" of="$mnt/$name" bs=64k conv=fsync status=none
	sync "$mnt"
	echo "fsynced $name $(sha256sum <"/tmp/$name" | cut -d ' ' -f 1)"
	rm "/tmp/$name"
	# Something that is never synced, for the crash to cut.
	mkdir -p "$mnt/noise/$((i % 7))"
	head -c 100000 /dev/urandom >"$mnt/noise/$((i % 7))/$i"
	[ $((i % 50)) -ne 49 ] || rm -rf "$mnt/noise"
done
