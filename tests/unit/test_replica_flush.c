/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Flushes that fail where it is easily overlooked. The system tells of an error once: what it could not write it takes
 * for written from then on, and every later flush says yes.
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

/* A, the primary, hands over while its flush is under way. Whoever that was for, A has lost what it did not write. */
static void test_of_a_reign_that_is_over(void **state)
{
	struct cluster *cluster = *state;
	struct cluster_request flush;
	const char *why;
	uint32_t client;

	cluster_begin(cluster);
	client = cluster_open(cluster, A);
	assert_int_equal(cluster_write_now(cluster, A, client, 0, 1), 0);
	cluster->member[A].io_hangs = true;
	cluster_flush(cluster, A, client, &flush);
	cluster_go(cluster, MOMENT);
	assert_true(cluster->member[A].nr_hung > 0);
	assert_int_equal(replica_promote(cluster->member[A].replica, cluster->now, B, &why), 0);
	cluster_until(cluster, cluster_serves, B);
	assert_true(cluster_in_sync(cluster, A));
	cluster_come_back(cluster, A, 0, -EIO);
	cluster->member[A].io_hangs = false;
	cluster_until(cluster, cluster_not_in_sync, A);
	cluster_until(cluster, cluster_in_sync, A);
	assert_int_equal(cluster_answer(cluster, &flush), 0);
	cluster_assert_equal(cluster);
}

/*
 * B's flush for a stable write fails, and that of the set, which began before it was known, says yes: B may have lost
 * what was written before, and A keeps it in mind.
 */
static void test_beside_a_stable_write(void **state)
{
	struct cluster *cluster = *state;
	struct cluster_request stable, flush;
	uint32_t client;

	cluster_begin(cluster);
	client = cluster_open(cluster, A);
	assert_int_equal(cluster_flush_now(cluster, A, client), 0);
	assert_int_equal(cluster_write_now(cluster, A, client, 0, 1), 0);
	cluster->member[B].io_hangs = true;
	cluster_write_stable(cluster, A, client, &stable, 9 * CLUSTER_BLOCK, 2);
	cluster_go(cluster, MOMENT);
	assert_int_equal(cluster->member[B].nr_hung, 1);
	cluster_come_back(cluster, B, 0, 0); /* written, and to be flushed now */
	cluster_flush(cluster, A, client, &flush);
	cluster_go(cluster, MOMENT);
	assert_int_equal(cluster->member[B].nr_hung, 2);
	cluster_come_back(cluster, B, 0, -EIO);
	cluster_come_back(cluster, B, 0, 0);
	cluster->member[B].io_hangs = false;
	cluster_until(cluster, cluster_not_in_sync, B);
	assert_true(cluster_status(cluster, A).members[B].out_of_sync >= 2 * CLUSTER_BLOCK);
	assert_int_equal(cluster_answer(cluster, &flush), 0);
	cluster_until(cluster, cluster_in_sync, B);
	cluster_go(cluster, 3 * CLUSTER_LEASE);
	cluster_assert_equal(cluster);
}

/*
 * The other way round: B's flush of the set fails, and the one that follows it, for a stable write, says yes. What that
 * one wrote may have been lost by the first: it is not answered before B is out.
 */
static void test_stable_write_behind_it(void **state)
{
	struct cluster *cluster = *state;
	struct cluster_request stable, flush;
	uint32_t client;

	cluster_begin(cluster);
	client = cluster_open(cluster, A);
	assert_int_equal(cluster_write_now(cluster, A, client, 9 * CLUSTER_BLOCK, 1), 0);
	cluster->member[B].io_hangs = true;
	cluster_flush(cluster, A, client, &flush);
	cluster_go(cluster, MOMENT);
	cluster_write_stable(cluster, A, client, &stable, 9 * CLUSTER_BLOCK, 2);
	cluster_go(cluster, MOMENT);
	assert_int_equal(cluster->member[B].nr_hung, 2);
	cluster_come_back(cluster, B, 1, 0);
	/* Nobody decides anything yet. */
	for (int i = A; i <= C; i++)
		cluster->member[i].saves_hang = true;
	cluster_come_back(cluster, B, 0, -EIO);
	cluster_come_back(cluster, B, 0, 0);
	cluster_go(cluster, MOMENT);
	assert_int_equal(stable.result, 1);
	for (int i = A; i <= C; i++)
		cluster->member[i].saves_hang = false;
	cluster->member[B].io_hangs = false;
	cluster_until(cluster, cluster_not_in_sync, B);
	assert_int_equal(cluster_answer(cluster, &stable), 0);
	assert_int_equal(cluster_answer(cluster, &flush), 0);
	cluster_until(cluster, cluster_in_sync, B);
	cluster_go(cluster, 3 * CLUSTER_LEASE);
	/* All that it is sent then is stable. */
	cluster_submit(cluster, A, &stable);
	assert_int_equal(cluster_answer(cluster, &stable), 0);
	assert_true(cluster_in_sync(cluster, B));
	cluster_assert_equal(cluster);
}

/* The same when nobody hears of it, as the primary is gone: B itself leaves, whoever is the next one. */
static void test_of_a_backup_alone(void **state)
{
	struct cluster *cluster = *state;
	struct cluster_request stable;
	uint32_t client;

	cluster_begin(cluster);
	client = cluster_open(cluster, C);
	assert_int_equal(cluster_write_now(cluster, C, client, 0, 1), 0);
	cluster->member[B].io_hangs = true;
	cluster_write_stable(cluster, C, client, &stable, 9 * CLUSTER_BLOCK, 2);
	cluster_go(cluster, MOMENT);
	assert_int_equal(cluster->member[B].nr_hung, 1);
	cluster_come_back(cluster, B, 0, 0);
	assert_int_equal(cluster->member[B].nr_hung, 1);
	cluster_kill(cluster, A);
	cluster_come_back(cluster, B, 0, -EIO);
	cluster->member[B].io_hangs = false;
	cluster_lose(cluster, MESSAGE_COLLECT, B);
	cluster_until(cluster, cluster_not_in_sync, B);
	assert_int_equal(cluster_primary(cluster), C);
	cluster_lose_nothing(cluster);
	assert_int_equal(cluster_answer(cluster, &stable), 0);
	cluster_start(cluster, A);
	cluster_until(cluster, cluster_in_sync, A);
	cluster_until(cluster, cluster_in_sync, B);
	cluster_assert_equal(cluster);
}

static bool is_outdated(struct cluster *cluster, int member)
{
	return cluster_status(cluster, A).members[member].state == REPLICA_MEMBER_OUTDATED;
}

/* The same with B a target: A, whose own flush is good, is told by B alone what that lacks. */
static void test_of_a_target(void **state)
{
	struct cluster *cluster = *state;
	struct cluster_request flush;
	uint32_t client;

	cluster_begin(cluster);
	cluster_go(cluster, 5 * CLUSTER_LEASE);
	cluster_kill(cluster, B);
	client = cluster_open(cluster, A);
	assert_int_equal(cluster_write_now(cluster, A, client, 0, 1), 0);
	cluster_lose(cluster, MESSAGE_COPY, NO_MEMBER);
	cluster_start(cluster, B);
	cluster_until(cluster, cluster_resyncing, B);
	assert_int_equal(cluster_status(cluster, A).members[B].out_of_sync, CLUSTER_BLOCK);
	assert_int_equal(cluster_write_now(cluster, A, client, 40 * CLUSTER_BLOCK, 2), 0);
	assert_int_equal(cluster->member[B].image[40 * CLUSTER_BLOCK], 2);
	cluster->member[B].io_result = -EIO;
	cluster_flush(cluster, A, client, &flush);
	cluster_until(cluster, is_outdated, B);
	cluster->member[B].io_result = 0;
	assert_int_equal(cluster_answer(cluster, &flush), 0);
	cluster_until(cluster, cluster_resyncing, B);
	assert_int_equal(cluster_status(cluster, A).members[B].out_of_sync, 2 * CLUSTER_BLOCK);
	cluster_lose_nothing(cluster);
	cluster_until(cluster, cluster_in_sync, B);
	cluster_assert_equal(cluster);
}

/* A set of two copies and a vote. */
static void two_copies(struct cluster *cluster)
{
	cluster_begin_other(cluster, 3, member_bit(C));
}

/* The flush of a stable write fails at the primary, and the one that was to take over dies: A is the last. */
static void test_successor_dies(void **state)
{
	struct cluster *cluster = *state;
	struct cluster_request stable;
	uint32_t client;

	two_copies(cluster);
	client = cluster_open(cluster, A);
	assert_int_equal(cluster_write_now(cluster, A, client, 0, 1), 0);
	cluster->member[A].io_hangs = true;
	cluster_write_stable(cluster, A, client, &stable, 5 * CLUSTER_BLOCK, 2);
	cluster_go(cluster, MOMENT);
	cluster_come_back(cluster, A, 0, 0);
	cluster_cut_link(cluster, A, C, true);
	cluster_come_back(cluster, A, 0, -EIO);
	cluster_kill(cluster, B);
	cluster_cut_link(cluster, A, C, false);
	cluster->member[A].io_hangs = false;
	cluster_until(cluster, cluster_serves, A);
	cluster_go(cluster, 3 * CLUSTER_LEASE);
	assert_true(cluster_serves(cluster, A));
	assert_int_equal(cluster_status(cluster, A).configuration.generation.number, 2);
	assert_int_equal(cluster_answer(cluster, &stable), -EIO);
	/* That was made good: it serves as before. */
	client = cluster_open(cluster, A);
	assert_int_equal(cluster_write_now(cluster, A, client, 0, 3), 0);
	assert_int_equal(cluster_flush_now(cluster, A, client), 0);
	assert_int_equal(cluster_status(cluster, A).configuration.generation.number, 2);
	cluster_start(cluster, B);
	cluster_until(cluster, cluster_in_sync, B);
	cluster_assert_equal(cluster);
}

/* The same with a flush that a client asked for. */
static void test_successor_of_flush_dies(void **state)
{
	struct cluster *cluster = *state;
	struct cluster_request flush;
	uint32_t client;

	two_copies(cluster);
	client = cluster_open(cluster, A);
	assert_int_equal(cluster_write_now(cluster, A, client, 0, 1), 0);
	cluster->member[A].io_hangs = true;
	cluster_flush(cluster, A, client, &flush);
	cluster_go(cluster, MOMENT);
	cluster_cut_link(cluster, A, C, true);
	cluster_come_back(cluster, A, 0, -EIO);
	cluster_kill(cluster, B);
	cluster_cut_link(cluster, A, C, false);
	cluster->member[A].io_hangs = false;
	cluster_until(cluster, cluster_serves, A);
	cluster_go(cluster, 3 * CLUSTER_LEASE);
	assert_true(cluster_serves(cluster, A));
	assert_int_equal(cluster_status(cluster, A).configuration.generation.number, 2);
	assert_int_equal(cluster_answer(cluster, &flush), -EIO);
}

/* A flush of the last one fails, and it is killed before anything is decided: its next process has the same host. */
static void test_restarted(void **state)
{
	struct cluster *cluster = *state;
	struct cluster_request flush;
	uint32_t client;

	two_copies(cluster);
	cluster_kill(cluster, B);
	client = cluster_open(cluster, A);
	assert_int_equal(cluster_write_now(cluster, A, client, 0, 1), 0);
	cluster->member[A].io_hangs = true;
	cluster_flush(cluster, A, client, &flush);
	cluster_cut(cluster, A, true);
	cluster_come_back(cluster, A, 0, -EIO);
	cluster_go(cluster, MOMENT);
	cluster_kill(cluster, A);
	cluster->member[A].io_hangs = false;
	cluster_cut(cluster, A, false);
	cluster_start(cluster, A);
	cluster_until(cluster, cluster_serves, A);
	assert_int_equal(cluster_status(cluster, A).configuration.generation.number, 2);
	assert_true(cluster->told[A][REPLICA_EVENT_LOSS] > 0);
	/* And it is told no more: another restart loses nothing. */
	client = cluster_open(cluster, A);
	assert_int_equal(cluster_flush_now(cluster, A, client), 0);
	cluster_kill(cluster, A);
	cluster_start(cluster, A);
	cluster_until(cluster, cluster_serves, A);
	assert_int_equal(cluster_status(cluster, A).configuration.generation.number, 2);
}

/* The last flush of a process that ends fails: the next one does not take its memory for kept. */
static void test_at_the_end(void **state)
{
	struct cluster *cluster = *state;
	uint32_t client;

	two_copies(cluster);
	cluster_kill(cluster, B);
	client = cluster_open(cluster, A);
	assert_int_equal(cluster_write_now(cluster, A, client, 0, 1), 0);
	/* That one, and none of the set before it. */
	cluster->member[A].io_hangs = true;
	replica_stop(cluster->member[A].replica, cluster->now);
	while (!cluster->member[A].nr_hung)
		cluster_go(cluster, MOMENT);
	assert_int_equal(cluster->member[A].hung[0]->operation, IO_FLUSH);
	cluster_come_back(cluster, A, 0, -EIO);
	cluster->member[A].io_hangs = false;
	while (!replica_stopped(cluster->member[A].replica))
		cluster_go(cluster, MOMENT);
	cluster_kill(cluster, A);
	cluster_start(cluster, A);
	cluster_until(cluster, cluster_serves, A);
	assert_int_equal(cluster_status(cluster, A).configuration.generation.number, 2);
}

/*
 * A flush of the set fails while the last one of a process that ends is under way, which says yes: its extents stay
 * hot, and the next process writes what is in them again.
 */
static void test_beside_the_last_one(void **state)
{
	struct cluster *cluster = *state;
	struct cluster_request flush;
	uint32_t client;

	two_copies(cluster);
	cluster_kill(cluster, B);
	client = cluster_open(cluster, A);
	assert_int_equal(cluster_write_now(cluster, A, client, 0, 1), 0);
	cluster->member[A].io_hangs = true;
	cluster_flush(cluster, A, client, &flush);
	cluster_go(cluster, MOMENT);
	assert_int_equal(cluster->member[A].nr_hung, 1);
	replica_stop(cluster->member[A].replica, cluster->now);
	cluster_go(cluster, MOMENT);
	assert_int_equal(cluster->member[A].nr_hung, 2);
	cluster_come_back(cluster, A, 0, -EIO);
	cluster_come_back(cluster, A, 0, 0);
	cluster->member[A].io_hangs = false;
	while (!replica_stopped(cluster->member[A].replica))
		cluster_go(cluster, MOMENT);
	cluster_kill(cluster, A);
	cluster_start(cluster, A);
	assert_true(cluster->member[A].replica->devices[0].owed.count > 0);
	cluster_until(cluster, cluster_serves, A);
	assert_int_equal(cluster_status(cluster, A).configuration.generation.number, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_of_a_reign_that_is_over, cluster_setup, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_beside_a_stable_write, cluster_setup, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_stable_write_behind_it, cluster_setup, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_of_a_backup_alone, cluster_setup, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_of_a_target, cluster_setup, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_successor_dies, cluster_setup, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_successor_of_flush_dies, cluster_setup, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_restarted, cluster_setup, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_at_the_end, cluster_setup, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_beside_the_last_one, cluster_setup, cluster_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
