/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Exclusive opens; see checker_exclusion.h.
 *
 * A client has the device open at least from the answer to its open until its last request that succeeded began: an
 * open that lapsed is never revived. Of two that exclude each other one must be over before the other begins.
 */
#include "checker_exclusion.h"

#include <stdlib.h>
#include <string.h>

#include "grow.h"

static bool succeeded(const struct history_op *op)
{
	return op->state == HISTORY_ANSWERED && op->result >= 0;
}

static bool excludes(const struct history_op *one, const struct history_op *other)
{
	return one->range.device == other->range.device && ((one->access | other->access) & HISTORY_EXCLUSIVE) != 0 &&
	       !(one->access & other->access & HISTORY_READS_ONLY);
}

static int by_client(const void *left, const void *right)
{
	const struct held *a = left, *b = right;

	if (a->client != b->client)
		return a->client < b->client ? -1 : 1;
	if (a->device != b->device)
		return a->device < b->device ? -1 : 1;
	return a->op < b->op ? -1 : a->op > b->op;
}

static struct held *find(const struct exclusion *exclusion, const struct history_op *op)
{
	size_t low = 0, high = exclusion->nr_held;
	struct held key = { .client = op->client, .device = op->range.device };

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (by_client(&exclusion->held[middle], &key) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == exclusion->nr_held || exclusion->held[low].client != op->client ||
	    exclusion->held[low].device != op->range.device)
		return NULL;
	return &exclusion->held[low];
}

static void find_limits(struct exclusion *exclusion, const struct history *history)
{
	for (size_t i = 0; i < exclusion->nr_held; i++) {
		struct held *held = &exclusion->held[i];
		const struct history_op *open = &history->ops[held->op];

		for (size_t k = 0; k < exclusion->nr_held; k++) {
			const struct history_op *other = &history->ops[exclusion->held[k].op];

			if (other->begin > open->end && other->end < held->limit && excludes(open, other))
				held->limit = other->end;
		}
	}
}

void exclusion_gather(struct exclusion *exclusion, const struct history *history)
{
	bool any = false;

	*exclusion = (struct exclusion){ 0 };
	for (size_t i = 0; i < history->nr_ops; i++) {
		const struct history_op *op = &history->ops[i];

		if (op->kind != HISTORY_OPEN || !succeeded(op))
			continue;
		any |= op->access & HISTORY_EXCLUSIVE;
		exclusion->held =
			grow_to(exclusion->held, &exclusion->room, exclusion->nr_held + 1, sizeof(*exclusion->held));
		exclusion->held[exclusion->nr_held++] = (struct held){
			.client = op->client, .device = op->range.device, .op = i, .last_op = i, .limit = HISTORY_NEVER
		};
	}
	if (!any) {
		exclusion->nr_held = 0;
		return;
	}
	qsort(exclusion->held, exclusion->nr_held, sizeof(*exclusion->held), by_client);
	for (size_t i = 1; i < exclusion->nr_held; i++) {
		struct held *one = &exclusion->held[i - 1], *other = &exclusion->held[i];

		if (one->client == other->client && one->device == other->device)
			one->again = other->again = true;
	}
	for (size_t i = 0; i < history->nr_ops; i++) {
		const struct history_op *op = &history->ops[i];
		struct held *held = op->kind == HISTORY_OPEN || op->kind == HISTORY_CLOSE || !succeeded(op)
					    ? NULL
					    : find(exclusion, op);

		if (held && op->begin > history->ops[held->last_op].begin)
			held->last_op = i;
	}
	find_limits(exclusion, history);
}

void exclusion_destroy(struct exclusion *exclusion)
{
	free(exclusion->held);
	*exclusion = (struct exclusion){ 0 };
}

/* Whether the first was still open when the second was for sure. */
static bool outlasts(const struct history *history, const struct held *one, const struct held *other)
{
	return history->ops[one->last_op].begin > history->ops[other->op].end;
}

bool exclusion_next(const struct exclusion *exclusion, const struct history *history, size_t *from,
		    struct two_opens *two)
{
	for (; *from < exclusion->nr_held * exclusion->nr_held; ++*from) {
		const struct held *one = &exclusion->held[*from / exclusion->nr_held];
		const struct held *other = &exclusion->held[*from % exclusion->nr_held];

		if (one >= other || one->again || other->again ||
		    !excludes(&history->ops[one->op], &history->ops[other->op]) || !outlasts(history, one, other) ||
		    !outlasts(history, other, one))
			continue;
		*two = (struct two_opens){ { one->op, other->op }, { one->last_op, other->last_op } };
		++*from;
		return true;
	}
	return false;
}

uint64_t exclusion_limit(const struct exclusion *exclusion, const struct history_op *op)
{
	const struct held *held = exclusion->nr_held ? find(exclusion, op) : NULL;

	return held && !held->again && held->limit > op->begin ? held->limit : HISTORY_NEVER;
}
