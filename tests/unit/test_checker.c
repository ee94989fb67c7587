/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the checker calls wrong without a loss of memory, and what it has to let pass.
 */
#include "checker_test.h"

#include <errno.h>

static void right(void **state)
{
	uint64_t write, read;

	(void)state;
	did_read(1, 0);
	did_write(1, 1);
	did_read(2, 1);
	write = begin_write(1, 2);
	did_read(2, 1);
	read = begin_read(3);
	did_read(2, 2);
	answer_read(read, 1);
	answer(write, OK);
	did_read(3, 2);
	final_block(2);
	final_block(2);
	expect_right();
}

static void stale_read(void **state)
{
	(void)state;
	did_write(1, 1);
	did_write(1, 2);
	did_read(2, 1);
	did_read(2, 2);
	expect_wrong(CHECKER_STALE_READ, 1, "wrong: op 102, newer: op 101|client 2 op 102 read, ok|written by op 100");
}

/* An old copy answers while a write is under way whose value another read has returned. */
static void new_then_old(void **state)
{
	uint64_t write;

	(void)state;
	did_write(1, 1);
	write = begin_write(1, 2);
	did_read(2, 2);
	did_read(3, 1);
	answer(write, OK);
	did_read(2, 2);
	expect_wrong(CHECKER_STALE_READ, 1, "wrong: op 103, newer: op 101");
}

static void lost_write(void **state)
{
	(void)state;
	did_write(1, 1);
	did_write(2, 2);
	did_read(1, 1);
	did_read(2, 1);
	expect_wrong(CHECKER_LOST_WRITE, 1, "newer: op 101");
}

static void lost_in_the_image(void **state)
{
	(void)state;
	did_write(1, 1);
	did_write(2, 2);
	final_block(1);
	final_block(1);
	expect_wrong(CHECKER_LOST_WRITE, 1, "wrong: final image 0");
}

static void from_nowhere(void **state)
{
	uint64_t other;

	(void)state;
	did_write(1, 1);
	other = begin_write_of(1, 7, 1, 3);
	answer(other, OK);
	did_read(2, 3);
	expect_wrong(CHECKER_NOWHERE, 1, "wrong: op 102|what op 101 writes to block 7 of device 0");
}

static void from_the_future(void **state)
{
	(void)state;
	did_read(2, 5);
	did_write(1, 5);
	expect_wrong(CHECKER_NOWHERE, 1, "wrong: op 100");
}

static void image_from_nowhere(void **state)
{
	(void)state;
	final_block(9);
	expect_wrong(CHECKER_NOWHERE, 1, "final image 0");
}

/* Written again by who resent it, over a newer one that had been read. */
static void duplicate_effect(void **state)
{
	(void)state;
	did_write(1, 1);
	did_write(2, 2);
	did_read(2, 2);
	did_read(1, 1);
	did_read(2, 1);
	expect_wrong(CHECKER_OLD_BACK, 1, "newer: op 101");
}

/* The same of a write that failed: it may happen late, but once. */
static void failed_write_twice(void **state)
{
	uint64_t failed;

	(void)state;
	failed = begin_write(1, 1);
	answer(failed, -EIO);
	did_write(2, 2);
	did_read(2, 2);
	did_read(2, 1);
	did_write(2, 3);
	did_read(2, 3);
	did_read(2, 1);
	expect_wrong(CHECKER_OLD_BACK, 1, "op 100 write, failed: -5");
}

static void failed_write_late(void **state)
{
	uint64_t failed;

	(void)state;
	failed = begin_write(1, 1);
	answer(failed, -EIO);
	did_read(2, 0);
	did_write(2, 2);
	did_read(2, 2);
	did_read(2, 1);
	final_block(1);
	expect_right();
}

static void failed_write_disappears(void **state)
{
	uint64_t failed;

	(void)state;
	did_write(2, 2);
	failed = begin_write(1, 1);
	answer(failed, -EIO);
	did_read(2, 1);
	did_read(2, 2);
	expect_wrong(CHECKER_OLD_BACK, 1, "wrong: op 103, newer: op 101");
}

static void client_dies(void **state)
{
	uint64_t lost, never;

	(void)state;
	did_write(1, 1);
	lost = begin_write(2, 2);
	never = begin_write(3, 3);
	lose_client_of(lost);
	did_read(1, 1);
	did_read(1, 3);
	did_read(1, 2);
	(void)never;
	expect_right();
}

static void dead_write_comes_back(void **state)
{
	uint64_t lost;

	(void)state;
	lost = begin_write(2, 2);
	lose_client_of(lost);
	did_read(1, 2);
	did_write(1, 1);
	did_read(1, 1);
	did_read(1, 2);
	expect_wrong(CHECKER_OLD_BACK, 1, "its client died");
}

/* No more than a block is atomic. */
static void torn(void **state)
{
	static const uint64_t half[] = { 1, 2, 0, 0 }, other_half[] = { 1, 2, 3, 4 };
	uint64_t write, read, second;

	(void)state;
	write = begin_write_of(1, 0, 4, 1);
	read = begin_read_of(2, 0, 4);
	answer_read_of(read, half);
	second = begin_read_of(2, 0, 4);
	answer_read_of(second, other_half);
	answer(write, OK);
	expect_right();
}

/* But each block has to be right: here two are not, which is told once. */
static void half_of_a_write_is_lost(void **state)
{
	static const uint64_t half[] = { 0, 0, 3, 4 };
	uint64_t read;

	(void)state;
	answer(begin_write_of(1, 0, 4, 1), OK);
	read = begin_read_of(2, 0, 4);
	answer_read_of(read, half);
	expect_wrong(CHECKER_LOST_WRITE, 2, "block 0 to 1 (the first is shown)");
}

/* Zeroes are written by many: any of them may be the one that is read. */
static void zeroes_are_many(void **state)
{
	uint64_t zeroes, failed;

	(void)state;
	did_write(1, 1);
	failed = begin_zeroes(2);
	answer(failed, -EIO);
	zeroes = begin_zeroes(1);
	did_read(2, 0);
	answer(zeroes, OK);
	did_write(1, 2);
	did_read(2, 0);
	expect_right();
}

/* One that failed explains one return to zeroes, not two. */
static void zeroes_confused(void **state)
{
	uint64_t failed;

	(void)state;
	did_write(1, 1);
	failed = begin_zeroes(2);
	answer(failed, -EIO);
	did_read(1, 0);
	did_write(1, 2);
	did_read(1, 0);
	expect_wrong(CHECKER_LOST_WRITE, 1, "op 101 zeroes, failed: -5|zeroes, the initial contents, op 101");
}

static void zeroes_not_written(void **state)
{
	(void)state;
	did_write(1, 1);
	did_read(1, 1);
	answer(begin_zeroes(1), OK);
	did_read(1, 1);
	did_read(2, 0);
	expect_wrong(CHECKER_STALE_READ, 1, "newer: op 102");
}

static void same_data_again(void **state)
{
	(void)state;
	did_write(1, 1);
	did_write(1, 2);
	did_write(1, 1);
	did_read(2, 1);
	did_read(2, 2);
	expect_wrong(CHECKER_OLD_BACK, 1, "wrong: op 104");
}

static void images_differ(void **state)
{
	uint64_t lost;

	(void)state;
	did_write(1, 1);
	lost = begin_write(1, 2);
	lose_client_of(lost);
	final_block(1);
	final_block(2);
	expect_wrong(CHECKER_IMAGES, 1, "final image 0|final image 1");
}

static void initial_contents(void **state)
{
	unsigned char data[2 * HISTORY_BLOCK];

	(void)state;
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = i % 8 == 0 ? 7 : 0;
	history_initial(&history, 0, 0, data, sizeof(data));
	did_read(1, 7);
	final_block(7);
	expect_right();
	did_read(1, 0);
	expect_wrong(CHECKER_NOWHERE, 1, "zeroes, written there by nobody");
}

/* More than are explained are counted. */
static void many_violations(void **state)
{
	static const uint64_t wrong = 3;
	struct checker_report report;

	(void)state;
	for (unsigned int i = 0; i < 2 * CHECKER_VIOLATIONS_MAX; i++)
		answer_read_of(begin_read_of(1, 2 * (uint64_t)i, 1), &wrong);
	assert_int_equal(checker_run(&history, &report), 0);
	assert_true(report.nr_violations <= CHECKER_VIOLATIONS_MAX);
	assert_int_equal(report.nr_violations + report.nr_more, 2 * CHECKER_VIOLATIONS_MAX);
	assert_int_equal(report.nr_blocks, 2 * CHECKER_VIOLATIONS_MAX);
	checker_report_destroy(&report);
}

/* So many failed writes of zeroes are no reason to give up, whose order does not matter; nor are many reads at a time.
 */
static void much_at_once(void **state)
{
	uint64_t reads[20], writes[20];

	(void)state;
	for (int i = 0; i < 20; i++)
		answer(begin_zeroes(i), -EIO);
	for (int i = 0; i < 20; i++) {
		reads[i] = begin_read(i);
		writes[i] = begin_write(100 + i, (uint64_t)i + 1);
	}
	for (int i = 0; i < 20; i++)
		answer_read(reads[i], i % 5 ? 0 : (uint64_t)i + 1);
	for (int i = 0; i < 20; i++)
		answer(writes[i], OK);
	did_read(1, 0);
	expect_right();
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, checker_test_begin, checker_test_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(right),
		TEST(stale_read),
		TEST(new_then_old),
		TEST(lost_write),
		TEST(lost_in_the_image),
		TEST(from_nowhere),
		TEST(from_the_future),
		TEST(image_from_nowhere),
		TEST(duplicate_effect),
		TEST(failed_write_twice),
		TEST(failed_write_late),
		TEST(failed_write_disappears),
		TEST(client_dies),
		TEST(dead_write_comes_back),
		TEST(torn),
		TEST(half_of_a_write_is_lost),
		TEST(zeroes_are_many),
		TEST(zeroes_confused),
		TEST(zeroes_not_written),
		TEST(same_data_again),
		TEST(images_differ),
		TEST(initial_contents),
		TEST(many_violations),
		TEST(much_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
