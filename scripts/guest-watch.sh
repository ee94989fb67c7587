#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Ends a guest of scripts/run-uml.sh with all its processes, and removes its directories, when run-uml.sh
# has gone, however it went (a trap does not see SIGKILL), or when the time is up. Not to be run by hand.
#
# usage: guest-watch.sh TIMEOUT STATE MEMORY <PIPE
#   TIMEOUT  seconds, 0 for none; when it runs out the file STATE/timed-out is made
#   STATE, MEMORY  run-uml.sh's directories
#   PIPE     says the guest's pid, which is its session and process group too; ends when run-uml.sh ends

timeout=$1 state=$2 memory=$3

if read -r guest; then
	if [ "$timeout" = 0 ]; then
		read -r _
	else
		read -r -t "$timeout" _
		# Over 128 says that the time ran out, 1 that the pipe has ended.
		if [ $? -gt 128 ]; then
			: >"$state/timed-out"
			kill -KILL "$guest" -- "-$guest" 2>/dev/null
			read -r _
		fi
	fi
	# A guest that powered off has left nothing; one that was killed has its stopped helper processes.
	kill -KILL "$guest" -- "-$guest" 2>/dev/null
fi
rm -rf "$state" "$memory"
