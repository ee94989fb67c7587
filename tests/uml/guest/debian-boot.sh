#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# usage: debian-boot.sh ARCHIVE: unpacks a Debian system onto /dev/rdiska and lets root log in on the console.

. "$(dirname "${BASH_SOURCE[0]}")/common.sh"


await_device /dev/rdiska
mkfs.ext4 -q /dev/rdiska
mount /dev/rdiska "$mnt"
tar -xf "$1" -C "$mnt" --numeric-owner
chroot "$mnt" passwd -q -d root
chroot "$mnt" systemctl --quiet enable console-getty.service
# Only the console that there is.
chroot "$mnt" systemctl --quiet disable getty@tty1.service
echo guest >"$mnt/etc/hostname"
umount "$mnt"
