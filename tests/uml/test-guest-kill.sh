#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A guest is killed (SIGKILL) while it writes files and fsyncs each. e2fsck then replays the journal, the file system
# is clean, and every file that was fsynced is there and whole. Three times, on the same file system's image.

. "$(dirname "${BASH_SOURCE[0]}")/functions.sh"
requires e2fsck debugfs

write_config "$(device disk 256M)"
start_rdisk
: >"$work/expected"
for round in 1 2 3; do
	start_guest -2 guest-kill.sh "$round"
	for ((i = 0; i < 15 * round; i++)); do
		await_line 'fsynced *' 2>/dev/null
		# fsynced NAME CHECKSUM
		read -r _ name sum <<<"$line"
		echo "$sum  ./$name" >>"$work/expected"
	done
	# run-uml.sh kills all of the guest's processes with SIGKILL when it is told to end.
	kill -TERM "$guest"
	# What the guest said before it died counts.
	while read -r word name sum <&"$console"; do
		[ "$word" != fsynced ] || [ "${#sum}" -ne 64 ] || echo "$sum  ./$name" >>"$work/expected"
	done
	exec {console}<&-
	wait "$guest" || true

	# The server lives on; the image is checked beside it, with no client there.
	dumpe2fs -h "$work/disk.img" 2>/dev/null | grep needs_recovery >/dev/null || fail "the file system was not mounted when the guest died"
	status=0
	e2fsck -fy "$work/disk.img" >"$work/e2fsck.log" 2>&1 || status=$?
	[ "$status" -le 1 ] || { cat "$work/e2fsck.log" >&2; fail "e2fsck ended with status $status"; }
	! grep -v -E 'recovering journal|^Pass|^e2fsck|clean|FILE SYSTEM WAS MODIFIED|files \(|^$|[Ff]ree (blocks|inodes) count wrong|Fix\? yes' \
		"$work/e2fsck.log" >&2 || fail "e2fsck found more than a journal to replay"
	check_image "$work/disk.img"
	read_image "$work/disk.img" "$work/read.$round"
	(cd "$work/read.$round" && sha256sum --quiet -c "$work/expected") || fail "a file that was fsynced is not there or not whole"
	note "round $round: $(wc -l <"$work/expected") fsynced files are whole"
done
stop_rdisk
