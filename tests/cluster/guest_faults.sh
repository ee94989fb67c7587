# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# shellcheck disable=SC2154 # work and the other variables are those of functions.sh
#
# A guest that works on a replicated disk while primaries fail: sourced after functions.sh by the tests with such a guest. What
# it says on its console is in $work/console; it goes on until there is a file $work/end, and says "done" when all that it could
# look at itself was right. Its host stays, with the server's host, on which a guest depends; the server there may end.

primaries=0 # that were made to fail

# begin_guest HOST SCRIPT [ARGUMENT]...: with a file system on the disk at /tmp/mnt, which is looked at in the end.
begin_guest() {
	local host=$1 script=$2

	if [ -z "${RDISK_KERNEL:-}" ]; then
		RDISK_KERNEL=$("$repository/scripts/build-uml.sh" | tail -n 1) || fail "no guest kernel"
		export RDISK_KERNEL
	fi
	shift 2
	cat >"$work/guest.sh" <<-'GUEST'
		set -eu
		# The guest does not wait for its disks, they appear.
		until [ -b /dev/rdiska ]; do sleep 0.1; done
		mkfs.ext4 -q /dev/rdiska
		mkdir /tmp/mnt
		mount -o errors=remount-ro /dev/rdiska /tmp/mnt
		folder=$1 script=$2
		shift 2
		. "$script"
		umount /tmp/mnt
		e2fsck -fn /dev/rdiska >/tmp/e2fsck 2>&1 || { cat /tmp/e2fsck; exit 1; }
		! dmesg | grep -iE 'i/o error|ext4-fs (error|warning)|remounting' || exit 1
		echo "done"
	GUEST
	: >"$work/console" # who looks at it may be faster than who writes it
	cluster guest "$host" --mem 512M --timeout "${guest_limit:-1200}" --share "$work" -- "$work/guest.sh" "$work" "$script" "$@" \
		>"$work/console" 2>"$work/guest.log" &
	guest=$!
}

says() {
	grep -q "^$1" "$work/console"
}

# lines_of_guest PATTERN: how many that begin with it it has said.
lines_of_guest() {
	grep -c "^$1" "$work/console"
}

# says_more PATTERN COUNT: whether it has said more such lines than that; fails the test if it never will.
says_more() {
	[ "$(lines_of_guest "$1")" -le "$2" ] || return 0
	[ -e "/proc/$guest" ] || fail "the guest has ended: $(tail -n 20 "$work/console" "$work/guest.log")"
	return 1
}

# await_guest PATTERN: until it has said a line that begins with it.
await_guest() {
	await "the guest does not say \"$1\"" says_more "$1" 0
}

# guest_goes_on PATTERN: it says one more such line than it has said yet.
guest_goes_on() {
	await "the guest says no more \"$1\"" says_more "$1" "$(lines_of_guest "$1")"
}

# fail_primary HOW: kills, stops or cuts off whoever is primary, waits until the disk is served again, and repairs it.
fail_primary() {
	local name host

	cluster wait --timeout 60 in-sync
	name=$(field .primary)
	host=${name^^}
	primaries=$((primaries + 1))
	note "$1 $host"
	cluster "$1" "$host"
	case $1 in
	kill)
		cluster wait --timeout 60 primary
		cluster start "$host"
		;;
	stop)
		await "nobody takes the place of $host" is_not_primary "$name"
		cluster cont "$host"
		;;
	cut)
		await "nobody takes the place of $host" is_not_primary "$name"
		cluster heal
		;;
	esac
}

# is_not_primary NAME: another serves.
is_not_primary() {
	local other

	other=$(field 'if .serving then .primary // "" else "" end')
	[ -n "$other" ] && [ "$other" != "$1" ]
}

# end_guest: tells it to end; all that it looks at is right, and all images are equal then.
end_guest() {
	local status=0 host

	: >"$work/end"
	wait "$guest" || status=$?
	[ "$status" -eq 0 ] || fail "the guest ended with status $status: $(tail -n 20 "$work/console" "$work/guest.log")"
	says "done" || fail "the guest did not get to its end: $(tail -n 20 "$work/console")"
	cluster wait --timeout 120 in-sync
	for host in B C; do
		cmp "$work/set/A/disk.img" "$work/set/$host/disk.img" || fail "the images of A and $host differ"
	done
	e2fsck -fn "$work/set/A/disk.img" >"$work/e2fsck.log" 2>&1 || fail "the file system is damaged: $(cat "$work/e2fsck.log")"
}
