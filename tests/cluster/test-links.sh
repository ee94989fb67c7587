#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Slow and broken ways between the members: all that they say to each other goes by relays (relay.c), 20 ms later each way, and
# connections are reset again and again for RDISK_SECONDS (10): between two members or all, in the middle of a frame, while a
# member is brought up; and nothing arrives from and at a member, with all connections open. Clients on all hosts write and read
# meanwhile, and are answered; their histories agree with what is promised, and all copies are equal.

. "$(dirname "$0")/functions.sh"
# shellcheck source=histories.sh
. "$(dirname "$0")/histories.sh"

seed=${RDISK_SEED:-$(date +%s)} hosts=(A B C) images=(A B C) pairs=(A-B A-C B-C)
RANDOM=$((seed % 32768))
note "seed $seed"
begin_histories
up 3 --shared --group beacons --no-power-log --size 4M --set lease_ms=500
note "rdiskctl finds the server of the host on which it runs"
[ "$(cluster exec B -- rdiskctl --json status | jq -r .name)" = b ] || fail "rdiskctl on B does not speak to b"

# tell PAIR LINE: to its relay, which has done it.
tell() {
	echo "$2" >&"${in[$1]}"
	await_line "$1" "done"
}

number() {
	echo $(($(printf '%d' "'$1") - 64))
}

# go_by FROM TO: FROM's configuration says that TO is where a relay is. That one connects to it, and not the other way round.
go_by() {
	local from to

	from=$(number "$1") to=$(number "$2")
	sed -i "s/\"10\.77\.0\.$to\"; port = 7300/\"127.0.0.1\"; port = 730$to/" "$work/set/$1/rdisk.cfg"
	sed -i "s/\"10\.77\.0\.$from\"; port = 7300/\"127.0.0.1\"; port = $from/" "$work/set/$2/rdisk.cfg"
	start_program "$1-$2" "$1" "$tools/relay" 127.0.0.1 "730$to" "10.77.0.$to" 7300
	await_line "$1-$2" listening
	tell "$1-$2" "delay 20"
}

for pair in "${pairs[@]}"; do
	go_by "${pair%-*}" "${pair#*-}"
done
for host in "${hosts[@]}"; do
	cluster kill "$host"
done
for host in "${hosts[@]}"; do
	cluster start "$host"
done
cluster wait in-sync
for host in "${hosts[@]}"; do
	start_client "$host" --depth 4 --pace 2000000 --length 262144
done

# goes_on SINCE: all clients are answered.
goes_on() {
	local client

	for client in "${!client_pid[@]}"; do
		has_answer "$client" "$1" || return 1
	done
}

is_away() {
	[ "$(field ".members[] | select(.name == \"$1\") | .state")" != in-sync ]
}

# break_way PAIR: at once, or when some more bytes have come.
break_way() {
	if [ $((RANDOM % 2)) -eq 0 ]; then
		tell "$1" cut
	else
		echo "cut-after $((1 + RANDOM % 20000))" >&"${in[$1]}"
		await_line "$1" "done"
		await_line "$1" cut
	fi
	breaks=$((breaks + 1))
}

await "clients are not answered" goes_on "$(now)"
breaks=0 end=$((SECONDS + ${RDISK_SECONDS:-10}))
while [ "$SECONDS" -lt "$end" ]; do
	case $((RANDOM % 4)) in
	0)
		for pair in "${pairs[@]}"; do
			break_way "$pair"
		done
		;;
	1)
		# In the middle of what the first break has begun.
		pair=${pairs[RANDOM % 3]}
		break_way "$pair"
		break_way "$pair"
		;;
	*) break_way "${pairs[RANDOM % 3]}" ;;
	esac
	await "clients are not answered after ways broke" goes_on "$(now)"
	[ $((RANDOM % 2)) -eq 0 ] || cluster wait in-sync
done

note "nothing arrives from and at C, and no connection ends"
cluster wait in-sync
tell A-C stall
tell B-C stall
await "nobody notices that C is not heard" is_away c
others_go_on() {
	has_answer 1 "$1" && has_answer 2 "$1"
}
await "the clients of A and B are not answered" others_go_on "$(now)"
tell A-C go
tell B-C go
cluster wait in-sync
await "clients are not answered after all arrives again" goes_on "$(now)"

end_clients
expect_field .generation 1
sweep_all 262144
check_images
check_ends
note "$breaks times a way broke; $(check_history)"
