/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What clients are told while nobody may serve: nothing (suspend), or EIO (error); and that the same clients go on when
 * somebody may. Also what the group service says of who is there. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "replica_cluster.h"

static void begin(struct cluster *cluster, member_set diskless, unsigned int min_in_sync, bool error)
{
	cluster_end(cluster);
	cluster_init(cluster, 3, diskless);
	cluster->min_in_sync = min_in_sync;
	cluster->error_on_no_quorum = error;
	cluster_start_all(cluster);
	cluster_until(cluster, cluster_serves, A);
	cluster_until(cluster, cluster_in_sync, B);
}

/* One of each kind, at one member, of a client that has the device open. */
struct requests {
	uint32_t client, opened;
	struct cluster_request write, read, flush, open;
};

static void ask(struct cluster *cluster, int member, struct requests *requests)
{
	cluster_write(cluster, member, requests->client, &requests->write, 0, 4096, 9);
	cluster_read(cluster, member, requests->client, &requests->read, 8192, 4096);
	cluster_flush(cluster, member, requests->client, &requests->flush);
	requests->opened = cluster_ask_to_open(cluster, member, &requests->open, true, false);
}

static void expect(const struct requests *requests, int result)
{
	assert_int_equal(requests->write.result, result);
	assert_int_equal(requests->read.result, result);
	assert_int_equal(requests->flush.result, result);
	assert_int_equal(requests->open.result, result);
}

/* While something is missing, and after that; at the primary and at a forwarder. Then others may have the device. */
static void play(struct cluster *cluster, bool error, void (*miss)(struct cluster *cluster),
		 void (*back)(struct cluster *cluster))
{
	struct requests at[2] = { 0 };
	const int members[2] = { A, C };

	for (int i = 0; i < 2; i++)
		at[i].client = cluster_open(cluster, members[i]);
	miss(cluster);
	/* Until then what is answered is right. */
	cluster_go(cluster, 2 * CLUSTER_LEASE);
	ask(cluster, A, &at[0]);
	ask(cluster, C, &at[1]);
	cluster_go(cluster, 2 * CLUSTER_LEASE);
	for (int i = 0; i < 2; i++)
		expect(&at[i], error ? -EIO : 1);
	back(cluster);
	cluster_until(cluster, cluster_in_sync, B);
	for (int i = 0; i < 2; i++) {
		if (!error) {
			(void)cluster_answer(cluster, &at[i].write);
			(void)cluster_answer(cluster, &at[i].read);
			(void)cluster_answer(cluster, &at[i].flush);
			(void)cluster_answer(cluster, &at[i].open);
			expect(&at[i], 0);
		}
		assert_int_equal(cluster_write_now(cluster, members[i], at[i].client, 4096, 3), 0);
		assert_int_equal(cluster_read_now(cluster, members[i], at[i].client, 4096), 3);
		assert_int_equal(cluster_flush_now(cluster, members[i], at[i].client), 0);
	}
}

/* Nobody sees anybody. */
static void cut_all(struct cluster *cluster)
{
	cluster_cut(cluster, A, true);
	cluster_cut(cluster, B, true);
	cluster_cut(cluster, C, true);
}

static void heal_all(struct cluster *cluster)
{
	cluster_cut(cluster, A, false);
	cluster_cut(cluster, B, false);
	cluster_cut(cluster, C, false);
}

/* A and C, who votes, are a majority: but A alone is in sync. */
static void kill_b(struct cluster *cluster)
{
	cluster_kill(cluster, B);
}

static void start_b(struct cluster *cluster)
{
	cluster_start(cluster, B);
}

static void test_no_majority(void **state)
{
	struct cluster *cluster = *state;

	begin(cluster, 0, 1, false);
	play(cluster, false, cut_all, heal_all);
	begin(cluster, 0, 1, true);
	play(cluster, true, cut_all, heal_all);
}

static void test_too_few_in_sync(void **state)
{
	struct cluster *cluster = *state;

	begin(cluster, member_bit(C), 2, false);
	play(cluster, false, kill_b, start_b);
	begin(cluster, member_bit(C), 2, true);
	play(cluster, true, kill_b, start_b);
}

/* The last in-sync one is not there: a majority that cannot serve. */
static void test_none_in_sync(void **state)
{
	struct cluster *cluster = *state;
	struct requests at_b = { 0 }, at_c = { 0 };

	for (int error = 0; error < 2; error++) {
		begin(cluster, member_bit(C), 1, error);
		at_c.client = cluster_open(cluster, C);
		cluster_kill(cluster, B);
		assert_int_equal(cluster_write_now(cluster, C, at_c.client, 0, 1), 0);
		cluster_kill(cluster, A);
		cluster_start(cluster, B);
		cluster_go(cluster, CLUSTER_LEASE);
		at_b.client = cluster_ask_to_open(cluster, B, &at_b.open, true, false);
		cluster_read(cluster, C, at_c.client, &at_c.read, 0, 4096);
		cluster_go(cluster, 5 * CLUSTER_LEASE);
		assert_int_equal(at_b.open.result, error ? -EIO : 1);
		assert_int_equal(at_c.read.result, error ? -EIO : 1);
		cluster_start(cluster, A);
		cluster_until(cluster, cluster_in_sync, B);
		at_b.client = cluster_open(cluster, B);
		assert_int_equal(cluster_read_now(cluster, B, at_b.client, 0), 1);
	}
}

/* ---- the group service ---- */

static void show(struct cluster *cluster, int member, member_set view)
{
	replica_view(cluster->member[member].replica, cluster->now, view);
}

/* How long it takes until somebody else serves, when the primary's process dies. */
static uint64_t time_to_promotion(struct cluster *cluster, bool has_view, member_set view)
{
	uint64_t from;

	cluster_end(cluster);
	cluster_init(cluster, 3, 0);
	cluster_start_all(cluster);
	cluster_until(cluster, cluster_serves, A);
	cluster_until(cluster, cluster_in_sync, B);
	cluster_until(cluster, cluster_in_sync, C);
	for (int i = B; i <= C && has_view; i++)
		show(cluster, i, view);
	from = cluster->now;
	cluster_kill(cluster, A);
	while (cluster_primary(cluster) == NO_MEMBER) {
		assert_true(cluster->now < from + 60 * CLUSTER_LEASE);
		cluster_go(cluster, CLUSTER_HEARTBEAT / 10);
	}
	return cluster->now - from;
}

/* A view says when to act; a ghost in it, or one that sees nobody, costs time, and bounded. */
static void test_views(void **state)
{
	struct cluster *cluster = *state;
	member_set all = member_bit(A) | member_bit(B) | member_bit(C);
	uint64_t gone = time_to_promotion(cluster, true, all & (member_set)~member_bit(A));
	uint64_t ghost = time_to_promotion(cluster, true, all);
	uint64_t nobody = time_to_promotion(cluster, true, 0);
	/* Until leases have run out nobody can be primary. */
	uint64_t bound = CLUSTER_LEASE * 5;

	assert_true(gone < ghost);
	assert_true(nobody < ghost);
	assert_true(ghost < bound);
}

/* Silent, and not seen by the group service: half of the time is enough; also if the view came before the silence. */
static void test_silent_and_not_seen(void **state)
{
	struct cluster *cluster = *state;
	struct cluster_request write;
	uint32_t client;

	begin(cluster, 0, 1, false);
	client = cluster_open(cluster, A);
	for (int seen = 1; seen >= 0; seen--) {
		cluster_until(cluster, cluster_in_sync, B);
		show(cluster, A, (member_set)(member_bit(A) | member_bit(C) | (seen ? member_bit(B) : 0)));
		cluster->mute[B] = true;
		cluster_write(cluster, A, client, &write, 0, 4096, 1);
		cluster_go(cluster, 3 * CLUSTER_HEARTBEAT);
		assert_int_equal(write.result, seen ? 1 : 0);
		cluster->mute[B] = false;
		assert_int_equal(cluster_answer(cluster, &write), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_no_majority, cluster_setup, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_too_few_in_sync, cluster_setup, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_none_in_sync, cluster_setup, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_views, cluster_setup, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_silent_and_not_seen, cluster_setup, cluster_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
