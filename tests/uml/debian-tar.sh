#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Makes a tar archive of a minimal Debian system with systemd as its init, cached below RDISK_CACHE for a month, and
# prints its path. Works for root, and for users who may map subordinate user ids (package uidmap, /etc/subuid) in user
# namespaces of their own. Exit status 77 where neither is so.

set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/../../scripts/lib.sh"

suite=bookworm
cache=$(rdisk_cache)/debian
mkdir -p "$cache"
archive=$cache/$suite.tar
exec {lock}>"$cache/lock"
flock "$lock"
if [ -z "$(find "$archive" -mtime -30 2>/dev/null)" ]; then
	require_programs mmdebstrap
	if [ "$(id -u)" -ne 0 ] && { ! command -v newuidmap >/dev/null || ! grep -q "^$(id -un):" /etc/subuid; }; then
		say "mmdebstrap needs root, or uidmap and a range of user ids in /etc/subuid for $(id -un)"
		exit 77
	fi
	if [ "$(id -u)" -ne 0 ] && ! unshare --user true 2>/dev/null; then
		say "mmdebstrap needs root, or user namespaces, which $(id -un) may not make here"
		exit 77
	fi
	# The mirror that this machine uses itself, if it says one.
	# shellcheck disable=SC2016 # apt-get expands it
	mirror=$(apt-get indextargets 'Created-By: Packages' "Codename: $suite" 'Component: main' --format '$(REPO_URI)' | head -n 1)
	mmdebstrap --quiet --format=tar --variant=minbase --include=systemd-sysv,dbus "$suite" "$archive.tmp" ${mirror:+"$mirror"} >&2 </dev/null
	mv "$archive.tmp" "$archive"
fi
printf '%s\n' "$archive"
