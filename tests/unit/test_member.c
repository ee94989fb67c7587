/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How a member is waited for: member_wait() ends when there is something to do, and not before. What a member does is
 * tested with processes (tests/local/member, tests/cluster).
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "member.h"
#include "test_directory.h"

#define QUIET_MS   200 /* in which a wait that looks now and then would have ended */
#define PATIENCE_S 60

static struct member *member;
static struct completions others;
static struct io io;

static int setup(void **state)
{
	struct diagnostic diagnostic = { "" };

	(void)state;
	if (member_create(&member, NULL, &diagnostic) || completions_init(&others, NULL))
		test_fatal("%s", diagnostic.text);
	member_rings_for(member, &others);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	(void)completions_take(member_completions(member));
	(void)completions_take(&others);
	completions_destroy(&others);
	member_destroy(member);
	return 0;
}

static void *wait_there(void *unused)
{
	(void)unused;
	member_wait(member, &others);
	return NULL;
}

static bool ended(pthread_t thread, long milliseconds)
{
	struct timespec end;

	clock_gettime(CLOCK_REALTIME, &end);
	end.tv_sec += (milliseconds + end.tv_nsec / 1000000) / 1000;
	end.tv_nsec = (milliseconds + end.tv_nsec / 1000000) % 1000 * 1000000;
	return pthread_timedjoin_np(thread, NULL, &end) == 0;
}

static pthread_t begin_wait(void)
{
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, wait_there, NULL), 0);
	assert_false(ended(thread, QUIET_MS));
	return thread;
}

static void test_wait_for_stores(void **state)
{
	pthread_t thread = begin_wait();

	(void)state;
	completions_put(member_completions(member), &io);
	assert_true(ended(thread, PATIENCE_S * 1000));
	/* It does not wait for what is there. */
	member_wait(member, NULL);
	assert_ptr_equal(completions_take(member_completions(member)), &io);
	/* What rang is over. */
	thread = begin_wait();
	member_ring(member);
	assert_true(ended(thread, PATIENCE_S * 1000));
}

static void test_wait_for_others(void **state)
{
	pthread_t thread = begin_wait();

	(void)state;
	completions_put(&others, &io);
	assert_true(ended(thread, PATIENCE_S * 1000));
	member_wait(member, &others);
	assert_ptr_equal(completions_take(&others), &io);
	/* Nobody is to be woken by what is put while nobody waits. */
	completions_put(&others, &io);
	assert_ptr_equal(completions_take(&others), &io);
	thread = begin_wait();
	member_ring(member);
	assert_true(ended(thread, PATIENCE_S * 1000));
	/* One that rings before the wait ends it, too. */
	member_ring(member);
	member_wait(member, &others);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_wait_for_stores, setup, teardown),
		cmocka_unit_test_setup_teardown(test_wait_for_others, setup, teardown),
	};

	return cmocka_run_group_tests_name("member", tests, NULL, NULL);
}
