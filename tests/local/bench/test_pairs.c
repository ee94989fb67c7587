/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rdisk-bench-pairs with given values: ratios of pairs, which way round, what one side lacks, and what it says of all.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "test_directory.h"
#include "test_process.h"

static struct test_process process;
static char before[TEST_PATH_SIZE], after[TEST_PATH_SIZE];

/* Empty directories for both sides. */
static int setup(void **state)
{
	static int number;
	char name[32];

	(void)state;
	snprintf(name, sizeof(name), "before%d", ++number);
	test_path(before, name);
	snprintf(name, sizeof(name), "after%d", number);
	test_path(after, name);
	if (mkdir(before, 0700) || mkdir(after, 0700))
		test_fatal("%s: %s", before, strerror(errno));
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	test_process_discard(&process);
	return 0;
}

static FILE *open_results(const char *directory, const char *name)
{
	char path[TEST_PATH_SIZE + 64];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s.jsonl", directory, name);
	file = fopen(path, "w");
	if (!file)
		test_fatal("%s: %s", path, strerror(errno));
	return file;
}

static void close_results(FILE *file)
{
	if (ferror(file) | fclose(file))
		test_fatal("results cannot be written");
}

/* What one side has measured of a row: value i in pair i + 1; 0: there is none. */
static void write_values(const char *directory, const char *row, const double *values, int count)
{
	FILE *file = open_results(directory, row);

	for (int i = 0; i < count; i++) {
		if (values[i] > 0)
			fprintf(file, "{\"row\": \"%s\", \"side\": \"rdisk\", \"round\": %d, \"value\": %.17g}\n", row,
				i + 1, values[i]);
	}
	close_results(file);
}

static void write_row(const char *row, double value_before, double value_after)
{
	write_values(before, row, &value_before, 1);
	write_values(after, row, &value_after, 1);
}

static int run(void)
{
	const char *const arguments[] = { PAIRS_PROGRAM, before, after, NULL };

	test_process_start(&process, arguments, NULL);
	assert_true(test_process_wait_end(&process, TEST_TIMEOUT_MS));
	return test_process_exit_code(&process);
}

static void assert_says(const char *text)
{
	if (!strstr(process.output.text, text))
		fail_msg("\"%s\" is not in\n%s", text, process.output.text);
}

/* The median of the pairs' ratios is another than the ratio of the medians; pairs 4 and 5 are of one side only. */
static void ratios_are_of_pairs(void **state)
{
	static const double old_values[] = { 10, 50, 2, 7, 0 }, new_values[] = { 40, 100, 10, 0, 9 };

	(void)state;
	write_values(before, "guest-read-1", old_values, 5);
	write_values(after, "guest-read-1", new_values, 5);
	assert_int_equal(run(), 0);
	assert_says("| guest: 4 KiB random read, depth 1 | 8.5 | 25 | 4.000 (2.000 to 5.000) | 3 | |");
	assert_says("Rows below 0.90: none.");
	assert_says("Geometric mean of 1 rows");
}

/* Where less is better it is the other way round. */
static void times_are_inverted(void **state)
{
	(void)state;
	write_row("host-latency", 2e-6, 4e-6);
	write_row("host-flight", 100, 400);
	assert_int_equal(run(), 0);
	assert_says("| 2 us | 4 us | 0.500 (0.500 to 0.500) | 1 | below 0.90 |");
	assert_says("| 100 | 400 | 4.000 (4.000 to 4.000) | 1 | |");
	assert_says("Rows below 0.90: host: 4 KiB random read, depth 1, p50 latency (0.500).\n");
	assert_says("Geometric mean of 2 rows (the steps of the file tree count as one): 1.414, bar >= 0.97: met.");
}

/* The steps are shown and named, and are in the mean with the row of all four. */
static void tree_counts_once(void **state)
{
	(void)state;
	write_row("tree", 10, 10.2);
	write_row("tree-untar", 5, 10);
	write_row("ipc-sendrec", 100, 95);
	assert_int_equal(run(), 0);
	assert_says("| guest: untar | 5 s | 10 s | 0.500 (0.500 to 0.500) | 1 | below 0.90 |");
	assert_says("Rows below 0.90: guest: untar (0.500).\n");
	assert_says("Geometric mean of 2 rows (the steps of the file tree count as one): 0.965, bar >= 0.97: not met.");
}

/* Both bars, on either side of them. */
static void bars_are_judged(void **state)
{
	(void)state;
	write_row("ipc-sendrec", 1000, 970);
	assert_int_equal(run(), 0);
	assert_says("0.970, bar >= 0.97: met.");
	write_row("ipc-sendrec", 1000, 969);
	assert_int_equal(run(), 0);
	assert_says("0.969, bar >= 0.97: not met.");
	write_row("ipc-sendrec", 1000, 900);
	assert_int_equal(run(), 0);
	assert_says("Rows below 0.90: none.");
	write_row("ipc-sendrec", 1000, 899);
	assert_int_equal(run(), 0);
	assert_says("Rows below 0.90: sendrec round trips a second (0.899).");
}

static void what_one_side_lacks_is_said(void **state)
{
	static const double value = 5;
	FILE *file;

	(void)state;
	write_row("ipc-sendrec", 100, 100);
	write_values(after, "ipc-vcopy", &value, 1);
	write_values(before, "host-flight", &value, 1);
	file = open_results(before, "replay");
	fprintf(file, "{\"skip\": \"replay-linux-mysql\", \"why\": \"it is not installed\"}\n");
	close_results(file);
	assert_int_equal(run(), 0);
	assert_says("| vcopy of 16 KiB, granted memory |  | 5 B/s | | 0 | not measured before |");
	assert_says("| host: 4 KiB random read, 16 in flight | 5 |  | | 0 | not measured after |");
	assert_says("not measured before: it is not installed; not measured after |");
	assert_says("Rows without a pair: 3;");
	assert_says("Geometric mean of 1 rows");
}

static void nothing_to_compare_is_an_error(void **state)
{
	static const double value = 5;
	FILE *file;

	(void)state;
	write_values(before, "ipc-vcopy", &value, 1);
	assert_int_equal(run(), 1);
	assert_says("Nothing was measured on both sides.");
	file = open_results(after, "bad");
	fprintf(file, "{\"row\": \"ipc-vcopy\"}\n");
	close_results(file);
	assert_int_equal(run(), 1);
	assert_non_null(strstr(process.log.text, "bad.jsonl: line 1 is no result"));
	snprintf(after, sizeof(after), "/nonexistent");
	assert_int_equal(run(), 1);
	assert_non_null(strstr(process.log.text, "/nonexistent"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(ratios_are_of_pairs, setup, teardown),
		cmocka_unit_test_setup_teardown(times_are_inverted, setup, teardown),
		cmocka_unit_test_setup_teardown(tree_counts_once, setup, teardown),
		cmocka_unit_test_setup_teardown(bars_are_judged, setup, teardown),
		cmocka_unit_test_setup_teardown(what_one_side_lacks_is_said, setup, teardown),
		cmocka_unit_test_setup_teardown(nothing_to_compare_is_an_error, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
