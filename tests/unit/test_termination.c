/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Being asked to end: it wakes whoever sleeps, again and again, until that was noticed; and not any more then, however
 * often it is asked.
 */
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "termination.h"

#define QUIET_MS 200 /* twenty times what is between two wake-ups */

static void assert_woken(void)
{
	assert_int_equal(poll(NULL, 0, -1), -1);
	assert_int_equal(errno, EINTR);
}

static void test_termination(void **state)
{
	(void)state;
	assert_int_equal(termination_setup(), 0);
	assert_false(termination_requested());
	assert_int_equal(poll(NULL, 0, QUIET_MS), 0);
	assert_int_equal(raise(SIGTERM), 0);
	assert_true(termination_requested());
	for (int i = 0; i < 3; i++)
		assert_woken();
	termination_acknowledge();
	assert_int_equal(poll(NULL, 0, QUIET_MS), 0);
	assert_int_equal(raise(SIGTERM), 0);
	assert_int_equal(raise(SIGINT), 0);
	assert_int_equal(poll(NULL, 0, QUIET_MS), 0);
	assert_true(termination_requested());
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_termination) };

	return cmocka_run_group_tests_name("termination", tests, NULL, NULL);
}
