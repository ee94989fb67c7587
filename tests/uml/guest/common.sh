# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# What the guest's side of the tests shares. Runs as root in the guest; exits at the first failing command.

set -euo pipefail
mkdir -p /tmp/mnt
# shellcheck disable=SC2034 # for those who source this
mnt=/tmp/mnt

guest_fail() {
	echo "guest: FAILED: $*"
	dmesg | tail -n 20
	exit 1
}
trap 'echo "guest: FAILED in line $LINENO of $0: $BASH_COMMAND"; dmesg | tail -n 20' ERR

# await COMPLAINT COMMAND...: until the command succeeds, for what nothing announces to a script; sooner than the guest's
# own time runs out it fails with the complaint.
await() {
	local complaint=$1 begin=$SECONDS

	shift
	until "$@"; do
		[ $((SECONDS - begin)) -lt 100 ] || guest_fail "$complaint"
		sleep 0.05
	done
}

# await_device PATH: a disk appears when its server does, which nothing announces to a script.
await_device() {
	await "$1 does not appear" test -b "$1"
}

# must_fail COMMAND...: it has to fail and say so; its words are in /tmp/failure.
must_fail() {
	if "$@" >/tmp/failure 2>&1; then
		cat /tmp/failure
		guest_fail "this went well and must not: $*"
	fi
}

# forget_cache: what is read next comes from the disk.
forget_cache() {
	sync
	echo 3 >/proc/sys/vm/drop_caches
}
