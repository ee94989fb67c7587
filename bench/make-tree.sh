#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Makes the archive that scripts/bench.sh unpacks: 10 000 files of text in 100 directories of two levels, 64 bytes to
# 32 KiB, small ones more often (52 MB in all). The same bytes on every machine.
#
# usage: make-tree.sh TAR SCRATCH-DIRECTORY

set -euo pipefail
tar=$1 scratch=$2

mkdir -p "$scratch"/tree/{0,1,2,3,4,5,6,7,8,9}/{0,1,2,3,4,5,6,7,8,9}
# 16 doublings from a linear congruential generator; a file is one long text, cut.
LC_ALL=C awk -v root="$scratch/tree" '
	function random(below) {
		state = (state * 69069 + 12345) % 4294967296
		return int(state / 4294967296 * below)
	}
	BEGIN {
		state = 42
		while (length(text) < 65536)
			text = text sprintf("line %d of a text that is as long as need be: %d\n", ++lines, random(1000000))
		for (i = 0; i < 10000; i++) {
			size = 64 * 2 ^ random(9)
			size += random(size)
			name = sprintf("%s/%d/%d/file-%04d", root, i % 10, int(i / 10) % 10, i)
			printf "%s", substr(text, random(32768) + 1, size) >name
			close(name)
		}
	}'
tar -C "$scratch" --format=ustar --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner --mode=u=rwX,go=rX -cf "$tar" tree
rm -rf "$scratch/tree"
