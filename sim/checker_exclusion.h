/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Opens that exclude each other: no two at a time, and what was asked for by the one is done before the other is open.
 * A client that opens a device more than once is left out.
 */
#ifndef SIM_CHECKER_EXCLUSION_H
#define SIM_CHECKER_EXCLUSION_H

#include "history.h"

/* An open that was answered with success. */
struct held {
	int client;
	uint32_t device;
	size_t op;	/* the open, an index in the history */
	size_t last_op; /* its last request that succeeded, by begin; the open itself if there is none */
	uint64_t limit; /* event at which the next one that it excludes was answered; HISTORY_NEVER */
	bool again;	/* it opened the device more than once */
};

struct exclusion {
	struct held *held; /* by client and device */
	size_t nr_held, room;
};

/* Two that were open at a time: indices of the opens, and of a request of each that shows it. */
struct two_opens {
	size_t opens[2], shown_by[2];
};

/* Memory is freed by exclusion_destroy(). */
void exclusion_gather(struct exclusion *exclusion, const struct history *history);
void exclusion_destroy(struct exclusion *exclusion);

/* The next such pair from *from on (0 at first), which moves on. false: there is none. */
bool exclusion_next(const struct exclusion *exclusion, const struct history *history, size_t *from,
		    struct two_opens *two);

/* The event by which a request has taken effect, if it ever does; HISTORY_NEVER: it is not to be told. */
uint64_t exclusion_limit(const struct exclusion *exclusion, const struct history_op *op);

#endif
