#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Wall clocks are stepped, hours and decades forward and back, differently on each host, while clients write: nobody loses the
# lease, is removed or gets an error by it. With clocks that are apart primaries are killed, stopped beyond their lease and cut
# off, so that sessions are made anew: the disk is served again, the histories agree with what is promised, the copies are equal.

. "$(dirname "$0")/functions.sh"
# shellcheck source=histories.sh
. "$(dirname "$0")/histories.sh"

# shellcheck disable=SC2034 # histories.sh reads them
seed=11 hosts=(A B C) images=(A B C)

# step HOST SECONDS: of its clock.
step() {
	note "the clock of $1: $2 s"
	cluster clock "$1" "$2"
}

# goes_on SINCE: all clients are answered.
goes_on() {
	local number

	for number in "${!client_pid[@]}"; do
		has_answer "$number" "$1" || return 1
	done
}

# answered TEXT: all clients are, from now on.
answered() {
	await "clients are not answered $1" goes_on "$(now)"
}

# sees HOST SECONDS: what runs there has the clock of the host; a minute more or less does not count.
sees() {
	local there here

	there=$(cluster exec "$1" -- date +%s)
	here=$(date +%s)
	[[ $((there - here - $2)) -gt -60 && $((there - here - $2)) -lt 60 ]] || fail "the clock of $1 is at $there, the machine's at $here"
}

# tells_clock HOST SECONDS: the server's events have the clock of the host.
tells_clock() {
	local line there

	[ -s "$work/events" ] || return 1
	line=$(tail -n 1 "$work/events")
	there=$(date -d "$(jq -r .time <<<"$line")" +%s) || return 1
	[[ $((there - $(date +%s) - $2)) -gt -60 && $((there - $(date +%s) - $2)) -lt 60 ]]
}

is_not_primary() {
	local other

	other=$(field 'if .serving then .primary // "" else "" end')
	[ -n "$other" ] && [ "$other" != "$1" ]
}

# lose_primary HOW: kill, stop or cut; another serves, and it comes back.
lose_primary() {
	local name host other ahead=100000

	cluster wait in-sync
	name=$(field .primary)
	host=${name^^}
	note "$1 $host"
	cluster "$1" "$host"
	# Now leases run out, and votes are asked for: of the two that do that one goes forward and one back.
	step "$host" -160000
	for other in "${hosts[@]}"; do
		[ "$other" != "$host" ] || continue
		step "$other" "$ahead"
		ahead=$((-ahead))
	done
	await "nobody takes the place of $host" is_not_primary "$name"
	case $1 in
	kill) cluster start "$host" ;;
	stop) cluster cont "$host" ;;
	cut) cluster heal ;;
	esac
	cluster wait in-sync
	answered "after $1 $host"
}

# play GROUP
play() {
	local host epoch

	rm -rf "$work/set/history"
	begin_histories
	nr_clients=0
	up 3 --shared --group "$1" --no-power-log --own-clocks --size 4M --set lease_ms=2000 --set replica_timeout_ms=20000
	epoch=$(field .epoch)
	for host in "${hosts[@]}"; do
		start_client "$host" --depth 4 --pace 2000000 --length 1048576
	done
	answered "at first"

	note "clocks are stepped, nothing else happens"
	for host in "${hosts[@]}"; do
		step "$host" 7200
		answered "after a step forward"
		step "$host" -10800
		answered "after a step back"
	done
	step A 900000000
	step B -900000000
	step C 0
	sees A 900000000
	sees B -900000000
	sees C 0
	answered "with clocks that are apart"
	cluster wait in-sync
	expect_field .epoch "$epoch"

	lose_primary kill
	lose_primary stop
	lose_primary cut

	note "a server says the time of its host"
	step A 600000000
	cluster exec A -- rdiskctl events --json >"$work/events" &
	events=$!
	[ "$(field .primary)" != b ] || cluster exec A -- rdiskctl promote c
	cluster kill B
	await "A tells nothing of the time of its host" tells_clock A 600000000
	kill "$events"
	wait "$events" 2>/dev/null || [ $? -eq 143 ] || fail "rdiskctl events did not end by the signal"
	cluster start B
	cluster wait in-sync

	end_clients
	! awk '$2 == "end" && $5 < 0 { print; found = 1; exit } END { exit !found }' "$work/set/history/"*[0-9] >"$work/error" ||
		fail "a client has met an error: $(cat "$work/error")"
	sweep_all
	check_images
	check_ends
	note "$1: $(check_history)"
	cluster down
}

play beacons
if command -v corosync >/dev/null && ldd "$bin/rdisk" | grep -q libcpg; then
	play corosync
else
	note "not tested: corosync, which is not there"
fi
