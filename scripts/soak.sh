#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Random faults against replica sets of real processes for as long as you like: tests/cluster/mix.sh with one seed after the
# other. What a failed run leaves is kept, and the next one begins.
#
# usage: soak.sh --minutes N [--seed S] [--build PRESET]... [MIX-OPTION...]
#   --minutes N       no run begins after that
#   --seed S          the first; the time of day unless told
#   --build PRESET    release, debug, asan, tsan, which are built first; several take turns. release unless told
#   MIX-OPTION...     what tests/cluster/mix.sh takes, such as --set 5
# exit status: 0 nothing was wrong; 1 some run failed; 2 usage; 77 the machine does not allow it, or none failed, but the history
#              of some was not judged as a whole

set -uo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

minutes='' seed=$(date +%s) builds=() options=()
programs=(rdisk rdiskctl dvkd cluster-client rdisk-check crash_log crash_image clock_shift)

usage_error() {
	say "$* (--help)"
	exit 2
}

while [ $# -gt 0 ]; do
	[ "$1" != --help ] || { sed -n '/^# usage:/,/^$/ s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; exit 0; }
	[ $# -ge 2 ] || usage_error "$1 needs a value"
	case $1 in
	--minutes) minutes=$2 ;;
	--seed) seed=$2 ;;
	--build) builds+=("$2") ;;
	*) options+=("$1" "$2") ;;
	esac
	shift 2
done
[[ $minutes =~ ^[1-9][0-9]*$ ]] || usage_error "--minutes N"
[[ $seed =~ ^[0-9]+$ ]] || usage_error "--seed $seed is no number"
[ ${#builds[@]} -gt 0 ] || builds=(release)
for build in "${builds[@]}"; do
	(cd "$rdisk_root" && { [ -f "build/$build/build.ninja" ] || cmake --preset "$build"; } &&
		cmake --build --preset "$build" --target "${programs[@]}") >&2 || die "cannot build $build"
done

# A run is ended as a whole, with its hosts and folders, however long the step takes that it is in.
mix=
# shellcheck disable=SC2317 # called by the trap
finish() {
	local status=$?

	[ -z "$mix" ] || { kill "$mix"; wait "$mix"; } 2>/dev/null
	exit "$status"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

runs=0 failed=() undecided=()
end=$((SECONDS + minutes * 60))
while [ "$SECONDS" -lt "$end" ]; do
	status=0
	RDISK_BIN=$rdisk_root/build/${builds[runs % ${#builds[@]}]}/bin "$rdisk_root/tests/cluster/mix.sh" --seed "$seed" \
		"${options[@]}" &
	mix=$!
	wait "$mix" || status=$?
	mix=
	case $status in
	0) ;;
	4) undecided+=("$seed") ;;
	2 | 77 | 130 | 143) exit "$status" ;;
	*) failed+=("$seed") ;;
	esac
	runs=$((runs + 1))
	seed=$((seed + 1))
done
say "$runs runs in $minutes minutes, up to seed $((seed - 1)); failed: ${failed[*]:-none}; not judged as a whole: ${undecided[*]:-none}"
[ ${#failed[@]} -eq 0 ] || exit 1
[ ${#undecided[@]} -eq 0 ] || exit 77
