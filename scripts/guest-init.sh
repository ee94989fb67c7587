#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The first process of a guest that scripts/run-uml.sh boots: makes the host's root, which it runs on,
# into a guest's (kernel file systems and private /tmp and /run), runs the command, hands out its exit
# status and powers off. Not to be run by hand.
#
# The kernel's command line gives rdisk_state, run-uml.sh's private directory on the host:
#   command    in:  program and arguments, each ended by a zero byte
#   directory  in:  where to run it
#   shares     in:  the host's directories and files to keep visible, one a line (below /tmp and /run they would not be)
#   status     out: the command's exit status; there is none if the guest ends before
#   abandoned  out: is there if a disk's server had gone, and the disk failed so that the guest could end
#   failed     out: is there if a disk failed, for whatever reason, while it was open for writing, or a write or flush did

state=${rdisk_state:?is on the command line of the kernel}
unset rdisk_state
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export HOME=/root TERM=${TERM:-dumb} LC_ALL=C.UTF-8
umask 022

# Without its own file systems the guest would change the host's: it ends, as a kernel does whose first process ends.
must_mount() {
	mount -n "$@" && return
	echo "guest-init.sh: cannot mount ${!#}, so the guest ends"
	exit 1
}

# On a host in a user namespace (scripts/cluster.sh) programs of the host's root are nobody's: those that change to their
# owner would not be root here. Run by the loader, the first one does not.
if [ ! -O "$(command -v mount)" ]; then
	/lib64/ld-linux-x86-64.so.2 "$(command -v mount)" -n -o remount,bind,nosuid / || {
		echo "guest-init.sh: cannot make the root file system nosuid, so the guest ends"
		exit 1
	}
fi
must_mount -t proc proc /proc
must_mount -t sysfs sysfs /sys
mountpoint -q /dev || must_mount -t devtmpfs devtmpfs /dev
exec </dev/console >/dev/console 2>&1
stty -opost -echo
mkdir -p /dev/pts /dev/shm
ln -sf /proc/self/fd /dev/fd
for name in stdin:0 stdout:1 stderr:2; do
	ln -sf "/proc/self/fd/${name#*:}" "/dev/${name%:*}"
done
must_mount -t devpts -o gid=5,mode=620,ptmxmode=666 devpts /dev/pts
must_mount -t tmpfs tmpfs /dev/shm
hostname guest

# What is read from below /tmp must be read before it is covered, what is shared comes back afterwards.
mapfile -d '' -t command <"$state/command"
mapfile -t shares <"$state/shares"
read -r directory <"$state/directory"
must_mount -t tmpfs tmpfs /tmp
must_mount -t tmpfs -o mode=755 tmpfs /run
chmod 1777 /tmp
mkdir /run/host
must_mount -t hostfs none /run/host
for share in "${shares[@]}"; do
	[ ! -e "$share" ] || continue
	if [ -d "/run/host$share" ]; then
		mkdir -p "$share"
	else
		mkdir -p "$(dirname "$share")"
		: >"$share"
	fi
	must_mount --bind "/run/host$share" "$share"
done

cd "$directory" 2>/dev/null || cd /
"${command[@]}" </dev/null
status=$?

# Without this the disks would be waited for however long, should their server have gone.
driver=/sys/module/rdisk/parameters
[ ! -e "$driver/shutdown" ] || echo 1 >"$driver/shutdown"
cd /
sync
for news in abandoned failed; do
	[ "$(cat "$driver/$news" 2>/dev/null)" != Y ] || : >"$state/$news"
done
echo "$status" >"$state/status.tmp"
mv "$state/status.tmp" "$state/status"
echo o >/proc/sysrq-trigger
while :; do
	sleep 60
done
