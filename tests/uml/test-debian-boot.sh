#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A Debian system is unpacked onto /dev/rdiska and boots from root=/dev/rdiska to its login prompt; root logs in on the
# console and powers it off; the file system is clean then. Twice, so that what the first boot wrote is booted too.

. "$(dirname "${BASH_SOURCE[0]}")/functions.sh"

status=0
archive=$("$test_directory/debian-tar.sh") || status=$?
[ "$status" -ne 77 ] || skip "no Debian system can be made here"
[ "$status" -eq 0 ] || fail "making a Debian system failed"

write_config "$(device disk 1G)"
start_rdisk
run_guest debian-boot.sh "$archive"
check_image "$work/disk.img"

# await_word PATTERN: reads the console up to a word that ends in a blank and matches; prompts end in one, not in a line.
await_word() {
	local word

	while read -r -t 240 -d ' ' word <&"$console"; do
		printf '%s ' "$word" >&2
		# shellcheck disable=SC2053 # it is a pattern
		[[ $word != $1 ]] || return 0
	done
	fail "the console did not say $1"
}

for round in 1 2; do
	mkfifo "$work/stdin" "$work/stdout"
	"$repository/scripts/run-uml.sh" --timeout 240 --stdin --append "dcid=0 uml_ep=-2 rd_ep=3" --root /dev/rdiska \
		<"$work/stdin" >"$work/stdout" 2>&1 &
	guest=$!
	started+=("$guest")
	exec {keyboard}>"$work/stdin" {console}<"$work/stdout"
	await_word '*login:'
	note "round $round: login prompt"
	echo root >&"$keyboard"
	await_word '*#'
	echo "echo round-$round >>/root/rounds; sync; poweroff" >&"$keyboard"
	finish_guest "$guest" "$console" >"$work/console" 2>&1 || { cat "$work/console"; fail "round $round: the guest ended with status $?"; }
	grep -q -E 'Power down|System halted' "$work/console" || { cat "$work/console"; fail "round $round: it did not power off"; }
	exec {keyboard}>&- {console}<&-
	rm "$work/stdin" "$work/stdout"
	check_image "$work/disk.img"
	! dumpe2fs -h "$work/disk.img" 2>/dev/null | grep needs_recovery >/dev/null || fail "round $round: the file system was not unmounted"
done
stop_rdisk
[ "$(debugfs -R 'cat /root/rounds' "$work/disk.img" 2>/dev/null)" = $'round-1\nround-2' ] || fail "what root wrote is not on the disk"
