# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# shellcheck disable=SC2154 # dir and the other variables are cluster.sh's
#
# What is known of the replica set of scripts/cluster.sh, which sources this: what rdiskctl says on the hosts, and waiting
# until it says what is wanted. In the set (cluster-hosts.sh).

answer_limit=2 # seconds for rdiskctl to answer

# ask HOST: the status of the member there, as a line of JSON; fails if there is no answer.
ask() {
	local pid text status=0

	pid=$(service_pid "$1" rdisk) || return 1
	! is_stopped "$pid" || return 1
	text=$(timeout "$answer_limit" "$bin/rdiskctl" -c "$dir/$1/rdisk.cfg" --json status 2>/dev/null) || status=$?
	case $status in
	0 | 4 | 5) jq -ce 'select(type == "object" and has("members"))' <<<"$text" 2>/dev/null ;;
	*) return 1 ;;
	esac
}

# set_status: what the primary says while it serves; else what the first member that answers says, without "serving". Fails
# when nobody answers.
set_status() {
	local host text first=

	for host in "${hosts[@]}"; do
		text=$(ask "$host") || continue
		if jq -e --arg name "${host,,}" '.serving and .primary == $name' <<<"$text" >/dev/null; then
			echo "$text"
			return 0
		fi
		[ -n "$first" ] || first=$text
	done
	[ -n "$first" ] || return 1
	jq -c '.serving = false' <<<"$first"
}

# wait_for SECONDS CONDITION: what members tell of by themselves is what it waits for; a second at most passes where nobody
# tells anything (a member that is stopped or was started anew has nobody who listens to it).
wait_for() {
	local limit=$((SECONDS + $1)) host events text=''

	parse_condition "$2"
	[ "$replicated" = yes ] || die "wait: the disks of this set are not replicated: there is nothing to wait for (up without --unreplicated)"
	exec {events}<> <(:)
	for host in "${hosts[@]}"; do
		service_pid "$host" rdisk >/dev/null || continue
		"$bin/rdiskctl" -c "$dir/$host/rdisk.cfg" --json events </dev/null 2>/dev/null 1>&"$events" &
		listeners+=("$!")
	done
	while :; do
		if text=$(set_status) && jq -e "$condition_filter" <<<"$text" >/dev/null; then
			return 0
		fi
		[ "$SECONDS" -lt "$limit" ] || give_up "wait: $2 has not come in $1 s (--timeout); $(summary "$text")"
		read -r -t 1 -u "$events" || true
	done
}

# summary TEXT: of a status, in a few words.
summary() {
	if [ -z "$1" ]; then
		echo "no member answers"
	else
		jq -r '"primary \(.primary), serving \(.serving), blocked \(.blocked); " +
			([.members[] | "\(.name) \(.role) \(.state)"] | join(", "))' <<<"$1"
	fi
}

# service_state HOST SERVICE: running, stopped or off.
service_state() {
	local pid

	if ! pid=$(service_pid "$1" "$2"); then
		echo off
	elif is_stopped "$pid"; then
		echo stopped
	else
		echo running
	fi
}

# hosts_json: what there is of each host, and what is lost between them.
hosts_json() {
	local host pid

	for host in "${hosts[@]}"; do
		pid=null
		! service_pid "$host" rdisk >/dev/null || read -r pid <"$dir/$host/rdisk.pid"
		jq -nc --arg name "$host" --arg address "$hosts_network.$(host_number "$host")" --argjson pid "$pid" \
			--argjson on "$(host_init "$host" >/dev/null && echo true || echo false)" \
			--arg rdisk "$(service_state "$host" rdisk)" --arg corosync "$(service_state "$host" corosync)" \
			'{name: $name, address: $address, on: $on, rdisk: $rdisk, rdisk_pid: $pid, corosync: $corosync}'
	done | jq -sc .
}

lost_json() {
	local pair from to

	for pair in /run/hosts/lost/*; do
		[ -e "$pair" ] || continue
		pair=${pair##*/} from=$(host_letter "${pair%-*}") to=$(host_letter "${pair#*-}")
		jq -nc --arg from "$from" --arg to "$to" '{from: $from, to: $to}'
	done | jq -sc .
}

# show_status: for a reader; with "json" the status of the replica set, to which hosts, lost and dir are added.
show_status() {
	local set=null

	[ "$replicated" != yes ] || set=$(set_status) || set=null
	jq -n --argjson set "$set" --argjson hosts "$(hosts_json)" --argjson lost "$(lost_json)" --arg dir "$dir" \
		'($set // {version: 1, primary: null, serving: false, members: []}) + {hosts: $hosts, lost: $lost, dir: $dir}' |
		if [ "$1" = json ]; then
			cat
		else
			jq -r '. as $all | "hosts in \(.dir)",
				(.hosts[] | "  \(.name)  \(.address)  \(if .on then "rdisk \(.rdisk), corosync \(.corosync)" else "off" end)" +
				 (.name as $name | [$all.members[] | select(.name == ($name | ascii_downcase))] |
				  if length > 0 then ", \(.[0].role), \(.[0].state)" else "" end)),
				(.lost[] | "  lost: what \(.from) sends to \(.to)"),
				if .members == [] then empty else "primary: \(.primary // "none"), serving: \(.serving)" +
				 (if .blocked then "; \(.blocked)" else "" end) end'
		fi
}
