#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Random faults against a replica set of real processes (scripts/cluster.sh), whose clients keep histories. After each round
# of faults all is repaired: then the set has to get in sync by itself, all clients have to be answered, the histories have to
# agree with what is promised (rdisk-check), and the images have to be equal. Nothing may have ended but what was killed.
#
# What happens follows from the seed; when it happens does not quite. A run that fails says which seed it was, and where it has
# put all that there is: images, state, logs, histories and the list of what was done (events).
#
# usage: mix.sh [OPTION]...
#   --seed S        1
#   --set KIND      3: three with images; diskless: two with images and one without; 5: five. By the seed unless told
#   --clients KIND  shared: several write at a time; turns: one after the other has the disk open. By the seed
#   --group GROUP   beacons or corosync. By the seed, where there is a corosync that the programs know
#   --rounds N      2
#   --seconds N     of faults, in each round; 30
#   --calm SECONDS  in which all must be in sync after the last fault; 120
#   --only FAULT    only this (the functions named fault_... here); may be repeated
#   --kept FOLDER   for what is left of a failed run: a folder there is named after it. /var/tmp/rdisk-mix-UID unless told
# environment: RDISK_BIN (build/release/bin), TMPDIR: as long as it runs all is in a folder there
# exit status: 0 nothing is wrong; 1 something is; 2 usage; 4 nothing is wrong that was judged, but the search for an order of the
#              requests of some block was given up; 77 the machine does not allow it

set -uo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
repository=$(cd "$here/../.." && pwd -P)
export RDISK_BIN=${RDISK_BIN:-$repository/build/release/bin}
# shellcheck source=histories.sh
. "$here/histories.sh"
# shellcheck source=mix_faults.sh
. "$here/mix_faults.sh"
# shellcheck source=mix_verdict.sh
. "$here/mix_verdict.sh"

seed=1 kind='' clients='' group='' rounds=2 seconds=30 calm=120 only=() given_up=0 kept=/var/tmp/rdisk-mix-$(id -u)

say() {
	printf 'mix: %s\n' "$*" >&2
}

# fail TEXT: ends the run.
fail() {
	say "FAILED: $*"
	note "FAILED: $*"
	exit 1
}

# note TEXT: into the list of what was done.
note() {
	printf '%s %s\n' "$(now)" "$*" >>"$work/events"
}

# pick LIMIT: sets `picked` to 0 .. LIMIT - 1. Never in a subshell, which would not change what comes next.
pick() {
	picked=$(((RANDOM << 15 | RANDOM) % $1))
}

cluster() {
	"$repository/scripts/cluster.sh" --dir "$work/set" "$@"
}

# step ARGUMENT...: of cluster.sh; the run ends if that fails.
step() {
	note "$*"
	cluster "$@" >>"$work/steps.log" 2>&1 || fail "cluster.sh $*: $(tail -n 1 "$work/steps.log")"
}

parse() {
	command="$0 $*"
	while [ $# -gt 0 ]; do
		[ $# -ge 2 ] || usage_error
		case $1 in
		--seed) seed=$2 ;;
		--set) kind=$2 ;;
		--clients) clients=$2 ;;
		--group) group=$2 ;;
		--rounds) rounds=$2 ;;
		--seconds) seconds=$2 ;;
		--calm) calm=$2 ;;
		--only) only+=("$2") ;;
		--kept) kept=$2 ;;
		*) usage_error ;;
		esac
		shift 2
	done
	[[ $seed =~ ^[0-9]+$ && $rounds =~ ^[0-9]+$ && $seconds =~ ^[0-9]+$ && $calm =~ ^[0-9]+$ ]] || usage_error
	[[ $kind =~ ^(|3|diskless|5)$ && $clients =~ ^(|shared|turns)$ && $group =~ ^(|beacons|corosync)$ ]] || usage_error
}

usage_error() {
	sed -n '/^# usage:/,/^$/ s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2
	exit 2
}

# one_of WORD...: sets `chosen`.
one_of() {
	pick $#
	chosen=${*:picked+1:1}
}

# Everything that the seed decides is drawn, also what was told: so the rest stays what it is.
choose() {
	local groups=(beacons) count

	# Seeds that follow each other begin alike.
	RANDOM=$((seed * 2654435761 % 2147483647))
	for ((count = 0; count < 16; count++)); do
		pick 2
	done
	one_of 3 3 diskless 5
	kind=${kind:-$chosen}
	one_of shared shared turns
	clients=${clients:-$chosen}
	! group_is_there corosync || groups+=(corosync)
	one_of "${groups[@]}"
	group=${group:-$chosen}
	one_of 500 1000 2000
	lease=$chosen
	hosts=(A B C) images=(A B C) options=()
	case $kind in
	diskless) images=(A B) options=(--diskless C) ;;
	5) hosts=(A B C D E) images=(A B C D E) ;;
	esac
	[ "$clients" = turns ] || options+=(--shared)
}

# group_is_there GROUP: rdisk was built with it, and there is a corosync.
group_is_there() {
	command -v corosync >/dev/null && ldd "$RDISK_BIN/rdisk" | grep -q libcpg
}

# ---- clients ----

# start_random_client HOST
start_random_client() {
	local arguments

	one_of 1 1 4 8
	arguments=(--depth "$chosen" --pace 4000000)
	one_of 64 256 512 2048
	arguments+=(--length $((chosen * 512)))
	[ "$clients" = shared ] || arguments+=(--turn 40)
	start_client "$1" "${arguments[@]}"
}

# reap_host HOST: all clients there died with it.
reap_host() {
	local number

	for number in "${!client_pid[@]}"; do
		[ "${client_host[$number]}" != "$1" ] || reap "$number" any
	done
}

# fill_clients: on each host that is on there are as many as there are to be.
fill_clients() {
	local host number there wanted=2

	[ "$kind" != 5 ] || wanted=1
	for host in "${hosts[@]}"; do
		[ "${power[$host]}" = on ] || continue
		there=0
		for number in "${!client_pid[@]}"; do
			[ "${client_host[$number]}" != "$host" ] || there=$((there + 1))
		done
		for ((; there < wanted; there++)); do
			start_random_client "$host"
		done
	done
}

# ---- a run ----

# shellcheck disable=SC2317 # called by the trap
finish() {
	local status=$? folder

	trap - EXIT
	if [ "$status" -ne 0 ] && [ "$status" -ne 4 ] && [ "$status" -ne 77 ] &&
		[ "$status" -ne 130 ] && [ "$status" -ne 143 ]; then
		cluster status >"$work/status" 2>&1
		folder=$kept/seed-$seed-$(date -u +%Y%m%dT%H%M%S)
		cluster down --keep >/dev/null 2>&1
		mkdir -p "$kept" && cp -r --sparse=always "$work" "$folder" && say "all of it is in $folder"
		say "again: RDISK_BIN=$RDISK_BIN $command"
		[ ! -s "$work/set/holder.log" ] || tail -n 5 "$work/set/holder.log" >&2
	fi
	cluster down >/dev/null 2>&1
	rm -rf "$work"
	exit "$status"
}

begin() {
	local status=0

	work=$(mktemp -d "${TMPDIR:-/tmp}/rdisk-mix.XXXXXX")
	trap finish EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM
	begin_histories
	say "seed $seed: set $kind, clients $clients, group $group, lease $lease ms, $rounds rounds of $seconds s"
	note "$command"
	cluster up ${#hosts[@]} "${options[@]}" --group "$group" --size 8M --own-clocks --set "lease_ms=$lease" --while $$ \
		>>"$work/steps.log" 2>&1 || status=$?
	[ "$status" -ne 77 ] || { tail -n 1 "$work/steps.log" >&2; exit 77; }
	[ "$status" -eq 0 ] || fail "cluster.sh up: $(tail -n 3 "$work/steps.log")"
	for host in "${hosts[@]}"; do
		power[$host]=on rdisk[$host]=runs corosync[$host]=runs
	done
}

# Most rounds have few things broken at a time, some all of them.
run_round() {
	local end worst

	pick ${#hosts[@]}
	worst=$((picked + 1))
	note "round $1: up to $worst broken at a time"
	fill_clients
	end=$((SECONDS + seconds))
	while [ "$SECONDS" -lt "$end" ]; do
		one_of break break repair
		if [ "$(nr_broken)" -ge "$worst" ] || { [ "$chosen" = repair ] && [ "$(nr_broken)" -gt 0 ]; }; then
			repair_one
		else
			break_one
		fi
		check_running
		fill_clients
		pick 25
		sleep "$((picked / 10)).$((picked % 10))"
	done
	repair_all
	fill_clients
	step wait --timeout "$calm" in-sync
	await_progress
	end_clients
	sweep_all
	verdict "$1"
}

parse "$@"
choose
begin
for ((round = 1; round <= rounds; round++)); do
	run_round "$round"
done
if [ "$given_up" -gt 0 ]; then
	say "seed $seed: blocks of $given_up of $rounds rounds were not judged, the others are right"
	exit 4
fi
say "seed $seed: nothing is wrong"
