/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Opens; see checker_opens.h.
 */
#include "checker_opens.h"

static bool succeeded(const struct history_op *op)
{
	return op->state == HISTORY_ANSWERED && op->result >= 0;
}

static bool is_of(const struct history_op *op, const struct history_op *other)
{
	return op->client == other->client && op->range.device == other->range.device;
}

/* The last loss before the event, or OPENS_NONE. */
static size_t loss_before(const struct history *history, uint64_t event)
{
	size_t count = 0;

	while (count < history->nr_losses && history->losses[count].event < event)
		count++;
	return count ? count - 1 : OPENS_NONE;
}

/*
 * The open that a request uses: the last that was answered before it began. *first: the first request of the same
 * client and device.
 */
static size_t open_of(const struct history *history, size_t request, size_t *first)
{
	const struct history_op *of = &history->ops[request];
	size_t found = OPENS_NONE;

	*first = request;
	for (size_t i = 0; i < request; i++) {
		const struct history_op *op = &history->ops[i];

		if (!is_of(op, of))
			continue;
		if (*first == request)
			*first = i;
		if (op->kind == HISTORY_OPEN && succeeded(op) && op->end < of->begin &&
		    (found == OPENS_NONE || op->end > history->ops[found].end))
			found = i;
	}
	return found;
}

static bool is_flushed(const struct history *history, const struct history_op *write, uint64_t loss)
{
	for (size_t i = 0; i < history->nr_ops; i++) {
		const struct history_op *op = &history->ops[i];

		if (op->begin > loss)
			break;
		if (op->kind == HISTORY_FLUSH && op->range.device == write->range.device && succeeded(op) &&
		    op->begin > write->end)
			return true;
	}
	return false;
}

/* The last write of the open that was answered before the loss and not made durable, or OPENS_NONE. */
static size_t unflushed(const struct history *history, size_t flush, uint64_t opened, uint64_t loss)
{
	for (size_t i = flush; i-- > 0;) {
		const struct history_op *op = &history->ops[i];

		if ((op->kind != HISTORY_WRITE && op->kind != HISTORY_ZEROES) || !is_of(op, &history->ops[flush]))
			continue;
		if (succeeded(op) && !op->stable && op->begin > opened && op->end < loss &&
		    !is_flushed(history, op, loss))
			return i;
	}
	return OPENS_NONE;
}

/* Returns whether the request used an open that had lapsed before it began. */
static bool has_lapsed(const struct history *history, size_t request, struct lapsed *lapsed)
{
	const struct history_op *op = &history->ops[request];
	uint64_t opened, lost;
	size_t first;

	if (!succeeded(op) || op->kind == HISTORY_OPEN || op->kind == HISTORY_CLOSE)
		return false;
	lapsed->loss = loss_before(history, op->begin);
	if (lapsed->loss == OPENS_NONE)
		return false;
	lost = history->losses[lapsed->loss].event;
	lapsed->op = request;
	lapsed->open = open_of(history, request, &first);
	opened = lapsed->open != OPENS_NONE ? history->ops[lapsed->open].end : history->ops[first].begin;
	if (opened > lost)
		return false;
	/* Its own first request is on an open that is not recorded. */
	if (lapsed->open == OPENS_NONE)
		opened = 0;
	lapsed->written = op->kind == HISTORY_FLUSH ? unflushed(history, request, opened, lost) : OPENS_NONE;
	return true;
}

/* Whether an earlier request told the same; silent losses and other requests are told apart. */
static bool is_told(const struct history *history, const struct lapsed *lapsed)
{
	const struct history_op *op = &history->ops[lapsed->op];
	struct lapsed other;

	for (size_t i = lapsed->op; i-- > 0;) {
		if (history->ops[i].begin < history->losses[lapsed->loss].event)
			break;
		if (is_of(&history->ops[i], op) && has_lapsed(history, i, &other) &&
		    (other.written == OPENS_NONE) == (lapsed->written == OPENS_NONE))
			return true;
	}
	return false;
}

size_t opens_next(const struct history *history, size_t from, struct lapsed *lapsed)
{
	if (!history->nr_losses)
		return OPENS_NONE;
	for (size_t i = from; i < history->nr_ops; i++) {
		if (has_lapsed(history, i, lapsed) && !is_told(history, lapsed))
			return i + 1;
	}
	return OPENS_NONE;
}
