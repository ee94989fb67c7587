#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# cluster.sh: when the process that holds the set, or the one that wanted it, is killed, all of it ends, and can be cleared up.

. "$(dirname "$0")/functions.sh"

note "the holder is killed"
up 2 --unreplicated --size 16M
kill -KILL "$holder"
await "A's rdisk goes on without the holder" no_processes
expect 1 status
expect 1 exec A -- true
expect 1 kill A
expect 1 up 2 --unreplicated
cluster down
[ ! -e "$work/set" ] || fail "left: $(ls -R "$work/set")"
no_processes || fail "left: $(ps -o args= -p "$(processes | paste -sd ,)")"

note "the process that is told by --while is killed"
sleep 1002 &
wanted=$!
up 2 --unreplicated --size 16M --while "$wanted"
kill -KILL "$wanted"
all_gone() {
	[ ! -e "$work/set" ] && no_processes
}
await "the set outlives the process" all_gone

note "an init of a host is killed: the host is off, the others are not"
up 2 --unreplicated --size 16M
kill -KILL "$(ps -u "$(id -u)" -o pid=,args= | awk -v dir="$work/set" \
	'$3 ~ /cluster.sh$/ && $5 == dir && $6 == "inside-init" && $7 == "A" { print $1 }')"
is_off() {
	[ "$(field '.hosts[0].on')" = false ]
}
await "the host is not off" is_off
expect_field '.hosts[1].rdisk' running
cluster start A host
expect_field '.hosts[0].rdisk' running
