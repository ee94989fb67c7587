/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The disk with a member's metadata hangs, alone or with its image: who cannot keep what it decides is primary no
 * longer, if another can be, and is again when its disk answers. Failing saves are in test_replica_edges.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "core.h"
#include "replica_cluster.h"

static void hang(struct cluster *cluster, int member, bool image)
{
	cluster->member[member].saves_hang = true;
	cluster->member[member].io_hangs = image;
}

static void answer_again(struct cluster *cluster, int member)
{
	cluster->member[member].saves_hang = false;
	cluster->member[member].io_hangs = false;
	for (int i = 0; i < cluster->members; i++) {
		if (!cluster->member[i].diskless)
			cluster_until(cluster, cluster_in_sync, i);
	}
	cluster_assert_equal(cluster);
}

/* The extent that is written was not, so that its log has to be saved first. */
static void primary_hangs(struct cluster *cluster, bool image)
{
	struct cluster_request write;
	uint32_t client;

	cluster_begin(cluster);
	assert_int_equal(cluster_primary(cluster), A);
	client = cluster_open(cluster, C);
	assert_int_equal(cluster_write_now(cluster, C, client, 0, 1), 0);
	hang(cluster, A, image);
	cluster_write(cluster, C, client, &write, CLUSTER_SIZE / 2, CLUSTER_BLOCK, 2);
	assert_int_equal(cluster_answer(cluster, &write), 0);
	assert_int_not_equal(cluster_primary(cluster), A);
	assert_int_equal(cluster_flush_now(cluster, C, client), 0);
	assert_int_equal(cluster_read_now(cluster, C, client, 0), 1);
	assert_true(cluster->told[A][REPLICA_EVENT_DISK] > 0);
	answer_again(cluster, A);
	assert_int_equal(cluster_read_now(cluster, C, client, CLUSTER_SIZE / 2), 2);
}

static void test_primary(void **state)
{
	primary_hangs(*state, false);
}

static void test_primary_and_its_image(void **state)
{
	primary_hangs(*state, true);
}

/* Only a decision finds it: a backup is gone, and the primary cannot have it removed. */
static void test_nothing_but_a_decision(void **state)
{
	struct cluster *cluster = *state;
	struct cluster_request write;
	uint32_t client;

	cluster_begin(cluster);
	client = cluster_open(cluster, C);
	assert_int_equal(cluster_write_now(cluster, C, client, 0, 1), 0);
	hang(cluster, A, false);
	cluster_kill(cluster, B);
	cluster_write(cluster, C, client, &write, 0, CLUSTER_BLOCK, 2);
	assert_int_equal(cluster_answer(cluster, &write), 0);
	assert_int_not_equal(cluster_primary(cluster), A);
	cluster_start(cluster, B);
	answer_again(cluster, A);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_primary, cluster_setup, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_primary_and_its_image, cluster_setup, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_nothing_but_a_decision, cluster_setup_five, cluster_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
