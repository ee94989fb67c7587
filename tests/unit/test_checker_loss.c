/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What may be gone when memory was lost, what may not, and who has to be told.
 */
#include "checker_test.h"

#include <errno.h>

static void unflushed_is_gone(void **state)
{
	(void)state;
	did_write(1, 1);
	did_flush(1);
	did_write(1, 2);
	did_write(1, 3);
	may_lose();
	did_open(1);
	did_read(1, 1);
	expect_right();
}

/* Any of them may be what is left, the initial contents if nothing was flushed. */
static void any_unflushed_is_left(void **state)
{
	(void)state;
	did_write(1, 1);
	did_write(1, 2);
	did_write(1, 3);
	may_lose();
	did_open(1);
	did_read(1, 2);
	may_lose();
	did_open(1);
	did_read(1, 0);
	expect_right();
}

static void flushed_is_gone(void **state)
{
	(void)state;
	did_write(1, 1);
	did_flush(2);
	did_write(1, 2);
	may_lose();
	did_open(1);
	did_read(1, 0);
	expect_wrong(CHECKER_LOST_FLUSHED, 1,
		     "client 2 op 101 flush, ok|generation 2 begins: unflushed writes may be gone|wrong: op 104");
}

static void flushed_is_gone_from_the_image(void **state)
{
	(void)state;
	did_write(1, 1);
	did_write(1, 2);
	did_flush(1);
	may_lose();
	final_block(1);
	expect_wrong(CHECKER_LOST_FLUSHED, 1, "wrong: final image 0, newer: op 101");
}

static void stable_is_gone(void **state)
{
	(void)state;
	answer(begin_write_stable(1, 1), OK);
	may_lose();
	did_open(1);
	did_read(1, 0);
	expect_wrong(CHECKER_LOST_FLUSHED, 1, "write stable, ok");
}

/* A flush covers what was answered before it began, if it succeeds. */
static void flush_covers_no_more(void **state)
{
	uint64_t flush, write;

	(void)state;
	did_write(1, 1);
	answer(begin_flush(1), -EIO);
	flush = begin_flush(1);
	write = begin_write(2, 2);
	answer(flush, OK);
	answer(write, OK);
	may_lose();
	did_open(1);
	did_read(1, 1);
	expect_right();
}

static void failed_flush_covers_nothing(void **state)
{
	(void)state;
	did_write(1, 1);
	answer(begin_flush(1), -EIO);
	may_lose();
	did_open(1);
	did_read(1, 0);
	expect_right();
}

/* It was on its way back when memory was lost: it still promises. */
static void flush_answered_after_the_loss(void **state)
{
	uint64_t flush;

	(void)state;
	did_write(1, 1);
	flush = begin_flush(1);
	may_lose();
	answer(flush, OK);
	did_open(1);
	did_read(1, 0);
	expect_wrong(CHECKER_LOST_FLUSHED, 1, "op 101 flush, ok");
}

/* Nothing is lost without a loss, flushed or not. */
static void lost_before_the_loss(void **state)
{
	(void)state;
	did_write(1, 1);
	did_read(1, 0);
	may_lose();
	did_open(1);
	did_read(1, 0);
	expect_wrong(CHECKER_LOST_WRITE, 1, "wrong: op 101");
}

/* A loss chooses once: then the block is a register again. */
static void lost_then_back(void **state)
{
	(void)state;
	did_write(1, 1);
	may_lose();
	did_open(1);
	did_read(1, 0);
	did_read(1, 1);
	expect_wrong(CHECKER_OLD_BACK, 1, "op 103 read");
}

/* What was found after a loss, and flushed then, stays at the next. */
static void found_and_flushed(void **state)
{
	(void)state;
	did_write(1, 1);
	may_lose();
	did_open(1);
	did_read(1, 1);
	did_flush(1);
	may_lose();
	did_open(1);
	did_read(1, 0);
	expect_wrong(CHECKER_LOST_FLUSHED, 1, "wrong: op 105");
}

static void written_while_it_is_lost(void **state)
{
	uint64_t write;

	(void)state;
	did_write(1, 1);
	did_flush(1);
	write = begin_write(1, 2);
	may_lose();
	answer(write, OK);
	did_open(1);
	did_read(1, 1);
	expect_right();
}

static void forced(void **state)
{
	(void)state;
	did_write(1, 1);
	did_flush(1);
	did_write(1, 2);
	did_flush(1);
	may_lose_flushed();
	did_open(1);
	did_read(1, 1);
	expect_right();
	did_read(1, 0);
	expect_wrong(CHECKER_OLD_BACK, 1, "any write may be gone");
}

static void silent_loss(void **state)
{
	(void)state;
	did_open(1);
	did_write(1, 1);
	may_lose();
	did_flush(1);
	expect_wrong(CHECKER_SILENT_LOSS, 0,
		     "op 102 of client 1|op 101 of the same open may be gone|generation 2 begins");
}

/* What was flushed is not gone; but the open is. */
static void lapsed_open(void **state)
{
	(void)state;
	did_open(1);
	did_write(1, 1);
	did_flush(2);
	may_lose();
	did_flush(1);
	did_read(1, 1);
	expect_wrong(CHECKER_LAPSED_OPEN, 0, "op 103 of client 1");
}

/* The client is told by errors, opens again, and goes on; so does another that came later. */
static void told(void **state)
{
	(void)state;
	did_open(1);
	did_write(1, 1);
	may_lose();
	answer(begin_flush(1), -EIO);
	answer(begin_read(1), -EIO);
	did_close(1);
	did_open(1);
	did_flush(1);
	did_read(1, 0);
	did_read(2, 0);
	expect_right();
}

/* An open that was answered before the loss is no new one. */
static void opened_before(void **state)
{
	(void)state;
	did_open(1);
	did_close(1);
	did_open(1);
	may_lose();
	did_read(1, 0);
	expect_wrong(CHECKER_LAPSED_OPEN, 0, "op 102 open|op 103 read");
}

static void power_is_shown(void **state)
{
	(void)state;
	did_write(1, 1);
	did_flush(1);
	history_power(&history, history.time, 3);
	may_lose();
	did_open(1);
	did_read(1, 0);
	expect_wrong(CHECKER_LOST_FLUSHED, 1, "member 3 loses its memory");
}

/* Many orders of them are one: else this is not decided. */
static void many_write_one_value(void **state)
{
	enum { ZEROES = 14, WRITES = 3 };
	uint64_t zeroes[ZEROES], writes[WRITES];

	(void)state;
	did_write(1, 1);
	for (int i = 0; i < ZEROES; i++)
		zeroes[i] = begin_zeroes(2 + i);
	for (int i = 0; i < WRITES; i++)
		writes[i] = begin_write_stable(20 + i, 2 + (uint64_t)i);
	for (int i = 0; i < WRITES; i++)
		answer(writes[i], 0);
	for (int i = 0; i < ZEROES; i++)
		answer(zeroes[i], 0);
	did_flush(1);
	may_lose();
	did_open(1);
	did_read(1, 0);
	expect_right();
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, checker_test_begin, checker_test_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(unflushed_is_gone),
		TEST(any_unflushed_is_left),
		TEST(flushed_is_gone),
		TEST(flushed_is_gone_from_the_image),
		TEST(stable_is_gone),
		TEST(flush_covers_no_more),
		TEST(failed_flush_covers_nothing),
		TEST(flush_answered_after_the_loss),
		TEST(lost_before_the_loss),
		TEST(lost_then_back),
		TEST(found_and_flushed),
		TEST(written_while_it_is_lost),
		TEST(forced),
		TEST(silent_loss),
		TEST(lapsed_open),
		TEST(told),
		TEST(opened_before),
		TEST(power_is_shown),
		TEST(many_write_one_value),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
