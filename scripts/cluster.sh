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
#       --size SIZE            of the disk; that of images that are there, else 256M, unless told
#       --set KEY=VALUE        a setting of `replication` in rdisk.cfg, but members; may be repeated
#       --group G              who says which hosts are there: corosync (if it is installed) or beacons
#       --shared               several clients may have the disk open for writing
#       --unreplicated         a disk of its own for each host instead; it returns when each is served
#       --no-power-log         what rdisk writes is not logged: faster, and power cannot be cut. The log, DIR/HOST/power.log,
#                              has all that was written since the power of the host was cut last, or the set was made, and
#                              100 to 300 bytes more for each write: a set that is to run for long, or lies on a tmpfs, does
#                              without it
#       --own-clocks           each host has a wall clock of its own (clock)
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
#   clock HOST SECONDS         sets its wall clock so far from the machine's, such as -3600: all that runs there but guests sees
#                              a step of CLOCK_REALTIME
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
for part in hosts cluster-usage cluster-hosts cluster-config cluster-services cluster-wait; do
	# shellcheck source=/dev/null
	. "$rdisk_root/scripts/$part.sh"
done
export PATH=$PATH:/usr/sbin:/sbin

# Of the set, as DIR/set has it.
bin='' size='' group='' replicated=yes power=yes shared=false clocks=machine
hosts=() diskless=() made=()
clocked=() # what with_clock has set
listeners=() passed=''
# What the command was given, as cluster-usage.sh takes it.
host='' what=rdisk other='' one_way=no keep=no form=text
timeout=120 while_pid='' seconds=60 condition=''
guest_options=() guest_script=()
# shellcheck disable=SC2034 # for cluster-services.sh
ahead=0
# shellcheck disable=SC2034 # the same
start_preload=() start_variables=() start_arguments=()
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

is_diskless() {
	[[ " ${diskless[*]} " == *" $1 "* ]]
}

# ---- the set ----

save_set() {
	local key

	{
		printf '%s\n' "bin $bin" "size $size" "group $group" "replicated $replicated" "power $power" "shared $shared" "clocks $clocks"
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
		bin | size | group | replicated | power | shared | clocks) declare -g "$key=$value" ;;
		diskless) diskless+=("$value") ;;
		made) made+=("$value") ;;
		host) hosts+=("$value") ;;
		set) settings[${value%%=*}]=${value#*=} ;;
		esac
	done <"$dir/set"
}

need_set() {
	[ ${#hosts[@]} -gt 0 ] || load_set || die "$command: there is no set in $dir (cluster.sh up N, or another --dir)"
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
	[ -d "$dir" ] || (umask 077 && mkdir -p "$dir") || die "up: cannot make the folder $dir (--dir names another)"
	[[ -O $dir && -w $dir ]] || die "up: the folder $dir is another user's, or cannot be written (--dir names another)"
	dir=$(cd "$dir" && pwd -P)
	# A socket's path holds 107 characters.
	[ ${#dir} -le 80 ] || die "up: $dir: the path is too long for the sockets that will be in it, 80 characters at most (--dir names another)"
	[[ $dir != *[:\"[:space:]]* ]] || die "up: $dir: there is a colon, a quote or white space in the path (--dir names another)"
}

# ---- up and down ----

# choose_group: what the user wants, or what is there.
choose_group() {
	[ -n "$group" ] || group=${settings[group]:-}
	if [ -z "$group" ]; then
		if command -v corosync >/dev/null; then group=corosync; else group=beacons; fi
		[ "$replicated" = yes ] || group=beacons
	fi
	[ "$group" != corosync ] || command -v corosync >/dev/null || cannot "up: there is no corosync here (scripts/install-packages.sh; --group beacons does without)"
}

find_programs() {
	local program

	for program in unshare nsenter setpriv ip jq; do
		command -v "$program" >/dev/null || cannot "up: there is no $program here (scripts/install-packages.sh)"
	done
	bin=${RDISK_BIN:-$rdisk_root/build/release/bin}
	if [ -z "${RDISK_BIN:-}" ] && [[ ! -x $bin/rdisk || ! -x $bin/rdiskctl ]]; then
		(cd "$rdisk_root" && cmake --preset release && cmake --build --preset release) >&2
	fi
	bin=$(cd "$bin" 2>/dev/null && pwd -P) || die "up: there is no directory $bin for programs (RDISK_BIN names it)"
	[ -x "$bin/rdisk" ] || die "up: there is no $bin/rdisk (cmake --build, or RDISK_BIN names another directory)"
	[ "$replicated" != yes ] || [ -x "$bin/rdiskctl" ] || die "up: there is no $bin/rdiskctl (cmake --build, or RDISK_BIN names another directory)"
	if [ "$power" = yes ] && [ ! -e "$bin/../tests/libcrash_log.so" ]; then
		say "no power cuts: there is no $bin/../tests/libcrash_log.so (it is built where libcmocka-dev is installed)"
		power=no
	fi
	[ "$clocks" != own ] || [ -e "$bin/../tests/libclock_shift.so" ] ||
		die "up: --own-clocks: there is no $bin/../tests/libclock_shift.so (it is built where libcmocka-dev is installed)"
}

# choose_size: what the user wants, or what is there: an image is not made larger or smaller.
choose_size() {
	local host image bytes

	for host in "${hosts[@]}"; do
		image=$dir/$host/disk.img
		[ -f "$image" ] || continue
		bytes=$(stat -L -c %s "$image")
		[ -n "$size" ] || size=$bytes
		[ "$bytes" -eq "$(numfmt --from=iec "$size")" ] ||
			die "up: $image is there and has $bytes bytes, the disk is to have $size: remove the one, or choose another --size"
	done
	[ -n "$size" ] || size=256M
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
		[ "$clocks" != own ] || write_clock "$host" 0
		[ "$group" != corosync ] || write_corosync_config "$host"
	done
	write_rdisk_config
	[ "$replicated" = yes ] || return 0
	for host in "${hosts[@]}"; do
		[ -e "$dir/key" ] || "$bin/rdiskctl" keygen "$dir/key" >/dev/null
		[ -e "$dir/$host/key" ] || cp -p "$dir/key" "$dir/$host/key"
	done
}

# check_settings: rdisk knows what can be set, and to what. It names a line of a file that the user has not written, and which
# does not stay.
check_settings() {
	local text

	[ "$replicated" = yes ] || return 0
	text=$("$bin/rdiskctl" -c "$dir/${hosts[0]}/rdisk.cfg" check-config 2>&1 >/dev/null) ||
		usage_error "up: $(sed -n 's/^rdiskctl: error: [^ ]*rdisk\.cfg:[0-9]*: //; $ p' <<<"$text")"
}

may_make_namespaces() {
	unshare --user --map-root-user --net --mount --pid --fork true 2>/dev/null ||
		cannot "up: user namespaces cannot be made here (sysctl kernel.unprivileged_userns_clone, user.max_user_namespaces)"
	# shellcheck disable=SC2016 # the inner shell expands these
	unshare --user --map-root-user --net bash -c 'ip link add name b type bridge && ip link add name h type veth peer name e &&
		ip rule add pref 10 from 10.77.0.1 iif e blackhole' 2>/dev/null ||
		cannot "up: this kernel has no bridge, no veth or no routing by rules (modules bridge and veth, CONFIG_IP_MULTIPLE_TABLES)"
}

up() {
	if [ -f "$dir/set" ]; then
		! holder_pid >/dev/null || die "up: there is a set in $dir already (cluster.sh down, or another --dir)"
		die "up: there is what is left of a set in $dir (cluster.sh down)"
	fi
	find_programs
	choose_group
	may_make_namespaces
	make_directory
	choose_size
	trap '(exit 130) || pass' INT
	trap '(exit 143) || pass' TERM
	trap 'give_back' EXIT
	make_folders
	check_settings
	start_holder "${#hosts[@]}" "$while_pid" || die "up: the hosts cannot be made"
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
		[[ $status -eq 2 || ! -s $log ]] || { say "the end of $log:"; tail -n 5 "$log" | sed 's/^/  /' >&2; }
	done
	down
	exit "$status"
}

down() {
	local holder host

	[ -d "$dir" ] || return 0
	dir=$(cd "$dir" && pwd -P)
	if holder=$(holder_pid); then
		kill -KILL "$holder"
		await_end "$holder"
	fi
	[ ${#hosts[@]} -gt 0 ] || return 0
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

# change: what kill, stop, cont and start do, as parse_change has it.
change() {
	local pid

	case "$command $what" in
	"kill host")
		host_init "$host" >/dev/null || die "kill $host host: the host is off already (cluster.sh start $host host)"
		end_host "$host"
		rm -f "$dir/$host/"{rdisk,corosync}.pid
		;;
	"stop host") stop_host "$host" ;;
	"cont host") continue_host "$host" ;;
	"start host")
		! host_init "$host" >/dev/null || die "start $host host: the host is on already (cluster.sh start $host [rdisk|corosync] starts a service there)"
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
		host_init "$host" >/dev/null || die "start $host $what: the host is off (cluster.sh start $host host)"
		! service_pid "$host" "$what" >/dev/null || die "start $host $what: it runs already (cluster.sh cont $host $what, if it was stopped)"
		"start_$what" "$host"
		;;
	esac
}

# cut_off: as parse_cut has it.
cut_off() {
	local another

	for another in "${hosts[@]}"; do
		[[ $another != "$host" && (-z $other || $another == "$other") ]] || continue
		lose "$(host_number "$host")" "$(host_number "$another")"
		[ "$one_way" = yes ] || lose "$(host_number "$another")" "$(host_number "$host")"
	done
}

# heal: as parse_heal has it.
heal() {
	local pair from to number=''

	[ -z "$host" ] || number=$(host_number "$host")
	for pair in /run/hosts/lost/*; do
		[ -e "$pair" ] || continue
		pair=${pair##*/} from=${pair%-*} to=${pair#*-}
		[[ -n $number && $from != "$number" && $to != "$number" ]] || regain "$from" "$to"
	done
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
	local directory=$1

	command=$2
	shift 2
	case $command in
	boot) boot "$@" ;;
	run) run_on "$1" "$directory" "${@:2}" ;;
	*)
		check_usage "$@"
		case $command in
		kill | stop | cont | start) change ;;
		power) cut_power "$host" ;;
		clock) set_clock ;;
		cut) cut_off ;;
		heal) heal ;;
		wait) wait_for "$seconds" "$condition" ;;
		status) show_status "$form" ;;
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

# guest: as parse_guest has it.
guest() {
	if [ -z "${RDISK_KERNEL:-}" ]; then
		RDISK_KERNEL=$("$rdisk_root/scripts/build-uml.sh" | tail -n 1) || die "guest: there is no guest kernel"
		export RDISK_KERNEL
	fi
	# What it has there ends with the host.
	export TMPDIR=/run/tmp
	enter_set run "$host" "$rdisk_root/scripts/run-uml.sh" --append "dcid=0 uml_ep=-2 rd_ep=3" "${guest_options[@]}" \
		"${guest_script[@]}"
}

dir=$(default_directory)
if [ "${1:-}" = --dir ]; then
	[[ -n ${2:-} && $2 != -* ]] || usage_error "--dir needs a folder"
	! is_command "$2" || usage_error "--dir needs a folder before $2; ./$2 is one of that name"
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
	exit 0
	;;
inside | inside-watch | inside-hold | inside-init)
	# What this script starts of itself, in the namespaces that it has made.
	need_set
	case $command in
	inside) in_set "$@" ;;
	inside-watch) watch_set "$@" ;;
	inside-hold) hold_set "$@" ;;
	inside-init) be_init "$@" ;;
	esac
	exit 0
	;;
esac
# The hosts that there are can be named; up makes its own. Without a set a wrong call is told all the same: need_set says
# that there is none.
[ "$command" = up ] || load_set || true
check_usage "$@"
[[ $command == up || $command == down ]] || need_set
case $command in
up | down) "$command" ;;
exec)
	with_clock "$host"
	enter_set run "$host" "${clocked[@]}" "${@:3}"
	;;
guest) guest ;;
wait | status) enter_set "$command" "$@" ;;
*) one_at_a_time "$command" "$@" ;;
esac
