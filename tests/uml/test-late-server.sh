#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# There is no server, and no node, when the guest boots: it boots all the same, and the disk appears when the server
# does.

. "$(dirname "${BASH_SOURCE[0]}")/functions.sh"

write_config "$(device disk 64M)"
start_guest -2 late-server.sh
await_line 'booted without a disk'
start_rdisk
finish_guest "$guest" "$console" || fail "the guest ended with status $?"
stop_rdisk
check_image "$work/disk.img"
