/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How rdisk-replay knows what belongs where: stamps, the ledger's rules, and journals that are whole, cut and damaged.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "journal.h"
#include "ledger.h"
#include "stamp.h"
#include "test_directory.h"

#define SEED 42
#define SIZE (UINT64_C(64) << 20)

static void test_stamps(void **state)
{
	static unsigned char data[8 * STAMP_SIZE];
	struct stamp stamp;

	(void)state;
	assert_int_equal(stamp_look(data, SEED).kind, STAMP_ZEROES);
	stamp_fill(data, sizeof(data), SEED, 4096, 17);
	for (size_t i = 0; i < 8; i++) {
		stamp = stamp_look(data + i * STAMP_SIZE, SEED);
		assert_int_equal(stamp.kind, STAMP_GOOD);
		assert_int_equal(stamp.position, 4096 + i * STAMP_SIZE);
		assert_int_equal(stamp.sequence, 17);
	}
	stamp = stamp_look(data, SEED + 1);
	assert_int_equal(stamp.kind, STAMP_FOREIGN);
	assert_int_equal(stamp.seed, SEED);
	/* Any byte that is changed is seen. */
	for (size_t i = 0; i < STAMP_SIZE; i++) {
		data[i] ^= 1;
		stamp = stamp_look(data, SEED);
		assert_int_equal(stamp.kind, i < 8 ? STAMP_NONE : STAMP_BROKEN);
		data[i] ^= 1;
	}
	memset(data, 0, STAMP_SIZE);
	data[STAMP_SIZE - 1] = 1;
	assert_int_equal(stamp_look(data, SEED).kind, STAMP_NONE);
}

static struct ledger ledger;

static int open_ledger(void **state)
{
	struct diagnostic diagnostic;

	(void)state;
	return ledger_open(&ledger, SIZE, &diagnostic);
}

static int close_ledger(void **state)
{
	(void)state;
	ledger_close(&ledger);
	return 0;
}

/* What the ledger says to a block at `position` that holds write `sequence`; 0: zeroes. */
static enum ledger_verdict look(uint64_t position, uint64_t sequence, bool all_begun)
{
	const struct ledger_check check = { SEED, all_begun };
	static unsigned char block[STAMP_SIZE];
	struct diagnostic why;

	memset(block, 0, sizeof(block));
	if (sequence)
		stamp_fill(block, sizeof(block), SEED, position, sequence);
	return ledger_look(&ledger, &check, position, block, &why);
}

static void test_one_write_after_the_other(void **state)
{
	(void)state;
	assert_int_equal(look(512, 0, false), LEDGER_UNTOUCHED);
	ledger_begin(&ledger, 512, 512, 5, LEDGER_DATA);
	/* Under way: what was there before, or it; nothing later. */
	assert_int_equal(look(512, 0, false), LEDGER_UNKNOWN);
	assert_int_equal(look(512, 5, false), LEDGER_RIGHT);
	assert_int_equal(look(512, 6, false), LEDGER_WRONG);
	ledger_answer(&ledger, 512, 512, 5, LEDGER_DATA, false);
	assert_int_equal(look(512, 0, false), LEDGER_WRONG);
	assert_int_equal(look(512, 4, false), LEDGER_WRONG);
	assert_int_equal(look(512, 5, false), LEDGER_RIGHT);
	ledger_begin(&ledger, 0, 1024, 9, LEDGER_DATA);
	assert_int_equal(look(512, 5, false), LEDGER_RIGHT);
	assert_int_equal(look(512, 9, false), LEDGER_RIGHT);
	ledger_answer(&ledger, 0, 1024, 9, LEDGER_DATA, false);
	assert_int_equal(look(512, 5, false), LEDGER_WRONG);
	assert_int_equal(look(512, 10, false), LEDGER_WRONG);
	assert_int_equal(look(512, 10, true), LEDGER_RIGHT);
	assert_int_equal(look(1024, 9, false), LEDGER_UNTOUCHED);
}

static void test_zeroes_and_discards(void **state)
{
	(void)state;
	ledger_begin(&ledger, 0, 4096, 1, LEDGER_DATA);
	ledger_answer(&ledger, 0, 4096, 1, LEDGER_DATA, false);
	ledger_begin(&ledger, 0, 4096, 2, LEDGER_ZEROES);
	assert_int_equal(look(0, 1, false), LEDGER_RIGHT);
	assert_int_equal(look(0, 0, false), LEDGER_RIGHT);
	ledger_answer(&ledger, 0, 4096, 2, LEDGER_ZEROES, false);
	assert_int_equal(look(0, 1, false), LEDGER_WRONG);
	assert_int_equal(look(0, 0, false), LEDGER_RIGHT);
	ledger_begin(&ledger, 0, 512, 3, LEDGER_DATA);
	assert_int_equal(look(0, 0, false), LEDGER_RIGHT);
	ledger_answer(&ledger, 0, 512, 3, LEDGER_DATA, false);
	assert_int_equal(look(0, 0, false), LEDGER_WRONG);
	assert_int_equal(look(512, 0, false), LEDGER_RIGHT);
	/* After a discard: anything, until the next write. */
	ledger_begin(&ledger, 0, 512, 4, LEDGER_DISCARD);
	ledger_answer(&ledger, 0, 512, 4, LEDGER_DISCARD, false);
	assert_int_equal(look(0, 0, false), LEDGER_UNKNOWN);
	assert_int_equal(look(0, 3, false), LEDGER_UNKNOWN);
	ledger_begin(&ledger, 0, 512, 5, LEDGER_DATA);
	ledger_answer(&ledger, 0, 512, 5, LEDGER_DATA, false);
	assert_int_equal(look(0, 3, false), LEDGER_WRONG);
	assert_int_equal(look(0, 0, false), LEDGER_WRONG);
	assert_int_equal(look(0, 5, false), LEDGER_RIGHT);
}

/* Two under way together: either may have won, whoever is answered first; a third after both ends that. */
static void test_races(void **state)
{
	(void)state;
	for (int first = 0; first < 2; first++) {
		uint64_t at = first ? 512 : 0;

		ledger_begin(&ledger, at, 512, 1, LEDGER_DATA);
		ledger_answer(&ledger, at, 512, 1, LEDGER_DATA, false);
		ledger_begin(&ledger, at, 512, 2, LEDGER_DATA);
		ledger_begin(&ledger, at, 512, 3, LEDGER_DATA);
		if (first) {
			ledger_answer(&ledger, at, 512, 2, LEDGER_DATA, true);
			assert_int_equal(look(at, 3, false), LEDGER_RIGHT);
			ledger_answer(&ledger, at, 512, 2, LEDGER_DATA, true);
		} else {
			ledger_answer(&ledger, at, 512, 2, LEDGER_DATA, true);
			ledger_answer(&ledger, at, 512, 2, LEDGER_DATA, true);
		}
		assert_int_equal(look(at, 1, false), LEDGER_WRONG);
		assert_int_equal(look(at, 2, false), LEDGER_RIGHT);
		assert_int_equal(look(at, 3, false), LEDGER_RIGHT);
		ledger_begin(&ledger, at, 512, 4, LEDGER_DATA);
		ledger_answer(&ledger, at, 512, 4, LEDGER_DATA, false);
		assert_int_equal(look(at, 3, false), LEDGER_WRONG);
	}
	/* A zeroing that was under way with a write may still show after the write was answered. */
	ledger_begin(&ledger, 1024, 512, 5, LEDGER_ZEROES);
	ledger_begin(&ledger, 1024, 512, 6, LEDGER_DATA);
	ledger_answer(&ledger, 1024, 512, 5, LEDGER_ZEROES, true);
	ledger_answer(&ledger, 1024, 512, 5, LEDGER_DATA, true);
	assert_int_equal(look(1024, 0, false), LEDGER_RIGHT);
	assert_int_equal(look(1024, 6, false), LEDGER_RIGHT);
}

static void test_misplaced(void **state)
{
	const struct ledger_check check = { SEED, false };
	static unsigned char block[STAMP_SIZE];
	struct diagnostic why;

	(void)state;
	stamp_fill(block, sizeof(block), SEED, 8192, 1);
	assert_int_equal(ledger_look(&ledger, &check, 0, block, &why), LEDGER_WRONG);
	assert_non_null(strstr(why.text, "position 0: expected none of this replay, found write 1 of position 8192"));
	/* Of another replay it is no business of this one. */
	stamp_fill(block, sizeof(block), SEED + 1, 8192, 1);
	assert_int_equal(ledger_look(&ledger, &check, 0, block, &why), LEDGER_UNTOUCHED);
}

static void test_runs(void **state)
{
	static const struct {
		uint64_t position, length;
	} changes[] = { { 0, 512 }, { 1024, 512 }, { 1 << 20, 3 << 20 }, { SIZE - 512, 512 } };
	uint64_t position = 0, length, changed = 0, runs = 0;

	(void)state;
	assert_false(ledger_next(&ledger, &position, &length, 1 << 20));
	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++)
		ledger_begin(&ledger, changes[i].position, changes[i].length, (uint32_t)i + 1, LEDGER_DATA);
	while (ledger_next(&ledger, &position, &length, 1 << 20)) {
		assert_true(length > 0 && length <= 1 << 20 && position + length <= SIZE);
		for (uint64_t at = position; at < position + length; at += 512)
			changed += look(at, 0, false) != LEDGER_UNTOUCHED;
		position += length;
		runs++;
	}
	assert_int_equal(changed, 3 + (3 << 20) / 512);
	assert_int_equal(runs, 5);
}

static struct journal_change change_of(uint64_t position, uint64_t length, uint32_t sequence, enum ledger_change change)
{
	return (struct journal_change){
		.position = position, .length = length, .sequence = sequence, .floor = sequence, .change = change
	};
}

static const char *journal_path(void)
{
	static char path[TEST_PATH_SIZE];

	test_path(path, "journal");
	return path;
}

/* Write 1, flush, write 2 over it, zeroing 3 of another place that gets no answer, stable write 4. */
static void make_journal(void)
{
	const struct journal_change first = change_of(0, 512, 1, LEDGER_DATA),
				    second = change_of(0, 512, 2, LEDGER_DATA),
				    zeroing = change_of(4096, 512, 3, LEDGER_ZEROES);
	struct journal_change stable = change_of(8192, 512, 4, LEDGER_DATA);
	struct diagnostic diagnostic;
	struct journal journal;

	(void)unlink(journal_path());
	assert_int_equal(journal_create(&journal, journal_path(), SEED, SIZE, &diagnostic), 0);
	assert_int_equal(journal_answered(&journal, &first, &diagnostic), 0);
	assert_int_equal(journal_flushed(&journal, journal.answers, &diagnostic), 0);
	assert_int_equal(journal_answered(&journal, &second, &diagnostic), 0);
	assert_int_equal(journal_begun(&journal, &zeroing, &diagnostic), 0);
	stable.stable = true;
	assert_int_equal(journal_answered(&journal, &stable, &diagnostic), 0);
	assert_int_equal(journal_end(&journal, &diagnostic), 0);
}

static void test_journal(void **state)
{
	struct journal_summary summary;
	struct diagnostic diagnostic;

	(void)state;
	make_journal();
	assert_int_equal(journal_read(journal_path(), &summary, &diagnostic), 0);
	assert_int_equal(summary.seed, SEED);
	assert_int_equal(summary.size, SIZE);
	assert_int_equal(summary.answers, 3);
	assert_int_equal(summary.covered, 1);
	assert_true(summary.ended);
	assert_int_equal(journal_load(journal_path(), false, &ledger, &diagnostic), 0);
	assert_int_equal(look(0, 1, true), LEDGER_WRONG);
	assert_int_equal(look(0, 2, true), LEDGER_RIGHT);
	assert_int_equal(look(0, 7, true), LEDGER_RIGHT); /* sent, and never answered */
	assert_int_equal(look(4096, 0, true), LEDGER_UNKNOWN);
	assert_int_equal(look(8192, 4, true), LEDGER_RIGHT);
	assert_int_equal(look(8192, 0, true), LEDGER_WRONG);
}

static void test_journal_after_lost_cache(void **state)
{
	struct diagnostic diagnostic;

	(void)state;
	make_journal();
	assert_int_equal(journal_load(journal_path(), true, &ledger, &diagnostic), 0);
	assert_int_equal(look(0, 0, true), LEDGER_WRONG);
	assert_int_equal(look(0, 1, true), LEDGER_RIGHT);
	assert_int_equal(look(0, 2, true), LEDGER_RIGHT);
	assert_int_equal(look(8192, 0, true), LEDGER_WRONG);
}

/* Cut or changed anywhere: it is shorter, or refused; it never claims something else. */
static void test_journal_damaged(void **state)
{
	struct journal_summary summary;
	struct diagnostic diagnostic;

	(void)state;
	for (int place = 0; place < 4096 + 5 * 32; place += place == 40 ? 4056 : 1) {
		unsigned char byte;
		int fd, status;

		make_journal();
		fd = open(journal_path(), O_RDWR | O_CLOEXEC);
		assert_int_equal(pread(fd, &byte, 1, place), 1);
		byte ^= 0x10;
		assert_int_equal(pwrite(fd, &byte, 1, place), 1);
		(void)close(fd);
		status = journal_read(journal_path(), &summary, &diagnostic);
		if (place < 40) {
			assert_int_equal(status, -1);
		} else if (place >= 4096) {
			assert_int_equal(status, 0);
			assert_false(summary.ended);
			assert_true(summary.answers <= (uint64_t)(place - 4096) / 32);
		}
	}
	for (int size = 0; size < 4096 + 5 * 32; size += 31) {
		make_journal();
		assert_int_equal(truncate(journal_path(), size), 0);
		if (size < 40)
			assert_int_equal(journal_read(journal_path(), &summary, &diagnostic), -1);
		else
			assert_int_equal(journal_read(journal_path(), &summary, &diagnostic), 0);
	}
}

/* Larger than what is mapped of it at a time. */
static void test_long_journal(void **state)
{
	const uint64_t count = 300000;
	struct journal_summary summary;
	struct diagnostic diagnostic;
	struct journal journal;

	(void)state;
	(void)unlink(journal_path());
	assert_int_equal(journal_create(&journal, journal_path(), SEED, SIZE, &diagnostic), 0);
	for (uint32_t i = 1; i <= count; i++) {
		const struct journal_change change = change_of((i * UINT64_C(7919) * 512) % SIZE, 512, i, LEDGER_DATA);

		assert_int_equal(journal_answered(&journal, &change, &diagnostic), 0);
	}
	journal_close(&journal);
	assert_int_equal(journal_read(journal_path(), &summary, &diagnostic), 0);
	assert_int_equal(summary.answers, count);
	assert_false(summary.ended);
	assert_int_equal(journal_load(journal_path(), false, &ledger, &diagnostic), 0);
	assert_int_equal(look((count * 7919 * 512) % SIZE, count, true), LEDGER_RIGHT);
	assert_int_equal(look((count * 7919 * 512) % SIZE, 1, true), LEDGER_WRONG);
	/* What is in it and is not on the disk that it is held against. */
	ledger_close(&ledger);
	assert_int_equal(ledger_open(&ledger, 512, &diagnostic), 0);
	assert_int_equal(journal_load(journal_path(), false, &ledger, &diagnostic), -1);
	assert_non_null(strstr(diagnostic.text, "makes no sense"));
}

#define LEDGER_TEST(function) cmocka_unit_test_setup_teardown(function, open_ledger, close_ledger)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_stamps),
		LEDGER_TEST(test_one_write_after_the_other),
		LEDGER_TEST(test_zeroes_and_discards),
		LEDGER_TEST(test_races),
		LEDGER_TEST(test_misplaced),
		LEDGER_TEST(test_runs),
		LEDGER_TEST(test_journal),
		LEDGER_TEST(test_journal_after_lost_cache),
		LEDGER_TEST(test_journal_damaged),
		LEDGER_TEST(test_long_journal),
	};

	return cmocka_run_group_tests_name("replay data", tests, NULL, NULL);
}
