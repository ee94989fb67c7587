#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The simulator's part of the tests: new seeds, each scenario with some of them, and with random faults beside it, always
# the same seeds, unless it is played alone, every schedule that ever failed (sim/kept), and the deliberate bugs that have to be found. Says with
# which seed it began, and, at its end again, what failed, how to play it again and the shortened schedule; exit status 1
# if anything did.
#
# usage: sim-all.sh [--seed S] [--seeds N]
#   --seed S   the first of the new seeds (from the clock: others each time)
#   --seeds N  how many of them (200); of each scenario a tenth, and as many of those with faults

set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

seed=$(date +%s) seeds=200 status=0
while [ $# -gt 0 ]; do
	case $1 in
	--seed) need_value "$@"; seed=$2; shift 2 ;;
	--seeds) need_value "$@"; seeds=$2; shift 2 ;;
	--help) sed -n '/^# usage:/,/^$/ s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; exit 0 ;;
	*) die "unknown option $1 (--help)" ;;
	esac
done

failures=$(mktemp)
trap 'rm -f "$failures" "$failures.one"' EXIT

play() {
	say "$*"
	"$rdisk_root/scripts/sim.sh" "$@" | tee "$failures.one" || { status=1; cat "$failures.one" >>"$failures"; }
}

say "seeds from $seed on: sim-all.sh --seed $seed --seeds $seeds plays the same again"

play --seeds "$seeds" --seed "$seed"
for file in "$rdisk_root"/sim/scenarios/*.txt; do
	play --scenario "$(basename "$file" .txt)" --seeds "$(((seeds + 9) / 10))" --seed "$seed"
	grep -qx alone "$file" || play --scenario "$(basename "$file" .txt)" --faults 12 --seeds "$(((seeds + 9) / 10))" --seed 1
done
for file in "$rdisk_root"/sim/kept/*.txt; do
	[ ! -e "$file" ] || play --script "$file"
done
say "deliberate bugs"
"$rdisk_root/scripts/sim-bugs.sh" | tee "$failures.one" || { status=1; grep 'NOT FOUND' "$failures.one" >>"$failures" || true; }
if [ "$status" -ne 0 ]; then
	say "failed, with seeds from $seed on:"
	cat "$failures"
fi
exit "$status"
