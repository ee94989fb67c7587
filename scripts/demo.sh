#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The main job, from a fresh Debian 12: installs the packages that are missing, builds the programs and the guest's
# kernel, starts rdisk, boots a guest that makes, checks and mounts a file system on /dev/rdiska and copies a tree to
# it, and checks the image on the host. Then the disk has three copies on three hosts (namespaces on this one), and its
# primary is killed again and again under a guest that writes. Everything but the build is in a temporary directory, which is removed.
# Exit status 0 if all of it went well.

set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
[ $# -eq 0 ] || die "usage: demo.sh"
export PATH=$PATH:/usr/sbin:/sbin

step() {
	printf '\n== %s\n' "$*"
}

server=
work=
cluster=
cleanup() {
	local status=$?

	trap - EXIT
	if [ -n "$server" ]; then
		kill "$server" 2>/dev/null || true
		wait "$server" || true
	fi
	if [ "$status" -ne 0 ] && [ -f "$work/rdisk.log" ]; then
		cat "$work/rdisk.log" >&2
	fi
	[ -z "$cluster" ] || "$rdisk_root/scripts/cluster.sh" --dir "$cluster" down || true
	[ -z "$work" ] || rm -rf "$work"
	[ "$status" -eq 0 ] || say "failed (exit status $status)"
	exit "$status"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

step "packages"
"$rdisk_root/scripts/install-packages.sh" demo
echo "all that is needed is installed"

step "building the programs (build/release)"
cd "$rdisk_root"
cmake --preset release >/dev/null
cmake --build --preset release --target rdisk rdiskctl
rdisk=$rdisk_root/build/release/bin/rdisk

step "building the guest's kernel (some minutes the first time)"
RDISK_KERNEL=$("$rdisk_root/scripts/build-uml.sh" | tail -n 1)
export RDISK_KERNEL
echo "$RDISK_KERNEL"

step "starting rdisk: container 0, endpoint 3, one disk of 512 MiB"
work=$(mktemp -d "${TMPDIR:-/tmp}/rdisk-demo.XXXXXX")
export DVK_RUNTIME_DIR=$work/node
mkdir -m 700 "$DVK_RUNTIME_DIR"
cat >"$work/rdisk.cfg" <<'END'
devices = (
	{ name = "demo"; image_type = "FILE_IMAGE"; image_file = "demo.img"; size = "512M"; }
);
END
mkfifo "$work/pipe"
"$rdisk" -d 0 -e 3 -c "$work/rdisk.cfg" </dev/null 2>"$work/pipe" &
server=$!
exec {pipe}<"$work/pipe"
ready=0
while read -r line <&"$pipe"; do
	printf '%s\n' "$line" | tee -a "$work/rdisk.log"
	[[ $line != *ready* ]] || { ready=1; break; }
done
[ "$ready" -eq 1 ] || die "rdisk did not get ready"
cat <&"$pipe" >>"$work/rdisk.log" &
exec {pipe}<&-

step "booting the guest"
cat >"$work/guest.sh" <<'END'
set -eu
# The guest does not wait for its disks, they appear.
until [ -b /dev/rdiska ]; do
	sleep 0.1
done
set -x
mkfs.ext4 -q /dev/rdiska
fsck.ext4 -f -p /dev/rdiska
mkdir /tmp/mnt
mount /dev/rdiska /tmp/mnt
cp -a "$1" /tmp/mnt/tree
echo "written in the guest" >/tmp/mnt/hello
df -h /tmp/mnt
umount /tmp/mnt
END
"$rdisk_root/scripts/run-uml.sh" --timeout 300 --append "dcid=0 uml_ep=-2 rd_ep=3" -- "$work/guest.sh" "$rdisk_root/scripts"

step "stopping rdisk"
kill "$server"
wait "$server"
server=
echo "it ended with status 0"

step "looking into the image on the host"
e2fsck -fn "$work/demo.img"
debugfs -R "rdump /tree $work" "$work/demo.img" 2>&1
diff -r "$rdisk_root/scripts" "$work/tree"
[ "$(debugfs -R 'cat /hello' "$work/demo.img" 2>/dev/null)" = "written in the guest" ]
echo "the file system is clean, and every file is what was copied"

step "three hosts, one disk: its primary is killed under a guest that writes"
cat >"$work/writer.sh" <<'END'
set -eu
until [ -b /dev/rdiska ]; do
	sleep 0.1
done
mkfs.ext4 -q /dev/rdiska
mkdir /tmp/mnt
mount /dev/rdiska /tmp/mnt
end=$(($(date +%s) + 20))
count=0
while [ "$(date +%s)" -lt "$end" ]; do
	count=$((count + 1))
	head -c 65536 /dev/urandom >"/tmp/mnt/$count"
	sha256sum "/tmp/mnt/$count" >>/tmp/mnt/sums
	sync
	[ $((count % 20)) -ne 0 ] || echo "guest: $count files written and synced"
done
echo 3 >/proc/sys/vm/drop_caches
sha256sum --quiet -c /tmp/mnt/sums
umount /tmp/mnt
e2fsck -fn /dev/rdiska >/dev/null
echo "guest: $count files are what was written, the file system is clean"
END
cluster() {
	"$rdisk_root/scripts/cluster.sh" --dir "$cluster" "$@"
}
unset DVK_RUNTIME_DIR
cluster=$work/cluster status=0
cluster up 3 --size 64M --no-power-log || status=$?
if [ "$status" -eq 77 ]; then
	cluster=
	echo "this machine does not allow it; that part is left out"
else
	[ "$status" -eq 0 ] || die "the three hosts did not start"
	cluster guest A --timeout 300 -- "$work/writer.sh" &
	guest=$!
	while kill -0 "$guest" 2>/dev/null; do
		sleep 3
		primary=$(cluster status --json | jq -r '.primary // empty')
		[ -n "$primary" ] || continue
		cluster kill "${primary^^}"
		cluster wait --timeout 60 primary
		echo "the primary, $primary, was killed; now it is $(cluster status --json | jq -r .primary)"
		cluster start "${primary^^}"
		cluster wait --timeout 60 in-sync
	done
	wait "$guest"
	cluster wait --timeout 60 in-sync
	cluster status
	cmp "$cluster/A/disk.img" "$cluster/B/disk.img"
	cmp "$cluster/A/disk.img" "$cluster/C/disk.img"
	echo "the three images are the same"
	cluster down
	cluster=
fi

step "done"
