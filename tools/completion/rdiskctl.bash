# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# Completion of rdiskctl for bash. Names of members are asked for at the server that the options before them name.

_rdiskctl_members() { # WORDS of the options that say which server
	rdiskctl "$@" --json status 2>/dev/null | tr '{' '\n' | sed -n 's/^"name":"\([^"]*\)","node":[0-9]*,"diskless".*/\1/p'
}

_rdiskctl() {
	local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]} command='' word i
	local commands='status promote force-primary invalidate init pause-resync resume-resync events keygen check-config'
	local options='-c --config -s --socket -j --json -h --help -V --version' server=()

	COMPREPLY=()
	for ((i = 1; i < COMP_CWORD; i++)); do
		word=${COMP_WORDS[i]}
		case $word in
		-c | --config | -s | --socket)
			i=$((i + 1))
			[ "$i" -ge "$COMP_CWORD" ] || server+=("$word" "${COMP_WORDS[i]}")
			;;
		--dead | --from | -t | --timeout) i=$((i + 1)) ;;
		-*) ;;
		*) [ -n "$command" ] || command=$word ;;
		esac
	done
	case $previous in
	-c | --config | -s | --socket)
		mapfile -t COMPREPLY < <(compgen -f -- "$current")
		return
		;;
	-t | --timeout) return ;;
	--dead | --from)
		mapfile -t COMPREPLY < <(compgen -W "$(_rdiskctl_members "${server[@]}")" -- "$current")
		return
		;;
	esac
	case $command in
	'') options="$options $commands" ;;
	status) options="$options -w --watch" ;;
	force-primary) options="$options --dead -y --yes -t --timeout" ;;
	invalidate) options="$options -y --yes -t --timeout $(_rdiskctl_members "${server[@]}")" ;;
	promote) options="$options -t --timeout $(_rdiskctl_members "${server[@]}")" ;;
	init) options="$options --from -t --timeout" ;;
	keygen)
		mapfile -t COMPREPLY < <(compgen -f -- "$current")
		return
		;;
	esac
	mapfile -t COMPREPLY < <(compgen -W "$options" -- "$current")
}

complete -o filenames -F _rdiskctl rdiskctl
