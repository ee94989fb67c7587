#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Installs the Debian packages that are missing, and does nothing when none is. The only step that needs
# root: as another user it tries sudo, and where sudo would ask for a password it says what to install.
#
# usage: install-packages.sh [demo|test]
#   demo  what it takes to build everything and to run a guest
#   test  that, and what the tests and the static checks need (the default)

set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# Building the programs, the guest's kernel, and running a guest with file systems in it.
packages=(
	gcc libc6-dev make cmake ninja-build pkgconf libconfig-dev libcjson-dev
	linux-source-6.1 xz-utils flex bison bc libelf-dev perl patch
	e2fsprogs fdisk mount util-linux procps
)
case ${1:-test} in
demo) ;;
test)
	packages+=(
		libcmocka-dev fio strace mmdebstrap uidmap
		clang-format clang-tidy cppcheck shellcheck codespell mandoc
	)
	;;
*) die "usage: install-packages.sh [demo|test]" ;;
esac

missing=()
for package in "${packages[@]}"; do
	status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) || status=absent
	[ "$status" = installed ] || missing+=("$package")
done
[ ${#missing[@]} -gt 0 ] || exit 0

if [ "$(id -u)" -eq 0 ]; then
	as_root=()
elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
	as_root=(sudo -n)
else
	say "these packages are missing and only root can install them:"
	die "  apt-get install --no-install-recommends ${missing[*]}"
fi

say "installing ${missing[*]}"
apt=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -o Acquire::Retries=3)
"${apt[@]}" update >&2 </dev/null
"${apt[@]}" install -y --no-install-recommends "${missing[@]}" >&2 </dev/null
