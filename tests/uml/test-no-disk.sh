#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What the guest's log says where a parameter keeps it from having a disk.

. "$(dirname "${BASH_SOURCE[0]}")/functions.sh"

# expect WORDS PARAMETERS: the driver says that to those.
expect() {
	note "parameters: $2"
	"$repository/scripts/run-uml.sh" --timeout 240 --share "$work" --share "$repository" --append "$2" -- \
		"$test_directory/guest/no-disk.sh" "$1" >&2 || fail "the guest ended with status $?"
}

write_config "$(device disk 1M)"
start_rdisk
expect 'rdisk: not active, as no dcid=' 'rd_ep=3'
expect 'rdisk: DC 4 does not run' 'dcid=4 rd_ep=3'
expect 'rdisk: no server at endpoint 5 of DC 0, waiting' 'dcid=0 rd_ep=5'
stop_rdisk
