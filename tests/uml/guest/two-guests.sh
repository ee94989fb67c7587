#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# usage: two-guests.sh first|second DIRECTORY: the guests' part of test-two-guests.sh; files in the host's DIRECTORY say
# when to go on.

. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

await_file() {
	await "$1 did not come" test -e "$1"
}

# fill DEVICE: a file system with 20 files and their sums.
fill() {
	mkfs.ext4 -q "$1"
	mount "$1" "$mnt"
	for i in {1..20}; do
		head -c 1M /dev/urandom >"$mnt/file-$i"
	done
	(cd "$mnt" && sha256sum file-* >sums)
	sync
}

case $1 in
first)
	await_device /dev/rdiska
	# Open from the file system's making to the end.
	# shellcheck disable=SC2034 # open, and that is all
	exec {held}<>/dev/rdiska
	fill /dev/rdiska
	echo "first has mounted"
	await_file "$2/end-first"
	umount "$mnt"
	;;
second)
	await_device /dev/rdiskb
	fill /dev/rdiskb
	umount "$mnt"
	await_device /dev/rdiska
	must_fail dd if=/dev/zero of=/dev/rdiska bs=4k count=1
	grep -q 'Device or resource busy' /tmp/failure || { cat /tmp/failure; guest_fail "not EBUSY"; }
	must_fail mount /dev/rdiska "$mnt"
	dmesg | grep 'rdiska: open refused: EDVSBUSY' >/dev/null
	echo "second was refused"
	await_file "$2/first-ended"
	mount /dev/rdiska "$mnt"
	(cd "$mnt" && sha256sum --quiet -c sums)
	echo second >"$mnt/later"
	umount "$mnt"
	;;
esac
