#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The server is killed (SIGKILL) and started again ten times while fio writes and verifies in the guest: the guest sees
# no error and no wrong data.

. "$(dirname "${BASH_SOURCE[0]}")/functions.sh"
requires fio

write_config "$(device disk 128M)"
start_rdisk
start_guest -2 server-kill.sh "$work/stop"
await_line 'fio is running'
for ((i = 1; i <= 10; i++)); do
	# Not a wait for anything: the server works that long before it dies.
	sleep "0.$((RANDOM % 900 + 100))"
	kill_rdisk
	note "killed $i"
	start_rdisk
done
touch "$work/stop"
finish_guest "$guest" "$console" || fail "the guest ended with status $?"
stop_rdisk
