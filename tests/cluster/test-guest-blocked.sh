#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A guest whose disk nobody can serve: requests and opens wait, its console says where to look for the reason, and the status
# there has it; they go on when a majority is back. When the last copy is forced instead, all fail that the guest has begun
# before: who started it hears that something is lost, though its script ends well.

. "$(dirname "$0")/functions.sh"

if [ -z "${RDISK_KERNEL:-}" ]; then
	RDISK_KERNEL=$("$repository/scripts/build-uml.sh" | tail -n 1) || fail "no guest kernel"
	export RDISK_KERNEL
fi
up 3 --group beacons --no-power-log --size 32M --set lease_ms=500 --set replica_timeout_ms=1000
cluster wait in-sync

cat >"$work/blocked.sh" <<'END'
set -u
read_word() {
	read -r word </dev/console
	[ "${word%$'\r'}" = "$1" ] || echo "\"$word\" came where \"$1\" was to come"
}
# The guest does not wait for its disks, they appear, and nothing in it (no udev, no inotify for a shell) tells when.
until [ -b /dev/rdiska ]; do sleep 0.1; done
echo 1000 >/sys/block/rdiska/queue/io_timeout
echo closed
read_word open
dd if=/dev/rdiska of=/dev/null bs=4k count=1 iflag=direct status=none && echo opened
mkfs.ext4 -q /dev/rdiska && mkdir /tmp/mnt && mount /dev/rdiska /tmp/mnt && echo mounted
read_word write
dd if=/dev/urandom of=/tmp/mnt/first bs=1M count=1 conv=fsync status=none && echo written
read_word "write again"
# Nobody looks at what becomes of this.
dd if=/dev/urandom of=/tmp/mnt/second bs=1M count=1 status=none && echo "in memory"
END

mkfifo "$work/in" "$work/out"
cluster guest A --mem 256M --share "$work" --stdin -- "$work/blocked.sh" <"$work/in" >"$work/out" 2>"$work/guest.log" &
guest=$!
exec 3>"$work/in" 4<"$work/out"

# says PATTERN: the guest, in a line that is yet to come.
says() {
	local line

	while read -r -t 120 line <&4; do
		line=${line%$'\r'}
		note "the guest: $line"
		# shellcheck disable=SC2053 # a pattern
		[[ $line != $1 ]] || return 0
	done
	fail "the guest did not say $1"
}

# lose_majority: two of three are killed, and the one that is left says what is missing.
lose_majority() {
	cluster kill B
	cluster kill C
	await "the status does not say what is missing" is_blocked
	note "$(field .blocked)"
}

is_blocked() {
	[ "$(field '.serving or .blocked == null')" = false ]
}

waits='*rdisk: rdiska: the server is there, but has not answered'
says closed
lose_majority
echo open >&3
says "$waits an open for 1 s*rdiskctl status*"
await "the log of A does not say what is missing" grep -q 'set cluster: nothing is served: 2 of a, b, c must be seen' "$work/set/A/rdisk.log"
cluster start B
says opened
says mounted

cluster start C
cluster wait in-sync
lose_majority
echo write >&3
says "$waits a request for 1 s*rdiskctl status*"
cluster start B
says written

cluster kill B
cluster exec A -- rdiskctl force-primary --dead b,c --yes
cluster wait A=primary
echo 'write again' >&3
says 'in memory'
while read -r line <&4; do note "the guest: $line"; done
status=0
wait "$guest" || status=$?
cat "$work/guest.log" >&2
[ "$status" -eq 125 ] || fail "what the guest wrote is lost, and it ended with status $status"
grep -q 'what was not written to it is lost' "$work/guest.log" || fail "run-uml.sh does not say that something is lost"
