#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Shows where the time goes while a guest, or a client on the host, uses a server, as a table: the host's perf samples the guest's
# processes and the server with their call stacks, and bench/profile-table.pl sorts the stacks. The machine should be
# quiet. Needs Debian's linux-perf, and root or kernel.perf_event_paranoid = 1 or less, because most of the time is
# the host's kernel's.
#
# usage: profile.sh [OPTION]... JOB
#   read    fio: 4 KiB random reads (bench.sh's guest-read-1, or guest-read-32 and its like)
#   write   the same with writes
#   tree    untar, find, cp and rm of 10 000 files on a new ext4 (bench.sh's tree)
#   slow    no guest: a client on the host that reads beside another whose requests wait for a slow disk (bench.sh's slow)
#   --disk NAME     rdisk (the default), ubd or brd, a RAM disk in the guest
#   --depth N       of fio, requests in flight; 1 unless told
#   --seconds N     of fio, and of slow, 10 unless told
#   --processor N   keeps the guest on that one of the host's processors
#   --keep PREFIX   what perf recorded is left in PREFIX.guest (slow: of the clients) and PREFIX.server
# environment: RDISK_BIN  the directory of the programs, instead of building build/release
#              RDISK_KERNEL  the guest's kernel, instead of building it

set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
disk=rdisk seconds=10 depth=1 processor='' keep='' job='' size=512
declare -A devices=([rdisk]=/dev/rdiska [ubd]=/dev/ubda [brd]=/dev/ram0)

while [ $# -gt 0 ]; do
	case $1 in
	--disk) disk=${2:-}; shift $(($# > 1 ? 2 : 1)) ;;
	--seconds | --depth) declare "${1#--}=${2:-}"; shift $(($# > 1 ? 2 : 1)) ;;
	--processor) processor=${2:-}; shift $(($# > 1 ? 2 : 1)) ;;
	--keep) keep=${2:-}; shift $(($# > 1 ? 2 : 1)) ;;
	--help) sed -n '/^# usage:/,/^$/ s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; exit 0 ;;
	-*) die "unknown option $1 (--help)" ;;
	*) job=$1; shift ;;
	esac
done
[[ $job =~ ^(read|write|tree|slow)$ ]] || die "which job: read, write, tree or slow (--help)"
[ -n "${devices[$disk]:-}" ] || die "unknown disk \"$disk\" (--help)"
for number in "$seconds" "$depth"; do
	[[ $number =~ ^[1-9][0-9]{0,3}$ ]] || die "--seconds and --depth need a number from 1 to 9999"
done
paranoid=$(cat /proc/sys/kernel/perf_event_paranoid) || die "this kernel has no perf events"
[ "$(id -u)" -eq 0 ] || [ "$paranoid" -le 1 ] ||
	die "the host's kernel cannot be sampled: as root, sysctl kernel.perf_event_paranoid=1"

"$rdisk_root/scripts/install-packages.sh" bench
require_programs perf fio mkfs.ext4
rate=999 # samples of a second
bin=${RDISK_BIN:-$rdisk_root/build/release/bin}
if [ -z "${RDISK_BIN:-}" ]; then
	(cd "$rdisk_root" && cmake --preset release && cmake --build --preset release --target rdisk dvkd rdisk-bench-host) >&2
fi
[ "$job" = slow ] || RDISK_KERNEL=${RDISK_KERNEL:-$("$rdisk_root/scripts/build-uml.sh" | tail -n 1)}
export RDISK_KERNEL
. "$rdisk_root/bench/run-functions.sh"

sample=(perf record --quiet --freq "$rate" --call-graph fp)
guest_data=$work/guest.data
server_data=$work/server.data
if [ -n "$keep" ]; then
	guest_data=$keep.guest
	server_data=$keep.server
fi

# watch_server: records it until end_watch.
watch_server() {
	"${sample[@]}" --output "$server_data" --pid "$server" >&2 &
	watcher=$!
	running+=("$watcher")
}

end_watch() {
	kill -INT "$watcher"
	wait "$watcher" || true # perf ends as a signal ends it
}

# What both sides do from the start of the two clients on counts: that takes some ms of the seconds.
profile_slow() {
	local disk lacks

	disk=$(find_disk)
	lacks=$(slow_server_lacks "$disk")
	[ -z "$lacks" ] || die "$lacks"
	start_slow_server "$disk" 10
	watch_server
	"${sample[@]}" --output "$guest_data" -- "$bin/rdisk-bench-host" --rounds 1 --seconds "$seconds" beside >&2 &
	attend
	end_watch
	"$rdisk_root/bench/profile-table.pl" --slow "$seconds" "$rate" "$server" \
		<(perf script --input "$guest_data" --fields tid,ip,sym,dso --no-inline) \
		<(perf script --input "$server_data" --fields tid,ip,sym,dso --no-inline)
}

if [ "$job" = slow ]; then
	profile_slow
	exit 0
fi

truncate -s "${size}M" "$work/ubd.img"
start_server "$(device bench rdisk.img "${size}M")"
[ "$job" != tree ] || "$rdisk_root/bench/make-tree.sh" "$work/tree.tar" "$work"
mkfifo "$work/control" "$work/done"
exec {control}<>"$work/control" {done}<>"$work/done"

# perf COMMAND: tells the perf that watches the guest; waits until it has done so.
control_perf() {
	echo "$1" >&"$control"
	# The FIFO has no end, as this shell has it open: a perf that has died is known by its silence.
	read -r -t 10 <&"$done" || die "perf does not do what it is told: $1"
}

start "profile: begin" "${sample[@]}" --output "$guest_data" --delay=-1 --control="fifo:$work/control,$work/done" -- \
	"$rdisk_root/scripts/run-uml.sh" "${guest_options[@]}" --mem 1536M --timeout 600 --share "$work" \
	--append "$attached ubd0=$work/ubd.img brd.rd_size=$((size * 1024))" -- \
	"$rdisk_root/bench/guest-profile.sh" "$job" "$seconds" "$depth" "$work" "${devices[$disk]}"
guest=$pid
watch_server
control_perf enable
await "profile: end" || die "the guest ended before its job did"
control_perf disable
end_watch
drain
wait "$guest" || die "the guest failed"
"$rdisk_root/bench/profile-table.pl" <(perf script --input "$guest_data" --fields comm,ip,sym,dso --no-inline) \
	<(perf script --input "$server_data" --fields comm,ip,sym,dso --no-inline)
