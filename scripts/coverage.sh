#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Says which branches of the replication core are never taken: by its unit tests, by its fuzzers' samples, and by the
# simulator with some seeds, each scenario and each schedule that is kept. A condition has two branches, true and false;
# each case of a switch is a condition. Left out are
# - asserts, which are not compiled in;
# - conditions that are deliberate_bug(), which is never true here, and those of the statement that is done only then;
# - that none of the cases of a switch without a default is so: the compiler sees to it that each value of the enum has a case.
# Prints each branch that was never taken, and how many there are in each file; exit status 1 if too few were taken.
#
# usage: coverage.sh [--seeds N] [--bar PERCENT] [--lines]
#   --seeds N      random runs, and a tenth of them of each scenario (100)
#   --bar PERCENT  of all branches, that have to be taken (95)
#   --lines        prints the lines that were never reached, too

set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

seeds=100 bar=95 lines='' status=0
while [ $# -gt 0 ]; do
	case $1 in
	--seeds) need_value "$@"; seeds=$2; shift 2 ;;
	--bar) need_value "$@"; bar=$2; shift 2 ;;
	--lines) lines=1; shift ;;
	--help) sed -n '/^# usage:/,/^$/ s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; exit 0 ;;
	*) die "unknown option $1 (--help)" ;;
	esac
done
cd "$rdisk_root"
require_programs cmake ninja clang llvm-cov llvm-profdata
build=build/coverage
counts=$build/counts

output=$({ cmake --preset coverage && cmake --build --preset coverage; } 2>&1) ||
	{ printf '%s\n' "$output" >&2; die "the build with counters fails"; }
rm -rf "$counts"
mkdir "$counts"
# All processes of one program add to one file.
export LLVM_PROFILE_FILE=$rdisk_root/$counts/%m.profraw

say "unit tests"
ctest --test-dir "$build" -R '^unit\.(test_replica_|test_sim_|fuzz_)' -j "$(nproc)" --output-on-failure --no-tests=error >&2 || status=1
play() {
	say "simulator: $*"
	"$build/bin/rdisk-sim" -j "$(nproc)" --shorten 0 "$@" >&2 || status=1
}
play --seeds "$seeds"
for file in sim/scenarios/*.txt; do
	play --scenario "$(basename "$file" .txt)" --seeds "$(((seeds + 9) / 10))"
done
for file in sim/kept/*.txt; do
	[ ! -e "$file" ] || play --script "$file"
done

llvm-profdata merge -o "$counts/all" "$counts"/*.profraw
programs=("$build/bin/rdisk-sim")
for program in "$build"/bin/test_replica_* "$build"/tests/fuzz/fuzz_*; do
	[ ! -x "$program" ] || programs+=(-object "$program")
done
for file in rdisk-server/replication/*.[ch]; do
	echo "file $file"
	sed 's/^/source /' "$file"
	llvm-cov show --show-branches=count --show-instantiations=0 --instr-profile="$counts/all" "${programs[@]}" "$file" | sed 's/^/count /'
done | awk -v bar="$bar" -v lines="$lines" '
	function percent(taken, all) { return all ? sprintf("%.1f %%", 100 * taken / all) : "-" }
	function told(line, column, what) {
		text = source[line]
		gsub(/^[ \t]+/, "", text)
		printf "%s:%s: %s: %s\n", file, line (column ? ":" column : ""), what, text
	}
	# A function in a header is counted in each program that has it: a branch is taken if it is in one.
	function end_file(   i, at) {
		for (i = 1; i <= nr_branches; i++) {
			split(branches[i], at, ":")
			all[file] += 2
			taken[file] += is_true[branches[i]] + is_false[branches[i]]
			if (!is_true[branches[i]])
				told(at[1], at[2], is_false[branches[i]] ? "never true" : "never")
			else if (!is_false[branches[i]])
				told(at[1], at[2], "never false")
		}
		split("", of_bug)
		split("", is_true)
		split("", is_false)
		nr_branches = nr_source = 0
	}
	$1 == "file" { end_file(); file = $2; files[++nr_files] = file }
	# A statement that is not a block, from "if (deliberate_bug(...)" to its semicolon.
	$1 == "source" {
		source[++nr_source] = substr($0, 8)
		if (source[nr_source] ~ /^\t+(else )?if \(deliberate_bug\(.*[^{]$/)
			in_bug = 1
		of_bug[nr_source] = in_bug
		if (source[nr_source] ~ /[;{]$/)
			in_bug = 0
	}
	$1 == "count" && $0 ~ /^count +[0-9]+\| +[0-9.]+[kMGTP]?\|/ {
		split($0, part, /[ |]+/)
		all_lines[file]++
		reached[file] += part[3] != "0"
		if (part[3] == "0" && lines)
			told(part[2], "", "never reached")
	}
	$1 == "count" && match($0, /Branch \([0-9]+:[0-9]+\): \[True: /) {
		split(substr($0, RSTART), part, /[():,\] ]+/)
		# Branch LINE COLUMN [True COUNT False COUNT
		if (of_bug[part[2]] || substr(source[part[2]], part[3]) ~ /^!?deliberate_bug\(/ || substr(source[part[2]], 1, part[3] - 1) ~ /switch \($/)
			next
		branch = part[2] ":" part[3]
		if (!(branch in is_true))
			branches[++nr_branches] = branch
		is_true[branch] = is_true[branch] || part[5] != "0"
		is_false[branch] = is_false[branch] || part[7] != "0"
	}
	END {
		end_file()
		printf "\n%-45s %15s %9s %15s %9s\n", "", "branches taken", "", "lines reached", ""
		for (i = 1; i <= nr_files; i++) {
			file = files[i]
			if (!all_lines[file])
				continue
			printf "%-45s %15s %9s %15s %9s\n", file, taken[file] + 0 "/" all[file] + 0, percent(taken[file], all[file]), \
				reached[file] + 0 "/" all_lines[file], percent(reached[file], all_lines[file])
			sum_taken += taken[file]; sum_all += all[file]; sum_reached += reached[file]; sum_lines += all_lines[file]
		}
		if (!sum_all)
			exit 2
		printf "%-45s %15s %9s %15s %9s\n", "all", sum_taken "/" sum_all, percent(sum_taken, sum_all), \
			sum_reached "/" sum_lines, percent(sum_reached, sum_lines)
		if (100 * sum_taken < bar * sum_all) {
			printf "fewer than %s %% of the branches were taken\n", bar
			exit 1
		}
	}' || status=1
exit "$status"
