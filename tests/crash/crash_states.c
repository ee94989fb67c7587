/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Images out of contents; see crash_states.h.
 */
#include "crash_states.h"

#include <string.h>

int crash_states_prepare(struct crash_states *states, const struct crash_run *run, uint64_t cut,
			 struct crash_memory *memory)
{
	*states = (struct crash_states){ .run = run, .cut = cut };
	states->contents = crash_memory_take(memory, run->nr_cells, sizeof(*states->contents));
	states->choice = crash_memory_take(memory, run->nr_cells, sizeof(*states->choice));
	if (!states->contents || !states->choice)
		return CRASH_NO_ROOM;
	for (size_t cell = 0; cell < run->nr_cells; cell++) {
		int code = crash_contents(run, cell, cut, memory, &states->contents[cell]);

		if (code)
			return code;
	}
	crash_states_worst(states);
	return CRASH_OK;
}

uint64_t crash_states_count(const struct crash_states *states)
{
	uint64_t count = 1;

	for (size_t cell = 0; cell < states->run->nr_cells; cell++)
		if (__builtin_mul_overflow(count, (uint64_t)states->contents[cell].count, &count))
			return UINT64_MAX;
	return count;
}

void crash_states_first(struct crash_states *states)
{
	memset(states->choice, 0, states->run->nr_cells * sizeof(*states->choice));
}

bool crash_states_next(struct crash_states *states)
{
	for (size_t cell = 0; cell < states->run->nr_cells; cell++) {
		if (++states->choice[cell] < states->contents[cell].count)
			return true;
		states->choice[cell] = 0;
	}
	return false;
}

void crash_states_worst(struct crash_states *states)
{
	for (size_t cell = 0; cell < states->run->nr_cells; cell++)
		states->choice[cell] = states->contents[cell].oldest;
}

void crash_states_all(struct crash_states *states)
{
	for (size_t cell = 0; cell < states->run->nr_cells; cell++)
		states->choice[cell] = states->contents[cell].newest;
}

void crash_states_sample(struct crash_states *states, uint64_t seed)
{
	for (size_t cell = 0; cell < states->run->nr_cells; cell++)
		states->choice[cell] =
			crash_contents_sample(&states->contents[cell], states->run->cells[cell].sector, seed);
}

bool crash_states_is_loose(const struct crash_states *states, size_t event)
{
	const struct crash_event *change = &states->run->events[event];

	return change->kind != CRASH_FLUSH && change->begun < states->cut &&
	       states->run->fates[event].stable_from >= states->cut;
}

static bool touches(const struct crash_run *run, size_t cell, size_t event)
{
	for (size_t i = 0; i < run->cells[cell].count; i++)
		if (run->touches[run->cells[cell].first + i].event == event)
			return true;
	return false;
}

/* Sets the choice of each cell that the event touches: among those that the filter lets through, the oldest or the
 * newest. Where it lets none through the choice stays. */
static int choose_filtered(struct crash_states *states, size_t event, enum crash_filter filter,
			   struct crash_memory *memory)
{
	size_t before = memory->used;

	for (size_t cell = 0; cell < states->run->nr_cells; cell++) {
		struct crash_contents found;
		size_t wanted;
		int code;

		if (!touches(states->run, cell, event))
			continue;
		code = crash_contents_find(states->run, cell, states->cut, filter, event, memory, &found);
		memory->used = before;
		if (code)
			return code;
		wanted = filter == CRASH_WITH ? found.oldest : found.newest;
		if (found.count > 0)
			states->choice[cell] =
				crash_contents_index(&states->contents[cell], found.content[wanted].bytes);
	}
	return CRASH_OK;
}

int crash_states_without(struct crash_states *states, size_t event, struct crash_memory *memory)
{
	crash_states_all(states);
	return choose_filtered(states, event, CRASH_WITHOUT, memory);
}

int crash_states_alone(struct crash_states *states, size_t event, struct crash_memory *memory)
{
	crash_states_worst(states);
	return choose_filtered(states, event, CRASH_WITH, memory);
}

uint64_t crash_states_size(const struct crash_states *states)
{
	const struct crash_run *run = states->run;
	size_t last = run->nr_cells - 1;

	if (run->nr_cells == 0 || run->cells[last].sector != CRASH_SIZE_CELL)
		return run->size;
	return crash_content_size(&states->contents[last].content[states->choice[last]]);
}

const unsigned char *crash_states_sector(const struct crash_states *states, size_t cell)
{
	return states->contents[cell].content[states->choice[cell]].bytes;
}

static void read_sector(const struct crash_states *states, uint64_t sector, unsigned char bytes[CRASH_SECTOR])
{
	const struct crash_run *run = states->run;
	size_t cell = crash_run_find(run, sector);

	if (cell < run->nr_cells)
		memcpy(bytes, crash_states_sector(states, cell), CRASH_SECTOR);
	else if (run->read_initial)
		run->read_initial(run->context, sector, bytes);
	else
		memset(bytes, 0, CRASH_SECTOR);
}

void crash_states_read(const struct crash_states *states, uint64_t sector, uint64_t count, unsigned char *bytes)
{
	uint64_t size = crash_states_size(states);

	for (uint64_t i = 0; i < count; i++, sector++, bytes += CRASH_SECTOR) {
		uint64_t start = sector * CRASH_SECTOR;

		if (start >= size) {
			memset(bytes, 0, CRASH_SECTOR);
			continue;
		}
		read_sector(states, sector, bytes);
		if (size - start < CRASH_SECTOR)
			memset(bytes + (size - start), 0, CRASH_SECTOR - (size_t)(size - start));
	}
}

/* ---- visiting ---- */

static int call(const struct crash_states *states, struct crash_visit *visit)
{
	visit->visited++;
	return visit->visit(visit->context, states);
}

static int visit_all(struct crash_states *states, struct crash_visit *visit)
{
	int code;

	crash_states_first(states);
	do
		code = call(states, visit);
	while (!code && crash_states_next(states));
	return code;
}

/* Each single change lost, and each the only one. */
static int visit_each_change(struct crash_states *states, struct crash_visit *visit, struct crash_memory *memory)
{
	int code = 0;

	for (size_t event = 0; event < states->run->nr_events && !code; event++) {
		if (!crash_states_is_loose(states, event))
			continue;
		code = crash_states_without(states, event, memory);
		if (!code)
			code = call(states, visit);
		if (!code)
			code = crash_states_alone(states, event, memory);
		if (!code)
			code = call(states, visit);
	}
	return code;
}

int crash_states_visit(struct crash_states *states, struct crash_visit *visit, struct crash_memory *memory)
{
	int code;

	visit->visited = 0;
	visit->exhaustive = crash_states_count(states) <= visit->limit;
	if (visit->exhaustive)
		return visit_all(states, visit);
	crash_states_worst(states);
	code = call(states, visit);
	if (!code) {
		crash_states_all(states);
		code = call(states, visit);
	}
	if (!code)
		code = visit_each_change(states, visit, memory);
	for (uint64_t i = 0; i < visit->samples && !code; i++) {
		crash_states_sample(states, visit->seed + i);
		code = call(states, visit);
	}
	return code;
}
