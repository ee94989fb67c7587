/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The window of operations; see trace_window.h. A heap of slots, ordered by time, and a hash table of the same slots by
 * place, for completions.
 */
#include "trace_window.h"

#include <assert.h>
#include <stdlib.h>

#define SLOTS	 4096
#define RESERVED 4 /* slots that has_room() promises */
#define NO_SLOT	 -1

struct slot {
	struct trace_operation operation;
	uint64_t sequence; /* in which order they were added */
	int next;	   /* in its chain (while its latency is not known), or in the list of free slots */
	int previous;	   /* in its chain */
};

struct trace_window {
	struct slot slots[SLOTS];
	int heap[SLOTS]; /* slot numbers; the earliest is the first */
	int used;	 /* of the heap */
	int free;	 /* list */
	int chains[SLOTS];
	uint64_t sequence;
};

struct trace_window *trace_window_new(void)
{
	struct trace_window *window = calloc(1, sizeof(*window));

	if (!window)
		return NULL;
	window->free = NO_SLOT;
	for (int i = SLOTS - 1; i >= 0; i--) {
		window->slots[i].next = window->free;
		window->free = i;
		window->chains[i] = NO_SLOT;
	}
	return window;
}

void trace_window_free(struct trace_window *window)
{
	free(window);
}

bool trace_window_has_room(const struct trace_window *window)
{
	return window->used <= SLOTS - RESERVED;
}

static bool is_before(const struct trace_window *window, int one, int other)
{
	const struct slot *a = &window->slots[one];
	const struct slot *b = &window->slots[other];

	if (a->operation.time_ns != b->operation.time_ns)
		return a->operation.time_ns < b->operation.time_ns;
	return a->sequence < b->sequence;
}

static int *chain_of(struct trace_window *window, const struct trace_operation *operation)
{
	uint64_t hash = operation->position + ((uint64_t)operation->device << 40) + (uint64_t)operation->kind;

	hash *= UINT64_C(0x9e3779b97f4a7c15);
	return &window->chains[hash >> 52];
}

static_assert(SLOTS == 1 << (64 - 52), "chain_of() gives the number of a chain");

static void enter_chain(struct trace_window *window, int number)
{
	int *chain = chain_of(window, &window->slots[number].operation);

	window->slots[number].previous = NO_SLOT;
	window->slots[number].next = *chain;
	if (*chain != NO_SLOT)
		window->slots[*chain].previous = number;
	*chain = number;
}

static void leave_chain(struct trace_window *window, int number)
{
	const struct slot *slot = &window->slots[number];

	if (slot->previous == NO_SLOT)
		*chain_of(window, &slot->operation) = slot->next;
	else
		window->slots[slot->previous].next = slot->next;
	if (slot->next != NO_SLOT)
		window->slots[slot->next].previous = slot->previous;
}

void trace_window_add(struct trace_window *window, const struct trace_operation *operation)
{
	int number = window->free;
	struct slot *slot = &window->slots[number];
	int place = window->used++;

	window->free = slot->next;
	slot->operation = *operation;
	slot->sequence = window->sequence++;
	if (operation->latency_ns == TRACE_NO_LATENCY)
		enter_chain(window, number);
	while (place > 0 && is_before(window, number, window->heap[(place - 1) / 2])) {
		window->heap[place] = window->heap[(place - 1) / 2];
		place = (place - 1) / 2;
	}
	window->heap[place] = number;
}

static bool is_same_place(const struct trace_operation *one, const struct trace_operation *other)
{
	return one->position == other->position && one->device == other->device && one->kind == other->kind;
}

/*
 * The pending operation that began first at the same place and is at most as long as `completed`; NO_SLOT: none.
 */
static int find_pending(const struct trace_window *window, int chain, const struct trace_operation *completed)
{
	int found = NO_SLOT;

	for (int i = chain; i != NO_SLOT; i = window->slots[i].next) {
		const struct slot *slot = &window->slots[i];

		if (is_same_place(&slot->operation, completed) && slot->operation.length <= completed->length &&
		    (found == NO_SLOT || is_before(window, i, found)))
			found = i;
	}
	return found;
}

void trace_window_complete(struct trace_window *window, uint64_t time_ns, const struct trace_operation *completed)
{
	struct trace_operation rest = *completed;

	do {
		int number = find_pending(window, *chain_of(window, &rest), &rest);
		struct trace_operation *pending;

		if (number == NO_SLOT)
			return;
		leave_chain(window, number);
		pending = &window->slots[number].operation;
		pending->latency_ns = time_ns > pending->time_ns ? time_ns - pending->time_ns : 0;
		rest.position += pending->length;
		rest.length -= pending->length;
	} while (rest.length > 0);
}

/* The last slot of the heap goes down from the top to its place. */
static void sift_down(struct trace_window *window)
{
	int number = window->heap[--window->used];
	int place = 0;

	for (;;) {
		int child = 2 * place + 1;

		if (child >= window->used)
			break;
		if (child + 1 < window->used && is_before(window, window->heap[child + 1], window->heap[child]))
			child++;
		if (!is_before(window, window->heap[child], number))
			break;
		window->heap[place] = window->heap[child];
		place = child;
	}
	window->heap[place] = number;
}

bool trace_window_take(struct trace_window *window, struct trace_operation *operation)
{
	int number;

	if (window->used == 0)
		return false;
	number = window->heap[0];
	sift_down(window);
	*operation = window->slots[number].operation;
	if (operation->latency_ns == TRACE_NO_LATENCY)
		leave_chain(window, number);
	window->slots[number].next = window->free;
	window->free = number;
	return true;
}
