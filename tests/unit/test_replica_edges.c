/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The core where what it has is at its end, or hardly there: one member, sizes that are not whole blocks, images that
 * are larger than the set's, full queues, too many requests and opens, metadata that cannot be kept, calls out of turn.
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

/* ---- few members, odd sizes ---- */

static void test_one_member(void **state)
{
	struct cluster *cluster = *state;
	uint32_t client;

	cluster_begin_other(cluster, 1, 0);
	client = cluster_open(cluster, A);
	assert_int_equal(cluster_write_now(cluster, A, client, 0, 1), 0);
	assert_int_equal(cluster_flush_now(cluster, A, client), 0);
	assert_int_equal(cluster_write_now(cluster, A, client, 4096, 2), 0);
	cluster_kill(cluster, A);
	cluster_start(cluster, A);
	cluster_until(cluster, cluster_serves, A);
	client = cluster_open(cluster, A);
	assert_int_equal(cluster_read_now(cluster, A, client, 0), 1);
	assert_int_equal(cluster_read_now(cluster, A, client, 4096), 2);
	/* What was not flushed is lost with its host, and its clients are told by another generation. */
	assert_int_equal(cluster_write_now(cluster, A, client, 8192, 3), 0);
	cluster_power(cluster, A);
	cluster_start(cluster, A);
	cluster_until(cluster, cluster_serves, A);
	assert_int_equal(cluster_status(cluster, A).configuration.generation.number, 2);
	client = cluster_open(cluster, A);
	assert_int_equal(cluster_read_now(cluster, A, client, 0), 1);
}

/* B's image is larger than what is decided, which is not whole blocks: the rest of it is nobody's. */
static void small_but_b(struct cluster *cluster, int member, struct replica_settings *settings)
{
	(void)cluster;
	if (member != B)
		settings->devices[0].size = CLUSTER_SIZE - 3 * CLUSTER_BLOCK - 512;
}

static void test_larger_image(void **state)
{
	struct cluster *cluster = *state;
	const uint64_t size = CLUSTER_SIZE - 3 * CLUSTER_BLOCK - 512;
	struct cluster_request write;
	const char *why;
	uint32_t client;

	cluster->adjust = small_but_b;
	cluster_begin(cluster);
	assert_int_equal(cluster_status(cluster, A).configuration.sizes[0], size);
	client = cluster_open(cluster, C);
	cluster_write(cluster, C, client, &write, size - 512, 512, 1);
	assert_int_equal(cluster_answer(cluster, &write), 0);
	/* Within B's own image: it is refused wherever the primary is. */
	cluster_write(cluster, C, client, &write, size, 512, 1);
	assert_int_equal(cluster_answer(cluster, &write), -EINVAL);
	assert_int_equal(replica_promote(cluster->member[A].replica, cluster->now, B, &why), 0);
	cluster_until(cluster, cluster_serves, B);
	cluster_write(cluster, C, client, &write, size, 512, 1);
	assert_int_equal(cluster_answer(cluster, &write), -EINVAL);
	cluster_write(cluster, C, client, &write, size - 1024, 1024, 2);
	assert_int_equal(cluster_answer(cluster, &write), 0);
	/* B is restarted: what was hot is made equal up to the end of what was decided. */
	for (int i = A; i <= C; i++)
		cluster_kill(cluster, i);
	cluster_start(cluster, A);
	cluster_start(cluster, B);
	cluster_start(cluster, C);
	cluster_all_in_sync(cluster);
	/* A whole copy, to one that is larger. */
	cluster_kill(cluster, B);
	memset(cluster->member[B].slots, 0, sizeof(cluster->member[B].slots));
	cluster->member[B].saved_slots[0] = cluster->member[B].saved_slots[1] = false;
	cluster->member[B].saved_log = false;
	memset(cluster->member[B].saved_bits, 0, sizeof(cluster->member[B].saved_bits));
	memset(cluster->member[B].image, 0xee, CLUSTER_SIZE);
	cluster_start(cluster, B);
	cluster_until(cluster, cluster_in_sync, B);
	for (int i = B; i <= C; i++)
		assert_memory_equal(cluster->member[A].image, cluster->member[i].image, size);
	assert_int_equal(cluster->member[B].image[size], 0xee);
}

/* ---- what can never be done, or not now ---- */

static void test_requests_without_sense(void **state)
{
	static const struct replica_request wrong[] = {
		{ .kind = ENTRY_WRITE, .length = 0 },
		{ .kind = ENTRY_READ, .length = 0 },
		{ .kind = ENTRY_READ, .length = MESSAGE_DATA_MAX + 512 },
	};
	struct cluster *cluster = *state;
	struct cluster_request request;
	uint32_t client;

	cluster_begin(cluster);
	client = cluster_open(cluster, B);
	for (unsigned int i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		request.request = wrong[i];
		request.request.client = client;
		cluster_submit(cluster, B, &request);
		assert_int_equal(request.result, -EINVAL);
	}
	/* Nobody knows of it. */
	replica_forget_client(cluster->member[B].replica, cluster->now, 12345);
	replica_forget_client(cluster->member[B].replica, cluster->now, client);
	replica_forget_client(cluster->member[B].replica, cluster->now, client);
	cluster_go(cluster, CLUSTER_HEARTBEAT);
	client = cluster_open(cluster, B);
	assert_int_equal(cluster_write_now(cluster, B, client, 0, 1), 0);
}

/* Two pieces of metadata that cannot be kept: it ends, and says so once. */
static void test_two_saves_fail(void **state)
{
	struct cluster *cluster = *state;
	struct cluster_request write;
	uint32_t client;

	cluster_begin(cluster);
	client = cluster_open(cluster, A);
	cluster->member[B].saves_hang = true;
	assert_int_equal(cluster->told[B][REPLICA_EVENT_DISK], 0);
	cluster_kill(cluster, C);
	cluster_write(cluster, A, client, &write, 8 * CLUSTER_BLOCK, CLUSTER_BLOCK, 1);
	cluster_go(cluster, CLUSTER_LEASE);
	assert_true(cluster->member[B].nr_saves >= 2);
	cluster->member[B].save_result = -EIO;
	cluster->member[B].saves_hang = false;
	cluster_go(cluster, CLUSTER_HEARTBEAT);
	assert_int_equal(cluster->member[B].nr_saves, 0);
	assert_int_equal(cluster->told[B][REPLICA_EVENT_DISK], 1);
	cluster_kill(cluster, B);
	cluster->member[B].save_result = 0;
	cluster_start(cluster, B);
	cluster_start(cluster, C);
	assert_int_equal(cluster_answer(cluster, &write), 0);
	cluster_until(cluster, cluster_in_sync, B);
	cluster_until(cluster, cluster_in_sync, C);
}

/* More opens than one host may have, and than the set may have. */
static void test_too_many_opens(void **state)
{
	struct cluster *cluster = *state;
	struct cluster_request open;
	int refused = 0, granted = 0;

	cluster_begin(cluster);
	for (int i = 0; i < 20; i++) {
		int result;

		open.request =
			(struct replica_request){ .kind = ENTRY_OPEN, .client = 100u + (unsigned)i, .shared = true };
		cluster_submit(cluster, i % 2 ? B : C, &open);
		result = cluster_answer(cluster, &open);
		assert_true(result == 0 || result == -EBUSY);
		granted += result == 0;
		refused += result == -EBUSY;
	}
	assert_int_equal(granted, 8);
	assert_int_equal(refused, 12);
	/* One goes, another comes. */
	replica_forget_client(cluster->member[B].replica, cluster->now, 101);
	cluster_go(cluster, CLUSTER_HEARTBEAT);
	open.request = (struct replica_request){ .kind = ENTRY_OPEN, .client = 200, .shared = true };
	cluster_submit(cluster, C, &open);
	assert_int_equal(cluster_answer(cluster, &open), 0);
}

/* An in-sync member is demanded that is not there, and the settings want an error. */
static void two_and_errors(struct cluster *cluster, int member, struct replica_settings *settings)
{
	(void)cluster;
	(void)member;
	settings->min_in_sync = 2;
	settings->error_on_no_quorum = true;
}

static void test_error_on_no_quorum(void **state)
{
	struct cluster *cluster = *state;
	struct cluster_request write, open;
	uint32_t client, closes;

	cluster->adjust = two_and_errors;
	cluster_begin(cluster);
	client = cluster_open(cluster, A);
	closes = cluster_open(cluster, A);
	cluster_kill(cluster, B);
	cluster_kill(cluster, C);
	cluster_go(cluster, CLUSTER_LEASE * 3);
	cluster_write(cluster, A, client, &write, 0, 4096, 1);
	assert_int_equal(cluster_answer(cluster, &write), -EIO);
	open.request = (struct replica_request){ .kind = ENTRY_OPEN, .client = 300, .shared = true };
	cluster_submit(cluster, A, &open);
	assert_int_equal(cluster_answer(cluster, &open), -EIO);
	/* One that closes is told the same, however often; it is closed when that can be. */
	for (int i = 0; i < 2; i++) {
		cluster_close(cluster, A, closes, &open);
		assert_int_equal(open.result, -EIO);
	}
	/* A client that dies meanwhile is forgotten, and nobody is told. */
	cluster_write(cluster, A, client, &write, 0, 4096, 1);
	replica_forget_client(cluster->member[A].replica, cluster->now, client);
	cluster_go(cluster, CLUSTER_LEASE * 3);
	cluster_start(cluster, B);
	cluster_start(cluster, C);
	cluster_all_in_sync(cluster);
	cluster_go(cluster, CLUSTER_HEARTBEAT);
	for (int i = A; i <= C; i++)
		assert_false(done_table_knows(&cluster->member[i].replica->done,
					      (struct client_id){ cluster->member[A].incarnation, closes }));
	client = cluster_open(cluster, A);
	assert_int_equal(cluster_write_now(cluster, A, client, 0, 2), 0);
}

/* ---- queues without room ---- */

static int nr_full;
static enum message_type full_type;

static bool is_full(struct cluster *cluster, int from, int to, enum message_type type)
{
	(void)cluster;
	(void)from;
	(void)to;
	if (type != full_type || nr_full == 0)
		return false;
	nr_full--;
	return true;
}

/* A request waits for room; for all else the session ends, and all is as if the link had been lost. */
static void test_full_queue(void **state)
{
	static const enum message_type types[] = {
		MESSAGE_REQUEST, MESSAGE_WRITE, MESSAGE_WRITTEN, MESSAGE_FLUSH,
		MESSAGE_STATUS,	 MESSAGE_RENEW, MESSAGE_ANSWER,	 MESSAGE_GRANT,
	};
	struct cluster *cluster = *state;
	uint32_t client;

	cluster_begin(cluster);
	client = cluster_open(cluster, C);
	cluster->full = is_full;
	for (unsigned int i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		full_type = types[i];
		nr_full = 3;
		assert_int_equal(cluster_write_now(cluster, C, client, 0, (unsigned char)(i + 1)), 0);
		cluster_go(cluster, CLUSTER_LEASE * 3);
		assert_true(nr_full < 3);
		for (int member = A; member <= C; member++)
			cluster_until(cluster, cluster_in_sync, member);
		assert_int_equal(cluster_read_now(cluster, C, client, 0), (int)i + 1);
	}
}

/* ---- metadata ---- */

/* What cannot be kept is not promised: it ends, and the others go on. */
static void test_metadata_fails(void **state)
{
	struct cluster *cluster = *state;
	struct replica *a;
	struct replica_status status;
	uint32_t client;

	cluster_begin(cluster);
	client = cluster_open(cluster, C);
	a = cluster->member[A].replica;
	cluster->member[A].save_result = -EIO;
	/* Its log is written, with the first write of an extent: the write is done by the others. */
	assert_int_equal(cluster_write_now(cluster, C, client, 0, 1), 0);
	replica_status(a, &status);
	assert_false(status.serving || status.votes);
	assert_false(replica_stopped(a));
	replica_stop(a, cluster->now);
	assert_true(replica_stopped(a));
	/* It talks to nobody. */
	cluster_go(cluster, CLUSTER_LEASE * 3);
	for (int i = 0; i < 2; i++)
		assert_false(cluster->up[A][i]);
	cluster_kill(cluster, A);
	cluster->member[A].save_result = 0;
	cluster_start(cluster, A);
	cluster_until(cluster, cluster_in_sync, A);
	assert_int_equal(cluster_read_now(cluster, C, client, 0), 1);
}

/* Both slots are broken: it has lost what it promised, and does not vote until it has learnt. */
static void test_both_slots_broken(void **state)
{
	struct cluster *cluster = *state;
	uint32_t client;

	cluster_begin(cluster);
	client = cluster_open(cluster, A);
	assert_int_equal(cluster_write_now(cluster, A, client, 0, 1), 0);
	cluster_kill(cluster, C);
	cluster->member[C].slots[0][100] ^= 1;
	cluster->member[C].slots[1][200] ^= 1;
	cluster->member[C].saved_log = false;
	memset(cluster->member[C].saved_bits, 0, sizeof(cluster->member[C].saved_bits));
	cluster_start(cluster, C);
	assert_false(cluster_status(cluster, C).votes);
	cluster_until(cluster, cluster_in_sync, C);
	cluster_go(cluster, CLUSTER_LEASE * 3);
	assert_true(cluster_status(cluster, C).votes);
	cluster_kill(cluster, A);
	cluster_go(cluster, CLUSTER_LEASE * 5);
	assert_int_not_equal(cluster_primary(cluster), NO_MEMBER);
	client = cluster_open(cluster, C);
	assert_int_equal(cluster_read_now(cluster, C, client, 0), 1);
}

/* A slot that cannot be read is as one that is broken: the other one serves, and without that the vote is lost. */
static void test_unreadable_slots(void **state)
{
	struct cluster *cluster = *state;

	cluster_begin(cluster);
	cluster_go(cluster, 5 * CLUSTER_LEASE);
	for (int i = 0; i < 3; i++) {
		cluster_kill(cluster, C);
		cluster->member[C].damaged_slots[0] = i != 1;
		cluster->member[C].damaged_slots[1] = i != 0;
		cluster_start(cluster, C);
		assert_int_equal(cluster_status(cluster, C).votes, i != 2);
		cluster_until(cluster, cluster_in_sync, C);
	}
	cluster_go(cluster, CLUSTER_LEASE * 3);
	assert_true(cluster_status(cluster, C).votes);
}

/* A log that is never written holds up the write; a new primary waits for nothing that has not reached its image. */
static void test_log_hangs(void **state)
{
	struct cluster *cluster = *state;
	struct cluster_request write;
	uint32_t client;

	cluster_begin(cluster);
	client = cluster_open(cluster, C);
	cluster->member[A].saves_hang = true;
	cluster_write(cluster, C, client, &write, 0, 4096, 1);
	cluster_go(cluster, CLUSTER_HEARTBEAT);
	assert_int_equal(write.result, 1);
	cluster_cut(cluster, A, true);
	assert_int_equal(cluster_answer(cluster, &write), 0);
	cluster->member[A].saves_hang = false;
	cluster_cut(cluster, A, false);
	cluster_until(cluster, cluster_in_sync, A);
	for (int i = B; i <= C; i++)
		assert_memory_equal(cluster->member[A].image, cluster->member[i].image, CLUSTER_SIZE);
}

/* ---- calls out of turn ---- */

static void test_sessions_told_twice(void **state)
{
	struct cluster *cluster = *state;
	uint32_t client;

	cluster_begin(cluster);
	client = cluster_open(cluster, B);
	/* Up again without a word of its end: what was sent on the last one is not on this one. */
	replica_connected(cluster->member[A].replica, cluster->now, B);
	replica_connected(cluster->member[B].replica, cluster->now, A);
	cluster_go(cluster, CLUSTER_LEASE);
	cluster_until(cluster, cluster_in_sync, B);
	assert_int_equal(cluster_write_now(cluster, B, client, 0, 1), 0);
	cluster_cut(cluster, B, true);
	replica_disconnected(cluster->member[A].replica, cluster->now, B);
	replica_disconnected(cluster->member[B].replica, cluster->now, A);
	cluster_cut(cluster, B, false);
	cluster_until(cluster, cluster_in_sync, B);
	assert_int_equal(cluster_read_now(cluster, B, client, 0), 1);
}

static void test_stop_twice(void **state)
{
	struct cluster *cluster = *state;

	cluster_begin(cluster);
	assert_false(replica_stopped(cluster->member[A].replica));
	for (int i = 0; i < 2; i++)
		replica_stop(cluster->member[A].replica, cluster->now);
	assert_false(replica_stopped(cluster->member[A].replica));
	for (int i = 0; !replica_stopped(cluster->member[A].replica); i++) {
		assert_true(i < 100);
		replica_stop(cluster->member[A].replica, cluster->now);
		cluster_go(cluster, CLUSTER_HEARTBEAT);
	}
	cluster_kill(cluster, A);
	cluster_go(cluster, CLUSTER_LEASE);
	assert_int_not_equal(cluster_primary(cluster), NO_MEMBER);
}

/* ---- the disk ---- */

/* The primary cannot read: another one serves, and the read is answered. */
static void test_read_error(void **state)
{
	struct cluster *cluster = *state;
	uint32_t client;

	cluster_begin(cluster);
	client = cluster_open(cluster, A);
	assert_int_equal(cluster_write_now(cluster, A, client, 0, 1), 0);
	cluster->member[A].read_result = -EIO;
	assert_int_equal(cluster_read_now(cluster, A, client, 0), 1);
	assert_int_not_equal(cluster_primary(cluster), A);
	cluster->member[A].read_result = 0;
	cluster_until(cluster, cluster_in_sync, A);
	/* The last one: its client gets the error. */
	cluster_kill(cluster, A);
	cluster_kill(cluster, B);
	cluster_start(cluster, A);
	cluster_until(cluster, cluster_in_sync, A);
}

/* A block cannot be read for a target: the last one in sync goes on, and the target does not come in sync by it. */
static void test_copy_cannot_be_read(void **state)
{
	struct cluster *cluster = *state;
	struct cluster_request read;
	uint32_t client;

	cluster_begin_other(cluster, 3, member_bit(C));
	client = cluster_open(cluster, A);
	cluster_kill(cluster, B);
	assert_int_equal(cluster_write_now(cluster, A, client, 0, 1), 0);
	cluster->member[A].read_result = -EIO;
	cluster_start(cluster, B);
	cluster_go(cluster, CLUSTER_LEASE * 5);
	assert_false(cluster_in_sync(cluster, B));
	assert_true(cluster_serves(cluster, A));
	cluster_read(cluster, A, client, &read, 0, 4096);
	assert_int_equal(cluster_answer(cluster, &read), -EIO);
	cluster->member[A].read_result = 0;
	cluster_until(cluster, cluster_in_sync, B);
	assert_memory_equal(cluster->member[A].image, cluster->member[B].image, CLUSTER_SIZE);
}

/* The last in sync cannot read a block for a target: it is not tried for ever without a pause, and ends when it can. */
static void test_unreadable_for_a_target(void **state)
{
	struct cluster *cluster = *state;
	unsigned int told;
	uint32_t client;

	cluster_begin_other(cluster, 3, member_bit(C));
	cluster_kill(cluster, B);
	client = cluster_open(cluster, A);
	assert_int_equal(cluster_write_now(cluster, A, client, 0, 1), 0);
	cluster->member[A].read_result = -EIO;
	told = cluster->told[A][REPLICA_EVENT_MEMBER];
	cluster_start(cluster, B);
	cluster_go(cluster, 100 * CLUSTER_LEASE);
	/* After 8, 16, 32, 64 seconds: what is told each time, once. */
	assert_true(cluster->told[A][REPLICA_EVENT_MEMBER] > told);
	assert_true(cluster->told[A][REPLICA_EVENT_MEMBER] <= told + 3 * 5);
	assert_true(cluster_serves(cluster, A));
	assert_false(cluster_in_sync(cluster, B));
	cluster->member[A].read_result = 0;
	cluster_go(cluster, 64 * CLUSTER_LEASE);
	cluster_until(cluster, cluster_in_sync, B);
	cluster_assert_equal(cluster);
}

/* Both slots of C are broken and its maps are not: it is a member that has lost its state, and is copied as a whole. */
static void test_broken_slots(void **state)
{
	struct cluster *cluster = *state;
	uint32_t client;

	cluster_begin(cluster);
	client = cluster_open(cluster, A);
	assert_int_equal(cluster_write_now(cluster, A, client, 0, 1), 0);
	cluster_kill(cluster, B);
	assert_int_equal(cluster_write_now(cluster, A, client, 4096, 2), 0);
	cluster_go(cluster, 5 * CLUSTER_LEASE);
	cluster_kill(cluster, C);
	for (int i = 0; i < 2; i++)
		cluster->member[C].slots[i][100] ^= 1;
	assert_true(cluster->member[C].saved_log && cluster->member[C].saved_bits[B]);
	memset(cluster->member[C].image, 0xee, CLUSTER_SIZE);
	cluster_start(cluster, B);
	cluster_start(cluster, C);
	cluster_until(cluster, cluster_in_sync, C);
	cluster_until(cluster, cluster_in_sync, B);
	cluster_assert_equal(cluster);
	assert_true(cluster_status(cluster, C).votes);
}

/* C has lost its promises and cannot learn, as it sees A alone: A decides nothing for it before it can. */
static void test_nothing_decided_while_learning(void **state)
{
	struct cluster *cluster = *state;
	uint64_t epoch;

	cluster_begin(cluster);
	cluster_kill(cluster, C);
	cluster->member[C].saved_slots[0] = cluster->member[C].saved_slots[1] = false;
	cluster_go(cluster, 5 * CLUSTER_LEASE);
	cluster_cut_link(cluster, B, C, true);
	cluster_start(cluster, C);
	/* It is brought up meanwhile: that is one. */
	cluster_until(cluster, cluster_in_sync, C);
	epoch = cluster_status(cluster, A).configuration.epoch;
	cluster_go(cluster, 30 * CLUSTER_LEASE);
	assert_int_equal(cluster_status(cluster, A).configuration.epoch, epoch);
	assert_false(cluster_status(cluster, C).votes);
	cluster_cut_link(cluster, B, C, false);
	cluster_go(cluster, 10 * CLUSTER_LEASE);
	assert_true(cluster_status(cluster, C).votes);
	assert_true(cluster_status(cluster, A).configuration.epoch <= epoch + 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_one_member, cluster_setup, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_larger_image, cluster_setup, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_requests_without_sense, cluster_setup, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_two_saves_fail, cluster_setup, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_too_many_opens, cluster_setup, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_error_on_no_quorum, cluster_setup, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_full_queue, cluster_setup, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_metadata_fails, cluster_setup, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_both_slots_broken, cluster_setup, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_unreadable_slots, cluster_setup, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_log_hangs, cluster_setup, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_sessions_told_twice, cluster_setup, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_stop_twice, cluster_setup, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_read_error, cluster_setup, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_copy_cannot_be_read, cluster_setup, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_unreadable_for_a_target, cluster_setup, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_broken_slots, cluster_setup, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_nothing_decided_while_learning, cluster_setup, cluster_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
