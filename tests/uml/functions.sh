# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# What the tests with a real guest share; each test-*.sh sources it first. A test has a private directory
# $work (removed at the end), in it a private node, config and images. The tests' own words go to stderr
# as they come, everything that servers and guests say as well, so that ctest shows it when a test fails.

set -euo pipefail
repository=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
test_directory=$repository/tests/uml
test_name=$(basename "$0" .sh)
bin=${RDISK_BIN:-$repository/build/debug/bin}
work=$(mktemp -d "${TMPDIR:-/tmp}/rdisk-$test_name.XXXXXX")
export DVK_RUNTIME_DIR=$work/node
mkdir -m 700 "$DVK_RUNTIME_DIR"

started=() # pids of what is to be ended with the test
server=    # pid of the rdisk that start_rdisk started last
guest=     # pid of the run-uml.sh that start_guest started last

note() {
	printf '%s: %s\n' "$test_name" "$*" >&2
}

fail() {
	note "FAILED: $*"
	exit 1
}

skip() {
	note "skipped: $*"
	exit 77
}

cleanup() {
	local pid

	for pid in "${started[@]}"; do
		kill "$pid" 2>/dev/null || true
	done
	for pid in "${started[@]}"; do
		wait "$pid" 2>/dev/null || true
	done
	[ ! -f "$work/server.log" ] || sed 's/^/  /' "$work/server.log" >&2
	remove_work
}

# A node that a guest started just before its end is nobody's child: it goes on making files in $work until it has noticed
# that nobody is there any more, and ends. Nothing tells of that end, so it is tried again, for 20 s at most; what cannot
# be removed then fails the test.
remove_work() {
	local tries

	for ((tries = 0; tries < 200; tries++)); do
		! rm -rf "$work" 2>/dev/null || return 0
		sleep 0.1
	done
	rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# requires PROGRAM...: skips the test where one is not installed.
requires() {
	local program

	for program in "$@"; do
		command -v "$program" >/dev/null || skip "no $program"
	done
}

export PATH=$PATH:/usr/sbin:/sbin
[ -x "$bin/rdisk" ] || skip "no $bin/rdisk (RDISK_BIN names the directory)"
if [ -z "${RDISK_KERNEL:-}" ]; then
	RDISK_KERNEL=$("$repository/scripts/build-uml.sh" | tail -n 1) || fail "no guest kernel"
	export RDISK_KERNEL
fi

# device NAME SIZE [MORE SETTINGS]: one group of a config; the image is $work/NAME.img.
device() {
	printf '\t{ name = "%s"; image_type = "FILE_IMAGE"; image_file = "%s.img"; size = "%s"; %s }' \
		"$1" "$1" "$2" "${3:-}"
}

# write_config DEVICE...: a config of the groups that `device` made.
write_config() {
	local group separator=

	{
		echo 'devices = ('
		for group in "$@"; do
			printf '%s%s' "$separator" "$group"
			separator=$',\n'
		done
		printf '\n);\n'
	} >"$work/rdisk.cfg"
}

# start_rdisk [PROGRAM ARGUMENT...]: starts the server, under PROGRAM if one is given, and returns when it has said that
# it is ready. Whatever it says is in $work/server.log.
start_rdisk() {
	local log line ready=0

	rm -f "$work/server.pipe"
	mkfifo "$work/server.pipe"
	"$@" "$bin/rdisk" -d 0 -e 3 -c "$work/rdisk.cfg" </dev/null >/dev/null 2>"$work/server.pipe" &
	server=$!
	started+=("$server")
	exec {log}<"$work/server.pipe"
	while read -r -t 60 line <&"$log"; do
		printf '%s\n' "$line" >>"$work/server.log"
		[[ $line != *ready* ]] || { ready=1; break; }
	done
	[ "$ready" -eq 1 ] || fail "rdisk did not get ready"
	cat <&"$log" >>"$work/server.log" &
	started+=("$!")
	exec {log}<&-
}

fault_library=$bin/../tests/libfault_inject.so

# can_hold: whether start_held_rdisk can do that here.
can_hold() {
	[ -f "$fault_library" ] && [ "$(stat -f -c %T "$work")" != tmpfs ]
}

# start_held_rdisk: a server whose workers are held up (tests/fault/fault_hold.h) until somebody opens $work/hold for writing.
start_held_rdisk() {
	[ -p "$work/hold" ] || mkfifo "$work/hold"
	start_rdisk env LD_PRELOAD="$fault_library" RDISK_HOLD="$work/hold" \
		ASAN_OPTIONS="${ASAN_OPTIONS:+$ASAN_OPTIONS:}verify_asan_link_order=0"
}

# kill_rdisk: kill -9, and gone when it returns.
kill_rdisk() {
	kill -KILL "$server"
	wait "$server" 2>/dev/null || true
}

# stop_rdisk: ends the server as systemd would; it must exit with 0.
stop_rdisk() {
	kill -TERM "$server"
	wait "$server" || fail "rdisk ended with status $? on SIGTERM"
}

# guest_command UML_EP SCRIPT [ARGUMENT...]: sets `boot` to the command that runs a script of tests/uml/guest in a guest.
# guest_append has more arguments for the guest's kernel.
guest_command() {
	local endpoint=$1 script=$2

	shift 2
	boot=("$repository/scripts/run-uml.sh" --timeout "${guest_timeout:-240}" --share "$work" --share "$repository"
		--append "dcid=0 uml_ep=$endpoint rd_ep=3${guest_append:+ $guest_append}" -- "$test_directory/guest/$script" "$@")
}

# run_guest SCRIPT [ARGUMENT...]: runs the script in a guest; fails the test if it fails. Its output is in $work/guest.log.
run_guest() {
	local status=0

	guest_command -2 "$@"
	"${boot[@]}" 2>&1 | tee "$work/guest.log" >&2 || status=$?
	[ "$status" -eq 0 ] || fail "$1 ended with status $status in the guest"
}

# start_guest UML_EP SCRIPT [ARGUMENT...]: starts it in the background, its console on descriptor $console.
start_guest() {
	local pipe

	pipe=$(mktemp -u "$work/console.XXXXXX")
	mkfifo "$pipe"
	guest_command "$@"
	"${boot[@]}" </dev/null >"$pipe" 2>&1 &
	guest=$!
	started+=("$guest")
	exec {console}<"$pipe"
}

# guest_kernel: the pid of the kernel of the guest that start_guest started; its helper threads are processes of their own.
guest_kernel() {
	local child children

	read -r -a children <"/proc/$guest/task/$guest/children"
	for child in "${children[@]}"; do
		[ "$(readlink "/proc/$child/exe")" != "$(realpath "$RDISK_KERNEL")" ] || { echo "$child"; return; }
	done
	fail "run-uml.sh has no guest"
}

# server_answers: how many requests the server has answered since it was started.
server_answers() {
	"$bin/dvkctl" procs -d 0 --json | awk '/"endp":/ { endpoint = $2 + 0 } /"lsnt":/ && endpoint == 3 { print $2 + 0 }'
}

# await_line PATTERN [DESCRIPTOR]: reads the guest's console until a line that matches has come; sets `line` to it.
await_line() {
	while read -r -t 240 line <&"${2:-$console}"; do
		printf '%s\n' "$line" >&2
		# shellcheck disable=SC2053 # it is a pattern
		[[ $line != $1 ]] || return 0
	done
	fail "the guest did not say $1"
}

# finish_guest PID DESCRIPTOR: shows the rest of what it says and waits for it; its status.
finish_guest() {
	local status=0

	cat <&"$2" >&2
	wait "$1" || status=$?
	return "$status"
}

# check_image IMAGE: the file system in it is clean. Says nothing when it is.
check_image() {
	e2fsck -fn "$1" >"$work/e2fsck.log" 2>&1 || { cat "$work/e2fsck.log" >&2; fail "$1: e2fsck finds errors"; }
}

# read_image IMAGE DIRECTORY: the files of the file system in the image, copied out by debugfs.
read_image() {
	mkdir "$2"
	debugfs -R "rdump / $2" "$1" >"$work/debugfs.log" 2>&1 || { cat "$work/debugfs.log" >&2; fail "debugfs cannot read $1"; }
}

# sums DIRECTORY: a checksum for each file below it.
sums() {
	(cd "$1" && find . -name lost+found -prune -o -type f -print0 | LC_ALL=C sort -z | xargs -0 -r sha256sum)
}
