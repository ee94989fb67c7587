/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Opens of one device by several clients: who excludes whom, who waits for whom, and what a change of the primary, an
 * absent owner or the end of all processes make of it. */
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

#define GRACE CLUSTER_GRACE

/* Opens, or is refused: the result; *client is another each time. */
static int open_as(struct cluster *cluster, int member, bool shared, bool read_only, uint32_t *client)
{
	struct cluster_request request;

	*client = cluster_ask_to_open(cluster, member, &request, shared, read_only);
	return cluster_answer(cluster, &request);
}

static int open_alone(struct cluster *cluster, int member, uint32_t *client)
{
	return open_as(cluster, member, false, false, client);
}

/* Its server is told, and tells the primary. */
static void client_dies(struct cluster *cluster, int member, uint32_t client)
{
	replica_forget_client(cluster->member[member].replica, cluster->now, client);
	cluster_go(cluster, CLUSTER_HEARTBEAT / 10);
}

static void close_now(struct cluster *cluster, int member, uint32_t client)
{
	struct cluster_request request;

	cluster_close(cluster, member, client, &request);
	assert_int_equal(cluster_answer(cluster, &request), 0);
}

static void test_exclusive(void **state)
{
	struct cluster *cluster = *state;
	uint32_t owner, other, reader;

	cluster_begin(cluster);
	assert_int_equal(open_alone(cluster, B, &owner), 0);
	assert_int_equal(open_alone(cluster, A, &other), -EBUSY);
	assert_int_equal(open_alone(cluster, B, &other), -EBUSY);
	assert_int_equal(open_as(cluster, C, true, false, &other), -EBUSY);
	assert_int_equal(open_as(cluster, C, false, true, &other), -EBUSY);
	assert_int_equal(cluster_write_now(cluster, B, owner, 0, 1), 0);
	close_now(cluster, B, owner);
	assert_int_equal(open_as(cluster, C, true, false, &other), 0);
	assert_int_equal(open_alone(cluster, B, &owner), -EBUSY);
	assert_int_equal(open_as(cluster, A, true, false, &owner), 0);
	close_now(cluster, C, other);
	close_now(cluster, A, owner);
	/* Those that only read are together, and do not write. */
	assert_int_equal(open_as(cluster, A, false, true, &reader), 0);
	assert_int_equal(open_as(cluster, B, false, true, &other), 0);
	assert_int_equal(open_alone(cluster, C, &owner), -EBUSY);
	assert_int_equal(cluster_read_now(cluster, B, other, 0), 1);
	assert_int_equal(cluster_write_now(cluster, B, other, 0, 2), -EBADF);
	assert_int_equal(cluster_read_now(cluster, A, reader, 0), 1);
}

/* A client that has it open asks for another way. */
static void test_open_again(void **state)
{
	struct cluster *cluster = *state;
	uint32_t one, other;

	cluster_begin(cluster);
	assert_int_equal(open_as(cluster, B, false, true, &one), 0);
	assert_int_equal(open_as(cluster, C, false, true, &other), 0);
	assert_int_equal(cluster_open_again(cluster, B, one, false, false), -EBUSY);
	assert_int_equal(cluster_read_now(cluster, B, one, 0), 0);
	close_now(cluster, C, other);
	assert_int_equal(cluster_open_again(cluster, B, one, false, false), 0);
	assert_int_equal(cluster_write_now(cluster, B, one, 0, 1), 0);
	assert_int_equal(open_as(cluster, C, false, true, &other), -EBUSY);
}

/*
 * Answered writes are lost, and a client that has the device open from before asks to write as well: it is told, or
 * what it has open would be good again without a word.
 */
static void test_open_again_after_a_loss(void **state)
{
	struct cluster *cluster = *state;
	uint32_t writer, reader;

	cluster_begin_other(cluster, 3, member_bit(C));
	assert_int_equal(open_as(cluster, A, true, false, &writer), 0);
	assert_int_equal(open_as(cluster, C, true, true, &reader), 0);
	assert_int_equal(cluster_write_now(cluster, A, writer, 0, 1), 0);
	assert_int_equal(cluster_read_now(cluster, C, reader, 0), 1);
	for (int i = A; i <= B; i++)
		cluster_power(cluster, i);
	for (int i = A; i <= B; i++)
		cluster_start(cluster, i);
	while (cluster_primary(cluster) == NO_MEMBER)
		cluster_go(cluster, CLUSTER_HEARTBEAT);
	assert_int_equal(cluster_status(cluster, C).configuration.generation.number, 2);
	assert_int_equal(cluster_open_again(cluster, C, reader, true, false), -EIO);
	assert_int_equal(cluster_read_now(cluster, C, reader, 0), -EIO);
	close_now(cluster, C, reader);
	assert_int_equal(open_as(cluster, C, true, true, &reader), 0);
	assert_int_equal(cluster_open_again(cluster, C, reader, true, false), 0);
	assert_int_equal(cluster_read_now(cluster, C, reader, 0), 0);
}

/* Requests of clients that have nothing open are told so at once, and take no place of those that have. */
static void test_nothing_open(void **state)
{
	struct cluster *cluster = *state;
	static struct cluster_request read;
	uint32_t owner;

	cluster_begin(cluster);
	for (uint32_t i = 0; i < 20; i++) {
		cluster_read(cluster, B, 1000 + i, &read, 0, CLUSTER_BLOCK);
		assert_int_equal(read.result, -EIO);
	}
	assert_int_equal(open_alone(cluster, B, &owner), 0);
	close_now(cluster, B, 2000);
	assert_int_equal(cluster_write_now(cluster, B, owner, 0, 1), 0);
}

/* More opens that are refused than there may be opens: nothing is left of them. */
static void test_refused_again_and_again(void **state)
{
	struct cluster *cluster = *state;
	uint32_t owner, other;

	cluster_begin(cluster);
	assert_int_equal(open_alone(cluster, B, &owner), 0);
	for (int i = 0; i < 40; i++)
		assert_int_equal(open_alone(cluster, i % 3, &other), -EBUSY);
	close_now(cluster, B, owner);
	for (int i = 0; i < 40; i++) {
		assert_int_equal(open_alone(cluster, i % 3, &owner), 0);
		close_now(cluster, i % 3, owner);
	}
}

/* The next primary knows who has it open. */
static void test_after_promotion(void **state)
{
	struct cluster *cluster = *state;
	uint32_t owner, other;

	cluster_begin(cluster);
	assert_int_equal(open_alone(cluster, C, &owner), 0);
	cluster_kill(cluster, A);
	assert_int_equal(open_alone(cluster, B, &other), -EBUSY);
	assert_int_equal(cluster_write_now(cluster, C, owner, 0, 1), 0);
	/* And so does one that was told by it. */
	cluster_start(cluster, A);
	cluster_until(cluster, cluster_in_sync, A);
	cluster_kill(cluster, B);
	assert_int_equal(open_alone(cluster, A, &other), -EBUSY);
	assert_int_equal(cluster_write_now(cluster, C, owner, 0, 2), 0);
}

/* An owner that is not there: an open waits until it is back, and is refused then. */
static void test_absent_owner_returns(void **state)
{
	struct cluster *cluster = *state;
	struct cluster_request request;
	uint32_t owner;

	cluster_begin(cluster);
	assert_int_equal(open_alone(cluster, C, &owner), 0);
	cluster_cut(cluster, C, true);
	cluster_ask_to_open(cluster, B, &request, false, false);
	cluster_go(cluster, GRACE / 2);
	assert_int_equal(request.result, 1);
	cluster_cut(cluster, C, false);
	assert_int_equal(cluster_answer(cluster, &request), -EBUSY);
	assert_int_equal(cluster_write_now(cluster, C, owner, 0, 1), 0);
}

/* Its process is another: what the last one had open is closed at once, at the primary of then and at the next. */
static void test_owners_process_is_another(void **state)
{
	struct cluster *cluster = *state;
	uint32_t owner, other;
	uint64_t began;

	cluster_begin(cluster);
	assert_int_equal(open_alone(cluster, B, &owner), 0);
	cluster_kill(cluster, B);
	cluster_start(cluster, B);
	began = cluster->now;
	assert_int_equal(open_alone(cluster, B, &other), 0);
	assert_true(cluster->now - began < GRACE / 2);
	/* The primary's own. */
	close_now(cluster, B, other);
	assert_int_equal(open_alone(cluster, A, &owner), 0);
	cluster_kill(cluster, A);
	cluster_start(cluster, A);
	began = cluster->now;
	assert_int_equal(open_alone(cluster, A, &other), 0);
	assert_true(cluster->now - began < GRACE / 2);
}

/* It does not come back: after open_grace it is closed, and for good. */
static void test_absent_owner_lapses(void **state)
{
	struct cluster *cluster = *state;
	struct cluster_request request;
	uint32_t owner, next;

	cluster_begin(cluster);
	assert_int_equal(open_alone(cluster, C, &owner), 0);
	cluster_cut(cluster, C, true);
	next = cluster_ask_to_open(cluster, B, &request, false, false);
	cluster_go(cluster, GRACE - CLUSTER_HEARTBEAT);
	assert_int_equal(request.result, 1);
	cluster_go(cluster, 4 * CLUSTER_HEARTBEAT);
	assert_int_equal(request.result, 0);
	assert_int_equal(cluster_write_now(cluster, B, next, 0, 1), 0);
	cluster_cut(cluster, C, false);
	assert_int_equal(cluster_write_now(cluster, C, owner, 0, 2), -EIO);
	assert_int_equal(cluster_read_now(cluster, B, next, 0), 1);
}

/* How long a process was away counts for its own opens: not for those of who came in its place in the table. */
static void test_time_of_another(void **state)
{
	struct cluster *cluster = *state;
	uint32_t one, other;

	cluster_begin(cluster);
	for (int round = 0; round < 8; round++) {
		cluster_until(cluster, cluster_in_sync, C);
		assert_int_equal(open_alone(cluster, C, &one), 0);
		cluster_cut(cluster, C, true);
		cluster_go(cluster, GRACE / 2 + (uint64_t)round * GRACE / 16);
		cluster_cut(cluster, C, false);
		cluster_until(cluster, cluster_in_sync, C);
		close_now(cluster, C, one);
		/* It has the place of the other one. */
		assert_int_equal(open_alone(cluster, C, &other), 0);
		cluster_cut(cluster, C, true);
		cluster_go(cluster, GRACE * 3 / 4);
		cluster_cut(cluster, C, false);
		assert_int_equal(cluster_write_now(cluster, C, other, 0, 2), 0);
		close_now(cluster, C, other);
	}
}

/* A client dies in the middle of a write: the next open is answered when all have the write. */
static void test_dead_owners_write(void **state)
{
	struct cluster *cluster = *state;
	struct cluster_request write, request, read;
	uint32_t owner, next;

	cluster_begin(cluster);
	assert_int_equal(open_alone(cluster, C, &owner), 0);
	cluster->member[B].io_hangs = true;
	cluster_write(cluster, C, owner, &write, 0, 4096, 1);
	cluster_go(cluster, CLUSTER_HEARTBEAT / 10);
	assert_int_equal(write.result, 1);
	client_dies(cluster, C, owner);
	next = cluster_ask_to_open(cluster, A, &request, false, false);
	cluster_go(cluster, CLUSTER_HEARTBEAT);
	assert_int_equal(request.result, 1);
	assert_int_equal(cluster->member[B].image[0], 0);
	cluster->member[B].io_hangs = false;
	assert_int_equal(cluster_answer(cluster, &request), 0);
	for (int i = 0; i < 3; i++)
		assert_int_equal(cluster->member[i].image[0], 1);
	cluster_read(cluster, A, next, &read, 0, 4096);
	assert_int_equal(cluster_answer(cluster, &read), 0);
	assert_int_equal(read.data[0], 1);
}

/* The same, and the primary dies, too: what it began is the same on all before the next one reads. */
static void test_dead_owners_write_and_primary(void **state)
{
	struct cluster *cluster = *state;
	struct cluster_request write, request;
	uint32_t owner, reader;

	cluster_begin(cluster);
	assert_int_equal(open_alone(cluster, C, &owner), 0);
	cluster_lose(cluster, MESSAGE_WRITTEN, NO_MEMBER);
	cluster->member[B].io_hangs = true;
	cluster_write(cluster, C, owner, &write, 0, 4096, 1);
	cluster_go(cluster, CLUSTER_HEARTBEAT / 10);
	client_dies(cluster, C, owner);
	reader = cluster_ask_to_open(cluster, B, &request, false, false);
	cluster_go(cluster, CLUSTER_HEARTBEAT / 10);
	assert_int_equal(request.result, 1);
	cluster_kill(cluster, A);
	cluster_lose_nothing(cluster);
	cluster_go(cluster, CLUSTER_LEASE);
	/* Nobody serves before B's image has what is on its way to it. */
	assert_int_equal(request.result, 1);
	cluster->member[B].io_hangs = false;
	assert_int_equal(cluster_answer(cluster, &request), 0);
	assert_int_equal(cluster_read_now(cluster, B, reader, 0), cluster->member[C].image[0]);
	assert_int_equal(cluster->member[B].image[0], cluster->member[C].image[0]);
}

/* All in-sync processes are restarted; the owner, at a member without an image, is not. It is known again, and nobody
 * else opens before that could be. */
static void test_all_are_restarted(void **state)
{
	struct cluster *cluster = *state;
	struct cluster_request request, write;
	uint32_t owner, other;

	cluster_begin_other(cluster, 3, member_bit(C));
	assert_int_equal(open_alone(cluster, C, &owner), 0);
	cluster_kill(cluster, A);
	cluster_kill(cluster, B);
	cluster_write(cluster, C, owner, &write, 0, 4096, 1);
	cluster_start(cluster, A);
	cluster_start(cluster, B);
	cluster_ask_to_open(cluster, A, &request, false, false);
	assert_int_equal(cluster_answer(cluster, &request), -EBUSY);
	assert_int_equal(cluster_answer(cluster, &write), 0);
	close_now(cluster, C, owner);
	assert_int_equal(open_alone(cluster, A, &other), 0);
}

/* The same with an owner that has asked for nothing in a long time. */
static void test_all_are_restarted_and_it_is_idle(void **state)
{
	struct cluster *cluster = *state;
	struct cluster_request request;
	uint32_t owner;

	cluster_begin_other(cluster, 3, member_bit(C));
	assert_int_equal(open_alone(cluster, C, &owner), 0);
	cluster_go(cluster, 5 * GRACE);
	cluster_kill(cluster, A);
	cluster_kill(cluster, B);
	cluster_start(cluster, A);
	cluster_start(cluster, B);
	cluster_ask_to_open(cluster, A, &request, false, false);
	assert_int_equal(cluster_answer(cluster, &request), -EBUSY);
	cluster_go(cluster, 5 * GRACE);
	assert_int_equal(cluster_write_now(cluster, C, owner, 0, 1), 0);
}

/* The owner was away for so long that it was closed, and another had the device, when all are restarted. */
static void test_lapsed_before_all_are_restarted(void **state)
{
	struct cluster *cluster = *state;
	struct cluster_request write;
	uint32_t owner, other;

	cluster_begin_other(cluster, 4, member_bit(C) | member_bit(C + 1));
	assert_int_equal(open_alone(cluster, C, &owner), 0);
	cluster_cut(cluster, C, true);
	cluster_write(cluster, C, owner, &write, 0, 4096, 1);
	cluster_go(cluster, 2 * GRACE);
	assert_int_equal(open_alone(cluster, C + 1, &other), 0);
	cluster_kill(cluster, A);
	cluster_kill(cluster, B);
	cluster_cut(cluster, C, false);
	cluster_start(cluster, A);
	cluster_start(cluster, B);
	assert_int_equal(cluster_answer(cluster, &write), -EIO);
	assert_int_equal(cluster_write_now(cluster, C + 1, other, 0, 2), 0);
}

/*
 * A primary that cannot answer for long, as too few are in sync, has room all the same: one question of who keeps its
 * device to itself is all that it has to keep in mind, and nothing of processes that are gone.
 */
static void test_no_answer_for_long(void **state)
{
	struct cluster *cluster = *state;
	struct cluster_request writes[4];
	const struct requests *pool;
	uint32_t owner, before;

	cluster->min_in_sync = 2;
	cluster_begin(cluster);
	assert_int_equal(open_alone(cluster, D, &owner), 0);
	cluster_kill(cluster, B);
	cluster_kill(cluster, C);
	cluster_go(cluster, GRACE);
	pool = &cluster->member[A].replica->requests;
	before = pool->nr_free;
	cluster_go(cluster, 30 * GRACE);
	assert_true(pool->nr_free + 2 >= before);
	for (unsigned int i = 0; i < 10; i++) {
		cluster_kill(cluster, D);
		cluster_start(cluster, D);
		for (unsigned int k = 0; k < 4; k++)
			cluster_ask_to_open(cluster, D, &writes[k], true, false);
		cluster_go(cluster, CLUSTER_LEASE);
	}
	assert_true(pool->nr_free + 10 >= before);
	cluster_start(cluster, B);
	cluster_until(cluster, cluster_in_sync, B);
	for (unsigned int k = 0; k < 4; k++)
		assert_int_equal(cluster_answer(cluster, &writes[k]), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_exclusive, cluster_setup, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_no_answer_for_long, cluster_setup_five, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_open_again, cluster_setup, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_refused_again_and_again, cluster_setup, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_after_promotion, cluster_setup, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_absent_owner_returns, cluster_setup, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_absent_owner_lapses, cluster_setup, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_time_of_another, cluster_setup, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_dead_owners_write, cluster_setup, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_dead_owners_write_and_primary, cluster_setup, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_owners_process_is_another, cluster_setup, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_open_again_after_a_loss, cluster_setup, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_nothing_open, cluster_setup, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_all_are_restarted, cluster_setup, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_all_are_restarted_and_it_is_idle, cluster_setup, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_lapsed_before_all_are_restarted, cluster_setup, cluster_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
