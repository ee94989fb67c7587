# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# shellcheck disable=SC2154 # dir and the other variables are cluster.sh's
#
# What runs on the hosts of a set of scripts/cluster.sh, which sources this: rdisk and corosync, and how they and whole hosts
# are started, killed, stopped and cut off from power. All of it is done in the set (cluster-hosts.sh).
#
# A service's DIR/HOST/NAME.pid has the number that its process has outside, where the user is.

start_limit=60 # seconds for a service to say that it is ready

# service_pid HOST SERVICE: in the set; fails if it does not run.
service_pid() {
	local outer pid line init

	init=$(host_init "$1") || return 1
	{ read -r outer <"$dir/$1/$2.pid"; } 2>/dev/null || return 1
	line=$(grep '^NSpid:' "/run/outer-proc/$outer/status" 2>/dev/null) || return 1
	read -r _ _ pid _ <<<"$line"
	[ "$(readlink "/proc/${pid:-none}/ns/pid")" = "$(readlink "/proc/$init/ns/pid")" ] || return 1
	[ "$(process_state "$pid")" != Z ] || return 1
	echo "$pid"
}

# process_state PID: the letter of proc(5); nothing if it has ended.
process_state() {
	local line

	{ read -r line <"/proc/$1/stat"; } 2>/dev/null || return 0
	line=${line##*) }
	echo "${line%% *}"
}

# launch HOST SERVICE COMMAND...: in the background, with its log appended to. DIR/HOST/NAME.status gets a line with its exit
# status when it ends; not when the host does.
launch() {
	local pid folder=$dir/$1 name=$2

	[ -d "$folder" ] || die "host $1: its folder $folder is not there any more (cluster.sh down, then up)"
	# shellcheck disable=SC2016,SC2094 # the inner shell expands these; all append
	read -r pid < <(enter_host "$1" "$folder" setsid --fork bash -c \
		'exec 2>/dev/null
		(read -r pid _ </run/outer-proc/self/stat; echo "$pid"; exec "$@" >>"$0.log" 2>&1)
		echo "$?" >>"$0.status"' "$folder/$name" "${@:3}" </dev/null 2>>"$folder/$name.log") ||
		die "host $1: $name cannot be started: $(tail -n 1 "$folder/$name.log")"
	printf '%s\n' "$pid" >"$folder/$name.pid"
}

# await_word HOST SERVICE START PATTERN: until what the service says in its log, from byte START on, matches. It fails when the
# service ends before, and ends the script when start_limit has passed.
await_word() {
	local pid follower log=$dir/$1/$2.log words line found=1 limit=$((SECONDS + start_limit))

	if pid=$(service_pid "$1" "$2"); then
		exec {words}< <(exec tail -s 0.1 -c "+$(($3 + 1))" --pid="$pid" -f "$log" 2>/dev/null)
	else
		exec {words}< <(exec tail -c "+$(($3 + 1))" "$log")
	fi
	follower=$!
	while read -r -t $((limit > SECONDS ? limit - SECONDS : 1)) line <&"$words"; do
		[[ ! $line =~ $4 ]] || { found=0; break; }
	done
	kill "$follower" 2>/dev/null || true
	exec {words}<&-
	[ "$found" -ne 0 ] || return 0
	! service_pid "$1" "$2" >/dev/null || give_up "host $1: $2 did not get ready within $start_limit s ($log says how far it came)"
	return 1
}

# last_error LOG: the last line with an error of its own; without one, the last line.
last_error() {
	grep 'rdisk: .*error: ' "$1" | tail -n 1 | grep . || tail -n 1 "$1"
}

log_size() {
	[ -e "$1" ] || : >"$1"
	stat -c %s "$1"
}

start_corosync() {
	local from log=$dir/$1/corosync.log

	require_programs corosync
	from=$(log_size "$log")
	with_clock "$1"
	launch "$1" corosync "${clocked[@]}" corosync -f -c "$dir/$1/corosync.conf"
	await_word "$1" corosync "$from" 'ready to provide service' || die "host $1: corosync ended at once: $(tail -n 1 "$log") ($log)"
}

# logged_files HOST: what a power cut takes back, as RDISK_CRASH_FILES wants it.
logged_files() {
	local state=${settings[state_dir]:-state} number

	[ "${state:0:1}" = / ] || state=$dir/$1/$state
	state+=/${settings[set]:-cluster}
	printf '%s' "$dir/$1/disk.img:$state/slot-0:$state/slot-1:$state/log-disk"
	for ((number = 1; number <= ${#hosts[@]}; number++)); do
		printf ':%s' "$state/bits-disk-$number"
	done
}

# start_rdisk HOST: with what parse_start has taken, if anything.
start_rdisk() {
	local host=$1 from log=$dir/$1/rdisk.log library=$bin/../tests/libcrash_log.so arguments=()
	local preload=("${start_preload[@]}") variables=("${start_variables[@]}")

	if [ "$power" = yes ]; then
		preload=("$library" "${preload[@]}")
		variables+=("RDISK_CRASH_LOG=$dir/$host/power.log" "RDISK_CRASH_FILES=$(logged_files "$host")")
	fi
	if [ "$clocks" = own ]; then
		preload+=("$bin/../tests/libclock_shift.so")
		variables+=("RDISK_CLOCK=$dir/$host/clock")
	fi
	if [ ${#preload[@]} -gt 0 ]; then
		variables+=("LD_PRELOAD=$(IFS=:; echo "${preload[*]}")"
			"ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}verify_asan_link_order=0")
	fi
	[ "$replicated" != yes ] || arguments=(--node "${host,,}" --boot-id-file "$dir/$host/boot-id")
	from=$(log_size "$log")
	launch "$host" rdisk env "DVK_RUNTIME_DIR=$dir/$host/node" "${variables[@]}" \
		"$bin/rdisk" -d 0 -e 3 -c "$dir/$host/rdisk.cfg" "${arguments[@]}" --log-time "${start_arguments[@]}"
	await_word "$host" rdisk "$from" '(^|[ :])ready( |$)' || die "host $host: rdisk ended at once: $(last_error "$log") ($log)"
}

# start_host HOST: as after its power button was pressed.
start_host() {
	boot_host "$1" "${#hosts[@]}"
	[ "$group" != corosync ] || start_corosync "$1"
	start_rdisk "$1"
}

# must_run HOST SERVICE: its pid in the set.
must_run() {
	host_init "$1" >/dev/null || die "$command $1 $2: the host is off (cluster.sh start $1 host)"
	service_pid "$1" "$2" || die "$command $1 $2: it does not run (cluster.sh start $1 $2)"
}

kill_service() {
	local pid

	pid=$(must_run "$1" "$2") || pass
	kill -KILL "$pid"
	await_end "$pid"
}

# is_stopped PID: all its threads, or it has ended. What is traced stops when it next needs the one that traces it.
is_stopped() {
	local line task

	for task in "/proc/$1/task/"[0-9]*/stat; do
		{ read -r line <"$task"; } 2>/dev/null || continue
		line=${line##*) }
		[[ $line == [TtZX]* ]] || return 1
	done
}

# stop_processes PID...: until they have stopped.
stop_processes() {
	local pid limit=$((SECONDS + 10))

	kill -STOP "$@" 2>/dev/null || true
	for pid in "$@"; do
		until is_stopped "$pid"; do
			[ "$SECONDS" -lt "$limit" ] || die "process $pid does not stop: it is in state $(process_state "$pid")"
			sleep 0.01
		done
	done
}

# untraced PID...: those that no other process traces. A guest's processes are traced by its kernel, which would take a signal
# that stops them for its own.
untraced() {
	local pid

	for pid in "$@"; do
		! grep -qs '^TracerPid:[[:space:]]*0$' "/proc/$pid/status" || echo "$pid"
	done
}

# stop_host HOST: all that runs, until there is nothing that has not stopped: one that still ran may have started another.
stop_host() {
	local running pid all

	host_init "$1" >/dev/null || die "$command $1: the host is off (cluster.sh start $1 host)"
	while :; do
		mapfile -t all < <(host_processes "$1")
		running=()
		for pid in $(untraced "${all[@]}"); do
			is_stopped "$pid" || running+=("$pid")
		done
		[ ${#running[@]} -gt 0 ] || return 0
		stop_processes "${running[@]}"
	done
}

continue_host() {
	local all

	host_init "$1" >/dev/null || die "$command $1: the host is off (cluster.sh start $1 host)"
	mapfile -t all < <(host_processes "$1")
	mapfile -t all < <(untraced "${all[@]}")
	[ ${#all[@]} -eq 0 ] || kill -CONT "${all[@]}" 2>/dev/null || true
}

# write_clock HOST SECONDS: as clock_shift.c wants it: ns in 8 bytes, the lowest first. In place, where those that run see it.
write_clock() {
	local ns=$(($2 * 1000000000)) bits bytes=''

	for bits in 0 8 16 24 32 40 48 56; do
		bytes+=$(printf '\\x%02x' $((ns >> bits & 255)))
	done
	printf '%b' "$bytes" 1<>"$dir/$1/clock"
}

# with_clock HOST: sets `clocked` to the words before a program that make it see the clock of the host.
with_clock() {
	clocked=()
	[ "$clocks" = own ] || return 0
	clocked=(env "LD_PRELOAD=$bin/../tests/libclock_shift.so" "RDISK_CLOCK=$dir/$1/clock"
		"ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}verify_asan_link_order=0")
}

# set_clock: as parse_clock has it.
set_clock() {
	[ "$clocks" = own ] || die "clock $host: the hosts of this set have the machine's clock (up --own-clocks)"
	write_clock "$host" "$ahead"
}

new_boot_id() {
	cat /proc/sys/kernel/random/uuid >"$dir/$1/boot-id"
}

# cut_power HOST: nothing survives of what was not made stable. Nobody is told that connections end.
cut_power() {
	local folder=$dir/$1 image_tool=$bin/../tests/crash_image

	[ "$power" = yes ] || die "power $1: this set does not log what rdisk writes (up without --no-power-log)"
	[ ! -e "/run/hosts/$(host_number "$1")" ] || unplug_host "$1"
	end_host "$1"
	[ ! -e "/run/hosts/$(host_number "$1")" ] || forget_network "$1"
	if [ -e "$folder/power.log" ]; then
		"$image_tool" "$folder/power.log" --worst >>"$folder/power-cuts.log" 2>&1 ||
			die "host $1: no state as of after the power cut: $(tail -n 1 "$folder/power-cuts.log")"
		rm "$folder/power.log"
	fi
	rm -rf "$folder/node" "$folder/rdisk.sock" "$folder/rdisk.pid" "$folder/corosync.pid"
	mkdir -m 700 "$folder/node"
	new_boot_id "$1"
}
