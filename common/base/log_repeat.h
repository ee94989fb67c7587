/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Lines about what lasts and is noticed again and again, as a configuration that is wrong is at each attempt: one is
 * written at once when it says something else than the last one, and then at growing intervals. Plain memory of the
 * caller, zeroed at first.
 */
#ifndef RDISK_LOG_REPEAT_H
#define RDISK_LOG_REPEAT_H

#include <stdbool.h>
#include <stdint.h>

struct log_repeat {
	uint64_t what; /* 0: nothing yet */
	uint64_t next;
	uint64_t interval;
};

/* A number that stands for a text, never 0. */
uint64_t log_repeat_of(const char *text);

/*
 * Whether a line that says `what` (as of log_repeat_of()) is to be written: it is another than before; or it is the
 * first one, the first after 10 s, after 20 s more, 40 s, and so on to an hour. What was not noticed for twice its
 * interval begins anew. now: ns of any clock that does not go back, the same for all calls.
 */
bool log_repeat_due(struct log_repeat *repeat, uint64_t what, uint64_t now);

#endif
