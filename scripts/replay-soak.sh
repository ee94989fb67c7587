#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The long test of rdisk-replay: replays the server traces of Debian's package blkreplay-examples, each as fast as it
# goes, onto a sparse image served by rdisk and onto a plain file, with the same seed. Every read is verified, at the
# end all that was written, and once more by the journal; then both images must be the same. Not a part of
# scripts/test.sh: it takes some minutes and some GB of disk.
#
# usage: replay-soak.sh [--size SIZE] [--depth N] [TRACE...]
#   --size SIZE  of the images; positions beyond it are folded (40G)
#   --depth N    operations under way (32)
#   TRACE        other traces; else the six of the package
#
# environment: RDISK_BIN  directory of the programs (build/release/bin)
#              TMPDIR     where the images are (/var/tmp)

set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

size=40G depth=32
while [ $# -gt 0 ]; do
	case $1 in
	--size) need_value "$@"; size=$2; shift 2 ;;
	--depth) need_value "$@"; depth=$2; shift 2 ;;
	--help) sed -n '/^# usage:/,/^$/ s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; exit 0 ;;
	-*) die "unknown option $1 (--help)" ;;
	*) break ;;
	esac
done

bin=${RDISK_BIN:-$rdisk_root/build/release/bin}
for program in rdisk rdisk-replay; do
	[ -x "$bin/$program" ] || die "no $bin/$program: build it (cmake --preset release && cmake --build --preset release)"
done
if [ $# -gt 0 ]; then
	traces=("$@")
else
	examples=/usr/share/doc/blkreplay-examples/examples/example-load
	[ -d "$examples" ] || die "no traces: apt-get install blkreplay-examples"
	traces=("$examples"/natural/*.load.gz "$examples"/artificial/*.load.gz)
fi

scratch=$(mktemp -d "${TMPDIR:-/var/tmp}/rdisk-soak.XXXXXX") || die "cannot make a temporary directory"
server=
# shellcheck disable=SC2317 # called by the trap
finish() {
	[ -z "$server" ] || kill -9 "$server" 2>/dev/null || true
	rm -rf "$scratch"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
export DVK_RUNTIME_DIR=$scratch/node
mkdir -m 700 "$DVK_RUNTIME_DIR"

start_server() {
	local log=$scratch/rdisk.log

	cat >"$scratch/rdisk.cfg" <<-END
		devices = ( { name = "SOAK"; image_type = "FILE_IMAGE"; image_file = "$scratch/endpoint.img"; size = "$size"; } );
	END
	mkfifo "$scratch/ready"
	"$bin/rdisk" -d 0 -e 3 -c "$scratch/rdisk.cfg" 2>"$scratch/ready" &
	server=$!
	exec 3<"$scratch/ready"
	rm "$scratch/ready"
	# Its first line says that it is ready, or why it is not.
	read -r line <&3 || line="it ended"
	case $line in
	*ready*) ;;
	*) die "rdisk did not start: $line" ;;
	esac
	# What else it says.
	cat <&3 >"$log" &
	exec 3<&-
}

stop_server() {
	kill -TERM "$server"
	wait "$server" || die "rdisk ended with status $?: $(cat "$scratch/rdisk.log")"
	server=
}

# The sum of what is not zero, with its place: holes are skipped.
checksum() {
	perl -MDigest::SHA -e '
		use constant { PIECE => 4096, SEEK_DATA => 3 };
		my $sum = Digest::SHA->new(256);
		my $zeroes = "\0" x PIECE;
		open(my $image, "<:raw", $ARGV[0]) or die "$ARGV[0]: $!\n";
		$sum->add(-s $image);
		for (my $at = 0; defined($at = sysseek($image, $at, SEEK_DATA)); $at += PIECE) {
			$at -= $at % PIECE;
			sysseek($image, $at, 0);
			my $got = sysread($image, my $bytes, PIECE);
			die "$ARGV[0]: $!\n" unless defined $got;
			last unless $got;
			next if $bytes eq substr($zeroes, 0, $got);
			$sum->add(pack("Q>", $at), $bytes);
		}
		print $sum->hexdigest, "\n";' "$1"
}

# replay DISK-OPTIONS...: with a journal, and the check by it afterwards.
replay() {
	rm -f "$scratch/journal"
	"$bin/rdisk-replay" "$@" --speed max --depth "$depth" --map wrap --writes real --verify --seed 1 \
		--journal "$scratch/journal" "$trace"
	"$bin/rdisk-replay" "$@" --verify-only --journal "$scratch/journal"
}

for trace in "${traces[@]}"; do
	echo "== $trace"
	rm -f "$scratch"/*.img
	truncate -s "$size" "$scratch/endpoint.img" "$scratch/file.img"
	start_server
	replay -d 0 -e 3 --minor 0
	stop_server
	replay --device "$scratch/file.img"
	of_endpoint=$(checksum "$scratch/endpoint.img")
	of_file=$(checksum "$scratch/file.img")
	[ "$of_endpoint" = "$of_file" ] || die "$trace: the images differ: $of_endpoint $of_file"
	echo "same image: $of_file"
done
echo "${#traces[@]} traces replayed"
