/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Histories: what makes one unusable; that one that is written down and read again is the same; and what bad lines are
 * told.
 */
#include "checker_test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "history_file.h"

static void values(void **state)
{
	unsigned char data[HISTORY_BLOCK] = { 0 };
	uint64_t seen[1 + 8 * HISTORY_BLOCK];

	(void)state;
	assert_int_equal(history_value(data), HISTORY_ZERO);
	seen[8 * HISTORY_BLOCK] = HISTORY_ZERO;
	for (size_t bit = 0; bit < (size_t)8 * HISTORY_BLOCK; bit++) {
		data[bit / 8] = (unsigned char)(1 << bit % 8);
		seen[bit] = history_value(data);
		data[bit / 8] = 0;
		for (size_t i = 0; i < bit; i++)
			assert_int_not_equal(seen[i], seen[bit]);
		assert_int_not_equal(seen[bit], HISTORY_ZERO);
	}
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (unsigned char)i;
	/* On every machine: histories go from one to another. */
	assert_int_equal(history_value(data), UINT64_C(0x6dafcecd465df295));
}

static void expect_broken(const char *words)
{
	struct checker_report report;

	assert_non_null(history_broken(&history));
	assert_non_null(strstr(history_broken(&history), words));
	assert_int_equal(checker_run(&history, &report), -EINVAL);
	checker_report_destroy(&report);
	checker_test_end(NULL);
	checker_test_begin(NULL);
}

static void broken(void **state)
{
	static const unsigned char data[HISTORY_BLOCK] = { 1 };

	(void)state;
	history_begin(&history, 5, 1, 1, HISTORY_READ, 0, 0, 512, NULL, false);
	history_begin(&history, 4, 1, 2, HISTORY_READ, 0, 0, 512, NULL, false);
	expect_broken("time 4 is before that of the event before, 5");
	history_begin(&history, 5, 1, 1, HISTORY_READ, 0, 0, 512, NULL, false);
	history_begin(&history, 5, 1, 1, HISTORY_READ, 0, 0, 512, NULL, false);
	expect_broken("operation 1 has begun before");
	history_begin(&history, 5, 1, 1, HISTORY_READ, 0, 0, 512, NULL, false);
	history_end(&history, 6, 1, 2, 0, data);
	expect_broken("operation 2 has not begun");
	history_begin(&history, 5, 1, 1, HISTORY_READ, 0, 0, 512, NULL, false);
	history_end(&history, 6, 1, 1, 0, data);
	history_end(&history, 7, 1, 1, 0, data);
	expect_broken("operation 1 has been answered");
	history_begin(&history, 5, 1, 1, HISTORY_READ, 0, 0, 512, NULL, false);
	history_lost(&history, 6, 1);
	history_end(&history, 7, 1, 1, 0, data);
	expect_broken("operation 1 has been lost");
	history_begin(&history, 5, 1, 1, HISTORY_READ, 0, 0, 512, NULL, false);
	history_end(&history, 7, 2, 1, 0, data);
	expect_broken("operation 1 is of client 1, answered to 2");
	history_begin(&history, 5, 1, 1, HISTORY_READ, 0, 0, 512, NULL, false);
	history_end(&history, 7, 1, 1, 0, NULL);
	expect_broken("without data");
	history_begin(&history, 5, 1, 1, HISTORY_READ, 0, 100, 512, NULL, false);
	expect_broken("no whole blocks");
	history_begin(&history, 5, 1, 1, HISTORY_WRITE, 0, UINT64_MAX - 511, 1024, data, false);
	expect_broken("no whole blocks");
	history_begin(&history, 5, 1, 1, HISTORY_ZEROES, 0, 0, UINT64_C(1) << 40, NULL, false);
	expect_broken("more than");
	history_begin(&history, 5, 1, 1, HISTORY_WRITE, 0, 0, 512, NULL, false);
	expect_broken("without data");
	history_begin(&history, 5, 1, 1, HISTORY_FLUSH, 0, 0, 512, NULL, false);
	expect_broken("a length of 512");
	checker_final(&history, 0, 1, data, HISTORY_BLOCK);
	expect_broken("no whole blocks");
}

/* The history as text, which the caller frees. */
static char *saved(const struct history *of)
{
	char *text = NULL;
	size_t size = 0;
	FILE *file = open_memstream(&text, &size);

	assert_non_null(file);
	assert_int_equal(history_save(of, file), 0);
	assert_int_equal(fclose(file), 0);
	return text;
}

static int load(struct history *into, const char *text, size_t size, struct history_file_error *error)
{
	FILE *file = fmemopen((void *)text, size, "r");
	int code;

	assert_non_null(file);
	history_init(into);
	code = history_load(into, file, error);
	assert_int_equal(fclose(file), 0);
	return code;
}

static void saved_and_loaded(void **state)
{
	static const uint64_t half[] = { 5, 6, 0, 0 };
	struct history_file_error error;
	struct history loaded;
	uint64_t lost;
	char *text, *again;

	(void)state;
	history_initial(&history, 0, 0, NULL, 8192);
	did_open(1);
	answer(begin_write_of(1, 0, 4, 5), OK);
	answer(begin_write_stable(2, 9), -EIO);
	lost = begin_zeroes(3);
	lose_client_of(lost);
	history_power(&history, history.time, 2);
	may_lose();
	(void)begin_flush(1);
	answer_read_of(begin_read_of(2, 0, 4), half);
	answer(begin_read(2), -EIO);
	may_lose_flushed();
	did_close(1);
	final_block(5);
	text = saved(&history);
	assert_non_null(strstr(text, ",0*2\n"));
	assert_int_equal(load(&loaded, text, strlen(text), &error), 0);
	again = saved(&loaded);
	assert_string_equal(text, again);
	assert_int_equal(loaded.nr_ops, history.nr_ops);
	assert_int_equal(loaded.nr_losses, 2);
	assert_int_equal(loaded.nr_powers, 1);
	assert_int_equal(loaded.nr_final, 1);
	assert_int_equal(loaded.nr_initial, 1);
	for (size_t i = 0; i < loaded.nr_ops; i++) {
		assert_int_equal(loaded.ops[i].state, history.ops[i].state);
		assert_int_equal(loaded.ops[i].result, history.ops[i].result);
		assert_int_equal(loaded.ops[i].stable, history.ops[i].stable);
	}
	history_destroy(&loaded);
	free(text);
	free(again);
}

/* A line after the first, and what is said of it. */
static void bad_lines(void **state)
{
	static const struct {
		const char *line, *words;
	} lines[] = {
		{ "x begin 1 1 read 0 0 512 0 -", "time: a number" },
		{ "99999999999999999999 lost 1", "time: a number" },
		{ "5", "a time alone" },
		{ "5 jump 1", "there is no event \"jump\"" },
		{ "5 begin 1 1 read 0 0 512 0", "10 words expected, 9 are there" },
		{ "5 begin 1 1 read 0 0 512 0 - - -", "more than 11 words" },
		{ "5 begin one 1 read 0 0 512 0 -", "client: " },
		{ "5 begin 1 -1 read 0 0 512 0 -", "operation: " },
		{ "5 begin 1 1 fetch 0 0 512 0 -", "there is no kind \"fetch\"" },
		{ "5 begin 1 1 read 4294967296 0 512 0 -", "device: a number up to 4294967295" },
		{ "5 begin 1 1 read 0 1 512 0 -", "no whole blocks" },
		{ "5 begin 1 1 read 0 0 512 2 -", "stable: " },
		{ "5 begin 1 1 write 0 0 512 0 -", "without data" },
		{ "5 begin 1 1 write 0 0 512 0 1,2", "values: 2, for a length of 512" },
		{ "5 begin 1 1 write 0 0 1024 0 1;2", "\",\" expected at \";2\"" },
		{ "5 begin 1 1 write 0 0 1024 0 1*", "a number of blocks expected" },
		{ "5 begin 1 1 write 0 0 1024 0 1*0", "a number of blocks expected" },
		{ "5 begin 1 1 write 0 0 1024 0 1*99999999", "more than" },
		{ "5 begin 1 1 write 0 0 1024 0 10000000000000000", "hexadecimal" },
		{ "5 begin 1 1 write 0 0 1024 0 G", "hexadecimal" },
		{ "5 end 1 1 0 -", "operation 1 has not begun" },
		{ "5 end 1 1 99999999999 -", "result: " },
		{ "5 lost 7", "operation 7 has not begun" },
		{ "5 may-lose 2 all", "unflushed or flushed expected" },
		{ "5 power", "3 words expected, 2 are there" },
		{ "5 final 0 0 512 1,1", "values: 2" },
		{ "rdisk-history 2", "another version" },
	};
	struct history_file_error error;
	struct history loaded;
	char text[200];

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++) {
		int length = snprintf(text, sizeof(text), "rdisk-history 1\n# nothing\n\n%s\n", lines[i].line);

		assert_int_equal(load(&loaded, text, (size_t)length, &error), -EINVAL);
		if (!strstr(error.text, lines[i].words))
			fail_msg("\"%s\" is told: %s", lines[i].line, error.text);
		assert_int_equal(error.line, 4);
		history_destroy(&loaded);
	}
	assert_int_equal(load(&loaded, "5 lost 1\n", 9, &error), -EINVAL);
	assert_non_null(strstr(error.text, "this is no history"));
	history_destroy(&loaded);
	assert_int_equal(load(&loaded, "# none\n", 7, &error), -EINVAL);
	assert_non_null(strstr(error.text, "it is empty"));
	history_destroy(&loaded);
	assert_int_equal(load(&loaded, "rdisk-history 1\n5 \0 lost\n", 25, &error), -EINVAL);
	assert_non_null(strstr(error.text, "a byte of zero"));
	history_destroy(&loaded);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, checker_test_begin, checker_test_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(values),
		TEST(broken),
		TEST(saved_and_loaded),
		TEST(bad_lines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
