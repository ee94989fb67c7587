/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Images that hang, fail, are missing, or do not end with a whole block, where it is not an entry of the primary's that
 * meets it: a new primary, a copy, a comparison, a flush, a range that is made equal.
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

#define STEP (CLUSTER_HEARTBEAT / 1000)

static unsigned char data[CLUSTER_BLOCK];

static bool is_primary(struct cluster *cluster, int member)
{
	return cluster_status(cluster, member).primary;
}

/* ---- a new primary ---- */

/* What it was sent before is still on its way to an image that hangs: another one is primary. */
static void test_new_primary_hangs(void **state)
{
	struct cluster *cluster = *state;
	struct cluster_request write;
	uint32_t client;

	cluster_begin(cluster);
	client = cluster_open(cluster, D);
	cluster->member[B].io_hangs = true;
	cluster_write(cluster, D, client, &write, 0, CLUSTER_BLOCK, 1);
	cluster_go(cluster, CLUSTER_HEARTBEAT / 10);
	assert_int_equal(write.result, 1);
	assert_int_equal(cluster->member[C].image[0], 1);
	cluster_lose(cluster, MESSAGE_COLLECT, C);
	cluster_kill(cluster, A);
	cluster_until(cluster, is_primary, B);
	cluster_lose_nothing(cluster);
	cluster_until(cluster, cluster_serves, C);
	assert_int_equal(cluster_answer(cluster, &write), 0);
	assert_int_equal(cluster_read_now(cluster, D, client, 0), 1);
	cluster->member[B].io_hangs = false;
	cluster_start(cluster, A);
	cluster_all_in_sync(cluster);
}

/* What it has to make equal cannot be read there: another one is primary, and makes it equal. */
static void test_new_primary_cannot_read(void **state)
{
	struct cluster *cluster = *state;
	struct cluster_request write;
	uint32_t client;

	cluster_begin(cluster);
	client = cluster_open(cluster, D);
	cluster_lose(cluster, MESSAGE_WRITTEN, NO_MEMBER);
	cluster_lose(cluster, MESSAGE_COLLECT, C);
	cluster_write(cluster, D, client, &write, 0, CLUSTER_BLOCK, 1);
	cluster_go(cluster, CLUSTER_HEARTBEAT / 10);
	assert_int_equal(write.result, 1);
	cluster_kill(cluster, A);
	cluster->member[B].read_result = -EIO;
	cluster_lose_nothing(cluster);
	cluster_lose(cluster, MESSAGE_COLLECT, C);
	cluster_until(cluster, cluster_serves, C);
	assert_int_equal(cluster->told[B][REPLICA_EVENT_DISK], 1);
	cluster_lose_nothing(cluster);
	assert_int_equal(cluster_answer(cluster, &write), 0);
	assert_int_equal(cluster_read_now(cluster, D, client, 0), 1);
	cluster->member[B].read_result = 0;
	cluster_start(cluster, A);
	cluster_all_in_sync(cluster);
}

/* ---- the primary ---- */

static bool hands_over(struct cluster *cluster, int member)
{
	return cluster_status(cluster, A).configuration.primary == (uint32_t)member;
}

/*
 * A write that is still on its way to the image of who was primary fails when another is: nobody knows what of it is
 * there, and all is made equal.
 */
static void test_fails_after_its_reign(void **state)
{
	struct cluster *cluster = *state;
	struct cluster_request write;
	const char *why = NULL;
	uint32_t client;

	cluster_begin(cluster);
	client = cluster_open(cluster, D);
	assert_int_equal(cluster_write_now(cluster, D, client, 0, 7), 0);
	cluster->member[A].io_hangs = true;
	cluster_write(cluster, D, client, &write, 0, CLUSTER_BLOCK, 8);
	cluster_go(cluster, CLUSTER_HEARTBEAT / 10);
	assert_int_equal(replica_promote(cluster->member[A].replica, cluster->now, B, &why), 0);
	cluster_until(cluster, hands_over, B);
	assert_false(cluster_serves(cluster, B));
	cluster->member[A].io_result = -EIO;
	cluster->member[A].io_hangs = false;
	while (cluster->member[A].nr_hung > 0)
		cluster_go(cluster, STEP);
	cluster->member[A].io_result = 0;
	assert_int_equal(cluster_answer(cluster, &write), 0);
	assert_int_equal(cluster_read_now(cluster, D, client, 0), 8);
	cluster_all_in_sync(cluster);
}

/* A read that hangs there is done by another. */
static void test_read_hangs(void **state)
{
	struct cluster *cluster = *state;
	struct cluster_request read;
	uint32_t client;

	cluster_begin(cluster);
	client = cluster_open(cluster, D);
	assert_int_equal(cluster_write_now(cluster, D, client, 0, 7), 0);
	cluster_go(cluster, 5 * CLUSTER_LEASE);
	cluster->member[A].io_hangs = true;
	cluster_read(cluster, D, client, &read, 0, CLUSTER_BLOCK);
	assert_int_equal(cluster_answer(cluster, &read), 0);
	assert_int_equal(read.data[0], 7);
	assert_int_not_equal(cluster_primary(cluster), A);
	cluster->member[A].io_hangs = false;
	cluster_all_in_sync(cluster);
}

/* A block for a target that cannot be read there, while others have it: one of those is primary. */
static void test_copy_cannot_be_read(void **state)
{
	struct cluster *cluster = *state;
	uint32_t client;

	cluster_begin(cluster);
	client = cluster_open(cluster, D);
	cluster_kill(cluster, C);
	assert_int_equal(cluster_write_now(cluster, D, client, 0, 7), 0);
	cluster_go(cluster, 5 * CLUSTER_LEASE);
	cluster->member[A].read_result = -EIO;
	cluster_start(cluster, C);
	cluster_until(cluster, cluster_serves, B);
	cluster_until(cluster, cluster_in_sync, C);
	cluster->member[A].read_result = 0;
	cluster_all_in_sync(cluster);
}

/* Flushes that come while one is under way share the next one. */
static void test_flushes_meanwhile(void **state)
{
	struct cluster *cluster = *state;
	struct cluster_request flush[3];
	uint32_t clients[3];
	unsigned int before;

	cluster_begin(cluster);
	for (int i = 0; i < 3; i++)
		clients[i] = cluster_open(cluster, A);
	assert_int_equal(cluster_write_now(cluster, A, clients[0], 0, 7), 0);
	cluster->member[B].io_hangs = true;
	before = cluster->sent[A][MESSAGE_FLUSH];
	for (int i = 0; i < 3; i++)
		cluster_flush(cluster, A, clients[i], &flush[i]);
	cluster_go(cluster, CLUSTER_HEARTBEAT / 10);
	for (int i = 0; i < 3; i++)
		assert_int_equal(flush[i].result, 1);
	cluster->member[B].io_hangs = false;
	for (int i = 0; i < 3; i++)
		assert_int_equal(cluster_answer(cluster, &flush[i]), 0);
	assert_int_equal(cluster->sent[A][MESSAGE_FLUSH], before + 4); /* to two, twice */
	assert_memory_equal(cluster->member[B].stable_image, cluster->member[A].image, CLUSTER_SIZE);
}

/* A flush of the image that hangs over two changes of the primary: the next of the set begins when it is back. */
static void test_flush_hangs_over_reigns(void **state)
{
	struct cluster *cluster = *state;
	struct cluster_request flush;
	const char *why = NULL;
	uint32_t client;

	cluster_begin(cluster);
	client = cluster_open(cluster, A);
	assert_int_equal(cluster_write_now(cluster, A, client, 0, 7), 0);
	cluster->member[A].io_hangs = true;
	cluster_flush(cluster, A, client, &flush);
	cluster_go(cluster, STEP);
	assert_int_equal(cluster->member[A].nr_hung, 1);
	assert_int_equal(replica_promote(cluster->member[A].replica, cluster->now, B, &why), 0);
	cluster_until(cluster, cluster_serves, B);
	assert_int_equal(replica_promote(cluster->member[B].replica, cluster->now, A, &why), 0);
	cluster_until(cluster, cluster_serves, A);
	cluster_go(cluster, CLUSTER_HEARTBEAT / 10);
	assert_int_equal(flush.result, 1);
	cluster->member[A].io_hangs = false;
	assert_int_equal(cluster_answer(cluster, &flush), 0);
	for (int i = A; i <= C; i++)
		assert_int_equal(cluster->member[i].stable_image[0], 7);
	cluster_all_in_sync(cluster);
}

/* One that does not come back: others in sync can flush. */
static void test_flush_hangs_for_ever(void **state)
{
	struct cluster *cluster = *state;
	struct cluster_request flush;
	const char *why = NULL;
	uint32_t client;

	cluster_begin(cluster);
	client = cluster_open(cluster, C);
	assert_int_equal(cluster_write_now(cluster, C, client, 0, 7), 0);
	cluster->member[A].io_hangs = true;
	cluster_flush(cluster, C, client, &flush);
	cluster_go(cluster, STEP);
	assert_int_equal(cluster->member[A].nr_hung, 1);
	assert_int_equal(replica_promote(cluster->member[A].replica, cluster->now, B, &why), 0);
	cluster_until(cluster, cluster_serves, B);
	assert_int_equal(replica_promote(cluster->member[B].replica, cluster->now, A, &why), 0);
	cluster_until(cluster, cluster_serves, A);
	assert_int_equal(cluster_answer(cluster, &flush), 0);
	assert_int_not_equal(cluster_primary(cluster), A);
	cluster->member[A].io_hangs = false;
	cluster_all_in_sync(cluster);
}

/* The only image there is cannot be read where it may differ from others: there are none, and it serves. */
static void test_alone_and_cannot_read(void **state)
{
	struct cluster *cluster = *state;
	uint32_t client;

	cluster_begin_other(cluster, 1, 0);
	client = cluster_open(cluster, A);
	assert_int_equal(cluster_write_now(cluster, A, client, 0, 7), 0);
	cluster_kill(cluster, A);
	cluster->member[A].read_result = -EIO;
	cluster_start(cluster, A);
	cluster_until(cluster, cluster_serves, A);
	client = cluster_open(cluster, A);
	assert_int_equal(cluster_read_now(cluster, A, client, 0), -EIO);
	cluster->member[A].read_result = 0;
	assert_int_equal(cluster_read_now(cluster, A, client, 0), 7);
}

/* A target that cannot flush is dropped, and asks again later; nobody waits for it. */
static void test_target_cannot_flush(void **state)
{
	struct cluster *cluster = *state;
	uint32_t client;

	cluster_begin(cluster);
	client = cluster_open(cluster, A);
	cluster_kill(cluster, C);
	assert_int_equal(cluster_write_now(cluster, A, client, 0, 7), 0);
	cluster_lose(cluster, MESSAGE_COPY, NO_MEMBER);
	cluster_start(cluster, C);
	cluster_until(cluster, cluster_resyncing, C);
	cluster->member[C].io_result = -EIO;
	assert_int_equal(cluster_flush_now(cluster, A, client), 0);
	assert_false(cluster_resyncing(cluster, C));
	assert_true(cluster_in_sync(cluster, B));
	cluster->member[C].io_result = 0;
	cluster_lose_nothing(cluster);
	cluster_all_in_sync(cluster);
}

/* ---- what is told of a copy ---- */

static struct message hash; /* the last HASH to C */

static bool loses_hashes(struct cluster *cluster, int from, int to, enum message_type type)
{
	const void *none;

	(void)from;
	if (type == MESSAGE_HASH && to == C)
		assert_null(message_decode(cluster->delivered, cluster->delivered_size, &hash, &none));
	return type == MESSAGE_HASHES || type == MESSAGE_HASH;
}

/* Hashes of another number of blocks are none of this range; an error stands for blocks that are others. */
static void test_wrong_hashes(void **state)
{
	struct cluster *cluster = *state;
	struct message hashes;

	cluster_begin(cluster);
	assert_int_equal(cluster_write_now(cluster, A, cluster_open(cluster, A), 0, 7), 0);
	cluster_kill(cluster, C);
	cluster_replace(cluster, C, 0);
	memcpy(cluster->member[C].image, cluster->member[A].image, CLUSTER_SIZE);
	cluster->member[C].has_data = true;
	for (int error = 0; error < 2; error++) {
		memset(&hash, 0, sizeof(hash));
		cluster->loses = loses_hashes;
		if (!cluster->member[C].replica)
			cluster_start(cluster, C);
		while (!hash.type)
			cluster_go(cluster, CLUSTER_HEARTBEAT / 10);
		hashes = cluster_message(cluster, C, MESSAGE_HASHES, data);
		hashes.number = hash.number;
		memset(cluster->sent, 0, sizeof(cluster->sent));
		if (error) {
			hashes.result = -EIO;
			assert_true(cluster_send(cluster, C, A, &hashes, NULL));
			cluster_lose_nothing(cluster);
			cluster_all_in_sync(cluster);
			assert_true(cluster->sent[A][MESSAGE_COPY] > 0);
		} else {
			hashes.data_size = 7 * MESSAGE_HASH_SIZE;
			assert_false(cluster_send(cluster, C, A, &hashes, data));
			assert_int_equal(cluster->sent[A][MESSAGE_COPY], 0);
		}
	}
}

/* A target is ready only by its word about what it was handed over last, in this reign. */
static void test_ready_for_another(void **state)
{
	struct cluster *cluster = *state;
	struct bringup *bringup;
	struct message message;

	cluster_begin(cluster);
	cluster_kill(cluster, C);
	assert_int_equal(cluster_write_now(cluster, A, cluster_open(cluster, A), 0, 7), 0);
	cluster_lose(cluster, MESSAGE_READY, NO_MEMBER);
	cluster_start(cluster, C);
	cluster_go(cluster, CLUSTER_LEASE);
	bringup = &cluster->member[A].replica->bringup[C];
	assert_int_equal(bringup->phase, BRINGUP_HANDING);
	assert_false(bringup->handing.under_way);
	message = cluster_message(cluster, C, MESSAGE_READY, data);
	message.number = bringup->handed_over;
	message.reign--;
	assert_true(cluster_send(cluster, C, A, &message, NULL));
	assert_int_equal(bringup->phase, BRINGUP_HANDING);
	message.reign++;
	message.number++;
	assert_true(cluster_send(cluster, C, A, &message, NULL));
	assert_int_equal(bringup->phase, BRINGUP_HANDING);
	message.number--;
	assert_true(cluster_send(cluster, C, A, &message, NULL));
	cluster_lose_nothing(cluster);
	cluster_all_in_sync(cluster);
}

/* ---- sizes ---- */

#define ODD (CLUSTER_SIZE - 512)

static void odd_size(struct cluster *cluster, int member, struct replica_settings *settings)
{
	(void)cluster;
	(void)member;
	settings->devices[0].size = ODD;
}

/* The last block is not a whole one: it is compared, copied, told of, and made equal as far as it goes. */
static void test_last_block(void **state)
{
	const uint64_t last = CLUSTER_SIZE - CLUSTER_BLOCK;
	struct cluster *cluster = *state;
	struct byte_range range;
	struct cluster_request write;
	uint64_t cursor = 0;
	uint32_t client;

	cluster->adjust = odd_size;
	cluster_begin(cluster);
	client = cluster_open(cluster, D);
	cluster_write(cluster, D, client, &write, last, CLUSTER_BLOCK - 512, 5);
	assert_int_equal(cluster_answer(cluster, &write), 0);
	cluster_go(cluster, 5 * CLUSTER_LEASE);
	/* Compared. */
	cluster_kill(cluster, C);
	cluster_replace(cluster, C, 0);
	memcpy(cluster->member[C].image, cluster->member[A].image, CLUSTER_SIZE);
	cluster->member[C].has_data = true;
	memset(cluster->data, 0, sizeof(cluster->data));
	cluster_start(cluster, C);
	cluster_all_in_sync(cluster);
	assert_int_equal(cluster->data[MESSAGE_COPY], 0);
	assert_true(cluster->data[MESSAGE_HASHES] > 0);
	/* Told of, and copied. */
	cluster_kill(cluster, C);
	cluster_write(cluster, D, client, &write, last, CLUSTER_BLOCK - 512, 6);
	assert_int_equal(cluster_answer(cluster, &write), 0);
	assert_int_equal(replica_differing(cluster->member[A].replica, C, 0, &cursor, &range, 1), 1);
	assert_int_equal(range.position, last);
	assert_int_equal(range.length, CLUSTER_BLOCK - 512);
	cluster_start(cluster, C);
	cluster_all_in_sync(cluster);
	/* Made equal, when all have failed to write it. */
	for (int i = 0; i < 3; i++)
		cluster->member[i].io_result = -ENOSPC;
	cluster->member[B].image[last] = 0xbb;
	cluster_write(cluster, D, client, &write, last + 512, 512, 7);
	assert_int_equal(cluster_answer(cluster, &write), -ENOSPC);
	for (int i = 0; i < 3; i++)
		cluster->member[i].io_result = 0;
	cluster_go(cluster, 5 * CLUSTER_LEASE);
	cluster_all_in_sync(cluster);
}

static void larger_b(struct cluster *cluster, int member, struct replica_settings *settings)
{
	(void)cluster;
	if (member != B)
		settings->devices[0].size = CLUSTER_SIZE / 2;
}

/* The primary's image is larger than what was decided: the rest of it is nobody's, neither copied nor made equal. */
static void test_larger_image(void **state)
{
	struct cluster *cluster = *state;
	const char *why = NULL;
	uint32_t client;

	cluster->adjust = larger_b;
	cluster_begin(cluster);
	client = cluster_open(cluster, C);
	assert_int_equal(cluster_write_now(cluster, C, client, 0, 7), 0);
	/* All of it may differ, as its log is lost. */
	cluster_kill(cluster, B);
	cluster->member[B].saved_log = false;
	cluster_start(cluster, B);
	cluster_until(cluster, cluster_in_sync, B);
	assert_int_equal(replica_promote(cluster->member[A].replica, cluster->now, B, &why), 0);
	cluster_until(cluster, cluster_serves, B);
	cluster_kill(cluster, A);
	cluster_replace(cluster, A, 0);
	memset(cluster->data, 0, sizeof(cluster->data));
	cluster_start(cluster, A);
	cluster_until(cluster, cluster_in_sync, A);
	assert_int_equal(cluster->member[A].image[0], 7);
	assert_int_equal(cluster->data[MESSAGE_COPY], CLUSTER_BLOCK);
	assert_int_equal(cluster_status(cluster, B).members[A].out_of_sync, 0);
	/* Its process is another, with its log lost: it makes equal what was decided only. */
	cluster_kill(cluster, A);
	cluster_kill(cluster, B);
	cluster_kill(cluster, C);
	cluster->member[B].saved_log = false;
	cluster_start_all(cluster);
	cluster_all_in_sync(cluster);
}

static void halve_c(struct cluster *cluster, int member, struct replica_settings *settings)
{
	(void)cluster;
	if (member == C)
		settings->devices[0].size = CLUSTER_SIZE / 2;
}

/* Several writes fail at once at a backup: it tells of that once, until it tries again to be brought up. */
static void test_backup_cannot_write(void **state)
{
	struct cluster *cluster = *state;
	struct cluster_request writes[3];
	uint32_t client;

	cluster_begin(cluster);
	client = cluster_open(cluster, A);
	cluster->member[B].io_result = -EIO;
	for (unsigned int i = 0; i < 3; i++)
		cluster_write(cluster, A, client, &writes[i], (uint64_t)i * CLUSTER_BLOCK, CLUSTER_BLOCK, 1);
	for (int i = 0; i < 3; i++)
		assert_int_equal(cluster_answer(cluster, &writes[i]), 0);
	assert_int_equal(cluster->told[B][REPLICA_EVENT_DISK], 1);
	assert_int_equal(cluster->told[A][REPLICA_EVENT_DISK], 0);
	cluster_go(cluster, 100 * CLUSTER_LEASE);
	assert_true(cluster->told[B][REPLICA_EVENT_DISK] > 1);
	cluster->member[B].io_result = 0;
	cluster_all_in_sync(cluster);
}

/* Two new images of which the second is smaller than the first: it is no copy, and a vote all the same. */
static void test_second_image_is_smaller(void **state)
{
	struct cluster *cluster = *state;

	cluster->adjust = halve_c;
	cluster_start_all(cluster);
	cluster_until(cluster, cluster_serves, A);
	cluster_until(cluster, cluster_in_sync, B);
	cluster_go(cluster, 5 * CLUSTER_LEASE);
	assert_int_equal(cluster_status(cluster, A).configuration.sizes[0], CLUSTER_SIZE);
	assert_false(cluster_in_sync(cluster, C));
	assert_true(cluster_status(cluster, C).votes);
	cluster_kill(cluster, B);
	assert_int_equal(cluster_write_now(cluster, A, cluster_open(cluster, A), 0, 7), 0);
}

static member_set missing;

static void images_are_missing(struct cluster *cluster, int member, struct replica_settings *settings)
{
	(void)cluster;
	if (member_in(missing, member))
		settings->devices[0].image = REPLICA_IMAGE_MISSING;
}

/* No image can be opened: there is nothing that a set could begin with, until there is one. */
static void test_all_images_are_missing(void **state)
{
	struct cluster *cluster = *state;

	missing = member_bit(A) | member_bit(B) | member_bit(C);
	cluster->adjust = images_are_missing;
	cluster_start_all(cluster);
	cluster_go(cluster, 5 * CLUSTER_LEASE);
	assert_int_equal(cluster_primary(cluster), NO_MEMBER);
	for (int i = A; i <= C; i++)
		assert_int_equal(cluster_status(cluster, i).waits.what, REPLICA_WAITS_IMAGE);
	cluster_kill(cluster, B);
	missing &= (member_set)~member_bit(B);
	cluster_start(cluster, B);
	cluster_until(cluster, cluster_serves, B);
	cluster_all_in_sync(cluster);
}

/* Once it was brought up it is as good as any other: the only one that is left serves. */
static void test_missing_and_brought_up(void **state)
{
	struct cluster *cluster = *state;
	uint32_t client;

	cluster_begin(cluster);
	client = cluster_open(cluster, A);
	assert_int_equal(cluster_write_now(cluster, A, client, 0, 7), 0);
	cluster_kill(cluster, B);
	missing = member_bit(B);
	cluster->adjust = images_are_missing;
	cluster_start(cluster, B);
	cluster_until(cluster, cluster_in_sync, B);
	cluster_kill(cluster, C);
	cluster_until(cluster, cluster_serves, A);
	cluster_go(cluster, 5 * CLUSTER_LEASE);
	missing = 0;
	cluster_start(cluster, C);
	cluster_kill(cluster, A);
	cluster_until(cluster, cluster_serves, B);
	cluster_start(cluster, A);
	cluster_all_in_sync(cluster);
}

/* All that are left are to be discarded, each for the other's: none is, and without that order they go on. */
static void test_all_are_to_be_discarded(void **state)
{
	struct cluster *cluster = *state;
	uint32_t client;

	cluster_begin(cluster);
	client = cluster_open(cluster, A);
	assert_int_equal(cluster_write_now(cluster, A, client, 0, 7), 0);
	cluster_kill(cluster, A);
	cluster_kill(cluster, B);
	cluster_kill(cluster, C);
	missing = member_bit(B) | member_bit(C);
	cluster->adjust = images_are_missing;
	cluster_start(cluster, B);
	cluster_start(cluster, C);
	cluster_go(cluster, 20 * CLUSTER_LEASE);
	assert_int_equal(cluster_primary(cluster), NO_MEMBER);
	assert_int_equal(cluster_status(cluster, B).waits.what, REPLICA_WAITS_IN_SYNC);
	assert_true(cluster_status(cluster, B).discards && cluster_status(cluster, C).discards);
	cluster_kill(cluster, B);
	missing = member_bit(C);
	cluster_start(cluster, B);
	cluster_until(cluster, cluster_serves, B);
	assert_int_equal(cluster_read_now(cluster, B, cluster_open(cluster, B), 0), 7);
	cluster_until(cluster, cluster_in_sync, C);
	assert_false(cluster_status(cluster, C).discards);
	missing = 0;
	cluster_start(cluster, A);
	cluster_all_in_sync(cluster);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_new_primary_hangs, cluster_setup_five, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_new_primary_cannot_read, cluster_setup_five, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_fails_after_its_reign, cluster_setup_five, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_read_hangs, cluster_setup_five, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_copy_cannot_be_read, cluster_setup_five, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_flushes_meanwhile, cluster_setup, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_flush_hangs_over_reigns, cluster_setup, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_flush_hangs_for_ever, cluster_setup, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_alone_and_cannot_read, cluster_setup, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_target_cannot_flush, cluster_setup, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_wrong_hashes, cluster_setup, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_ready_for_another, cluster_setup, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_last_block, cluster_setup_five, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_larger_image, cluster_setup, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_backup_cannot_write, cluster_setup_five, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_second_image_is_smaller, cluster_setup, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_all_images_are_missing, cluster_setup, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_missing_and_brought_up, cluster_setup, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_all_are_to_be_discarded, cluster_setup, cluster_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
