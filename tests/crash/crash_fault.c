/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which call meets a fault; see crash_fault.h. What happens then is in crash_log.c.
 */
#include "crash_fault.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "crash_log_file.h"

static const char *const names[NR_CRASH_FAULTS] = {
	"sync-lost",  "sync-failed", "sync-hidden",  "sync-early",
	"write-lost", "write-wrong", "write-silent", "zero-lost",
};

/* Set once by the constructor, before the program has threads. */
static enum crash_fault selected = NR_CRASH_FAULTS;
static long first;
static bool all_later;

static atomic_long calls; /* relaxed: nothing else depends on it */

__attribute__((constructor)) static void read_environment(void)
{
	const char *text = getenv("RDISK_CRASH_FAULT");
	const char *colon = text ? strchr(text, ':') : NULL;
	char *end;

	if (!text)
		return;
	for (int i = 0; colon && i < NR_CRASH_FAULTS; i++)
		if (strlen(names[i]) == (size_t)(colon - text) && !strncmp(names[i], text, (size_t)(colon - text)))
			selected = (enum crash_fault)i;
	if (selected == NR_CRASH_FAULTS)
		crash_log_die("RDISK_CRASH_FAULT names no fault");
	first = strtol(colon + 1, &end, 10);
	all_later = *end == '+';
	if (first < 1)
		crash_log_die("RDISK_CRASH_FAULT has no number of a call");
}

bool crash_fault_meets(enum crash_fault fault)
{
	long number;

	if (fault != selected)
		return false;
	number = atomic_fetch_add_explicit(&calls, 1, memory_order_relaxed) + 1;
	return number == first || (all_later && number > first);
}
