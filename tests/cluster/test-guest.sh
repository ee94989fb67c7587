#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# cluster.sh: guests on hosts have the disk of their host, and stop and end with it.

. "$(dirname "$0")/functions.sh"

if [ -z "${RDISK_KERNEL:-}" ]; then
	RDISK_KERNEL=$("$repository/scripts/build-uml.sh" | tail -n 1) || fail "no guest kernel"
	export RDISK_KERNEL
fi
up 2 --unreplicated --size 16M

cat >"$work/write.sh" <<'END'
set -e
# Root's programs are nobody's here, unless root has made the set.
[ -O "$(command -v mount)" ] || mount | grep -q ' / .*nosuid'
dd if=/dev/urandom of=/dev/rdiska bs=64k count=16 conv=fsync status=none
dd if=/dev/rdiska bs=64k count=16 status=none | sha256sum | cut -d ' ' -f 1
echo "$1" | dd of=/dev/rdiska status=none
exit 5
END
cat >"$work/stay.sh" <<'END'
echo staying
while read -r line; do echo "$line"; done </dev/console
END

note "a script in a guest: its console, arguments and status"
status=0
cluster guest A --mem 256M --share "$work" -- "$work/write.sh" argument >"$work/console" || status=$?
cat "$work/console" >&2
[ "$status" -eq 5 ] || fail "the guest's script ended with status 5, cluster.sh with $status"
[ "$(head -c 8 "$work/set/A/disk.img")" = argument ] || fail "what the guest wrote is not on the disk of A"
cmp -s -n 65536 "$work/set/B/disk.img" /dev/zero || fail "what the guest wrote is on the disk of B"

note "a guest stops with its host, goes on with it, and ends with it"
mkfifo "$work/in" "$work/out"
# What it says then is that it was killed.
cluster guest B --mem 256M --share "$work" --stdin -- "$work/stay.sh" <"$work/in" >"$work/out" 2>/dev/null &
guest=$!
exec 3>"$work/in" 4<"$work/out"

# says TEXT: the guest, next.
says() {
	local line

	while read -r -t 120 line <&4; do
		line=${line%$'\r'}
		[ "$line" != "$1" ] || return 0
		note "the guest: $line"
	done
	fail "the guest did not say $1"
}

says staying
cluster stop B host
echo later >&3
! read -r -t 1 line <&4 || fail "a guest on a stopped host says \"$line\""
cluster cont B host
says later
cluster power B
status=0
wait "$guest" || status=$?
[ "$status" -eq 137 ] || fail "the guest of a host that lost its power ended with status $status"
cluster down
no_processes || fail "left: $(ps -o args= -p "$(processes | paste -sd ,)")"
