#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# As many large requests under way as a guest's write-back has, 128 of 1 MiB each, at each host: they are more than any queue
# between members holds. All of them come to their end, and nobody's session ends over it, nor is anybody removed. And while
# they are under way, from another host than the primary's, the primary hands over.

. "$(dirname "$0")/functions.sh"

depth=128 count=400

# make_trace KIND: of requests of 1 MiB, one behind the other.
make_trace() {
	for ((i = 0; i < count; i++)); do
		echo "0.0;$((i * 2048));2048;$1;0.0"
	done >"$work/$1.load"
}

# replay HOST KIND [ARGUMENT...]
replay() {
	note "$1: $2"
	cluster exec "$1" -- "$bin/rdisk-replay" --quiet -d 0 -e 3 --speed max --depth "$depth" --overlap free --writes real \
		"${@:3}" "$work/$2.load" >"$work/replay.out" 2>&1 || fail "$(cat "$work/replay.out")"
}

# ended_sessions: how often a session was ended because its queue was full.
ended_sessions() {
	sed -n "/than its queue holds/p" "$work"/set/?/rdisk.log
}

make_trace W
make_trace R
up 3 --shared --group beacons --no-power-log --size "${count}M" --set lease_ms=4000 --set replica_timeout_ms=20000
epoch=$(field .epoch)
for host in A B C; do
	replay "$host" W --verify
	replay "$host" R
done
expect_field .epoch "$epoch"
[ -z "$(ended_sessions)" ] || fail "$(ended_sessions)"

note "the primary hands over under them"
for kind in W R; do
	replay B "$kind" &
	writer=$!
	cluster exec A -- rdiskctl -c "$work/set/A/rdisk.cfg" promote c
	cluster exec A -- rdiskctl -c "$work/set/A/rdisk.cfg" promote a
	wait "$writer" || fail "the requests of B do not end well"
done
cluster wait in-sync
[ -z "$(ended_sessions)" ] || fail "$(ended_sessions)"
