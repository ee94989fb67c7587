/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The core when there is no memory for data. All that it allocates while it runs is as long as blocks, or a block with
 * a byte more; frames are not.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "replica_cluster.h"

static bool none_for_data, none_for_copies;
static int refused;

void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);

void *__wrap_malloc(size_t size)
{
	if (none_for_data && size > 0 && size % CLUSTER_BLOCK == 0) {
		refused++;
		return NULL;
	}
	/* A block, and a byte that says whether it is equal. */
	if (none_for_copies && size == CLUSTER_BLOCK + 1) {
		refused++;
		return NULL;
	}
	return __real_malloc(size);
}

static int setup(void **state)
{
	int error = cluster_setup(state);

	none_for_data = none_for_copies = false;
	refused = 0;
	cluster_begin(*state);
	return error;
}

static int teardown(void **state)
{
	none_for_data = none_for_copies = false;
	return cluster_teardown(state);
}

/* The primary's own client: nothing was done, and it may ask again. */
static void test_write(void **state)
{
	struct cluster *cluster = *state;
	uint32_t client = cluster_open(cluster, A);

	none_for_data = true;
	assert_int_equal(cluster_write_now(cluster, A, client, 0, 1), -ENOMEM);
	assert_int_equal(refused, 1);
	none_for_data = false;
	for (int i = 0; i < 3; i++)
		assert_int_equal(cluster->member[i].image[0], 0);
	assert_int_equal(cluster_write_now(cluster, A, client, 0, 2), 0);
	assert_int_equal(cluster_read_now(cluster, A, client, 0), 2);
}

/* Another's, too. */
static void test_read(void **state)
{
	struct cluster *cluster = *state;
	uint32_t client = cluster_open(cluster, C);

	assert_int_equal(cluster_write_now(cluster, C, client, 0, 1), 0);
	none_for_data = true;
	assert_int_equal(cluster_read_now(cluster, C, client, 0), -ENOMEM);
	none_for_data = false;
	assert_int_equal(cluster_read_now(cluster, C, client, 0), 1);
}

/* A new primary makes nothing equal without memory: it does not serve before it has some. */
static void test_recovery(void **state)
{
	struct cluster *cluster = *state;
	struct cluster_request write;
	uint32_t client = cluster_open(cluster, A);

	cluster_lose(cluster, MESSAGE_WRITTEN, NO_MEMBER);
	cluster_write(cluster, A, client, &write, 0, 4096, 1);
	cluster_go(cluster, CLUSTER_HEARTBEAT / 10);
	assert_int_equal(write.result, 1);
	cluster_kill(cluster, A);
	cluster_lose_nothing(cluster);
	none_for_data = true;
	cluster_go(cluster, 5 * CLUSTER_LEASE);
	assert_true(refused > 1);
	assert_int_equal(cluster_primary(cluster), NO_MEMBER);
	none_for_data = false;
	client = cluster_open(cluster, B);
	assert_int_equal(cluster_read_now(cluster, B, client, 0), 1);
}

/* A range that all failed to write, and that cannot be made equal: who may have something else there leaves. */
static void test_range_that_failed(void **state)
{
	struct cluster *cluster = *state;
	struct cluster_request write;
	uint32_t client = cluster_open(cluster, A);

	for (int i = 0; i < 3; i++)
		cluster->member[i].io_result = -ENOSPC;
	cluster_write(cluster, A, client, &write, 0, 4096, 1);
	none_for_data = true;
	assert_int_equal(cluster_answer(cluster, &write), -ENOSPC);
	for (int i = 0; i < 3; i++)
		cluster->member[i].io_result = 0;
	cluster_go(cluster, CLUSTER_HEARTBEAT);
	assert_true(refused > 0);
	assert_false(cluster_in_sync(cluster, B));
	none_for_data = false;
	assert_int_equal(cluster_write_now(cluster, A, client, 0, 2), 0);
	cluster_until(cluster, cluster_in_sync, B);
	cluster_until(cluster, cluster_in_sync, C);
	assert_memory_equal(cluster->member[A].image, cluster->member[B].image, CLUSTER_SIZE);
}

/* A target is copied nothing meanwhile, and all of it when there is some. */
static void test_copy(void **state)
{
	struct cluster *cluster = *state;
	uint32_t client = cluster_open(cluster, A);

	cluster_kill(cluster, C);
	assert_int_equal(cluster_write_now(cluster, A, client, 4 * CLUSTER_BLOCK, 3), 0);
	cluster_go(cluster, 10 * CLUSTER_LEASE);
	none_for_copies = true;
	cluster_start(cluster, C);
	cluster_go(cluster, CLUSTER_LEASE);
	assert_true(refused > 1);
	assert_int_equal(cluster->sent[A][MESSAGE_COPY], 0);
	assert_int_equal(cluster->member[C].image[4 * CLUSTER_BLOCK], 0);
	none_for_copies = false;
	cluster_until(cluster, cluster_in_sync, C);
	assert_memory_equal(cluster->member[A].image, cluster->member[C].image, CLUSTER_SIZE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_write, setup, teardown),
		cmocka_unit_test_setup_teardown(test_read, setup, teardown),
		cmocka_unit_test_setup_teardown(test_recovery, setup, teardown),
		cmocka_unit_test_setup_teardown(test_range_that_failed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_copy, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
