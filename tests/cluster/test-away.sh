#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A member is away while much is written: when it comes back only what has changed travels. One that has lost its image gets all
# that is not empty, one that is told to discard its copy (-U FULL) all that differs. What travels is counted where it arrives, at
# the network card. And a member becomes primary while another one is brought up.

. "$(dirname "$0")/functions.sh"
# shellcheck source=histories.sh
. "$(dirname "$0")/histories.sh"

seed=7 hosts=(A B C) images=(A B C)
mebibyte=$((1 << 20))
written=${RDISK_TEST_AWAY_MIB:-128} # while it is away
before=$((written / 2))             # before that

begin_histories
up 3 --shared --group beacons --no-power-log --size "$((written * 4))M" --set lease_ms=1000 --set compression=off

rdiskctl() {
	cluster exec "$1" -- rdiskctl -c "$work/set/$1/rdisk.cfg" "${@:2}"
}

# write_mebibytes FIRST COUNT: of the disk, each block another; then a flush.
write_mebibytes() {
	start_client A --fill --position $(($1 * mebibyte)) --length $(($2 * mebibyte))
	reap "$nr_clients" 0
}

# arrived HOST: bytes that its card has taken.
arrived() {
	# shellcheck disable=SC2016 # awk expands it
	cluster exec "$1" -- awk '$1 == "eth0:" { print $2 }' /proc/self/net/dev
}

# bring_up HOST LEAST MOST [ARGUMENT...]: rdisk starts there, and so many MiB arrive until it is in sync.
bring_up() {
	local host=$1 from to

	from=$(arrived "$host")
	cluster start "$host" rdisk -- "${@:4}"
	cluster wait --timeout 120 in-sync
	to=$((($(arrived "$host") - from) / mebibyte))
	note "$host: $to MiB arrived; out of sync: $(field '[.members[].out_of_sync_bytes] | add')"
	[ "$to" -ge "$2" ] || fail "$to MiB arrived at $host, and $2 are to be copied"
	[ "$to" -le "$3" ] || fail "$to MiB arrived at $host, and $3 are all that changed"
	check_images
}

# end_well HOST: as systemd would: it leaves nothing that would have to be made good.
end_well() {
	local pid

	read -r pid <"$work/set/$1/rdisk.pid"
	kill -TERM "$pid"
	wait_for_end "$pid" 60 || fail "rdisk on $1 does not end"
}

note "a member is away while $written MiB are written"
write_mebibytes 0 "$before"
end_well C
write_mebibytes "$before" "$written"
missing=$(field '.members[] | select(.name == "c") | .out_of_sync_bytes')
[ "$missing" -ge $((written * mebibyte)) ] || fail "the status says that C lacks $missing bytes, and it lacks $written MiB"
bring_up C "$written" $((written + before / 2))

note "a member's process restarts, and nothing was written: next to nothing travels"
end_well C
bring_up C 0 1

note "a member's process is killed: what was written a short while ago travels, and nothing else"
write_mebibytes "$before" 16
cluster kill C
bring_up C 0 $((before / 2))

note "-U FULL: whatever is in the image, what differs from the others' is copied"
end_well C
dd if=/dev/urandom of="$work/set/C/disk.img" bs=1M seek=7 count=2 conv=notrunc status=none
dd if=/dev/zero of="$work/set/C/disk.img" bs=1M seek=$((before + 5)) count=3 conv=notrunc status=none
dd if=/dev/urandom of="$work/set/C/disk.img" bs=1M seek=$((written * 3)) count=1 conv=notrunc status=none
bring_up C 5 $((before / 2)) -U FULL

note "an empty member: its image and state are gone"
cluster kill B
rm -rf "$work/set/B/disk.img" "$work/set/B/state"
bring_up B $((before + written)) $((before + written + before / 2))

note "another primary while a member is brought up"
cluster kill C
write_mebibytes 0 $((before + written))
cluster start C
resyncing() {
	[[ $(field '.members[] | select(.name == "c") | .state') == @(resyncing|in-sync) ]]
}
await "C is not brought up" resyncing
start_client A --depth 4 --pace 1000000 --length 1048576 --position $((written * 3 * mebibyte))
rdiskctl C promote b
[ "$(field .primary)" = b ] || fail "b is not the primary"
cluster kill A
reap_started() { # its server is gone, not its host: it goes on
	has_answer "$nr_clients" "$1"
}
cluster start A
cluster wait --timeout 120 in-sync
await "the client of A is not answered" reap_started "$(now)"
end_clients
check_images
check_ends
note "$(check_history)"

note "-U FULL of the only one in sync is refused"
cluster down
rm -rf "$work/set"
begin_histories
up 3 --diskless C --group beacons --no-power-log --size 4M --set lease_ms=500
cluster kill B
cluster wait B=outdated
cluster kill A
sums=$(sha256sum "$work/set/A/disk.img" "$work/set/A/state/cluster/"*)
expect 1 start A rdisk -- -U FULL
grep '^rdisk: ' "$work/set/A/rdisk.log" | tail -n 1 | grep 'in sync' >&2 || fail "it is not said why"
[ "$sums" = "$(sha256sum "$work/set/A/disk.img" "$work/set/A/state/cluster/"*)" ] || fail "something was overwritten"
cluster start A
cluster start B
cluster wait in-sync
