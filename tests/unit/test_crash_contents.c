/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What one sector may hold after a power cut, against a machine that does it: a page cache and a disk, of which every
 * possible step is taken (a change reaches the cache, the cache is written back, a writing back fails). What is
 * on its disk in the end, over all ways to go, has to be what crash_contents() says, of many random runs.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "crash_run.h"

#define QUARTERS   4
#define QUARTER	   (CRASH_SECTOR / QUARTERS)
#define INITIAL	   0xeeu /* byte that a sector is full of at first */
#define CALLS_MAX  8
#define STATES_MAX 65536
#define WORK	   (4u << 20)

/* ---- runs ---- */

struct run {
	struct crash_event events[CALLS_MAX];
	unsigned char data[CALLS_MAX][CRASH_SECTOR];
	size_t nr_events;
	/* What happens: events[n] begins (n + 1) or returns (-n - 1). The nth happens at the moment 2n + 1. */
	int timeline[2 * CALLS_MAX];
	size_t length;
};

static uint64_t random_state;
static uint64_t run_seed; /* for messages */

static uint32_t random_below(uint32_t limit)
{
	random_state = random_state * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(random_state >> 33) % limit;
}

/* A call that starts now. Ranges are of whole quarters; a write's bytes are its number. */
static void random_call(struct run *run, bool may_fail)
{
	size_t number = run->nr_events++;
	struct crash_event *event = &run->events[number];
	uint32_t from = random_below(QUARTERS), to = from + 1 + random_below(QUARTERS - from);
	uint32_t kind = random_below(8);

	*event = (struct crash_event){ .kind = kind < 3	   ? CRASH_FLUSH
					       : kind == 3 ? CRASH_ZERO
							   : CRASH_WRITE,
				       .begun = 2 * run->length + 1,
				       .returned = CRASH_NEVER,
				       .position = (uint64_t)from * QUARTER,
				       .length = (uint64_t)(to - from) * QUARTER,
				       .data = run->data[number] };
	memset(run->data[number], (int)number + 1, CRASH_SECTOR);
	if (random_below(3) == 0 && event->kind == CRASH_WRITE) {
		event->position = 0;
		event->length = CRASH_SECTOR;
	}
	if (event->kind == CRASH_FLUSH)
		event->failed = may_fail && random_below(2);
	else if (random_below(6) == 0)
		event->failed = true;
	else if (random_below(6) == 0)
		event->stable = event->kind == CRASH_WRITE;
	else if (random_below(6) == 0)
		event->optional = true;
	run->timeline[run->length++] = (int)number + 1;
}

/* At most three calls are under way at once. */
static void random_run(struct run *run, uint64_t seed, bool may_fail)
{
	size_t open[3];
	size_t nr_open = 0;

	*run = (struct run){ .nr_events = 0 };
	random_state = run_seed = seed;
	while (run->nr_events < 7 || nr_open > 0) {
		if (run->nr_events < 7 && nr_open < 3 && (nr_open == 0 || random_below(2))) {
			open[nr_open++] = run->nr_events;
			random_call(run, may_fail);
		} else {
			size_t i = random_below((uint32_t)nr_open);

			run->events[open[i]].returned = 2 * run->length + 1;
			run->timeline[run->length++] = -(int)open[i] - 1;
			open[i] = open[--nr_open];
		}
	}
}

/* ---- the machine ---- */

/* What it is in. All fields count for whether two are the same, and there is no hole. */
struct state {
	unsigned char cache[QUARTERS];
	unsigned char disk[QUARTERS];
	unsigned char applied; /* bit n: events[n] is in the cache, or is given up */
	unsigned char
		written; /* bit n: the cache was written back since events[n], a flush or stable change, needs it */
	unsigned char dirty;
	unsigned char lost; /* something was not written back that should have been */
};

static struct state states[STATES_MAX];
static size_t nr_states;
static uint32_t table[2 * STATES_MAX]; /* number of a state + 1 */

static uint32_t slot_of(const struct state *state)
{
	uint64_t words[2] = { 0 };
	uint32_t slot;

	memcpy(words, state, sizeof(*state));
	slot = (uint32_t)((words[0] * 0x9e3779b97f4a7c15u ^ words[1] * 0xd6e8feb86659fd93u) >> 40) % (2 * STATES_MAX);
	while (table[slot] && memcmp(&states[table[slot] - 1], state, sizeof(*state)) != 0)
		slot = (slot + 1) % (2 * STATES_MAX);
	return slot;
}

static void add_state(const struct state *state)
{
	uint32_t slot = slot_of(state);

	if (table[slot])
		return;
	assert_true(nr_states < STATES_MAX);
	states[nr_states++] = *state;
	table[slot] = (uint32_t)nr_states;
}

static bool is_change(const struct crash_event *event)
{
	return event->kind != CRASH_FLUSH;
}

static void apply(struct state *state, const struct crash_event *event, size_t number)
{
	for (size_t quarter = 0; quarter < QUARTERS; quarter++)
		if (quarter * QUARTER >= event->position && quarter * QUARTER < event->position + event->length)
			state->cache[quarter] = event->kind == CRASH_ZERO ? 0 : (unsigned char)(number + 1);
	state->dirty = 1;
	/* A stable change has to be written back after it was applied. */
	state->written &= (unsigned char)~(1u << number);
}

/* Adds all that follows from all states, by any number of steps. */
static void take_steps(const struct run *run, unsigned int begun, bool failing)
{
	for (size_t i = 0; i < nr_states; i++) {
		struct state state = states[i], next;

		for (size_t n = 0; n < run->nr_events; n++) {
			const struct crash_event *event = &run->events[n];

			if (!is_change(event) || !(begun >> n & 1) || state.applied >> n & 1)
				continue;
			next = state;
			next.applied |= (unsigned char)(1u << n);
			if (event->failed || event->optional)
				add_state(&next);
			apply(&next, event, n);
			add_state(&next);
		}
		next = state;
		if (state.dirty)
			memcpy(next.disk, state.cache, QUARTERS);
		next.dirty = 0;
		next.written |= (unsigned char)begun;
		for (size_t n = 0; n < run->nr_events; n++)
			if (is_change(&run->events[n]) && !(state.applied >> n & 1))
				next.written &= (unsigned char)~(1u << n);
		add_state(&next);
		/* The host could not write: it takes the page for clean, and who waits for it may not be told. */
		if (failing && state.dirty) {
			memcpy(next.disk, state.disk, QUARTERS);
			next.lost = 1;
			add_state(&next);
		}
		/* A clean page may be dropped, and read again. */
		if (state.lost && !state.dirty) {
			next = state;
			memcpy(next.cache, state.disk, QUARTERS);
			add_state(&next);
		}
	}
}

/* Keeps the states in which a call can return. */
static void end_call(const struct run *run, size_t number)
{
	const struct crash_event *event = &run->events[number];
	size_t kept = 0;

	for (size_t i = 0; i < nr_states; i++) {
		bool applied = states[i].applied >> number & 1;
		bool written = states[i].written >> number & 1;

		if (is_change(event) && !applied)
			continue;
		if ((event->kind == CRASH_FLUSH ? !event->failed : event->stable && !event->failed) && !written)
			continue;
		states[kept++] = states[i];
	}
	nr_states = kept;
}

static void rebuild_table(void)
{
	size_t count = nr_states;

	memset(table, 0, sizeof(table));
	nr_states = 0;
	for (size_t i = 0; i < count; i++)
		add_state(&states[i]);
}

/* ---- the comparison ---- */

static unsigned char work[WORK] __attribute__((aligned(16)));

static void read_initial(void *context, uint64_t sector, unsigned char bytes[CRASH_SECTOR])
{
	(void)context;
	(void)sector;
	memset(bytes, INITIAL, CRASH_SECTOR);
}

static void expand(const struct state *state, unsigned char bytes[CRASH_SECTOR])
{
	for (size_t quarter = 0; quarter < QUARTERS; quarter++)
		memset(bytes + quarter * QUARTER, state->disk[quarter], QUARTER);
}

/* Everything on the machine's disk is allowed; and where nothing failed that is all that is. */
static void compare(const struct crash_run *prepared, uint64_t cut, struct crash_memory memory, bool exactly)
{
	size_t cell = crash_run_find(prepared, 0);
	struct crash_contents contents;
	bool *seen;

	assert_int_equal(crash_contents(prepared, cell, cut, &memory, &contents), CRASH_OK);
	seen = calloc(contents.count, sizeof(*seen));
	assert_non_null(seen);
	for (size_t i = 0; i < nr_states; i++) {
		unsigned char bytes[CRASH_SECTOR];
		size_t index;

		expand(&states[i], bytes);
		index = crash_contents_index(&contents, bytes);
		if (index == contents.count)
			fail_msg("run %llu, cut %llu: a disk may hold %u %u %u %u", (unsigned long long)run_seed,
				 (unsigned long long)cut, states[i].disk[0], states[i].disk[1], states[i].disk[2],
				 states[i].disk[3]);
		seen[index] = true;
	}
	for (size_t i = 0; i < contents.count && exactly; i++)
		if (!seen[i])
			fail_msg("run %llu, cut %llu: no disk holds %u %u %u %u", (unsigned long long)run_seed,
				 (unsigned long long)cut, contents.content[i].bytes[0],
				 contents.content[i].bytes[QUARTER], contents.content[i].bytes[2 * QUARTER],
				 contents.content[i].bytes[3 * QUARTER]);
	free(seen);
}

static void check_run(const struct run *run, bool exactly)
{
	struct crash_run prepared = {
		.events = run->events, .nr_events = run->nr_events, .size = CRASH_SECTOR, .read_initial = read_initial
	};
	struct crash_memory memory = { .start = work, .size = sizeof(work) };
	struct state first = { .dirty = 0 };
	unsigned int begun = 0;

	assert_int_equal(crash_run_prepare(&prepared, &memory), CRASH_OK);
	if (crash_run_find(&prepared, 0) == prepared.nr_cells)
		return; /* flushes alone */
	nr_states = 0;
	memset(table, 0, sizeof(table));
	memset(first.cache, (int)INITIAL, QUARTERS);
	memset(first.disk, (int)INITIAL, QUARTERS);
	add_state(&first);
	for (size_t i = 0; i < run->length; i++) {
		size_t number = (size_t)(run->timeline[i] > 0 ? run->timeline[i] : -run->timeline[i]) - 1;
		bool failing = false;

		if (run->timeline[i] > 0)
			begun |= 1u << number;
		else
			end_call(run, number);
		assert_true(nr_states > 0);
		/* A flush has to write back what was there when it began. */
		if (run->timeline[i] > 0)
			for (size_t state = 0; state < nr_states; state++)
				states[state].written &= (unsigned char)~(1u << number);
		for (size_t n = 0; n < run->nr_events; n++)
			failing |= run->events[n].kind == CRASH_FLUSH && run->events[n].failed && begun >> n & 1 &&
				   run->events[n].returned > 2 * i + 1;
		rebuild_table();
		take_steps(run, begun, failing);
		compare(&prepared, 2 * i + 2, memory, exactly);
	}
}

static void test_random_runs(void **state)
{
	struct run run;

	(void)state;
	for (uint64_t seed = 1; seed <= 400; seed++) {
		random_run(&run, seed, false);
		check_run(&run, true);
	}
}

static void test_random_runs_with_failures(void **state)
{
	struct run run;

	(void)state;
	for (uint64_t seed = 1; seed <= 400; seed++) {
		random_run(&run, seed, true);
		check_run(&run, false);
	}
}

/* ---- single rules ---- */

static unsigned char letters[26][4 * CRASH_SECTOR];

/* A write of a letter to whole sectors. */
static struct crash_event write_of(char letter, uint64_t sector, uint64_t count, uint64_t begun, uint64_t returned)
{
	memset(letters[letter - 'a'], letter, sizeof(letters[0]));
	return (struct crash_event){ .kind = CRASH_WRITE,
				     .begun = begun,
				     .returned = returned,
				     .position = sector * CRASH_SECTOR,
				     .length = count * CRASH_SECTOR,
				     .data = letters[letter - 'a'] };
}

static struct crash_event flush_of(uint64_t begun, uint64_t returned, bool failed)
{
	return (struct crash_event){ .kind = CRASH_FLUSH, .begun = begun, .returned = returned, .failed = failed };
}

/* A sector may hold just these: their first bytes, in the order in which they are found; '0' stands for zero. */
static void assert_contents(const struct crash_event *events, size_t count, uint64_t sector, uint64_t cut,
			    const char *wanted)
{
	struct crash_run run = { .events = events, .nr_events = count, .size = 64 * CRASH_SECTOR };
	struct crash_memory memory = { .start = work, .size = sizeof(work) };
	struct crash_contents contents;
	char found[32] = "";

	assert_int_equal(crash_run_prepare(&run, &memory), CRASH_OK);
	assert_int_equal(crash_contents(&run, crash_run_find(&run, sector), cut, &memory, &contents), CRASH_OK);
	for (size_t i = 0; i < contents.count; i++)
		found[i] = (char)(contents.content[i].bytes[0] ? contents.content[i].bytes[0] : '0');
	assert_string_equal(found, wanted);
}

static void test_flushes(void **state)
{
	const struct crash_event events[] = {
		write_of('a', 0, 1, 1, 2),
		write_of('b', 0, 1, 3, 4),
		flush_of(5, 9, false),
		write_of('c', 0, 1, 6, 7),
		write_of('d', 0, 1, 11, CRASH_NEVER),
	};

	(void)state;
	assert_contents(events, 5, 0, 1, "0");
	assert_contents(events, 5, 0, 2, "0a");
	assert_contents(events, 5, 0, 5, "0ab");
	/* It has not returned: nothing is certain. */
	assert_contents(events, 5, 0, 9, "0abc");
	/* What was written beside it may be there or not. */
	assert_contents(events, 5, 0, 10, "bc");
	assert_contents(events, 5, 0, 12, "bcd");
}

/* A flush that began before a write had returned does not cover it. */
static void test_flush_beside_a_write(void **state)
{
	const struct crash_event events[] = { write_of('a', 0, 1, 1, 4), flush_of(2, 6, false), flush_of(5, 8, false) };

	(void)state;
	assert_contents(events, 3, 0, 7, "0a");
	assert_contents(events, 3, 0, 9, "a");
}

/* What a flush that failed may have forgotten no later one brings back; what is written anew is well. */
static void test_failed_flush(void **state)
{
	const struct crash_event events[] = {
		write_of('a', 0, 2, 1, 2), flush_of(3, 4, true),       flush_of(5, 6, false),
		write_of('b', 0, 1, 7, 8), write_of('c', 1, 1, 9, 10), flush_of(11, 12, false),
	};

	(void)state;
	assert_contents(events, 6, 0, 7, "0a");
	assert_contents(events, 6, 0, 11, "0ab");
	assert_contents(events, 6, 0, 13, "b");
	assert_contents(events, 6, 1, 13, "c");
}

/* A flush that succeeds beside one that fails says nothing: the other may have been told of its error. */
static void test_failure_beside_a_flush(void **state)
{
	const struct crash_event events[] = { write_of('a', 0, 1, 1, 2), flush_of(3, 6, false), flush_of(4, 5, true) };

	(void)state;
	assert_contents(events, 3, 0, 7, "0a");
}

static void test_stable_and_failed_changes(void **state)
{
	struct crash_event events[] = { write_of('a', 0, 1, 1, 2), write_of('b', 0, 1, 3, 4), write_of('c', 0, 1, 5, 6),
					flush_of(7, 8, false) };

	(void)state;
	events[1].stable = true;
	events[2].failed = true;
	assert_contents(events, 4, 0, 4, "0ab");
	assert_contents(events, 4, 0, 5, "b");
	assert_contents(events, 4, 0, 9, "bc");
}

static void test_size(void **state)
{
	const struct crash_event events[] = {
		write_of('a', 3, 1, 1, 2),
		{ .kind = CRASH_RESIZE, .begun = 3, .returned = 4, .length = 2 * CRASH_SECTOR + 100 },
		{ .kind = CRASH_RESIZE, .begun = 5, .returned = 6, .length = 4 * CRASH_SECTOR },
		flush_of(7, 8, false),
	};
	struct crash_run run = { .events = events, .nr_events = 4, .size = 4 * CRASH_SECTOR };
	struct crash_memory memory = { .start = work, .size = sizeof(work) };
	struct crash_contents contents;
	size_t cell;

	(void)state;
	run.read_initial = read_initial;
	assert_int_equal(crash_run_prepare(&run, &memory), CRASH_OK);
	cell = crash_run_find(&run, CRASH_SIZE_CELL);
	assert_int_equal(cell, run.nr_cells - 1);
	assert_int_equal(crash_contents(&run, cell, 5, &memory, &contents), CRASH_OK);
	assert_int_equal(contents.count, 2);
	assert_int_equal(crash_content_size(&contents.content[contents.oldest]), 4 * CRASH_SECTOR);
	assert_int_equal(crash_content_size(&contents.content[contents.newest]), 2 * CRASH_SECTOR + 100);
	/* What was cut off is gone when the image grows again. */
	assert_int_equal(crash_contents(&run, crash_run_find(&run, 3), 9, &memory, &contents), CRASH_OK);
	assert_int_equal(contents.count, 1);
	assert_int_equal(contents.content[0].bytes[0], 0);
	assert_int_equal(crash_contents(&run, crash_run_find(&run, 2), 9, &memory, &contents), CRASH_OK);
	assert_int_equal(contents.count, 1);
	assert_int_equal(contents.content[0].bytes[99], INITIAL);
	assert_int_equal(contents.content[0].bytes[100], 0);
}

/* What ends beyond the end makes the image larger, also where it was larger before. */
static void test_growing(void **state)
{
	const struct crash_event events[] = {
		{ .kind = CRASH_RESIZE, .begun = 1, .returned = 2, .length = CRASH_SECTOR },
		{ .kind = CRASH_GROW, .begun = 3, .returned = 4, .length = 2 * CRASH_SECTOR },
		{ .kind = CRASH_GROW, .begun = 5, .returned = 6, .length = CRASH_SECTOR + 1 },
		write_of('a', 1, 2, 7, 8),
		write_of('a', 0, 1, 9, 10),
	};
	static const uint64_t sizes[] = { 4, 1, 2, 2, 3, 3 }; /* sectors, after so many of them */
	static const size_t counts[] = { 1, 2, 3, 3, 4, 4 };
	struct crash_run run = { .events = events, .nr_events = 5, .size = 4 * CRASH_SECTOR };
	struct crash_memory memory = { .start = work, .size = sizeof(work) };

	(void)state;
	assert_int_equal(crash_run_prepare(&run, &memory), CRASH_OK);
	for (uint64_t done = 0; done <= 5; done++) {
		struct crash_contents contents;

		assert_int_equal(
			crash_contents(&run, crash_run_find(&run, CRASH_SIZE_CELL), 2 * done + 1, &memory, &contents),
			CRASH_OK);
		assert_int_equal(crash_content_size(&contents.content[contents.newest]), sizes[done] * CRASH_SECTOR);
		assert_int_equal(contents.count, counts[done]);
	}
}

/* A sector that is written over and over: one content a write, as many as there are. */
static void test_long_run(void **state)
{
	enum { COUNT = 3000 };
	static struct crash_event events[COUNT + 1];
	static uint64_t data[COUNT][CRASH_SECTOR / 8];
	struct crash_run run = { .events = events, .nr_events = COUNT + 1, .size = CRASH_SECTOR };
	struct crash_memory memory = { .start = work, .size = sizeof(work) };
	struct crash_contents contents;

	(void)state;
	for (uint64_t i = 0; i < COUNT; i++) {
		data[i][7] = i + 1;
		events[i] = (struct crash_event){ .kind = CRASH_WRITE,
						  .begun = 2 * i + 1,
						  .returned = 2 * i + 2,
						  .length = CRASH_SECTOR,
						  .data = (unsigned char *)data[i] };
	}
	/* It covers all but the last. */
	events[COUNT] = flush_of(2 * COUNT - 1, 2 * COUNT + 2, false);
	assert_int_equal(crash_run_prepare(&run, &memory), CRASH_OK);
	assert_int_equal(crash_contents(&run, 0, 2 * COUNT + 1, &memory, &contents), CRASH_OK);
	assert_int_equal(contents.count, COUNT + 1);
	assert_memory_equal(contents.content[contents.newest].bytes, data[COUNT - 1], CRASH_SECTOR);
	memory.used = (size_t)((const unsigned char *)contents.content - work);
	assert_int_equal(crash_contents(&run, 0, 2 * COUNT + 3, &memory, &contents), CRASH_OK);
	assert_int_equal(contents.count, 2);
	assert_memory_equal(contents.content[contents.oldest].bytes, data[COUNT - 2], CRASH_SECTOR);
}

static void test_limits(void **state)
{
	enum { WIDE = 70 };
	static struct crash_event events[WIDE];
	struct crash_run run = { .events = events, .nr_events = WIDE, .size = CRASH_SECTOR };
	struct crash_memory memory = { .start = work, .size = sizeof(work) };
	struct crash_contents contents;
	size_t needed;

	(void)state;
	for (size_t i = 0; i < WIDE; i++)
		events[i] = write_of((char)('a' + i % 26), 0, 1, 1, CRASH_NEVER);
	needed = crash_run_memory(&run);
	assert_true(needed < sizeof(work));
	assert_int_equal(crash_run_prepare(&run, &memory), CRASH_OK);
	assert_true(memory.used <= needed);
	assert_int_equal(crash_contents(&run, 0, 2, &memory, &contents), CRASH_NO_ROOM);
	/* Any memory that is too little is found to be, and never left. */
	run.nr_events = 3;
	for (size_t size = 0;; size += 8) {
		int code;

		memory = (struct crash_memory){ .start = work, .size = size };
		memset(work + size, 0x5a, 4096);
		code = crash_run_prepare(&run, &memory);
		if (!code)
			code = crash_contents(&run, 0, 2, &memory, &contents);
		for (size_t i = 0; i < 4096; i++)
			assert_int_equal(work[size + i], 0x5a);
		if (!code)
			break;
		assert_int_equal(code, CRASH_NO_ROOM);
	}
	assert_int_equal(contents.count, 4);
}

static void test_bad_events(void **state)
{
	struct crash_event good[2] = { write_of('a', 0, 1, 3, 4), write_of('b', 0, 1, 5, 6) };
	struct crash_event events[2];
	struct crash_run run = { .events = events, .nr_events = 2, .size = CRASH_SECTOR };
	struct crash_memory memory = { .start = work, .size = sizeof(work) };

	(void)state;
	for (int broken = 0; broken < 5; broken++) {
		memcpy(events, good, sizeof(events));
		memory.used = 0;
		assert_int_equal(crash_run_prepare(&run, &memory), CRASH_OK);
		memory.used = 0;
		switch (broken) {
		case 0:
			events[1].begun = 2;
			break;
		case 1:
			events[1].returned = 5;
			break;
		case 2:
			events[1].data = NULL;
			break;
		case 3:
			events[1].position = UINT64_MAX;
			break;
		case 4:
			events[1].length = (uint64_t)INT64_MAX + 1;
			break;
		default:
			break;
		}
		assert_int_equal(crash_run_prepare(&run, &memory), CRASH_BAD_EVENT);
		assert_true(crash_run_memory(&run) == SIZE_MAX);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random_runs),
		cmocka_unit_test(test_random_runs_with_failures),
		cmocka_unit_test(test_flushes),
		cmocka_unit_test(test_flush_beside_a_write),
		cmocka_unit_test(test_failed_flush),
		cmocka_unit_test(test_failure_beside_a_flush),
		cmocka_unit_test(test_stable_and_failed_changes),
		cmocka_unit_test(test_size),
		cmocka_unit_test(test_growing),
		cmocka_unit_test(test_long_run),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_bad_events),
	};

	return cmocka_run_group_tests_name("crash contents", tests, NULL, NULL);
}
