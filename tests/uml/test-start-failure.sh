#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The driver cannot start, since the node's socket would have too long a name: the guest boots without disks, and
# its console's input is still the console's.

. "$(dirname "${BASH_SOURCE[0]}")/functions.sh"

mkfifo "$work/typed" "$work/console"
guest_command -2 start-failure.sh
exec {typed}<>"$work/typed"
DVK_RUNTIME_DIR=$work/$(printf 'd%.0s' {1..120}) "${boot[0]}" --stdin "${boot[@]:1}" <&"$typed" >"$work/console" 2>&1 &
guest=$!
started+=("$guest")
exec {console}<"$work/console"
await_line 'booted without the driver'
echo "typed on the console" >&"$typed"
finish_guest "$guest" "$console" || fail "the guest ended with status $?"
