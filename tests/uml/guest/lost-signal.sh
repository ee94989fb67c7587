#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The guest's part of test-lost-signal.sh: signals of the timer, until it is killed.

. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

echo "signals come"
while sleep 0.01; do
	:
done
