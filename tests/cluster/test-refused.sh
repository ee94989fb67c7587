#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Wrong state and wrong input: state that was damaged or cut, is another set's, another member's, of a newer version; two members with
# one number; configuration files that differ; a wrong key, none, and garbage at the port. Either a member does not start and says
# what to do, or it takes no part until it is well again; the others go on, and nothing is overwritten.

. "$(dirname "$0")/functions.sh"
# shellcheck source=histories.sh
. "$(dirname "$0")/histories.sh"

seed=9 hosts=(A B C) images=(A B)
state=$work/set/B/state/cluster

client() {
	start_client "$1" --depth 4 --pace 3000000 --length 262144
}

begin_histories
up 3 --diskless C --shared --group beacons --no-power-log --size 4M --set lease_ms=500
client A
goes_on() {
	has_answer "$nr_clients" "$1"
}
await "the client is not answered" goes_on "$(now)"

sums() {
	(cd "$work/set/B" && find disk.img state -type f ! -name lock -exec sha256sum {} + | sort)
}

# is_unchanged SUMS: what there was then.
is_unchanged() {
	(cd "$work/set/B" && sha256sum --check --quiet <<<"$1") || fail "something was overwritten"
}

# off: B is, with its files as they are; they are kept.
off() {
	cluster kill B
	cluster wait B=outdated
	rm -rf "$work/kept"
	cp -a --sparse=always "$work/set/B" "$work/kept"
}

# as_kept: B's files are what they were when it went off.
as_kept() {
	local file

	for file in disk.img rdisk.cfg key; do
		cp -a --sparse=always "$work/kept/$file" "$work/set/B/$file"
	done
	rm -rf "$work/set/B/state"
	cp -a "$work/kept/state" "$work/set/B/state"
}

# last_words: of B.
last_words() {
	grep '^rdisk: ' "$work/set/B/rdisk.log" | tail -n 1
}

# refuses_to_start PATTERN [ARGUMENT...]: with exit status 1 and these words; its files are as they were.
refuses_to_start() {
	local before from

	from=$(stat -c %s "$work/set/B/rdisk.log")
	before=$(sums)
	expect 1 start B rdisk "${@:2}" 2>>"$work/words"
	says B "$from" "$1" || fail "it does not speak of \"$1\", but says: $(last_words)"
	note "it says: $(tail -c "+$((from + 1))" "$work/set/B/rdisk.log" | grep -m 1 "$1")"
	[ "$(tail -n 1 "$work/set/B/rdisk.status")" = 1 ] || fail "it ended with status $(tail -n 1 "$work/set/B/rdisk.status"), not 1"
	is_unchanged "$before"
	[ "$(sums)" = "$before" ] || fail "something came that was not there: $(diff <(echo "$before") <(sums))"
	await "the client is not answered" goes_on "$(now)"
}

# is_well: all are in sync and equal; nobody writes while that is looked at.
is_well() {
	cluster wait in-sync
	end_clients
	check_images
	client A
	await "the client is not answered" goes_on "$(now)"
}

comes_back() {
	cluster start B
	is_well
}

# says HOST FROM PATTERN: its log does, after byte FROM.
says() {
	tail -c "+$(($2 + 1))" "$work/set/$1/rdisk.log" | grep -q "$3"
}

# takes_no_part PATTERN: B refuses to start, or starts, is refused by the others and has nothing to do with them; one of them or
# itself says so in these words. Its image and maps are as they were; its slots are its own.
takes_no_part() {
	local from before status=0

	from=$(stat -c %s "$work/set/B/rdisk.log")
	before=$(sums | grep -v slot-)
	cluster start B 2>>"$work/words" || status=$?
	await "\"$1\" is not said" says B "$from" "$1"
	note "status $status; it says: $(tail -c "+$((from + 1))" "$work/set/B/rdisk.log" | grep -m 1 "$1")"
	await "the client is not answered" goes_on "$(now)"
	[ "$status" -ne 0 ] || { expect_field '.members[] | select(.name == "b") | .state' outdated; cluster kill B; }
	is_unchanged "$before"
}

# change_byte FILE OFFSET
change_byte() {
	local old

	old=$(od -An -tu1 -j "$2" -N 1 "$1")
	# shellcheck disable=SC2059 # the format is the byte
	printf "\\x$(printf '%02x' $((old ^ 0x55)))" | dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}

note "one slot is damaged: the other one makes it good"
off
change_byte "$state/slot-0" 100
comes_back

note "one slot is cut"
off
truncate -s 100 "$state/slot-1"
comes_back

note "both slots are damaged"
off
change_byte "$state/slot-0" 100
change_byte "$state/slot-1" 100
before=$(sums)
status=0
cluster start B 2>>"$work/words" || status=$?
if [ "$status" -eq 1 ]; then
	note "it says: $(last_words)"
	[ "$(sums)" = "$before" ] || fail "something was overwritten"
	rm -rf "$work/set/B/state"
	cluster start B
fi
is_well

note "sectors of the maps are damaged: their blocks count as missing"
off
for file in "$state"/log-disk "$state"/bits-disk-*; do
	[ ! -s "$file" ] || change_byte "$file" 50
done
comes_back

note "the maps are cut: what is missing counts as missing blocks"
off
for file in "$state"/log-disk "$state"/bits-disk-*; do
	[ ! -s "$file" ] || truncate -s 100 "$file"
done
comes_back

note "the state of another set"
off
sed -i 's/set = "cluster"/set = "other"/' "$work/set/B/rdisk.cfg"
mv "$state" "$work/set/B/state/other"
from=$(stat -c %s "$work/set/B/rdisk.log")
status=0
cluster start B 2>>"$work/words" || status=$?
[ "$status" -ne 0 ] || await "nobody says that the set is another" says B "$from" 'set'
await "the client is not answered" goes_on "$(now)"
[ "$status" -ne 0 ] || { sleep 2; expect_field '.members[] | select(.name == "b") | .connected' false; cluster kill B; }
note "it says: $(last_words)"
as_kept
comes_back

note "the state of a set of the same name"
off
other=$work/other
cluster --dir "$other" up 3 --while $$ --diskless C --group beacons --no-power-log --size 4M
cluster --dir "$other" kill B
rm -rf "$work/set/B/state"
cp -a "$other/B/state" "$work/set/B/state"
cluster --dir "$other" down
takes_no_part 'refused: .*another replica set'
as_kept
comes_back

note "the state of another member"
off
rm -rf "$work/set/B/state"
cp -a "$work/set/A/state" "$work/set/B/state"
from=$(stat -c %s "$work/set/B/rdisk.log")
status=0
cluster start B 2>>"$work/words" || status=$?
note "status $status; it says: $(last_words)"
await "the client is not answered" goes_on "$(now)"
[ "$status" -ne 0 ] || cluster kill B
as_kept
comes_back

note "the image of another disk"
off
head -c 4M /dev/zero >"$work/set/B/disk.img.new"
mv "$work/set/B/disk.img.new" "$work/set/B/disk.img"
comes_back

note "an image that is too small"
off
truncate -s 2M "$work/set/B/disk.img"
before=$(sums)
status=0
cluster start B 2>>"$work/words" || status=$?
note "status $status; it says: $(last_words)"
await "the client is not answered" goes_on "$(now)"
expect 3 wait --timeout 5 in-sync
[ "$status" -ne 0 ] || cluster kill B
as_kept
comes_back

note "a slot of a newer version"
off
for slot in "$state"/slot-0 "$state"/slot-1; do
	"$tools/slot_version" "$slot" 99
done
refuses_to_start 'version'
as_kept
comes_back

note "two members with one number: b is on C's host as well"
cluster kill C
mkdir "$work/set/C/double"
cp -p "$work/set/B/key" "$work/set/C/double/key"
sed 's/"10\.77\.0\.3"/"10.77.0.4"/; s/"10\.77\.0\.2"/"10.77.0.3"/' "$work/set/B/rdisk.cfg" >"$work/set/C/double/rdisk.cfg"
status=0
cluster exec C -- env "DVK_RUNTIME_DIR=$work/set/C/node" timeout 8 rdisk -d 1 -e 3 -c "$work/set/C/double/rdisk.cfg" --node b \
	--boot-id-file "$work/set/C/boot-id" >"$work/double.log" 2>&1 || status=$?
note "status $status; it says: $(grep -m 1 'warning' "$work/double.log")"
grep -q 'warning: .*node 1 .*10.77.0.1' "$work/double.log" || fail "it is not told that it is refused"
! grep -q 'this member serves\|brought up' "$work/double.log" || fail "it takes part"
await "the client is not answered" goes_on "$(now)"
expect_field '.members[] | select(.name == "b") | .state' in-sync
cluster start C
is_well

note "configuration files that differ: the list of members"
off
sed -i 's/{ node = 3; name = "c";/{ node = 4; name = "c";/' "$work/set/B/rdisk.cfg"
refuses_to_start 'put the list of members back'
as_kept
comes_back

note "configuration files that differ: the lease"
off
sed -i 's/lease_ms = 500/lease_ms = 900/' "$work/set/B/rdisk.cfg"
from=$(stat -c %s "$work/set/B/rdisk.log")
cluster start B
await "it is not said that the leases differ" says B "$from" 'refused: .*lease_ms'
expect 3 wait --timeout 3 in-sync
# not_dead HOST NODE: who is refused is there all the same, and may not be given up.
not_dead() {
	! cluster exec "$1" -- rdiskctl force-primary --dead "$2" --yes 2>"$work/words" || fail "a primary was forced beside one that serves"
	grep -q "force-primary: .* is not dead: .*lease_ms" "$work/words" || fail "the order is refused with other words: $(cat "$work/words")"
}
not_dead B a,c
not_dead A b
show_status A
grep -q '^- b is there, and does not get on with this member: its members, devices or lease_ms are others' "$work/words" ||
	fail "rdiskctl status says: $(cat "$work/words")"
cluster kill B
note "it says: $(last_words)"
as_kept
comes_back

note "configuration files that differ: who has an image"
off
sed -i 's/\(name = "c";.*diskless = \)true/\1false/' "$work/set/B/rdisk.cfg"
refuses_to_start 'which of them are diskless'
rm -rf "$state"
takes_no_part 'configuration files'
as_kept
comes_back

note "configuration files that differ: the devices"
off
sed -i 's/^  { name = "disk".*/&,\n  { name = "second"; image_type = "FILE_IMAGE"; image_file = "second.img"; size = "4M"; replicated = true; }/' \
	"$work/set/B/rdisk.cfg"
refuses_to_start 'another number of devices'
rm -rf "$state"
takes_no_part 'configuration files'
rm -f "$work/set/B/second.img"
as_kept
comes_back

note "configuration files that differ: a disk's size"
off
sed -i 's/size = "4M"/size = "8M"/' "$work/set/B/rdisk.cfg"
takes_no_part 'size'
as_kept
comes_back

note "one that does without a key"
off
sed -i 's/key_file = .*/insecure = true;/' "$work/set/B/rdisk.cfg"
takes_no_part 'key'
as_kept
comes_back

note "a wrong key"
off
rdiskctl=$bin/rdiskctl
rm "$work/set/B/key"
"$rdiskctl" keygen "$work/set/B/key" 2>>"$work/words"
from=$(stat -c %s "$work/set/B/rdisk.log")
cluster start B
await "it is not said that the key is wrong" says B "$from" 'key'
expect_field '.members[] | select(.name == "b") | .connected' false
await "the client is not answered" goes_on "$(now)"
grep -m 1 'key' <(tail -c "+$((from + 1))" "$work/set/B/rdisk.log") >&2
# The others are there, though none of them is seen: B may not go on without them.
told_of_key() {
	# Its exit status, which is not looked at, says that nobody serves.
	{ cluster exec B -- rdiskctl --json status || true; } |
		jq -e '[.members[] | select(.name != "b") | .link // "" | contains("key")] | all' >/dev/null
}
await "the status does not tell of the key" told_of_key
! cluster exec B -- rdiskctl force-primary --dead a,c --yes 2>"$work/words" || fail "a primary was forced beside one that serves"
grep 'is not dead' "$work/words" >&2 || fail "the order is refused with other words: $(cat "$work/words")"
cluster kill B

note "a key that others can read; none"
chmod 644 "$work/set/B/key"
refuses_to_start 'key'
rm "$work/set/B/key"
refuses_to_start 'key'
as_kept
comes_back

note "garbage at the port"
for input in 'head -c 100000 /dev/urandom' 'head -c 100000 /dev/zero' 'printf GET' "yes 'GET / HTTP/1.1'"; do
	for host in A B C; do
		cluster exec C -- timeout 5 bash -c "exec 3<>/dev/tcp/10.77.0.$(($(printf '%d' "'$host") - 64))/7300; $input | head -c 1000000 >&3" \
			2>/dev/null || true
	done
done
for ((count = 0; count < 64; count++)); do
	cluster exec A -- timeout 5 bash -c 'exec 3<>/dev/tcp/10.77.0.2/7300; exec 4<>/dev/tcp/10.77.0.2/7300; read -r -t 0.05 -u 3' 2>/dev/null || true
done
await "the client is not answered" goes_on "$(now)"
cluster wait in-sync

end_clients
sweep_all 262144
check_images
note "$(check_history)"
