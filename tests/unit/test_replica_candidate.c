/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who is to be admitted, or to be primary next, goes while that is proposed: it may be decided by then, and nobody may
 * know yet.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core.h"
#include "replica_cluster.h"
#include "replica_stray.h"

/* The session of a candidate ends while it is proposed: it may be admitted by now, and answers still need its word. */
static void test_candidate_leaves(void **state)
{
	struct cluster *cluster = *state;
	struct replica_configuration before;
	struct cluster_request write;
	uint32_t client;

	stray_begin(cluster);
	cluster_kill(cluster, C);
	client = cluster_open(cluster, A);
	assert_int_equal(cluster_write_now(cluster, A, client, CLUSTER_BLOCK, 1), 0);
	before = cluster_status(cluster, A).configuration;
	cluster_lose(cluster, MESSAGE_ACCEPTED, B);
	cluster_start(cluster, C);
	cluster_go(cluster, CLUSTER_HEARTBEAT / 2);
	cluster->member[C].io_hangs = true;
	cluster_write(cluster, A, client, &write, 2 * CLUSTER_BLOCK, CLUSTER_BLOCK, 2);
	cluster_go(cluster, CLUSTER_HEARTBEAT / 100);
	cluster_cut(cluster, C, true);
	cluster_go(cluster, CLUSTER_HEARTBEAT);
	cluster_lose_nothing(cluster);
	cluster->member[C].io_hangs = false;
	cluster_go(cluster, CLUSTER_LEASE * 3);
	assert_int_equal(cluster_answer(cluster, &write), 0);
	cluster_cut(cluster, C, false);
	stray_assert_well(cluster, &before);
}

/* The same before anybody has accepted it, the candidate's own primary included. */
static void test_candidate_leaves_early(void **state)
{
	struct cluster *cluster = *state;
	struct replica_configuration before;
	struct cluster_request write, open, zeroes = { .request = { .kind = ENTRY_ZEROES } };
	uint32_t client;

	stray_begin(cluster);
	cluster_kill(cluster, C);
	client = cluster_open(cluster, A);
	assert_int_equal(cluster_write_now(cluster, A, client, CLUSTER_BLOCK, 1), 0);
	before = cluster_status(cluster, A).configuration;
	cluster_lose(cluster, MESSAGE_PROMISE, NO_MEMBER);
	cluster_start(cluster, C);
	cluster_go(cluster, CLUSTER_HEARTBEAT / 2);
	assert_int_equal(cluster->member[A].replica->reign.candidate, C);
	assert_int_equal(cluster_status(cluster, A).configuration.epoch, before.epoch);
	cluster->member[C].io_hangs = true;
	cluster_write(cluster, A, client, &write, 2 * CLUSTER_BLOCK, CLUSTER_BLOCK, 2);
	cluster_ask_to_open(cluster, A, &open, true, false);
	zeroes.request.client = client;
	zeroes.request.position = 5 * CLUSTER_BLOCK;
	zeroes.request.length = CLUSTER_BLOCK;
	cluster_submit(cluster, A, &zeroes);
	cluster_go(cluster, CLUSTER_HEARTBEAT / 100);
	assert_int_equal(write.result, 1);
	assert_int_equal(zeroes.result, 1);
	cluster_cut(cluster, C, true);
	/* It may be admitted yet: it lacks what it has not acknowledged, and that is not answered without it. */
	assert_true(cluster_status(cluster, A).members[C].out_of_sync >= 2 * CLUSTER_BLOCK);
	cluster_go(cluster, CLUSTER_HEARTBEAT);
	assert_int_equal(write.result, 1);
	cluster_lose_nothing(cluster);
	cluster->member[C].io_hangs = false;
	cluster_go(cluster, CLUSTER_LEASE * 3);
	assert_int_equal(cluster_answer(cluster, &write), 0);
	assert_int_equal(cluster_answer(cluster, &zeroes), 0);
	assert_int_equal(cluster_answer(cluster, &open), 0);
	cluster_cut(cluster, C, false);
	stray_assert_well(cluster, &before);
}

/* Who is to be primary next goes before that is decided: another one is. */
static void test_successor_leaves(void **state)
{
	struct cluster *cluster = *state;
	struct replica_configuration before;
	const char *why = NULL;

	before = stray_begin(cluster);
	cluster_lose(cluster, MESSAGE_PROMISE, NO_MEMBER);
	assert_int_equal(replica_promote(cluster->member[A].replica, cluster->now, B, &why), 0);
	cluster_go(cluster, CLUSTER_HEARTBEAT / 10);
	assert_int_equal(cluster_status(cluster, A).configuration.epoch, before.epoch);
	assert_int_equal(cluster_primary(cluster), NO_MEMBER);
	cluster_kill(cluster, B);
	cluster_lose_nothing(cluster);
	cluster_until(cluster, cluster_serves, C);
	cluster_start(cluster, B);
	stray_assert_well(cluster, &before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_candidate_leaves, cluster_setup, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_candidate_leaves_early, cluster_setup, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_successor_leaves, cluster_setup, cluster_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
