/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The history of one block, with values and operations numbered from 0: what the two ways to check it (checker_zones.h,
 * checker_search.h) work on. It knows nothing of devices and clients.
 */
#ifndef SIM_CHECKER_BLOCK_H
#define SIM_CHECKER_BLOCK_H

#include "history.h"

/* A read that returned something, or a write. */
struct block_op {
	uint64_t begin, end; /* events; all differ. A write that was not answered with success ends at HISTORY_NEVER */
	uint64_t
		limit; /* event by which it has taken effect, if it ever does; HISTORY_NEVER: of itself there is none */
	uint32_t value; /* number of the value in this block */
	uint32_t op;	/* index in the history; BLOCK_FINAL + n: the nth of its final images */
	bool write;
	bool stable; /* of a write that was answered with success: durable by itself */
};

#define BLOCK_FINAL UINT32_C(0x80000000)

struct block_loss {
	uint64_t event;
	bool flushed;
};

struct block_history {
	struct block_op *ops; /* by begin */
	size_t nr_ops, ops_room;
	uint32_t nr_values;
	uint32_t initial;		 /* the initial value's number */
	const struct block_loss *losses; /* by event */
	size_t nr_losses;
	const uint64_t *flushes; /* events at which flushes of the device that succeeded began; ascending */
	size_t nr_flushes;
};

enum block_verdict { BLOCK_GOOD, BLOCK_BAD, BLOCK_UNDECIDED };

/*
 * Only by search, or by the faster of the ways. On BLOCK_BAD, failed[i] is true for operations which, alone, are wrong
 * already (and of which some may not be needed for that); it has room for nr_ops. searched: which way it was, or NULL.
 */
enum block_verdict block_check(const struct block_history *block, bool *failed, bool *searched);

/* Whether a loss can change anything that is read: it lies between the begin of an operation and the end of a read. */
bool block_loss_matters(const struct block_history *block, uint64_t event);

#endif
