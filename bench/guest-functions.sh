# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# What the guest's parts of the benchmark share. To be sourced.

# The guest has no udev; a device is there some time after the guest.
await_device() {
	local i

	for ((i = 0; i < 600; i++)); do
		[ ! -b "$1" ] || return 0
		sleep 0.05
	done
	echo "there is no $1"
	exit 1
}
