/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One attempt at carrying out a request. An attempt that finds that it would have to wait for a disk says what it needs
 * and gives up with SUSPEND; the next is made when the workers have done that. What was checked and copied from the
 * client in one attempt is checked and copied anew in the next.
 */
#ifndef RDISK_ATTEMPT_H
#define RDISK_ATTEMPT_H

#include <stdbool.h>

#include "rdisk_protocol.h"
#include "workers.h"

struct attempt {
	bool may_wait;		/* nothing is suspended: it waits in place, however long */
	const struct job *done; /* what was done since the attempt before; NULL: this is the first */
	struct job wanted;	/* with SUSPEND: what the next attempt needs */
};

/* What a request returns that needs a job done first. */
static inline int attempt_suspend(struct attempt *attempt, enum job_kind kind, struct image *image, uint64_t position,
				  uint64_t length)
{
	attempt->wanted = (struct job){ .kind = kind, .image = image, .position = position, .length = length };
	return SUSPEND;
}

#endif
