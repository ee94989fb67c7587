/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Puts the fault library in front of a program. FAULT_LIBRARY, its path, comes from
 * the build.
 */
#include "fault_environment.h"

#include <stdio.h>
#include <stdlib.h>

void fault_environment_set(struct fault_environment *environment, const char *fault)
{
	const char *options = getenv("ASAN_OPTIONS");

	snprintf(environment->preload, sizeof(environment->preload), "LD_PRELOAD=%s", FAULT_LIBRARY);
	snprintf(environment->fault, sizeof(environment->fault), "RDISK_FAULT=%s", fault);
	/* The library has to stand in front of the sanitizer's malloc too; the sanitizer would refuse that. */
	snprintf(environment->address_sanitizer, sizeof(environment->address_sanitizer),
		 "ASAN_OPTIONS=%s%sverify_asan_link_order=0", options ? options : "", options ? ":" : "");
	environment->variables[0] = environment->preload;
	environment->variables[1] = environment->fault;
	environment->variables[2] = environment->address_sanitizer;
	for (int i = 3; i < 7; i++)
		environment->variables[i] = NULL;
}

void fault_environment_hold(struct fault_environment *environment, const char *path)
{
	snprintf(environment->hold, sizeof(environment->hold), "RDISK_HOLD=%s", path);
	environment->variables[3] = environment->hold;
}

void fault_environment_delay(struct fault_environment *environment, int ms)
{
	snprintf(environment->hold, sizeof(environment->hold), "RDISK_HOLD_MS=%d", ms);
	environment->variables[3] = environment->hold;
}

void fault_environment_hold_only(struct fault_environment *environment, const char *what, int count)
{
	snprintf(environment->hold_only, sizeof(environment->hold_only), "RDISK_HOLD_ONLY=%s", what);
	environment->variables[4] = environment->hold_only;
	if (!count)
		return;
	snprintf(environment->hold_count, sizeof(environment->hold_count), "RDISK_HOLD_COUNT=%d", count);
	environment->variables[5] = environment->hold_count;
}
