/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is wrong with a block: of operations that cannot be put into an order, the few that are enough for that, and
 * a name for it.
 */
#ifndef SIM_CHECKER_FINDING_H
#define SIM_CHECKER_FINDING_H

#include "checker.h"
#include "checker_block.h"

struct finding {
	enum checker_kind kind;
	uint32_t *ops; /* as in struct block_op, by begin */
	size_t nr_ops, ops_room;
	uint32_t read;	/* the one that is wrong, as in struct block_op */
	uint32_t newer; /* a write, or a read, of a value that it should rather have returned; or FINDING_NONE */
};

#define FINDING_NONE UINT32_MAX

/* failed: as block_check() left it. Fills *finding, which may be one that was used before (or zero). */
void finding_make(const struct block_history *block, const bool *failed, struct finding *finding);

/* Final images that differ: they are the operations. */
void finding_images(const struct block_history *block, struct finding *finding);

void finding_destroy(struct finding *finding);

#endif
