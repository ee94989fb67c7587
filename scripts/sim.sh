#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Builds the simulator (preset release) and runs it with the arguments given: many seeds, each a replica set in a
# simulated world whose network, disks, processes and clocks fail. A seed that fails is told with the command that plays
# it again and a shortened schedule of its faults.
#
# usage: sim.sh [--seeds N] [--seed S] [--scenario NAME] [--trace] [OPTION...]
#   all other options: build/release/bin/rdisk-sim --help

set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

[ "${1:-}" != --help ] || { sed -n '/^# usage:/,/^$/ s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; exit 0; }
cd "$rdisk_root"
require_programs cmake ninja
output=$({ cmake --preset release && cmake --build --preset release --target rdisk-sim; } 2>&1) ||
	{ printf '%s\n' "$output" >&2; die "the simulator does not build"; }
exec build/release/bin/rdisk-sim "$@"
