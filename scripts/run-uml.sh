#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Runs a program as root in a User-Mode Linux guest whose root is the host's own (hostfs), as an ordinary
# process of an ordinary user; the guest's root has the user's rights on the host's files and no more.
# The guest has its own /proc, /sys, /dev, /tmp and /run; /run/host is the host's root with nothing covered. No network.
#
# usage: run-uml.sh [OPTION]... -- SCRIPT [ARGUMENT...]
#        run-uml.sh [OPTION]... --root DEVICE
#   --mem SIZE          the guest's memory, 512M unless told
#   --processor N       keep the guest, which has one processor, on the host's processor of that number: where others are
#                       idle that makes the guest about twice as fast (docs/performance.md). Guests should not share one
#   --timeout SECONDS   kill the guest after that time; 0, the default: never
#   --append "ARGS"     arguments for the guest's kernel, e.g. "dcid=0 uml_ep=-2 rd_ep=3"; may be repeated
#   --share PATH        a file or directory of the host below /tmp or /run that the guest shall see at the same place;
#                       SCRIPT, its directory and the current one are shared by themselves
#   --root DEVICE       boot the system that is on the guest's DEVICE (/dev/rdiska), instead of running a script
#   --stdin             the console reads this program's stdin; without it there is none
# SCRIPT is a file, or a program in the guest's PATH. The console is on stdout.
#
# environment: RDISK_KERNEL  the guest kernel (without it what build-uml.sh gives)
#              DVK_RUNTIME_DIR  where the guest's driver finds its node
# exit status: SCRIPT's; 124 the time ran out; 125 the guest ended without SCRIPT having ended (a panic), or SCRIPT ended with 0
#              but a disk had no server, or has failed, or a write or flush of it has, and what was not written is lost; with
#              --root 0 after it has powered off; 1 with a message when it could not be started; 128 + N after signal N

set -uo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

memory_size=512M timeout=0 processor=() append=() shares=() root='' with_stdin=0

usage() {
	sed -n '/^# usage:/,/^$/ s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"
}

while [ $# -gt 0 ]; do
	case $1 in
	--mem) need_value "$@"; memory_size=$2; shift 2 ;;
	--processor) need_value "$@"; processor=(taskset --cpu-list "$2"); shift 2 ;;
	--timeout) need_value "$@"; timeout=$2; shift 2 ;;
	--append) need_value "$@"; append+=("$2"); shift 2 ;;
	--share) need_value "$@"; shares+=("$(realpath -e -- "$2")") || exit 1; shift 2 ;;
	--root) need_value "$@"; root=$2; shift 2 ;;
	--stdin) with_stdin=1; shift ;;
	--help) usage; exit 0 ;;
	--) shift; break ;;
	*) die "unknown option $1 (--help; SCRIPT comes after --)" ;;
	esac
done
[[ $timeout =~ ^[0-9]+(\.[0-9]+)?$ ]] || die "--timeout $timeout is not a number of seconds"
[[ $memory_size =~ ^[1-9][0-9]*[MG]$ ]] || die "--mem $memory_size is not a size such as 512M"

[ ${#processor[@]} -eq 0 ] || { [[ ${processor[2]} =~ ^[0-9]+$ ]] && "${processor[@]}" true 2>/dev/null; } ||
	die "--processor ${processor[2]}: this is not the number of a processor that may be used here"

# A file that is there is meant; another word is left to the guest's PATH.
if [ -n "$root" ]; then
	[ $# -eq 0 ] || die "--root and a SCRIPT exclude each other (--help)"
	command=()
elif [ $# -eq 0 ]; then
	die "no SCRIPT given (--help)"
elif [[ $1 == */* ]] || [ -f "$1" ]; then
	script=$(realpath -e -- "$1") || die "there is no $1"
	shift
	if [ -x "$script" ]; then
		command=("$script" "$@")
	else
		command=(/bin/bash "$script" "$@")
	fi
	shares+=("$(dirname "$script")" "$script")
else
	command=("$@")
fi

kernel=${RDISK_KERNEL:-}
[ -n "$kernel" ] || kernel=$("$rdisk_root/scripts/build-uml.sh" | tail -n 1) || die "there is no guest kernel"
[ -x "$kernel" ] || die "the guest kernel $kernel is not there or cannot be executed"

# The guest's memory is a file, which must be on a tmpfs to be fast, big enough and not mounted noexec.
make_memory_directory() {
	local base=/dev/shm needed=${memory_size%[MG]} available directory

	[[ $memory_size != *G ]] || needed=$((needed * 1024))
	available=$(df --output=avail -BM "$base" 2>/dev/null | tail -n 1 | tr -cd '0-9')
	if [ -w "$base" ] && [ "${available:-0}" -gt "$needed" ]; then
		directory=$(mktemp -d "$base/rdisk-uml.XXXXXX") || return 1
		printf '#!/bin/true\n' >"$directory/probe"
		chmod +x "$directory/probe"
		if "$directory/probe" 2>/dev/null; then
			printf '%s\n' "$directory"
			return 0
		fi
		rm -rf "$directory"
	fi
	mktemp -d "${TMPDIR:-/tmp}/rdisk-uml.XXXXXX"
}

# From here on the watcher cleans up whenever the pipe's last writer, this process, ends.
state=$(mktemp -d "${TMPDIR:-/tmp}/rdisk-uml.XXXXXX") || die "cannot make a temporary directory"
memory=$(make_memory_directory) || { rm -rf "$state"; die "cannot make a directory for the guest's memory"; }
[[ $state != *[[:space:]]* ]] || { rm -rf "$state" "$memory"; die "white space in TMPDIR=$TMPDIR: the kernel's command line cannot hold it"; }
mkfifo "$state/alive" || { rm -rf "$state" "$memory"; die "cannot make a pipe in $state"; }
setsid "$rdisk_root/scripts/guest-watch.sh" "$timeout" "$state" "$memory" <"$state/alive" >/dev/null 2>&1 &
watcher=$!
guest=
exec {alive}>"$state/alive"

# shellcheck disable=SC2317 # called by the trap
finish() {
	exec {alive}>&-
	{ wait "$guest" "$watcher"; } 2>/dev/null
}
trap finish EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

printf '%s\0' "${command[@]}" >"$state/command"
pwd -P >"$state/directory"
# Sorted: a directory comes before what is in it.
printf '%s\n' "$state" "$(pwd -P)" "${shares[@]}" | LC_ALL=C sort -u >"$state/shares"
ln -s "$rdisk_root/scripts/guest-init.sh" "$state/init"

if [ -n "$root" ]; then
	boot=("root=$root" rootwait rw)
else
	boot=(rootfstype=hostfs rootflags=/ rw "init=$state/init" "rdisk_state=$state")
fi
[ "$with_stdin" -eq 1 ] || exec </dev/null
# Without the blacklist the kernel takes a file root_fs of this directory for a disk, and complains if there is none.
# The guest says its own pid, so that there is no moment in which it runs and the watcher does not know.
# shellcheck disable=SC2016 # the inner shell expands these
TMPDIR=$memory bash -c 'alive=$0; echo $$ >&"$alive"; exec {alive}>&-; ulimit -c 0; exec setsid "$@"' "$alive" \
	"${processor[@]}" "$kernel" "mem=$memory_size" "uml_dir=$state/" umid=guest "${boot[@]}" \
	con=null con0=fd:0,fd:1 quiet initcall_blacklist=ubd0_init "${append[@]}" <&0 &
guest=$!
ended=0
{ wait "$guest"; } 2>/dev/null || ended=$? # without the shell's own word on a guest that was killed

if [ -e "$state/timed-out" ]; then
	say "time-out: killed the guest after $timeout s"
	exit 124
fi
if [ -n "$root" ] && [ "$ended" -eq 0 ]; then
	exit 0
fi
if [ ! -e "$state/status" ]; then
	say "the guest ended without having done its work"
	exit 125
fi
read -r status <"$state/status"
if [ -e "$state/abandoned" ]; then
	say "the server of the guest's disks was gone when the guest ended: what was not written is lost"
	[ "$status" -ne 0 ] || status=125
elif [ -e "$state/failed" ]; then
	say "a disk of the guest has failed, or a write to it, as its console says: what was not written to it is lost"
	[ "$status" -ne 0 ] || status=125
fi
exit "$status"
