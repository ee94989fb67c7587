#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Members that come and go: a backup whose network goes as soon as it is being brought up, again and again, and primaries of which
# each loses its network as soon as it serves; a member that is made primary, ends or is killed while it or another one is brought
# up; and corosync killed on two hosts, and on all, while a primary is killed. Clients of those that can go on are answered, none
# meets an error, and in the end all copies are equal and the histories right.

. "$(dirname "$0")/functions.sh"
# shellcheck source=histories.sh
. "$(dirname "$0")/histories.sh"

seed=13 hosts=(A B C) images=(A B C)
begin_histories
group=(--group beacons)
if command -v corosync >/dev/null && ldd "$bin/rdisk" | grep -q libcpg; then
	group=(--group corosync)
else
	note "without corosync, which is not here"
fi
up 3 --shared "${group[@]}" --no-power-log --size 64M --set lease_ms=500
for host in "${hosts[@]}"; do
	start_client "$host" --depth 4 --pace 4000000 --length 262144
done
# What is to be copied to one that comes back: a part of the disk that the clients leave alone.
fill() {
	start_client "$1" --fill --position $((1 << 20)) --length $((48 << 20))
	reap "$nr_clients" 0
}

rdiskctl() {
	cluster exec "$1" -- rdiskctl -c "$work/set/$1/rdisk.cfg" "${@:2}"
}

# goes_on SINCE HOST...: its client is answered.
goes_on() {
	local host

	for host in "${@:2}"; do
		has_answer "$(($(printf '%d' "'$host") - 64))" "$1" || return 1
	done
}

# state HOST WORD...: it is in one of these states.
state() {
	local name=${1,,} word

	word=$(field ".members[] | select(.name == \"$name\") | .state")
	[[ " ${*:2} " == *" $word "* ]]
}

# primary_is_not HOST: another serves.
primary_is_not() {
	local name

	name=$(field 'if .serving then .primary // "" else "" end')
	[ -n "$name" ] && [ "$name" != "${1,,}" ]
}

# move_primary HOST
move_primary() {
	[ "$(field .primary)" = "${1,,}" ] || rdiskctl "$1" promote "${1,,}"
}

await "clients are not answered" goes_on "$(now)" A B C

note "a backup flaps: it is cut off when it is being brought up, and comes back when it is missed"
move_primary A
cluster cut C
await "C is not missed" state C outdated
fill A
for ((count = 0; count < 4; count++)); do
	cluster heal
	await "C is not brought up" state C resyncing in-sync
	cluster cut C
	await "C is not missed" state C outdated
	await "the others wait for C" goes_on "$(now)" A B
done
cluster heal
cluster wait in-sync
await "clients are not answered" goes_on "$(now)" A B C

note "primaries flap: each is cut off when it serves"
for ((count = 0; count < 2; count++)); do
	host=$(field .primary)
	host=${host^^}
	cluster cut "$host"
	await "nobody takes the place of $host" primary_is_not "$host"
	cluster heal
	await "clients are not answered" goes_on "$(now)" A B C
done
cluster wait in-sync

note "a member is made primary while another one is brought up, and ends and is killed then"
for how in promote term kill; do
	move_primary A
	cluster cut C
	await "C is not missed" state C outdated
	fill A
	cluster heal
	await "C is not brought up" state C resyncing in-sync
	case $how in
	promote) rdiskctl A promote b ;;
	term)
		read -r pid <"$work/set/A/rdisk.pid"
		kill -TERM "$pid"
		wait_for_end "$pid" 60 || fail "rdisk on A does not end"
		;;
	kill) cluster kill A ;;
	esac
	await "nobody takes the place of A" primary_is_not A
	await "clients of B and C are not answered" goes_on "$(now)" B C
	[ "$how" = promote ] || cluster start A
	cluster wait in-sync
	await "clients are not answered" goes_on "$(now)" A B C
done

if [ "${group[1]}" = corosync ]; then
	note "corosync is killed on two hosts, and a primary then; on all, and a primary then"
	for killed in "A B" "A B C"; do
		for host in $killed; do
			cluster kill "$host" corosync
		done
		await "clients are not answered" goes_on "$(now)" A B C
		host=$(field .primary)
		host=${host^^}
		cluster kill "$host"
		await "nobody takes the place of $host" primary_is_not "$host"
		cluster start "$host"
		cluster wait in-sync
		await "clients are not answered" goes_on "$(now)" A B C
		for host in $killed; do
			cluster start "$host" corosync
		done
	done
	await "clients are not answered" goes_on "$(now)" A B C
fi

end_clients
expect_field .generation 1
! line=$(awk '$2 == "begin" && $5 != "close" { asked[$4] = $0 }
	$2 == "end" && $5 < 0 && asked[$4] { print asked[$4] " -> " $5; found = 1; exit }
	END { exit !found }' "$work/set/history/"*[0-9]) || fail "a client has met an error: $line"
sweep_all 262144
check_images
check_ends
note "$(check_history)"
