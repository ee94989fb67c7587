/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sets of blocks, against an array with a byte for each block.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "block_map.h"
#include "replica_values.h"

#define BLOCKS_MAX 300

static uint64_t words[2][BLOCKS_MAX / 64 + 2];
static unsigned char model[2][BLOCKS_MAX];
static uint64_t seed = 1;

static uint64_t below(uint64_t limit)
{
	return replica_values_random(&seed) % limit;
}

static uint64_t model_count(int which, uint64_t first, uint64_t count)
{
	uint64_t sum = 0;

	for (uint64_t i = first; i < first + count; i++)
		sum += model[which][i];
	return sum;
}

/* The first run at `from` or later: its length, 0 for none. */
static uint64_t model_next(uint64_t blocks, uint64_t from, uint64_t most, uint64_t *first)
{
	uint64_t count = 0;

	while (from < blocks && !model[0][from])
		from++;
	*first = from;
	while (count < most && from + count < blocks && model[0][from + count])
		count++;
	return count;
}

static void compare(const struct block_map *map, uint64_t blocks)
{
	uint64_t first = below(blocks + 1), count = below(blocks - first + 1), most = 1 + below(blocks + 20);
	uint64_t from = below(blocks + 3), found_first, found_count, wanted_first, wanted_count;

	assert_true(map->count == model_count(0, 0, blocks));
	for (uint64_t i = 0; i < blocks; i++)
		assert_int_equal(block_map_has(map, i), model[0][i]);
	assert_int_equal(block_map_any(map, first, count), model_count(0, first, count) > 0);
	assert_int_equal(block_map_all(map, first, count), model_count(0, first, count) == count);
	wanted_count = model_next(blocks, from, most, &wanted_first);
	assert_int_equal(block_map_next(map, from, most, &found_first, &found_count), wanted_count > 0);
	if (wanted_count > 0)
		assert_true(found_first == wanted_first && found_count == wanted_count);
}

static void play(uint64_t blocks)
{
	struct block_map map, other;
	size_t used = block_map_words(blocks);

	memset(model, 0, sizeof(model));
	memset(words, 0xff, sizeof(words));
	block_map_init(&map, words[0], blocks);
	block_map_init(&other, words[1], blocks);
	for (int step = 0; step < 200; step++) {
		uint64_t first = below(blocks + 1), count = below(blocks - first + 1);

		if (count > 4 && below(2))
			count = below(4);
		switch (below(20)) {
		case 0:
			block_map_clear(&map);
			memset(model[0], 0, blocks);
			break;
		case 1:
			block_map_unite(&map, &other);
			for (uint64_t i = 0; i < blocks; i++)
				model[0][i] |= model[1][i];
			break;
		case 2:
		case 3:
			block_map_add(&other, first, count);
			memset(model[1] + first, 1, count);
			break;
		case 4:
			block_map_clear(&other);
			memset(model[1], 0, blocks);
			break;
		case 5:
		case 6:
		case 7:
		case 8:
		case 9:
			block_map_remove(&map, first, count);
			memset(model[0] + first, 0, count);
			break;
		default:
			block_map_add(&map, first, count);
			memset(model[0] + first, 1, count);
			break;
		}
		compare(&map, blocks);
	}
	/* What is behind its words is not its own. */
	for (int which = 0; which < 2; which++)
		assert_true(words[which][used] == UINT64_MAX);
}

static void test_random(void **state)
{
	static const uint64_t sizes[] = { 1, 2, 63, 64, 65, 127, 128, 129, 191, 192, 256, BLOCKS_MAX };

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		play(sizes[i]);
}

static void test_empty(void **state)
{
	struct block_map map;
	uint64_t first, count;

	(void)state;
	block_map_init(&map, words[0], 0);
	block_map_add(&map, 0, 0);
	assert_true(map.count == 0 && block_map_words(0) == 0);
	assert_false(block_map_next(&map, 0, 1, &first, &count));
	assert_false(block_map_any(&map, 0, 0));
	assert_true(block_map_all(&map, 0, 0));
}

static void test_runs(void **state)
{
	struct block_map map;
	uint64_t first, count;

	(void)state;
	block_map_init(&map, words[0], 256);
	block_map_add(&map, 60, 100);
	block_map_add(&map, 200, 1);
	assert_true(map.count == 101);
	assert_true(block_map_next(&map, 0, UINT64_MAX, &first, &count));
	assert_true(first == 60 && count == 100);
	assert_true(block_map_next(&map, 0, 10, &first, &count));
	assert_true(first == 60 && count == 10);
	assert_true(block_map_next(&map, 70, UINT64_MAX, &first, &count));
	assert_true(first == 70 && count == 90);
	assert_true(block_map_next(&map, 160, UINT64_MAX, &first, &count));
	assert_true(first == 200 && count == 1);
	assert_false(block_map_next(&map, 201, UINT64_MAX, &first, &count));
	assert_false(block_map_next(&map, UINT64_MAX, UINT64_MAX, &first, &count));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_runs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
