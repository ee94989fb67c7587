#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Measures this checkout against an earlier commit of the repository: rdisk's own side of the rows of
# docs/performance.md, before and after, in the same run. Each pair measures both, one part right after the other, in an
# order that changes from pair to pair. Let nothing else run meanwhile. With all parts about 70 s a side and pair: 20
# minutes.
#
# Server, node, guest kernel, rdisk-replay and libdvk are each side's own. The programs that measure, and the scripts,
# are this checkout's: they are compiled twice, over either side's libdvk, as what two versions of it say to each other
# is no one's promise. Where they do not compile with REVISION's, its own are used, and the table says so.
#
# usage: bench-pairs.sh [OPTION]... REVISION
#   --pairs N        9 unless told
#   --only PART,...  of guest, tree, host, ipc and replay (bench.sh --help); all unless told
#   --quick          one short pair, to see that it works; the figures say little
#   REVISION         a commit, which is built in a directory that goes away again, or the directory of a checkout whose
#                    build/release is there
# The table is on stdout, and in build/bench-pairs/pairs.md; all values of all pairs are in build/bench-pairs/before and
# after.
# environment: RDISK_CACHE  the cache
# exit status: 0 everything was measured on both sides, whatever it says; else 1, and it says what was not

set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
all_parts=(guest tree host ipc replay)
parts=("${all_parts[@]}")
pairs='' quick=() revision='' failures=() notes=()
directory=$rdisk_root/build/bench-pairs

while [ $# -gt 0 ]; do
	case $1 in
	--pairs)
		[[ ${2:-} =~ ^[1-9][0-9]{0,2}$ ]] || die "--pairs needs a number from 1 to 999"
		pairs=$2
		shift 2
		;;
	--only) IFS=, read -r -a parts <<<"${2:-}"; shift $(($# > 1 ? 2 : 1)) ;;
	--quick) quick=(--quick); shift ;;
	--help) sed -n '/^# usage:/,/^$/ s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; exit 0 ;;
	-*) die "unknown option $1 (--help)" ;;
	*)
		[ -z "$revision" ] || die "more than one REVISION (--help)"
		revision=$1
		shift
		;;
	esac
done
[ -n "$revision" ] || die "no REVISION given (--help)"
[ ${#parts[@]} -gt 0 ] || die "no part given (--help)"
for part in "${parts[@]}"; do
	[[ " ${all_parts[*]} " == *" $part "* ]] || die "unknown part \"$part\" (--help)"
done
[ -n "$pairs" ] || pairs=$((${#quick[@]} > 0 ? 1 : 9))

cache=$(rdisk_cache)
scratch=$(mktemp -d "$cache/bench-pairs.XXXXXX")
child='' # the process group that runs, or nothing

# shellcheck disable=SC2317 # called by the trap
cleanup() {
	if [ -n "$child" ]; then
		kill -- "-$child" 2>/dev/null || true
		{ wait "$child" || true; } 2>/dev/null
	fi
	rm -rf "$scratch"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# run DIRECTORY COMMAND...: there; what it says is in $scratch/log. A signal to this script ends both at once.
run() {
	local status=0

	# shellcheck disable=SC2016 # the inner shell expands these
	setsid setpriv --pdeathsig TERM sh -c 'cd "$0" && exec "$@"' "$@" </dev/null >"$scratch/log" 2>&1 &
	child=$!
	wait "$child" || status=$?
	child=
	return "$status"
}

# must DIRECTORY COMMAND...: the same; the end of the log, and of this script, if it fails.
must() {
	! run "$@" || return 0
	tail -n 40 "$scratch/log" >&2
	die "failed: ${*:2}"
}

# build DIRECTORY TARGET...: of the release build of the checkout there.
build() {
	must "$1" cmake --preset release
	must "$1" cmake --build --preset release --target "${@:2}"
}

with_guest() {
	[[ " ${parts[*]} " =~ \ (guest|tree)\  ]]
}

# compile SIDE SOURCE PROGRAM: this checkout's program over the library of the checkout SOURCE.
compile() {
	local files

	read -r -a files <<<"$(sed -n "s/^add_executable($3 \(.*\))/\1/p" "$rdisk_root/bench/CMakeLists.txt")"
	[ ${#files[@]} -gt 0 ] || die "bench/CMakeLists.txt has no $3"
	run "$rdisk_root/bench" cc -O2 -g -DNDEBUG -std=gnu17 -D_GNU_SOURCE -I "$2/common/dvk" -I "$2/common/rdisk" \
		-o "$scratch/$1/bin/$3" "${files[@]}" "$2/build/release/common/libdvk.a" -pthread
}

# take SIDE SOURCE: what is measured of the built checkout SOURCE, so that it stays as it is whoever builds there.
take() {
	local side=$1 source=$2 program kernel

	mkdir -p "$scratch/$side/bin"
	# Of the programs that measure nothing of rdisk's, this checkout's.
	cp "$rdisk_root"/build/release/bin/rdisk-bench-* "$scratch/$side/bin"
	for program in rdisk dvkd rdisk-replay; do
		cp "$source/build/release/bin/$program" "$scratch/$side/bin" || die "$source is not built: build/release/bin has no $program"
	done
	for program in rdisk-bench-host rdisk-bench-ipc; do
		compile "$side" "$source" "$program" && continue
		say "this checkout's $program does not compile with the libdvk of \"$side\": its own is used"
		notes+=("$side: its own $program, not this checkout's")
		[ -x "$source/build/release/bin/$program" ] || build "$source" "$program"
		cp "$source/build/release/bin/$program" "$scratch/$side/bin"
	done
	with_guest || return 0
	must "$source" scripts/build-uml.sh
	kernel=$(tail -n 1 "$scratch/log")
	[ -x "$kernel" ] || die "$source: there is no guest kernel $kernel"
	cp "$kernel" "$scratch/$side/linux"
}

# What a checkout is, in words. A checkout that is none of git's has only its name.
describe() {
	local text

	text=$(git -C "$1" log -1 --format='%h (%s)' 2>/dev/null) || { basename "$1"; return; }
	[ -z "$(git -C "$1" status --porcelain --untracked-files=no 2>/dev/null)" ] || text+=", changed"
	printf '%s\n' "$text"
}

# Builds both sides.
prepare() {
	local source commit benchmarks

	if [ -x "$revision/build/release/bin/rdisk" ]; then
		source=$(cd "$revision" && pwd -P)
		before=$(describe "$source")
	else
		commit=$(git -C "$rdisk_root" rev-parse --verify --quiet "$revision^{commit}") ||
			die "\"$revision\" is neither a commit of $rdisk_root nor a checkout with a build/release"
		source=$scratch/source
		before=$(git -C "$rdisk_root" log -1 --format='%h (%s)' "$commit")
		mkdir "$source"
		git -C "$rdisk_root" archive "$commit" | tar -x -C "$source"
		say "building $before ..."
		build "$source" rdisk dvkd rdisk-replay dvk
	fi
	after=$(describe "$rdisk_root")
	say "building this checkout, $after ..."
	mapfile -t benchmarks < <(sed -n 's/^add_executable(\([^ ]*\) .*/\1/p' "$rdisk_root/bench/CMakeLists.txt")
	build "$rdisk_root" rdisk dvkd rdisk-replay dvk "${benchmarks[@]}"
	say "what is measured of both ..."
	take before "$source"
	take after "$rdisk_root"
	rm -rf "$scratch/source"
}

# measure SIDE PART PAIR
measure() {
	if run "$rdisk_root" env "RDISK_BIN=$scratch/$1/bin" "RDISK_KERNEL=$scratch/$1/linux" \
		scripts/bench.sh --alone --rounds 1 "${quick[@]}" --only "$2" "$scratch/out"; then
		# The round of each value is the pair.
		sed -E "s/\"round\": ?1\b/\"round\": $3/" "$scratch/out/results/$2.jsonl" >>"$directory/$1/$2.jsonl"
	else
		tail -n 20 "$scratch/log" >&2
		say "pair $3: part $2 failed on the side \"$1\""
		failures+=("pair $3: part $2 failed on the side \"$1\"")
	fi
	rm -rf "$scratch/out"
}

write_table() {
	local status=0 note

	{
		printf 'Before: %s. After: %s. Parts: %s.\n' "$before" "$after" "${parts[*]}"
		[ ${#quick[@]} -eq 0 ] || echo "Quick: the figures say little."
		for note in "${notes[@]}" "${failures[@]}"; do
			printf '%s.\n' "$note"
		done
		echo
		"$scratch/after/bin/rdisk-bench-pairs" "$directory/before" "$directory/after" || status=1
	} >"$directory/pairs.md"
	return "$status"
}

"$rdisk_root/scripts/install-packages.sh" bench || say "going on: what misses a program fails"
require_programs git cc cmake setsid setpriv
before='' after=''
prepare
rm -rf "$directory"
mkdir -p "$directory/before" "$directory/after"
read -r load _ </proc/loadavg
[ "${load%.*}" -eq 0 ] || say "this machine is, or was just now, busy (load $load): the figures will tell of that"
for ((pair = 1; pair <= pairs; pair++)); do
	began=$SECONDS
	sides=(before after)
	((pair % 2)) || sides=(after before)
	for part in "${parts[@]}"; do
		for side in "${sides[@]}"; do
			measure "$side" "$part" "$pair"
		done
	done
	write_table || say "there is no row yet with both sides"
	say "pair $pair of $pairs took $((SECONDS - began)) s"
done
cat "$directory/pairs.md"
[ ${#failures[@]} -eq 0 ] || die "${#failures[@]} times a part failed"
write_table
