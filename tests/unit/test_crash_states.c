/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Images after a power cut: which there are, the extremes, and what is visited where there are too many.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "crash_states.h"

#define SECTORS 6
#define WORK	(1u << 20)

static unsigned char work[WORK] __attribute__((aligned(16)));
static unsigned char letters[26][SECTORS * CRASH_SECTOR];
static struct crash_memory memory;

/* An image as a word: the first letter of each sector, '.' for zero; it ends with the image. */
static void image_of(const struct crash_states *states, char word[SECTORS + 1])
{
	unsigned char bytes[SECTORS * CRASH_SECTOR];
	uint64_t size = crash_states_size(states);

	crash_states_read(states, 0, SECTORS, bytes);
	memset(word, 0, SECTORS + 1);
	for (size_t sector = 0; sector < SECTORS && sector * CRASH_SECTOR < size; sector++)
		word[sector] = (char)(bytes[sector * CRASH_SECTOR] ? bytes[sector * CRASH_SECTOR] : '.');
}

static void read_initial(void *context, uint64_t sector, unsigned char bytes[CRASH_SECTOR])
{
	(void)context;
	(void)sector;
	memset(bytes, '-', CRASH_SECTOR);
}

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

static void prepare(struct crash_states *states, struct crash_run *run, const struct crash_event *events, size_t count,
		    uint64_t cut)
{
	*run = (struct crash_run){
		.events = events, .nr_events = count, .size = SECTORS * CRASH_SECTOR, .read_initial = read_initial
	};
	memory = (struct crash_memory){ .start = work, .size = sizeof(work) };
	assert_int_equal(crash_run_prepare(run, &memory), CRASH_OK);
	assert_int_equal(crash_states_prepare(states, run, cut, &memory), CRASH_OK);
}

static void assert_image(const struct crash_states *states, const char *wanted)
{
	char word[SECTORS + 1];

	image_of(states, word);
	assert_string_equal(word, wanted);
}

/* What a visit has seen, sorted. */
struct seen {
	char words[4096][SECTORS + 1];
	size_t count;
	size_t stop_after; /* 0: never */
};

static struct seen seen;

static int see(void *context, const struct crash_states *states)
{
	struct seen *to = context;

	assert_true(to->count < sizeof(to->words) / sizeof(to->words[0]));
	image_of(states, to->words[to->count++]);
	return to->stop_after && to->count == to->stop_after ? 7 : 0;
}

static int compare_words(const void *one, const void *other)
{
	return strcmp(one, other);
}

static void visit(struct crash_states *states, struct crash_visit *how, int wanted)
{
	how->visit = see;
	how->context = &seen;
	seen.count = 0;
	assert_int_equal(crash_states_visit(states, how, &memory), wanted);
	assert_int_equal(how->visited, seen.count);
}

static bool was_seen(const char *word)
{
	for (size_t i = 0; i < seen.count; i++)
		if (strcmp(seen.words[i], word) == 0)
			return true;
	return false;
}

/* A write of two sectors, torn in every way, beside one that was flushed and is written over. */
static void test_all_states(void **state)
{
	const struct crash_event events[] = {
		write_of('a', 0, 1, 1, 2),
		{ .kind = CRASH_FLUSH, .begun = 3, .returned = 4 },
		write_of('b', 0, 2, 5, 6),
		write_of('c', 1, 1, 7, 8),
	};
	static const char *const wanted[] = { "a-----", "ab----", "ac----", "b-----", "bb----", "bc----" };
	struct crash_visit how = { .limit = 6 };
	struct crash_states states;
	struct crash_run run;

	(void)state;
	prepare(&states, &run, events, 4, 9);
	assert_int_equal(crash_states_count(&states), 6);
	visit(&states, &how, 0);
	assert_true(how.exhaustive);
	assert_int_equal(seen.count, 6);
	qsort(seen.words, seen.count, sizeof(seen.words[0]), compare_words);
	for (size_t i = 0; i < 6; i++)
		assert_string_equal(seen.words[i], wanted[i]);
	crash_states_worst(&states);
	assert_image(&states, "a-----");
	crash_states_all(&states);
	assert_image(&states, "bc----");
	seen.stop_after = 3;
	visit(&states, &how, 7);
	seen.stop_after = 0;
	assert_int_equal(seen.count, 3);
}

static void test_single_changes(void **state)
{
	const struct crash_event events[] = {
		write_of('a', 0, 2, 1, 2),  { .kind = CRASH_FLUSH, .begun = 3, .returned = 4 },
		write_of('b', 1, 2, 5, 6),  write_of('c', 2, 2, 7, 8),
		write_of('d', 4, 1, 9, 10),
	};
	struct crash_states states;
	struct crash_run run;

	(void)state;
	prepare(&states, &run, events, 5, 11);
	assert_false(crash_states_is_loose(&states, 0));
	assert_false(crash_states_is_loose(&states, 1));
	assert_true(crash_states_is_loose(&states, 2));
	/* What lies upon it is lost with it, in the sectors that it has; and nothing else. */
	assert_int_equal(crash_states_without(&states, 2, &memory), CRASH_OK);
	assert_image(&states, "aa-cd-");
	assert_int_equal(crash_states_without(&states, 3, &memory), CRASH_OK);
	assert_image(&states, "abb-d-");
	/* It survives, and with it in its sectors what it was built upon. */
	assert_int_equal(crash_states_alone(&states, 2, &memory), CRASH_OK);
	assert_image(&states, "abb---");
	assert_int_equal(crash_states_alone(&states, 3, &memory), CRASH_OK);
	assert_image(&states, "aacc--");
	/* Not begun yet. */
	prepare(&states, &run, events, 5, 9);
	assert_false(crash_states_is_loose(&states, 4));
}

/* Too many to visit: the extremes are among those that are, and all that are seen are legal. */
static void test_sample(void **state)
{
	static struct crash_event events[16];
	static const char *const extremes[] = { "------", "pppppp", "oooooo", "aaaaaa", "bbbbbb" };
	struct crash_visit how = { .limit = 1000, .samples = 500, .seed = 1 };
	struct crash_states states;
	struct crash_run run;
	size_t different = 0;

	(void)state;
	for (size_t i = 0; i < 16; i++)
		events[i] = write_of((char)('a' + i), 0, SECTORS, 2 * i + 1, 2 * i + 2);
	prepare(&states, &run, events, 16, 33);
	assert_int_equal(crash_states_count(&states), 17u * 17 * 17 * 17 * 17 * 17);
	visit(&states, &how, 0);
	assert_false(how.exhaustive);
	assert_int_equal(how.visited, 2 + 2 * 16 + 500);
	for (size_t i = 0; i < sizeof(extremes) / sizeof(extremes[0]); i++)
		assert_true(was_seen(extremes[i]));
	for (size_t i = 0; i < seen.count; i++)
		assert_int_equal(strspn(seen.words[i], "-abcdefghijklmnop"), SECTORS);
	qsort(seen.words, seen.count, sizeof(seen.words[0]), compare_words);
	for (size_t i = 1; i < seen.count; i++)
		different += strcmp(seen.words[i], seen.words[i - 1]) != 0;
	assert_true(different > 300);
	/* The seed decides everything. */
	crash_states_sample(&states, 42);
	image_of(&states, seen.words[0]);
	crash_states_worst(&states);
	crash_states_sample(&states, 42);
	assert_image(&states, seen.words[0]);
}

static void test_number_of_states(void **state)
{
	static struct crash_event events[8 * 16];
	struct crash_states states;
	struct crash_run run = { .events = events, .nr_events = 8 * 16, .size = 16 * CRASH_SECTOR };

	(void)state;
	/* 16 sectors of 17 contents each are more than a number holds. */
	for (size_t i = 0; i < 8 * 16; i++) {
		events[i] = write_of((char)('a' + i / 8), 0, 1, 2 * i + 1, 2 * i + 2);
		events[i].position = i % 8 * 2 * CRASH_SECTOR;
		events[i].length = 2 * CRASH_SECTOR;
	}
	memory = (struct crash_memory){ .start = work, .size = sizeof(work) };
	assert_int_equal(crash_run_prepare(&run, &memory), CRASH_OK);
	assert_int_equal(crash_states_prepare(&states, &run, 1000, &memory), CRASH_OK);
	assert_true(crash_states_count(&states) == UINT64_MAX);
	memory.size = memory.used - 1;
	memory.used = 0;
	assert_int_equal(crash_run_prepare(&run, &memory), CRASH_OK);
	assert_int_equal(crash_states_prepare(&states, &run, 1000, &memory), CRASH_NO_ROOM);
	/* Nothing happened: the image as it was. */
	run.nr_events = 0;
	memory.used = 0;
	assert_int_equal(crash_run_prepare(&run, &memory), CRASH_OK);
	assert_int_equal(crash_states_prepare(&states, &run, 1000, &memory), CRASH_OK);
	assert_int_equal(crash_states_count(&states), 1);
}

static void test_sizes(void **state)
{
	const struct crash_event events[] = {
		write_of('a', 0, 4, 1, 2),
		{ .kind = CRASH_RESIZE, .begun = 3, .returned = 4, .length = 2 * CRASH_SECTOR + 8 },
	};
	unsigned char bytes[SECTORS * CRASH_SECTOR];
	struct crash_states states;
	struct crash_run run;

	(void)state;
	prepare(&states, &run, events, 2, 5);
	crash_states_worst(&states);
	assert_int_equal(crash_states_size(&states), SECTORS * CRASH_SECTOR);
	assert_image(&states, "------");
	crash_states_all(&states);
	assert_int_equal(crash_states_size(&states), 2 * CRASH_SECTOR + 8);
	assert_image(&states, "aaa");
	/* Beyond its end there is nothing. */
	crash_states_read(&states, 0, SECTORS, bytes);
	for (size_t i = 0; i < sizeof(bytes); i++)
		assert_int_equal(bytes[i], i < 2 * CRASH_SECTOR + 8 ? 'a' : 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_states), cmocka_unit_test(test_single_changes),
		cmocka_unit_test(test_sample),	   cmocka_unit_test(test_number_of_states),
		cmocka_unit_test(test_sizes),
	};

	return cmocka_run_group_tests_name("crash states", tests, NULL, NULL);
}
