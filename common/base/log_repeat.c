/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See log_repeat.h.
 */
#include "log_repeat.h"

#include "coarse_clock.h"

#define INTERVAL_LEAST (10 * NS_PER_SECOND)
#define INTERVAL_MOST  (3600 * NS_PER_SECOND)

/* FNV-1a: no more is needed than that different texts are very likely different numbers. */
uint64_t log_repeat_of(const char *text)
{
	uint64_t hash = 0xcbf29ce484222325u;

	for (; *text; text++)
		hash = (hash ^ (unsigned char)*text) * 0x100000001b3u;
	return hash ? hash : 1;
}

bool log_repeat_due(struct log_repeat *repeat, uint64_t what, uint64_t now)
{
	if (repeat->what == what && now < repeat->next)
		return false;
	if (repeat->what == what && now - repeat->next <= 2 * repeat->interval)
		repeat->interval = repeat->interval < INTERVAL_MOST / 2 ? 2 * repeat->interval : INTERVAL_MOST;
	else
		repeat->interval = INTERVAL_LEAST;
	repeat->what = what;
	repeat->next = now + repeat->interval;
	return true;
}
