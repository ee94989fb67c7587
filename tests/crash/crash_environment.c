/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Puts the logging library in front of a program; see crash_environment.h.
 */
#include "crash_environment.h"

#include <stdio.h>
#include <stdlib.h>

static void set_files(struct crash_environment *environment, const char *const names[])
{
	size_t used = (size_t)snprintf(environment->files, sizeof(environment->files), "RDISK_CRASH_FILES=");

	for (size_t i = 0; names[i]; i++) {
		char path[TEST_PATH_SIZE];

		test_path(path, names[i]);
		used += (size_t)snprintf(environment->files + used, sizeof(environment->files) - used, "%s%s",
					 i ? ":" : "", path);
		if (used >= sizeof(environment->files))
			test_fatal("too many files to log");
	}
}

void crash_environment_set(struct crash_environment *environment, const char *log, const char *const names[],
			   const char *fault, const char *hold)
{
	const char *options = getenv("ASAN_OPTIONS");
	const char **variable = environment->variables;
	char path[TEST_PATH_SIZE];

	/* The fault library, which holds up, stands behind the log: what is held up has begun. */
	snprintf(environment->preload, sizeof(environment->preload), "LD_PRELOAD=%s%s%s", CRASH_LIBRARY,
		 hold ? ":" : "", hold ? FAULT_LIBRARY : "");
	test_path(path, log);
	snprintf(environment->log, sizeof(environment->log), "RDISK_CRASH_LOG=%s", path);
	set_files(environment, names);
	/* The library has to stand in front of the sanitizer's functions; the sanitizer would refuse that. */
	snprintf(environment->address_sanitizer, sizeof(environment->address_sanitizer),
		 "ASAN_OPTIONS=%s%sverify_asan_link_order=0", options ? options : "", options ? ":" : "");
	*variable++ = environment->preload;
	*variable++ = environment->log;
	*variable++ = environment->files;
	*variable++ = environment->address_sanitizer;
	if (fault) {
		snprintf(environment->fault, sizeof(environment->fault), "RDISK_CRASH_FAULT=%s", fault);
		*variable++ = environment->fault;
	}
	if (hold) {
		snprintf(environment->hold, sizeof(environment->hold), "RDISK_HOLD=%s", hold);
		*variable++ = environment->hold;
		*variable++ = "RDISK_HOLD_ONLY=flush";
	}
	*variable = NULL;
}
