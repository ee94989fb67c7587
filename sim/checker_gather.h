/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The history of a run (history.h) taken apart into those of its blocks (checker_block.h).
 */
#ifndef SIM_CHECKER_GATHER_H
#define SIM_CHECKER_GATHER_H

#include "checker_block.h"
#include "checker_exclusion.h"

struct gathered_block {
	uint32_t device;
	uint64_t block;
	uint32_t first, last; /* links */
};

/* One operation on one block. */
struct gathered_link {
	uint32_t op;   /* as in struct block_op */
	uint32_t next; /* of the same block, or GATHERED_END */
};

#define GATHERED_END UINT32_MAX

/* Flushes of one device that succeeded. */
struct gathered_flush {
	uint32_t device;
	uint64_t begin;
};

struct gathered {
	const struct history *history;
	struct gathered_block *blocks; /* by device and block */
	size_t nr_blocks, blocks_room;
	struct gathered_link *links;
	size_t nr_links, links_room;
	uint32_t *hash; /* of blocks while they are gathered: index + 1; 0: free */
	size_t hash_room;
	struct block_loss *losses;
	size_t losses_room;
	struct gathered_flush *flushes; /* by device and begin */
	size_t nr_flushes, flushes_room;
	uint64_t *flush_begins; /* the same, begins alone */
	size_t begins_room;
	struct exclusion exclusion;
};

/* A block's history with what it is made of. To be zero before its first use; it is used again for the next block. */
struct opened_block {
	struct block_history history;
	uint64_t *values; /* by number */
	size_t values_room;
	uint32_t *hash; /* of values: number + 1; 0: free */
	size_t hash_room;
	bool images_differ; /* it has final images, not all equal */
};

/*
 * history: not broken; it stays as it is as long as gathered is used. Blocks of which nothing is known but that they
 * end as they began are left out.
 */
void gather(struct gathered *gathered, const struct history *history);
void gather_destroy(struct gathered *gathered);

/* Makes the history of blocks[index]. */
void gather_open(const struct gathered *gathered, size_t index, struct opened_block *block);
void opened_destroy(struct opened_block *block);

/* What the block held at first. */
uint64_t gather_initial(const struct history *history, uint32_t device, uint64_t block);

#endif
