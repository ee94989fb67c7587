# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# Completion of rdisk for bash.

_rdisk() {
	local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}
	local options='-d --dcid -e --endpoint -c --config --check-config --record -R --replicate -U --update -Z --compress
		-D --dynamic --node --boot-id-file -v --verbose -h --help -V --version'

	COMPREPLY=()
	case $previous in
	-c | --config | --record | --boot-id-file) mapfile -t COMPREPLY < <(compgen -f -- "$current") ;;
	-U | --update) mapfile -t COMPREPLY < <(compgen -W 'FULL DIFF' -- "$current") ;;
	-d | --dcid | -e | --endpoint | --node) ;;
	*) mapfile -t COMPREPLY < <(compgen -W "$options" -- "$current") ;;
	esac
}

complete -o filenames -F _rdisk rdisk
