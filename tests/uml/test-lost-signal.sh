#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The guest's kernel forgets the pending signals that it has taken before it disables new ones, in the machine code too.
# The other way round a signal that comes in between is lost, and with the timer's the guest hangs
# (uml-rdisk/patches/um-no-lost-signal.patch). That takes long to meet by chance, so a debugger looks: at the moment
# when unblock_signals() disables signals none is pending.

. "$(dirname "${BASH_SOURCE[0]}")/functions.sh"
requires gdb nm

start_guest -2 lost-signal.sh
await_line 'signals come'
read -r begin size _ < <(nm -S "$RDISK_KERNEL" | grep ' unblock_signals$')
# No signal is to stop the guest; UML lives on them.
status=0
timeout 100 gdb -p "$(guest_kernel)" -batch -nx -ex 'handle all nostop noprint pass' \
	-ex "watch *(int *)&signals_enabled if *(int *)&signals_enabled == 0 && \$pc > 0x$begin && \$pc < 0x$begin + 0x$size" \
	-ex continue -ex 'printf "disables with pending=%d\n", *(int *)&signals_pending' -ex delete -ex detach \
	"$RDISK_KERNEL" </dev/null >"$work/gdb.log" 2>&1 || status=$?
! grep 'Operation not permitted' "$work/gdb.log" >&2 || skip "gdb may not look at a process here"
[ "$status" -eq 0 ] || { cat "$work/gdb.log" >&2; fail "gdb ended with status $status"; }
grep '^disables with' "$work/gdb.log" >&2 || { cat "$work/gdb.log" >&2; fail "gdb did not see signals disabled"; }
grep -x 'disables with pending=0' "$work/gdb.log" >/dev/null || fail "a signal that comes now is lost"
kill -TERM "$guest"
