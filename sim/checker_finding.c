/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Findings; see checker_finding.h.
 *
 * What is left out to make them small never makes a right history wrong: a read, or all operations of a value.
 */
#include "checker_finding.h"

#include <string.h>

#include "checker_search.h"
#include "grow.h"

/* Some of a block's operations. */
struct part {
	const struct block_history *block;
	bool *in;
	struct block_history history; /* of those that are in */
	size_t *from;		      /* their indices in the block */
	bool forgets_durable;	      /* flushes and stable writes promise nothing */
};

static void part_destroy(struct part *part)
{
	free(part->in);
	free(part->from);
	free(part->history.ops);
}

static void part_begin(struct part *part, const struct block_history *block, const bool *in)
{
	size_t in_room = 0, from_room = 0;

	memset(part, 0, sizeof(*part));
	part->block = block;
	part->in = grow_to(NULL, &in_room, block->nr_ops, sizeof(*part->in));
	part->from = grow_to(NULL, &from_room, block->nr_ops, sizeof(*part->from));
	part->history.ops = grow_to(NULL, &part->history.ops_room, block->nr_ops, sizeof(*block->ops));
	memcpy(part->in, in, block->nr_ops * sizeof(*in));
}

/* Returns whether those that are in are wrong by themselves; then *failing is the index of a read in the block. */
static bool is_wrong(struct part *part, size_t *failing)
{
	struct block_op *ops = part->history.ops;
	size_t room = part->history.ops_room, count = 0, at;

	part->history = *part->block;
	part->history.ops = ops;
	part->history.ops_room = room;
	if (part->forgets_durable)
		part->history.nr_flushes = 0;
	for (size_t i = 0; i < part->block->nr_ops; i++) {
		if (!part->in[i])
			continue;
		ops[count] = part->block->ops[i];
		if (part->forgets_durable)
			ops[count].stable = false;
		part->from[count++] = i;
	}
	part->history.nr_ops = count;
	if (search_check(&part->history, &at) != BLOCK_BAD)
		return false;
	*failing = part->from[at];
	return true;
}

/* Takes out what has the value; wanted: what has not. Returns how many are left. */
static size_t leave(struct part *part, const bool *of, uint32_t value, uint32_t other, bool wanted)
{
	size_t left = 0;

	for (size_t i = 0; i < part->block->nr_ops; i++) {
		uint32_t has = part->block->ops[i].value;

		part->in[i] = of[i] && (has == value || has == other) == wanted;
		left += part->in[i];
	}
	return left;
}

/* Takes out reads that ended after the one that is wrong. */
static void leave_later_reads(struct part *part, uint64_t end)
{
	for (size_t i = 0; i < part->block->nr_ops; i++)
		part->in[i] &= part->block->ops[i].write || part->block->ops[i].end <= end;
}

/* Whether two values are enough, that of the failing read and another one. */
static bool try_pairs(struct part *part, const bool *all, uint32_t value)
{
	size_t failing;

	for (uint32_t i = 0; i < part->block->nr_values; i++) {
		if (leave(part, all, value, i, true) && is_wrong(part, &failing))
			return true;
	}
	memcpy(part->in, all, part->block->nr_ops * sizeof(*all));
	return false;
}

static void drop_values(struct part *part, uint32_t value)
{
	size_t room = 0, failing;
	bool *before = grow_to(NULL, &room, part->block->nr_ops, sizeof(*before));

	for (uint32_t i = 0; i < part->block->nr_values; i++) {
		if (i == value)
			continue;
		memcpy(before, part->in, part->block->nr_ops * sizeof(*before));
		leave(part, before, i, i, false);
		if (!is_wrong(part, &failing))
			memcpy(part->in, before, part->block->nr_ops * sizeof(*before));
	}
	free(before);
}

static bool is_read_in(const struct part *part, uint32_t value)
{
	for (size_t i = 0; i < part->block->nr_ops; i++) {
		if (part->in[i] && !part->block->ops[i].write && part->block->ops[i].value == value)
			return true;
	}
	return false;
}

static void drop_ops(struct part *part)
{
	size_t failing;

	for (size_t i = part->block->nr_ops; i-- > 0;) {
		if (!part->in[i])
			continue;
		part->in[i] = false;
		if ((part->block->ops[i].write && is_read_in(part, part->block->ops[i].value)) ||
		    !is_wrong(part, &failing))
			part->in[i] = true;
	}
}

/* ---- what it is called ---- */

static bool was_written_before(const struct block_history *block, const struct block_op *read)
{
	if (read->value == block->initial)
		return true;
	for (size_t i = 0; i < block->nr_ops; i++) {
		if (block->ops[i].write && block->ops[i].value == read->value && block->ops[i].begin < read->end)
			return true;
	}
	return false;
}

/* A write with another value than the read, the last that begins; without one a read that saw another value. */
static size_t newer_op(const struct part *part, const struct block_op *read)
{
	size_t seen = SIZE_MAX;

	for (size_t i = part->block->nr_ops; i-- > 0;) {
		const struct block_op *op = &part->block->ops[i];

		if (!part->in[i] || op->value == read->value || op->begin > read->end)
			continue;
		if (op->write)
			return i;
		seen = i;
	}
	return seen;
}

static bool is_read_after(const struct block_history *block, uint32_t value, uint64_t event)
{
	for (size_t i = 0; i < block->nr_ops; i++) {
		if (!block->ops[i].write && block->ops[i].value == value && block->ops[i].begin > event)
			return true;
	}
	return false;
}

static bool is_read_before(const struct block_history *block, uint32_t value, uint64_t event)
{
	for (size_t i = 0; i < block->nr_ops; i++) {
		if (!block->ops[i].write && block->ops[i].value == value && block->ops[i].end < event)
			return true;
	}
	return false;
}

static enum checker_kind kind_of(struct part *part, const struct block_op *read, size_t newer)
{
	size_t failing;

	if (!was_written_before(part->block, read))
		return CHECKER_NOWHERE;
	part->forgets_durable = true;
	if (!is_wrong(part, &failing))
		return CHECKER_LOST_FLUSHED;
	if (newer == SIZE_MAX)
		return CHECKER_STALE_READ;
	if (is_read_after(part->block, part->block->ops[newer].value, read->end))
		return CHECKER_STALE_READ;
	if (is_read_before(part->block, part->block->ops[newer].value, read->end))
		return CHECKER_OLD_BACK;
	return CHECKER_LOST_WRITE;
}

static void keep_op(struct finding *finding, uint32_t op)
{
	finding->ops = grow_to(finding->ops, &finding->ops_room, finding->nr_ops + 1, sizeof(*finding->ops));
	finding->ops[finding->nr_ops++] = op;
}

void finding_make(const struct block_history *block, const bool *failed, struct finding *finding)
{
	struct part part;
	size_t failing = 0, newer, room = 0;
	bool *all = grow_to(NULL, &room, block->nr_ops, sizeof(*all));

	part_begin(&part, block, failed);
	if (is_wrong(&part, &failing)) {
		leave_later_reads(&part, block->ops[failing].end);
		memcpy(all, part.in, block->nr_ops * sizeof(*all));
		if (!try_pairs(&part, all, block->ops[failing].value))
			drop_values(&part, block->ops[failing].value);
		drop_ops(&part);
		(void)is_wrong(&part, &failing);
	}
	newer = newer_op(&part, &block->ops[failing]);
	finding->nr_ops = 0;
	for (size_t i = 0; i < block->nr_ops; i++) {
		if (part.in[i])
			keep_op(finding, block->ops[i].op);
	}
	finding->read = block->ops[failing].op;
	finding->newer = newer != SIZE_MAX ? block->ops[newer].op : FINDING_NONE;
	finding->kind = kind_of(&part, &block->ops[failing], newer);
	part_destroy(&part);
	free(all);
}

void finding_images(const struct block_history *block, struct finding *finding)
{
	finding->kind = CHECKER_IMAGES;
	finding->nr_ops = 0;
	finding->newer = FINDING_NONE;
	for (size_t i = 0; i < block->nr_ops; i++) {
		if (block->ops[i].op >= BLOCK_FINAL)
			keep_op(finding, block->ops[i].op);
	}
	finding->read = finding->ops[0];
}

void finding_destroy(struct finding *finding)
{
	free(finding->ops);
	memset(finding, 0, sizeof(*finding));
}
