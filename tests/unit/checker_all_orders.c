/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * All orders; see checker_all_orders.h. Nothing is clever here.
 */
#include "checker_all_orders.h"

#include <stdlib.h>

/* A write that is in the order, or what a loss left. */
struct placed {
	uint32_t value;
	uint64_t answered; /* event; HISTORY_NEVER: not */
	bool stable;
};

struct orders {
	const struct block_history *block;
	size_t count; /* operations, then losses */
	bool done[ALL_ORDERS_MAX];
	struct placed placed[ALL_ORDERS_MAX + 1];
	size_t nr_placed;
	uint32_t value;
};

static bool is_loss(const struct orders *orders, size_t item)
{
	return item >= orders->block->nr_ops;
}

static uint64_t begin_of(const struct orders *orders, size_t item)
{
	return is_loss(orders, item) ? orders->block->losses[item - orders->block->nr_ops].event
				     : orders->block->ops[item].begin;
}

static uint64_t end_of(const struct orders *orders, size_t item)
{
	return is_loss(orders, item) ? orders->block->losses[item - orders->block->nr_ops].event
				     : orders->block->ops[item].end;
}

static bool may_be_next(const struct orders *orders, size_t item)
{
	for (size_t i = 0; i < orders->count; i++) {
		if (!orders->done[i] && end_of(orders, i) < begin_of(orders, item))
			return false;
	}
	return true;
}

static bool is_durable(const struct orders *orders, const struct placed *placed, uint64_t loss)
{
	if (placed->answered == 0 || placed->stable)
		return true;
	for (size_t i = 0; i < orders->block->nr_flushes; i++) {
		uint64_t flush = orders->block->flushes[i];

		if (placed->answered < flush && flush < loss)
			return true;
	}
	return false;
}

static bool complete(struct orders *orders);

static bool place(struct orders *orders, struct placed placed)
{
	uint32_t before = orders->value;
	bool good;

	orders->placed[orders->nr_placed++] = placed;
	orders->value = placed.value;
	good = complete(orders);
	orders->nr_placed--;
	orders->value = before;
	return good;
}

static bool lose(struct orders *orders, const struct block_loss *loss)
{
	size_t first = orders->nr_placed - 1, last = orders->nr_placed;

	while (first > 0 && (loss->flushed || !is_durable(orders, &orders->placed[first], loss->event)))
		first--;
	for (size_t i = first; i < last; i++) {
		if (place(orders, (struct placed){ orders->placed[i].value, loss->event, false }))
			return true;
	}
	return false;
}

static bool take(struct orders *orders, size_t item)
{
	const struct block_op *op = &orders->block->ops[item];

	if (is_loss(orders, item))
		return lose(orders, &orders->block->losses[item - orders->block->nr_ops]);
	if (op->write)
		return place(orders, (struct placed){ op->value, op->end, op->stable });
	return op->value == orders->value && complete(orders);
}

/* Whether the rest can follow. */
static bool complete(struct orders *orders)
{
	bool finished = true;

	for (size_t i = 0; i < orders->count && finished; i++)
		finished = orders->done[i] || end_of(orders, i) == HISTORY_NEVER;
	if (finished)
		return true;
	for (size_t i = 0; i < orders->count; i++) {
		bool good;

		if (orders->done[i] || !may_be_next(orders, i))
			continue;
		orders->done[i] = true;
		good = take(orders, i);
		orders->done[i] = false;
		if (good)
			return true;
	}
	return false;
}

bool all_orders_good(const struct block_history *block)
{
	struct orders orders = { .block = block, .count = block->nr_ops + block->nr_losses };

	if (orders.count > ALL_ORDERS_MAX)
		abort();
	orders.value = block->initial;
	orders.placed[orders.nr_placed++] = (struct placed){ block->initial, 0, true };
	return complete(&orders);
}
