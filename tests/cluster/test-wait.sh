#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# cluster.sh's wait and status, and what up waits for: by a rdisk and a rdiskctl that the test has written. rdiskctl says what
# is in the file `status` of the host's folder, and that something happened when anybody writes to `events`.

. "$(dirname "$0")/functions.sh"

mkdir -p "$work/programs/bin"
export RDISK_BIN=$work/programs/bin
cat >"$RDISK_BIN/rdisk" <<'END'
#!/bin/bash
# As a member of a set does: where it is, it says.
echo "rdisk: ready $*"
exec sleep infinity
END
cat >"$RDISK_BIN/rdiskctl" <<'END'
#!/bin/bash
[ "$1" != keygen ] || { echo key >"$2"; exit 0; }
folder=$(dirname "$2")
case "$*" in
"-c $folder/rdisk.cfg --json status")
	[ -e "$folder/status" ] || exit 3
	cat "$folder/status"
	exit "$(cat "$folder/code" 2>/dev/null || echo 0)"
	;;
"-c $folder/rdisk.cfg check-config") exit 0 ;;
"-c $folder/rdisk.cfg --json events") exec cat <>"$folder/events" ;;
esac
exit 2
END
chmod +x "$RDISK_BIN"/*

# say HOST PRIMARY SERVING STATE-OF-B: what the member there knows.
say() {
	jq -nc --argjson primary "$2" --argjson serving "$3" --arg state "$4" '{version: 1, set: "cluster", node: 1,
		primary: $primary, serving: $serving, blocked: null, members: [
		{name: "a", node: 1, diskless: false, role: "primary", state: "in-sync"},
		{name: "b", node: 2, diskless: false, role: "backup", state: $state},
		{name: "c", node: 3, diskless: true, role: "diskless", state: "unknown"}]}' >"$work/set/$1/status.new"
	mv "$work/set/$1/status.new" "$work/set/$1/status"
}

for host in A B C; do
	mkdir -p "$work/set/$host"
	mkfifo "$work/set/$host/events"
done
note "up waits until all with images are in sync, but no longer than it is told"
say A '"a"' true resyncing
expect 3 up 3 --diskless C --no-power-log --group beacons --timeout 2
[ ! -e "$work/set/holder" ] || fail "a set that did not come up is there"
say A '"a"' true in-sync
up 3 --diskless C --no-power-log --group beacons --set lease_ms=500 --set on_no_quorum=error --set insecure=true
for line in 'node = 3; name = "c"; address = "10.77.0.3"; port = 7300; diskless = true;' 'lease_ms = 500;' \
	'on_no_quorum = "error";' 'insecure = true;' 'group = "beacons";' 'replicated = true;' 'state_dir = "state";'; do
	grep -qF "$line" "$work/set/B/rdisk.cfg" || fail "rdisk.cfg does not have $line"
done
for host in B C; do
	cmp "$work/set/A/rdisk.cfg" "$work/set/$host/rdisk.cfg" || fail "$host has another configuration"
done
tr '\0' ' ' <"/proc/$(cat "$work/set/B/rdisk.pid")/cmdline" | grep -q sleep || fail "B's rdisk does not run"
grep -q -e "ready -d 0 -e 3 -c $work/set/B/rdisk.cfg --node b --boot-id-file $work/set/B/boot-id" "$work/set/B/rdisk.log" ||
	fail "B's rdisk has other arguments"
expect 0 wait primary
expect 0 wait in-sync
expect 0 wait B=in-sync
expect 0 wait --timeout 5 b=backup
expect 3 wait --timeout 0 B=resyncing
expect 2 wait B=asleep
expect 2 wait D=in-sync
expect 2 wait nonsense
expect 2 wait
expect 2 wait --timeout soon primary

note "a primary that does not serve, or that only others take for one, is none"
say A '"a"' false in-sync
echo 5 >"$work/set/A/code"
expect 3 wait --timeout 0 primary
say A null true in-sync
say B '"a"' true in-sync
expect 3 wait --timeout 0 primary
expect 3 wait --timeout 0 in-sync
expect_field '.primary' null
expect_field '.serving' false

note "a member that is stopped, and one that is not there, say nothing"
say A '"a"' true in-sync
echo 4 >"$work/set/A/code"
expect 0 wait --timeout 0 primary
cluster stop A
expect 3 wait --timeout 0 primary
cluster cont A
expect 0 wait --timeout 0 primary
cluster kill A
expect 3 wait --timeout 0 primary
cluster start A
say A '"a"' true in-sync
expect_field '.serving, .members[1].state, .hosts[2].rdisk' $'true\nin-sync\nrunning'

note "what happens ends a wait"
say A '"a"' true resyncing
cluster wait --timeout 60 in-sync &
waiting=$!
# The second descriptor stays: nobody has to listen yet.
exec 3<>"$work/set/A/events"
say A '"a"' true in-sync
echo '{"event": "member"}' >&3
wait "$waiting" || fail "it was not told"
