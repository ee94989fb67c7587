/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Requests that wait for a disk, without clients: whose memory they are about, and what becomes of them when nobody
 * waits any more. The server as a whole is tested in tests/local/server/test_suspend.c.
 */
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "fake_dvk.h"
#include "suspended.h"

#define CLIENT 30
#define MEMORY 40

static struct suspension suspension;
static struct image image;
static sem_t finished;

static void wake(void)
{
	sem_post(&finished);
}

static int setup(void **state)
{
	(void)state;
	memset(&fake_dvk, 0, sizeof(fake_dvk));
	memset(&suspension, 0, sizeof(suspension));
	image = (struct image){ .name = "IMAGE", .size = 8192, .fd = memfd_create("image", MFD_CLOEXEC) };
	if (image.fd < 0 || ftruncate(image.fd, 8192) || sem_init(&finished, 0, 0))
		return -1;
	fake_dvk.incarnations[dvk_endpoint_slot(CLIENT)] = 100;
	fake_dvk.incarnations[dvk_endpoint_slot(MEMORY)] = 200;
	return workers_start(&suspension.workers, wake);
}

static int teardown(void **state)
{
	(void)state;
	workers_stop(&suspension.workers);
	sem_destroy(&finished);
	return close(image.fd);
}

static struct suspended *suspend_fetch(void)
{
	struct attempt attempt = { 0 };

	assert_int_equal(attempt_suspend(&attempt, JOB_FETCH, &image, 0, 8192), SUSPEND);
	return suspended_new(&suspension, CLIENT, MEMORY, &attempt);
}

static struct suspended *await_ready(void)
{
	while (sem_wait(&finished))
		;
	return suspended_next_ready(&suspension);
}

static void test_memory_of_a_successor(void **state)
{
	struct suspended *suspended = suspend_fetch();

	(void)state;
	assert_non_null(suspended);
	assert_ptr_equal(await_ready(), suspended);
	assert_true(suspended_memory_is_there(suspended));
	assert_int_equal(suspended_attempt(&suspension, suspended).done->result, 0);
	fake_dvk.incarnations[dvk_endpoint_slot(MEMORY)] = 201;
	assert_false(suspended_memory_is_there(suspended));
	suspended_free(&suspension, suspended);
	/* whoever is not known cannot be told from his successor */
	fake_dvk.incarnations[dvk_endpoint_slot(MEMORY)] = 0;
	assert_null(suspend_fetch());
}

static void test_abandoned(void **state)
{
	struct suspended *first = suspend_fetch();

	(void)state;
	assert_non_null(first);
	rendezvous_of(&suspension, CLIENT)->open = true;
	rendezvous_give_up(&suspension, CLIENT);
	assert_false(rendezvous_of(&suspension, CLIENT)->open);
	assert_int_equal(rendezvous_of(&suspension, CLIENT)->nr_suspended, 0);
	/* Withdrawn or not, it is never given out as ready, and its place is used again. */
	workers_stop(&suspension.workers);
	assert_null(suspended_next_ready(&suspension));
	assert_int_equal(first->state, SUSPENDED_FREE);
}

static void test_the_end(void **state)
{
	(void)state;
	suspension.all_in_place = true;
	assert_null(suspend_fetch());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_memory_of_a_successor, setup, teardown),
		cmocka_unit_test_setup_teardown(test_abandoned, setup, teardown),
		cmocka_unit_test_setup_teardown(test_the_end, setup, teardown),
	};

	return cmocka_run_group_tests_name("suspended", tests, NULL, NULL);
}
