# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # hosts and what is set here are variables of cluster.sh and its other parts
#
# What the commands of scripts/cluster.sh are given, which sources this: each is taken apart before anything is looked at, so that
# what is wrong with it is an error of usage whatever there is of a set. Within the set it is taken apart once more.

# host_name TEXT: the host that is meant, as A; one that is not there, or cannot be, is an error of usage.
host_name() {
	[[ ${1:-} =~ ^[A-Ga-g]$ && (${#hosts[@]} -eq 0 || " ${hosts[*]} " == *" ${1^^} "*) ]] ||
		usage_error "$command: there is no host ${1:-without a name}, but ${hosts[*]:-A to G}"
	echo "${1^^}"
}

# parse_up N [OPTION]...
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
		--own-clocks) clocks=own; shift; continue ;;
		--diskless | --size | --group | --set | --timeout | --while) [ $# -ge 2 ] || usage_error "up: $1 needs a value" ;;
		-*) usage_error "up: unknown option $1" ;;
		*) usage_error "up: unexpected argument $1" ;;
		esac
		case $1 in
		--diskless) diskless+=("$(host_name "$2")") || pass ;;
		--size) [[ $2 =~ ^[1-9][0-9]*[KMGT]?$ ]] || usage_error "up: --size $2 is not a size such as 256M"; size=$2 ;;
		--group) [[ $2 == corosync || $2 == beacons ]] || usage_error "up: --group is corosync or beacons, not $2"; group=$2 ;;
		--set) [[ $2 =~ ^[a-z_]+=.*$ ]] || usage_error "up: --set needs KEY=VALUE, not $2"; settings[${2%%=*}]=${2#*=} ;;
		--timeout) [[ $2 =~ ^[1-9][0-9]*$ ]] || usage_error "up: --timeout needs a number of seconds, not $2"; timeout=$2 ;;
		--while)
			[[ $2 =~ ^[1-9][0-9]*$ && -d /proc/$2 ]] || usage_error "up: --while needs the pid of a process that runs, not $2"
			while_pid=$2
			;;
		esac
		shift 2
	done
	[ -z "${settings[members]+set}" ] || usage_error "up: --set members: N and --diskless say who the members are"
	[[ -z $group || $group == "${settings[group]:-$group}" ]] ||
		usage_error "up: --group $group and --set group=${settings[group]} are two groups"
	[[ $replicated == yes || ${#settings[@]} -eq 0 && ${#diskless[@]} -eq 0 ]] ||
		usage_error "up: --set and --diskless are for a disk that is replicated, and do not go with --unreplicated"
}

# parse_down [--keep]
parse_down() {
	keep=no
	[ "${1:-}" != --keep ] || { keep=yes; shift; }
	[ $# -eq 0 ] || usage_error "down: unexpected argument $1"
}

# parse_exec HOST -- COMMAND...
parse_exec() {
	[[ $# -ge 3 && $2 == -- ]] || usage_error "exec needs HOST -- COMMAND..."
	host=$(host_name "$1") || pass
}

# parse_guest HOST [OPTION]... -- SCRIPT [ARGUMENT]...; the options are run-uml.sh's, of which --root takes the place of a script.
parse_guest() {
	[ $# -ge 1 ] || usage_error "guest needs a host"
	host=$(host_name "$1") || pass
	shift
	guest_options=()
	while [ $# -gt 0 ] && [ "$1" != -- ]; do
		guest_options+=("$1")
		shift
	done
	guest_script=("$@")
	[[ $# -ge 2 || " ${guest_options[*]} " == *" --root "* ]] || usage_error "guest $host needs -- SCRIPT"
}

# parse_change HOST [WHAT [ARGUMENT...]]: what kill, stop, cont and start are given.
parse_change() {
	[ $# -ge 1 ] || usage_error "$command needs a host"
	host=$(host_name "$1") || pass
	shift
	what=rdisk
	[[ $# -eq 0 || $1 == -* ]] || { what=$1; shift; }
	[[ $what == rdisk || $what == corosync || $what == host ]] || usage_error "$command $host: $what is not rdisk, corosync or host"
	if [ "$command $what" = "start rdisk" ]; then
		parse_start "$@"
	else
		[ $# -eq 0 ] || usage_error "$command $host $what: unexpected argument $1"
	fi
}

# parse_start [--env NAME=VALUE]... [-- ARGUMENT...]: what is for a rdisk that is started.
parse_start() {
	start_preload=() start_variables=()
	while [ $# -gt 0 ]; do
		case $1 in
		--env)
			[[ ${2:-} == [A-Za-z_]*=* ]] || usage_error "start $host rdisk: --env needs NAME=VALUE"
			if [[ $2 == LD_PRELOAD=* ]]; then start_preload+=("${2#*=}"); else start_variables+=("$2"); fi
			shift 2
			;;
		--) shift; break ;;
		*) usage_error "start $host rdisk: unexpected argument $1" ;;
		esac
	done
	start_arguments=("$@")
}

# parse_power HOST
parse_power() {
	[ $# -eq 1 ] || usage_error "power needs a host, and nothing else"
	host=$(host_name "$1") || pass
}

# parse_clock HOST SECONDS: `ahead` is that, a number.
parse_clock() {
	[ $# -eq 2 ] || usage_error "clock needs a host and a number of seconds"
	host=$(host_name "$1") || pass
	[[ $2 =~ ^[+-]?[0-9]{1,9}$ ]] || usage_error "clock $host: $2 is not a number of seconds such as -3600"
	ahead=$((10#${2#[+-]}))
	[[ $2 != -* ]] || ahead=$((-ahead))
}

# parse_cut HOST [HOST2 [--one-way]]
parse_cut() {
	[ $# -ge 1 ] || usage_error "cut needs a host"
	host=$(host_name "$1") || pass
	other='' one_way=no
	[ $# -ge 2 ] || return 0
	other=$(host_name "$2") || pass
	[ "$host" != "$other" ] || usage_error "cut $host $other: these are one host"
	[ $# -ge 3 ] || return 0
	[ "$3" = --one-way ] || usage_error "cut: unknown argument $3"
	one_way=yes
	[ $# -eq 3 ] || usage_error "cut: unexpected argument $4"
}

# parse_heal [HOST]
parse_heal() {
	host=''
	[ $# -le 1 ] || usage_error "heal: unexpected argument $2"
	[ $# -eq 0 ] || host=$(host_name "$1") || pass
}

# parse_wait [--timeout SECONDS] CONDITION; condition_filter is what jq says of it.
parse_wait() {
	seconds=60
	if [ "${1:-}" = --timeout ]; then
		[[ ${2:-} =~ ^[0-9]+$ ]] || usage_error "wait: --timeout needs a number of seconds"
		seconds=$2
		shift 2
	fi
	[ $# -eq 1 ] || usage_error "wait needs one of primary, in-sync, HOST=STATE"
	condition=$1
	parse_condition "$1"
}

# parse_condition CONDITION
parse_condition() {
	local of state=${1#*=}

	case $1 in
	primary) condition_filter='.serving' ;;
	in-sync) condition_filter='.serving and ([.members[] | select(.diskless | not) | .state == "in-sync"] | all)' ;;
	*=*)
		of=$(host_name "${1%%=*}") || pass
		case $state in
		primary | backup | diskless | none) state=".role == \"$state\"" ;;
		in-sync | resyncing | outdated | unknown | excluded) state=".state == \"$state\"" ;;
		*) usage_error "wait: $state is no state of a member (in-sync, resyncing, outdated, unknown, excluded, or a role)" ;;
		esac
		condition_filter="[.members[] | select(.name == \"${of,,}\") | $state] | any"
		;;
	*) usage_error "wait: $1 is nothing to wait for (primary, in-sync or HOST=STATE)" ;;
	esac
}

# parse_status [--json]
parse_status() {
	form=text
	[ "${1:-}" != --json ] || { form=json; shift; }
	[ $# -eq 0 ] || usage_error "status: unexpected argument $1"
}

# is_command WORD
is_command() {
	[[ $1 =~ ^(up|down|exec|guest|kill|stop|cont|start|power|clock|cut|heal|wait|status)$ ]]
}

# check_usage ARGUMENT...: of the command.
check_usage() {
	case $command in
	kill | stop | cont | start) parse_change "$@" ;;
	up | down | exec | guest | power | clock | cut | heal | wait | status) "parse_$command" "$@" ;;
	*) usage_error "unknown command ${command:-(none)}" ;;
	esac
}
