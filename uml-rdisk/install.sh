#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Puts the rdisk driver into an unpacked Linux source tree (KERNEL_TREE/arch/um/drivers/rdisk) and hooks it
# into the tree's Makefile and Kconfig, and mends what of the tree itself stands in its way (patches/). May be run
# again: only what has changed is written, so that a build after it is incremental. Configures and builds nothing.
set -eu

if [ $# -ne 1 ]; then
	echo "usage: $0 KERNEL_TREE" >&2
	exit 2
fi
tree=$1
here=$(cd "$(dirname "$0")" && pwd)
common=$here/../common
drivers=$tree/arch/um/drivers
target=$drivers/rdisk

if [ ! -f "$drivers/ubd_kern.c" ]; then
	echo "$0: $tree: not a Linux source tree with arch/um/drivers" >&2
	exit 1
fi

# put FILE DIRECTORY: copies if the content differs
put() {
	cmp -s "$1" "$2/$(basename "$1")" || cp "$1" "$2/"
}

# hook FILE LINE BEFORE: inserts LINE before the first line that matches BEFORE, or at the end of the file
hook() {
	if grep -qxF "$2" "$1"; then
		return
	fi
	awk -v line="$2" -v before="$3" '
		!done && before != "" && $0 ~ before { print line; done = 1 }
		{ print }
		END { if (!done) print line }' "$1" >"$1.rdisk"
	mv "$1.rdisk" "$1"
}

# mend PATCH: applies it unless it is there already
mend() {
	if ! patch -d "$tree" -p1 -R --dry-run --force --silent <"$1" >/dev/null; then
		patch -d "$tree" -p1 --forward --silent <"$1"
	fi
}

mkdir -p "$target/kernel-include"
for file in "$here"/*.c "$here"/*.h "$here/Makefile" "$here/Kconfig" "$common"/dvk/*.h "$common"/rdisk/*.h; do
	put "$file" "$target"
done
for part in client bind info peer grant packet event request errno ipc wait descriptors awake spin copy runtime system_raw; do
	put "$common/dvk/dvk_$part.c" "$target"
done
for file in "$here"/kernel-include/*.h; do
	put "$file" "$target/kernel-include"
done

# shellcheck disable=SC2016 # the $( ) is make's
hook "$drivers/Makefile" 'obj-$(CONFIG_UML_RDISK) += rdisk/' '^include arch/um/scripts/Makefile.rules'
hook "$drivers/Kconfig" 'source "arch/um/drivers/rdisk/Kconfig"' ''
for patch in "$here"/patches/*.patch; do
	mend "$patch"
done
