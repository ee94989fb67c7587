#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Views of corosync (rdisk-server/replication/group.h) by its real daemons, on three hosts.

. "$(dirname "$0")/functions.sh"

command -v corosync >/dev/null || skip "no corosync"
up 3 --unreplicated --size 16M --group corosync

# await_view NAME VIEW: it comes, whatever comes before.
await_view() {
	local line

	while read -r -t 60 line <&"${out[$1]}"; do
		[ "$line" != "$2" ] || return 0
		note "$1: $line"
	done
	fail "$1: the view \"$2\" did not come"
}

# watch NAME HOST NODE
watch() {
	start_program "$1" "$2" "$tools/group_watch" disks "$3" 1 2 3
}

watch a A 1
await_view a "view quorate 1"
watch b B 2
watch c C 3
for name in a b c; do
	await_view "$name" "view quorate 1 2 3"
done

note "a member ends"
echo end >&"${in[c]}"
await_view a "view quorate 1 2"
watch again C 3
await_view a "view quorate 1 2 3"
await_view again "view quorate 1 2 3"

note "a host is cut off"
cluster cut B
await_view b "view alone 2"
await_view a "view quorate 1 3"
cluster heal
await_view b "view quorate 1 2 3"
await_view a "view quorate 1 2 3"

note "a daemon is killed, and returns"
cluster kill A corosync
await_view a none
await_view b "view quorate 2 3"
cluster start A corosync
await_view a "view quorate 1 2 3"
await_view b "view quorate 1 2 3"

note "a daemon hangs: its member does not wait for it to end"
cluster stop A corosync
await_view b "view quorate 2 3"
echo end >&"${in[a]}"
await_end() {
	cluster exec A -- bash -c '! pgrep -x group_watch >/dev/null'
}
await "the member waits for the daemon" await_end
cluster cont A corosync

note "another member there; that the first has ended corosync 3.1.7 may forget to say, so nobody waits for it"
watch later A 1
await_view later "view quorate 1 2 3"

note "the power of a host is cut"
cluster power C
await_view b "view quorate 1 2"
await_view later "view quorate 1 2"
