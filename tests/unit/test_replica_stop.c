/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Processes that are asked to end: nothing has to be made good when they are back. */
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

#define BOUND (3 * (CLUSTER_LEASE * 2) + 4 * (CLUSTER_LEASE / 2) + 2 * CLUSTER_LEASE)

static void ask_to_stop(struct cluster *cluster, int member)
{
	replica_stop(cluster->member[member].replica, cluster->now);
}

static bool has_stopped(struct cluster *cluster, int member)
{
	return replica_stopped(cluster->member[member].replica);
}

/* And its host loses power at once. */
static void stop(struct cluster *cluster, int member)
{
	ask_to_stop(cluster, member);
	cluster_until(cluster, has_stopped, member);
	cluster_power(cluster, member);
}

static bool is_hot(struct cluster *cluster, int member)
{
	struct metadata_place place = { .kind = METADATA_LOG };
	struct metadata_slot slot;
	uint64_t bits[METADATA_SECTOR_BITS / 64];

	if (!cluster->member[member].saved_log)
		return false;
	assert_int_equal(
		metadata_decode_slot(cluster->member[member].slots[0], METADATA_SLOT_SIZE, (uint32_t)member + 1, &slot),
		METADATA_GOOD);
	assert_int_equal(metadata_decode_sector(cluster->member[member].log, METADATA_SECTOR, &place, &slot.set,
						(uint32_t)member + 1, bits),
			 METADATA_GOOD);
	for (unsigned int i = 0; i < METADATA_SECTOR_BITS / 64; i++) {
		if (bits[i])
			return true;
	}
	return false;
}

/* All are started again: nothing was lost, and nothing is written or copied but what clients ask for. */
static void assert_all_was_clean(struct cluster *cluster, unsigned char last)
{
	uint32_t client;
	int primary;

	memset(cluster->sent, 0, sizeof(cluster->sent));
	cluster_start_all(cluster);
	for (int i = 0; i < cluster->members; i++) {
		if (!cluster->member[i].diskless)
			cluster_until(cluster, cluster_in_sync, i);
	}
	primary = cluster_primary(cluster);
	for (int i = 0; i < cluster->members; i++) {
		struct replica_status status;

		replica_status(cluster->member[i].replica, &status);
		assert_int_equal(status.configuration.generation.number, 1);
		assert_int_equal(cluster->sent[i][MESSAGE_WRITE], 0);
		assert_int_equal(cluster->sent[i][MESSAGE_COPY], 0);
		if (!cluster->member[i].diskless)
			assert_memory_equal(cluster->member[primary].image, cluster->member[i].image, CLUSTER_SIZE);
	}
	client = cluster_open(cluster, primary);
	assert_int_equal(cluster_read_now(cluster, primary, client, 5 * CLUSTER_BLOCK), last);
}

/* One after the other, in any order, with writes shortly before. */
static void stop_in_order(struct cluster *cluster, const int *order, int nr)
{
	uint32_t client;

	cluster_begin(cluster);
	client = cluster_open(cluster, order[nr - 1]);
	for (int i = 0; i < 6; i++)
		assert_int_equal(cluster_write_now(cluster, order[nr - 1], client, (uint64_t)i * CLUSTER_BLOCK, 7), 0);
	for (int i = 0; i < nr; i++) {
		stop(cluster, order[i]);
		assert_false(is_hot(cluster, order[i]));
	}
	assert_all_was_clean(cluster, 7);
}

static void test_all_orders(void **state)
{
	static const int orders[][3] = { { A, B, C }, { A, C, B }, { B, A, C }, { B, C, A }, { C, A, B }, { C, B, A } };
	struct cluster *cluster = *state;

	for (unsigned int i = 0; i < sizeof(orders) / sizeof(orders[0]); i++) {
		stop_in_order(cluster, orders[i], 3);
		cluster_end(cluster);
		cluster_init(cluster, 3, 0);
	}
}

static void test_with_a_vote(void **state)
{
	static const int orders[][3] = { { A, B, C }, { A, C, B }, { B, A, C }, { B, C, A }, { C, A, B }, { C, B, A } };
	struct cluster *cluster = *state;

	for (unsigned int i = 0; i < sizeof(orders) / sizeof(orders[0]); i++) {
		uint32_t client;

		cluster_begin_other(cluster, 3, member_bit(C));
		client = cluster_open(cluster, A);
		assert_int_equal(cluster_write_now(cluster, A, client, 5 * CLUSTER_BLOCK, 9), 0);
		for (int k = 0; k < 3; k++)
			stop(cluster, orders[i][k]);
		/* Without the vote and the other image nobody could say that the last image leaves. */
		assert_false(is_hot(cluster, A) && is_hot(cluster, B));
		cluster_start_all(cluster);
		cluster_until(cluster, cluster_in_sync, A);
		cluster_until(cluster, cluster_in_sync, B);
		client = cluster_open(cluster, C);
		assert_int_equal(cluster_read_now(cluster, C, client, 5 * CLUSTER_BLOCK), 9);
	}
}

/* All hosts are shut down at once. */
static void test_all_at_once(void **state)
{
	struct cluster *cluster = *state;
	uint32_t client;

	cluster_begin(cluster);
	client = cluster_open(cluster, B);
	assert_int_equal(cluster_write_now(cluster, B, client, 5 * CLUSTER_BLOCK, 3), 0);
	for (int i = 0; i < 3; i++)
		ask_to_stop(cluster, i);
	for (int i = 0; i < 3; i++)
		cluster_until(cluster, has_stopped, i);
	for (int i = 0; i < 3; i++) {
		cluster_power(cluster, i);
		assert_false(is_hot(cluster, i));
	}
	assert_all_was_clean(cluster, 3);
}

static void test_alone(void **state)
{
	struct cluster *cluster = *state;
	uint32_t client;

	cluster_begin_other(cluster, 1, 0);
	client = cluster_open(cluster, A);
	assert_int_equal(cluster_write_now(cluster, A, client, 5 * CLUSTER_BLOCK, 4), 0);
	stop(cluster, A);
	assert_false(is_hot(cluster, A));
	assert_all_was_clean(cluster, 4);
}

/* While others write: what the one that left lacks is copied to it, and that is all. */
static void test_with_writes_under_way(void **state)
{
	struct cluster *cluster = *state;
	struct cluster_request writes[8];
	uint32_t client;
	unsigned char value = 0;

	cluster_begin(cluster);
	client = cluster_open(cluster, A);
	ask_to_stop(cluster, B);
	while (!has_stopped(cluster, B)) {
		value++;
		for (unsigned int i = 0; i < 8; i++)
			cluster_write(cluster, A, client, &writes[i], (uint64_t)i * CLUSTER_BLOCK, CLUSTER_BLOCK,
				      value);
		cluster_go(cluster, CLUSTER_HEARTBEAT / 50);
		for (unsigned int i = 0; i < 8; i++)
			assert_int_equal(writes[i].result, 0);
		assert_true(value < 250);
	}
	cluster_power(cluster, B);
	assert_false(is_hot(cluster, B));
	cluster_start(cluster, B);
	cluster_until(cluster, cluster_in_sync, B);
	assert_memory_equal(cluster->member[A].image, cluster->member[B].image, CLUSTER_SIZE);
}

/* It ends, whatever cannot be decided, and nothing that was answered is lost. */
static void test_bounded(void **state)
{
	struct cluster *cluster = *state;
	uint32_t client;

	/* Nobody can decide that A hands over. */
	cluster_begin(cluster);
	client = cluster_open(cluster, A);
	assert_int_equal(cluster_write_now(cluster, A, client, 5 * CLUSTER_BLOCK, 6), 0);
	cluster_lose(cluster, MESSAGE_ACCEPTED, NO_MEMBER);
	ask_to_stop(cluster, A);
	cluster_go(cluster, BOUND);
	assert_true(has_stopped(cluster, A));
	ask_to_stop(cluster, B);
	cluster_go(cluster, BOUND);
	assert_true(has_stopped(cluster, B));
	cluster_lose_nothing(cluster);
	for (int i = 0; i < 3; i++)
		cluster_power(cluster, i);
	cluster_start_all(cluster);
	for (int i = 0; i < 3; i++)
		cluster_until(cluster, cluster_in_sync, i);
	client = cluster_open(cluster, B);
	assert_int_equal(cluster_read_now(cluster, B, client, 5 * CLUSTER_BLOCK), 6);
}

/* A has a successor, and both together are no majority. */
static void test_without_majority(void **state)
{
	struct cluster *cluster = *state;
	uint32_t client;

	cluster_begin_other(cluster, 4, 0);
	client = cluster_open(cluster, A);
	assert_int_equal(cluster_write_now(cluster, A, client, 5 * CLUSTER_BLOCK, 6), 0);
	cluster_kill(cluster, C);
	cluster_kill(cluster, D);
	ask_to_stop(cluster, A);
	cluster_go(cluster, BOUND);
	assert_true(has_stopped(cluster, A));
	cluster_power(cluster, A);
	cluster_start(cluster, C);
	cluster_start(cluster, D);
	cluster_start(cluster, A);
	for (int i = 0; i < 4; i++)
		cluster_until(cluster, cluster_in_sync, i);
	client = cluster_open(cluster, B);
	assert_int_equal(cluster_read_now(cluster, B, client, 5 * CLUSTER_BLOCK), 6);
}

/* A disk that hangs does not hold up the end. */
static void test_disk_hangs(void **state)
{
	struct cluster *cluster = *state;
	uint32_t client;

	cluster_begin(cluster);
	client = cluster_open(cluster, A);
	assert_int_equal(cluster_write_now(cluster, A, client, 5 * CLUSTER_BLOCK, 6), 0);
	cluster->member[B].io_hangs = true;
	ask_to_stop(cluster, B);
	cluster_go(cluster, BOUND);
	assert_true(has_stopped(cluster, B));
	assert_int_equal(cluster_read_now(cluster, A, client, 5 * CLUSTER_BLOCK), 6);
	cluster_kill(cluster, B);
	cluster->member[B].io_hangs = false;
	cluster_start(cluster, B);
	cluster_until(cluster, cluster_in_sync, B);
	assert_memory_equal(cluster->member[A].image, cluster->member[B].image, CLUSTER_SIZE);
}

/* The last one cannot flush at the end: it says so, and what it has written stays hot. */
static void test_last_flush_fails(void **state)
{
	struct cluster *cluster = *state;
	uint32_t client;

	cluster_begin_other(cluster, 1, 0);
	client = cluster_open(cluster, A);
	assert_int_equal(cluster_write_now(cluster, A, client, 5 * CLUSTER_BLOCK, 6), 0);
	memset(cluster->told, 0, sizeof(cluster->told));
	cluster->member[A].io_result = -EIO;
	ask_to_stop(cluster, A);
	cluster_until(cluster, has_stopped, A);
	assert_int_equal(cluster->told[A][REPLICA_EVENT_DISK], 1);
	assert_true(is_hot(cluster, A));
}

/* The last one waits for what is still on its way to its image. */
static void test_last_write_hangs(void **state)
{
	struct cluster *cluster = *state;
	struct cluster_request write;
	uint32_t client;

	cluster_begin_other(cluster, 1, 0);
	client = cluster_open(cluster, A);
	cluster->member[A].io_hangs = true;
	cluster_write(cluster, A, client, &write, 5 * CLUSTER_BLOCK, CLUSTER_BLOCK, 6);
	cluster_go(cluster, CLUSTER_HEARTBEAT / 10);
	ask_to_stop(cluster, A);
	cluster_go(cluster, CLUSTER_LEASE);
	assert_false(has_stopped(cluster, A));
	cluster->member[A].io_hangs = false;
	cluster_until(cluster, has_stopped, A);
	assert_int_equal(write.result, 1);
	assert_int_equal(cluster->member[A].stable_image[5 * CLUSTER_BLOCK], 6);
	assert_false(is_hot(cluster, A));
}

/* Its disk fails while it leaves: it ends, and what it has stays hot. */
static void test_disk_fails(void **state)
{
	struct cluster *cluster = *state;
	uint32_t client;

	cluster_begin(cluster);
	client = cluster_open(cluster, A);
	assert_int_equal(cluster_write_now(cluster, A, client, 5 * CLUSTER_BLOCK, 6), 0);
	cluster->member[B].io_result = -EIO;
	ask_to_stop(cluster, B);
	cluster_until(cluster, has_stopped, B);
	assert_true(is_hot(cluster, B));
	cluster_power(cluster, B);
	cluster->member[B].io_result = 0;
	assert_int_equal(cluster_read_now(cluster, A, client, 5 * CLUSTER_BLOCK), 6);
	cluster_start(cluster, B);
	cluster_until(cluster, cluster_in_sync, B);
	cluster_assert_equal(cluster);
}

/* One that is being brought up is not in sync: it ends at once, and is brought up when it is back. */
static void test_target(void **state)
{
	struct cluster *cluster = *state;
	uint32_t client;

	cluster_begin(cluster);
	client = cluster_open(cluster, A);
	cluster_kill(cluster, C);
	assert_int_equal(cluster_write_now(cluster, A, client, 5 * CLUSTER_BLOCK, 6), 0);
	cluster_replace(cluster, C, 0);
	cluster_lose(cluster, MESSAGE_COPY, NO_MEMBER);
	cluster_start(cluster, C);
	cluster_go(cluster, CLUSTER_HEARTBEAT);
	ask_to_stop(cluster, C);
	cluster_go(cluster, CLUSTER_HEARTBEAT);
	assert_true(has_stopped(cluster, C));
	cluster_power(cluster, C);
	cluster_lose_nothing(cluster);
	cluster_start(cluster, C);
	cluster_until(cluster, cluster_in_sync, C);
	cluster_assert_equal(cluster);
}

/* The flush of one that has left hangs beyond the bound: when it comes back nothing follows from it. */
static bool flushes_at_the_end(struct cluster *cluster, int member)
{
	return cluster->member[member].replica->stop.phase == STOP_FLUSHING;
}

static void test_last_flush_hangs(void **state)
{
	struct cluster *cluster = *state;
	uint32_t client;

	cluster_begin_other(cluster, 1, 0);
	client = cluster_open(cluster, A);
	assert_int_equal(cluster_write_now(cluster, A, client, 5 * CLUSTER_BLOCK, 6), 0);
	cluster->member[A].io_hangs = true;
	ask_to_stop(cluster, A);
	cluster_until(cluster, flushes_at_the_end, A);
	cluster_go(cluster, BOUND);
	assert_true(has_stopped(cluster, A));
	cluster->member[A].io_hangs = false;
	cluster_go(cluster, CLUSTER_HEARTBEAT);
	assert_true(has_stopped(cluster, A));
	assert_true(is_hot(cluster, A));
}

static bool loses_writes_to_c(struct cluster *cluster, int from, int to, enum message_type type)
{
	(void)cluster;
	(void)from;
	return (type == MESSAGE_WRITE && to == C) || type == MESSAGE_READY;
}

/* The last one ends while it brings another up: that one has not heard of what is on the image already. */
static void test_write_that_no_target_has(void **state)
{
	struct cluster *cluster = *state;
	struct cluster_request write;
	uint32_t client;

	cluster_begin(cluster);
	client = cluster_open(cluster, A);
	stop(cluster, B);
	cluster_kill(cluster, C);
	assert_int_equal(cluster_write_now(cluster, A, client, 5 * CLUSTER_BLOCK, 6), 0);
	cluster->loses = loses_writes_to_c;
	cluster_start(cluster, C);
	cluster_go(cluster, CLUSTER_LEASE);
	cluster_write(cluster, A, client, &write, 20 * CLUSTER_BLOCK, CLUSTER_BLOCK, 7);
	cluster_go(cluster, CLUSTER_HEARTBEAT / 10);
	assert_int_equal(write.result, 1);
	ask_to_stop(cluster, A);
	cluster_until(cluster, has_stopped, A);
	cluster_kill(cluster, A);
	cluster->loses = NULL;
	cluster_start(cluster, A);
	cluster_until(cluster, cluster_in_sync, C);
	assert_memory_equal(cluster->member[A].image, cluster->member[C].image, CLUSTER_SIZE);
}

static bool a_hears_no_decision(struct cluster *cluster, int from, int to, enum message_type type)
{
	(void)cluster;
	(void)from;
	return to == A && (type == MESSAGE_ACCEPTED || type == MESSAGE_STATUS);
}

/* The last one ends before it knows that another was removed, who lacks what is on the image. */
static void test_write_that_the_removed_lacks(void **state)
{
	struct cluster *cluster = *state;
	struct cluster_request write;
	uint32_t client;

	cluster_end(cluster);
	cluster_init(cluster, 3, member_bit(C));
	cluster_begin(cluster);
	client = cluster_open(cluster, A);
	cluster->loses = a_hears_no_decision;
	cluster_cut(cluster, B, true);
	cluster_write(cluster, A, client, &write, 5 * CLUSTER_BLOCK, CLUSTER_BLOCK, 6);
	cluster_go(cluster, CLUSTER_HEARTBEAT / 10);
	assert_int_equal(cluster_status(cluster, A).configuration.in_sync, member_bit(A));
	assert_false(cluster_status(cluster, A).decided);
	cluster_cut(cluster, A, true);
	ask_to_stop(cluster, A);
	cluster_until(cluster, has_stopped, A);
	cluster_kill(cluster, A);
	cluster_cut(cluster, A, false);
	cluster_cut(cluster, B, false);
	cluster->loses = NULL;
	cluster_start(cluster, A);
	cluster_until(cluster, cluster_in_sync, B);
	cluster_until(cluster, cluster_in_sync, A);
	assert_memory_equal(cluster->member[A].image, cluster->member[B].image, CLUSTER_SIZE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_all_orders, cluster_setup, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_with_a_vote, cluster_setup, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_all_at_once, cluster_setup, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_last_flush_fails, cluster_setup, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_last_write_hangs, cluster_setup, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_disk_fails, cluster_setup, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_target, cluster_setup, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_write_that_no_target_has, cluster_setup_five, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_write_that_the_removed_lacks, cluster_setup, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_last_flush_hangs, cluster_setup, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_alone, cluster_setup, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_with_writes_under_way, cluster_setup, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_bounded, cluster_setup, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_without_majority, cluster_setup, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_disk_hangs, cluster_setup, cluster_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
