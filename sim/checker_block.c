/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which way a block is checked; see checker_block.h.
 */
#include "checker_block.h"

#include "checker_search.h"
#include "checker_zones.h"

bool block_loss_matters(const struct block_history *block, uint64_t event)
{
	if (!block->nr_ops || block->ops[0].begin > event)
		return false;
	for (size_t i = block->nr_ops; i-- > 0;) {
		if (!block->ops[i].write && block->ops[i].end > event)
			return true;
	}
	return false;
}

static bool any_loss_matters(const struct block_history *block)
{
	for (size_t i = 0; i < block->nr_losses; i++) {
		if (block_loss_matters(block, block->losses[i].event))
			return true;
	}
	return false;
}

enum block_verdict block_check(const struct block_history *block, bool *failed, bool *searched)
{
	bool fast = !any_loss_matters(block) && zones_apply(block);
	enum block_verdict verdict;
	size_t failing;

	if (searched)
		*searched = !fast;
	if (fast)
		return zones_check(block, failed);
	verdict = search_check(block, &failing);
	if (verdict != BLOCK_BAD)
		return verdict;
	/* What had begun when that read ended; other reads that were under way then are not needed. */
	for (size_t i = 0; i < block->nr_ops; i++) {
		const struct block_op *op = &block->ops[i];

		failed[i] = op->begin < block->ops[failing].end && (op->write || op->end <= block->ops[failing].end);
	}
	return BLOCK_BAD;
}
