# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# The part `replicated` of scripts/bench.sh, which sources it: a set of three hosts (scripts/cluster.sh), its images on
# tmpfs and TLS on; beside it, on the same hosts and in the same rounds, the least that replication can cost
# (rdisk-bench-floor), a TCP round trip of two processes that sleep, and writes to two NBD servers with TLS. A client on
# the primary's host unless it says "far".
# shellcheck disable=SC2154 # of scripts/bench.sh and run-functions.sh

replicated_set='' # its folder, which is what of $work these hosts see
others=''         # a folder in it for all else that is measured
lease_ms=300 fail_over_seconds=6
floor_clear_port=7650 floor_tls_port=7651 nbd_port=7652

cluster() {
	RDISK_BIN=$bin "$rdisk_root/scripts/cluster.sh" --dir "$replicated_set" "$@"
}

# Also called when the script ends.
end_set() {
	[ -z "$replicated_set" ] || cluster down >&2 || say "the set does not go down"
	replicated_set=''
}

# on HOST PROGRAM...: its output.
on() {
	cluster exec "$1" -- "${@:2}"
}

# serve HOST WORD PROGRAM...: it runs on the host until the part ends; returns when WORD is in a line of its output.
serve() {
	start "$2" env "RDISK_BIN=$bin" "$rdisk_root/scripts/cluster.sh" --dir "$replicated_set" exec "$1" -- "${@:3}"
	drain
}

# value FIGURE FACTOR: of a line of JSON on stdin.
value() {
	jq --arg figure "$1" --argjson factor "$2" '.[$figure] * $factor'
}

# print ROW SIDE ROUND VALUE
print() {
	printf '{"row": "%s", "side": "%s", "round": %d, "value": %s}\n' "$@" >>"$results"
}

floor() {
	on A "$bin/rdisk-bench-floor" write "$@"
}

# one HOST OPTION...: a client of the set.
one() {
	on "$1" "$bin/rdisk-bench-one" "${@:2}"
}

make_primary() {
	[ "$(cluster status --json | jq -r .primary)" = "$1" ] || on A rdiskctl promote "$1" >&2
}

# beside_load COMMAND...: while two processes do nothing but compute.
beside_load() {
	local loads=()

	while [ ${#loads[@]} -lt 2 ]; do
		"${child[@]}" sh -c 'while :; do :; done' &
		loads+=($!)
	done
	running+=("${loads[@]}")
	"$@"
	kill "${loads[@]}"
	wait "${loads[@]}" 2>/dev/null || true # they were killed
	unset "running[-1]" "running[-1]"
}

has_nbd() {
	command -v nbdkit >/dev/null && [ -x "$bin/rdisk-bench-pair" ]
}

pair() {
	on A "$bin/rdisk-bench-pair" "$@" \
		"nbds://bench@10.77.0.2:$nbd_port/?tls-psk-file=$others/psk" "nbds://bench@10.77.0.3:$nbd_port/?tls-psk-file=$others/psk"
}

start_replicated() {
	local host key

	replicated_set=$work/set
	cluster up 3 --size "${size}M" --no-power-log --set lease_ms=$lease_ms --while $$ >&2
	others=$replicated_set/others
	mkdir "$others"
	make_primary a
	head -c 32 /dev/urandom >"$others/floor.key"
	key=$(od -An -v -tx1 <"$others/floor.key" | tr -d ' \n')
	printf 'bench:%s\n' "$key" >"$others/psk"
	chmod 600 "$others/floor.key" "$others/psk"
	for host in B C; do
		serve $host "listening on port" "$bin/rdisk-bench-floor" serve --port $floor_clear_port "$others/floor-clear-$host"
		serve $host "listening on port" "$bin/rdisk-bench-floor" serve --port $floor_tls_port --key "$others/floor.key" \
			"$others/floor-tls-$host"
		if has_nbd; then
			truncate -s "${size}M" "$others/nbd-$host.img"
			# shellcheck disable=SC2016 # for the shell there
			serve $host ready sh -c 'nbdkit --foreground --port "$1" --tls require --tls-psk "$2" file "$3" & echo ready; wait' \
				sh $nbd_port "$others/psk" "$others/nbd-$host.img"
		fi
	done
	start_server "$(device bench alone.img "${size}M")"
}

# Every other round the other way round, so that a drift favours nobody.
turned() {
	if (($1 % 2)); then printf '%s\n' "${@:2}"; else printf '%s\n' "${@:2}" | tac; fi
}

# Each measures one side of one or more rows in one round.
write_1_rdisk() { print rep-write-1 rdisk "$1" "$(one A --count "$few" write | value p50_us 1e-6)"; }
write_1_far() { print rep-write-1-far rdisk "$1" "$(one B --count "$few" write | value p50_us 1e-6)"; }
# As a client sees it that looks for the answer for as long as libdvk does at first.
floor_write() {
	floor --port $floor_tls_port --key "$others/floor.key" "$@" "$others/floor" 10.77.0.2 10.77.0.3
}
write_1_floor() { print rep-write-1 floor "$1" "$(floor_write --client 200 --count "$few" | value p50_us 1e-6)"; }
write_1_busy() {
	print rep-write-1-busy rdisk "$1" "$(beside_load one A --count $((few / 5)) write | value p50_us 1e-6)"
	print rep-write-1-busy floor "$1" "$(beside_load floor_write --client 200 --count $((few / 5)) | value p50_us 1e-6)"
}
write_1_tcp() {
	local time

	time=$(floor --port $floor_clear_port --sleep --count "$few" "$others/floor" 10.77.0.2 | value p50_us 1e-6)
	print rep-write-1 tcp "$1" "$time"
	print rep-write-1-far tcp "$1" "$time"
}
write_16_rdisk() { print rep-write-16 rdisk "$1" "$(one A --in-flight 16 --count "$many" write | value per_s 1)"; }
write_16_nbd() { print rep-write-16 nbd "$1" "$(pair --in-flight 16 --count "$many" | value per_s 1)"; }
write_1m_rdisk() {
	print rep-write-1m rdisk "$1" \
		"$(one A --size 1048576 --in-flight 4 --sequential --count "$large" write | value mb_per_s 1e6)"
}
write_1m_floor() {
	print rep-write-1m floor "$1" \
		"$(floor_write --size 1048576 --in-flight 4 --count "$large" | value mb_per_s 1e6)"
}
write_1m_nbd() {
	print rep-write-1m nbd "$1" "$(pair --size 1048576 --in-flight 4 --sequential --count "$large" | value mb_per_s 1e6)"
}
read_1_rdisk() { print rep-read-1 rdisk "$1" "$(one A --count $((many * 10)) read | value per_s 1)"; }
read_1_alone() { print rep-read-1 alone "$1" "$("$bin/rdisk-bench-one" --count $((many * 10)) read | value per_s 1)"; }

# longest ROW ROUND COMMAND...: how long a client on another host than the primary's waits at most while that happens to
# the primary.
longest() {
	local line

	start began env "RDISK_BIN=$bin" "$rdisk_root/scripts/cluster.sh" --dir "$replicated_set" exec C -- \
		"$bin/rdisk-bench-one" --count 1000000 --seconds "$fail_over_seconds" write
	"${@:3}"
	IFS= read -r line <&"$output" || die "the client of another host has failed"
	exec {output}<&-
	wait "$pid"
	unset "running[-1]"
	print "$1" rdisk "$2" "$(value longest_us 1e-6 <<<"$line")"
	if [ "$3" = lose_host ]; then cluster heal >&2; else cluster start A >&2; fi
	cluster wait in-sync >&2
	on A rdiskctl promote a >&2
}

kill_rdisk() { cluster kill A >&2; }
lose_host() { cluster cut A >&2; }
end_rdisk() { kill -TERM "$(<"$replicated_set/A/rdisk.pid")"; }

fail_over() {
	longest rep-kill "$1" kill_rdisk
	longest rep-end "$1" end_rdisk
	longest rep-host "$1" lose_host
	# Until Corosync has another membership (scripts/cluster-config.sh: token and consensus), the lease, and 0.2 s.
	print rep-host allowed "$1" "$(jq -n "(1000 + 1200 + $lease_ms) / 1000 + 0.2")"
}

part_replicated() {
	local round side sides=(write_1_rdisk write_1_far write_1_floor write_1_tcp write_1_busy write_16_rdisk write_1m_rdisk write_1m_floor
		read_1_rdisk read_1_alone)
	local few=$((5000 / replicated_divisor)) many=$((20000 / replicated_divisor)) large=$((200 / replicated_divisor))

	require_programs jq
	start_replicated
	if has_nbd; then
		sides+=(write_16_nbd write_1m_nbd)
	else
		skip rep-write-16 "nbdkit or libnbd is not installed"
	fi
	# The log of the set, and its pages, are there.
	one A --count "$many" --in-flight 16 write >/dev/null
	for ((round = 1; round <= replicated_rounds; round++)); do
		for side in $(turned "$round" "${sides[@]}"); do
			"$side" "$round"
		done
	done
	for ((round = 1; round <= (replicated_rounds + 2) / 3; round++)); do
		fail_over "$round"
	done
	stop_all
	upkeep
}
