# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# What the guest's parts of the benchmark share. To be sourced.
# shellcheck disable=SC2034 # for those who source this

# The guest has no udev; a device is there some time after the guest.
await_device() {
	local i

	for ((i = 0; i < 600; i++)); do
		[ ! -b "$1" ] || return 0
		sleep 0.05
	done
	echo "there is no $1"
	exit 1
}

# fill_device DEVICE: every block is there before anything is measured: the host's allocation is not to be. The end of
# the device is an error to dd.
fill_device() {
	dd if=/dev/zero of="$1" bs=1M oflag=direct status=none 2>/dev/null || true
}

make_file_system() {
	mkfs.ext4 -q -F -E lazy_itable_init=0,lazy_journal_init=0 "$1"
}

# prepare_tree TAR: into the guest's memory, as the host's file system is not to be measured.
prepare_tree() {
	mkdir /tmp/disk
	cp "$1" /tmp/tree.tar
}

tree_untar() { tar -xf /tmp/tree.tar -C /tmp/disk; }
# A size makes find look at each inode.
tree_find() { find /tmp/disk/tree -type f -size +0 | wc -l >/tmp/found; }
tree_cp() { cp -r /tmp/disk/tree /tmp/disk/copy; }
tree_rm() { rm -r /tmp/disk/copy; }

# tree_step NAME DEVICE: untar, find, cp or rm, from mount to umount; sets elapsed, in us.
tree_step() {
	local start

	echo 3 >/proc/sys/vm/drop_caches
	start=${EPOCHREALTIME/./}
	mount -t ext4 "$2" /tmp/disk
	"tree_$1"
	umount /tmp/disk
	elapsed=$((${EPOCHREALTIME/./} - start))
}
