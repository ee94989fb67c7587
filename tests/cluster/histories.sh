# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# shellcheck disable=SC2154 # work and the other variables are those of who sources this
#
# Clients that keep histories, and what is looked at in the end; sourced by tests with a set of scripts/cluster.sh in $work/set.
# They have functions cluster, fail and note, the variables `seed` and `hosts`, and `images`: the hosts with one.

declare -A client_pid=() client_host=() # by their numbers
nr_clients=0

# now: CLOCK_MONOTONIC as histories have it, as far as a shell can tell it: to 10 ms.
now() {
	local up

	read -r up _ </proc/uptime
	printf '%s0000000' "${up/./}"
}

# begin_histories: before the set is made, in a part of its folder that all hosts see.
begin_histories() {
	(umask 077 && mkdir -p "$work/set/history")
}

# start_client HOST ARGUMENT...: of cluster-client. Its number is nr_clients then.
start_client() {
	local host=$1 number=$((nr_clients += 1))

	note "client $number on $host: ${*:2}"
	# shellcheck disable=SC2016 # the inner shell expands these
	cluster exec "$host" -- bash -c 'read -r pid _ </run/outer-proc/self/stat; echo "$pid" >"$0"; exec "$@"' \
		"$work/set/history/$number.pid" cluster-client --history "$work/set/history/$number" \
		--number "$number" --seed "$seed" "${@:2}" >>"$work/clients.log" 2>&1 </dev/null &
	client_pid[$number]=$!
	client_host[$number]=$host
}

# signal_client NUMBER SIGNAL: once it is there.
signal_client() {
	local pid limit=$((SECONDS + 60))

	until [ -s "$work/set/history/$1.pid" ]; do
		kill -0 "${client_pid[$1]}" 2>/dev/null || return 0
		[ "$SECONDS" -lt "$limit" ] || fail "client $1 does not start"
		sleep 0.05
	done
	read -r pid <"$work/set/history/$1.pid"
	kill "-$2" "$pid" 2>/dev/null || true
}

# wait_for_end PID SECONDS
wait_for_end() {
	timeout "$2" tail -s 0.05 --pid="$1" -f /dev/null
}

# reap NUMBER STATUS: it ends, or has ended, with that; "any" for one whose host has ended, perhaps before it began.
reap() {
	local pid=${client_pid[$1]} status=0

	wait_for_end "$pid" 90 || fail "client $1 on ${client_host[$1]} does not end: a request of it is not answered"
	wait "$pid" || status=$?
	[[ $2 == any || $status -eq $2 ]] ||
		fail "client $1 on ${client_host[$1]} ended with status $status, not $2: $(tail -n 1 "$work/clients.log")"
	unset "client_pid[$1]" "client_host[$1]"
}

end_clients() {
	local number

	for number in "${!client_pid[@]}"; do
		signal_client "$number" TERM
	done
	for number in "${!client_pid[@]}"; do
		reap "$number" 0
	done
}

# has_answer NUMBER TIME: a request of the client was answered with success since.
has_answer() {
	tail -n 400 "$work/set/history/$1" 2>/dev/null |
		awk -v since="$2" '$2 == "end" && $5 >= 0 && $1 > since { found = 1 } END { exit !found }'
}

# sweep_all [LENGTH]: all that each host reads of that much of the disk.
sweep_all() {
	local host

	for host in "${hosts[@]}"; do
		start_client "$host" --sweep --length "${1:-1048576}"
		reap "$nr_clients" 0
	done
}

# merge: all histories, with the losses of unflushed writes that new generations stand for, to $work/all.
merge() {
	local file files=()

	for file in "$work/set/history/"*[0-9]; do
		[ -s "$file" ] || continue
		# One that was killed may have left half a line.
		[ -z "$(tail -c 1 "$file")" ] || sed -i '$d' "$file"
		files+=("$file")
	done
	# Each member says when it knows of a generation. The first to know it is the one that may answer in it.
	sed -n 's/^rdisk: \[\([0-9]*\)\.\([0-9]*\)\] info: set [^ ]* generation \([0-9]*\), epoch .*/\1\2 \3/p' \
		"$work/set/"[A-G]/rdisk.log | sort -n -s |
		awk '$2 > 1 && !seen[$2]++ { print $1 " may-lose " $2 " unflushed" }' >"$work/set/history/losses"
	touch "$work/set/history/powers"
	{
		echo "rdisk-history 1"
		sort -n -s -m "${files[@]}" "$work/set/history/losses" "$work/set/history/powers"
	} >"$work/all"
}

# check_history: fails the test unless it agrees with what is promised; prints how much was looked at. Blocks that the checker
# gives up fail it as well, unless `undecided` is "allowed": then it returns 3 where there are some.
check_history() {
	local status=0

	merge
	"$RDISK_BIN/rdisk-check" "$work/all" >"$work/check.log" 2>&1 || status=$?
	[ "$status" -eq 0 ] || [ "$status ${undecided:-}" = "3 allowed" ] ||
		fail "the history is wrong: $(head -n 20 "$work/check.log")"
	tail -n 1 "$work/check.log"
	return "$status"
}

# check_images: they are equal.
check_images() {
	local host difference

	for host in "${images[@]:1}"; do
		difference=$(cmp "$work/set/${images[0]}/disk.img" "$work/set/$host/disk.img" 2>&1) ||
			fail "the images of ${images[0]} and $host differ: $difference"
	done
}

# check_ends: each rdisk that ended was killed or has ended well, and no sanitizer has said anything.
check_ends() {
	local host text

	for host in "${hosts[@]}"; do
		! text=$(grep -vnx '0\|137' "$work/set/$host/rdisk.status" 2>/dev/null) || fail "rdisk on $host ended with status ${text#*:}"
		! text=$(grep -m 1 'ERROR: .*Sanitizer\|runtime error:\|Assertion' "$work/set/$host/rdisk.log") ||
			fail "rdisk on $host says: $text"
	done
}
