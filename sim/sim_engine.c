/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The queue of events: a binary heap over (time, sequence), with each event knowing its place, so that one can be
 * taken out of the middle.
 */
#include "sim_engine.h"

#include "sim_memory.h"

#include <stdlib.h>

void sim_engine_init(struct sim_engine *engine)
{
	*engine = (struct sim_engine){ 0 };
}

void sim_engine_free(struct sim_engine *engine)
{
	free(engine->heap);
	*engine = (struct sim_engine){ 0 };
}

static bool earlier(const struct sim_event *a, const struct sim_event *b)
{
	return a->time != b->time ? a->time < b->time : a->sequence < b->sequence;
}

/* Places are from 1, so that the children of n are 2n and 2n + 1. */
static void put(struct sim_engine *engine, size_t place, struct sim_event *event)
{
	engine->heap[place - 1] = event;
	event->place = place;
}

static void move_up(struct sim_engine *engine, struct sim_event *event)
{
	size_t place = event->place;

	while (place > 1 && earlier(event, engine->heap[place / 2 - 1])) {
		put(engine, place, engine->heap[place / 2 - 1]);
		place /= 2;
	}
	put(engine, place, event);
}

static void move_down(struct sim_engine *engine, struct sim_event *event)
{
	size_t place = event->place;

	for (;;) {
		size_t child = 2 * place;

		if (child > engine->count)
			break;
		if (child < engine->count && earlier(engine->heap[child], engine->heap[child - 1]))
			child++;
		if (!earlier(engine->heap[child - 1], event))
			break;
		put(engine, place, engine->heap[child - 1]);
		place = child;
	}
	put(engine, place, event);
}

void sim_schedule(struct sim_engine *engine, struct sim_event *event, uint64_t time)
{
	sim_cancel(engine, event);
	event->time = time > engine->now ? time : engine->now;
	event->sequence = engine->sequence++;
	if (engine->count == engine->capacity) {
		engine->capacity = engine->capacity ? 2 * engine->capacity : 256;
		engine->heap = sim_resize(engine->heap, engine->capacity * sizeof(struct sim_event *));
	}
	engine->count++;
	put(engine, engine->count, event);
	move_up(engine, event);
}

void sim_cancel(struct sim_engine *engine, struct sim_event *event)
{
	struct sim_event *last;
	size_t place = event->place;

	if (!place)
		return;
	event->place = 0;
	last = engine->heap[--engine->count];
	if (last == event)
		return;
	put(engine, place, last);
	move_up(engine, last);
	move_down(engine, last);
}

bool sim_step(struct sim_engine *engine, uint64_t limit)
{
	struct sim_event *event;

	if (!engine->count || engine->heap[0]->time > limit) {
		if (engine->now < limit)
			engine->now = limit;
		return false;
	}
	event = engine->heap[0];
	engine->now = event->time;
	engine->fired++;
	sim_cancel(engine, event);
	event->fire(event);
	return true;
}
