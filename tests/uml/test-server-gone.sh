#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The server is killed while the guest has its disk mounted, with data that is not written yet. Requests wait for a new
# server for as long as the guest runs, and the console says so; a guest that ends waits for some time and then ends all the same.

. "$(dirname "${BASH_SOURCE[0]}")/functions.sh"
requires e2fsck debugfs
seq 1000000 >"$work/numbers"
write_config "$(device disk 64M)"

# begin START MODE TIMEOUT: a server that START starts, and a guest with unwritten data, which will go on as MODE says.
begin() {
	note "$2, at shutdown $3 s"
	rm -f "$work/go" "$work/disk.img"
	"$1"
	guest_append="rdisk.shutdown_timeout=$3"
	start_guest -2 server-gone.sh "$work/go" "$2"
	await_line 'there is unwritten data'
}

go_without_server() {
	kill_rdisk
	touch "$work/go"
}

# finish STATUS: the guest ends by itself with that status; the rest of what it says is in $work/console.
finish() {
	local status=0

	finish_guest "$guest" "$console" 2>"$work/console" || status=$?
	cat "$work/console" >&2
	[ "$status" -eq "$1" ] || fail "the guest ended with status $status, not $1"
}

# check_data: all that the guest wrote is in the image.
check_data() {
	check_image "$work/disk.img"
	[ "$(debugfs -R 'cat /kept' "$work/disk.img" 2>/dev/null)" = kept ] || fail "what was synced is not there"
	debugfs -R 'cat /numbers' "$work/disk.img" 2>/dev/null | cmp - "$work/numbers" || fail "the data is not there"
}

# The server does not come back: after its time the guest ends, and says what that means.
begin start_rdisk leave 2
go_without_server
await_line '*rdisk: the guest shuts down: requests that wait for the server fail in 2 s*'
await_line '*rdisk: rdiska: *all I/O fails*'
finish 125
grep -q 'what was not written is lost' "$work/console" || fail "run-uml.sh does not say that data is lost"

# The same without any time to wait, of a script that unmounts.
begin start_rdisk umount 0
go_without_server
await_line '*rdisk: rdiska: *all I/O fails*'
await_line 'unmounted'
finish 125

# A server that is there and does not answer is waited for beyond that time; not so when it is killed.
begin start_rdisk leave 1
kill -STOP "$server"
touch "$work/go"
for ((i = 0; i < 3; i++)); do
	await_line '*rdisk: rdiska: the server is there, but has not answered *'
done
kill_rdisk
await_line '*rdisk: the guest shuts down: requests that wait for the server fail in 1 s*'
await_line '*rdisk: rdiska: *all I/O fails*'
finish 125

# The same of a request that the server had suspended.
if can_hold; then
	begin start_held_rdisk fsync 1
	go_without_server
	await_line '*rdisk: rdiska: *all I/O fails*'
	finish 125
else
	note "not tested: a request that the server had suspended, as it cannot be held up here"
fi

# The server comes back in time: nothing is lost.
begin start_rdisk umount 1000
go_without_server
await_line '*rdisk: the guest shuts down: requests that wait for the server fail in 1000 s*'
await_line '*rdisk: rdiska waits for the server*'
start_rdisk
await_line '*rdisk: the server * is back*'
finish 0
stop_rdisk
check_data

# The guest does not end: its time at shutdown does not count, however long it waits.
begin start_rdisk sync 1
go_without_server
await_line '*rdisk: rdiska waits for the server*'
await_line '*rdisk: it goes on when rdisk -d 0 -e 3 runs *'
await_line '*rdisk: rdiska waits for the server*'
start_rdisk
await_line '*rdisk: the server * is back*'
finish 0
stop_rdisk
check_data

# A guest that is powered off waits for nothing.
begin start_rdisk off 1000
go_without_server
await_line '*rdisk: rdiska: the guest ends while requests wait for the server*'
finish 125
