# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# shellcheck disable=SC2154 # hosts and the other variables are mix.sh's
#
# What breaks, and how it is repaired; sourced by mix.sh. Which of it is broken is known here, and not asked: what has ended by
# itself is an error.

declare -A power=() rdisk=() corosync=() # of each host: on, off, stopped; runs, stopped, off
cuts=0                                   # whether any network is cut

# Each is a function fault_NAME, as often as it is to happen among the others.
faults=(kill kill kill kill stop stop stop term term term cut cut cut cut_pair cut_pair cut_one_way cut_one_way flap flap
	power power power_two power_all kill_two kill_all kill_host stop_host promote promote kill_client kill_client kill_client
	corosync corosync corosync_all clock clock)

nr_broken() {
	local host count=$cuts

	for host in "${hosts[@]}"; do
		if [ "${power[$host]}" != on ] || [ "${rdisk[$host]}" != runs ]; then
			count=$((count + 1))
		elif [ "${corosync[$host]}" != runs ]; then
			count=$((count + 1))
		fi
	done
	echo "$count"
}

# some_host FUNCTION...: sets `host` to one of which all these are true; false: there is none.
some_host() {
	local candidate test fitting=()

	for candidate in "${hosts[@]}"; do
		for test in "$@"; do
			"$test" "$candidate" || continue 2
		done
		fitting+=("$candidate")
	done
	[ ${#fitting[@]} -gt 0 ] || return 1
	one_of "${fitting[@]}"
	host=$chosen
}

# two_hosts: sets `host` and `other`.
two_hosts() {
	one_of "${hosts[@]}"
	host=$chosen other=$chosen
	while [ "$other" = "$host" ]; do
		one_of "${hosts[@]}"
		other=$chosen
	done
}

is_on() { [ "${power[$1]}" = on ]; }
is_off() { [ "${power[$1]}" = off ]; }
host_is_stopped() { [ "${power[$1]}" = stopped ]; }
rdisk_runs() { is_on "$1" && [ "${rdisk[$1]}" = runs ]; }
rdisk_is_stopped() { is_on "$1" && [ "${rdisk[$1]}" = stopped ]; }
rdisk_is_off() { is_on "$1" && [ "${rdisk[$1]}" = off ]; }
rdisk_is_there() { is_on "$1" && [ "${rdisk[$1]}" != off ]; }
corosync_runs() { [ "$group" = corosync ] && is_on "$1" && [ "${corosync[$1]}" = runs ]; }
corosync_is_off() { [ "$group" = corosync ] && is_on "$1" && [ "${corosync[$1]}" = off ]; }

break_one() {
	one_of "${only[@]:-${faults[@]}}"
	"fault_$chosen" || true
}

# ---- processes ----

kill_rdisk() {
	step kill "$1"
	rdisk[$1]=off
}

fault_kill() {
	some_host rdisk_is_there && kill_rdisk "$host"
}

fault_kill_two() {
	fault_kill && fault_kill
}

fault_kill_all() {
	local host

	for host in "${hosts[@]}"; do
		! rdisk_is_there "$host" || kill_rdisk "$host"
	done
}

# Longer than any lease, sometimes.
fault_stop() {
	some_host rdisk_runs || return 1
	step stop "$host"
	rdisk[$host]=stopped
}

# Whatever the others do, it ends.
fault_term() {
	local pid

	some_host rdisk_runs || return 1
	note "term $host"
	read -r pid <"$work/set/$host/rdisk.pid"
	kill -TERM "$pid"
	wait_for_end "$pid" 60 || fail "rdisk on $host does not end after SIGTERM"
	rdisk[$host]=off
}

fault_kill_client() {
	local numbers=("${!client_pid[@]}")

	[ ${#numbers[@]} -gt 0 ] || return 1
	one_of "${numbers[@]}"
	is_on "${client_host[$chosen]}" || return 1
	note "kill client $chosen"
	signal_client "$chosen" KILL
	reap "$chosen" 137
}

# Refused while the others are away, for one.
fault_promote() {
	local name

	one_of "${images[@]}"
	name=${chosen,,}
	some_host rdisk_runs || return 1
	note "promote $name, on $host: $(cluster exec "$host" -- timeout 10 rdiskctl -c "$work/set/$host/rdisk.cfg" promote \
		"$name" 2>&1 | tail -n 1)"
}

# ---- clocks ----

# Nothing is broken by it.
fault_clock() {
	some_host has_power || return 1
	one_of -86400 -3600 -7 0 2 61 7200 1000000
	step clock "$host" "$chosen"
}

# ---- hosts ----

host_is_gone() {
	power[$1]=off rdisk[$1]=off corosync[$1]=off
	reap_host "$1"
}

cut_power() {
	step power "$1"
	printf '%s power %d\n' "$(now)" $(($(printf '%d' "'$1") - 64)) >>"$work/set/history/powers"
	host_is_gone "$1"
}

has_power() { ! is_off "$1"; }

fault_power() {
	some_host has_power && cut_power "$host"
}

fault_power_two() {
	fault_power && fault_power
}

fault_power_all() {
	local host

	for host in "${hosts[@]}"; do
		is_off "$host" || cut_power "$host"
	done
}

fault_kill_host() {
	some_host has_power || return 1
	step kill "$host" host
	host_is_gone "$host"
}

fault_stop_host() {
	some_host is_on || return 1
	step stop "$host" host
	power[$host]=stopped
}

# ---- networks ----

fault_cut() {
	some_host has_power || return 1
	step cut "$host"
	cuts=1
}

fault_cut_pair() {
	two_hosts
	step cut "$host" "$other"
	cuts=1
}

fault_cut_one_way() {
	two_hosts
	step cut "$host" "$other" --one-way
	cuts=1
}

fault_flap() {
	local count

	some_host has_power || return 1
	pick 4
	for ((count = picked + 2; count > 0; count--)); do
		step cut "$host"
		pick 10
		sleep "0.$picked"
		step heal "$host"
		pick 10
		sleep "0.$picked"
	done
}

# ---- corosync ----

fault_corosync() {
	some_host corosync_runs || return 1
	step kill "$host" corosync
	corosync[$host]=off
}

fault_corosync_all() {
	local host

	for host in "${hosts[@]}"; do
		! corosync_runs "$host" || { step kill "$host" corosync; corosync[$host]=off; }
	done
}

# ---- repairing ----

repair_host() {
	if is_off "$1"; then
		step start "$1" host
		power[$1]=on rdisk[$1]=runs corosync[$1]=runs
	elif host_is_stopped "$1"; then
		step cont "$1" host
		power[$1]=on
		[ "${rdisk[$1]}" != stopped ] || rdisk[$1]=runs
	elif corosync_is_off "$1"; then
		step start "$1" corosync
		corosync[$1]=runs
	elif rdisk_is_off "$1"; then
		step start "$1"
		rdisk[$1]=runs
	elif rdisk_is_stopped "$1"; then
		step cont "$1"
		rdisk[$1]=runs
	fi
}

repair_network() {
	step heal
	cuts=0
}

host_is_broken() {
	! rdisk_runs "$1" || corosync_is_off "$1"
}

repair_one() {
	one_of network host host
	if [ "$cuts" -gt 0 ] && { [ "$chosen" = network ] || ! some_host host_is_broken; }; then
		repair_network
	elif some_host host_is_broken; then
		repair_host "$host"
	fi
}

repair_all() {
	local host

	repair_network
	while some_host host_is_broken; do
		repair_host "$host"
	done
}

# check_running: nothing has ended by itself.
check_running() {
	local host pid

	for host in "${hosts[@]}"; do
		rdisk_is_there "$host" || continue
		read -r pid <"$work/set/$host/rdisk.pid"
		kill -0 "$pid" 2>/dev/null ||
			fail "rdisk on $host has ended by itself, with status $(tail -n 1 "$work/set/$host/rdisk.status"): $(tail -n 1 \
				"$work/set/$host/rdisk.log")"
	done
}
