#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Two guests at once, each writing to a minor of its own; the second is refused the first's minor (EBUSY) while
# the first has it, and gets it when the first has ended.

. "$(dirname "${BASH_SOURCE[0]}")/functions.sh"

write_config "$(device one 64M)" "$(device two 64M)"
start_rdisk

start_guest -2 two-guests.sh first "$work"
first=$guest first_console=$console
await_line 'first has mounted'
start_guest -3 two-guests.sh second "$work"
second=$guest second_console=$console
await_line 'second was refused'
touch "$work/end-first"
finish_guest "$first" "$first_console" || fail "the first guest ended with status $?"
touch "$work/first-ended"
finish_guest "$second" "$second_console" || fail "the second guest ended with status $?"
stop_rdisk

for name in one two; do
	check_image "$work/$name.img"
	read_image "$work/$name.img" "$work/$name"
	(cd "$work/$name" && sha256sum --quiet -c sums) || fail "$name: not what was written"
done
[ "$(cat "$work/one/later")" = second ] || fail "what the second guest wrote later is not there"
