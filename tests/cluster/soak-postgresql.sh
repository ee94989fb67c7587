#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# PostgreSQL in a guest, on a replicated disk whose primary is killed again and again: what scripts/soak-guest.sh runs, and says
# in its --help, for RDISK_SECONDS (300). What is done in the guest is in soak_postgresql_guest.sh.
#
# usage: soak-postgresql.sh SECONDS SCALE: from one kill to the next; of pgbench

. "$(dirname "$0")/functions.sh"
# shellcheck source=guest_faults.sh
. "$(dirname "$0")/guest_faults.sh"

every=$1 scale=$2 seconds=${RDISK_SECONDS:-300}
programs=$(find /usr/lib/postgresql -path '*/bin/pgbench' -printf '%h\n' 2>/dev/null | sort -V | tail -n 1)
[ -n "$programs" ] || skip "there is no PostgreSQL here (scripts/install-packages.sh soak)"
# The tables, the log of what is written, and as much again for rows that were changed.
up 3 --size "$((256 + 48 * scale))M" --no-power-log

# shellcheck disable=SC2034 # for begin_guest
guest_limit=$((seconds + 1200))
begin_guest A "$(dirname "$0")/soak_postgresql_guest.sh" "$programs" "$scale"
await_limit=600 await_guest "commit 1"
await_guest pgbench
end=$((SECONDS + seconds)) next=$SECONDS
while [ "$SECONDS" -lt "$end" ]; do
	fail_primary kill
	guest_goes_on commit
	next=$((next + every))
	# The load's time, in which nothing fails.
	[ "$next" -le "$SECONDS" ] || sleep $((next - SECONDS))
done
await_limit=600 end_guest

tr -d '\r' <"$work/console" >"$work/words"
sed -n 's/^commit \([0-9]*\)$/\1/p' "$work/words" | sort >"$work/told"
sort "$work/rows" >"$work/there"
lost=$(comm -23 "$work/told" "$work/there" | paste -sd ' ')
[ -z "$lost" ] || fail "commits that were answered are lost: $lost"
note "$(wc -l <"$work/told") commits told, all of $(wc -l <"$work/there") there;" \
	"$(sed -n 's/^pgbench //p' "$work/words" | tail -n 1) transactions of pgbench; $primaries primaries killed"
