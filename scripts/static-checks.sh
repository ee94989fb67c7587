# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# The static checks of scripts/test.sh, which sources this: each is one test for its function `run`. They look at the
# working copy and at how build/debug compiles it; they change nothing.

files() { # EXTENDED-REGULAR-EXPRESSION of the path
	find . \( -path ./build -o -path ./.git \) -prune -o -type f -print | sed 's|^\./||' | grep -E "$1" | LC_ALL=C sort
}

# What goes into the kernel is for the kernel's checker (check_kernel_style).
check_format() {
	files '\.[ch]$' | grep -v '^uml-rdisk/' | xargs clang-format --dry-run -Werror
}

# One file a process: clang-tidy 14 takes every va_list of a second file for uninitialized. Of each file it says how many
# warnings it has not shown: what it says of those with nothing to find would bury the findings.
check_tidy() {
	# shellcheck disable=SC2016 # the inner shell expands these
	sed -n 's/^ *"file": "\(.*\)",*$/\1/p' build/debug/compile_commands.json | sort -u |
		xargs -P "$(nproc)" -n 1 bash -c 'words=$(clang-tidy --quiet -p build/debug "$0" 2>&1) ||
			{ printf "%s\n" "$words"; exit 1; }'
}

# It does not know the loops of <sys/queue.h>, nor that a test's assertion ends the test, nor what processor this is.
check_cppcheck() {
	cppcheck --project=build/debug/compile_commands.json --enable=warning,performance,portability --inline-suppr \
		--suppress=missingIncludeSystem '--suppress=uninitvar:*dvkd/*' '--suppress=uninitvar:*common/session/*' \
		'--suppress=nullPointerRedundantCheck:*tests/*' \
		'--suppress=preprocessorErrorDirective:*dvk_syscall_raw.h' \
		--error-exitcode=1 --quiet -j "$(nproc)"
}

# What is to run on other processors than this one, in directories that need no library but the C library's and xxhash,
# and those that may not be there yet.
portable=(common/dvk dvkd rdisk-server/replication)
portable_if_there=(common/base rdisk-server/request sim)

# Another processor's compiler, with the warnings of CMakeLists.txt: code between #if and #endif that this one never
# sees, char without a sign. The raw system calls are for UML, which is x86 only.
check_arm64() {
	local cc=aarch64-linux-gnu-gcc directories=("${portable[@]}") options includes directory

	command -v "$cc" >/dev/null || { echo "there is no $cc: scripts/install-packages.sh installs it"; return 1; }
	for directory in "${portable_if_there[@]}"; do
		[ ! -d "$directory" ] || directories+=("$directory")
	done
	read -r -a options <<<"$(sed -n '/^add_compile_options(/,/)/p' CMakeLists.txt | tr '\n' ' ' | sed 's/^[^(]*(//; s/).*//')"
	[[ " ${options[*]} " = *" -Wall "* ]] || { echo "CMakeLists.txt: no -Wall in the options found"; return 1; }
	mapfile -t includes < <(find common dvkd rdisk-server sim -type d -printf '-I%p\n' 2>/dev/null)
	# The header of xxhash is the same on all processors; the C library's own come before it.
	includes+=(-idirafter "$(pkg-config --variable=includedir libxxhash)")
	for directory in "${directories[@]}"; do
		files "^$directory/.*\.c\$" | grep . || { echo "$directory: no source" >&2; return 1; }
	done | grep -v '/dvk_system_raw\.c$' |
		xargs -P "$(nproc)" -n 1 "$cc" -c -o /dev/null -O2 -std=gnu17 -D_GNU_SOURCE '-DRDISK_VERSION=""' \
			"${options[@]}" "${includes[@]}"
}

check_shell() {
	{ files '\.(ba)?sh$'; echo .ci/run; } | xargs shellcheck
}

check_spelling() {
	files . | xargs codespell --ignore-words-list=inout,nd,iif
}

check_manuals() {
	local pages

	pages=$(files '^docs/man/.*\.[1-8]$')
	[ -n "$pages" ] || { echo "there is no manual page"; return 1; }
	xargs mandoc -T lint -W warning <<<"$pages"
}

# The kernel's own checker, on what goes into the kernel. The user halves have C's own types; and the parameters are
# documented here, not in the kernel's tree.
check_kernel_style() {
	local tree

	tree=$(scripts/build-uml.sh --tree | tail -n 1)
	files '^uml-rdisk/.*(\.[ch]|Kconfig|Makefile)$' |
		xargs "$tree/scripts/checkpatch.pl" --root="$tree" --strict --terse --no-summary --max-line-length=120 \
			--ignore=PREFER_KERNEL_TYPES,UNDOCUMENTED_SETUP --file
}

# Every text file says under which licence it is.
check_licence() {
	local file missing=0

	for file in $(files '\.([ch]|sh|bash|pml|cfg|conf|config)$|\.service\.in$|CMakeLists.txt$|Kconfig$|Makefile$'); do
		head -n 3 "$file" | grep 'SPDX-License-Identifier: GPL-2.0' >/dev/null || { echo "$file: no SPDX line"; missing=1; }
	done
	return "$missing"
}

run_static_checks() {
	run "static: format" check_format
	run "static: clang-tidy" check_tidy
	run "static: cppcheck" check_cppcheck
	run "static: arm64" check_arm64
	run "static: shellcheck" check_shell
	run "static: spelling" check_spelling
	run "static: manual pages" check_manuals
	run "static: checkpatch" check_kernel_style
	run "static: licence" check_licence
}
