#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Has spin look at every state of the models in sim/model, within the bounds that each model states, where it must find no
# error; and at each model with each of its deliberate bugs, where it must find one. Exit status 0 if all is as it must be.
#
# usage: model.sh [MODEL...]
#   MODEL  the name of a file in sim/model, without .pml; without one: all of them
#
# A line for each run says: states, depth, seconds of processor time (compilers included), the result. It is kept in
# build/model with the trail, if there was an error.
#
# environment: RDISK_MODEL_JOBS  how many run at a time, instead of one on each processor
#
# What a model says of itself, in comments of one line at the beginning of a line:
#   /* bounds: -DMEMBERS=3 -DEPOCHS=2 */  one for each exhaustive run; at least one
#   /* options: -DSAFETY -DMEMLIM=3000 -m100000 */  the -D... are for compiling spin's program pan, the others for running it
#   /* bug: BUG_NO_PROMISE: what is done wrong */  a switch; all bounds are tried in their order until one shows an error
#   /* bug: BUG_NO_PROMISE -DMEMBERS=4 -DEPOCHS=1: what is done wrong */  only these bounds are tried
# Each switch BUG_... that the model looks at has such a line. What makes a search incomplete (-DBITSTATE, -DHC, ...) is
# refused, as is a search that ran into its limits of depth or memory.

set -uo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# said FILE KEY: what the comments `KEY: ...` of the model say, one a line.
said() {
	sed -n "s|^/\* $2: \(.*\) \*/\$|\1|p" "$1"
}

# search DIRECTORY FILE DEFINITION...: one run of spin; its words are in DIRECTORY/output. 0: no error, 1: an error was
# found, 2: there is no answer.
search() {
	local directory=$1 file=$2 option compile=() run=()

	shift 2
	rm -rf "$directory"
	mkdir -p "$directory" && cp "$file" "$directory/model.pml" && cd "$directory" || return 2
	for option in $(said "$file" options | tr '\n' ' '); do
		case $option in
		-DBITSTATE* | -DHC* | -DSPACE* | -DRANDSTORE*) echo "$option: not exhaustive" >output; return 2 ;;
		-D* | -O*) compile+=("$option") ;;
		*) run+=("$option") ;;
		esac
	done
	# pan's own code has warnings; they are nobody's here.
	{ spin -a "$@" model.pml && gcc -O1 -w "${compile[@]}" -o pan pan.c; } >output 2>&1 || return 2
	./pan "${run[@]}" >output 2>&1
	rm -f pan pan.?
	! grep -q '^pan:[0-9]*: ' output || return 1
	if grep -qE 'errors: 0$' output && ! grep -qE 'max search depth too small|not completed|out of memory|MEMLIM' output; then
		return 0
	fi
	return 2
}

# figures DIRECTORY: states and depth of a search.
figures() {
	local states depth

	states=$(sed -n 's/^ *\([0-9.e+]*\) states, stored.*/\1/p' "$1/output")
	depth=$(sed -n 's/.*depth reached \([0-9]*\),.*/\1/p' "$1/output")
	printf '%s states, depth %s' "${states:-?}" "${depth:-?}"
}

# error DIRECTORY: what spin found.
error() {
	sed -n '/^pan:[0-9]*: / { s/^pan:[0-9]*: //; s/ (at depth .*//; s/  */ /g; p; q }' "$1/output"
}

# report NAME DIRECTORY RESULT: the line of one run. To be called by the shell that searched, not by a child of it.
report() {
	local seconds

	times >"$2/times"
	seconds=$(awk 'NR == 2 { split($1, user, /[ms]/); split($2, kernel, /[ms]/)
		printf "%.1f", user[1] * 60 + user[2] + kernel[1] * 60 + kernel[2] }' "$2/times")
	printf '%s: %s, %s s: %s\n' "$1" "$(figures "$2")" "$seconds" "$3"
}

# check_bounds FILE NUMBER BOUNDS: there must be no error.
check_bounds() {
	local name directory status=0 definitions

	name=$(basename "$1" .pml)
	directory=$kept/$name-$2
	read -r -a definitions <<<"$3"
	(search "$directory" "$1" "${definitions[@]}") || status=$?
	case $status in
	0) report "$name $3" "$directory" "no error" ;;
	1)
		report "$name $3" "$directory" "FAIL: $(error "$directory")"
		echo "  the schedule: cd $directory && spin -t -p -g $3 model.pml"
		return 1
		;;
	*)
		report "$name $3" "$directory" "FAIL: not searched to the end"
		tail -n 10 "$directory/output"
		return 1
		;;
	esac
}

# check_bug FILE "BUG [BOUNDS]: TEXT": one of the bounds must show an error.
check_bug() {
	local name directory status=0 definitions bug bounds

	name=$(basename "$1" .pml)
	read -r bug bounds <<<"${2%%:*}"
	directory=$kept/$name-$bug
	while read -r -a definitions; do
		status=0
		(search "$directory" "$1" "-D$bug" "${definitions[@]}") || status=$?
		[ "$status" -eq 0 ] || break
	done < <(if [ -n "$bounds" ]; then echo "$bounds"; else said "$1" bounds; fi)
	case $status in
	1) report "$name $bug" "$directory" "found: $(error "$directory")" ;;
	0) report "$name $bug" "$directory" "FAIL: not found"; return 1 ;;
	*)
		report "$name $bug" "$directory" "FAIL: no answer"
		tail -n 10 "$directory/output"
		return 1
		;;
	esac
}

# start COMMAND...: in the background, as soon as there is a place.
start() {
	if [ "$running" -ge "$jobs" ]; then
		wait_for_one
	fi
	"$@" &
	running=$((running + 1))
}

wait_for_one() {
	wait -n || failed=$((failed + 1))
	running=$((running - 1))
}

check_model() {
	local file=$1 line number=0 bug

	if [ ! -f "$file" ]; then
		say "there is no model $file"
		failed=$((failed + 1))
		return
	fi
	if [ -z "$(said "$file" bounds)" ] || [ -z "$(said "$file" bug)" ]; then
		say "$file: it states no bounds, or no bugs"
		failed=$((failed + 1))
	fi
	while read -r bug; do
		if ! said "$file" bug | grep -qE "^${bug}[: ]"; then
			say "$file: nothing is said of $bug"
			failed=$((failed + 1))
		fi
	done < <(sed '/^\/\* bug: /d' "$file" | grep -o '\<BUG_[A-Z0-9_]*' | sort -u)
	while read -r line; do
		number=$((number + 1))
		start check_bounds "$file" "$number" "$line"
	done < <(said "$file" bounds)
	while read -r line; do
		start check_bug "$file" "$line"
	done < <(said "$file" bug)
}

case ${1:-} in
-h | --help) sed -n '/^# usage:/,/^$/ s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; exit 0 ;;
-*) die "unknown option $1 (--help)" ;;
esac
command -v spin >/dev/null || die "there is no spin: apt-get install spin"
require_programs gcc awk sed
failed=0 running=0
jobs=${RDISK_MODEL_JOBS:-$(nproc)}
[[ $jobs =~ ^[1-9][0-9]*$ ]] || die "RDISK_MODEL_JOBS is not a number of jobs: $jobs"
kept=$rdisk_root/build/model
mkdir -p "$kept" || die "cannot make $kept"

models=("$@")
if [ ${#models[@]} -eq 0 ]; then
	mapfile -t models < <(cd "$rdisk_root/sim/model" && for file in *.pml; do [ ! -f "$file" ] || basename "$file" .pml; done)
	[ ${#models[@]} -gt 0 ] || die "there is no model in sim/model"
fi
for model in "${models[@]}"; do
	check_model "$rdisk_root/sim/model/$model.pml"
done
while [ "$running" -gt 0 ]; do
	wait_for_one
done
if [ "$failed" -ne 0 ]; then
	echo "$failed not as it must be"
	exit 1
fi
echo "all is as it must be"
