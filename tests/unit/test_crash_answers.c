/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The judge of sectors finds each kind of wrong content, and takes none for wrong that is right.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "crash_answers.h"
#include "test_pattern.h"

#define SECTOR 512
#define NEVER  UINT64_MAX
#define ZEROES SIZE_MAX /* in place of a request's number */

static struct crash_answer requests[8];
static struct crash_answers answers = { .answers = requests };

static void add(enum crash_answer_kind kind, uint64_t position, uint64_t length, uint64_t sent, uint64_t answered)
{
	requests[answers.count++] = (struct crash_answer){
		.kind = kind, .position = position, .length = length, .sent = sent, .answered = answered
	};
}

static int setup(void **state)
{
	(void)state;
	answers.count = 0;
	return 0;
}

static void fill(unsigned char bytes[SECTOR], uint64_t sector, size_t number, size_t from, size_t to)
{
	if (number == ZEROES)
		memset(bytes + from, 0, to - from);
	else
		test_pattern_fill(bytes + from, to - from, sector * SECTOR + from, number);
}

/* Sector 1 holds what request `number` wrote, and the power was cut at `moment`. */
static struct crash_finding judge(size_t number, uint64_t moment)
{
	unsigned char bytes[SECTOR];

	fill(bytes, 1, number, 0, SECTOR);
	return crash_answers_check(&answers, moment, 1, bytes);
}

static void assert_right(size_t number, uint64_t moment)
{
	assert_int_equal(judge(number, moment).verdict, CRASH_RIGHT);
}

static void assert_missing(size_t number, uint64_t moment, enum crash_verdict verdict, size_t missing)
{
	struct crash_finding finding = judge(number, moment);

	assert_int_equal(finding.verdict, verdict);
	assert_int_equal(finding.missing, missing);
	assert_int_equal(finding.found, number == ZEROES ? finding.found : number);
	assert_int_equal(finding.position, SECTOR);
}

static void test_flushed(void **state)
{
	(void)state;
	add(CRASH_ANSWER_WRITE, 0, 4096, 1, 2);
	add(CRASH_ANSWER_WRITE, 0, 4096, 3, 4);
	add(CRASH_ANSWER_FLUSH, 0, 0, 5, 8);
	add(CRASH_ANSWER_WRITE, 0, 4096, 6, 7);
	/* Before it is answered everything that was sent is right. */
	for (size_t number = 0; number <= 2; number++)
		assert_right(number, 8);
	assert_right(4, 8);
	assert_missing(0, 9, CRASH_LOST_FLUSHED, 1);
	assert_missing(1, 9, CRASH_LOST_FLUSHED, 2);
	assert_right(2, 9);
	assert_right(4, 9);
}

/* It was sent before the write was answered, or failed: it says nothing of it. */
static void test_not_flushed(void **state)
{
	(void)state;
	add(CRASH_ANSWER_WRITE, 0, 4096, 1, 3);
	add(CRASH_ANSWER_FLUSH, 0, 0, 2, 4);
	add(CRASH_ANSWER_FLUSH, 0, 0, 5, 6);
	requests[2].failed = true;
	add(CRASH_ANSWER_FLUSH, 0, 0, 7, NEVER);
	assert_right(0, NEVER);
	/* A flush of others' writes. */
	add(CRASH_ANSWER_FLUSH, 0, 0, 8, 9);
	requests[0].position = 8192;
	assert_right(0, NEVER);
	requests[0].position = 0;
	assert_missing(0, NEVER, CRASH_LOST_FLUSHED, 1);
}

/* Requests that were under way together may have been done in any order. */
static void test_concurrent(void **state)
{
	(void)state;
	add(CRASH_ANSWER_WRITE, 0, 4096, 1, 4);
	add(CRASH_ANSWER_WRITE, 0, 4096, 2, 3);
	add(CRASH_ANSWER_WRITE, 0, 4096, 1, NEVER);
	add(CRASH_ANSWER_FLUSH, 0, 0, 5, 6);
	assert_right(1, 7);
	assert_right(2, 7);
	assert_right(3, 7);
	assert_int_equal(judge(0, 7).verdict, CRASH_LOST_FLUSHED);
}

static void test_fua(void **state)
{
	(void)state;
	add(CRASH_ANSWER_WRITE, 0, 4096, 1, 2);
	add(CRASH_ANSWER_WRITE, 0, 4096, 3, 5);
	requests[1].fua = true;
	assert_right(1, 5);
	assert_missing(1, 6, CRASH_LOST_FUA, 2);
	assert_missing(0, 6, CRASH_LOST_FUA, 2);
	assert_right(2, 6);
	requests[1].failed = true;
	assert_right(0, 6);
}

static void test_zeroes_and_discards(void **state)
{
	(void)state;
	add(CRASH_ANSWER_WRITE, 0, 4096, 1, 2);
	add(CRASH_ANSWER_DISCARD, 0, 4096, 3, 4);
	add(CRASH_ANSWER_FLUSH, 0, 0, 5, 6);
	assert_right(1, 7);
	assert_right(ZEROES, 7);
	assert_missing(0, 7, CRASH_LOST_FLUSHED, 1);
	add(CRASH_ANSWER_ZEROES, 0, 4096, 8, 9);
	add(CRASH_ANSWER_FLUSH, 0, 0, 10, 11);
	assert_right(1, 11);
	assert_right(ZEROES, 12);
	assert_missing(1, 12, CRASH_LOST_FLUSHED, 4);
	/* Zeroes that are older than what is there now. */
	add(CRASH_ANSWER_WRITE, 0, 4096, 13, 14);
	add(CRASH_ANSWER_FLUSH, 0, 0, 15, 16);
	assert_int_equal(judge(ZEROES, 17).verdict, CRASH_LOST_FLUSHED);
}

static void test_never_written(void **state)
{
	unsigned char bytes[SECTOR];

	(void)state;
	add(CRASH_ANSWER_WRITE, 0, 4096, 1, 2);
	/* Of a request that does not exist, of another place, one bit, and zeroes that nobody asked for. */
	assert_int_equal(judge(2, 9).verdict, CRASH_NEVER_WRITTEN);
	fill(bytes, 2, 1, 0, SECTOR);
	assert_int_equal(crash_answers_check(&answers, 9, 1, bytes).verdict, CRASH_NEVER_WRITTEN);
	fill(bytes, 1, 1, 0, SECTOR);
	bytes[511] ^= 1;
	assert_int_equal(crash_answers_check(&answers, 9, 1, bytes).verdict, CRASH_NEVER_WRITTEN);
	assert_int_equal(judge(ZEROES, 9).verdict, CRASH_NEVER_WRITTEN);
	/* Half of one and half of another. */
	fill(bytes, 1, 0, 0, 256);
	fill(bytes, 1, 1, 256, SECTOR);
	assert_int_equal(crash_answers_check(&answers, 9, 1, bytes).verdict, CRASH_NEVER_WRITTEN);
}

static void test_not_sent(void **state)
{
	struct crash_finding finding;

	(void)state;
	add(CRASH_ANSWER_WRITE, 0, 4096, 5, 6);
	finding = judge(1, 5);
	assert_int_equal(finding.verdict, CRASH_NOT_SENT);
	assert_int_equal(finding.found, 1);
	assert_right(1, 6);
}

/* Requests that begin and end within a sector: each piece is judged by itself. */
static void test_parts_of_a_sector(void **state)
{
	unsigned char bytes[SECTOR];
	struct crash_finding finding;

	(void)state;
	add(CRASH_ANSWER_WRITE, SECTOR + 100, 200, 1, 2);
	add(CRASH_ANSWER_FLUSH, 0, 0, 3, 4);
	add(CRASH_ANSWER_WRITE, SECTOR + 250, 1000, 5, 6);
	fill(bytes, 1, 0, 0, SECTOR);
	fill(bytes, 1, 1, 100, 300);
	assert_int_equal(crash_answers_check(&answers, 9, 1, bytes).verdict, CRASH_RIGHT);
	fill(bytes, 1, 3, 250, SECTOR);
	assert_int_equal(crash_answers_check(&answers, 9, 1, bytes).verdict, CRASH_RIGHT);
	fill(bytes, 1, 0, 100, 250);
	finding = crash_answers_check(&answers, 9, 1, bytes);
	assert_int_equal(finding.verdict, CRASH_LOST_FLUSHED);
	assert_int_equal(finding.missing, 1);
	assert_int_equal(finding.position, SECTOR + 100);
}

static void test_flush_after_failure(void **state)
{
	(void)state;
	add(CRASH_ANSWER_FLUSH, 0, 0, 1, 4);
	requests[0].failed = true;
	/* Sent before the failure was known. */
	add(CRASH_ANSWER_FLUSH, 0, 0, 2, 3);
	add(CRASH_ANSWER_WRITE, 0, 512, 5, 6);
	add(CRASH_ANSWER_FLUSH, 0, 0, 7, NEVER);
	assert_int_equal(crash_answers_check_flushes(&answers).verdict, CRASH_RIGHT);
	requests[2].fua = true;
	assert_int_equal(crash_answers_check_flushes(&answers).verdict, CRASH_FLUSH_AFTER_FAILURE);
	assert_int_equal(crash_answers_check_flushes(&answers).missing, 3);
	requests[2].fua = false;
	requests[3].answered = 8;
	assert_int_equal(crash_answers_check_flushes(&answers).missing, 4);
	requests[3].failed = true;
	assert_int_equal(crash_answers_check_flushes(&answers).verdict, CRASH_RIGHT);
}

#define ANSWERS_TEST(function) cmocka_unit_test_setup(function, setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ANSWERS_TEST(test_flushed),
		ANSWERS_TEST(test_not_flushed),
		ANSWERS_TEST(test_concurrent),
		ANSWERS_TEST(test_fua),
		ANSWERS_TEST(test_zeroes_and_discards),
		ANSWERS_TEST(test_never_written),
		ANSWERS_TEST(test_not_sent),
		ANSWERS_TEST(test_parts_of_a_sector),
		ANSWERS_TEST(test_flush_after_failure),
	};

	return cmocka_run_group_tests_name("crash answers", tests, NULL, NULL);
}
