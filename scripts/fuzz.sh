#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Fuzzes what reads messages and metadata, one target after the other, with clang's libFuzzer and the sanitizers. What
# is found goes on from where the last run was (build/fuzz/corpus); an input that breaks something is kept as
# build/fuzz/found/NAME-crash-..., and belongs into tests/fuzz/corpus/NAME, where every later test plays it.
#
# usage: fuzz.sh [--seconds N] [NAME...]
#   --seconds N  for each target (600)
#   NAME         message, metadata, done_table, frame; without any: all of them

set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

seconds=600
while [ $# -gt 0 ]; do
	case $1 in
	--seconds) need_value "$@"; seconds=$2; shift 2 ;;
	--help) sed -n '/^# usage:/,/^$/ s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; exit 0 ;;
	-*) die "unknown option $1 (--help)" ;;
	*) break ;;
	esac
done
cd "$rdisk_root"
names=("$@")
[ ${#names[@]} -gt 0 ] || names=(message metadata done_table frame)
for name in "${names[@]}"; do
	[ -d "tests/fuzz/corpus/$name" ] || die "there is no target $name (--help)"
done
command -v clang >/dev/null || die "there is no clang: scripts/install-packages.sh installs it"

cmake --preset fuzz >/dev/null
cmake --build --preset fuzz --target "${names[@]/#/fuzz_}"

# The directory of what is found is libFuzzer's to write; the samples it only reads.
for name in "${names[@]}"; do
	mkdir -p "build/fuzz/corpus/$name" build/fuzz/found
	say "fuzzing $name for $seconds s"
	"build/fuzz/tests/fuzz/fuzz_$name" -max_total_time="$seconds" -timeout=10 -print_final_stats=1 -verbosity=0 \
		-artifact_prefix="build/fuzz/found/$name-" "build/fuzz/corpus/$name" "tests/fuzz/corpus/$name"
done
