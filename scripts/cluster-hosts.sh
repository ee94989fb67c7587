# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# shellcheck disable=SC2154 # dir and the other variables are cluster.sh's
#
# The hosts of a set of scripts/cluster.sh, which sources this after hosts.sh: the namespaces that they are made of. What runs
# on a host is cluster-services.sh's business.
#
#   outside      where the user is. holder_pid says the process that holds the set
#   in the set   the holder is process 1 of a user, mount, network and pid namespace: the bridge, and every process of every
#                host. All of it ends with the holder
#   on a host    an init is process 1 of a mount, pid, uts and ipc namespace of each host, in that host's network
#                namespace. /run and /dev/shm are the host's own. When the init ends, all processes of the host end at once
#
# /run of the set has, besides what hosts.sh makes: hosts/A.init, "PID NAMESPACE" of the init in the set; hosts/lost/I-K where
# what host I sends to host K is lost; outer-proc, the user's /proc, which hosts see too.

script=$rdisk_root/scripts/cluster.sh # in a set its path may be another than the one it was called by

# The paths that must be seen everywhere, also where they are below a directory that is private there.
visible_paths() {
	printf '%s\n' "$dir" "$rdisk_root" "$bin" /run/outer-proc
}

# mount_private DIRECTORY MODE: an empty file system there, with what of visible_paths was below it.
mount_private() {
	local path entry descriptor below=()

	while read -r path; do
		if [[ $path == "$1"/* ]] && [ -d "$path" ]; then
			exec {descriptor}<"$path"
			below+=("$descriptor $path")
		fi
	done < <(visible_paths | sort -u)
	mount -t tmpfs -o "mode=$2" hosts "$1"
	for entry in "${below[@]}"; do
		read -r descriptor path <<<"$entry"
		mkdir -p "$path"
		mount --no-canonicalize --rbind "/proc/self/fd/$descriptor" "$path"
		exec {descriptor}<&-
	done
}

# wait_as_init: never returns; takes what has ended off the list of processes.
wait_as_init() {
	local nothing

	mkfifo /run/nothing
	exec {nothing}<>/run/nothing
	rm /run/nothing
	while :; do
		read -r -u "$nothing" || true
	done
}

# ---- outside ----

# process_start PID: when it started, which with its number names it.
process_start() {
	local line fields

	{ read -r line <"/proc/$1/stat"; } 2>/dev/null || return 1
	read -r -a fields <<<"${line##*) }"
	echo "${fields[19]}"
}

# holder_pid: of the set's holder; fails if it has none, or has ended.
holder_pid() {
	local pid start

	{ read -r pid start <"$dir/holder"; } 2>/dev/null || return 1
	[ "$(process_start "$pid")" = "$start" ] || return 1
	echo "$pid"
}

# start_holder COUNT PID: makes a set of that many hosts, with none of them on. It ends when the process PID ends, if PID is not empty.
start_holder() {
	local ready line

	exec {ready}< <(exec setsid "$script" --dir "$dir" inside-watch "$@" </dev/null 2>"$dir/holder.log")
	read -r line <&"$ready" || true
	exec {ready}<&-
	[ "$line" = ready ] || { sed 's/^/  /' "$dir/holder.log" >&2; return 1; }
}

# The parent of the holder: its pipe says "ready".
watch_set() {
	local space watcher
	local make=(unshare --user --map-root-user --net --mount --pid --fork --kill-child "$script" --dir "$dir" inside-hold "$1")

	[ -n "$2" ] || exec "${make[@]}"
	"${make[@]}" &
	space=$!
	exec >/dev/null
	tail -s 0.2 --pid="$2" -f /dev/null &
	watcher=$!
	wait -n || true
	kill -KILL "$watcher" 2>/dev/null || true
	if kill -0 "$space" 2>/dev/null; then
		"$script" --dir "$dir" down
	fi
}

# enter_set ARGUMENT...: this script in the set, in the place of the calling (sub)shell, which it does not outlive.
enter_set() {
	local holder

	holder=$(holder_pid) || die "there is no set in $dir any more: its holder has ended (cluster.sh down, then up)"
	exec nsenter --target "$holder" --user --preserve-credentials --mount --net --pid --wdns="$dir" \
		setpriv --pdeathsig KILL "$script" --dir "$dir" inside "$PWD" "$@"
}

# ---- in the set ----

# hold_set COUNT: process 1 of the set.
hold_set() {
	local pid host

	read -r pid _ </proc/self/stat # of the user's /proc: the number there
	printf '%s %s\n' "$pid" "$(process_start "$pid")" >"$dir/holder.new"
	mount_private /run 755
	mount --make-rshared /run
	mkdir /run/outer-proc
	mount --rbind /proc /run/outer-proc
	mount -t proc proc /proc
	mount_private /dev/shm 1777
	make_switch
	mkdir /run/hosts/lost
	for ((host = 1; host <= $1; host++)); do
		join_network "$host" "$1"
	done
	mv "$dir/holder.new" "$dir/holder"
	echo ready
	exec >/dev/null
	wait_as_init
}

# join_network I COUNT: a cable to the switch. Addresses of cards are known beforehand: what is lost is what is sent, and not
# an answer to the question where to send it.
join_network() {
	local other

	wire_host "$1"
	echo 0 | nsenter --net="/run/hosts/$1" tee /proc/sys/net/ipv4/ip_forward >/dev/null
	# Before "local", which takes everything that is for this host: see lose.
	nsenter --net="/run/hosts/$1" ip rule add pref 100 lookup local
	nsenter --net="/run/hosts/$1" ip rule del pref 0
	for ((other = 1; other <= $2; other++)); do
		[ "$other" -eq "$1" ] ||
			nsenter --net="/run/hosts/$1" ip neighbour replace "$hosts_network.$other" lladdr "$(host_mac "$other")" \
				dev eth0 nud permanent
		[ ! -e "/run/hosts/lost/$other-$1" ] || add_loss "$other" "$1"
	done
	plug_host "$1"
}

# add_loss I K: where it takes place, at the receiver; connections that are open lose their way too.
add_loss() {
	nsenter --net="/run/hosts/$2" ip rule add pref $((10 + $1)) from "$hosts_network.$1" iif eth0 blackhole
}

# lose I K: what host I sends to host K is lost from now on.
lose() {
	[ ! -e "/run/hosts/lost/$1-$2" ] || return 0
	: >"/run/hosts/lost/$1-$2"
	[ ! -e "/run/hosts/$2" ] || add_loss "$1" "$2"
}

# regain I K: it arrives again.
regain() {
	[ -e "/run/hosts/lost/$1-$2" ] || return 0
	rm "/run/hosts/lost/$1-$2"
	[ ! -e "/run/hosts/$2" ] || nsenter --net="/run/hosts/$2" ip rule del pref $((10 + $1))
}

# host_init HOST: the pid of its init in the set; fails if the host is off.
host_init() {
	local pid space

	{ read -r pid space <"/run/hosts/$1.init"; } 2>/dev/null || return 1
	[ "$(readlink "/proc/$pid/ns/pid")" = "$space" ] || return 1
	echo "$pid"
}

# host_processes HOST: the pids, in the set, of all that runs on it, but its init.
host_processes() {
	local pid space

	read -r pid space <"/run/hosts/$1.init" || return 1
	find /proc/[0-9]*/ns/pid -maxdepth 0 -lname "${space//[/\\[}" -printf '%h\n' 2>/dev/null |
		sed 's|^/proc/||; s|/ns$||' | grep -vx "$pid" || true
}

# boot_host HOST COUNT: its init, and its network if it has none.
boot_host() {
	local ready line='' number

	number=$(host_number "$1")
	[ -e "/run/hosts/$number" ] || join_network "$number" "$2"
	exec {ready}< <(exec nsenter --net="/run/hosts/$number" setsid unshare --mount --propagation slave --pid --uts --ipc \
		--fork --kill-child "$script" --dir "$dir" inside-init "$1" </dev/null 2>>"$dir/holder.log")
	read -r line <&"$ready" || true
	exec {ready}<&-
	[ "$line" = ready ] || die "host $1 does not start: $(tail -n 1 "$dir/holder.log")"
}

# be_init HOST: process 1 of the host.
be_init() {
	local pid

	read -r pid _ </proc/self/stat # of the set's /proc: the number there
	printf '%s %s\n' "$pid" "$(readlink "/proc/$pid/ns/pid")" >"/run/hosts/$1.init"
	hostname "$1"
	mount_private /run 755
	mount_private /dev/shm 1777
	mount -t proc proc /proc
	mkdir -m 1777 /run/tmp
	echo ready
	exec >/dev/null
	wait_as_init
}

# end_host HOST: all its processes end at once.
end_host() {
	local pid

	pid=$(host_init "$1") || return 0
	kill -KILL "$pid"
	await_end "$pid"
	rm "/run/hosts/$1.init"
}

# unplug_host HOST: its network is gone, with all connections: nobody is told that they end.
unplug_host() {
	ip link delete "host$(host_number "$1")"
}

# forget_network HOST: of a host that was unplugged and has ended.
forget_network() {
	umount "/run/hosts/$(host_number "$1")"
	rm "/run/hosts/$(host_number "$1")"
}

# await_end PID: it has ended, and its parent knows.
await_end() {
	tail -s 0.01 --pid="$1" -f /dev/null
}

# enter_host HOST DIRECTORY COMMAND...: it, in the place of the calling (sub)shell, in the host's namespaces and the
# directory, if there is such there. It is not yet a process of the host: what it starts is. (A nsenter that started it would
# stop when it is stopped, and with it who waits for that.)
enter_host() {
	local init directory=$2

	init=$(host_init "$1") || die "host $1 is off (cluster.sh start $1 host)"
	[ -d "/proc/$init/root$directory" ] || directory=/
	exec nsenter --no-fork --target "$init" --mount --net --pid --uts --ipc --wdns="$directory" "${@:3}"
}
