/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Lines of configurations that part by an operator's force: nobody's copy is overwritten before an operator says so. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "replica_cluster.h"

#define SECOND CLUSTER_LEASE

/* A, B, C have images, D votes. */
static int setup(void **state)
{
	int error = cluster_setup(state);

	cluster_init(*state, 4, member_bit(D));
	return error;
}

static bool is_removed(struct cluster *cluster, int member)
{
	int primary = cluster_primary(cluster);
	struct replica_status status;

	if (primary == NO_MEMBER)
		return false;
	status = cluster_status(cluster, primary);
	return status.decided && !member_in(status.configuration.in_sync, member);
}

static bool has_parted(struct cluster *cluster, int member)
{
	return cluster_status(cluster, member).parted;
}

static bool votes(struct cluster *cluster, int member)
{
	int primary = cluster_primary(cluster);

	return primary != NO_MEMBER && cluster_status(cluster, member).votes &&
	       !member_in(cluster_status(cluster, primary).configuration.dead, member);
}

static void force(struct cluster *cluster, int member, member_set dead)
{
	const char *why = NULL;

	assert_int_equal(replica_force(cluster->member[member].replica, cluster->now, dead, &why), 0);
	cluster_until(cluster, cluster_serves, member);
}

static void invalidate(struct cluster *cluster, int member)
{
	const char *why = NULL;

	assert_int_equal(replica_invalidate(cluster->member[member].replica, cluster->now, &why), 0);
}

static unsigned char byte_at(struct cluster *cluster, int member, unsigned int block)
{
	return cluster->member[member].image[block * CLUSTER_BLOCK];
}

static void assert_same(struct cluster *cluster, int a, int b)
{
	assert_memory_equal(cluster->member[a].image, cluster->member[b].image, CLUSTER_SIZE);
}

/* B missed block 7, and is forced without A and C, while C sees only D. */
static void part_c_from_b(struct cluster *cluster)
{
	uint32_t client;

	cluster_begin(cluster);
	client = cluster_open(cluster, A);
	assert_int_equal(cluster_write_now(cluster, A, client, 3 * CLUSTER_BLOCK, 1), 0);
	cluster_go(cluster, 5 * SECOND);
	cluster_cut(cluster, B, true);
	cluster_until(cluster, is_removed, B);
	assert_int_equal(cluster_write_now(cluster, A, client, 7 * CLUSTER_BLOCK, 7), 0);
	cluster_go(cluster, 5 * SECOND);
	cluster_kill(cluster, A);
	cluster_cut_link(cluster, B, C, true);
	cluster_cut(cluster, B, false);
	cluster_go(cluster, SECOND / 10);
	force(cluster, B, member_bit(A) | member_bit(C));
}

/* C hears of the new generation from D: it keeps what it has. */
static void test_told_by_a_third(void **state)
{
	struct cluster *cluster = *state;
	struct byte_range range;
	struct replica_status status;
	uint64_t cursor = 0;
	uint32_t client;

	part_c_from_b(cluster);
	client = cluster_open(cluster, B);
	assert_int_equal(cluster_write_now(cluster, B, client, 9 * CLUSTER_BLOCK, 9), 0);
	cluster_until(cluster, has_parted, C);
	assert_true(cluster->told[C][REPLICA_EVENT_SPLIT] > 0);
	cluster_cut_link(cluster, B, C, false);
	cluster_go(cluster, 5 * SECOND);
	status = cluster_status(cluster, C);
	assert_int_equal(status.configuration.generation.number, 1);
	assert_int_equal(status.parted, member_bit(B) | member_bit(D));
	assert_int_equal(byte_at(cluster, C, 7), 7);
	/* It can say where it differs. */
	assert_int_equal(replica_differing(cluster->member[C].replica, B, 0, &cursor, &range, 1), 1);
	assert_int_equal(range.position, 7 * CLUSTER_BLOCK);
	assert_int_equal(range.length, CLUSTER_BLOCK);
	assert_int_equal(replica_differing(cluster->member[C].replica, B, 0, &cursor, &range, 1), 0);
	/* Also after it was started again. */
	cluster_kill(cluster, C);
	cluster_start(cluster, C);
	cluster_go(cluster, 5 * SECOND);
	assert_int_equal(cluster_status(cluster, C).configuration.generation.number, 1);
	assert_int_equal(byte_at(cluster, C, 7), 7);
}

/* An operator says that C's copy is discarded: only what differs is copied, and C votes again. */
static void test_invalidated(void **state)
{
	struct cluster *cluster = *state;
	uint32_t client;

	part_c_from_b(cluster);
	client = cluster_open(cluster, B);
	assert_int_equal(cluster_write_now(cluster, B, client, 9 * CLUSTER_BLOCK, 9), 0);
	cluster_cut_link(cluster, B, C, false);
	cluster_until(cluster, has_parted, C);
	invalidate(cluster, C);
	memset(cluster->sent, 0, sizeof(cluster->sent));
	cluster_until(cluster, cluster_in_sync, C);
	cluster_until(cluster, votes, C);
	assert_same(cluster, B, C);
	assert_int_equal(byte_at(cluster, C, 7), 0);
	assert_int_equal(byte_at(cluster, C, 9), 9);
	assert_true(cluster->sent[B][MESSAGE_COPY] <= 4);
	/* And A, which comes back with what it had, is told, and asked for. */
	cluster_start(cluster, A);
	cluster_until(cluster, has_parted, A);
	assert_int_equal(byte_at(cluster, A, 7), 7);
	invalidate(cluster, A);
	cluster_until(cluster, cluster_in_sync, A);
	cluster_until(cluster, votes, A);
	assert_same(cluster, A, B);
	assert_int_equal(cluster_status(cluster, B).configuration.dead, 0);
}

/* It is stopped between the order and its end: it goes on with that, and does not go back. */
static void test_invalidated_and_killed(void **state)
{
	struct cluster *cluster = *state;

	part_c_from_b(cluster);
	cluster_cut_link(cluster, B, C, false);
	cluster_until(cluster, has_parted, C);
	cluster_cut(cluster, C, true);
	invalidate(cluster, C);
	cluster_go(cluster, SECOND);
	cluster_kill(cluster, C);
	cluster_start(cluster, A);
	cluster_cut(cluster, B, true);
	cluster_cut(cluster, D, true);
	cluster_cut(cluster, C, false);
	cluster_start(cluster, C);
	/* It sees only A, of its own line. */
	cluster_go(cluster, 5 * SECOND);
	assert_int_equal(cluster_status(cluster, C).configuration.epoch, 0);
	cluster_cut(cluster, B, false);
	cluster_cut(cluster, D, false);
	cluster_until(cluster, cluster_in_sync, C);
	cluster_until(cluster, votes, C);
	assert_same(cluster, B, C);
	assert_int_equal(byte_at(cluster, A, 7), 7);
}

/* C was in sync later than B, and is not dead: what it has and B lacks is undone. */
static void test_third_was_later(void **state)
{
	struct cluster *cluster = *state;
	uint32_t client;

	cluster_begin(cluster);
	client = cluster_open(cluster, A);
	cluster_cut(cluster, B, true);
	cluster_until(cluster, is_removed, B);
	assert_int_equal(cluster_write_now(cluster, A, client, 7 * CLUSTER_BLOCK, 7), 0);
	cluster_go(cluster, 10 * SECOND);
	cluster_kill(cluster, A);
	cluster_kill(cluster, C);
	cluster_cut(cluster, B, false);
	force(cluster, B, member_bit(A));
	cluster_start(cluster, C);
	cluster_until(cluster, cluster_in_sync, C);
	assert_same(cluster, B, C);
	assert_int_equal(cluster->told[C][REPLICA_EVENT_SPLIT], 0);
}

/* But for the first ones. */
static bool loses_copied(struct cluster *cluster, int from, int to, enum message_type type)
{
	(void)to;
	return from == C && type == MESSAGE_COPIED && cluster->sent[C][MESSAGE_COPIED] > 6;
}

/* C was being brought up by A, and has blocks of A's that B never had. */
static void test_third_was_target(void **state)
{
	struct cluster *cluster = *state;
	uint32_t client;

	cluster_begin_other(cluster, 5, member_bit(D) | member_bit(E));
	client = cluster_open(cluster, A);
	for (int i = 0; i < 8; i++)
		assert_int_equal(cluster_write_now(cluster, A, client, (uint64_t)i * 5 * CLUSTER_BLOCK, 1), 0);
	cluster_go(cluster, 5 * SECOND);
	cluster_cut(cluster, B, true);
	cluster_cut(cluster, C, true);
	cluster_until(cluster, is_removed, B);
	cluster_until(cluster, is_removed, C);
	for (int i = 0; i < 8; i++)
		assert_int_equal(cluster_write_now(cluster, A, client, (uint64_t)i * 5 * CLUSTER_BLOCK, 2), 0);
	cluster_go(cluster, 5 * SECOND);
	cluster->sent[C][MESSAGE_COPIED] = 0;
	cluster->loses = loses_copied;
	cluster_cut(cluster, C, false);
	cluster_until(cluster, cluster_resyncing, C);
	/* All but the last are flushed, too. */
	assert_int_equal(cluster_write_now(cluster, A, client, 60 * CLUSTER_BLOCK, 2), 0);
	cluster_go(cluster, SECOND * 19 / 10);
	assert_int_equal(byte_at(cluster, C, 0), 2);
	cluster_kill(cluster, A);
	cluster->loses = NULL;
	cluster_cut(cluster, B, false);
	force(cluster, B, member_bit(A));
	cluster_until(cluster, cluster_in_sync, C);
	assert_same(cluster, B, C);
	assert_int_equal(byte_at(cluster, C, 0), 1);
}

/* Both A and B are forced, each without the other: two generations of one parent. */
static void test_two_children(void **state)
{
	struct cluster *cluster = *state;
	uint32_t on_a, on_b;

	cluster_begin_other(cluster, 3, member_bit(C));
	cluster_cut_link(cluster, A, B, true);
	cluster_cut_link(cluster, A, C, true);
	cluster_until(cluster, cluster_serves, B);
	force(cluster, A, member_bit(B) | member_bit(C));
	force(cluster, B, member_bit(A));
	on_a = cluster_open(cluster, A);
	on_b = cluster_open(cluster, B);
	assert_int_equal(cluster_write_now(cluster, A, on_a, 0, 1), 0);
	assert_int_equal(cluster_write_now(cluster, B, on_b, 0, 2), 0);
	assert_int_equal(cluster_write_now(cluster, B, on_b, CLUSTER_BLOCK, 2), 0);
	cluster_cut_link(cluster, A, B, false);
	cluster_cut_link(cluster, A, C, false);
	cluster_until(cluster, has_parted, A);
	cluster_until(cluster, has_parted, B);
	cluster_go(cluster, 3 * SECOND);
	assert_int_equal(byte_at(cluster, A, 0), 1);
	assert_int_equal(byte_at(cluster, B, 0), 2);
	invalidate(cluster, A);
	cluster_until(cluster, cluster_in_sync, A);
	assert_same(cluster, A, B);
	assert_int_equal(byte_at(cluster, A, 0), 2);
}

/* Nothing is given up without need. */
static void test_invalidate_refused(void **state)
{
	struct cluster *cluster = *state;
	const char *why = NULL;

	cluster_begin(cluster);
	assert_true(replica_invalidate(cluster->member[B].replica, cluster->now, &why) < 0);
	assert_non_null(why);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_told_by_a_third, setup, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_invalidated, setup, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_invalidated_and_killed, setup, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_third_was_later, setup, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_third_was_target, setup, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_two_children, setup, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_invalidate_refused, setup, cluster_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
