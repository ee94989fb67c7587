#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A data base in a guest, whose transactions are durable when they are answered (sqlite, synchronous=FULL), on a replicated disk
# whose primary is killed again and again, for RDISK_SECONDS (60). Each commit is told on the guest's console after it was
# answered. The guest meets no error, and every transaction that was told is in the data base: in the guest, and in the image.

. "$(dirname "$0")/functions.sh"
# shellcheck source=guest_faults.sh
. "$(dirname "$0")/guest_faults.sh"

command -v sqlite3 >/dev/null || skip "there is no sqlite3 here (scripts/install-packages.sh)"
command -v debugfs >/dev/null || skip "there is no debugfs here (scripts/install-packages.sh)"
up 3 --size 64M --no-power-log --set lease_ms=500

# The rollback journal, and a log that is written ahead; what a row holds follows from its number.
cat >"$work/sqlite.sh" <<'GUEST'
statements() {
	local number=0

	echo ".bail on"
	echo "PRAGMA journal_mode = $1; PRAGMA synchronous = FULL;"
	echo "CREATE TABLE row (number INTEGER PRIMARY KEY, contents TEXT);"
	while [ ! -e "$folder/end" ]; do
		number=$((number + 1))
		echo "INSERT INTO row VALUES ($number, printf('%0*d', 1 + $number % 3000, $number));"
		echo "SELECT '$1 ' || $number;"
	done
}

for mode in delete wal; do
	statements "$mode" | sqlite3 "/tmp/mnt/$mode.db" &
done
wait -n
wait -n
sync
echo 3 >/proc/sys/vm/drop_caches
for mode in delete wal; do
	[ "$(sqlite3 "/tmp/mnt/$mode.db" 'PRAGMA integrity_check')" = ok ]
	# Also puts the log's contents into the data base.
	sqlite3 "/tmp/mnt/$mode.db" 'PRAGMA journal_mode = delete' >/dev/null
	echo "rows of $mode: $(sqlite3 "/tmp/mnt/$mode.db" 'SELECT count(*) FROM row')"
done
GUEST

begin_guest A "$work/sqlite.sh"
await_guest "delete 1"
await_guest "wal 1"
end=$((SECONDS + ${RDISK_SECONDS:-60}))
while [ "$SECONDS" -lt "$end" ]; do
	fail_primary kill
	guest_goes_on delete
	guest_goes_on wal
done
end_guest

tr -d '\r' <"$work/console" >"$work/words"
for mode in delete wal; do
	debugfs -R "dump /$mode.db $work/$mode.db" "$work/set/B/disk.img" 2>"$work/debugfs.log"
	[ "$(sqlite3 "$work/$mode.db" 'PRAGMA integrity_check')" = ok ] || fail "$mode.db of the image is damaged"
	sqlite3 "$work/$mode.db" "SELECT number FROM row WHERE contents = printf('%0*d', 1 + number % 3000, number)" |
		sort >"$work/$mode.there"
	sed -n "s/^$mode \([0-9]*\)$/\1/p" "$work/words" | sort >"$work/$mode.told"
	[ -s "$work/$mode.told" ] || fail "no commit was told"
	lost=$(comm -23 "$work/$mode.told" "$work/$mode.there" | paste -sd ' ')
	[ -z "$lost" ] || fail "$mode: transactions that were answered are lost: $lost"
	note "$mode: $(wc -l <"$work/$mode.told") transactions, all there; $primaries primaries killed"
done
