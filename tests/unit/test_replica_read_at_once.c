/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reads that need no entry: when they are done within the call, and when they have to go the way of all others. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "replica_cluster.h"

#define PLACE (4 * CLUSTER_BLOCK)

static unsigned char data[CLUSTER_BLOCK];

static bool reads(struct cluster *cluster, int member, uint32_t client, uint64_t position)
{
	const struct iovec vector = { data, sizeof(data) };
	struct io io = {
		.operation = IO_READ,
		.client = client,
		.position = position,
		.length = sizeof(data),
		.vector = &vector,
		.count = 1,
	};

	return replica_read_at_once(cluster->member[member].replica, cluster->now, 0, &io);
}

static void test_serving(void **state)
{
	struct cluster *cluster = *state;
	uint32_t client;

	cluster_begin(cluster);
	client = cluster_open(cluster, A);
	assert_int_equal(cluster_write_now(cluster, A, client, PLACE, 7), 0);
	assert_true(reads(cluster, A, client, PLACE));
	assert_int_equal(data[0], 7);
	assert_int_equal(data[sizeof(data) - 1], 7);
	/* One that has nothing open, and one that has closed. */
	assert_false(reads(cluster, A, client + 1000, PLACE));
	replica_forget_client(cluster->member[A].replica, cluster->now, client);
	assert_false(reads(cluster, A, client, PLACE));
}

static void test_backup(void **state)
{
	struct cluster *cluster = *state;
	uint32_t client;

	cluster_begin(cluster);
	client = cluster_open(cluster, B);
	assert_false(reads(cluster, B, client, PLACE));
	assert_int_equal(cluster_read_now(cluster, B, client, PLACE), 0);
}

/* What others may not have yet is not seen; what does not overlap it is. */
static void test_write_under_way(void **state)
{
	struct cluster *cluster = *state;
	struct cluster_request write;
	uint32_t client;

	cluster_begin(cluster);
	client = cluster_open(cluster, A);
	cluster_lose(cluster, MESSAGE_WRITE, A);
	cluster_write(cluster, A, client, &write, PLACE, CLUSTER_BLOCK, 9);
	cluster_go(cluster, CLUSTER_HEARTBEAT / 10);
	assert_int_equal(cluster->member[A].image[PLACE], 9);
	assert_false(reads(cluster, A, client, PLACE));
	assert_false(reads(cluster, A, client, PLACE + CLUSTER_BLOCK / 2));
	assert_true(reads(cluster, A, client, PLACE + CLUSTER_BLOCK));
	cluster_lose_nothing(cluster);
	assert_int_equal(cluster_answer(cluster, &write), 0);
	assert_true(reads(cluster, A, client, PLACE));
	assert_int_equal(data[0], 9);
}

/* Without a lease another may have written elsewhere. */
static void test_lease(void **state)
{
	struct cluster *cluster = *state;
	uint32_t client;

	cluster_begin(cluster);
	client = cluster_open(cluster, A);
	cluster_cut(cluster, A, true);
	assert_true(reads(cluster, A, client, PLACE));
	cluster->now += 2 * CLUSTER_LEASE;
	assert_false(reads(cluster, A, client, PLACE));
}

static void test_store(void **state)
{
	struct cluster *cluster = *state;
	uint32_t client;

	cluster_begin(cluster);
	client = cluster_open(cluster, A);
	cluster->member[A].read_result = -EIO;
	assert_false(reads(cluster, A, client, PLACE));
	cluster->member[A].read_result = 0;
	assert_true(reads(cluster, A, client, PLACE));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_serving, cluster_setup, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_backup, cluster_setup, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_write_under_way, cluster_setup, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_lease, cluster_setup, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_store, cluster_setup, cluster_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
