/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Histories of blocks; see checker_gather.h.
 */
#include "checker_gather.h"

#include <string.h>

#include "grow.h"

uint64_t gather_initial(const struct history *history, uint32_t device, uint64_t block)
{
	for (size_t i = history->nr_initial; i-- > 0;) {
		const struct history_range *range = &history->initial[i];

		if (range->device == device && block >= range->block && block - range->block < range->blocks)
			return history_range_value(history, range, block - range->block);
	}
	return HISTORY_ZERO;
}

/* ---- blocks by their numbers ---- */

static uint64_t mix(uint64_t number)
{
	number *= UINT64_C(0x9fb21c651e98df25);
	return number ^ number >> 32;
}

static uint32_t *find(const struct gathered *gathered, uint32_t device, uint64_t block)
{
	size_t at = mix(block + ((uint64_t)device << 40)) & (gathered->hash_room - 1);

	while (gathered->hash[at]) {
		const struct gathered_block *found = &gathered->blocks[gathered->hash[at] - 1];

		if (found->device == device && found->block == block)
			break;
		at = (at + 1) & (gathered->hash_room - 1);
	}
	return &gathered->hash[at];
}

static void make_room_in_hash(struct gathered *gathered)
{
	if (gathered->hash_room > 2 * gathered->nr_blocks + 2)
		return;
	gathered->hash =
		grow_to(gathered->hash, &gathered->hash_room, 4 * gathered->nr_blocks + 1024, sizeof(*gathered->hash));
	memset(gathered->hash, 0, gathered->hash_room * sizeof(*gathered->hash));
	for (uint32_t i = 0; i < gathered->nr_blocks; i++)
		*find(gathered, gathered->blocks[i].device, gathered->blocks[i].block) = i + 1;
}

static void add_link(struct gathered *gathered, uint32_t device, uint64_t block, uint32_t op)
{
	uint32_t link = (uint32_t)gathered->nr_links;
	struct gathered_block *of;
	uint32_t *place;

	gathered->links =
		grow_to(gathered->links, &gathered->links_room, gathered->nr_links + 1, sizeof(*gathered->links));
	gathered->links[gathered->nr_links++] = (struct gathered_link){ op, GATHERED_END };
	make_room_in_hash(gathered);
	place = find(gathered, device, block);
	if (*place) {
		of = &gathered->blocks[*place - 1];
		gathered->links[of->last].next = link;
		of->last = link;
		return;
	}
	gathered->blocks =
		grow_to(gathered->blocks, &gathered->blocks_room, gathered->nr_blocks + 1, sizeof(*gathered->blocks));
	gathered->blocks[gathered->nr_blocks] = (struct gathered_block){ device, block, link, link };
	*place = (uint32_t)++gathered->nr_blocks;
}

/* ---- gathering ---- */

static bool succeeded(const struct history_op *op)
{
	return op->state == HISTORY_ANSWERED && op->result >= 0;
}

/* A failed read says nothing. */
static bool moves(const struct history_op *op)
{
	return op->kind == HISTORY_WRITE || op->kind == HISTORY_ZEROES || (op->kind == HISTORY_READ && succeeded(op));
}

static void gather_ops(struct gathered *gathered)
{
	const struct history *history = gathered->history;

	for (size_t i = 0; i < history->nr_ops; i++) {
		const struct history_op *op = &history->ops[i];

		for (uint64_t j = 0; moves(op) && j < op->range.blocks; j++)
			add_link(gathered, op->range.device, op->range.block + j, (uint32_t)i);
		if (op->kind != HISTORY_FLUSH || !succeeded(op))
			continue;
		gathered->flushes = grow_to(gathered->flushes, &gathered->flushes_room, gathered->nr_flushes + 1,
					    sizeof(*gathered->flushes));
		gathered->flushes[gathered->nr_flushes++] = (struct gathered_flush){ op->range.device, op->begin };
	}
}

static void gather_final(struct gathered *gathered, uint32_t image)
{
	const struct history *history = gathered->history;
	const struct history_range *range = &history->final[image];

	for (uint64_t i = 0; i < range->blocks; i++) {
		uint64_t block = range->block + i;

		make_room_in_hash(gathered);
		if (*find(gathered, range->device, block) ||
		    history_range_value(history, range, i) != gather_initial(history, range->device, block))
			add_link(gathered, range->device, block, BLOCK_FINAL + image);
	}
}

static int by_place(const void *left, const void *right)
{
	const struct gathered_block *a = left, *b = right;

	if (a->device != b->device)
		return a->device < b->device ? -1 : 1;
	return a->block < b->block ? -1 : a->block > b->block;
}

static int by_begin(const void *left, const void *right)
{
	const struct gathered_flush *a = left, *b = right;

	if (a->device != b->device)
		return a->device < b->device ? -1 : 1;
	return a->begin < b->begin ? -1 : a->begin > b->begin;
}

static void gather_losses(struct gathered *gathered)
{
	const struct history *history = gathered->history;

	gathered->losses = grow_to(NULL, &gathered->losses_room, history->nr_losses, sizeof(*gathered->losses));
	for (size_t i = 0; i < history->nr_losses; i++)
		gathered->losses[i] = (struct block_loss){ history->losses[i].event, history->losses[i].flushed };
	gathered->flush_begins =
		grow_to(NULL, &gathered->begins_room, gathered->nr_flushes, sizeof(*gathered->flush_begins));
	if (gathered->nr_flushes)
		qsort(gathered->flushes, gathered->nr_flushes, sizeof(*gathered->flushes), by_begin);
	for (size_t i = 0; i < gathered->nr_flushes; i++)
		gathered->flush_begins[i] = gathered->flushes[i].begin;
}

void gather(struct gathered *gathered, const struct history *history)
{
	memset(gathered, 0, sizeof(*gathered));
	gathered->history = history;
	gather_ops(gathered);
	for (size_t i = 0; i < history->nr_final; i++)
		gather_final(gathered, (uint32_t)i);
	gather_losses(gathered);
	exclusion_gather(&gathered->exclusion, history);
	if (gathered->nr_blocks)
		qsort(gathered->blocks, gathered->nr_blocks, sizeof(*gathered->blocks), by_place);
}

void gather_destroy(struct gathered *gathered)
{
	free(gathered->blocks);
	free(gathered->links);
	free(gathered->hash);
	free(gathered->losses);
	free(gathered->flushes);
	free(gathered->flush_begins);
	exclusion_destroy(&gathered->exclusion);
}

/* ---- one block ---- */

static uint32_t number_of(struct opened_block *block, uint64_t value)
{
	size_t at = mix(value) & (block->hash_room - 1);

	while (block->hash[at] && block->values[block->hash[at] - 1] != value)
		at = (at + 1) & (block->hash_room - 1);
	if (!block->hash[at]) {
		block->values[block->history.nr_values] = value;
		block->hash[at] = ++block->history.nr_values;
	}
	return block->hash[at] - 1;
}

static struct block_op make_op(const struct gathered *gathered, struct opened_block *block, uint32_t index,
			       uint64_t number)
{
	const struct history *history = gathered->history;
	const struct history_op *op;
	struct block_op made = { .op = index, .limit = HISTORY_NEVER };

	if (index >= BLOCK_FINAL) {
		const struct history_range *range = &history->final[index - BLOCK_FINAL];

		made.begin = history->events + 1 + 2 * (uint64_t)(index - BLOCK_FINAL);
		made.end = made.begin + 1;
		made.value = number_of(block, history_range_value(history, range, number - range->block));
		return made;
	}
	op = &history->ops[index];
	made.begin = op->begin;
	made.end = succeeded(op) ? op->end : HISTORY_NEVER;
	made.limit = exclusion_limit(&gathered->exclusion, op);
	made.write = op->kind != HISTORY_READ;
	made.stable = made.write && succeeded(op) && op->stable;
	made.value = number_of(block, history_range_value(history, &op->range, number - op->range.block));
	return made;
}

static void find_flushes(const struct gathered *gathered, uint32_t device, struct block_history *history)
{
	size_t first = 0, last;

	while (first < gathered->nr_flushes && gathered->flushes[first].device < device)
		first++;
	last = first;
	while (last < gathered->nr_flushes && gathered->flushes[last].device == device)
		last++;
	history->flushes = gathered->flush_begins + first;
	history->nr_flushes = last - first;
}

static bool images_differ(const struct block_history *history)
{
	const struct block_op *last = NULL;

	for (size_t i = history->nr_ops; i-- > 0 && history->ops[i].op >= BLOCK_FINAL;) {
		if (last && last->value != history->ops[i].value)
			return true;
		last = &history->ops[i];
	}
	return false;
}

void gather_open(const struct gathered *gathered, size_t index, struct opened_block *block)
{
	const struct gathered_block *from = &gathered->blocks[index];
	struct block_history *history = &block->history;
	size_t count = 0;

	for (uint32_t i = from->first; i != GATHERED_END; i = gathered->links[i].next)
		count++;
	block->values = grow_to(block->values, &block->values_room, count + 1, sizeof(*block->values));
	block->hash = grow_to(block->hash, &block->hash_room, 2 * count + 2, sizeof(*block->hash));
	memset(block->hash, 0, block->hash_room * sizeof(*block->hash));
	history->ops = grow_to(history->ops, &history->ops_room, count, sizeof(*history->ops));
	history->nr_ops = 0;
	history->nr_values = 0;
	history->initial = number_of(block, gather_initial(gathered->history, from->device, from->block));
	history->losses = gathered->losses;
	history->nr_losses = gathered->history->nr_losses;
	find_flushes(gathered, from->device, history);
	for (uint32_t i = from->first; i != GATHERED_END; i = gathered->links[i].next)
		history->ops[history->nr_ops++] = make_op(gathered, block, gathered->links[i].op, from->block);
	block->images_differ = images_differ(history);
}

void opened_destroy(struct opened_block *block)
{
	free(block->history.ops);
	free(block->values);
	free(block->hash);
	memset(block, 0, sizeof(*block));
}
