/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The core on its ordinary way, and with the failures that it is for: one schedule each. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core.h"
#include "replica_cluster.h"

static void test_birth_and_write(void **state)
{
	struct cluster *cluster = *state;
	uint32_t on_a, on_b;

	cluster_begin(cluster);
	on_a = cluster_open(cluster, A);
	on_b = cluster_open(cluster, B);
	assert_int_equal(cluster_write_now(cluster, A, on_a, 0, 1), 0);
	assert_int_equal(cluster_write_now(cluster, B, on_b, 4096, 2), 0);
	assert_int_equal(cluster_read_now(cluster, B, on_b, 0), 1);
	assert_int_equal(cluster_read_now(cluster, A, on_a, 4096), 2);
	assert_int_equal(cluster_flush_now(cluster, B, on_b), 0);
	cluster_assert_equal(cluster);
	for (int i = 0; i < 3; i++)
		assert_memory_equal(cluster->member[i].image, cluster->member[i].stable_image, CLUSTER_SIZE);
}

/* The primary dies: another serves, and what was answered is there. It returns, and is given what it lacks. */
static void test_primary_dies(void **state)
{
	struct cluster *cluster = *state;
	uint32_t client;
	int primary;

	cluster_begin(cluster);
	client = cluster_open(cluster, C);
	assert_int_equal(cluster_write_now(cluster, C, client, 0, 1), 0);
	cluster_kill(cluster, A);
	assert_int_equal(cluster_write_now(cluster, C, client, 8192, 2), 0);
	assert_int_equal(cluster_read_now(cluster, C, client, 0), 1);
	primary = cluster_primary(cluster);
	assert_true(primary == B || primary == C);
	cluster_start(cluster, A);
	cluster_until(cluster, cluster_in_sync, A);
	cluster_assert_equal(cluster);
}

/* A backup dies: nothing is answered before it is out; it returns with what it lacks. */
static void test_backup_dies(void **state)
{
	struct cluster *cluster = *state;
	struct cluster_request write;
	uint32_t client;

	cluster_begin(cluster);
	client = cluster_open(cluster, A);
	cluster_cut(cluster, B, true);
	cluster_write(cluster, A, client, &write, 0, 4096, 5);
	assert_int_equal(write.result, 1);
	cluster_go(cluster, CLUSTER_LEASE);
	assert_int_equal(write.result, 0);
	assert_int_equal(cluster->member[B].image[0], 0);
	cluster_cut(cluster, B, false);
	cluster_until(cluster, cluster_in_sync, B);
	cluster_assert_equal(cluster);
}

/* The primary is cut off: it answers nothing, another does, and its client gets what the other has. */
static void test_primary_is_cut_off(void **state)
{
	struct cluster *cluster = *state;
	struct cluster_request write, read;
	uint32_t on_a, on_b;

	cluster_begin(cluster);
	on_a = cluster_open(cluster, A);
	on_b = cluster_open(cluster, B);
	cluster_cut(cluster, A, true);
	cluster_write(cluster, A, on_a, &write, 0, 4096, 1);
	cluster_go(cluster, CLUSTER_LEASE * 2);
	assert_int_equal(cluster_write_now(cluster, B, on_b, 4096, 2), 0);
	cluster_read(cluster, A, on_a, &read, 4096, 4096);
	cluster_go(cluster, CLUSTER_LEASE);
	assert_int_equal(write.result, 1);
	assert_int_equal(read.result, 1);
	cluster_cut(cluster, A, false);
	cluster_until(cluster, cluster_in_sync, A);
	assert_int_equal(write.result, 0);
	assert_int_equal(read.result, 0);
	assert_int_equal(read.data[0], 2);
	assert_int_equal(cluster_read_now(cluster, B, on_b, 0), 1);
	cluster_assert_equal(cluster);
}

/* All processes are killed: the hosts still have what was written. */
static void test_all_are_killed(void **state)
{
	struct cluster *cluster = *state;
	uint32_t client;

	cluster_begin(cluster);
	client = cluster_open(cluster, A);
	assert_int_equal(cluster_write_now(cluster, A, client, 0, 7), 0);
	for (int i = 0; i < 3; i++)
		cluster_kill(cluster, i);
	cluster_start_all(cluster);
	cluster_go(cluster, CLUSTER_LEASE * 5);
	assert_int_not_equal(cluster_primary(cluster), NO_MEMBER);
	client = cluster_open(cluster, B);
	assert_int_equal(cluster_read_now(cluster, B, client, 0), 7);
}

/* Two copies and a vote: the vote and one copy go on. */
static void test_diskless_vote(void **state)
{
	struct cluster *cluster = *state;
	uint32_t client;

	cluster_end(cluster);
	cluster_init(cluster, 3, member_bit(C));
	cluster_start_all(cluster);
	cluster_until(cluster, cluster_serves, A);
	client = cluster_open(cluster, C);
	assert_int_equal(cluster_write_now(cluster, C, client, 0, 3), 0);
	cluster_power(cluster, A);
	assert_int_equal(cluster_write_now(cluster, C, client, 4096, 4), 0);
	assert_int_equal(cluster_read_now(cluster, C, client, 0), 3);
	cluster_start(cluster, A);
	cluster_until(cluster, cluster_in_sync, A);
	cluster_assert_equal(cluster);
}

/* All hosts lose power: what was flushed is there, and an open of before is told that something may not be. */
static void test_all_lose_power(void **state)
{
	struct cluster *cluster = *state;
	uint32_t client;

	cluster_begin(cluster);
	client = cluster_open(cluster, A);
	assert_int_equal(cluster_write_now(cluster, A, client, 0, 7), 0);
	assert_int_equal(cluster_flush_now(cluster, A, client), 0);
	assert_int_equal(cluster_write_now(cluster, A, client, 0, 8), 0);
	for (int i = 0; i < 3; i++)
		cluster_power(cluster, i);
	cluster_start(cluster, C);
	cluster_start(cluster, B);
	cluster_go(cluster, CLUSTER_LEASE * 5);
	/* A may know of newer writes. */
	assert_int_equal(cluster_primary(cluster), NO_MEMBER);
	cluster_start(cluster, A);
	for (int i = 0; i < 3; i++)
		cluster_until(cluster, cluster_in_sync, i);
	client = cluster_open(cluster, B);
	assert_int_equal(cluster_read_now(cluster, B, client, 0), 7);
	cluster_assert_equal(cluster);
}

/* The same when all was quiet for a while: nothing is lost, and nobody has to wait for anybody. */
static void test_power_when_quiet(void **state)
{
	struct cluster *cluster = *state;
	uint32_t client;

	cluster_begin(cluster);
	client = cluster_open(cluster, A);
	assert_int_equal(cluster_write_now(cluster, A, client, 0, 7), 0);
	cluster_go(cluster, CLUSTER_LEASE * 10);
	for (int i = 0; i < 3; i++)
		cluster_power(cluster, i);
	cluster_start(cluster, C);
	cluster_start(cluster, B);
	client = cluster_open(cluster, B);
	assert_int_equal(cluster_read_now(cluster, B, client, 0), 7);
	cluster_start(cluster, A);
	cluster_until(cluster, cluster_in_sync, A);
	cluster_assert_equal(cluster);
}

/* A write that all have, but whose answer was lost with the primary, is not done again over a later one. */
static void test_resent_request(void **state)
{
	struct cluster *cluster = *state;
	struct cluster_request write;
	uint32_t on_c, on_b;

	cluster_begin(cluster);
	on_b = cluster_open(cluster, B);
	on_c = cluster_open(cluster, C);
	cluster_lose(cluster, MESSAGE_ANSWER, NO_MEMBER);
	cluster_write(cluster, C, on_c, &write, 0, 4096, 1);
	cluster_go(cluster, CLUSTER_HEARTBEAT / 100);
	assert_int_equal(write.result, 1);
	assert_int_equal(cluster->member[B].image[0], 1);
	/* C can be heard by nobody for a while, so that B's client comes first. */
	cluster_kill(cluster, A);
	cluster_lose_nothing(cluster);
	cluster_lose(cluster, MESSAGE_REQUEST, C);
	assert_int_equal(cluster_write_now(cluster, B, on_b, 0, 2), 0);
	cluster_lose_nothing(cluster);
	cluster_cut(cluster, C, true);
	cluster_cut(cluster, C, false);
	cluster_go(cluster, CLUSTER_LEASE * 5);
	assert_int_equal(write.result, 0);
	assert_int_equal(cluster_read_now(cluster, B, on_b, 0), 2);
}

/* A planned switch may be asked of any member. */
static void test_promote_by_any(void **state)
{
	struct cluster *cluster = *state;
	const char *why = NULL;
	uint32_t client;

	cluster_begin(cluster);
	client = cluster_open(cluster, C);
	assert_int_equal(cluster_write_now(cluster, C, client, 0, 1), 0);
	assert_true(replica_promote(cluster->member[B].replica, cluster->now, A, &why) < 0);
	assert_true(replica_promote(cluster->member[B].replica, cluster->now, 3, &why) < 0);
	assert_int_equal(replica_promote(cluster->member[B].replica, cluster->now, C, &why), 0);
	cluster_until(cluster, cluster_serves, C);
	assert_int_equal(replica_promote(cluster->member[C].replica, cluster->now, B, &why), 0);
	cluster_until(cluster, cluster_serves, B);
	assert_int_equal(cluster_read_now(cluster, C, client, 0), 1);
	/* Of one that is not seen. */
	cluster_cut(cluster, A, true);
	assert_true(replica_promote(cluster->member[A].replica, cluster->now, C, &why) < 0);
}

/* B drew a time to be primary at, as it did not see A. When it hands over soon after that it does not wait for it. */
static void test_hand_over_is_not_delayed(void **state)
{
	struct cluster *cluster = *state;
	const char *why = NULL;
	uint64_t began;

	cluster_begin(cluster);
	cluster_cut_link(cluster, A, B, true);
	cluster_go(cluster, CLUSTER_HEARTBEAT / 10);
	cluster_cut_link(cluster, A, B, false);
	cluster_until(cluster, cluster_in_sync, B);
	assert_int_equal(replica_promote(cluster->member[A].replica, cluster->now, B, &why), 0);
	cluster_until(cluster, cluster_serves, B);
	began = cluster->now;
	assert_int_equal(replica_promote(cluster->member[B].replica, cluster->now, A, &why), 0);
	cluster_until(cluster, cluster_serves, A);
	assert_true(cluster->now - began <= CLUSTER_HEARTBEAT);
}

/* The holder's lease is shorter and the grantor's longer than any clock within the bound can make up for. */
static void test_lease_margin(void **state)
{
	static const uint64_t leases[] = { 4, 999999, 1000001, 1999999, 50000001, REPLICA_LEASE_MAX };
	static const uint32_t drifts[] = { 0, 1, 200, 333333, 499999 };
	static struct replica replica;

	(void)state;
	for (unsigned int i = 0; i < sizeof(leases) / sizeof(leases[0]); i++) {
		for (unsigned int k = 0; k < sizeof(drifts) / sizeof(drifts[0]); k++) {
			unsigned __int128 wrong = (unsigned __int128)leases[i] * drifts[k];

			replica.settings.lease = leases[i];
			replica.settings.drift = drifts[k];
			assert_true((unsigned __int128)(lease_longest(&replica) - leases[i]) * 1000000 > wrong);
			assert_true(lease_longest(&replica) - leases[i] <= (uint64_t)(wrong / 1000000) + 2);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_birth_and_write, cluster_setup, cluster_teardown),
		cmocka_unit_test(test_lease_margin),
		cmocka_unit_test_setup_teardown(test_promote_by_any, cluster_setup, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_hand_over_is_not_delayed, cluster_setup, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_primary_dies, cluster_setup, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_backup_dies, cluster_setup, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_primary_is_cut_off, cluster_setup, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_all_are_killed, cluster_setup, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_diskless_vote, cluster_setup, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_all_lose_power, cluster_setup, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_power_when_quiet, cluster_setup, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_resent_request, cluster_setup, cluster_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
