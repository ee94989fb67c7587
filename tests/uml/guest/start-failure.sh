#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The guest's part of test-start-failure.sh.

. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

[ ! -e /dev/rdiska ]
dmesg | grep -q 'rdisk: driver cannot start'
echo "booted without the driver"
read -r -t 60 line </dev/console || guest_fail "nothing comes from the console"
[ "$line" = "typed on the console" ] || guest_fail "the console says $line"
