# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# What the scripts share: where things are and how they speak. To be sourced by bash; defines functions
# and variables, does nothing by itself.

# shellcheck disable=SC2034 # for those who source this
rdisk_root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
rdisk_program=$(basename "$0")

# A line for the reader, on stderr: stdout belongs to what a script was asked for.
say() {
	printf '%s: %s\n' "$rdisk_program" "$*" >&2
}

die() {
	say "$*"
	exit 1
}

# need_value OPTION [VALUE]...: what is left of a script's arguments, of which the first wants the second.
need_value() {
	[ "$#" -ge 2 ] || die "$1 needs a value (--help)"
}

# The cache directory, made if it is missing.
rdisk_cache() {
	local cache=${RDISK_CACHE:-}

	if [ -z "$cache" ]; then
		[ -n "${HOME:-}" ] || die "neither RDISK_CACHE nor HOME is set: no place for the cache"
		cache=$HOME/.cache/rdisk
	fi
	mkdir -p "$cache" || die "cannot make the cache directory $cache"
	(cd "$cache" && pwd -P)
}

# require_programs PROGRAM...: dies naming all that are missing.
require_programs() {
	local program missing=()

	for program in "$@"; do
		command -v "$program" >/dev/null || missing+=("$program")
	done
	[ ${#missing[@]} -eq 0 ] ||
		die "missing programs: ${missing[*]} (scripts/install-packages.sh installs all that is needed)"
}

# file_tree_hash PATH...: one hash for the names and contents of all files below the paths.
file_tree_hash() {
	find "$@" -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum | cut -d ' ' -f 1
}
