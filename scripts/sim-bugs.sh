#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Tests the simulator: each deliberate bug of the replication core (deliberate_bug.h) has to be found. Plays the run of
# each that is known to find it (sim/deliberate-bugs.txt) and, if it does not, as the core is another by now, those after
# it; or looks for one from the beginning: among runs of the scenario that fits, if one does, then among random ones. A
# run finds a bug if it fails with it, in the way that is expected, and passes without it. Random runs are of three
# minutes here, with as many faults as others: most bugs are found so in a quarter of the time.
# Prints a line for each bug; exit status 1 if one is not found.
#
# usage: sim-bugs.sh [--search] [--seed S] [--bound N] [BUG...]
#   --search   looks for runs from the beginning
#   --seed S   the first seed that is looked at (1)
#   --bound N  runs of its scenario for each bug, and as many random ones (400)
#   BUG        only these

set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

search='' seed=1 bound=400 status=0
while [ $# -gt 0 ]; do
	case $1 in
	--search) search=1; shift ;;
	--seed) need_value "$@"; seed=$2; shift 2 ;;
	--bound) need_value "$@"; bound=$2; shift 2 ;;
	--help) sed -n '/^# usage:/,/^$/ s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; exit 0 ;;
	-*) die "unknown option $1 (--help)" ;;
	*) break ;;
	esac
done
wanted=("$@")
cd "$rdisk_root"
require_programs cmake ninja
output=$({ cmake --preset release && cmake --build --preset release --target rdisk-sim-bugs; } 2>&1) ||
	{ printf '%s\n' "$output" >&2; die "the simulator does not build"; }
program=build/release/bin/rdisk-sim-bugs
dense=(--minutes 3 --requests 1500)

# The first of the runs that fails: "SEED WHAT FAILED"; nothing if none does.
first_failure() { # ARGUMENT...
	"$program" --shorten 0 --until-failure "$@" 2>/dev/null | sed -n 's/^seed \([0-9]*\) FAILED /\1 /p' | sort -n | head -n 1
}

# Whether a failure is one of this kind.
is_kind() { # KIND WHAT
	local stuck='after [0-9]+ s without faults|does not come to an end'

	case $1 in
	stuck) [[ $2 =~ $stuck ]] ;;
	wrong) ! [[ $2 =~ $stuck ]] ;;
	*) die "sim/deliberate-bugs.txt: $1 is no kind" ;;
	esac
}

# One of some runs that finds a bug: sets found, its seed, and failure.
find_bug() { # BUG KIND FIRST COUNT ARGUMENT...
	local bug=$1 kind=$2 next=$3 end=$(($3 + $4))

	shift 4
	found=
	while [ "$next" -lt "$end" ]; do
		# nothing to read: none of them failed
		read -r found failure <<<"$(first_failure --bug "$bug" --seed "$next" --seeds $((end - next)) "$@")" || true
		[ -n "$found" ] || return 1
		if is_kind "$kind" "$failure" && "$program" --shorten 0 --seed "$found" "$@" >/dev/null 2>&1; then
			return 0
		fi
		next=$((found + 1))
	done
	return 1
}

# Prints by which run it is found.
found_bug() { # BUG RUNS FIRST
	printf '%-25s %s, run %d, seed %d: %s\n' "$1" "$2" "$((found - $3 + 1))" "$found" "$failure"
}

test_bug() { # BUG SCENARIO KNOWN KIND
	local bug=$1 scenario=$2 first=$3 kind=$4

	[ -z "$search" ] || first=$seed
	if [ "$scenario" != - ] && find_bug "$bug" "$kind" "$first" "$bound" --scenario "$scenario"; then
		found_bug "$bug" "$scenario" "$first"
	elif { [ "$scenario" = - ] || [ -n "$search" ]; } && find_bug "$bug" "$kind" "$first" "$bound" "${dense[@]}"; then
		found_bug "$bug" random "$first"
	else
		printf '%-25s NOT FOUND\n' "$bug"
		status=1
	fi
}

# All that the core has must be in the table.
diff <("$program" --bug list | sort) <(sed -n 's/^\([a-z][a-z-]*\) .*/\1/p' sim/deliberate-bugs.txt | sort) >&2 ||
	die "sim/deliberate-bugs.txt does not have the core's deliberate bugs"
while read -r bug scenario known kind; do
	[[ $bug != "#"* ]] || continue
	if [ ${#wanted[@]} -eq 0 ] || [[ " ${wanted[*]} " = *" $bug "* ]]; then
		test_bug "$bug" "$scenario" "$known" "$kind"
	fi
done <sim/deliberate-bugs.txt
exit "$status"
