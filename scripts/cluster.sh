#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Several hosts on this machine, as an ordinary user: each a set of namespaces with a network, a rdisk and, unless told
# otherwise, a corosync of its own, which serve one replicated disk, /dev/rdiska of guests. And what may happen to hosts.
#
# usage: cluster.sh [--dir DIR] COMMAND
#   up N [OPTION]...           N hosts A, B, C, ...: nodes 1, 2, 3, ... named a, b, c, ... It returns when a primary serves
#                              and all with images are in sync, and says what there is
#       --diskless HOST        a member without an image; may be repeated
#       --size SIZE            of the disk; 256M unless told
#       --set KEY=VALUE        a setting of `replication` in rdisk.cfg; may be repeated
#       --group G              who says which hosts are there: corosync (if it is installed) or beacons
#       --shared               several clients may have the disk open for writing
#       --unreplicated         a disk of its own for each host instead; it returns when each is served
#       --no-power-log         what rdisk writes is not logged: faster, and power cannot be cut. The log, DIR/HOST/power.log,
#                              has all that was written since the power of the host was cut last, or the set was made, and
#                              100 to 300 bytes more for each write: a set that is to run for long, or lies on a tmpfs, does
#                              without it
#       --timeout SECONDS      120 unless told
#       --while PID            the set ends when that process does
#   exec HOST -- COMMAND...    runs it on the host, with rdisk's programs in its PATH and the host's rdisk.cfg in RDISK_CONFIG,
#                              where rdiskctl finds it
#   guest HOST [OPTION]... -- SCRIPT [ARGUMENT]...
#                              run-uml.sh with these options, on the host: a guest that has the disk
#   kill HOST [WHAT]           kill -9 of rdisk (unless told), corosync, or host: all that runs on it
#   stop HOST [WHAT]           stops it as SIGSTOP does
#   cont HOST [WHAT]           lets it go on
#   start HOST [WHAT]          starts it again. rdisk may be given [--env NAME=VALUE]... [-- ARGUMENT...]
#   power HOST                 cuts its power: images and state are as what was made stable left them, nothing else survives,
#                              and the next start (start HOST host) has a new boot id
#   cut HOST [HOST2 [--one-way]]
#                              cuts it off from all others, or from HOST2; one way: what HOST sends to HOST2 is lost
#   heal [HOST]                everything arrives again; with HOST, what it sends and what it is sent
#   wait [--timeout SECONDS] primary|in-sync|HOST=STATE
#                              until there is a primary that serves; until all with images are in sync as well; until a
#                              member is in a state, or a role, of `rdiskctl status`. 60 s unless told
#   status [--json]            what there is
#   down [--keep]              ends everything and removes the hosts' folders, unless they were there before or are kept
# DIR: RDISK_CLUSTER_DIR, or a folder of the user's runtime directory. DIR/A has the host's rdisk.cfg, corosync.conf, disk.img,
# state, node (for DVK_RUNTIME_DIR), boot-id, logs (rdisk.log, corosync.log), the pid of its rdisk as it is outside (rdisk.pid)
# and, a line each, the exit status of those that have ended (rdisk.status).
#
# environment: RDISK_BIN  the directory of the programs, for up, instead of build/release/bin
# exit status: 0 done; 1 failed; 2 usage; 3 the time ran out; 77 the machine does not allow it; of exec and guest the program's

set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
for part in hosts cluster-hosts cluster-config cluster-services cluster-wait; do
	# shellcheck source=/dev/null
	. "$rdisk_root/scripts/$part.sh"
done
export PATH=$PATH:/usr/sbin:/sbin

# Of the set, as DIR/set has it.
bin='' size=256M group='' replicated=yes power=yes shared=false
hosts=() diskless=() made=()
listeners=() passed=''
declare -A settings=()

# Every end of this script that is not 0 goes through one of these, or through pass.
die() {
	say "$*"
	(exit 1) || pass
}

usage_error() {
	say "$* (--help)"
	(exit 2) || pass
}

give_up() {
	say "$*"
	(exit 3) || pass
}

cannot() {
	say "$*"
	(exit 77) || pass
}

# pass: ends this (sub)shell with the status of what was just done, which has said why.
pass() {
	passed=$?
	exit "$passed"
}

# finish: the script ends: because a program failed, unless told otherwise.
# shellcheck disable=SC2317 # called by the trap
finish() {
	local status=$?

	[ ${#listeners[@]} -eq 0 ] || kill "${listeners[@]}" 2>/dev/null || true
	[ "$status" -eq 0 ] || [ "$status" = "$passed" ] || { say "$command: something that it started failed"; status=1; }
	exit "$status"
}

host_letter() {
	printf '%b' "\\x$(printf '%x' $((64 + $1)))"
}

host_number() {
	printf '%d' $(($(printf '%d' "'$1") - 64))
}

# host_name TEXT: the host that is meant, as A; one that is not there is an error of usage.
host_name() {
	[[ -n $1 && " ${hosts[*]} " == *" ${1^^} "* ]] || usage_error "there is no host ${1:-without a name}, but ${hosts[*]}"
	echo "${1^^}"
}

is_diskless() {
	[[ " ${diskless[*]} " == *" $1 "* ]]
}

# ---- the set ----

save_set() {
	local key

	{
		printf '%s\n' "bin $bin" "size $size" "group $group" "replicated $replicated" "power $power" "shared $shared"
		[ ${#diskless[@]} -eq 0 ] || printf 'diskless %s\n' "${diskless[@]}"
		[ ${#made[@]} -eq 0 ] || printf 'made %s\n' "${made[@]}"
		printf 'host %s\n' "${hosts[@]}"
		for key in "${!settings[@]}"; do
			printf 'set %s=%s\n' "$key" "${settings[$key]}"
		done
	} >"$dir/set.new"
	mv "$dir/set.new" "$dir/set"
}

load_set() {
	local key value

	[ -f "$dir/set" ] || return 1
	while read -r key value; do
		case $key in
		bin | size | group | replicated | power | shared) declare -g "$key=$value" ;;
		diskless) diskless+=("$value") ;;
		made) made+=("$value") ;;
		host) hosts+=("$value") ;;
		set) settings[${value%%=*}]=${value#*=} ;;
		esac
	done <"$dir/set"
}

need_set() {
	load_set || die "there is no set in $dir (cluster.sh up N)"
}

default_directory() {
	local runtime=${XDG_RUNTIME_DIR:-}

	if [ -n "${RDISK_CLUSTER_DIR:-}" ]; then
		echo "$RDISK_CLUSTER_DIR"
	elif [ -n "$runtime" ]; then
		echo "$runtime/rdisk-cluster"
	else
		echo "/tmp/rdisk-cluster-$(id -u)"
	fi
}

# make_directory: DIR, which must be the user's alone.
make_directory() {
	[ -d "$dir" ] || (umask 077 && mkdir -p "$dir") || die "cannot make $dir"
	[[ -O $dir && -w $dir ]] || die "$dir is another user's"
	dir=$(cd "$dir" && pwd -P)
	# A socket's path holds 107 characters.
	[ ${#dir} -le 80 ] || die "$dir: the path is too long for the sockets that will be in it, 80 characters at most (--dir)"
	[[ $dir != *[:\"[:space:]]* ]] || die "$dir: a colon, a quote or white space in the path"
}

# ---- up and down ----

parse_up() {
	local count

	[[ ${1:-} =~ ^[1-7]$ ]] || usage_error "up needs the number of hosts, 1 to 7"
	count=$1 timeout=120 while_pid=''
	for ((number = 1; number <= count; number++)); do
		hosts+=("$(host_letter "$number")")
	done
	shift
	while [ $# -gt 0 ]; do
		case $1 in
		--shared) shared=true; shift; continue ;;
		--unreplicated) replicated=no; shift; continue ;;
		--no-power-log) power=no; shift; continue ;;
		esac
		[ $# -ge 2 ] || usage_error "$1 needs a value, or is unknown"
		case $1 in
		--diskless) diskless+=("$(host_name "$2")") || pass ;;
		--size) [[ $2 =~ ^[1-9][0-9]*[KMGT]?$ ]] || usage_error "--size $2 is not a size such as 256M"; size=$2 ;;
		--group) [[ $2 == corosync || $2 == beacons ]] || usage_error "--group is corosync or beacons"; group=$2 ;;
		--set) [[ $2 =~ ^[a-z_]+=.*$ ]] || usage_error "--set needs KEY=VALUE"; settings[${2%%=*}]=${2#*=} ;;
		--timeout) [[ $2 =~ ^[1-9][0-9]*$ ]] || usage_error "--timeout needs a number of seconds"; timeout=$2 ;;
		--while) [[ $2 =~ ^[1-9][0-9]*$ ]] || usage_error "--while needs a pid"; while_pid=$2 ;;
		*) usage_error "up: unknown option $1" ;;
		esac
		shift 2
	done
}

# choose_group: what the user wants, or what is there.
choose_group() {
	[ -n "$group" ] || group=${settings[group]:-}
	if [ -z "$group" ]; then
		if command -v corosync >/dev/null; then group=corosync; else group=beacons; fi
		[ "$replicated" = yes ] || group=beacons
	fi
	[ "$group" != corosync ] || command -v corosync >/dev/null || cannot "there is no corosync here (--group beacons does without)"
}

find_programs() {
	local program

	for program in unshare nsenter setpriv ip jq; do
		command -v "$program" >/dev/null || cannot "there is no $program here (scripts/install-packages.sh)"
	done
	bin=${RDISK_BIN:-$rdisk_root/build/release/bin}
	if [ -z "${RDISK_BIN:-}" ] && [[ ! -x $bin/rdisk || ! -x $bin/rdiskctl ]]; then
		(cd "$rdisk_root" && cmake --preset release && cmake --build --preset release) >&2
	fi
	bin=$(cd "$bin" 2>/dev/null && pwd -P) || die "there is no directory $bin"
	[ -x "$bin/rdisk" ] || die "there is no $bin/rdisk"
	[ "$replicated" != yes ] || [ -x "$bin/rdiskctl" ] || die "there is no $bin/rdiskctl"
	if [ "$power" = yes ] && [ ! -e "$bin/../tests/libcrash_log.so" ]; then
		say "no power cuts: there is no $bin/../tests/libcrash_log.so (it is built where libcmocka-dev is installed)"
		power=no
	fi
}

# make_folders: what is there already is taken as it is: images and state of a set that was kept, or the user's own.
make_folders() {
	local host

	for host in "${hosts[@]}"; do
		[ -d "$dir/$host" ] || made+=("$host")
	done
	save_set
	for host in "${hosts[@]}"; do
		mkdir -p "$dir/$host"
		rm -rf "$dir/$host/node" "$dir/$host/rdisk.sock" "$dir/$host/power.log" "$dir/$host/"{rdisk,corosync}.{pid,status}
		mkdir -m 700 "$dir/$host/node"
		new_boot_id "$host"
		[ "$group" != corosync ] || write_corosync_config "$host"
	done
	write_rdisk_config
	[ "$replicated" = yes ] || return 0
	for host in "${hosts[@]}"; do
		[ -e "$dir/key" ] || "$bin/rdiskctl" keygen "$dir/key" >/dev/null
		[ -e "$dir/$host/key" ] || cp -p "$dir/key" "$dir/$host/key"
	done
}

may_make_namespaces() {
	unshare --user --map-root-user --net --mount --pid --fork true 2>/dev/null ||
		cannot "user namespaces cannot be made here (sysctl kernel.unprivileged_userns_clone, user.max_user_namespaces)"
	# shellcheck disable=SC2016 # the inner shell expands these
	unshare --user --map-root-user --net bash -c 'ip link add name b type bridge && ip link add name h type veth peer name e &&
		ip rule add pref 10 from 10.77.0.1 iif e blackhole' 2>/dev/null ||
		cannot "this kernel has no bridge, no veth or no routing by rules"
}

up() {
	if load_set; then
		! holder_pid >/dev/null || die "there is a set in $dir already (cluster.sh down)"
		die "there is what is left of a set in $dir (cluster.sh down)"
	fi
	parse_up "$@"
	find_programs
	choose_group
	may_make_namespaces
	make_directory
	trap '(exit 130) || pass' INT
	trap '(exit 143) || pass' TERM
	trap 'give_back' EXIT
	make_folders
	start_holder "${#hosts[@]}" "$while_pid" || die "the hosts cannot be made"
	(enter_set boot "$timeout") || pass
	trap - EXIT
	(enter_set status) || pass
}

# give_back: what there is of a set that did not come up.
# shellcheck disable=SC2317 # called by the trap
give_back() {
	local status=$? log

	[ "$status" = "$passed" ] || status=1
	trap - EXIT
	for log in "$dir"/[A-G]/{rdisk,corosync}.log; do
		[ ! -s "$log" ] || { say "the end of $log:"; tail -n 5 "$log" | sed 's/^/  /' >&2; }
	done
	down
	exit "$status"
}

# shellcheck disable=SC2120 # arguments of the command line
down() {
	local holder host keep=no

	[ "${1:-}" != --keep ] || { keep=yes; shift; }
	[ $# -eq 0 ] || usage_error "down: unknown argument $1"
	[ -d "$dir" ] || return 0
	dir=$(cd "$dir" && pwd -P)
	if holder=$(holder_pid); then
		kill -KILL "$holder"
		await_end "$holder"
	fi
	if [ ${#hosts[@]} -eq 0 ]; then
		load_set || return 0
	fi
	for host in "${hosts[@]}"; do
		if [ "$keep" = no ] && [[ " ${made[*]} " == *" $host "* ]]; then
			rm -rf "${dir:?}/$host"
		else
			rm -rf "$dir/$host/node" "$dir/$host/rdisk.sock" "$dir/$host/"{rdisk,corosync}.pid
		fi
	done
	[ "$keep" = yes ] || rm -f "$dir/key"
	rm -f "$dir/holder" "$dir/holder.new" "$dir/holder.log" "$dir/set.new" "$dir/set"
	rmdir --ignore-fail-on-non-empty "$dir"
}

# ---- commands in the set ----

# boot SECONDS: all hosts, and what is to be waited for.
boot() {
	local host started=$SECONDS

	for host in "${hosts[@]}"; do
		boot_host "$host" "${#hosts[@]}"
	done
	# Each waits for the others before it says that it is ready.
	if [ "$group" = corosync ]; then
		at_once start_corosync
	fi
	at_once start_rdisk
	[ "$replicated" != yes ] || wait_for $(($1 - (SECONDS - started))) in-sync
}

# at_once FUNCTION: of all hosts.
at_once() {
	local host pid pids=() status=0

	for host in "${hosts[@]}"; do
		("$1" "$host") &
		pids+=("$!")
	done
	for pid in "${pids[@]}"; do
		wait "$pid" || status=$?
	done
	(exit "$status") || pass
}

# change HOST [WHAT [ARGUMENT...]]: what kill, stop, cont and start do.
change() {
	local host what=${2:-rdisk} pid

	[ $# -ge 1 ] || usage_error "$command needs a host"
	host=$(host_name "$1") || pass
	if [[ $what == -* ]]; then what=rdisk; shift; else shift $(($# < 2 ? $# : 2)); fi
	[[ $what == rdisk || $what == corosync || $what == host ]] || usage_error "$command $host: $what is not rdisk, corosync or host"
	[ $# -eq 0 ] || [ "$command $what" = "start rdisk" ] || usage_error "$command: unexpected argument $1"
	case "$command $what" in
	"kill host")
		host_init "$host" >/dev/null || die "host $host is off"
		end_host "$host"
		rm -f "$dir/$host/"{rdisk,corosync}.pid
		;;
	"stop host") stop_host "$host" ;;
	"cont host") continue_host "$host" ;;
	"start host")
		! host_init "$host" >/dev/null || die "host $host is on"
		start_host "$host"
		;;
	kill\ *) kill_service "$host" "$what" ;;
	stop\ *)
		pid=$(must_run "$host" "$what") || pass
		stop_processes "$pid"
		;;
	cont\ *)
		pid=$(must_run "$host" "$what") || pass
		kill -CONT "$pid"
		;;
	start\ *)
		host_init "$host" >/dev/null || die "host $host is off (cluster.sh start $host host)"
		! service_pid "$host" "$what" >/dev/null || die "host $host: $what runs already"
		"start_$what" "$host" "$@"
		;;
	esac
}

cut() {
	local from to host

	[ $# -ge 1 ] || usage_error "cut needs a host"
	from=$(host_name "$1") || pass
	case $# in
	1)
		for host in "${hosts[@]}"; do
			[ "$host" = "$from" ] || cut "$from" "$host"
		done
		return
		;;
	2) ;;
	3) [ "$3" = --one-way ] || usage_error "cut: unknown argument $3" ;;
	*) usage_error "cut: unexpected argument $4" ;;
	esac
	to=$(host_name "$2") || pass
	[ "$from" != "$to" ] || usage_error "cut $from $to: these are one host"
	lose "$(host_number "$from")" "$(host_number "$to")"
	[ $# -eq 3 ] || lose "$(host_number "$to")" "$(host_number "$from")"
}

heal() {
	local host='' pair from to

	[ $# -le 1 ] || usage_error "heal: unexpected argument $2"
	if [ $# -eq 1 ]; then
		host=$(host_name "$1") || pass
		host=$(host_number "$host")
	fi
	for pair in /run/hosts/lost/*; do
		[ -e "$pair" ] || continue
		pair=${pair##*/} from=${pair%-*} to=${pair#*-}
		[[ -n $host && $from != "$host" && $to != "$host" ]] || regain "$from" "$to"
	done
}

parse_wait() {
	local seconds=60

	if [ "${1:-}" = --timeout ]; then
		[[ ${2:-} =~ ^[0-9]+$ ]] || usage_error "--timeout needs a number of seconds"
		seconds=$2
		shift 2
	fi
	[ $# -eq 1 ] || usage_error "wait needs one of primary, in-sync, HOST=STATE"
	wait_for "$seconds" "$1"
}

# run_on HOST DIRECTORY COMMAND...: in the place of this script.
run_on() {
	local host=$1 directory=$2

	shift 2
	export DVK_RUNTIME_DIR=$dir/$host/node RDISK_CONFIG=$dir/$host/rdisk.cfg PATH=$bin:$PATH
	# shellcheck disable=SC2016 # the inner shell expands these
	enter_host "$host" "$directory" bash -c '"$@"; exit "$?"' bash setpriv --pdeathsig KILL "$@"
}

# in_set DIRECTORY COMMAND ARGUMENT...: what enter_set was given.
in_set() {
	local directory=$1 host

	command=$2
	shift 2
	case $command in
	boot) boot "$@" ;;
	run) run_on "$1" "$directory" "${@:2}" ;;
	kill | stop | cont | start) change "$@" ;;
	power)
		[ $# -eq 1 ] || usage_error "power needs a host, and nothing else"
		host=$(host_name "$1") || pass
		cut_power "$host"
		;;
	cut | heal) "$command" "$@" ;;
	wait) parse_wait "$@" ;;
	status)
		case "${1:-}" in
		'') show_status text ;;
		--json) show_status json ;;
		*) usage_error "status: unknown option $1" ;;
		esac
		;;
	esac
}

# one_at_a_time ARGUMENT...: changes of a set do not meet each other.
one_at_a_time() {
	local lock

	exec {lock}<"$dir/set"
	flock "$lock"
	(enter_set "$@" {lock}<&-) || pass
}

# guest HOST [OPTION]... -- SCRIPT [ARGUMENT]...
guest() {
	local host options=()

	host=$(host_name "${1:-}") || pass
	shift
	while [ $# -gt 0 ] && [ "$1" != -- ]; do
		options+=("$1")
		shift
	done
	if [ -z "${RDISK_KERNEL:-}" ]; then
		RDISK_KERNEL=$("$rdisk_root/scripts/build-uml.sh" | tail -n 1) || die "there is no guest kernel"
		export RDISK_KERNEL
	fi
	# What it has there ends with the host.
	export TMPDIR=/run/tmp
	enter_set run "$host" "$rdisk_root/scripts/run-uml.sh" --append "dcid=0 uml_ep=-2 rd_ep=3" "${options[@]}" "$@"
}

dir=$(default_directory)
if [ "${1:-}" = --dir ]; then
	[ -n "${2:-}" ] || usage_error "--dir needs a folder"
	dir=$2
	shift 2
fi
[ "${dir:0:1}" = / ] || dir=$PWD/$dir
command=${1:-}
[ $# -eq 0 ] || shift
trap finish EXIT
case $command in
--help)
	sed -n '/^# usage:/,/^$/ s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"
	;;
up | down)
	"$command" "$@"
	;;
exec)
	need_set
	[[ $# -ge 3 && $2 == -- ]] || usage_error "exec HOST -- COMMAND..."
	host=$(host_name "$1") || pass
	enter_set run "$host" "${@:3}"
	;;
guest)
	need_set
	guest "$@"
	;;
kill | stop | cont | start | power | cut | heal)
	need_set
	one_at_a_time "$command" "$@"
	;;
wait | status)
	need_set
	enter_set "$command" "$@"
	;;
inside*)
	# What this script starts of itself, in the namespaces that it has made.
	need_set
	case $command in
	inside) in_set "$@" ;;
	inside-watch) watch_set "$@" ;;
	inside-hold) hold_set "$@" ;;
	inside-init) be_init "$@" ;;
	esac
	;;
*)
	usage_error "unknown command ${command:-(none)}"
	;;
esac
