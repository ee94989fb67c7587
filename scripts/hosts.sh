# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# Several hosts on this one, without root: network namespaces with a bridge between them, inside a user namespace in
# which the caller is root. To be sourced after lib.sh, by a script that begins with enter_hosts.
#
#   enter_hosts "$@"   runs the script anew inside; returns only there. All that it starts ends with it, and with the
#                      script outside, also when that is killed.
#   make_hosts N       hosts 1 .. N with the addresses 10.77.0.1 .. N, and /run and /dev/shm that are empty and only
#                      these hosts' (one for all)
#   on_host I COMMAND  runs it on host I, in the place of the calling (sub)shell
#   make_switch, wire_host I, plug_host I, host_mac I
#                      the parts of make_hosts: the bridge; the network of host I, in the namespace /run/hosts/I; host<I>,
#                      the port of the bridge for it; the address of its card. /run has to be private and writable
#
# All share the file systems and the processes of the namespace.

hosts_network=10.77.0

enter_hosts() {
	local status=0

	[ "${RDISK_HOSTS:-}" != inside ] || { unset RDISK_HOSTS; return 0; }
	require_programs unshare nsenter setpriv ip
	unshare --user true 2>/dev/null ||
		die "a user namespace cannot be made here (sysctl kernel.unprivileged_userns_clone, user.max_user_namespaces)"
	# It does not end by SIGTERM itself; --kill-child ends all that is inside when it is killed.
	RDISK_HOSTS=inside setpriv --pdeathsig KILL \
		unshare --user --map-root-user --net --mount --pid --fork --mount-proc --kill-child "$(readlink -f "$0")" "$@" &
	hosts_inside=$!
	trap 'kill -KILL "$hosts_inside"; exit 130' INT
	trap 'kill -KILL "$hosts_inside"; exit 143' TERM
	wait "$hosts_inside" || status=$?
	exit "$status"
}

make_hosts() {
	local host

	mount -t tmpfs -o mode=755 hosts /run
	mount -t tmpfs -o mode=1777 hosts /dev/shm
	make_switch
	for ((host = 1; host <= $1; host++)); do
		wire_host "$host"
		plug_host "$host"
	done
}

make_switch() {
	mkdir /run/hosts
	ip link add name hosts type bridge
	ip link set hosts up
}

wire_host() {
	local space=/run/hosts/$1

	: >"$space"
	unshare --net="$space" true
	ip link add name "host$1" type veth peer name eth0 address "$(host_mac "$1")" netns "$space"
	nsenter --net="$space" ip address add "$hosts_network.$1/24" dev eth0
	nsenter --net="$space" ip link set eth0 up
	nsenter --net="$space" ip link set lo up
}

plug_host() {
	ip link set "host$1" master hosts up
}

host_mac() {
	printf '02:00:0a:4d:00:%02x' "$1"
}

on_host() {
	exec nsenter --net="/run/hosts/$1" "${@:2}"
}
