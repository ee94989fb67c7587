#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# scripts/run-uml.sh itself: exit status, arguments, time-out, panic, and that a killed guest leaves no process and no
# file.

. "$(dirname "${BASH_SOURCE[0]}")/functions.sh"

run=$repository/scripts/run-uml.sh
mkdir "$work/tmp"

# expect STATUS ARGUMENT...
expect() {
	local status=0 wanted=$1

	shift
	TMPDIR=$work/tmp "$run" "$@" >"$work/output" 2>&1 || status=$?
	[ "$status" -eq "$wanted" ] || { cat "$work/output" >&2; fail "run-uml.sh $*: status $status, not $wanted"; }
	[ -z "$(ls -A "$work/tmp")" ] || fail "run-uml.sh $* left $(ls "$work/tmp")"
}

# shellcheck disable=SC2016 # the guest's shell expands it
printf '#!/bin/sh\nprintf "<%%s>" "$@"\nid -u >"$1"\nexit 42\n' >"$work/my script"
chmod +x "$work/my script"
expect 42 --timeout 60 --share "$work" -- "$work/my script" "$work/an answer" 'two  words' '' "quote's"
grep -qF "<$work/an answer><two  words><><quote's>" "$work/output" || fail "the arguments did not arrive: $(cat "$work/output")"
[ "$(cat "$work/an answer")" = 0 ] || fail "the script is not root in the guest"
[ "$(stat -c %u "$work/an answer")" = "$(id -u)" ] || fail "the guest's file is not its user's"

# shellcheck disable=SC2016 # the guest's shell expands it
expect 0 --timeout 60 --mem 256M --append 'one=two' -- sh -c 'grep -q one=two /proc/cmdline && [ -z "$(ls -A /tmp | grep -v rdisk)" ]'
expect 124 --timeout 2 -- sleep 1000
expect 125 --timeout 60 -- sh -c 'echo c >/proc/sysrq-trigger'
expect 125 --timeout 60 --append 'init=/nowhere' -- true
expect 1 --mem nonsense -- true
expect 1 -- /nowhere/script
expect 1 --timeout 5
expect 1 --processor 1000000 -- true
expect 1 --processor last -- true

# Killed itself, it takes the guest along: the watcher's last act is to remove the directory.
allowed=$(awk '/^Cpus_allowed_list:/ { print $2 }' /proc/self/status)
processor=${allowed##*[,-]}
TMPDIR=$work/tmp "$run" --processor "$processor" -- sleep 1000 >"$work/output" 2>&1 &
victim=$!
started+=("$victim")
until compgen -G "$work/tmp/*/guest/pid" >/dev/null; do
	kill -0 "$victim" || fail "run-uml.sh ended before the guest ran"
	sleep 0.05
done
guest_pid=$(cat "$work"/tmp/*/guest/pid)
[ "$(awk '/^Cpus_allowed_list:/ { print $2 }' "/proc/$guest_pid/status")" = "$processor" ] ||
	fail "the guest is not kept on processor $processor"
kill -KILL "$victim"
for ((i = 0; i < 400; i++)); do
	[ -n "$(ls -A "$work/tmp")" ] || break
	sleep 0.05
done
[ -z "$(ls -A "$work/tmp")" ] || fail "a killed run-uml.sh left $(ls "$work/tmp")"
[ ! -e "/proc/$guest_pid/exe" ] || fail "the guest outlives its run-uml.sh"
