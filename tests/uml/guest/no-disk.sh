#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# usage: no-disk.sh WORDS: the guest's part of test-no-disk.sh.

. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

is_said() {
	dmesg | grep -F "$1" >/dev/null
}

await "the driver does not say: $1" is_said "$1"
[ ! -e /dev/rdiska ]
