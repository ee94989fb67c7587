# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# What the tests with several hosts share; each test-*.sh sources it first. A test has a set of scripts/cluster.sh of its own,
# in $work/set, which ends with the test however that ends. The tests' own words go to stderr as they come, with the logs of
# the hosts when a test fails.

set -euo pipefail
repository=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
test_name=$(basename "$0" .sh)
bin=${RDISK_BIN:-$repository/build/debug/bin}
# shellcheck disable=SC2034 # for the tests
tools=$bin/../tests
work=$(mktemp -d "${TMPDIR:-/tmp}/rdisk-$test_name.XXXXXX")
export RDISK_BIN=$bin RDISK_CLUSTER_DIR=$work/set

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
	local status=$? log

	if [ "$status" -ne 0 ] && [ "$status" -ne 77 ]; then
		for log in "$work"/set/[A-G]/*.log "$work"/set/holder.log; do
			[ ! -s "$log" ] || [[ $log == */power.log ]] || { note "$log:"; tail -n 40 "$log" | sed 's/^/  /' >&2; }
		done
	fi
	cluster down || note "the set does not go down"
	rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

export PATH=$PATH:/usr/sbin:/sbin
[ -x "$bin/rdisk" ] || skip "no $bin/rdisk (RDISK_BIN names the directory)"

cluster() {
	"$repository/scripts/cluster.sh" "$@"
}

space=  # the user namespace of the set that came up last
holder= # the process that holds it

# up ARGUMENT...: as cluster.sh's; skips the test where the machine does not allow it.
up() {
	local status=0

	cluster up "$1" --while $$ "${@:2}" || status=$?
	[ "$status" -ne 77 ] || skip "cluster.sh cannot make hosts here"
	[ "$status" -eq 0 ] || fail "cluster.sh up $* ended with status $status"
	read -r holder _ <"$work/set/holder"
	space=$(readlink "/proc/$holder/ns/user")
}

# expect STATUS ARGUMENT...: cluster.sh ends with that.
expect() {
	local status=0

	cluster "${@:2}" || status=$?
	[ "$status" -eq "$1" ] || fail "cluster.sh ${*:2} ended with status $status, not $1"
}

# field FILTER: of the status, by jq.
field() {
	cluster status --json | jq -r "$1"
}

# expect_field FILTER VALUE
expect_field() {
	local value

	value=$(field "$1")
	[ "$value" = "$2" ] || fail "$1 is $value, not $2"
}

# await TEXT COMMAND...: until it succeeds; nothing tells when that is. It fails the test after await_limit seconds.
await_limit=60
await() {
	local text=$1 limit=$((SECONDS + await_limit))

	shift
	until "$@"; do
		[ "$SECONDS" -lt "$limit" ] || fail "$text"
		sleep 0.05
	done
}

# show_status HOST [OPTION]...: what rdiskctl says of the set there is in $work/words. That not all is well (4, 5) is no failure.
show_status() {
	local status=0

	cluster exec "$1" -- rdiskctl "${@:2}" status >"$work/words" 2>&1 || status=$?
	[[ $status =~ ^[045]$ ]] || fail "rdiskctl status on $1 ended with $status: $(<"$work/words")"
}

# processes: of this test's set, as pids of the outside: those in its namespaces, and cluster.sh's own.
processes() {
	[ -z "$space" ] || find /proc/[0-9]*/ns/user -maxdepth 0 -lname "${space//[/\\[}" 2>/dev/null | cut -d / -f 3
	pgrep -f "cluster.sh --dir $work/set " || true
}

no_processes() {
	[ -z "$(processes)" ]
}

# start_program NAME HOST PROGRAM...: on a host. What is written to descriptor ${in[NAME]} it reads, its words come from
# ${out[NAME]}.
declare -A in=() out=()
start_program() {
	local name=$1 descriptor

	mkfifo "$work/$name.in" "$work/$name.out"
	cluster exec "$2" -- "${@:3}" <"$work/$name.in" >"$work/$name.out" &
	exec {descriptor}>"$work/$name.in"
	# shellcheck disable=SC2034 # for the tests
	in[$name]=$descriptor
	exec {descriptor}<"$work/$name.out"
	out[$name]=$descriptor
}

# await_line NAME TEXT: the next line that comes from the program is this.
await_line() {
	local line

	read -r -t 60 line <&"${out[$1]}" || fail "nothing came where \"$2\" was to come"
	[ "$line" = "$2" ] || fail "\"$line\" came where \"$2\" was to come"
}

# no_line NAME: nothing comes in a second.
no_line() {
	local line

	! read -r -t 1 line <&"${out[$1]}" || fail "\"$line\" came where nothing was to come"
}
