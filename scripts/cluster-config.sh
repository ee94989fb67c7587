# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# shellcheck disable=SC2154 # dir and the other variables are cluster.sh's
#
# The files that configure the hosts of a set of scripts/cluster.sh, which sources this: rdisk.cfg, the same on all, and
# corosync.conf.

# value TEXT: as libconfig wants it; what is no number and no truth value is a string.
value() {
	if [[ $1 =~ ^(-?[0-9]+L?|true|false)$ ]]; then
		printf '%s' "$1"
	else
		printf '"%s"' "${1//\"/\\\"}"
	fi
}

# members: of the replica set, as rdisk.cfg has them.
members() {
	local host number separator=

	for host in "${hosts[@]}"; do
		number=$(host_number "$host")
		printf '%s    { node = %d; name = "%s"; address = "%s.%d"; port = 7300; diskless = %s; }' "$separator" "$number" \
			"${host,,}" "$hosts_network" "$number" "$(is_diskless "$host" && echo true || echo false)"
		separator=$',\n'
	done
	printf '\n'
}

# device: the disk. Of a set that is not replicated each host has one of its own.
device() {
	printf '  { name = "disk"; image_type = "FILE_IMAGE"; image_file = "disk.img"; size = "%s"; shared = %s; replicated = %s; }\n' \
		"$size" "$shared" "$([ "$replicated" = yes ] && echo true || echo false)"
}

# write_rdisk_config: into every host's folder. `settings` has what --set has added.
write_rdisk_config() {
	local host key
	local -A all=([set]=cluster [state_dir]=state [control]=rdisk.sock [key_file]=key [group]=$group)

	for key in "${!settings[@]}"; do
		all[$key]=${settings[$key]}
	done
	for host in "${hosts[@]}"; do
		{
			if [ "$replicated" = yes ]; then
				printf 'replication = {\n  members = (\n'
				members
				printf '  );\n'
				for key in "${!all[@]}"; do
					printf '  %s = %s;\n' "$key" "$(value "${all[$key]}")"
				done | LC_ALL=C sort
				printf '};\n'
			fi
			printf 'devices = (\n'
			device
			printf ');\n'
		} >"$dir/$host/rdisk.cfg"
	done
}

# write_corosync_config HOST: every brace stands on a line of its own, as corosync wants it.
write_corosync_config() {
	local host

	mkdir -p "$dir/$1/corosync"
	cat <<-END >"$dir/$1/corosync.conf"
		totem {
		    version: 2
		    cluster_name: rdisk
		    transport: knet
		    crypto_cipher: none
		    crypto_hash: none
		    token: 1000
		    token_coefficient: 0
		    consensus: 1200
		}
		system {
		    state_dir: $dir/$1/corosync
		    sched_rr: no
		    move_to_root_cgroup: no
		    allow_knet_handle_fallback: yes
		}
		quorum {
		    provider: corosync_votequorum
		}
		logging {
		    to_stderr: yes
		    to_logfile: no
		    to_syslog: no
		    timestamp: hires
		}
	END
	{
		echo 'nodelist {'
		for host in "${hosts[@]}"; do
			printf '    node {\n        ring0_addr: %s.%d\n        nodeid: %d\n        name: %s\n    }\n' \
				"$hosts_network" "$(host_number "$host")" "$(host_number "$host")" "${host,,}"
		done
		echo '}'
	} >>"$dir/$1/corosync.conf"
}
