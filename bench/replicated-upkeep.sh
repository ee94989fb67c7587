# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# The second half of the part `replicated` of scripts/bench.sh: what a set costs beside answering its clients. Bytes on
# the wire of a resync and of a full copy, clients meanwhile, writes of the state, a member that is away, an idle set.
# Sets of their own, on tmpfs but for the writes of the state. bench/replicated.sh has what is used here.
# shellcheck disable=SC2154 # of scripts/bench.sh, run-functions.sh and replicated.sh

# received HOST: bytes that came over its link so far, as its kernel counts them: with all heads, and what Corosync says.
received() {
	on "$1" ip -j -s link show dev eth0 | jq '.[0].stats64.rx.bytes'
}

# status_of HOST: 4 says that not all are there.
status_of() {
	on "$1" rdiskctl --json status || [ $? -eq 4 ]
}

# of_member HOST-THAT-TELLS NAME FILTER: of what its status says of a member.
of_member() {
	status_of "$1" | jq --arg name "$2" ".members[] | select(.name == \$name) | $3"
}

# new_set FOLDER OPTION...: in place of the last one; a primary serves on A.
new_set() {
	end_set
	replicated_set=$1
	cluster up 3 --no-power-log --set "lease_ms=$lease_ms" --while $$ "${@:2}" >&2
	make_primary a
}

# random_writes COUNT: 4 KiB each, by a client on A.
random_writes() {
	one A --count "$1" --in-flight 16 write >/dev/null
}

# The blocks that C lacks are counted by the primary, so that those that were written twice count once.
resync_bytes() {
	local before lacks

	new_set "$work/set" --size 10G
	cluster kill C >&2
	random_writes $((25600 * 10 / 11 / replicated_divisor)) # and a tenth more to warm up
	lacks=$(of_member A c .out_of_sync_bytes)
	before=$(received C)
	cluster start C >&2
	cluster wait --timeout 300 in-sync >&2
	print rep-resync-bytes rdisk 1 $(($(received C) - before))
	print rep-resync-bytes changed 1 "$lacks"
}

# While C is given what it missed, as fast as may be by default.
resync_beside() {
	local round before during left

	cluster kill C >&2
	one A --size 1048576 --in-flight 4 --sequential --count $((2000 / replicated_divisor)) write >/dev/null
	cluster start C >&2
	cluster wait --timeout 60 C=resyncing >&2
	during=$(one A --count $((5000 / replicated_divisor)) --in-flight 16 write | value per_s 1)
	left=$(of_member A c .out_of_sync_bytes)
	cluster wait --timeout 300 in-sync >&2
	before=$(one A --count $((20000 / replicated_divisor)) --in-flight 16 write | value per_s 1)
	if [ "$left" = 0 ] || [ "$left" = null ]; then
		skip rep-resync-beside "the resync was over before the client was"
		return
	fi
	print rep-resync-beside rdisk 1 "$during"
	print rep-resync-beside alone 1 "$before"
}

degraded() {
	local round

	for ((round = 1; round <= replicated_rounds; round++)); do
		print rep-degraded all "$round" "$(one A --count $((20000 / replicated_divisor)) --in-flight 16 write | value per_s 1)"
		cluster kill C >&2
		cluster wait C=outdated >&2
		print rep-degraded rdisk "$round" "$(one A --count $((20000 / replicated_divisor)) --in-flight 16 write | value per_s 1)"
		cluster start C >&2
		cluster wait --timeout 300 in-sync >&2
	done
}

idle_set() {
	local host pids=() pid round

	for host in A B C; do pids+=("$host=$(<"$replicated_set/$host/rdisk.pid")"); done
	"$bin/rdisk-bench-usage" cpu 1 "$idle_seconds" "${pids[@]}" >"$work/idle.json"
	print rep-idle rdisk 1 "$(jq -s 'map(select(.value)) | map(.value) | max' "$work/idle.json")"
	for host in A B C; do
		pid=$(<"$replicated_set/$host/rdisk.pid")
		"$bin/rdisk-bench-usage" memory 1 "$pid" >>"$work/memory.json"
	done
	print rep-memory rdisk 1 "$(jq -s 'map(.value) | max' "$work/memory.json")"
}

# An image of 10 GiB with 100 MiB of data in pieces of 1 MiB all over it, of which the others have nothing.
full_bytes() {
	local i data=$((100 / (replicated_divisor > 1 ? 10 : 1)))

	end_set
	mkdir -p "$work/full/A"
	truncate -s 10G "$work/full/A/disk.img"
	for ((i = 0; i < data; i++)); do
		head -c 1M /dev/urandom | dd of="$work/full/A/disk.img" bs=1M seek=$((i * 100)) conv=notrunc status=none
	done
	new_set "$work/full" --timeout 600
	print rep-full-bytes rdisk 1 "$(received C)"
	print rep-full-bytes data 1 $((data << 20))
}

# How often the state is written while clients write within what the log holds, images and state on a disk.
state_writes() {
	local disk before count=$((20000 / replicated_divisor))

	disk=$(find_disk)
	if [ -z "$disk" ]; then
		skip rep-state-writes "all directories that were looked at are in memory"
		return
	fi
	leftovers+=("$disk")
	new_set "$disk/set" --size 256M
	one A --span $((64 << 20)) --size 65536 --in-flight 16 --sequential --count 1024 write >/dev/null
	before=$(status_of A | jq .state_writes)
	one A --span $((64 << 20)) --in-flight 16 --count "$count" write >/dev/null
	print rep-state-writes rdisk 1 "$(status_of A | jq --argjson before "$before" --argjson count "$count" '(.state_writes - $before) / $count')"
}

upkeep() {
	resync_bytes
	resync_beside
	degraded
	idle_set
	full_bytes
	state_writes
	end_set
}
