#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Plays some seeds on processors that are not this one, arm64 and s390x (whose numbers have their bytes the other way
# round), and compares all that happened, and each byte that members sent and saved, with the same seeds here. Builds the
# simulator with Debian's cross compilers, linked statically, and runs it in qemu's user mode.
# Exit status 1 if anything differs, 77 if compilers or qemu are missing (scripts/install-packages.sh foreign).
#
# usage: sim-foreign.sh [--seeds N] [--seed S] [OPTION...]
#   --seeds N  how many (10)
#   --seed S   the first one (1)
#   all other options, for each run: build/release/bin/rdisk-sim --help

set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

seeds=10 seed=1 status=0
while [ $# -gt 0 ]; do
	case $1 in
	--seeds) need_value "$@"; seeds=$2; shift 2 ;;
	--seed) need_value "$@"; seed=$2; shift 2 ;;
	--help) sed -n '/^# usage:/,/^$/ s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; exit 0 ;;
	*) break ;;
	esac
done
options=("$@")
cd "$rdisk_root"
require_programs cmake ninja pkg-config
native=build/release/bin/rdisk-sim
processors=(aarch64 s390x)

for processor in "${processors[@]}"; do
	for program in "$processor-linux-gnu-gcc" "qemu-$processor"; do
		command -v "$program" >/dev/null || { say "there is no $program (scripts/install-packages.sh foreign)"; exit 77; }
	done
done

# No library but the C library's: what there is of xxhash is in its header, which is the same on all processors and is
# looked for after the C library's own headers.
build_foreign() { # PROCESSOR
	local cc=$1-linux-gnu-gcc directory=build/foreign/$1
	local replication=$rdisk_root/rdisk-server/replication request=$rdisk_root/rdisk-server/request sim=$rdisk_root/sim

	mkdir -p "$directory"
	rm -f "$directory"/*.o
	(cd "$directory" && printf '%s\n' "$sim"/*.c "$replication"/*.c "$request"/*.c | grep -Ev '/(rdisk_check|group|group_corosync)\.c$' |
		xargs -P "$(nproc)" -n 8 "$cc" -c -O2 -g -std=gnu17 -Wall -Wextra -Werror -D_GNU_SOURCE -UNDEBUG -DXXH_INLINE_ALL= \
			"-DSIM_SCENARIOS=\"$sim/scenarios\"" "-I$sim" "-I$replication" "-I$request" "-I$rdisk_root/common/base" \
			-idirafter "$(pkg-config --variable=includedir libxxhash)")
	"$cc" -static -o "$directory/rdisk-sim" "$directory"/*.o
}

output=$({ cmake --preset release && cmake --build --preset release --target rdisk-sim; } 2>&1) ||
	{ printf '%s\n' "$output" >&2; die "the simulator does not build"; }
# A line for each seed: the digest of all that happened, and some counts. A run that fails is as good as any.
play() { # PROGRAM-AND-ARGUMENT...
	"$@" --seeds "$seeds" --seed "$seed" --verbose --shorten 0 -j "$(nproc)" "${options[@]}" >"$runs/output" || [ $? -eq 1 ] || return 1
	sed -n '/^seed .* digest /p' "$runs/output" | sort -k 2n
}
mkdir -p build/foreign
runs=$(mktemp -d build/foreign/runs.XXXXXX)
trap 'rm -rf "$runs"' EXIT
play "$native" >"$runs/native"
[ "$(wc -l <"$runs/native")" -eq "$seeds" ] || die "not all seeds were played"

for processor in "${processors[@]}"; do
	foreign=("qemu-$processor" "build/foreign/$processor/rdisk-sim")
	build_foreign "$processor" || die "the simulator does not build for $processor"
	say "$processor"
	play "${foreign[@]}" >"$runs/$processor" || die "the simulator does not run on $processor"
	if cmp -s "$runs/native" "$runs/$processor"; then
		echo "$seeds seeds from $seed: $processor does what $(uname -m) does"
		continue
	fi
	status=1
	differing=$(diff "$runs/native" "$runs/$processor" | sed -n 's/^[<>] seed \([0-9]*\) .*/\1/p' | sed -n 1p) || true
	echo "seed $differing: $processor (>) does not do what $(uname -m) (<) does:"
	"$native" --trace --seed "$differing" "${options[@]}" >"$runs/here" || true
	"${foreign[@]}" --trace --seed "$differing" "${options[@]}" >"$runs/there" || true
	diff "$runs/here" "$runs/there" | sed -n 1,10p || true
done
exit "$status"
