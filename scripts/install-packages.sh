#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Installs the Debian packages that are missing, and does nothing when none is. The only step that needs
# root: another user's is done with sudo, which asks for the password at a terminal. Where that does not work it says
# what to install.
#
# usage: install-packages.sh [demo|test|bench|foreign|soak]
#   demo     what it takes to build everything and to run a guest
#   test     that, and what the tests and the static checks need (the default)
#   bench    what demo does, what scripts/bench.sh compares with, and what scripts/floor.sh, profile.sh need
#   foreign  what demo does, and what it takes to run the simulator on other processors (scripts/sim-foreign.sh)
#   soak     what demo does, and the data base of scripts/soak-guest.sh

set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# Building the programs, the guest's kernel, running a guest with file systems in it, and several hosts (scripts/cluster.sh).
packages=(
	gcc libc6-dev make cmake ninja-build pkgconf libconfig-dev libcjson-dev zlib1g-dev libxxhash-dev libgnutls28-dev
	liblz4-dev
	libcpg-dev libquorum-dev
	linux-source-6.1 xz-utils flex bison bc libelf-dev perl patch
	e2fsprogs fdisk mount util-linux procps
	corosync iproute2 jq hostname
)
case ${1:-test} in
demo) ;;
test)
	packages+=(
		libcmocka-dev libnbd-dev nbdkit fio sqlite3 strace gdb mmdebstrap uidmap
		clang clang-format clang-tidy libclang-rt-dev llvm cppcheck shellcheck codespell mandoc spin
		gcc-aarch64-linux-gnu libc6-dev-arm64-cross
	)
	;;
bench)
	# The disk servers to compare with; qemu-storage-daemon is in qemu-system-common. Traces of servers. What makes a disk
	# slow is built with the tests.
	packages+=(libcmocka-dev fio nbdkit libnbd-dev qemu-system-common tar blkreplay-examples linux-perf)
	;;
foreign)
	packages+=(gcc-aarch64-linux-gnu libc6-dev-arm64-cross gcc-s390x-linux-gnu libc6-dev-s390x-cross qemu-user)
	;;
soak) packages+=(postgresql-15) ;;
*) die "usage: install-packages.sh [demo|test|bench|foreign|soak]" ;;
esac

missing=()
for package in "${packages[@]}"; do
	status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) || status=absent
	[ "$status" = installed ] || missing+=("$package")
done
[ ${#missing[@]} -gt 0 ] || exit 0

sudo_works() {
	command -v sudo >/dev/null || return 1
	! sudo -n true 2>/dev/null || return 0
	[ -t 0 ] && [ -t 2 ] || return 1
	say "these packages are missing: ${missing[*]}"
	sudo -v -p "password of %p, to install them with sudo: "
}

if [ "$(id -u)" -eq 0 ]; then
	as_root=()
elif sudo_works; then
	as_root=(sudo)
else
	say "packages are missing, and only root can install them:"
	die "  apt-get update && apt-get install --no-install-recommends ${missing[*]}"
fi

say "installing ${missing[*]}"
apt=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -o Acquire::Retries=3)
"${apt[@]}" update >&2 </dev/null
"${apt[@]}" install -y --no-install-recommends "${missing[@]}" >&2 </dev/null
