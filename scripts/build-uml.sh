#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Builds the guest kernel (User-Mode Linux with the rdisk driver) from Debian's kernel source, as an
# ordinary user, and prints its path as the last line of stdout. Does not install packages.
#
# usage: build-uml.sh [--tree] [--with FILE]
#   --tree       print the path of the kernel's source tree instead (with its scripts, such as checkpatch)
#   --with FILE  options of the kernel beside those of uml-rdisk/kernel.config; another RDISK_CACHE keeps both kernels
#
# The result is cached below ${RDISK_CACHE:-~/.cache/rdisk}/kernel:
#   tree-KEY/   the unpacked and built source, KEY naming the tarball and our patches: a changed driver costs a relink
#   linux-KEY   finished kernels, KEY naming all that they were built from; the newest few are kept
#   build.log   what the last build said
# A name without ".tmp" is complete: everything is made under such a name and then renamed.

set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

package=linux-source-6.1
tarball=/usr/src/$package.tar.xz
driver=$rdisk_root/uml-rdisk
kernels_kept=4

# Nothing from the caller's environment may steer the kernel's build.
unset ARCH SUBARCH CROSS_COMPILE CC LD MAKEFLAGS MAKELEVEL KBUILD_OUTPUT KCONFIG_CONFIG LLVM
export LC_ALL=C KBUILD_BUILD_USER=rdisk KBUILD_BUILD_HOST=rdisk

tarball_key() {
	local version

	version=$(dpkg-query -W -f '${Version}' "$package" 2>/dev/null) || version=unknown
	printf '%s %s\n' "$version" "$(stat -L -c '%s %Y' "$tarball")" | sha256sum | cut -c 1-16
}

# A patch that changes cannot be taken back from a tree: it gets a new one.
tree_key() {
	{
		tarball_key
		cd "$driver"
		file_tree_hash patches
	} | sha256sum | cut -c 1-16
}

kernel_key() {
	{
		tarball_key
		gcc --version
		ld --version
		uname -m
		cd "$rdisk_root"
		file_tree_hash scripts/build-uml.sh uml-rdisk common/dvk common/rdisk
		[ -z "$more" ] || sha256sum <"$more"
	} | sha256sum | cut -c 1-32
}

# Removes what interrupted runs left, other versions' trees, and all but the newest kernels. Under the lock.
clean_cache() {
	local path

	for path in "$cache"/*.tmp* "$cache"/tree-*; do
		[ "$path" = "$tree" ] || rm -rf "$path"
	done
	find "$cache" -maxdepth 1 -name 'linux-*' -printf '%T@ %p\n' | sort -rn |
		tail -n "+$kernels_kept" | cut -d ' ' -f 2- | xargs -r -d '\n' rm -f
}

unpack() {
	[ ! -d "$tree" ] || return 0
	say "unpacking $tarball"
	mkdir "$tree.tmp"
	tar -xJf "$tarball" -C "$tree.tmp" --strip-components=1
	mv "$tree.tmp" "$tree"
}

# Every option that the fragment asks for must have come out as asked: Kconfig drops what it does not know.
check_configuration() {
	local line refused=0

	while read -r line; do
		case $line in
		CONFIG_*=n) grep -q "^${line%n}" "$tree/.config" || continue ;;
		CONFIG_*=*) ! grep -qxF "$line" "$tree/.config" || continue ;;
		'# CONFIG_'*' is not set') grep -q "^$(cut -d ' ' -f 2 <<<"$line")=" "$tree/.config" || continue ;;
		*) continue ;;
		esac
		say "${more:+$more or }uml-rdisk/kernel.config: this kernel cannot have $line"
		refused=1
	done < <(cat "$driver/kernel.config" ${more:+"$more"})
	return "$refused"
}

# Configures the tree unless that was done for the same fragment, Kconfig files and compiler. The mark is
# written last, so that an interrupted run starts again.
configure() {
	local mark=$tree/.rdisk-configured key

	key=$( (
		gcc --version
		cd "$rdisk_root"
		find uml-rdisk -name '*onfig*' -type f -print0 | sort -z | xargs -0 sha256sum
		[ -z "$more" ] || sha256sum <"$more"
	) | sha256sum)
	[ "$(cat "$mark" 2>/dev/null)" != "$key" ] || return 0

	say "configuring"
	rm -f "$mark"
	make -C "$tree" ARCH=um defconfig
	(cd "$tree" && ARCH=um scripts/kconfig/merge_config.sh -m .config "$driver/kernel.config" ${more:+"$more"})
	make -C "$tree" ARCH=um olddefconfig
	check_configuration
	printf '%s\n' "$key" >"$mark"
}

# Runs in a subshell of its own with errexit on; output goes to the log.
build() {
	unpack
	"$driver/install.sh" "$tree"
	configure
	say "compiling (some minutes the first time)"
	make -C "$tree" ARCH=um -j"$(nproc)" linux
	cp "$tree/linux" "$kernel.tmp"
	mv "$kernel.tmp" "$kernel"
}

print_tree=0 more=
while [ $# -gt 0 ]; do
	case $1 in
	--tree) print_tree=1; shift ;;
	--with) more=$(readlink -e -- "${2:-}") || die "--with needs a file that is there"; shift 2 ;;
	*) die "usage: build-uml.sh [--tree] [--with FILE] (RDISK_CACHE names the cache directory)" ;;
	esac
done
[ -r "$tarball" ] || die "$tarball is not there (package $package; scripts/install-packages.sh installs it)"
require_programs gcc ld make flex bison bc xz perl patch
cache=$(rdisk_cache)/kernel
mkdir -p "$cache"
tree=$cache/tree-$(tree_key)
kernel=$cache/linux-$(kernel_key)

if [ ! -x "$kernel" ] || { [ "$print_tree" -eq 1 ] && [ ! -d "$tree" ]; }; then
	exec {lock}>"$cache/lock"
	if ! flock -n "$lock"; then
		say "waiting for another build in $cache"
		flock "$lock"
	fi
	if [ ! -x "$kernel" ] || [ ! -d "$tree" ]; then
		clean_cache
		# say still reaches the reader: descriptor 3 is his stderr.
		exec 3>&2
		say() { printf '%s: %s\n' "$rdisk_program" "$*" >&3; }
		set +e
		(set -e; build) >"$cache/build.log" 2>&1 </dev/null
		status=$?
		set -e
		if [ "$status" -ne 0 ]; then
			tail -n 40 "$cache/build.log" >&2
			die "building the kernel failed, the whole log is $cache/build.log"
		fi
	fi
	exec {lock}>&-
fi
touch "$kernel"
if [ "$print_tree" -eq 1 ]; then
	printf '%s\n' "$tree"
else
	printf '%s\n' "$kernel"
fi
