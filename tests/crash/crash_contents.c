/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What one sector may hold after a power cut: all beginnings of all orders in which its changes can have been made,
 * as crash_run.h defines them, are walked through, those with fewer changes first.
 *
 * A beginning is described by the first change that it lacks, and by which of those behind that it has: changes are
 * sorted by when they began, so only such as were under way beside the first can be among them. For a sector that is
 * written by one after the other that is one state a write, however many there are.
 */
#include "crash_run.h"

#include <stdalign.h>
#include <string.h>

#define LEVEL_MAX 4096 /* states of equally many changes: more are too many orders to try */

/* A beginning of an order, and what it leaves in the sector. */
struct state {
	size_t first;	/* the first change, of those that count, that is not in it; all before are */
	uint64_t mask;	/* bit i: first + 1 + i is in it */
	size_t content; /* index */
	size_t needed;	/* how many are in it of what cannot be missing */
	bool wanted;	/* whether the event of CRASH_WITH is */
};

/* The walk of one sector. Contents grow from the front of the free memory, and states downwards from its end. */
struct walk {
	const struct crash_run *run;
	uint64_t sector;
	uint64_t cut;
	enum crash_filter filter;
	size_t event;

	size_t *changes; /* indices of the events that count, sorted by beginning */
	size_t nr_changes;
	size_t needed; /* of them, those that cannot be missing */

	struct crash_content *contents;
	size_t nr_contents;
	unsigned char *low, *high; /* the free memory */
	struct state *states;	   /* states[0] is the newest; see state_at() */
	size_t nr_states;
};

static const struct crash_event *change_at(const struct walk *walk, size_t change)
{
	return &walk->run->events[walk->changes[change]];
}

/* The nth state that was found. */
static struct state *state_at(const struct walk *walk, size_t n)
{
	return &walk->states[walk->nr_states - 1 - n];
}

static bool is_stable(const struct walk *walk, size_t event)
{
	return walk->run->fates[event].stable_from < walk->cut;
}

/* Whether it may be left out as if it had never been made. */
static bool may_be_skipped(const struct walk *walk, size_t event)
{
	const struct crash_event *change = &walk->run->events[event];

	if (change->failed || change->optional)
		return true;
	return walk->run->fates[event].suspect_from < walk->cut && !is_stable(walk, event);
}

static bool covers_sector(const struct walk *walk, const struct crash_event *event)
{
	uint64_t start = walk->sector * CRASH_SECTOR;

	return walk->sector != CRASH_SIZE_CELL && (event->kind == CRASH_WRITE || event->kind == CRASH_ZERO) &&
	       event->position <= start && event->position + event->length >= start + CRASH_SECTOR;
}

/* ---- contents ---- */

static uint64_t hash_of(const unsigned char bytes[CRASH_SECTOR])
{
	uint64_t hash = 0;

	for (size_t i = 0; i < CRASH_SECTOR; i += sizeof(uint64_t)) {
		uint64_t word;

		memcpy(&word, bytes + i, sizeof(word));
		hash = (hash ^ word) * 0x9e3779b97f4a7c15u;
		hash ^= hash >> 29;
	}
	return hash;
}

/* Index of the content that walk->contents[nr_contents] is, which has been filled in. */
static size_t keep_content(struct walk *walk)
{
	struct crash_content *found = &walk->contents[walk->nr_contents];

	found->hash = hash_of(found->bytes);
	found->allowed = false;
	for (size_t i = 0; i < walk->nr_contents; i++) {
		const struct crash_content *content = &walk->contents[i];

		if (content->hash == found->hash && memcmp(content->bytes, found->bytes, CRASH_SECTOR) == 0)
			return i;
	}
	walk->low += sizeof(*found);
	return walk->nr_contents++;
}

/* Room for one more content; NULL: there is none. */
static struct crash_content *next_content(const struct walk *walk)
{
	if ((size_t)(walk->high - walk->low) < sizeof(struct crash_content))
		return NULL;
	return &walk->contents[walk->nr_contents];
}

static void store_size(unsigned char bytes[CRASH_SECTOR], uint64_t size)
{
	memset(bytes, 0, CRASH_SECTOR);
	memcpy(bytes, &size, sizeof(size));
}

static void change_size(const struct crash_event *event, unsigned char bytes[CRASH_SECTOR])
{
	uint64_t size;
	uint64_t end = event->kind == CRASH_WRITE ? event->position + event->length : event->length;

	memcpy(&size, bytes, sizeof(size));
	if (event->kind == CRASH_RESIZE || end > size)
		size = end;
	store_size(bytes, size);
}

/* Makes the change in a sector's bytes. */
static void apply(const struct walk *walk, const struct crash_event *event, unsigned char bytes[CRASH_SECTOR])
{
	uint64_t start = walk->sector * CRASH_SECTOR;
	uint64_t from, to;

	if (walk->sector == CRASH_SIZE_CELL) {
		change_size(event, bytes);
		return;
	}
	from = event->kind == CRASH_RESIZE ? event->length : event->position;
	to = event->kind == CRASH_RESIZE ? start + CRASH_SECTOR : event->position + event->length;
	if (from < start)
		from = start;
	if (to > start + CRASH_SECTOR)
		to = start + CRASH_SECTOR;
	if (from >= to)
		return;
	if (event->kind == CRASH_WRITE)
		memcpy(bytes + (from - start), event->data + (from - event->position), (size_t)(to - from));
	else
		memset(bytes + (from - start), 0, (size_t)(to - from));
}

/* ---- states ---- */

static bool is_same(const struct state *one, const struct state *other)
{
	return one->first == other->first && one->mask == other->mask && one->content == other->content;
}

/* Adds a state, unless it was found before: those of as many changes begin with the one numbered `level`. */
static int add_state(struct walk *walk, const struct state *state, size_t level)
{
	if (walk->nr_states - level >= LEVEL_MAX)
		return CRASH_NO_ROOM;
	for (size_t i = level; i < walk->nr_states; i++)
		if (is_same(state_at(walk, i), state))
			return CRASH_OK;
	if ((size_t)(walk->high - walk->low) < sizeof(*state))
		return CRASH_NO_ROOM;
	walk->high -= sizeof(*state);
	walk->states--;
	*walk->states = *state;
	walk->nr_states++;
	return CRASH_OK;
}

static bool has(const struct state *state, size_t change)
{
	if (change <= state->first)
		return change < state->first;
	return state->mask >> (change - state->first - 1) & 1;
}

/* The state with one change more, but for its content. */
static struct state with_change(const struct walk *walk, const struct state *state, size_t change)
{
	struct state next = *state;

	if (change == state->first) {
		next.first++;
		for (; next.mask & 1; next.mask >>= 1)
			next.first++;
		next.mask >>= 1; /* the bit of what is the first now */
	} else {
		next.mask |= (uint64_t)1 << (change - state->first - 1);
	}
	next.needed += is_stable(walk, walk->changes[change]);
	next.wanted |= walk->filter == CRASH_WITH && walk->changes[change] == walk->event;
	return next;
}

/* Adds what follows from a state when this change is the next. */
static int follow(struct walk *walk, const struct state *state, size_t change, size_t level)
{
	struct state next = with_change(walk, state, change);
	struct crash_content *content;
	int code = CRASH_OK;

	if (may_be_skipped(walk, walk->changes[change]))
		code = add_state(walk, &next, level);
	if (code)
		return code;
	content = next_content(walk);
	if (!content)
		return CRASH_NO_ROOM;
	memcpy(content->bytes, walk->contents[state->content].bytes, CRASH_SECTOR);
	apply(walk, change_at(walk, change), content->bytes);
	next.content = keep_content(walk);
	return add_state(walk, &next, level);
}

/* Adds all that may follow from a state: any change that is not in it and began before all such others had returned. */
static int follow_all(struct walk *walk, const struct state *state, size_t level)
{
	uint64_t first_return = CRASH_NEVER;

	for (size_t change = state->first; change < walk->nr_changes; change++) {
		const struct crash_event *event = change_at(walk, change);
		int code;

		if (event->begun > first_return)
			break;
		if (change - state->first > 64)
			return CRASH_NO_ROOM;
		if (has(state, change))
			continue;
		if (event->returned < first_return)
			first_return = event->returned;
		if (walk->filter == CRASH_WITHOUT && walk->changes[change] == walk->event)
			continue;
		code = follow(walk, state, change, level);
		if (code)
			return code;
	}
	return CRASH_OK;
}

/* Finds all states, those with fewer changes before those with more, and tells which contents are allowed. */
static int walk_states(struct walk *walk, struct crash_contents *contents)
{
	size_t level_end = walk->nr_states;

	contents->oldest = SIZE_MAX;
	for (size_t i = 0; i < walk->nr_states; i++) {
		struct state state = *state_at(walk, i);
		int code;

		if (i == level_end)
			level_end = walk->nr_states;
		if (state.needed == walk->needed && (walk->filter != CRASH_WITH || state.wanted)) {
			walk->contents[state.content].allowed = true;
			if (contents->oldest == SIZE_MAX)
				contents->oldest = state.content;
			contents->newest = state.content;
		}
		code = follow_all(walk, &state, level_end);
		if (code)
			return code;
	}
	return CRASH_OK;
}

/* ---- the whole ---- */

/*
 * Lists the changes that count: those that had begun, without those that are certain to lie under one that covers the
 * sector and cannot be missing.
 */
static int list_changes(struct walk *walk, const struct crash_cell *cell)
{
	uint64_t covered_from = 0;
	size_t count = 0;

	for (size_t i = 0; i < cell->count; i++) {
		size_t event = walk->run->touches[cell->first + i].event;
		const struct crash_event *change = &walk->run->events[event];

		if (change->begun >= walk->cut)
			break;
		count++;
		if (is_stable(walk, event) && covers_sector(walk, change) && change->begun > covered_from)
			covered_from = change->begun;
	}
	if (count > (size_t)(walk->high - walk->low) / sizeof(*walk->changes))
		return CRASH_NO_ROOM;
	walk->high -= count * sizeof(*walk->changes);
	walk->changes = (size_t *)(void *)walk->high;
	for (size_t i = 0; i < count; i++) {
		size_t event = walk->run->touches[cell->first + i].event;

		if (walk->run->events[event].returned < covered_from)
			continue;
		walk->changes[walk->nr_changes++] = event;
		walk->needed += is_stable(walk, event);
	}
	return CRASH_OK;
}

static int first_state(struct walk *walk)
{
	struct crash_content *content = next_content(walk);
	struct state none = { .first = 0 };

	if (!content)
		return CRASH_NO_ROOM;
	if (walk->sector == CRASH_SIZE_CELL)
		store_size(content->bytes, walk->run->size);
	else if (walk->run->read_initial)
		walk->run->read_initial(walk->run->context, walk->sector, content->bytes);
	else
		memset(content->bytes, 0, CRASH_SECTOR);
	none.content = keep_content(walk);
	walk->high -= (size_t)(walk->high - walk->low) % alignof(struct state);
	walk->states = (struct state *)(void *)walk->high;
	return add_state(walk, &none, 0);
}

/* Leaves only the allowed contents, in the order in which they were found. */
static void compact(struct walk *walk, struct crash_contents *contents)
{
	size_t oldest = 0, newest = 0;

	contents->count = 0;
	for (size_t i = 0; i < walk->nr_contents; i++) {
		if (!walk->contents[i].allowed)
			continue;
		if (i == contents->oldest)
			oldest = contents->count;
		if (i == contents->newest)
			newest = contents->count;
		memmove(&walk->contents[contents->count++], &walk->contents[i], sizeof(*walk->contents));
	}
	contents->content = walk->contents;
	contents->oldest = oldest;
	contents->newest = newest;
}

int crash_contents_find(const struct crash_run *run, size_t cell, uint64_t cut, enum crash_filter filter, size_t event,
			struct crash_memory *memory, struct crash_contents *contents)
{
	struct walk walk = {
		.run = run, .sector = run->cells[cell].sector, .cut = cut, .filter = filter, .event = event
	};
	size_t before = memory->used;
	int code;

	walk.contents = crash_memory_take(memory, 1, sizeof(*walk.contents));
	if (!walk.contents)
		return CRASH_NO_ROOM;
	walk.low = (unsigned char *)walk.contents;
	walk.high = memory->start + memory->size - memory->size % alignof(max_align_t);
	if (walk.high < walk.low)
		walk.high = walk.low;
	code = list_changes(&walk, &run->cells[cell]);
	if (!code)
		code = first_state(&walk);
	if (!code)
		code = walk_states(&walk, contents);
	memory->used = before;
	if (code)
		return code;
	compact(&walk, contents);
	memory->used = (size_t)((unsigned char *)(walk.contents + contents->count) - memory->start);
	return CRASH_OK;
}

int crash_contents(const struct crash_run *run, size_t cell, uint64_t cut, struct crash_memory *memory,
		   struct crash_contents *contents)
{
	return crash_contents_find(run, cell, cut, CRASH_ANY, 0, memory, contents);
}

size_t crash_contents_index(const struct crash_contents *contents, const unsigned char bytes[CRASH_SECTOR])
{
	size_t i;

	for (i = 0; i < contents->count; i++)
		if (memcmp(contents->content[i].bytes, bytes, CRASH_SECTOR) == 0)
			break;
	return i;
}

/* A mixing function: any change of the input changes about half of the output's bits. */
static uint64_t mix(uint64_t x)
{
	x ^= x >> 32;
	x *= 0xd6e8feb86659fd93u;
	x ^= x >> 29;
	x *= 0x9e3779b97f4a7c15u;
	x ^= x >> 32;
	return x;
}

size_t crash_contents_sample(const struct crash_contents *contents, uint64_t sector, uint64_t seed)
{
	uint64_t mood = mix(seed + 0x2545f4914f6cdd1du) % 3;
	uint64_t random = mix(mix(seed) + sector + 1);

	/* Half of the seeds lose, or keep, nearly everything: what goes wrong then is seldom met by even chances. */
	if (mood == 1 && random % 8)
		return contents->oldest;
	if (mood == 2 && random % 8)
		return contents->newest;
	return (size_t)(mix(random) % contents->count);
}

uint64_t crash_content_size(const struct crash_content *content)
{
	uint64_t size;

	memcpy(&size, content->bytes, sizeof(size));
	return size;
}
