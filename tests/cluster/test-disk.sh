#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The disk of one member fails (disk_fault.c): writes, flushes or reads with EIO, a full disk, one that hangs, with state_dir
# on another disk or on the same; of a backup, and of the primary. As long as another copy is in sync no client gets an error or waits for long; the status says that the member
# is not in sync; when its disk is well again it is brought up by itself, and all copies are equal. A disk that is full on all
# members is the writer's error.

. "$(dirname "$0")/functions.sh"
# shellcheck source=histories.sh
. "$(dirname "$0")/histories.sh"

seed=5 hosts=(A B C) images=(A B)
recovery=60 # seconds to be in sync again

begin_histories
up 3 --diskless C --shared --group beacons --no-power-log --size 4M --set lease_ms=500 --set replica_timeout_ms=1000
for host in "${images[@]}"; do
	: >"$work/set/$host/disk-fault"
	cluster kill "$host"
	cluster start "$host" rdisk --env "LD_PRELOAD=$tools/libdisk_fault.so" --env "RDISK_DISK=$work/set/$host/disk.img" \
		--env "RDISK_DISK_FAULT=$work/set/$host/disk-fault" --env "RDISK_DISK_STATE=$work/set/$host/state"
done
cluster wait in-sync

rdiskctl() {
	cluster exec "$1" -- rdiskctl -c "$work/set/$1/rdisk.cfg" "${@:2}"
}

# no_errors: no request of a client has failed.
no_errors() {
	local line

	! line=$(awk '$2 == "begin" && $5 != "close" { asked[$4] = $0 }
		$2 == "end" && $5 < 0 && asked[$4] { print asked[$4] " -> " $5; found = 1; exit }
		END { exit !found }' "$work/set/history/"*[0-9]) || fail "a client has met an error: $line"
}

# goes_on SINCE: all clients are answered.
goes_on() {
	local number

	for number in "${!client_pid[@]}"; do
		has_answer "$number" "$1" || return 1
	done
}

# disk HOST WORD: how it is from now on.
disk() {
	note "disk of $1: ${2:-well}"
	printf '%s\n' "$2" >"$work/set/$1/disk-fault"
}

# begin PRIMARY: it serves, and clients of all hosts ask.
begin() {
	local host

	[ "$(field .primary)" = "${1,,}" ] || rdiskctl C promote "${1,,}"
	for host in "${hosts[@]}"; do
		start_client "$host" --depth 4 --pace 2000000 --length 262144
	done
	await "no client is answered" goes_on "$(now)"
}

# fail_and_recover HOST WORD STATE...: in one of these states it is then.
is_in_state() {
	local state name=${1,,}

	state=$(field ".members[] | select(.name == \"$name\") | .state")
	[[ " ${*:2} " == *" $state "* ]]
}

fail_and_recover() {
	disk "$1" "$2"
	await "the status does not tell of $1's disk" is_in_state "$1" outdated unknown resyncing
	await "clients wait for $1's disk" goes_on "$(now)"
	disk "$1" ''
	cluster wait --timeout "$recovery" in-sync
	await "clients are not answered after $1's disk is well again" goes_on "$(now)"
}

end() {
	end_clients
	no_errors
	sweep_all 262144
	check_images
	check_ends
	note "$(check_history)"
}

for primary in B A; do
	for word in write-error flush-error full hang hang-all; do
		note "$word on A while $primary is primary"
		begin "$primary"
		fail_and_recover A "$word"
		end
	done
done
grep -q 'rdisk: [^ ]* error: ' "$work/set/A/rdisk.log" || fail "A's log says nothing of its disk"

note "reads fail on the primary"
begin A
disk A read-error
await "clients wait for the primary's disk" goes_on "$(now)"
# And go on.
await "clients wait for the primary's disk" goes_on "$(now)"
disk A ''
cluster wait --timeout "$recovery" in-sync
end

note "the disks of all are full"
begin A
disk A full
disk B full
met_error() {
	awk '$2 == "end" && $5 < 0 { found = 1 } END { exit !found }' "$work/set/history/$nr_clients"
}
await "nobody is told that the disks are full" met_error
disk A ''
disk B ''
cluster wait --timeout "$recovery" in-sync
await "clients are not answered after there is room again" goes_on "$(now)"
end_clients
sweep_all 262144
check_images
check_ends
note "$(check_history)"
