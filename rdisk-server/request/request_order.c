/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who waits for whom; see request_order.h. A list and not a tree: it holds what is pending, some ten in a busy guest,
 * and what waits behind that.
 */
#include "request_order.h"

static bool reads(const struct request *request)
{
	return request->operation == REQUEST_READ;
}

/* The rounded start is enough: a range whose end lies in a block begins before the end of it. */
static bool touch(uint64_t block, uint64_t a, uint64_t length_a, uint64_t b, uint64_t length_b)
{
	return (a & ~(block - 1)) < b + length_b && (b & ~(block - 1)) < a + length_a;
}

/* Whether the second of two pieces of one disk has to wait for the first. */
static bool conflict(const struct request *a, const struct request *b)
{
	return !(reads(a) && reads(b)) &&
	       touch(a->disk->overlap_block, a->io.position, a->io.length, b->io.position, b->io.length);
}

void request_order_look(struct request *request)
{
	request->blockers = 0;
	for (const struct request *at = request->disk->order_first; at; at = at->order_next)
		request->blockers += conflict(at, request);
}

bool requests_overlap(const struct request_disk *disk, uint64_t position, uint64_t length)
{
	for (const struct request *at = disk->order_first; at; at = at->order_next) {
		if (!reads(at) && touch(disk->overlap_block, position, length, at->io.position, at->io.length))
			return true;
	}
	return false;
}

void request_order_add(struct request *request)
{
	struct request_disk *disk = request->disk;

	request->order_previous = disk->order_last;
	request->order_next = NULL;
	if (disk->order_last)
		disk->order_last->order_next = request;
	else
		disk->order_first = request;
	disk->order_last = request;
	request->in_order = true;
}

void request_order_remove(struct request *request, struct request_list *ready)
{
	struct request_disk *disk = request->disk;

	if (!request->in_order)
		return;
	request->in_order = false;
	if (request->order_previous)
		request->order_previous->order_next = request->order_next;
	else
		disk->order_first = request->order_next;
	if (request->order_next)
		request->order_next->order_previous = request->order_previous;
	else
		disk->order_last = request->order_previous;
	/* Those behind it that overlap with it have counted it. */
	for (struct request *at = request->order_next; at; at = at->order_next) {
		if (at->blockers == 0 || !conflict(request, at) || --at->blockers > 0)
			continue;
		at->phase = REQUEST_READY;
		request_list_append(ready, at);
	}
}
