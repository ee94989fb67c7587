/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Requests that succeeded on opens that have lapsed.
 */
#ifndef SIM_CHECKER_OPENS_H
#define SIM_CHECKER_OPENS_H

#include "history.h"

#define OPENS_NONE SIZE_MAX

struct lapsed {
	size_t op;	/* the request, an index in the history */
	size_t open;	/* its client's last open before it, or OPENS_NONE: it is not recorded */
	size_t loss;	/* index of the loss at which that lapsed */
	size_t written; /* of a flush: a write of that open that may be gone, or OPENS_NONE */
};

/*
 * The next such request from operations[from] on, the first of its client, device and loss. Returns the index from
 * which to look on, or OPENS_NONE: there is none.
 */
size_t opens_next(const struct history *history, size_t from, struct lapsed *lapsed);

#endif
