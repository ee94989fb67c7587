#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Measures rdisk beside what else there is: ubd, a RAM disk and virtio's vhost-user-blk in a guest; nbdkit and plain
# pread() on the host, with traces of servers too; and how its cost grows. Installs what that takes, builds build/release and the guest's kernel, and
# leaves DIRECTORY/bench.json, bench.md (a table), bench.html (with plots) and the plots as SVG files.
# Disk images and sockets are on /dev/shm: no disk is measured (slow has one on a disk, and makes it slow). Let nothing
# else run meanwhile. About 20 minutes.
#
# usage: bench.sh [OPTION]... [DIRECTORY]
#   --only PART,...  only these parts; of the others what an earlier run left in DIRECTORY is used
#                    guest   fio on rdisk, ubd, RAM disk and vhost-user-blk in one guest
#                    tree    untar, find, cp and rm of 10 000 files in a guest, beside ubd and a RAM disk
#                    host    clients on the host beside nbdkit and pread
#                    slow    a client on the host while another's requests wait for a slow disk, beside the same alone
#                    replay  rdisk-replay of the traces of Debian's blkreplay-examples, beside nbdkit
#                    ipc     messages and copies without a disk
#                    idle    processor time of an idle server with a guest
#                    memory  memory of the server after reading 10 GiB
#                    scale   clients, devices, sizes, depths
#                    replicated  writes and reads of a set of three hosts, beside the least that replication can cost, a
#                            TCP round trip, and two NBD servers; what it costs beside that
#                    wait    what waking a process with several peers costs, by futexes and by descriptors; not among
#                            those that run unless told. Leaves wait.md. About 2 minutes
#   --alone          nothing that rdisk is compared with: only its own side of each part
#   --rounds N       rounds of each part, 5 unless told (replicated: 9): the report has the medians
#   --seconds N      of each measurement in the guest, 2 unless told
#   --processor N    keeps the guest of the parts guest and tree on that one of the host's processors
#   --busy N         N processes that only compute run meanwhile
#   --quick          one short round of all, to see that it works; the figures say little. About 2 minutes
#   --report         no measuring: write the report from what is in DIRECTORY
#   --plots PLOTS    the plots' SVG files go to this directory
#   DIRECTORY        build/bench unless told
# environment: RDISK_BIN  the directory of the programs, instead of building build/release
#              RDISK_KERNEL  the guest's kernel, instead of building it

set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
all_parts=(guest tree host slow replay ipc idle memory scale replicated wait)
parts=(guest tree host slow replay ipc idle memory scale replicated)
rounds=5 seconds=2 host_seconds=1 slow_seconds=0.5 slow_ms=10 wait_seconds=0.5 alone=0 idle_seconds=5 replicated_rounds=9 replicated_divisor=1 size=512 depths="1 2 4 8 16 32 64 128"
traces=(linux-mysql linux-webserver-1 linux-webserver-2 windows-mssql windows-shared-server) processor='' busy=0 plots='' directory=$rdisk_root/build/bench

need_number() {
	[[ ${2:-} =~ ^[1-9][0-9]{0,3}$ ]] || die "$1 needs a number from 1 to 9999"
}

while [ $# -gt 0 ]; do
	case $1 in
	--rounds) need_number "$@"; rounds=$2 replicated_rounds=$2; shift 2 ;;
	--seconds | --busy) need_number "$@"; declare "${1#--}=$2"; shift 2 ;;
	--processor) processor=${2:-}; shift $(($# > 1 ? 2 : 1)) ;;
	--only) IFS=, read -r -a parts <<<"${2:-}"; shift $(($# > 1 ? 2 : 1)) ;;
	--alone) alone=1; shift ;;
	--quick) rounds=1 replicated_rounds=1 seconds=1 host_seconds=0.1 slow_seconds=0.1 wait_seconds=0.05 idle_seconds=2 replicated_divisor=20 depths="1 32" traces=(linux-mysql); shift ;;
	--report) parts=(); shift ;;
	--plots) plots=${2:-}; shift $(($# > 1 ? 2 : 1)) ;;
	--help) sed -n '/^# usage:/,/^$/ s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; exit 0 ;;
	-*) die "unknown option $1 (--help)" ;;
	*) directory=$1; shift ;;
	esac
done
for part in "${parts[@]}"; do
	[[ " ${all_parts[*]} " == *" $part "* ]] || die "unknown part \"$part\" (--help)"
done

[ ${#parts[@]} -eq 0 ] || "$rdisk_root/scripts/install-packages.sh" bench || say "going on: rows that miss a program will say so"
bin=${RDISK_BIN:-$rdisk_root/build/release/bin}
programs=(rdisk dvkd rdisk-replay rdisk-bench-host rdisk-bench-ipc rdisk-bench-wait rdisk-bench-usage rdisk-bench-report rdisk-bench-one rdisk-bench-floor rdiskctl)
if [ -z "${RDISK_BIN:-}" ]; then
	(cd "$rdisk_root" && cmake --preset release && cmake --build --preset release --target "${programs[@]}") >&2
fi
for program in "${programs[@]}"; do
	[ -x "$bin/$program" ] || die "there is no $bin/$program"
done
mkdir -p "$directory/results"
directory=$(cd "$directory" && pwd -P)

. "$rdisk_root/bench/run-functions.sh"
. "$rdisk_root/bench/replicated.sh"
. "$rdisk_root/bench/replicated-upkeep.sh"

# skip ROW WHY: the report says why a row has no value.
skip() {
	say "$1: $2"
	printf '{"skip": "%s", "why": "%s"}\n' "$1" "$2" >>"$results"
}

# Adds ubd and virtio's disk to `disks` and `append`.
prepare_others() {
	local daemon=qemu-storage-daemon

	truncate -s "${size}M" "$work/ubd.img" "$work/virtio.img"
	disks+=(ubd=/dev/ubda brd=/dev/ram0)
	append+=" ubd0=$work/ubd.img"
	if ! command -v $daemon >/dev/null; then
		skip guest-virtio "$daemon is not installed"
	elif $daemon --daemonize --pidfile "$work/daemon.pid" --blockdev "driver=file,node-name=disk,filename=$work/virtio.img" \
		--export "type=vhost-user-blk,id=bench,node-name=disk,addr.type=unix,addr.path=$work/vhost,writable=on" >&2; then
		running+=("$(cat "$work/daemon.pid")")
		disks+=(virtio=/dev/vda)
		append+=" virtio_uml.device=$work/vhost:2"
	else
		skip guest-virtio "$daemon did not start"
	fi
}

part_guest() {
	local disks=(rdisk=/dev/rdiska) append=$attached

	start_server "$(device bench rdisk.img "${size}M")"
	[ "$alone" -eq 1 ] || prepare_others
	run_guest --timeout $((rounds * (seconds + 8) * 40 + 120)) --share "$work" --append "$append" -- \
		"$rdisk_root/bench/guest.sh" "$rounds" "$seconds" "$results" "$depths" "${disks[@]}"
}

part_tree() {
	local disks=(rdisk=/dev/rdiska) append=$attached

	"$rdisk_root/bench/make-tree.sh" "$work/tree.tar" "$work"
	start_server "$(device bench rdisk.img "${size}M")"
	if [ "$alone" -eq 0 ]; then
		truncate -s "${size}M" "$work/ubd.img"
		append+=" ubd0=$work/ubd.img brd.rd_size=$((size * 1024))"
		disks+=(ubd=/dev/ubda brd=/dev/ram0)
	fi
	run_guest --mem 1536M --timeout $((rounds * 360 + 120)) --share "$work" --append "$append" -- \
		"$rdisk_root/bench/guest-tree.sh" "$rounds" "$results" "$work/tree.tar" "${disks[@]}"
}

# with_nbdkit WHAT: rdisk-bench-host, with nbdkit serving the same file.
with_nbdkit() {
	export work bin rounds host_seconds
	# shellcheck disable=SC2016 # nbdkit sets unixsocket
	"${child[@]}" nbdkit --unix - file "$work/rdisk.img" --run 'exec "$bin/rdisk-bench-host" --rounds "$rounds" --seconds "$host_seconds" \
		--nbd "$unixsocket" --file "$work/rdisk.img" '"$1" >>"$results" &
	attend
}

without_nbdkit() {
	local file=(--file "$work/rdisk.img")

	[ "$alone" -eq 0 ] || file=()
	"$bin/rdisk-bench-host" --rounds "$rounds" --seconds "$host_seconds" "${file[@]}" "$@" >>"$results" &
	attend
}

part_host() {
	head -c "${size}M" /dev/urandom >"$work/rdisk.img"
	start_server "$(device bench rdisk.img "${size}M")"
	if [ "$alone" -eq 1 ]; then
		without_nbdkit rows
	elif command -v nbdkit >/dev/null; then
		with_nbdkit rows
	else
		skip host-latency "nbdkit is not installed"
		skip host-flight "nbdkit is not installed"
		without_nbdkit rows
	fi
}

part_slow() {
	local disk lacks

	disk=$(find_disk "$directory")
	lacks=$(slow_server_lacks "$disk")
	if [ -n "$lacks" ]; then
		skip slow-other "$lacks"
	else
		start_slow_server "$disk" "$slow_ms"
		# Few per cent are looked for: more pairs than of others.
		"$bin/rdisk-bench-host" --rounds $((rounds * 3)) --seconds "$slow_seconds" slow >>"$results" &
		attend
	fi
	stop_all
	[ -z "$disk" ] || rm -rf "$disk"
}

# Why traces cannot be replayed on both sides, or nothing.
replay_lacks() {
	local trace

	for trace in "${traces[@]}"; do
		[ -r "$natural/$trace.load.gz" ] || { echo "blkreplay-examples is not installed"; return; }
	done
	if [ "$alone" -eq 1 ]; then
		return
	elif ! command -v nbdkit >/dev/null; then
		echo "nbdkit is not installed"
	elif ! "$bin/rdisk-replay" --nbd unused --help >/dev/null 2>&1; then
		echo "rdisk-replay was built without libnbd"
	fi
}

# replay SIDE TRACE ROUND: onto an image that has only holes at first.
replay() {
	fallocate --punch-hole --offset 0 --length 8G "$work/rdisk.img"
	export bin trace_file=$natural/$2.load.gz
	export options="--speed max --depth 32 --map wrap --writes real --seed $3 --strict --quiet --json -"
	if [ "$1" = rdisk ]; then
		# shellcheck disable=SC2086 # words
		"${child[@]}" "$bin/rdisk-replay" -d 0 -e 3 --minor 0 $options "$trace_file" >"$work/replay.json" &
	else
		# shellcheck disable=SC2016 # nbdkit sets uri
		"${child[@]}" nbdkit --unix - file "$work/rdisk.img" \
			--run 'exec "$bin/rdisk-replay" --nbd "$uri" $options "$trace_file"' >"$work/replay.json" &
	fi
	attend
	"$rdisk_root/bench/replay-result.pl" "replay-$2" "$1" "$3" <"$work/replay.json" >>"$results"
}

part_replay() {
	local natural=/usr/share/doc/blkreplay-examples/examples/example-load/natural lacks trace round
	local rounds=$((rounds < 3 ? rounds : 3)) turns sides side

	lacks=$(replay_lacks)
	if [ -n "$lacks" ]; then
		for trace in "${traces[@]}"; do
			skip "replay-$trace" "$lacks"
		done
		return
	fi
	truncate -s 8G "$work/rdisk.img"
	start_server "$(device bench rdisk.img 8G)"
	for trace in "${traces[@]}"; do
		turns=$rounds
		# It takes longer than all others together: 1.47 million operations.
		[ "$trace" != linux-webserver-1 ] || turns=$((rounds < 2 ? rounds : 2))
		for ((round = 1; round <= turns; round++)); do
			sides=(rdisk nbd)
			((round % 2)) || sides=(nbd rdisk)
			[ "$alone" -eq 0 ] || sides=(rdisk)
			for side in "${sides[@]}"; do
				replay "$side" "$trace" "$round"
			done
		done
	done
}

part_ipc() {
	start ready "$bin/dvkd"
	drain
	"$bin/rdisk-bench-ipc" "$rounds" "$host_seconds" >>"$results" &
	attend
}

part_wait() {
	start ready "$bin/dvkd"
	drain
	"$bin/rdisk-bench-wait" "$rounds" "$wait_seconds" >>"$results" &
	attend
	"$rdisk_root/bench/wait-table.pl" <"$results" >"$directory/wait.md"
	cat "$directory/wait.md"
}

part_idle() {
	local with bare=()

	start_server "$(device bench rdisk.img "${size}M")"
	start "bench: ready" "$rdisk_root/scripts/run-uml.sh" --append "$attached" -- "$rdisk_root/bench/guest-hold.sh" idle /dev/rdiska
	with=$pid
	drain
	if [ "$alone" -eq 0 ]; then
		start "bench: ready" "$rdisk_root/scripts/run-uml.sh" -- "$rdisk_root/bench/guest-hold.sh" idle
		drain
		bare=("bare=$pid")
	fi
	"$bin/rdisk-bench-usage" cpu "$rounds" "$idle_seconds" "rdisk=$server,$node,$with" \
		"server=$server" "node=$node" "guest=$with" "${bare[@]}" >>"$results" &
	attend
}

part_memory() {
	local round

	start_server "$(device bench rdisk.img 10G)"
	start "bench: start" "$rdisk_root/scripts/run-uml.sh" --timeout $((rounds * 120 + 120)) --append "$attached" -- \
		"$rdisk_root/bench/guest-hold.sh" passes "$rounds" /dev/rdiska
	for ((round = 1; round <= rounds; round++)); do
		await "bench: ready" || die "the guest did not read the whole device"
		"$bin/rdisk-bench-usage" memory "$round" "$server" >>"$results"
	done
	drain
}

part_scale() {
	local minor devices=() rounds=$((rounds < 3 ? rounds : 3))

	# The first one is what the NBD server has too.
	head -c 64M /dev/urandom >"$work/rdisk.img"
	devices=("$(device disk0 rdisk.img 64M)")
	for ((minor = 1; minor < 8; minor++)); do
		head -c 64M /dev/urandom >"$work/disk$minor.img"
		devices+=(",$(device "disk$minor" "disk$minor.img" 64M)")
	done
	start_server "${devices[@]}"
	without_nbdkit devices
	if [ "$alone" -eq 0 ] && command -v nbdkit >/dev/null; then
		with_nbdkit "clients depth"
	else
		without_nbdkit clients depth
	fi
	stop_all

	devices=()
	for ((minor = 0; minor < 7; minor++)); do
		devices+=("$([ "$minor" -eq 0 ] || echo ,)$(device "disk$minor" "sparse$minor.img" "$((1 << minor))G")")
	done
	start_server "${devices[@]}"
	without_nbdkit sizes
}

if [[ " ${parts[*]} " =~ \ (guest|tree|idle|memory)\  ]]; then
	RDISK_KERNEL=${RDISK_KERNEL:-$("$rdisk_root/scripts/build-uml.sh" | tail -n 1)}
	export RDISK_KERNEL
	[ -x "$RDISK_KERNEL" ] || die "there is no guest kernel $RDISK_KERNEL"
	require_programs fio mkfs.ext4
fi
read -r load _ </proc/loadavg
[ "${load%.*}" -eq 0 ] || [ ${#parts[@]} -eq 0 ] || say "this machine is busy (load $load): the figures will tell of that"
for ((i = 0; i < busy; i++)); do
	"${child[@]}" sh -c 'while :; do :; done' &
	companions+=("$!")
done
for part in "${parts[@]}"; do
	began=$SECONDS
	say "part $part ..."
	results=$work/results
	printf '{"part": "%s", "rounds": %d}\n' "$part" "$rounds" >"$results"
	"part_$part"
	stop_all
	mv "$results" "$directory/results/$part.jsonl"
	find "$work" -maxdepth 1 -type f -delete
	say "part $part took $((SECONDS - began)) s"
done
"$bin/rdisk-bench-report" "$directory/results" "$directory" "${plots:-$directory}"
cat "$directory/bench.md"
say "wrote bench.json, bench.md, bench.html and plots to $directory"
