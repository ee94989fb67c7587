#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The relay of the tests between two hosts: what it does to what goes through.

. "$(dirname "$0")/functions.sh"

up 2 --unreplicated --size 16M --no-power-log
start_program relay A "$tools/relay" 10.77.0.1 7001 10.77.0.2 7000
await_line relay listening

# tell LINE: to the relay, which has done it.
tell() {
	echo "$1" >&"${in[relay]}"
	await_line relay "done"
}

# connect N: pipes aN and bN by the relay.
connect() {
	start_program "b$1" B "$tools/tcp_pipe" listen 10.77.0.2 7000
	await_line "b$1" listening
	start_program "a$1" A "$tools/tcp_pipe" connect 10.77.0.1 7001
	await_line "a$1" connected
	await_line "b$1" connected
}

connect 1
echo there >&"${in[a1]}"
await_line b1 there
echo back >&"${in[b1]}"
await_line a1 back

note "a delay, each way"
tell "delay 1500"
echo late >&"${in[a1]}"
no_line b1
await_line b1 late
echo "late back" >&"${in[b1]}"
no_line a1
await_line a1 "late back"
tell "delay 0"

note "a rate: the second comes after the first has gone"
tell "rate 4"
echo 12345678 >&"${in[a1]}"
no_line b1
await_line b1 12345678
tell "rate 0"

note "nothing arrives, and then it does"
tell stall
echo held >&"${in[a1]}"
no_line b1
tell go
await_line b1 held

note "a cut in the middle"
tell "cut-after 3"
printf '%s\n' broken >&"${in[a1]}"
await_line relay cut
rest=
! read -r -t 60 rest <&"${out[b1]}" || fail "a whole line came"
[ "$rest" = bro ] || fail "\"$rest\" came, and not the first three bytes"

note "new connections work after that, until they are cut or refused"
connect 2
echo again >&"${in[a2]}"
await_line b2 again
tell cut
! read -r -t 60 rest <&"${out[b2]}" || fail "a line came after the cut"
tell refuse
start_program b3 B "$tools/tcp_pipe" listen 10.77.0.2 7000
await_line b3 listening
start_program a3 A "$tools/tcp_pipe" connect 10.77.0.1 7001
await_line a3 connected
! read -r -t 60 rest <&"${out[a3]}" || fail "a connection that is refused said $rest"
tell accept
start_program a4 A "$tools/tcp_pipe" connect 10.77.0.1 7001
await_line a4 connected
await_line b3 connected
