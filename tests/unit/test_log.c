/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A log that nobody reads holds up nobody; what was left out of it is told when somebody does again.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "log.h"

#define LINES	   20000 /* more than a pipe has room for */
#define LINES_LESS 4	 /* so few that there is room for them */

static char text[1 << 21];

/* All that there is to read. */
static void drain(int fd)
{
	size_t length = 0;
	ssize_t bytes;

	while ((bytes = read(fd, text + length, sizeof(text) - 1 - length)) > 0)
		length += (size_t)bytes;
	text[length] = '\0';
}

static unsigned int count_lines(const char *what)
{
	unsigned int count = 0;

	for (const char *at = strstr(text, what); at; at = strstr(at + 1, what))
		count++;
	return count;
}

static void test_nobody_reads(void **state)
{
	int error = dup(STDERR_FILENO), ends[2];
	unsigned int written, said = 0;
	const char *left_out;

	(void)state;
	assert_true(error >= 0);
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	assert_int_equal(fcntl(ends[0], F_SETFL, O_NONBLOCK), 0);
	assert_true(dup2(ends[1], STDERR_FILENO) >= 0);
	for (int i = 0; i < LINES; i++)
		log_info("line");
	drain(ends[0]);
	written = count_lines("rdisk: info: line\n");
	for (int i = 0; i < LINES_LESS; i++)
		log_info("line");
	drain(ends[0]);
	assert_true(dup2(error, STDERR_FILENO) >= 0);
	close(error);
	close(ends[0]);
	close(ends[1]);
	assert_in_range(written, 1, LINES - 1);
	/* It comes before what is written next, and once. */
	assert_int_equal(count_lines("rdisk: info: line\n"), LINES_LESS);
	left_out = strstr(text, "rdisk: warning: ");
	assert_ptr_equal(left_out, text);
	assert_int_equal(sscanf(left_out, "rdisk: warning: %u lines were left out", &said), 1);
	assert_int_equal(said, LINES - written);
	assert_int_equal(count_lines("left out"), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_nobody_reads) };

	return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
