/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The environment that makes a program log what it does to files (crash_log.c). CRASH_LIBRARY and FAULT_LIBRARY come
 * from the build.
 */
#ifndef CRASH_ENVIRONMENT_H
#define CRASH_ENVIRONMENT_H

#include <stddef.h>

#include "test_directory.h"

struct crash_environment {
	char preload[1024];
	char log[TEST_PATH_SIZE + 32];
	char files[16 * TEST_PATH_SIZE];
	char fault[64];
	char hold[TEST_PATH_SIZE + 32];
	char address_sanitizer[512];
	const char *variables[8]; /* for test_process_start() */
};

/*
 * The log and the files are names in the test's directory; names[] ends with NULL. `fault` is as in crash_fault.h, or
 * NULL. `hold`, if it is not NULL, is the path of a FIFO that holds up what makes stable (tests/fault/fault_hold.h).
 * The variables point into *environment.
 */
void crash_environment_set(struct crash_environment *environment, const char *log, const char *const names[],
			   const char *fault, const char *hold);

#endif
