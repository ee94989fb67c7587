#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A file system in a guest on a replicated disk, in which fio writes and verifies what it reads, buffered and direct, while the
# primary is killed, stopped for longer than its lease, and cut off, in turn, for RDISK_SECONDS (30). The guest is on a host
# that is cut off in turn as well, and goes on when it is not any more.

. "$(dirname "$0")/functions.sh"
# shellcheck source=guest_faults.sh
. "$(dirname "$0")/guest_faults.sh"

command -v fio >/dev/null || skip "there is no fio here (scripts/install-packages.sh)"
up 3 --size 128M --no-power-log --set lease_ms=500

cat >"$work/fio.sh" <<'GUEST'
round=0
while [ ! -e "$folder/end" ]; do
	round=$((round + 1))
	for direct in 0 1; do
		fio --name=verify --directory=/tmp/mnt --size=16M --rw=randwrite --bsrange=4k-64k --direct="$direct" --fsync=16 \
			--verify=crc32c --verify_fatal=1 --verify_state_save=0 --do_verify=1 --randseed="$round" --eta=never \
			--invalidate=1 --output=/tmp/fio.log || { cat /tmp/fio.log; exit 1; }
		echo "verified $round $direct"
	done
done
GUEST

begin_guest B "$work/fio.sh"
await_guest verified
end=$((SECONDS + ${RDISK_SECONDS:-30}))
while [ "$SECONDS" -lt "$end" ] || [ $((primaries % 3)) -ne 0 ]; do
	for how in kill stop cut; do
		fail_primary "$how"
		guest_goes_on verified
	done
done
end_guest
note "$(grep -c '^verified' "$work/console") times verified; $primaries primaries failed"
