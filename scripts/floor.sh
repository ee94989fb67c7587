#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Measures the least that replication can cost on this machine (bench/floor.c): a write of this host to one and to two
# others, in the clear and with TLS. The hosts are network namespaces of an ordinary user, joined by a bridge; the files
# are on tmpfs. All rows are measured in turn in each round; the tables, on stdout, have the medians of the rounds, and
# the least and the greatest value in brackets. Let nothing else run meanwhile; where something must, `chrt -f 1 floor.sh`
# (as root) keeps it away, but the processors then do not fall idle between two writes. About 2 minutes.
#
# usage: floor.sh [OPTION]...
#   --rounds N  9 unless told
#   --busy N    N processes that only compute run meanwhile
#   --quick     one short round, to see that it works
#   --raw FILE  what each measurement printed, with its round, as lines of JSON
# environment: RDISK_BIN  the directory of the programs, instead of building build/release

set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
. "$rdisk_root/scripts/hosts.sh"
rounds=9 busy=0 divisor=1 raw=''
bin=${RDISK_BIN:-$rdisk_root/build/release/bin}
arguments=("$@")

while [ $# -gt 0 ]; do
	case $1 in
	--rounds | --busy)
		[[ ${2:-} =~ ^[0-9]{1,3}$ ]] || die "$1 needs a number from 0 to 999"
		declare "${1#--}=$((10#$2))"
		shift 2
		;;
	--raw) raw=${2:-}; shift $(($# > 1 ? 2 : 1)) ;;
	--quick) rounds=1 divisor=50; shift ;;
	--help) sed -n '/^# usage:/,/^$/ s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; exit 0 ;;
	*) die "unknown option $1 (--help)" ;;
	esac
done
[ "$rounds" -gt 0 ] || die "--rounds needs a number from 1 to 999"
if [ -z "${RDISK_HOSTS:-}" ]; then
	require_programs jq
	if [ -z "${RDISK_BIN:-}" ]; then
		(cd "$rdisk_root" && cmake --preset release && cmake --build --preset release --target rdisk-bench-floor) >&2
	fi
	[ -x "$bin/rdisk-bench-floor" ] || die "there is no $bin/rdisk-bench-floor"
fi
enter_hosts "${arguments[@]}"

# What the rows are: name, peers, TLS or clear, and how writer and peers wait.
rows=(
	"in the clear, one peer, all sleep|1|clear|--sleep"
	"TLS, one peer, all sleep|1|tls|--sleep"
	"TLS, one peer, the writer polls, the peer sleeps|1|tls|"
	"TLS, two peers, all sleep|2|tls|--sleep"
	"TLS, two peers, the writer polls, the peers sleep|2|tls|"
	"the same, peers spin 200 us before they sleep|2|tls|--spin 200"
	"in the clear, two peers, the writer polls, the peers sleep|2|clear|"
)
# What each is measured with: size, in flight, how many.
loads=("4096|1|5000" "131072|1|1000" "1048576|1|200" "4096|16|20000" "1048576|4|200")
work=/dev/shm/floor
results=$work/results
clear_port=7650 tls_port=7651

# start_peer HOST OPTION...: returns when it listens. It ends with this script.
start_peer() {
	local peer line

	exec {peer}< <(on_host "$1" "$bin/rdisk-bench-floor" serve "${@:2}" 2>&1 >/dev/null)
	if ! read -r line <&"$peer" || [[ $line != *": listening on port "* ]]; then
		die "host $1: the peer did not start: $line"
	fi
	cat <&"$peer" >&2 &
}

# measure ROUND ROW LOAD: a line of JSON.
measure() {
	local name peers mode wait size flight count addresses options=()

	IFS='|' read -r name peers mode wait <<<"${rows[$2]}"
	IFS='|' read -r size flight count <<<"${loads[$3]}"
	read -r -a options <<<"$wait"
	if [ "$mode" = tls ]; then options+=(--port "$tls_port" --key "$work/key"); else options+=(--port "$clear_port"); fi
	options+=(--size "$size" --in-flight "$flight" --count $((count / divisor)))
	mapfile -t addresses < <(seq -f "$hosts_network.%g" 2 $((peers + 1)))
	(on_host 1 "$bin/rdisk-bench-floor" write "${options[@]}" "$work/1" "${addresses[@]}") |
		jq -c --argjson round "$1" --argjson row "$2" --argjson load "$3" --arg name "$name" \
			'{round: $round, row: $row, load: $load, name: $name} + .' >>"$results"
}

# table HEADING FIGURE:LOAD:DIGITS...: the medians of a figure for each row, in columns.
table() {
	local row column name figure load digits line

	echo "$1"
	for row in "${!rows[@]}"; do
		IFS='|' read -r name _ <<<"${rows[$row]}"
		line="| $name |"
		for column in "${@:2}"; do
			IFS=: read -r figure load digits <<<"$column"
			line+=$(jq -rs --argjson row "$row" --argjson load "$load" --arg figure "$figure" --argjson digits "$digits" '
				def text: . * pow(10; $digits) | round / pow(10; $digits) | tostring;
				map(select(.row == $row and .load == $load) | .[$figure]) | sort |
				" " + (.[(length / 2 | floor)] | text) + " (" + (.[0] | text) + " to " + (.[-1] | text) + ") |"' "$results")
		done
		echo "$line"
	done
	echo
}

make_hosts 3
mkdir "$work"
head -c 32 /dev/urandom >"$work/key"
for host in 2 3; do
	start_peer "$host" --port "$clear_port" "$work/$host-clear"
	start_peer "$host" --port "$tls_port" --key "$work/key" "$work/$host-tls"
done
for ((i = 0; i < busy; i++)); do
	(while :; do :; done) &
done
read -r average _ </proc/loadavg
say "load of this machine before: $average"
for ((round = 1; round <= rounds; round++)); do
	for load in "${!loads[@]}"; do
		for row in "${!rows[@]}"; do
			measure "$round" "$row" "$load"
		done
	done
done
[ -z "$raw" ] || cp "$results" "$raw"
table "One write in flight, p50 in microseconds:

| | 4 KiB | 4 KiB, p99 | 128 KiB | 1 MiB |
|---|---|---|---|---|" p50_us:0:1 p99_us:0:0 p50_us:1:0 p50_us:2:0
table "Several in flight:

| | 4 KiB, 16 in flight: writes a second | 1 MiB, 4 in flight: MB a second |
|---|---|---|" writes_per_s:3:0 mb_per_s:4:0
