/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Hand-overs whose successor vanishes: before it is proposed, and after the disk of the one that hands over has failed.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core.h"
#include "replica_cluster.h"

#define MOMENT (CLUSTER_HEARTBEAT / 100)

/* What hangs at the disk of A comes back: flushes are good, and nothing else is. */
static void come_back(struct cluster *cluster)
{
	struct cluster_member *member = &cluster->member[A];
	int nr_hung = member->nr_hung;
	struct io *hung[64];

	assert_true(nr_hung > 0);
	memcpy(hung, member->hung, sizeof(hung));
	member->nr_hung = 0;
	member->io_hangs = false;
	for (int i = 0; i < nr_hung; i++) {
		hung[i]->result = hung[i]->operation == IO_FLUSH ? 0 : -EIO;
		replica_io_done(member->replica, cluster->now, hung[i]);
	}
	assert_true(member->replica->reign.disk_failed);
}

/* A goes on to be the primary when others are back: what failed once is not held against it for ever. */
static void assert_stays(struct cluster *cluster)
{
	assert_false(cluster->member[A].replica->reign.disk_failed);
	for (int i = B; i <= C; i++) {
		if (!cluster->member[i].replica)
			cluster_start(cluster, i);
		if (!cluster->member[i].diskless)
			cluster_until(cluster, cluster_in_sync, i);
	}
	cluster_go(cluster, 5 * CLUSTER_LEASE);
	assert_true(cluster_serves(cluster, A));
	assert_true(cluster_in_sync(cluster, B));
	cluster_assert_equal(cluster);
}

/* A write fails at A, which hands over to B; B dies before that is decided. */
static void test_vanishes(void **state)
{
	struct cluster *cluster = *state;
	struct cluster_request write;
	uint32_t client;

	cluster_begin_other(cluster, 3, member_bit(C));
	client = cluster_open(cluster, A);
	assert_int_equal(cluster_write_now(cluster, A, client, 0, 1), 0);
	cluster->member[A].io_hangs = true;
	cluster_write(cluster, A, client, &write, 0, CLUSTER_BLOCK, 2);
	cluster_go(cluster, MOMENT);
	cluster_cut_link(cluster, A, C, true);
	come_back(cluster);
	cluster_kill(cluster, B);
	cluster_cut_link(cluster, A, C, false);
	cluster_until(cluster, cluster_serves, A);
	assert_int_equal(cluster_answer(cluster, &write), 0);
	assert_stays(cluster);
}

/* The same while A sees no majority, so that it proposes nothing before B is gone. */
static void test_vanishes_unasked(void **state)
{
	struct cluster *cluster = *state;
	struct cluster_request write, read;
	uint32_t client;

	cluster_begin(cluster);
	client = cluster_open(cluster, A);
	assert_int_equal(cluster_write_now(cluster, A, client, 0, 1), 0);
	assert_int_equal(cluster_write_now(cluster, A, client, 8 * CLUSTER_BLOCK, 1), 0);
	cluster_kill(cluster, C);
	cluster_until(cluster, cluster_not_in_sync, C);
	for (int i = D; i <= E; i++)
		cluster_cut_link(cluster, A, i, true);
	cluster->member[A].io_hangs = true;
	cluster_write(cluster, A, client, &write, 0, CLUSTER_BLOCK, 2);
	cluster_read(cluster, A, client, &read, 8 * CLUSTER_BLOCK, CLUSTER_BLOCK);
	cluster_go(cluster, MOMENT);
	come_back(cluster);
	cluster_kill(cluster, B);
	cluster_go(cluster, MOMENT);
	for (int i = D; i <= E; i++)
		cluster_cut_link(cluster, A, i, false);
	assert_int_equal(cluster_answer(cluster, &write), 0);
	assert_int_equal(cluster_answer(cluster, &read), 0);
	assert_int_equal(read.data[0], 1);
	assert_stays(cluster);
}

/* B, who is to be primary, ends while A collects promises: nobody is asked to accept it. */
static void test_gone_before_it_is_proposed(void **state)
{
	struct cluster *cluster = *state;
	const struct decision *decision;
	const char *why;
	uint64_t epoch;

	cluster_begin(cluster);
	cluster_go(cluster, 5 * CLUSTER_LEASE);
	epoch = cluster_status(cluster, A).configuration.epoch;
	cluster_lose(cluster, MESSAGE_PROMISE, B);
	cluster->member[C].saves_hang = true;
	assert_int_equal(replica_promote(cluster->member[A].replica, cluster->now, B, &why), 0);
	decision = &cluster->member[A].replica->decision;
	while (!member_in(decision->answers, A))
		cluster_go(cluster, MOMENT / 100);
	assert_int_equal(decision->phase, PROPOSAL_COLLECTING);
	cluster_kill(cluster, B);
	cluster_lose_nothing(cluster);
	cluster->member[C].saves_hang = false;
	cluster_until(cluster, cluster_not_in_sync, B);
	assert_int_equal(cluster_status(cluster, A).configuration.epoch, epoch + 1);
	cluster_start(cluster, B);
	cluster_until(cluster, cluster_in_sync, B);
	cluster_assert_equal(cluster);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_vanishes, cluster_setup, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_vanishes_unasked, cluster_setup_five, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_gone_before_it_is_proposed, cluster_setup, cluster_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
