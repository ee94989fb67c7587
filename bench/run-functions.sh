# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# What scripts/bench.sh and scripts/profile.sh share: a private directory on tmpfs, a node, a server and a guest of
# their own, and the end of them all however the script ends. To be sourced after scripts/lib.sh; needs `bin`, the
# directory of the programs, and `processor`, the one that guests are to stay on, or nothing.
# shellcheck disable=SC2034,SC2154 # for those who source this, and from them

[ "$(stat -f -c %T /dev/shm)" = tmpfs ] || die "/dev/shm is no tmpfs"
work=$(mktemp -d /dev/shm/rdisk-bench.XXXXXX)
leftovers=("$work") # to remove at the end
running=() # pids to end, the last one first
companions=() # pids that stay until the script ends
child=(setpriv --pdeathsig TERM) # before a program that must not outlive this script, however it ends
guest_options=()                 # of run-uml.sh
server_front=()                  # what stands before rdisk where a server is started, as env NAME=VALUE
[ -z "$processor" ] || guest_options=(--processor "$processor")

cleanup() {
	stop_all
	running=("${companions[@]}")
	stop_all
	! declare -F end_set >/dev/null || end_set
	rm -rf "${leftovers[@]}"
}

# shellcheck disable=SC2317 # called by the trap
stop_all() {
	local i

	for ((i = ${#running[@]} - 1; i >= 0; i--)); do
		kill "${running[i]}" 2>/dev/null || true
		{ wait "${running[i]}" || true; } 2>/dev/null
	done
	running=()
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

export DVK_RUNTIME_DIR=$work/node
mkdir -m 700 "$DVK_RUNTIME_DIR"

# start WORD PROGRAM...: runs it in the background until WORD is in a line of its output; `pid` is its pid, `output`
# a descriptor to read what follows from.
start() {
	local word=$1 line

	shift
	rm -f "$work/pipe"
	mkfifo "$work/pipe"
	"${child[@]}" "$@" </dev/null >"$work/pipe" 2>&1 &
	pid=$!
	running+=("$pid")
	exec {output}<"$work/pipe"
	await "$word" || die "$1 did not get ready"
}

# await WORD: the next line of `output` that has WORD in it; what comes before is shown.
await() {
	local line

	while read -r line <&"$output"; do
		[[ $line != *"$1"* ]] || return 0
		say "$line"
	done
	return 1
}

# What follows on `output` is only shown.
drain() {
	cat <&"$output" >&2 &
	exec {output}<&-
}

# start_server CONFIGURATION-LINE...: a node of its own and rdisk, after server_front; sets `node` and `server`.
start_server() {
	{ echo "devices = ("; printf '%s\n' "$@"; echo ");"; } >"$work/rdisk.cfg"
	start ready "$bin/dvkd"
	node=$pid
	drain
	start ready "${server_front[@]}" "$bin/rdisk" -d 0 -e 3 -c "$work/rdisk.cfg"
	server=$pid
	drain
}

# device NAME FILE SIZE [SETTING...]: a line of the configuration.
device() {
	echo "{ name = \"$1\"; image_type = \"FILE_IMAGE\"; image_file = \"$2\"; size = \"$3\"; ${*:4} }"
}

# find_disk DIRECTORY...: a new directory that is not in memory, for an image that is to be slow; nothing if there is none.
find_disk() {
	local candidate

	for candidate in "$@" "${TMPDIR:-/tmp}" /var/tmp; do
		[ -d "$candidate" ] || continue
		case $(stat -f -c %T "$candidate") in
		tmpfs | ramfs | hugetlbfs) ;;
		*) mktemp -d "$candidate/rdisk-bench.XXXXXX"; return ;;
		esac
	done
}

# slow_server_lacks DISK: why start_slow_server cannot be called with what find_disk has found, or nothing.
slow_server_lacks() {
	[ -n "${RDISK_BIN:-}" ] || (cd "$rdisk_root" && cmake --build --preset release --target fault_inject) >&2 ||
		say "the library that makes a disk slow cannot be built"
	if [ ! -r "$bin/../tests/libfault_inject.so" ]; then
		echo "there is no libfault_inject.so beside the programs: it is built with the tests (libcmocka-dev)"
	elif [ -z "$1" ]; then
		echo "all directories that were looked at are in memory"
	fi
}

# start_slow_server DISK MS: start_server with two devices: one in memory, and one whose image is in DISK, for each of
# whose operations the server's threads take MS longer. In memory there is nothing to wait for, so nothing could be made
# slow.
start_slow_server() {
	leftovers+=("$1")
	head -c 64M /dev/urandom >"$work/rdisk.img"
	head -c 64M /dev/urandom >"$1/slow.img"
	sync "$1/slow.img" # it stays in the page cache
	server_front=(env "LD_PRELOAD=$bin/../tests/libfault_inject.so" "RDISK_HOLD_MS=$2")
	start_server "$(device fast rdisk.img 64M "shared = true;")," "$(device slow "$1/slow.img" 64M "shared = true;")"
	server_front=()
}

attached="dcid=0 uml_ep=-2 rd_ep=3"

# Waits for the last command in the background as if it were in the foreground; unlike there, a signal ends the wait.
attend() {
	local status=0

	running+=("$!")
	wait "$!" || status=$?
	unset "running[-1]"
	return "$status"
}

run_guest() {
	"${child[@]}" "$rdisk_root/scripts/run-uml.sh" "${guest_options[@]}" "$@" </dev/null >&2 &
	attend
}
