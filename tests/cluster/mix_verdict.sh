# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# shellcheck disable=SC2154 # hosts and the other variables are mix.sh's
#
# Whether what a round of faults has left is right; sourced by mix.sh after histories.sh.

# await_progress: a request of each client is answered after all is in sync; of one at least, where they take turns.
await_progress() {
	local number since limit=$((SECONDS + 60)) missing

	since=$(now)
	while :; do
		missing=()
		for number in "${!client_pid[@]}"; do
			has_answer "$number" "$since" || missing+=("$number")
		done
		[ ${#missing[@]} -gt 0 ] || return 0
		[ "$clients" = shared ] || [ ${#missing[@]} -eq ${#client_pid[@]} ] || return 0
		[ "$SECONDS" -lt "$limit" ] || fail "all is in sync, and the clients ${missing[*]} get no answers"
		sleep 0.1
	done
}

# check_generations: none begins unless memory was lost.
check_generations() {
	awk '$2 == "power" { powers++ }
		$2 == "may-lose" { if (!powers) { print "generation " $3 " begins at " $1 ", and no host had lost power"; exit 1 } powers = 0 }
		' "$work/all"
}

# check_turns: of a disk that one client at a time may have open, nobody is answered with an open that another one came after.
check_turns() {
	awk '$2 == "begin" { kind[$4] = $5; owner_then[$4] = owner }
		$2 == "end" && $5 >= 0 {
			if (kind[$4] == "open") owner = $3
			else if (kind[$4] != "close" && owner_then[$4] != $3) {
				print "request " $4 " of open " $3 " was answered at " $1 ", though open " owner_then[$4] " came after it"
				exit 1
			}
		}' "$work/all"
}

# check_words: nobody has met an error.
check_words() {
	local host text

	for host in "${hosts[@]}"; do
		! text=$(grep -m 1 '^rdisk: [^ ]* error: ' "$work/set/$host/rdisk.log") || fail "rdisk on $host says: $text"
	done
}

# verdict ROUND
verdict() {
	local text counts status=0
	# shellcheck disable=SC2034 # check_history reads it
	local undecided=allowed

	check_running
	check_images
	check_ends
	check_words
	counts=$(check_history) || status=$?
	[ "$status" -eq 0 ] || [ "$status" -eq 3 ] || exit 1
	[ "$status" -eq 0 ] || given_up=$((given_up + 1))
	text=$(check_generations) || fail "$text"
	[ "$clients" = shared ] || text=$(check_turns) || fail "$text"
	say "seed $seed, round $1: $counts"
}
