#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What the guest is told of the device: size (beyond 4 GiB too), geometry, write-back cache, and queue limits that do
# not choke it. Data on both sides of 2 and 4 GiB is kept apart.

. "$(dirname "${BASH_SOURCE[0]}")/functions.sh"

write_config "$(device disk 6G)"
start_rdisk
run_guest limits.sh
stop_rdisk
