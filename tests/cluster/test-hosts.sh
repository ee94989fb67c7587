#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# cluster.sh: hosts and what runs on them; commands and their exit status; nothing is left behind.

. "$(dirname "$0")/functions.sh"

expect 2
expect 2 nonsense
expect 2 up
expect 2 up 9
expect 2 up 2 --size big
expect 2 up 2 --set lease
expect 2 up 2 --diskless C
expect 1 status
expect 1 exec A -- true
expect 2 status --yaml
expect 2 exec A true
expect 2 kill A nonsense

note "what is no folder"
# no_folder PATTERN ARGUMENT...: cluster.sh says so of --dir.
no_folder() {
	local status=0

	"$repository/scripts/cluster.sh" --dir "${@:2}" 2>"$work/words" || status=$?
	[ "$status" -eq 2 ] || fail "--dir ${*:2} ends with $status"
	grep -q "^cluster.sh: --dir needs a folder$1" "$work/words" || fail "--dir ${*:2} says: $(cat "$work/words")"
}
no_folder ' (--help)$'
no_folder ' (--help)$' ''
no_folder ' (--help)$' --help
no_folder ' before up; ' up 2

note "settings that rdisk does not know"
# refused PATTERN ARGUMENT...: up says so, and leaves nothing.
refused() {
	expect 2 up 3 "${@:2}" 2>"$work/words"
	grep -q "^cluster.sh: up: $1 (--help)$" "$work/words" || fail "up 3 ${*:2} says: $(cat "$work/words")"
	[ ! -e "$work/set" ] || fail "it leaves: $(ls -R "$work/set")"
}
if [ "$(id -u)" -ne 0 ] && unshare --user --map-root-user true 2>/dev/null; then
	refused 'unknown setting "nonsense" of replication' --group beacons --set nonsense=1
	refused 'lease_ms 1 is out of range, .*' --group beacons --set lease_ms=1
	refused 'group "zookeeper" is neither .*' --set group=zookeeper
	refused 'all members are diskless: .*' --group beacons --diskless A --diskless B --diskless C
fi

note "where the machine does not allow hosts"
# cannot PATTERN COMMAND...: up, started by that, says why it cannot, and leaves nothing.
cannot() {
	local status=0

	"${@:2}" "$repository/scripts/cluster.sh" up 2 --unreplicated 2>"$work/words" || status=$?
	[ "$status" -eq 77 ] || fail "${*:2} cluster.sh up ended with status $status, not 77: $(cat "$work/words")"
	grep -q "^cluster.sh: up: $1" "$work/words" || fail "it says: $(cat "$work/words")"
	[ ! -e "$work/set" ] || fail "it leaves: $(ls -R "$work/set")"
}
if unshare --user --map-root-user true 2>/dev/null; then
	# shellcheck disable=SC2016 # the inner shell expands these
	cannot 'user namespaces cannot be made here' unshare --user --map-root-user \
		bash -c 'echo 0 >/proc/sys/user/max_user_namespaces && exec "$@"' bash
fi
mkdir "$work/programs"
printf '#!/bin/sh\nexit 1\n' >"$work/programs/ip"
chmod +x "$work/programs/ip"
cannot 'this kernel has no bridge' env "PATH=$work/programs:$PATH"
rm "$work/programs/ip"
for program in bash basename cat cut dirname find grep id mkdir readlink rm sed tail unshare nsenter setpriv ip; do
	ln -s "$(command -v "$program")" "$work/programs/$program"
done
cannot 'there is no jq here' env "PATH=$work/programs"

up 2 --unreplicated --size 16M --own-clocks
for host in A B; do
	for file in rdisk.cfg disk.img node rdisk.pid rdisk.log boot-id; do
		[ -e "$work/set/$host/$file" ] || fail "there is no $host/$file"
	done
done
note "the pid of a server is that of a process that is seen outside"
[ "$(readlink "/proc/$(cat "$work/set/A/rdisk.pid")/exe")" = "$(readlink -f "$bin/rdisk")" ] || fail "A/rdisk.pid is not rdisk's"
expect 1 up 2 --unreplicated

note "what is wrong with a command is an error of usage, whatever there is of the set"
# is_usage ARGUMENT...: an error of usage that names the command.
is_usage() {
	expect 2 "$@" 2>"$work/words"
	grep -q "^cluster.sh: $1[: ].*(--help)$" "$work/words" || fail "cluster.sh $* says: $(cat "$work/words")"
}
wrong_usage() {
	is_usage up
	is_usage up 8
	is_usage up 2 --nonsense
	is_usage up 2 --nonsense value
	is_usage up 2 --timeout 0
	is_usage up 2 --group zookeeper
	is_usage up 2 nonsense
	for option in --diskless --size --set --group --timeout --while; do
		is_usage up 2 "$option"
		grep -qe "$option needs a value" "$work/words" || fail "up 2 $option says: $(cat "$work/words")"
	done
	is_usage up 2 --while 4194305
	is_usage up 2 --set members=2
	is_usage up 2 --group beacons --set group=corosync
	is_usage up 2 --unreplicated --set lease_ms=500
	is_usage up 2 --unreplicated --diskless B
	is_usage down --nonsense
	is_usage exec A
	is_usage exec A true
	is_usage exec Z -- true
	is_usage guest
	is_usage guest A
	is_usage guest A --
	is_usage guest Z -- true
	for command in kill stop cont start; do
		is_usage "$command"
		is_usage "$command" Z
		is_usage "$command" A nonsense
		is_usage "$command" A host nonsense
		is_usage "$command" A corosync --env A=B
	done
	is_usage kill A --env A=B
	is_usage start A --env
	is_usage start A rdisk --env nonsense
	is_usage start A rdisk nonsense
	is_usage power
	is_usage power A host
	is_usage clock
	is_usage clock A
	is_usage clock Z 1
	is_usage clock A 1.5
	is_usage clock A 1 2
	is_usage cut
	is_usage cut A A
	is_usage cut A --one-way
	is_usage cut A B --both
	is_usage cut A B --one-way nonsense
	is_usage heal A B
	is_usage heal Z
	is_usage wait
	is_usage wait --timeout
	is_usage wait A=nonsense
	is_usage wait in-sync primary
	is_usage status --yaml
	is_usage status --json nonsense
}
wrong_usage
cluster kill A host
wrong_usage
cluster start A host

note "commands on hosts"
expect 0 exec A -- true
expect 7 exec B -- bash -c 'exit 7'
expect 143 exec B -- bash -c 'kill -TERM $$'
expect 2 exec C -- true
expect 2 exec A true
[ "$(cluster exec A -- hostname) $(cluster exec B -- hostname)" = "A B" ] || fail "the hosts have other names"
[ "$(cluster exec A -- cat <<<'what is read')" = "what is read" ] || fail "a command on a host does not read what it is given"
[ "$(cd "$work" && cluster exec A -- pwd)" = "$work" ] || fail "a command on a host is in another directory"
cluster exec A -- bash -c 'echo mine >/run/mine; echo mine >/dev/shm/mine'
expect 1 exec B -- cat /run/mine
expect 1 exec B -- cat /dev/shm/mine
[ "$(cluster exec A -- cat /run/mine)" = mine ] || fail "/run of a host forgets"
cluster exec A -- dvkctl procs -d 0 | grep -q rdisk || fail "dvkctl finds no rdisk on A"

note "clocks"
# ahead HOST: of the machine's clock, in minutes.
ahead() {
	echo $((($(cluster exec "$1" -- date +%s) - $(date +%s) + 30000030) / 60 - 500000))
}
cluster clock A -3600
cluster clock B +0086400
[ "$(ahead A) $(ahead B)" = "-60 1440" ] || fail "clocks are $(ahead A) and $(ahead B) minutes ahead"
cluster clock A 0
[ "$(ahead A) $(ahead B)" = "0 1440" ] || fail "clocks are $(ahead A) and $(ahead B) minutes ahead"

note "a command ends with who called for it"
# Not by the function: what is killed is to be cluster.sh, and not a shell that has started it.
"$repository/scripts/cluster.sh" exec A -- bash -c 'echo $$ >/run/sleeper; exec sleep 1000' &
caller=$!
# shellcheck disable=SC2016 # the inner shells expand these
sleeps() {
	[ "$(cluster exec A -- bash -c '[ -s /run/sleeper ] && cat /proc/$(cat /run/sleeper)/comm')" = sleep ]
}
# shellcheck disable=SC2016
has_ended() {
	cluster exec A -- bash -c '[ ! -d /proc/$(cat /run/sleeper) ]'
}
await "the command does not run" sleeps
kill -KILL "$caller"
wait "$caller" 2>/dev/null || true
await "the command goes on" has_ended

note "servers are stopped, killed and started"
cluster stop A
expect_field '.hosts[0].rdisk' stopped
cluster cont A
expect_field '.hosts[0].rdisk' running
before=$(cat "$work/set/A/rdisk.pid")
cluster kill A rdisk
expect_field '.hosts[0].rdisk' off
[ ! -d "/proc/$before" ] || fail "the killed server is there"
expect_field '.hosts[1].rdisk' running
expect 1 kill A
expect 1 stop A
cluster start A
expect_field '.hosts[0].rdisk' running
expect 1 start A
expect 2 kill A nonsense
expect 2 kill
expect 2 power A B
expect 1 kill A corosync
cluster kill A
cluster start A rdisk --env RDISK_TEST=told -- -v
tr '\0' '\n' <"/proc/$(cat "$work/set/A/rdisk.pid")/environ" | grep -qx RDISK_TEST=told || fail "--env is not heeded"
tr '\0' '\n' <"/proc/$(cat "$work/set/A/rdisk.pid")/cmdline" | grep -qx -e -v || fail "arguments are not heeded"

note "whole hosts are stopped, killed and started"
cluster exec B -- sleep 1001 &
await "the command does not run" cluster exec B -- pgrep -fx 'sleep 1001' >/dev/null
cluster stop B host
expect_field '.hosts[1].rdisk' stopped
cluster cont B host
expect_field '.hosts[1].rdisk' running
boot=$(cat "$work/set/B/boot-id")
cluster kill B host
wait $! 2>/dev/null || true
expect_field '.hosts[1].on' false
expect 1 kill B host
expect 1 start B
expect 1 exec B -- true
! pgrep -u "$(id -u)" -fx 'sleep 1001' >/dev/null || fail "a process of the killed host is there"
cluster start B host
expect_field '.hosts[1].rdisk' running
expect 1 start B host
[ "$(cat "$work/set/B/boot-id")" = "$boot" ] || fail "a host that did not lose its power has another boot id"
expect 1 exec B -- cat /run/mine

note "a set whose holder has ended"
kill -KILL "$holder"
await "the holder does not end" no_processes
wrong_usage
expect 1 status
expect 1 up 2 --unreplicated

note "nothing is left"
cluster down
wrong_usage
[ ! -e "$work/set" ] || fail "left: $(ls -R "$work/set")"
no_processes || fail "left: $(ps -o args= -p "$(processes | paste -sd ,)")"
cluster down

note "kept folders are used again, and folders that were there before are kept"
up 1 --unreplicated --size 16M
echo kept | dd of="$work/set/A/disk.img" conv=notrunc status=none
cluster down --keep
[ -e "$work/set/A/disk.img" ] || fail "down --keep removes the image"
expect 1 up 1 --unreplicated --size 8M 2>"$work/words"
grep -q "disk.img is there and has 16777216 bytes, the disk is to have 8M" "$work/words" || fail "up says: $(cat "$work/words")"
# Its size is that of the image.
up 1 --unreplicated
expect 1 clock A 1
[ "$(head -c 4 "$work/set/A/disk.img")" = kept ] || fail "up makes a new image in a folder that was kept"
cluster down
[ -e "$work/set/A/disk.img" ] || fail "down removes a folder that was there before up"
no_processes || fail "left: $(ps -o args= -p "$(processes | paste -sd ,)")"
