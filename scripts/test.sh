#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Installs the packages that are missing, builds, and runs all tests and static checks. Its last line is
# "N passed, N failed, N skipped"; exit status 0 if none failed.
#
# usage: test.sh [PART...]
#   unit local fault  these tests with the builds debug, asan and tsan (fault: not tsan)
#   uml               the tests with a real guest
#   cluster           the tests with several hosts (scripts/cluster.sh), and some minutes of random faults (scripts/soak.sh)
#   fuzz              a quarter of a minute of each target of scripts/fuzz.sh
#   sim               scripts/sim-all.sh: the replication core in the simulator; scripts/sim-foreign.sh
#   model             scripts/model.sh: spin searches the models of the replication protocol
#   static            format, lint and spelling of what is in the repository
#   demo              scripts/demo.sh
# Without a PART: all of them.
#
# Nothing but the packages needs root. When root runs it, all is done by the user nobody in a copy of the
# repository, and what only root can test (label root) is run at the end by root.
#
# environment: RDISK_CACHE  the cache; for root it is /var/cache/rdisk unless told
#              RDISK_TEST_USER  the user that root becomes, instead of nobody

set -uo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
all_parts=(unit local fault uml cluster fuzz model sim static demo)

passed=0 failed=0 skipped=0 failures=()

# result NAME STATUS: counts one; 77 is a skip.
result() {
	case $2 in
	0) passed=$((passed + 1)); echo "pass: $1" ;;
	77) skipped=$((skipped + 1)); echo "skip: $1" ;;
	*) failed=$((failed + 1)); failures+=("$1"); echo "FAIL: $1 (status $2)" ;;
	esac
}

# run NAME COMMAND...: one test; what it says is shown if it fails, at once and at the end of all, the last line of it if it is
# skipped.
run() {
	local name=$1 status=0 started=$SECONDS

	shift
	"$@" >"$scratch/output" 2>&1 </dev/null || status=$?
	name="$name ($((SECONDS - started)) s)"
	case $status in
	0) ;;
	77) name+=": $(tail -n 1 "$scratch/output")" ;;
	*)
		tail -n 100 "$scratch/output" | tee "$scratch/failure"
		{ echo "== the end of what was said by: $name"; cat "$scratch/failure"; } >>"$scratch/failures"
		;;
	esac
	result "$name" "$status"
}

# failed_tests REPORT: their names.
failed_tests() {
	awk -F '"' '/<testcase/ { name = $2 } /<failure/ { print name }' "$1" | paste -sd ' '
}

# run_ctest PRESET CTEST-ARGUMENT...: counts each test of it, and says why one was skipped.
run_ctest() {
	local preset=$1 status=0 count=
	local report=$scratch/junit.xml

	shift
	rm -f "$report"
	echo "== ctest, build $preset: $*"
	(cd "$build/$preset" && ctest --output-on-failure --no-tests=error --output-junit "$report" "$@") </dev/null || status=$?
	attribute() { sed -n "s/.*[[:space:]]$1=\"\([0-9]*\)\".*/\1/p" "$report" | head -n 1; }
	[ ! -f "$report" ] || count=$(attribute failures)
	# No report, or a failure that is no test's: there was no such test, for one.
	if [ -z "$count" ] || { [ "$status" -ne 0 ] && [ "$count" -eq 0 ]; }; then
		result "ctest $preset $*" "$((status == 0 ? 1 : status))"
		return
	fi
	failed=$((failed + count))
	passed=$((passed + $(attribute tests) - count - $(attribute skipped) - $(attribute disabled)))
	skipped=$((skipped + $(attribute skipped) + $(attribute disabled)))
	[ "$count" -eq 0 ] || failures+=("$count of ctest $preset $*: $(failed_tests "$report")")
	awk -F '"' '/<testcase/ { name = $2 } /<skipped/ { skipped = 1 } /<\/testcase>/ { skipped = 0 }
		skipped && sub(/.*<system-out>/, "") { print "skip: " name ": " $0 }' "$report"
}

finish() {
	local name

	[ ! -e "$scratch/failures" ] || cat "$scratch/failures"
	for name in "${failures[@]}"; do
		echo "failed: $name"
	done
	if [ -n "${RDISK_TEST_COUNTS:-}" ]; then
		# Root's run, which started this one, adds its own and says the sum.
		printf '%d %d %d\n' "$passed" "$failed" "$skipped" >"$RDISK_TEST_COUNTS"
	else
		echo "$passed passed, $failed failed, $skipped skipped"
	fi
	[ "$failed" -eq 0 ]
}

wanted() {
	[[ " ${parts[*]} " == *" $1 "* ]]
}

# As root: everything in a copy and as another user; root's own tests after it.
run_for_root() {
	local user=${RDISK_TEST_USER:-nobody} status=0 environment

	id "$user" >/dev/null || die "there is no user $user"
	RDISK_CACHE=${RDISK_CACHE:-/var/cache/rdisk}
	export RDISK_CACHE
	mkdir -p "$RDISK_CACHE" || die "cannot make $RDISK_CACHE"
	if wanted uml; then
		"$rdisk_root/tests/uml/debian-tar.sh" >/dev/null || say "no Debian system for its test"
	fi
	chown -R "$user:" "$RDISK_CACHE"

	mkdir "$scratch/home" "$scratch/source"
	tar -C "$rdisk_root" --exclude=./build --exclude=./.git -cf - . | tar -C "$scratch/source" -xf - || die "cannot copy the repository"
	: >"$scratch/counts"
	chmod 711 "$scratch"
	chown -R "$user:" "$scratch/home" "$scratch/source" "$scratch/counts"
	environment=(env -i "PATH=$PATH" "HOME=$scratch/home" "RDISK_CACHE=$RDISK_CACHE" "TERM=${TERM:-dumb}" LC_ALL=C.UTF-8
		"RDISK_TEST_COUNTS=$scratch/counts")
	(cd "$scratch/source" && setpriv --reuid="$user" --regid="$(id -g "$user")" --clear-groups \
		"${environment[@]}" bash scripts/test.sh "${parts[@]}") || status=$?

	if ! read -r passed failed skipped <"$scratch/counts"; then
		passed=0 failed=1 skipped=0
		failures+=("the user's part, with status $status")
	fi
	build=$scratch/source/build
	if [ -f "$build/debug/CTestTestfile.cmake" ]; then
		DVK_RUNTIME_DIR=$scratch/node run_ctest debug -L root
	fi
}

build_preset() {
	cmake --preset "$1" && cmake --build --preset "$1"
}

run_builds() {
	local preset part chosen labels

	for preset in debug asan tsan; do
		chosen=()
		for part in unit local fault; do
			! wanted "$part" || [ "$preset/$part" = tsan/fault ] || chosen+=("$part")
		done
		# The static checks want to know how things are compiled.
		[ ${#chosen[@]} -gt 0 ] || { [ "$preset" = debug ] && wanted static; } || continue
		run "build $preset" build_preset "$preset"
		[ ${#chosen[@]} -gt 0 ] || continue
		labels=$(IFS='|'; echo "^(${chosen[*]})$")
		run_ctest "$preset" -L "$labels" -LE root -j "$(nproc)"
	done
}

check_install() {
	DESTDIR=$scratch/install cmake --install build/release && find "$scratch/install" -name rdisk -type f -exec {} --version \;
}

# random_faults SEED: twice four minutes, with and without sanitizers: the one waits while the other works. A round a set, as
# the history of several can be too long to be judged. A failure counts before a skip.
random_faults() {
	local status=0 other=0

	scripts/soak.sh --minutes 4 --seed "$1" --build asan --rounds 1 >"$scratch/sanitizers" 2>&1 &
	soaks=($!)
	scripts/soak.sh --minutes 4 --seed "$(($1 + 1000000))" --rounds 1 &
	soaks+=($!)
	wait "${soaks[1]}" || status=$?
	wait "${soaks[0]}" || other=$?
	soaks=()
	cat "$scratch/sanitizers"
	if [ "$status" -eq 0 ] || { [ "$status" -eq 77 ] && [ "$other" -ne 0 ]; }; then
		status=$other
	fi
	return "$status"
}

[ "${1:-}" != --help ] || { sed -n '/^# usage:/,/^$/ s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; exit 0; }
for part in "$@"; do
	[[ " ${all_parts[*]} " == *" $part "* ]] || die "unknown part $part (--help)"
done
parts=("${@:-${all_parts[@]}}")
scratch=$(mktemp -d /var/tmp/rdisk-test.XXXXXX) || die "cannot make a temporary directory"
soaks=() # processes that an interrupt has to end: what runs in the background does not hear of it
# shellcheck disable=SC2317 # called by the trap
clean_up() {
	local status=$?

	[ ${#soaks[@]} -eq 0 ] || { kill "${soaks[@]}"; wait "${soaks[@]}"; } 2>/dev/null
	rm -rf "$scratch"
	exit "$status"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
build=$rdisk_root/build
cd "$rdisk_root" || die "cannot go to $rdisk_root"

"$rdisk_root/scripts/install-packages.sh" test || die "packages are missing"
if wanted sim; then
	# Without them that test is skipped.
	"$rdisk_root/scripts/install-packages.sh" foreign || say "no other processors' compilers and qemu"
fi
if [ "$(id -u)" -eq 0 ]; then
	run_for_root
	finish
	exit
fi

if wanted uml || wanted cluster || wanted demo || wanted static; then
	run "guest kernel" scripts/build-uml.sh
fi
run_builds
if wanted uml; then
	run "build release" build_preset release
	run "install" check_install
	run_ctest release -L uml
	wanted unit || wanted local || wanted fault || run "build asan" build_preset asan
	# Left out: what is not about the build's programs, and one whose program runs in the guest, where asan cannot.
	run_ctest asan -L uml -E 'uml-(run-uml|lost-signal|no-disk|replay-device)'
fi
if wanted cluster; then
	wanted uml || run "build release" build_preset release
	run_ctest release -L cluster
	seed=$(date +%s)
	run "random faults, seed $seed" random_faults "$seed"
fi
if wanted fuzz; then
	for name in message metadata done_table; do
		run "fuzz $name" scripts/fuzz.sh --seconds 15 "$name"
	done
fi
if wanted model; then
	run "models" scripts/model.sh
fi
if wanted sim; then
	run "simulator" scripts/sim-all.sh --seeds 200
	run "simulator on other processors" scripts/sim-foreign.sh
fi
if wanted static; then
	# shellcheck source=static-checks.sh
	. "$rdisk_root/scripts/static-checks.sh"
	run_static_checks
fi
if wanted demo; then
	run "demo" scripts/demo.sh
fi
finish
