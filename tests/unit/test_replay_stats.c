/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How rdisk-replay counts: percentiles against sorted values, time bins that widen, the choice of points; and
 * where it puts operations, and how it says what is wrong.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "events.h"
#include "histogram.h"
#include "placement.h"
#include "progress.h"
#include "result.h"
#include "timeline.h"

static uint64_t state_of_random = 88172645463325252u;

static uint64_t random64(void)
{
	state_of_random ^= state_of_random << 13;
	state_of_random ^= state_of_random >> 7;
	state_of_random ^= state_of_random << 17;
	return state_of_random;
}

static void test_empty(void **state)
{
	static struct histogram histogram;

	(void)state;
	assert_int_equal(histogram_percentile(&histogram, 50), 0);
	assert_int_equal(histogram_percentile(&histogram, 100), 0);
	assert_int_equal(histogram_mean(&histogram), 0);
}

/* Every value is in the bucket whose bounds hold it, and the buckets cover all numbers without gap or overlap. */
static void test_bounds(void **state)
{
	uint64_t expected = 0;

	(void)state;
	for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
		static struct histogram histogram;
		uint64_t low, high;

		histogram_bounds(i, &low, &high);
		assert_int_equal(low, expected);
		assert_true(high >= low);
		assert_true(high - low <= low / 32);
		histogram = (struct histogram){ 0 };
		histogram_add(&histogram, low);
		histogram_add(&histogram, high);
		assert_int_equal(histogram.buckets[i], 2);
		expected = high + 1;
	}
	/* The last one ends with the largest number. */
	assert_int_equal(expected, 0);
}

static int compare(const void *a, const void *b)
{
	uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;

	return left < right ? -1 : left > right;
}

/* Against the exact percentile of the sorted values: never below, at most 1/32 above. */
static void assert_percentiles(uint64_t *values, size_t count)
{
	static const double percents[] = { 0.001, 1, 10, 50, 90, 99, 99.9, 99.99, 100 };
	struct histogram *histogram = calloc(1, sizeof(*histogram));

	assert_non_null(histogram);
	for (size_t i = 0; i < count; i++)
		histogram_add(histogram, values[i]);
	qsort(values, count, sizeof(*values), compare);
	for (size_t i = 0; i < sizeof(percents) / sizeof(percents[0]); i++) {
		double rank = (double)count * percents[i] / 100;
		size_t index = (size_t)rank;
		uint64_t exact, found = histogram_percentile(histogram, percents[i]);

		if ((double)index < rank)
			index++;
		exact = values[index ? index - 1 : 0];
		assert_true(found >= exact);
		assert_true(found - exact <= exact / 32);
	}
	assert_int_equal(histogram_percentile(histogram, 100), values[count - 1]);
	assert_int_equal(histogram->least, values[0]);
	free(histogram);
}

static void test_percentiles(void **state)
{
	static uint64_t values[100000];
	static const size_t counts[] = { 1, 2, 3, 10, 999, 100000 };

	(void)state;
	for (size_t c = 0; c < sizeof(counts) / sizeof(counts[0]); c++) {
		for (unsigned int shift = 0; shift < 64; shift += 9) {
			for (size_t i = 0; i < counts[c]; i++)
				values[i] = random64() >> shift;
			assert_percentiles(values, counts[c]);
		}
		/* Widely spread: any magnitude. */
		for (size_t i = 0; i < counts[c]; i++)
			values[i] = random64() >> (random64() % 64);
		assert_percentiles(values, counts[c]);
	}
}

static void test_merge(void **state)
{
	static struct histogram a, b, both;

	(void)state;
	for (int i = 0; i < 1000; i++) {
		uint64_t value = random64() >> (random64() % 64);

		histogram_add(i % 3 ? &a : &b, value);
		histogram_add(&both, value);
	}
	histogram_merge(&a, &b);
	assert_int_equal(a.count, both.count);
	assert_int_equal(a.most, both.most);
	assert_int_equal(a.least, both.least);
	assert_memory_equal(a.buckets, both.buckets, sizeof(a.buckets));
	b = (struct histogram){ 0 };
	histogram_merge(&a, &b);
	assert_int_equal(a.least, both.least);
}

static void test_timeline(void **state)
{
	struct timeline *timeline = timeline_new();
	uint64_t operations = 0, bytes = 0;

	(void)state;
	assert_non_null(timeline);
	assert_int_equal(timeline_used(timeline), 0);
	/* An hour, an operation each ms: the bins have to widen many times, and nothing gets lost. */
	for (uint64_t ms = 0; ms < 3600000; ms += 10)
		timeline_add(timeline, ms % 20 ? TRACE_READ : TRACE_WRITE, ms * 1000000, ms, 512,
			     ms < 1800000 ? 1000 : 64000, 7);
	assert_true(timeline->bin_ns * TIMELINE_BINS >= UINT64_C(3600000000000));
	assert_true(timeline->bin_ns * TIMELINE_BINS < UINT64_C(4) * 3600000000000);
	for (size_t i = 0; i < TIMELINE_BINS; i++) {
		const struct timeline_bin *bin = &timeline->kinds[TRACE_READ].bins[i];

		operations += bin->operations;
		bytes += bin->bytes;
		assert_true((bin->operations > 0) == (i < timeline_used(timeline)));
	}
	assert_int_equal(operations, 180000);
	assert_int_equal(bytes, 180000 * 512);
	assert_int_equal(timeline->kinds[TRACE_READ].bins[0].late_most, 7);
	assert_in_range(timeline_percentile(&timeline->kinds[TRACE_READ].bins[0], 50), 1000, 1250);
	assert_in_range(timeline_percentile(&timeline->kinds[TRACE_READ].bins[timeline_used(timeline) - 1], 99), 64000,
			80000);
	free(timeline);
}

/* The points chosen are spread evenly over all operations. */
static void test_points(void **state)
{
	struct timeline *timeline = timeline_new();
	size_t of_first_half = 0;
	const uint64_t count = TIMELINE_POINTS * 20;

	(void)state;
	assert_non_null(timeline);
	for (uint64_t i = 0; i < count; i++)
		timeline_add(timeline, TRACE_WRITE, i * 1000, i, 512, 1, 0);
	assert_int_equal(timeline->kinds[TRACE_WRITE].seen, count);
	for (size_t i = 0; i < TIMELINE_POINTS; i++) {
		const struct timeline_point *point = &timeline->kinds[TRACE_WRITE].points[i];

		assert_true(point->position < count && point->time_ns == point->position * 1000);
		of_first_half += point->position < count / 2;
	}
	/* Six standard deviations. */
	assert_in_range(of_first_half, TIMELINE_POINTS / 2 - 6 * 64, TIMELINE_POINTS / 2 + 6 * 64);
	free(timeline);
}

static void test_bucket_edges(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < 64; i++) {
		struct timeline_bin bin = { 0 };
		struct timeline *timeline = timeline_new();
		uint64_t latency = (UINT64_C(1) << i) + (i > 3 ? random64() % (UINT64_C(1) << i) : 0);

		assert_non_null(timeline);
		timeline_add(timeline, TRACE_READ, 0, 0, 512, latency, 0);
		bin = timeline->kinds[TRACE_READ].bins[0];
		assert_int_equal(timeline_percentile(&bin, 50), latency);
		free(timeline);
	}
}

static void assert_placed(const struct placement *placement, uint64_t position, uint64_t length, enum placed expected,
			  uint64_t at, uint64_t of)
{
	int widened;
	enum placed placed = place(placement, &position, &length, &widened);

	assert_int_equal(placed, expected);
	if (placed == PLACED_NOWHERE)
		return;
	assert_int_equal(position, at);
	assert_int_equal(length, of);
	assert_true(position + length <= placement->size);
}

static void test_placement(void **state)
{
	struct placement placement = { PLACE_ERROR, 10 * 512 + 100, 0, 512 };

	(void)state;
	assert_placed(&placement, 0, 5120, PLACED_AS_IT_IS, 0, 5120);
	assert_placed(&placement, 513, 1, PLACED_AS_IT_IS, 512, 512);
	assert_placed(&placement, 511, 2, PLACED_AS_IT_IS, 0, 1024);
	assert_placed(&placement, 5120, 1, PLACED_NOWHERE, 0, 0);
	assert_placed(&placement, 4608, 513, PLACED_NOWHERE, 0, 0);
	assert_placed(&placement, INT64_MAX - 1, 1, PLACED_NOWHERE, 0, 0);
	assert_placed(&placement, 0, INT64_MAX, PLACED_NOWHERE, 0, 0);
	placement.mode = PLACE_WRAP;
	assert_placed(&placement, 5120, 512, PLACED_ELSEWHERE, 0, 512);
	assert_placed(&placement, 4608, 1024, PLACED_ELSEWHERE, 4096, 1024);
	assert_placed(&placement, INT64_MAX - 511, 511, PLACED_ELSEWHERE, (INT64_MAX / 512 * 512) % 5120, 512);
	assert_placed(&placement, 0, 5121, PLACED_NOWHERE, 0, 0);
	placement.mode = PLACE_SCALE;
	placement.trace_size = 51200;
	assert_placed(&placement, 0, 512, PLACED_AS_IT_IS, 0, 512);
	assert_placed(&placement, 25600, 512, PLACED_ELSEWHERE, 2560, 512);
	assert_placed(&placement, 50688, 512, PLACED_ELSEWHERE, 4608, 512);
	/* A trace of a smaller disk stays as it is. */
	placement.trace_size = 5120;
	assert_placed(&placement, 4608, 512, PLACED_AS_IT_IS, 4608, 512);
	placement.trace_size = INT64_MAX;
	assert_placed(&placement, INT64_MAX - 1023, 512, PLACED_ELSEWHERE, 4608, 512);
	/* No disk at all; and a block of 4096 bytes. */
	for (int mode = PLACE_ERROR; mode <= PLACE_SCALE; mode++) {
		placement = (struct placement){ (enum placement_mode)mode, 511, 100000, 512 };
		assert_placed(&placement, 0, 1, PLACED_NOWHERE, 0, 0);
		placement = (struct placement){ (enum placement_mode)mode, 65536, 65536, 4096 };
		assert_placed(&placement, 5000, 1, PLACED_AS_IT_IS, 4096, 4096);
	}
}

/* A line about an error begins where the line of progress did. */
static void test_error_after_progress(void **state)
{
	static struct result result;
	char text[512] = "";
	FILE *file = tmpfile();
	int saved = dup(STDERR_FILENO);

	(void)state;
	assert_non_null(file);
	result.start_ns = now_ns() - 1000000;
	(void)fflush(stderr);
	assert_true(dup2(fileno(file), STDERR_FILENO) >= 0);
	progress_show(NULL, &result, 0.25);
	result_error(&result, "what is wrong");
	assert_true(dup2(saved, STDERR_FILENO) >= 0);
	(void)close(saved);
	rewind(file);
	assert_true(fread(text, 1, sizeof(text) - 1, file) > 0);
	(void)fclose(file);
	assert_non_null(strstr(text, " 25 %"));
	if (!strstr(text, "\r\033[Krdisk-replay: what is wrong\n"))
		fail_msg("the line is not alone: %s", text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_percentiles),
		cmocka_unit_test(test_merge),
		cmocka_unit_test(test_timeline),
		cmocka_unit_test(test_points),
		cmocka_unit_test(test_bucket_edges),
		cmocka_unit_test(test_placement),
		cmocka_unit_test(test_error_after_progress),
	};

	return cmocka_run_group_tests_name("replay statistics", tests, NULL, NULL);
}
