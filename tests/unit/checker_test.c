/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Histories in few words; see checker_test.h.
 */
#include "checker_test.h"

#include <stdlib.h>
#include <string.h>

#define BLOCKS_MAX 16

struct history history;
static uint64_t now, ops;

int checker_test_begin(void **state)
{
	(void)state;
	history_init(&history);
	now = 0;
	ops = 100;
	return 0;
}

int checker_test_end(void **state)
{
	(void)state;
	history_destroy(&history);
	return 0;
}

static uint64_t tick(void)
{
	return now += 10;
}

/* Returns BLOCKS_MAX blocks with tags. */
static const unsigned char *contents(const uint64_t *tags, uint64_t blocks)
{
	static unsigned char data[BLOCKS_MAX * HISTORY_BLOCK];

	assert_true(blocks <= BLOCKS_MAX);
	for (uint64_t i = 0; i < blocks * HISTORY_BLOCK; i++)
		data[i] = (unsigned char)(tags[i / HISTORY_BLOCK] >> (8 * (i % 8)));
	return data;
}

static uint64_t begin(int client, enum history_kind kind, uint64_t block, uint64_t blocks, const uint64_t *tags,
		      bool stable)
{
	history_begin(&history, tick(), client, ops, kind, 0, block * HISTORY_BLOCK, blocks * HISTORY_BLOCK,
		      tags ? contents(tags, blocks) : NULL, stable);
	return ops++;
}

uint64_t begin_write(int client, uint64_t tag)
{
	return begin(client, HISTORY_WRITE, 0, 1, &tag, false);
}

uint64_t begin_write_stable(int client, uint64_t tag)
{
	return begin(client, HISTORY_WRITE, 0, 1, &tag, true);
}

uint64_t begin_write_of(int client, uint64_t block, uint64_t blocks, uint64_t tag)
{
	uint64_t tags[BLOCKS_MAX];

	for (uint64_t i = 0; i < BLOCKS_MAX; i++)
		tags[i] = tag + i;
	return begin(client, HISTORY_WRITE, block, blocks, tags, false);
}

uint64_t begin_zeroes(int client)
{
	return begin(client, HISTORY_ZEROES, 0, 1, NULL, false);
}

uint64_t begin_read(int client)
{
	return begin(client, HISTORY_READ, 0, 1, NULL, false);
}

uint64_t begin_read_of(int client, uint64_t block, uint64_t blocks)
{
	return begin(client, HISTORY_READ, block, blocks, NULL, false);
}

uint64_t begin_flush(int client)
{
	return begin(client, HISTORY_FLUSH, 0, 0, NULL, false);
}

static const struct history_op *op_of(uint64_t op)
{
	const struct history_op *found = &history.ops[op - 100];

	assert_int_equal(found->id, op);
	return found;
}

void answer(uint64_t op, int result)
{
	history_end(&history, tick(), op_of(op)->client, op, result, NULL);
}

void answer_read(uint64_t op, uint64_t tag)
{
	answer_read_of(op, &tag);
}

void answer_read_of(uint64_t op, const uint64_t *tags)
{
	history_end(&history, tick(), op_of(op)->client, op, OK, contents(tags, op_of(op)->range.blocks));
}

void lose_client_of(uint64_t op)
{
	history_lost(&history, tick(), op);
}

void did_write(int client, uint64_t tag)
{
	answer(begin_write(client, tag), OK);
}

void did_read(int client, uint64_t tag)
{
	answer_read(begin_read(client), tag);
}

void did_flush(int client)
{
	answer(begin_flush(client), OK);
}

void did_open(int client)
{
	answer(begin(client, HISTORY_OPEN, 0, 0, NULL, false), OK);
}

uint64_t begin_open_as(int client, unsigned int access)
{
	uint64_t op = begin(client, HISTORY_OPEN, 0, 0, NULL, false);

	history_open_as(&history, op, access);
	return op;
}

void did_open_as(int client, unsigned int access)
{
	answer(begin_open_as(client, access), OK);
}

void did_close(int client)
{
	answer(begin(client, HISTORY_CLOSE, 0, 0, NULL, false), OK);
}

void may_lose(void)
{
	history_may_lose(&history, tick(), 2);
}

void may_lose_flushed(void)
{
	history_may_lose_flushed(&history, tick(), 2);
}

void final_block(uint64_t tag)
{
	checker_final(&history, 0, 0, contents(&tag, 1), HISTORY_BLOCK);
}

static void run(struct checker_report *report)
{
	assert_null(history_broken(&history));
	assert_int_equal(checker_run(&history, report), 0);
	assert_int_equal(report->nr_undecided, 0);
}

void expect_right(void)
{
	struct checker_report report;

	run(&report);
	if (report.nr_violations)
		print_error("%s", report.violations[0].text);
	assert_int_equal(report.nr_violations + report.nr_more, 0);
	checker_report_destroy(&report);
}

void expect_wrong(enum checker_kind kind, uint64_t blocks, const char *words)
{
	struct checker_report report;
	char each[200], *rest = NULL;

	run(&report);
	for (size_t i = 0; i < report.nr_violations; i++)
		print_message("%s", report.violations[i].text);
	assert_int_equal(report.nr_violations, 1);
	assert_string_equal(checker_kind_name(report.violations[0].kind), checker_kind_name(kind));
	assert_int_equal(report.violations[0].block, 0);
	assert_int_equal(report.violations[0].blocks, blocks);
	assert_non_null(strstr(report.violations[0].text, checker_kind_invariant(kind)));
	assert_true(strlen(words) < sizeof(each));
	memcpy(each, words, strlen(words) + 1);
	for (char *word = strtok_r(each, "|", &rest); word; word = strtok_r(NULL, "|", &rest))
		assert_non_null(strstr(report.violations[0].text, word));
	checker_report_destroy(&report);
}
