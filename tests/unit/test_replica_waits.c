/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a member says that it waits for: enough to say to an operator what is missing, and who. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "replica_cluster.h"

#define ALL    (member_bit(A) | member_bit(B) | member_bit(C))
#define SECOND CLUSTER_LEASE

static void assert_waits(struct cluster *cluster, int member, enum replica_wait what, member_set members,
			 unsigned int needed)
{
	struct replica_status status = cluster_status(cluster, member);

	assert_int_equal(status.waits.what, what);
	assert_int_equal(status.waits.members, members);
	assert_int_equal(status.waits.needed, needed);
	assert_true((status.blocked == NULL) == (what == REPLICA_WAITS_NOT));
}

static void test_birth(void **state)
{
	struct cluster *cluster = *state;

	cluster_start(cluster, A);
	cluster_start(cluster, B);
	cluster_go(cluster, SECOND);
	assert_waits(cluster, A, REPLICA_WAITS_BIRTH, ALL, 3);
	assert_int_equal(cluster_status(cluster, A).seen, member_bit(A) | member_bit(B));
	cluster_start(cluster, C);
	cluster_until(cluster, cluster_serves, A);
	cluster_go(cluster, SECOND);
	for (int i = 0; i < 3; i++)
		assert_waits(cluster, i, REPLICA_WAITS_NOT, 0, 0);
	assert_int_equal(cluster_status(cluster, C).seen, ALL);
}

/* The connection between two is cut: each learns from the third that the other is there, and not when it is not. */
static void test_seen_by_others(void **state)
{
	struct cluster *cluster = *state;

	cluster_begin(cluster);
	cluster_go(cluster, SECOND);
	for (int i = 0; i < 3; i++)
		assert_int_equal(cluster_status(cluster, A).members[i].sees, i == A ? 0 : ALL & ~member_bit(i));
	cluster_cut_link(cluster, A, B, true);
	cluster_go(cluster, 2 * SECOND);
	assert_false(cluster_status(cluster, B).members[A].connected);
	assert_int_equal(cluster_status(cluster, B).members[A].sees, 0);
	assert_int_equal(cluster_status(cluster, B).members[C].sees, member_bit(A) | member_bit(B));
	assert_int_equal(cluster_status(cluster, B).waits.what, REPLICA_WAITS_IN_SYNC);
	cluster_kill(cluster, A);
	cluster_go(cluster, SECOND);
	assert_int_equal(cluster_status(cluster, B).members[C].sees, member_bit(B));
}

/* Two images with data: an operator chooses, and tells the one that is chosen. */
static void test_choice(void **state)
{
	struct cluster *cluster = *state;
	const char *why = NULL;

	cluster->member[B].has_data = cluster->member[C].has_data = true;
	cluster->member[C].image[0] = 9;
	cluster_start_all(cluster);
	cluster_go(cluster, 5 * SECOND);
	for (int i = 0; i < 3; i++)
		assert_waits(cluster, i, REPLICA_WAITS_CHOICE, member_bit(B) | member_bit(C), 1);
	assert_int_equal(replica_init_from(cluster->member[A].replica, cluster->now, C, &why), 0);
	cluster_go(cluster, 5 * SECOND);
	assert_waits(cluster, A, REPLICA_WAITS_SOURCE, member_bit(C), 1);
	assert_int_equal(cluster_primary(cluster), NO_MEMBER);
	assert_int_equal(replica_init_from(cluster->member[C].replica, cluster->now, C, &why), 0);
	cluster_until(cluster, cluster_serves, C);
	cluster_until(cluster, cluster_in_sync, A);
	assert_int_equal(cluster->member[A].image[0], 9);
}

static void test_majority(void **state)
{
	struct cluster *cluster = *state;

	cluster_begin(cluster);
	cluster_kill(cluster, B);
	cluster_kill(cluster, C);
	cluster_go(cluster, SECOND);
	assert_waits(cluster, A, REPLICA_WAITS_MAJORITY, ALL, 2);
	assert_int_equal(cluster_status(cluster, A).seen, member_bit(A));
	/* After a start it does not know whether there is anything newer. */
	cluster_kill(cluster, A);
	cluster_start(cluster, B);
	cluster_go(cluster, SECOND);
	assert_waits(cluster, B, REPLICA_WAITS_MAJORITY, ALL, 2);
	assert_int_equal(cluster_status(cluster, B).seen, member_bit(B));
}

/* B was not in sync when A was the last: it waits for A. */
static void test_last_in_sync(void **state)
{
	struct cluster *cluster = *state;
	uint32_t client;

	cluster_begin_other(cluster, 3, member_bit(C));
	client = cluster_open(cluster, A);
	cluster_kill(cluster, B);
	assert_int_equal(cluster_write_now(cluster, A, client, 0, 1), 0);
	cluster_kill(cluster, A);
	cluster_start(cluster, B);
	cluster_go(cluster, 5 * SECOND);
	assert_waits(cluster, B, REPLICA_WAITS_IN_SYNC, member_bit(A), 1);
	assert_int_equal(cluster_status(cluster, B).seen, member_bit(B) | member_bit(C));
}

/* C, which was in sync, is not back. */
static void power_all(struct cluster *cluster)
{
	uint32_t client;

	cluster_begin(cluster);
	client = cluster_open(cluster, A);
	assert_int_equal(cluster_write_now(cluster, A, client, 0, 1), 0);
	assert_int_equal(cluster_flush_now(cluster, A, client), 0);
	assert_int_equal(cluster_write_now(cluster, A, client, 0, 2), 0);
	for (int i = 0; i < 3; i++)
		cluster_power(cluster, i);
	cluster_start(cluster, A);
	cluster_start(cluster, B);
	cluster_go(cluster, 4 * SECOND);
}

static void test_memory(void **state)
{
	struct cluster *cluster = *state;

	power_all(cluster);
	assert_waits(cluster, A, REPLICA_WAITS_MEMORY, member_bit(C), 1);
	assert_int_equal(cluster_status(cluster, A).waits.until, 0);
	cluster_go(cluster, 100 * SECOND);
	assert_int_equal(cluster_primary(cluster), NO_MEMBER);
	cluster_start(cluster, C);
	cluster_until(cluster, cluster_in_sync, A);
}

static void wait_ten_seconds(struct cluster *cluster, int member, struct replica_settings *settings)
{
	(void)cluster;
	(void)member;
	settings->memory_wait = 10 * SECOND;
}

/* An operator has said how long: then it goes on without what may have been kept, says so, and begins a generation. */
static void test_memory_wait(void **state)
{
	struct cluster *cluster = *state;
	uint64_t until;
	uint32_t client;

	cluster->adjust = wait_ten_seconds;
	power_all(cluster);
	assert_waits(cluster, A, REPLICA_WAITS_MEMORY, member_bit(C), 1);
	until = cluster_status(cluster, A).waits.until;
	assert_true(until > cluster->now && until <= cluster->now + 10 * SECOND);
	assert_int_equal(cluster->told[A][REPLICA_EVENT_LOSS] + cluster->told[B][REPLICA_EVENT_LOSS], 0);
	cluster_go(cluster, until - cluster->now - SECOND / 10);
	assert_int_equal(cluster_primary(cluster), NO_MEMBER);
	cluster_go(cluster, 5 * SECOND);
	assert_true(cluster->told[A][REPLICA_EVENT_LOSS] + cluster->told[B][REPLICA_EVENT_LOSS] > 0);
	assert_int_not_equal(cluster_primary(cluster), NO_MEMBER);
	assert_int_equal(cluster_status(cluster, A).configuration.generation.number, 2);
	client = cluster_open(cluster, B);
	assert_int_equal(cluster_read_now(cluster, B, client, 0), 1);
	/* C, which may have known more, is made equal. */
	cluster_start(cluster, C);
	for (int i = 0; i < 3; i++)
		cluster_until(cluster, cluster_in_sync, i);
	assert_memory_equal(cluster->member[A].image, cluster->member[C].image, CLUSTER_SIZE);
	assert_memory_equal(cluster->member[A].image, cluster->member[B].image, CLUSTER_SIZE);
}

/* Nothing is given up while one that has kept its memory is seen. */
static void test_memory_is_back(void **state)
{
	struct cluster *cluster = *state;
	uint32_t client;

	cluster->adjust = wait_ten_seconds;
	cluster_begin(cluster);
	client = cluster_open(cluster, A);
	assert_int_equal(cluster_write_now(cluster, A, client, 0, 2), 0);
	cluster_power(cluster, A);
	cluster_power(cluster, B);
	cluster_kill(cluster, C);
	cluster_start(cluster, A);
	cluster_start(cluster, B);
	cluster_go(cluster, 8 * SECOND);
	cluster_start(cluster, C);
	cluster_until(cluster, cluster_serves, C);
	cluster_until(cluster, cluster_in_sync, A);
	assert_int_equal(cluster_status(cluster, A).configuration.generation.number, 1);
	assert_int_equal(cluster->member[A].image[0], 2);
}

static void two_in_sync(struct cluster *cluster, int member, struct replica_settings *settings)
{
	(void)cluster;
	(void)member;
	settings->min_in_sync = 2;
}

static void test_copies(void **state)
{
	struct cluster *cluster = *state;

	cluster_end(cluster);
	cluster_init(cluster, 3, member_bit(C));
	cluster->adjust = two_in_sync;
	cluster_begin(cluster);
	assert_waits(cluster, A, REPLICA_WAITS_NOT, 0, 0);
	cluster_kill(cluster, B);
	cluster_go(cluster, SECOND);
	assert_waits(cluster, A, REPLICA_WAITS_COPIES, member_bit(B), 1);
}

static void test_force(void **state)
{
	struct cluster *cluster = *state;
	const char *why = NULL;

	cluster_begin(cluster);
	cluster_kill(cluster, B);
	cluster_kill(cluster, C);
	cluster_go(cluster, SECOND);
	assert_int_equal(replica_force(cluster->member[A].replica, cluster->now, member_bit(B), &why), 0);
	cluster_go(cluster, CLUSTER_LEASE / 8);
	assert_waits(cluster, A, REPLICA_WAITS_FORCE, member_bit(A) | member_bit(C), 2);
	/* Who was taken for dead is back: the order is not kept for the next time that it is away. */
	cluster_start(cluster, B);
	cluster_go(cluster, 5 * SECOND);
	cluster_kill(cluster, B);
	cluster_go(cluster, 5 * SECOND);
	assert_waits(cluster, A, REPLICA_WAITS_MAJORITY, ALL, 2);
}

/* B is the last one that has kept its memory, but has lost its vote: it is told why it does not propose itself. */
static void test_vote(void **state)
{
	struct cluster *cluster = *state;

	cluster_end(cluster);
	cluster_init(cluster, 3, member_bit(C));
	cluster_begin(cluster);
	cluster_kill(cluster, B);
	memset(cluster->member[B].saved_slots, 0, sizeof(cluster->member[B].saved_slots));
	cluster_cut_link(cluster, B, C, true);
	cluster_start(cluster, B);
	cluster_until(cluster, cluster_in_sync, B);
	/* Who has a primary waits for nothing. */
	assert_false(cluster_status(cluster, B).votes);
	assert_waits(cluster, B, REPLICA_WAITS_NOT, 0, 0);
	cluster_power(cluster, A);
	cluster_cut_link(cluster, B, C, false);
	cluster_go(cluster, SECOND);
	assert_false(cluster_status(cluster, B).votes);
	assert_waits(cluster, B, REPLICA_WAITS_VOTES, member_bit(A) | member_bit(C), 2);
	cluster_start(cluster, A);
	cluster_until(cluster, cluster_serves, B);
	assert_true(cluster_status(cluster, B).votes);
	assert_waits(cluster, B, REPLICA_WAITS_NOT, 0, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_birth, cluster_setup, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_seen_by_others, cluster_setup, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_choice, cluster_setup, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_majority, cluster_setup, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_last_in_sync, cluster_setup, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_memory, cluster_setup, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_memory_wait, cluster_setup, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_memory_is_back, cluster_setup, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_copies, cluster_setup, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_force, cluster_setup, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_vote, cluster_setup, cluster_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
