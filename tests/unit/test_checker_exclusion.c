/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Opens that exclude each other: two at a time, and writes of the one that are seen late by the other. */
#include <errno.h>
#include <stdlib.h>

#include "checker_test.h"

static void test_one_after_the_other(void **state)
{
	(void)state;
	did_open_as(1, HISTORY_EXCLUSIVE);
	did_write(1, 1);
	did_close(1);
	did_open_as(2, HISTORY_EXCLUSIVE);
	did_read(2, 1);
	did_close(2);
	did_open_as(3, 0);
	did_open_as(4, 0);
	did_read(3, 1);
	did_read(4, 1);
	expect_right();
}

static void test_two_at_a_time(void **state)
{
	(void)state;
	did_open_as(1, HISTORY_EXCLUSIVE);
	did_open_as(2, HISTORY_EXCLUSIVE);
	did_write(1, 1);
	did_write(2, 2);
	expect_wrong(CHECKER_TWO_OPENS, 0, "client 1|client 2");
}

static void test_one_shares(void **state)
{
	(void)state;
	did_open_as(1, 0);
	did_open_as(2, HISTORY_EXCLUSIVE);
	did_write(1, 1);
	did_flush(2);
	expect_wrong(CHECKER_TWO_OPENS, 0, "client 1|client 2");
}

/* The second one never asked for anything: its open shows it. */
static void test_open_within_another(void **state)
{
	(void)state;
	did_open_as(1, HISTORY_EXCLUSIVE);
	did_open_as(2, HISTORY_EXCLUSIVE);
	did_write(1, 1);
	expect_wrong(CHECKER_TWO_OPENS, 0, "client 1|client 2");
}

static void test_readers(void **state)
{
	(void)state;
	did_open_as(1, HISTORY_EXCLUSIVE | HISTORY_READS_ONLY);
	did_open_as(2, HISTORY_READS_ONLY);
	did_read(1, 0);
	did_read(2, 0);
	did_read(1, 0);
	expect_right();
}

/* An open may be done at any moment before its answer. */
static void test_open_under_way(void **state)
{
	uint64_t open;

	(void)state;
	did_open_as(1, HISTORY_EXCLUSIVE);
	open = begin_open_as(2, HISTORY_EXCLUSIVE);
	did_write(1, 1);
	answer(open, OK);
	did_write(2, 2);
	expect_right();
}

/* One that lapsed is told so when it asks. */
static void test_lapsed(void **state)
{
	(void)state;
	did_open_as(1, HISTORY_EXCLUSIVE);
	did_open_as(2, HISTORY_EXCLUSIVE);
	did_write(2, 2);
	answer(begin_write(1, 1), -EIO);
	did_read(2, 2);
	expect_right();
}

/* The write of one that died is there or is not, when the next one has it open: it does not come later. */
static void test_write_comes_late(void **state)
{
	uint64_t write;

	(void)state;
	did_open_as(1, HISTORY_EXCLUSIVE);
	did_write(1, 1);
	write = begin_write(1, 2);
	lose_client_of(write);
	did_open_as(2, HISTORY_EXCLUSIVE);
	did_read(2, 1);
	did_read(2, 2);
	expect_wrong(CHECKER_LATE_WRITE, 1, "client 1 op 102 write, its client died");
}

static void test_write_is_there_or_not(void **state)
{
	uint64_t write;

	(void)state;
	did_open_as(1, HISTORY_EXCLUSIVE);
	did_write(1, 1);
	write = begin_write(1, 2);
	lose_client_of(write);
	did_open_as(2, HISTORY_EXCLUSIVE);
	did_read(2, 2);
	did_read(2, 2);
	did_close(2);
	did_open_as(3, HISTORY_EXCLUSIVE);
	write = begin_write(3, 3);
	lose_client_of(write);
	did_open_as(4, HISTORY_EXCLUSIVE);
	did_read(4, 2);
	did_write(4, 4);
	did_read(4, 4);
	expect_right();
}

/* With others that share it may. */
static void test_write_comes_late_to_others(void **state)
{
	uint64_t write;

	(void)state;
	did_open_as(1, 0);
	did_write(1, 1);
	write = begin_write(1, 2);
	lose_client_of(write);
	did_open_as(2, 0);
	did_read(2, 1);
	did_read(2, 2);
	expect_right();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_one_after_the_other, checker_test_begin, checker_test_end),
		cmocka_unit_test_setup_teardown(test_two_at_a_time, checker_test_begin, checker_test_end),
		cmocka_unit_test_setup_teardown(test_one_shares, checker_test_begin, checker_test_end),
		cmocka_unit_test_setup_teardown(test_open_within_another, checker_test_begin, checker_test_end),
		cmocka_unit_test_setup_teardown(test_readers, checker_test_begin, checker_test_end),
		cmocka_unit_test_setup_teardown(test_open_under_way, checker_test_begin, checker_test_end),
		cmocka_unit_test_setup_teardown(test_lapsed, checker_test_begin, checker_test_end),
		cmocka_unit_test_setup_teardown(test_write_comes_late, checker_test_begin, checker_test_end),
		cmocka_unit_test_setup_teardown(test_write_is_there_or_not, checker_test_begin, checker_test_end),
		cmocka_unit_test_setup_teardown(test_write_comes_late_to_others, checker_test_begin, checker_test_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
