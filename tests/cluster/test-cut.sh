#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# cluster.sh: what is cut off does not arrive, on connections that are open as well, and arrives after it was healed.

. "$(dirname "$0")/functions.sh"

up 3 --unreplicated --size 16M
start_program b B "$tools/tcp_pipe" listen 10.77.0.2 7000
await_line b listening
start_program a A "$tools/tcp_pipe" connect 10.77.0.2 7000
await_line a connected
await_line b connected
start_program c C "$tools/tcp_pipe" listen 10.77.0.3 7000
await_line c listening
start_program other A "$tools/tcp_pipe" connect 10.77.0.3 7000
await_line other connected
await_line c connected

# a_to_b TEXT, b_to_a TEXT: it arrives.
a_to_b() {
	echo "$1" >&"${in[a]}"
	await_line b "$1"
}

b_to_a() {
	echo "$1" >&"${in[b]}"
	await_line a "$1"
}

# connects FROM TO: whether a new connection can be made, in a second: there is nobody to answer it but the kernel.
connects() {
	local status=0

	cluster exec "$1" -- timeout 1 bash -c "exec 3<>/dev/tcp/10.77.0.$2/99" 2>/dev/null || status=$?
	[ "$status" -ne 124 ]
}

a_to_b first
b_to_a second
expect_field '.lost | length' 0

note "one way"
cluster cut A B --one-way
expect_field '.lost | map(.from + .to) | join(" ")' AB
echo "is lost" >&"${in[a]}"
b_to_a "is not lost"
no_line b
cluster heal
await_line b "is lost"
a_to_b third

note "both ways, one pair"
cluster cut a b
echo "from A" >&"${in[a]}"
echo "from B" >&"${in[b]}"
no_line b
no_line a
! connects A 2 || fail "a connection can be made"
connects A 3 || fail "a connection to a host that is not cut off cannot be made"
echo unharmed >&"${in[other]}"
await_line c unharmed
cluster heal B
await_line b "from A"
await_line a "from B"

note "one from all"
cluster cut C
expect_field '.lost | length' 4
! connects C 1 || fail "a connection can be made"
! connects B 3 || fail "a connection can be made"
connects A 2 || fail "a connection between others cannot be made"
a_to_b fourth
cluster heal A
expect_field '.lost | map(.from + .to) | sort | join(" ")' "BC CB"
connects C 1 || fail "a connection cannot be made"
! connects B 3 || fail "a connection can be made"

note "what is lost stays lost when the host has lost its power"
cluster power C
cluster start C host
! connects B 3 || fail "a connection can be made"
! connects C 2 || fail "a connection can be made"
cluster heal
expect_field '.lost | length' 0
connects B 3 || fail "a connection cannot be made"

note "a host that loses its power does not say so: its connections hang"
no_line other
expect 2 cut A A
expect 2 cut A Z
expect 2 cut A B --sometimes
expect 2 heal Z
