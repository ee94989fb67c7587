#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What an operator does to a set, by rdiskctl on its hosts, and what events say of it: to begin it with one of several images that all
# have data; to force a primary on one side of a cut, and to discard one of the two copies that went on; a disk that fails; the options
# of rdisk that are for members.

. "$(dirname "$0")/functions.sh"

# rdiskctl HOST ARGUMENT...: its words are in $work/words. Its exit status.
rdiskctl() {
	cluster exec "$1" -- rdiskctl --json "${@:2}" >"$work/words" 2>&1
}

# refused HOST CODE PATTERN ARGUMENT...: with exit status 1 and an object that has the code and such a message.
refused() {
	local status=0

	rdiskctl "$1" "${@:4}" || status=$?
	[ "$status" -eq 1 ] || fail "rdiskctl ${*:4} ended with status $status, not 1: $(cat "$work/words")"
	jq -e --arg code "$2" --arg pattern "$3" 'keys == ["error", "message"] and .error == $code and (.message | test($pattern))' \
		"$work/words" >/dev/null || fail "rdiskctl ${*:4} says: $(cat "$work/words")"
}

# done_by HOST ARGUMENT...
done_by() {
	rdiskctl "$@" || fail "rdiskctl ${*:2} on $1: $(cat "$work/words")"
	[ "$(jq -r .result "$work/words")" = "done" ] || fail "rdiskctl ${*:2} says: $(cat "$work/words")"
}

# blocked HOST PATTERN: its status says that nothing is served, and for want of what.
blocked() {
	local status=0

	rdiskctl "$1" status || status=$?
	[ "$status" -eq 5 ] && jq -e --arg pattern "$2" '.blocked // "" | test($pattern)' "$work/words" >/dev/null
}

# is_ordered HOST NAME: an order to be primary without that member waits there.
is_ordered() {
	show_status "$1" --json
	jq -e --arg name "$2" '.force_without == [$name]' "$work/words" >/dev/null
}

# A waits for votes to be primary without b. For ten seconds after b has answered the order is refused, and given again.
order=
force_is_taken() {
	is_ordered A b && return
	if [ -z "$order" ] || ! kill -0 "$order" 2>/dev/null; then
		cluster exec A -- rdiskctl --json force-primary --dead b --timeout 0 --yes >"$work/order" 2>&1 &
		order=$!
	fi
	return 1
}

# listen HOST: its events go to a file of its own; they are listened to when it returns.
declare -A listener=()
listen() {
	cluster exec "$1" -- rdiskctl --json events >"$work/events-$1" 2>&1 &
	listener[$1]=$!
	await "nothing is heard of the events of $1" listens "$1"
}

# listens HOST: it is connected to the server.
listens() {
	# shellcheck disable=SC2016 # the inner shell expands these
	cluster exec "$1" -- bash -c 'find "/proc/$(pgrep -fx "rdiskctl --json events")/fd" -lname "socket:*" | grep -q .' 2>/dev/null
}

# has_event HOST FILTER: one that is so was told; each line is an object with what all have.
has_event() {
	jq -se "all(.[]; has(\"time\") and has(\"event\") and has(\"epoch\") and has(\"node\")) and any(.[]; $2)" \
		"$work/events-$1" >/dev/null
}

is_image_of() {
	cmp -s "$work/set/$1/disk.img" "$work/$2.img"
}

note "three images with data: the set waits for a choice, and begins with the one that is chosen"
mkdir -p "$work/set"
for host in A B C; do
	mkdir "$work/set/$host"
	head -c 4M /dev/urandom >"$work/$host.img"
	cp "$work/$host.img" "$work/set/$host/disk.img"
done
cluster up 3 --while $$ --group beacons --size 4M --no-power-log --set lease_ms=500 --set replica_timeout_ms=1000 >"$work/up" 2>&1 &
up=$!
await "the set does not wait for a choice" blocked A 'several members have images with data'
refused A bad-request '^init: no member of set cluster is "d"; its members: a \(1\), b \(2\), c \(3\)$' init --from d
refused A refused '^init --from b: .*this is the host of a: on that of b \(10.77.0.2\), give the order rdiskctl init --from b$' init --from b
is_image_of A A || fail "an order to another member has overwritten an image"
blocked A 'several members have images with data' || fail "an order that was refused is kept"
done_by B init --from b
wait "$up" || fail "up: $(cat "$work/up")"
read -r holder _ <"$work/set/holder"
space=$(readlink "/proc/$holder/ns/user")
for host in A B C; do
	is_image_of "$host" B || fail "$host has another image than B had"
done
refused A refused '^init --from b: set cluster has begun already' init --from b

note "a forced primary on one side of a cut: both sides hear of the split, and one copy is discarded"
for host in A B C; do
	listen "$host"
done
done_by A promote b
cluster cut A
await "A does not notice the cut" blocked A '2 of a, b, c must be seen'
cluster wait A=outdated
refused A bad-request 'a is the member that gets this order' force-primary --dead a --yes
done_by A force-primary --dead b,c --yes
await "A does not tell that it serves" has_event A '.event == "primary" and .node == 1'
has_event A '.event == "quorum"' || fail "A does not tell that no majority was seen"
cluster heal
for host in A B C; do
	await "$host does not tell of the split" has_event "$host" '.event == "split" and .state == "excluded" and (.text | test("invalidate"))'
done
refused A refused '^invalidate b: .*this is the host of a' invalidate b --yes
done_by A invalidate a --yes
cluster wait in-sync
expect_field '.primary, .generation' $'b\n1'
await "B does not tell that a is brought up" has_event B '.event == "resync" and .node == 1 and .state == "in-sync"'
await "A does not tell that it is brought up itself" has_event A '.event == "resync" and .node == 1 and .text == "bringing up is done"'
await "C does not tell that a is in sync" has_event C '.event == "member" and .node == 1 and .state == "in-sync"'
done_by A promote a
for host in A B C; do
	await "$host does not tell who serves" has_event "$host" '.event == "primary" and .node == 1 and .role == "primary" and .epoch > 5'
	for event in epoch member; do
		await "$host tells no $event" has_event "$host" ".event == \"$event\""
	done
done
done_by A promote b
refused A not-now '^invalidate a: a has seen no member that went on without it' invalidate a --yes

note "only the network between a backup and the primary is cut: nothing is to be started or forced"
cluster cut A B
await "A does not tell what is cut" blocked A 'connection between a and b is down; b is there, and seen by c: mend the network'
cluster wait A=outdated
show_status A
grep -q '^- the connection between a and b is down, and no more than that: b is there, and seen by c' "$work/words" ||
	fail "rdiskctl status says: $(cat "$work/words")"
! grep -q 'Start rdisk there\|rdiskctl force-primary' "$work/words" || fail "rdiskctl status advises: $(cat "$work/words")"
refused A not-now '^force-primary: b is not dead: it is connected to c' force-primary --dead b --yes
cluster heal
cluster wait in-sync

note "an order that waits is withdrawn as soon as who is taken for dead is seen, by another one too"
cluster cut A
await "A does not notice the cut" blocked A '2 of a, b, c must be seen'
await "the order is not taken" force_is_taken
cluster heal C
code=0
wait "$order" || code=$?
[ "$code" -eq 1 ] || fail "the order ended with status $code: $(cat "$work/order")"
jq -e '.error == "not-now" and (.message | test("^force-primary: b is not dead: it is connected to c.*the order is withdrawn"))' \
	"$work/order" >/dev/null || fail "who gave the order is told: $(cat "$work/order")"
! is_ordered A b || fail "the order stands"
cluster heal
cluster wait in-sync
expect_field '.primary, .generation' $'b\n1'

note "a disk that fails is told of where it is"
cluster kill C
: >"$work/set/C/disk-fault"
cluster start C rdisk --env "LD_PRELOAD=$tools/libdisk_fault.so" --env "RDISK_DISK=$work/set/C/disk.img" \
	--env "RDISK_DISK_FAULT=$work/set/C/disk-fault" --env "RDISK_DISK_STATE=$work/set/C/state" -- -Z -D -R
cluster wait in-sync
# It ended with its server.
code=0
wait "${listener[C]}" || code=$?
[ "$code" -eq 3 ] || fail "rdiskctl events ended with status $code when its server was killed"
rm "$work/events-C"
listen C
echo write-error >"$work/set/C/disk-fault"
printf 'fio version 2 iolog\n/dev/disk add\n/dev/disk open\n/dev/disk write 0 65536\n/dev/disk datasync 0 0\n/dev/disk close\n' >"$work/trace"
cluster exec A -- rdisk-replay -d 0 -e 3 --minor 0 --depth 1 --writes real "$work/trace" >"$work/replay" 2>&1 ||
	fail "the disk cannot be written: $(cat "$work/replay")"
await "C does not tell that its disk fails" has_event C '.event == "disk-error" and .node == 3'
: >"$work/set/C/disk-fault"
cluster wait in-sync

note "options that are for members of a set, where there is none"
cluster down
up 1 --unreplicated --size 4M --no-power-log
cluster kill A
# refuses_to_start PATTERN ARGUMENT...
refuses_to_start() {
	expect 1 start A rdisk -- "${@:2}"
	tail -n 1 "$work/set/A/rdisk.log" | grep -q -- "$1.*rdisk.cfg has no group replication" || fail "it says: $(tail -n 1 "$work/set/A/rdisk.log")"
	[ "$(tail -n 1 "$work/set/A/rdisk.status")" = 1 ] || fail "it ended with status $(tail -n 1 "$work/set/A/rdisk.status"), not 1"
}
refuses_to_start '-R demands replication' -R
refuses_to_start '-U FULL takes a copy' -U FULL
refuses_to_start '--node NAME names a member' --node a
cluster start A rdisk -- -D -Z -U DIFF
expect_field '.hosts[0].rdisk' running
