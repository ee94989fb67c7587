#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The guest's part of test-start-failure.sh.

. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

[ ! -e /dev/rdiska ]
# not grep -q: it would end before dmesg has written all, and pipefail tells
dmesg | grep 'rdisk: driver cannot start' >/dev/null
echo "booted without the driver"
read -r -t 60 line </dev/console || guest_fail "nothing comes from the console"
[ "$line" = "typed on the console" ] || guest_fail "the console says $line"
