/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A member that comes back: what it is given, and in what pieces. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "replica_cluster.h"

enum { A, B, C, D, E };

/* Three copies, and votes enough to do without two of them. */
static int setup(void **state)
{
	*state = malloc(sizeof(struct cluster));
	assert_non_null(*state);
	cluster_init(*state, 5, member_bit(D) | member_bit(E));
	return 0;
}

static int teardown(void **state)
{
	cluster_end(*state);
	free(*state);
	return 0;
}

static void begin(struct cluster *cluster)
{
	cluster_start_all(cluster);
	cluster_until(cluster, cluster_serves, A);
	cluster_until(cluster, cluster_in_sync, B);
	cluster_until(cluster, cluster_in_sync, C);
}

static void assert_all_equal(struct cluster *cluster)
{
	for (int i = 1; i < cluster->members; i++) {
		if (!cluster->member[i].diskless)
			assert_memory_equal(cluster->member[0].image, cluster->member[i].image, CLUSTER_SIZE);
	}
}

/* Every second block, so that nothing is one range. */
static void write_scattered(struct cluster *cluster, uint32_t client, unsigned char byte)
{
	for (uint64_t at = 0; at < CLUSTER_SIZE; at += 2 * CLUSTER_BLOCK)
		assert_int_equal(cluster_write_now(cluster, A, client, at, byte), 0);
}

/* A queue that takes one message at a time of what can wait: all of it comes, in pieces, and the session stays. */
static void test_narrow_queue(void **state)
{
	struct cluster *cluster = *state;
	uint32_t client;

	begin(cluster);
	client = cluster_open(cluster, A);
	write_scattered(cluster, client, 1);
	cluster_kill(cluster, B);
	cluster_kill(cluster, C);
	cluster_start(cluster, B);
	cluster_until(cluster, cluster_in_sync, B);
	write_scattered(cluster, client, 2);
	cluster_kill(cluster, B);
	write_scattered(cluster, client, 3);
	cluster->bulk = 1;
	/* B says what was hot when it was killed; it is given that, and told what C lacks. */
	cluster_start(cluster, B);
	cluster_until(cluster, cluster_in_sync, B);
	assert_true(cluster->nr_refused > 3);
	cluster_kill(cluster, A);
	cluster_start(cluster, C);
	cluster_until(cluster, cluster_in_sync, C);
	assert_memory_equal(cluster->member[B].image, cluster->member[C].image, CLUSTER_SIZE);
	cluster_start(cluster, A);
	cluster_until(cluster, cluster_in_sync, A);
	assert_all_equal(cluster);
}

/* A full copy costs what is not zero; and zeroes are zeroes whatever was there. */
static void test_zeroes(void **state)
{
	struct cluster *cluster = *state;
	uint32_t client;

	begin(cluster);
	client = cluster_open(cluster, A);
	assert_int_equal(cluster_write_now(cluster, A, client, 8 * CLUSTER_BLOCK, 1), 0);
	assert_int_equal(cluster_write_now(cluster, A, client, 9 * CLUSTER_BLOCK, 2), 0);
	assert_int_equal(cluster_write_now(cluster, A, client, 21 * CLUSTER_BLOCK, 3), 0);
	cluster_kill(cluster, B);
	cluster_replace(cluster, B, 0xee);
	memset(cluster->data, 0, sizeof(cluster->data));
	cluster_start(cluster, B);
	cluster_until(cluster, cluster_in_sync, B);
	assert_int_equal(cluster->data[MESSAGE_COPY], 3 * CLUSTER_BLOCK);
	assert_all_equal(cluster);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_zeroes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_narrow_queue, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
