#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A data base under load in a guest, on a disk with three copies whose primary is killed every 20 s: PostgreSQL with pgbench, and
# rows of which each commit is told on the guest's console after it was answered. In the end the data base is killed, recovers
# from the disk, and has to have every commit that was told and every transaction that pgbench counts; PostgreSQL's checksums,
# e2fsck and the guest's log have to be clean, and the three images equal. No test of CI: it takes PostgreSQL.
#
# It installs PostgreSQL if it is not there, as Debian has it: with a server that is started, which this does not use.
#
# usage: soak-guest.sh [--minutes N] [--every SECONDS] [--build PRESET] [--scale N]
#   --minutes N       of load; 5 unless told
#   --every SECONDS   from one kill to the next, or more if the set takes longer to be in sync; 20 unless told
#   --build PRESET    release, debug or asan, which is built first; release unless told
#   --scale N         of pgbench: 100 000 rows each; 5 unless told
# exit status: 0 nothing was wrong; 1 something was; 2 usage; 77 the machine does not allow it

set -uo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

minutes=5 every=20 build=release scale=5

usage_error() {
	say "$* (--help)"
	exit 2
}

while [ $# -gt 0 ]; do
	[ "$1" != --help ] || { sed -n '/^# A data base/,/^$/ s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; exit 0; }
	[ $# -ge 2 ] || usage_error "$1 needs a value"
	case $1 in
	--minutes) minutes=$2 ;;
	--every) every=$2 ;;
	--build) build=$2 ;;
	--scale) scale=$2 ;;
	*) usage_error "unknown option $1" ;;
	esac
	shift 2
done
for number in "$minutes" "$every" "$scale"; do
	[[ $number =~ ^[1-9][0-9]{0,5}$ ]] || usage_error "$number is no number of minutes, of seconds or of rows"
done

"$rdisk_root/scripts/install-packages.sh" soak || die "packages are missing"
(cd "$rdisk_root" && { [ -f "build/$build/build.ninja" ] || cmake --preset "$build"; } &&
	cmake --build --preset "$build" --target rdisk rdiskctl dvkd) >&2 || die "cannot build $build"
# PostgreSQL needs an option that no other guest does.
kernel=$(RDISK_CACHE="$(rdisk_cache)/soak" "$rdisk_root/scripts/build-uml.sh" --with "$rdisk_root/scripts/soak-guest.config" |
	tail -n 1)
[ -x "$kernel" ] || die "there is no guest kernel"
RDISK_KERNEL=$kernel RDISK_BIN=$rdisk_root/build/$build/bin RDISK_SECONDS=$((minutes * 60)) \
	exec "$rdisk_root/tests/cluster/soak-postgresql.sh" "$every" "$scale"
