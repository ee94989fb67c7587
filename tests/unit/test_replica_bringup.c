/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A member that comes back: what it is given, and in what pieces. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core.h"
#include "replica_cluster.h"

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

	cluster_begin(cluster);
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
	cluster_assert_equal(cluster);
}

/* A full copy costs what is not zero; and zeroes are zeroes whatever was there. */
static void test_zeroes(void **state)
{
	struct cluster *cluster = *state;
	uint32_t client;

	cluster_begin(cluster);
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
	cluster_assert_equal(cluster);
}

/* All blocks, and all is flushed: who leaves then is known to lack nothing. */
static void fill(struct cluster *cluster)
{
	uint32_t client = cluster_open(cluster, A);

	for (uint64_t at = 0; at < CLUSTER_SIZE; at += CLUSTER_BLOCK)
		assert_int_equal(cluster_write_now(cluster, A, client, at, (unsigned char)(1 + at / CLUSTER_BLOCK)), 0);
	cluster_go(cluster, 5 * CLUSTER_LEASE);
}

/* Nobody knows what is in an image: only what differs is sent. */
static void test_compare(void **state)
{
	struct cluster *cluster = *state;

	cluster_begin(cluster);
	fill(cluster);
	cluster_kill(cluster, B);
	cluster_replace(cluster, B, 0);
	memcpy(cluster->member[B].image, cluster->member[A].image, CLUSTER_SIZE);
	cluster->member[B].image[5 * CLUSTER_BLOCK + 7] ^= 1;
	cluster->member[B].image[CLUSTER_SIZE - 1] ^= 0x80;
	cluster->member[B].has_data = true;
	memset(cluster->data, 0, sizeof(cluster->data));
	cluster_start(cluster, B);
	cluster_until(cluster, cluster_in_sync, B);
	assert_int_equal(cluster->data[MESSAGE_COPY], 2 * CLUSTER_BLOCK);
	assert_int_equal(cluster->data[MESSAGE_HASHES], CLUSTER_SIZE / CLUSTER_BLOCK * MESSAGE_HASH_SIZE);
	cluster_assert_equal(cluster);
	assert_memory_equal(cluster->member[A].image, cluster->member[B].stable_image, CLUSTER_SIZE);
}

/* Copies until so many bytes are sent; then what is still on its way is lost. */
static uint64_t copied_at_most;

static bool loses_late_copies(struct cluster *cluster, int from, int to, enum message_type type)
{
	(void)from;
	(void)to;
	return type == MESSAGE_COPY && cluster->data[MESSAGE_COPY] > copied_at_most;
}

static bool copies_half(struct cluster *cluster, int member)
{
	(void)member;
	return cluster->data[MESSAGE_COPY] > copied_at_most;
}

/* A full copy of B from A that has come half of its way. */
static void copy_half(struct cluster *cluster)
{
	cluster_begin(cluster);
	fill(cluster);
	cluster_kill(cluster, B);
	cluster_replace(cluster, B, 0);
	copied_at_most = CLUSTER_SIZE / 2;
	memset(cluster->data, 0, sizeof(cluster->data));
	cluster->loses = loses_late_copies;
	cluster_start(cluster, B);
	cluster_until(cluster, copies_half, B);
	/* What was copied is flushed, and its bits are cleared; the session lives. */
	cluster_go(cluster, CLUSTER_LEASE + CLUSTER_LEASE / 2);
	assert_false(cluster_in_sync(cluster, B));
	cluster_lose_nothing(cluster);
	memset(cluster->data, 0, sizeof(cluster->data));
}

/* What was on its way when it was interrupted is sent again: at most so many copies at once. */
static void assert_goes_on(struct cluster *cluster)
{
	cluster_until(cluster, cluster_in_sync, B);
	assert_in_range(cluster->data[MESSAGE_COPY], CLUSTER_SIZE / 4, CLUSTER_SIZE / 2 + 4 * CLUSTER_BLOCK);
	cluster_assert_equal(cluster);
}

static void test_session_breaks(void **state)
{
	struct cluster *cluster = *state;

	copy_half(cluster);
	cluster_cut(cluster, B, true);
	cluster_go(cluster, CLUSTER_HEARTBEAT);
	cluster_cut(cluster, B, false);
	assert_goes_on(cluster);
	/* The same source, and nothing lost: it knows what is left. */
	assert_int_equal(cluster->data[MESSAGE_HASHES], 0);
}

static void test_target_restarts(void **state)
{
	struct cluster *cluster = *state;

	copy_half(cluster);
	cluster_kill(cluster, B);
	cluster->member[B].has_data = true;
	cluster_start(cluster, B);
	assert_goes_on(cluster);
	/* The source still knows what it did not copy; the rest it compares. */
	assert_in_range(cluster->data[MESSAGE_HASHES], 1, CLUSTER_SIZE / CLUSTER_BLOCK / 2 * MESSAGE_HASH_SIZE);
}

static void test_source_dies(void **state)
{
	struct cluster *cluster = *state;

	copy_half(cluster);
	cluster_kill(cluster, A);
	cluster_until(cluster, cluster_serves, C);
	cluster_start(cluster, A);
	assert_goes_on(cluster);
	assert_int_equal(cluster->data[MESSAGE_HASHES], CLUSTER_SIZE / CLUSTER_BLOCK * MESSAGE_HASH_SIZE);
}

/* Bytes a second are what is set; what was done, what is left and how long it takes are told. */
static void test_rate(void **state)
{
	struct cluster *cluster = *state;
	struct replica_status status;
	uint64_t began;

	cluster->resync_rate = CLUSTER_SIZE / 8;
	cluster_begin(cluster);
	fill(cluster);
	cluster_kill(cluster, B);
	cluster_replace(cluster, B, 0);
	cluster_start(cluster, B);
	began = cluster->now;
	cluster_go(cluster, 5 * CLUSTER_LEASE);
	replica_status(cluster->member[A].replica, &status);
	assert_int_equal(status.members[B].state, REPLICA_MEMBER_RESYNCING);
	assert_true(status.members[B].whole && !status.members[B].compares);
	assert_in_range(status.members[B].resynced, CLUSTER_SIZE / 2, CLUSTER_SIZE * 3 / 4);
	assert_int_equal(status.members[B].resynced + status.members[B].resync_more, CLUSTER_SIZE);
	assert_in_range(status.members[B].resync_rate, CLUSTER_SIZE / 9, CLUSTER_SIZE / 7);
	assert_in_range(status.members[B].resync_left, 2 * CLUSTER_LEASE, 4 * CLUSTER_LEASE);
	cluster_until(cluster, cluster_in_sync, B);
	assert_in_range(cluster->now - began, 7 * CLUSTER_LEASE, 10 * CLUSTER_LEASE);
	replica_status(cluster->member[A].replica, &status);
	assert_int_equal(status.members[B].resynced, 0);
	assert_false(status.members[B].whole);
}

/* Zeroes take no part of it: the one block that has data is all that there is. */
static void test_rate_of_zeroes(void **state)
{
	struct cluster *cluster = *state;
	uint64_t began;

	cluster->resync_rate = CLUSTER_SIZE / 64;
	cluster_begin(cluster);
	assert_int_equal(cluster_write_now(cluster, A, cluster_open(cluster, A), 5 * CLUSTER_BLOCK, 3), 0);
	cluster_kill(cluster, B);
	cluster_replace(cluster, B, 7);
	cluster_start(cluster, B);
	began = cluster->now;
	cluster_until(cluster, cluster_in_sync, B);
	assert_in_range(cluster->now - began, 0, 8 * CLUSTER_LEASE);
	cluster_assert_equal(cluster);
}

/* All blocks were written while it was away: it is given all, but by bits, which is told apart from a new image. */
static void test_all_bits(void **state)
{
	struct cluster *cluster = *state;
	struct replica_status status;

	cluster->resync_rate = CLUSTER_SIZE / 8;
	cluster_begin(cluster);
	cluster_go(cluster, 5 * CLUSTER_LEASE);
	cluster_kill(cluster, B);
	fill(cluster);
	cluster_start(cluster, B);
	cluster_go(cluster, 5 * CLUSTER_LEASE);
	replica_status(cluster->member[A].replica, &status);
	assert_int_equal(status.members[B].state, REPLICA_MEMBER_RESYNCING);
	assert_int_equal(status.members[B].resynced + status.members[B].resync_more, CLUSTER_SIZE);
	assert_false(status.members[B].whole || status.members[B].compares);
}

/* Clients write all the time, and the queue never has room for what can wait: it has its turn all the same. */
static void test_share(void **state)
{
	struct cluster *cluster = *state;
	uint32_t client;
	int writes = 0;

	cluster_begin(cluster);
	client = cluster_open(cluster, A);
	write_scattered(cluster, client, 1);
	cluster_kill(cluster, B);
	write_scattered(cluster, client, 2);
	cluster->no_room = true;
	cluster_start(cluster, B);
	/* It has to be heard first, and a target that says all of it has no entries that it could go between. */
	cluster->no_room = false;
	cluster_go(cluster, CLUSTER_HEARTBEAT / 100);
	cluster->no_room = true;
	while (!cluster_in_sync(cluster, B)) {
		assert_true(++writes < 1000);
		assert_int_equal(cluster_write_now(cluster, A, client, 0, (unsigned char)writes), 0);
		cluster_go(cluster, CLUSTER_HEARTBEAT / 100);
	}
	cluster->no_room = false;
	cluster_assert_equal(cluster);
}

/* A target that acknowledges nothing: clients wait for it now and then, and less and less. */
static void test_slow_target(void **state)
{
	struct cluster *cluster = *state;
	struct cluster_request write;
	uint32_t client;
	int answered = 0;

	cluster_begin(cluster);
	client = cluster_open(cluster, A);
	write_scattered(cluster, client, 1);
	cluster_kill(cluster, B);
	write_scattered(cluster, client, 2);
	cluster_lose(cluster, MESSAGE_WRITTEN, B);
	cluster_lose(cluster, MESSAGE_COPIED, B);
	cluster_lose(cluster, MESSAGE_HASHES, B);
	cluster_start(cluster, B);
	for (int i = 0; i < 100; i++) {
		cluster_write(cluster, A, client, &write, 0, CLUSTER_BLOCK, (unsigned char)i);
		cluster_go(cluster, CLUSTER_LEASE / 2);
		answered += write.result == 0;
		while (write.result == 1)
			cluster_go(cluster, CLUSTER_LEASE / 2);
	}
	assert_in_range(answered, 90, 99);
	cluster_lose_nothing(cluster);
	cluster_until(cluster, cluster_in_sync, B);
	cluster_assert_equal(cluster);
}

/* The activity log is lost: all of the image may be anything. */
static void test_log_is_lost(void **state)
{
	struct cluster *cluster = *state;

	cluster_begin(cluster);
	fill(cluster);
	cluster_kill(cluster, B);
	assert_true(cluster->member[B].saved_log);
	cluster->member[B].saved_log = false;
	cluster->member[B].image[9 * CLUSTER_BLOCK] ^= 1;
	memset(cluster->data, 0, sizeof(cluster->data));
	cluster_start(cluster, B);
	cluster_until(cluster, cluster_in_sync, B);
	assert_int_equal(cluster->data[MESSAGE_COPY], CLUSTER_BLOCK);
	cluster_assert_equal(cluster);
	/* It is written again, and a quiet set has nothing hot. */
	cluster_go(cluster, 5 * CLUSTER_LEASE);
	cluster_kill(cluster, B);
	memset(cluster->data, 0, sizeof(cluster->data));
	cluster_start(cluster, B);
	cluster_until(cluster, cluster_in_sync, B);
	assert_int_equal(cluster->data[MESSAGE_HASHES], 0);
}

/* A wrote while B was away, and all of that has cooled; then A, the last in sync, ends. */
static void alone_and_cool(struct cluster *cluster)
{
	uint32_t client;

	cluster_begin_other(cluster, 3, member_bit(C));
	cluster_kill(cluster, B);
	client = cluster_open(cluster, A);
	for (int i = 0; i < 3; i++)
		assert_int_equal(cluster_write_now(cluster, A, client, (uint64_t)i * 5 * CLUSTER_BLOCK, 7), 0);
	cluster_go(cluster, 10 * CLUSTER_LEASE);
	assert_true(cluster->member[A].saved_bits[B]);
	cluster_kill(cluster, A);
}

/* The file of what B misses is lost: all of its image is compared, also if A restarts with another such file. */
static void test_bits_are_lost(void **state)
{
	struct cluster *cluster = *state;
	unsigned int told;
	uint32_t client;

	alone_and_cool(cluster);
	cluster->member[A].saved_bits[B] = false;
	told = cluster->told[A][REPLICA_EVENT_MEMBER];
	cluster_start(cluster, A);
	assert_int_equal(cluster->told[A][REPLICA_EVENT_MEMBER], told + 1);
	cluster_until(cluster, cluster_serves, A);
	assert_int_equal(cluster_status(cluster, A).members[B].out_of_sync, CLUSTER_SIZE);
	client = cluster_open(cluster, A);
	assert_int_equal(cluster_write_now(cluster, A, client, 9 * CLUSTER_BLOCK, 8), 0);
	cluster_go(cluster, 10 * CLUSTER_LEASE);
	assert_true(cluster->member[A].saved_bits[B]);
	cluster_kill(cluster, A);
	cluster_start(cluster, A);
	cluster_until(cluster, cluster_serves, A);
	assert_int_equal(cluster_status(cluster, A).members[B].out_of_sync, CLUSTER_SIZE);
	memset(cluster->data, 0, sizeof(cluster->data));
	cluster_start(cluster, B);
	cluster_until(cluster, cluster_in_sync, B);
	cluster_assert_equal(cluster);
	assert_int_equal(cluster->data[MESSAGE_COPY], 4 * CLUSTER_BLOCK);
	/* That was made good: what B misses later is what it misses. */
	cluster_go(cluster, 5 * CLUSTER_LEASE);
	cluster_kill(cluster, B);
	client = cluster_open(cluster, A);
	assert_int_equal(cluster_write_now(cluster, A, client, 0, 9), 0);
	cluster_go(cluster, 10 * CLUSTER_LEASE);
	cluster_kill(cluster, A);
	cluster_start(cluster, A);
	cluster_until(cluster, cluster_serves, A);
	assert_int_equal(cluster_status(cluster, A).members[B].out_of_sync, CLUSTER_BLOCK);
}

/* The same with one that is there and broken. */
static void test_bits_are_broken(void **state)
{
	struct cluster *cluster = *state;

	alone_and_cool(cluster);
	cluster->member[A].bits[B][METADATA_SECTOR_HEAD] ^= 1;
	cluster_start(cluster, A);
	cluster_until(cluster, cluster_serves, A);
	assert_int_equal(cluster_status(cluster, A).members[B].out_of_sync, CLUSTER_SIZE);
	memset(cluster->data, 0, sizeof(cluster->data));
	cluster_start(cluster, B);
	cluster_until(cluster, cluster_in_sync, B);
	cluster_assert_equal(cluster);
	assert_int_equal(cluster->data[MESSAGE_COPY], 3 * CLUSTER_BLOCK);
}

static bool c_hears_no_decision(struct cluster *cluster, int from, int to, enum message_type type)
{
	const struct replica *primary = cluster->member[A].replica;

	(void)from;
	return to == C && (type == MESSAGE_CONFIGURATION || type == MESSAGE_STATUS) &&
	       (primary->bringup[C].phase >= BRINGUP_HANDING || member_in(primary->reign.in_sync, C));
}

static bool has_c_in_sync(struct cluster *cluster, int member)
{
	struct replica_status status = cluster_status(cluster, member);

	return status.decided && member_in(status.configuration.in_sync, C);
}

/*
 * It was given all of the image, and hears that it is in sync when who gave it that is gone for good: it has all that
 * was answered, and nobody else has.
 */
static void test_admitted_and_alone(void **state)
{
	struct cluster *cluster = *state;
	uint32_t client;

	cluster_begin(cluster);
	client = cluster_open(cluster, A);
	assert_int_equal(cluster_write_now(cluster, A, client, 5 * CLUSTER_BLOCK, 1), 0);
	cluster_kill(cluster, B);
	cluster_kill(cluster, C);
	cluster_replace(cluster, C, 0x55);
	cluster->member[C].has_data = true;
	assert_int_equal(cluster_write_now(cluster, A, client, 6 * CLUSTER_BLOCK, 2), 0);
	client = cluster_open(cluster, D);
	cluster->loses = c_hears_no_decision;
	cluster_start(cluster, C);
	cluster_until(cluster, has_c_in_sync, A);
	assert_int_equal(cluster_status(cluster, A).configuration.in_sync, member_bit(A) | member_bit(C));
	cluster_kill(cluster, A);
	cluster->loses = NULL;
	cluster_until(cluster, cluster_serves, C);
	assert_int_equal(cluster_read_now(cluster, D, client, 5 * CLUSTER_BLOCK), 1);
	assert_int_equal(cluster_read_now(cluster, D, client, 6 * CLUSTER_BLOCK), 2);
}

/*
 * All hosts are started without the file system of their images, and make new ones. What was there is found again when
 * they are started with it; but not what was written over by a copy to another.
 */
static void test_images_come_back(void **state)
{
	static unsigned char before[CLUSTER_MEMBERS][CLUSTER_SIZE];
	struct cluster *cluster = *state;
	uint32_t client;

	cluster_begin(cluster);
	client = cluster_open(cluster, A);
	assert_int_equal(cluster_write_now(cluster, A, client, 5 * CLUSTER_BLOCK, 1), 0);
	assert_int_equal(cluster_flush_now(cluster, A, client), 0);
	for (int i = A; i <= C; i++) {
		memcpy(before[i], cluster->member[i].image, CLUSTER_SIZE);
		cluster_power(cluster, i);
		cluster_replace(cluster, i, 0);
	}
	for (int i = A; i <= C; i++)
		cluster_start(cluster, i);
	cluster_go(cluster, 10 * CLUSTER_LEASE);
	assert_int_equal(cluster_primary(cluster), NO_MEMBER);
	for (int i = A; i <= B; i++) {
		cluster_kill(cluster, i);
		cluster->member[i].images--;
		memcpy(cluster->member[i].image, before[i], CLUSTER_SIZE);
		memcpy(cluster->member[i].stable_image, before[i], CLUSTER_SIZE);
		cluster_start(cluster, i);
	}
	cluster_until(cluster, cluster_in_sync, C);
	client = cluster_open(cluster, B);
	assert_int_equal(cluster_read_now(cluster, B, client, 5 * CLUSTER_BLOCK), 1);
	assert_int_equal(cluster_write_now(cluster, B, client, 6 * CLUSTER_BLOCK, 2), 0);
	/* C's other image has been brought up: that of before is not what it was. */
	cluster_kill(cluster, C);
	cluster->member[C].images--;
	memcpy(cluster->member[C].image, before[C], CLUSTER_SIZE);
	memcpy(cluster->member[C].stable_image, before[C], CLUSTER_SIZE);
	cluster_start(cluster, C);
	cluster_until(cluster, cluster_in_sync, C);
	cluster_assert_equal(cluster);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_zeroes, cluster_setup_five, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_compare, cluster_setup_five, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_session_breaks, cluster_setup_five, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_target_restarts, cluster_setup_five, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_source_dies, cluster_setup_five, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_rate, cluster_setup_five, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_rate_of_zeroes, cluster_setup_five, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_all_bits, cluster_setup, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_share, cluster_setup_five, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_slow_target, cluster_setup_five, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_log_is_lost, cluster_setup_five, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_bits_are_lost, cluster_setup_five, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_bits_are_broken, cluster_setup_five, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_admitted_and_alone, cluster_setup_five, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_images_come_back, cluster_setup_five, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_narrow_queue, cluster_setup_five, cluster_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
