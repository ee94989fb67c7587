/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Two primaries that die one after the other: a request that was under way is done once, and as a whole. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "replica_cluster.h"

#define LENGTH (4 * CLUSTER_BLOCK) /* of the request: two pieces when it is equalised */

/* ---- what is lost ---- */

static struct {
	int without;		  /* the member that the first primary does not send entries to */
	unsigned int from_b;	  /* entries of B that C still gets */
	bool requests_of_d;	  /* are lost */
	bool answers;		  /* of requests are lost, to D */
	bool reconciled_of_c;	  /* its answers are lost */
	unsigned int from_a_to_b; /* entries of A that B and C still get */
	unsigned int from_a_to_c;
	int proposes; /* the only one whose proposals are heard; NO_MEMBER: all are */
} lost;

static void nothing_is_lost(void)
{
	memset(&lost, 0, sizeof(lost));
	lost.without = NO_MEMBER;
	lost.from_b = lost.from_a_to_b = lost.from_a_to_c = 1000000;
	lost.proposes = NO_MEMBER;
}

static bool take_one(unsigned int *left)
{
	if (*left == 0)
		return false;
	--*left;
	return true;
}

static bool loses(struct cluster *cluster, int from, int to, enum message_type type)
{
	(void)cluster;
	switch (type) {
	case MESSAGE_WRITE:
		if (from == A)
			return to == lost.without || !take_one(to == B ? &lost.from_a_to_b : &lost.from_a_to_c);
		return from == B && to == C && !take_one(&lost.from_b);
	case MESSAGE_REQUEST:
		return from == D && lost.requests_of_d;
	case MESSAGE_ANSWER:
		return to == D && lost.answers;
	case MESSAGE_RECONCILED:
		return from == C && lost.reconciled_of_c;
	case MESSAGE_COLLECT:
		return lost.proposes != NO_MEMBER && from != lost.proposes;
	default:
		return false;
	}
}

/* ---- the schedules ---- */

/*
 * A dies, B is the next primary; C gets so many of the entries by which B makes all equal, then B dies, too. Of D's
 * requests nothing is heard from A's death on.
 */
static void kill_two(struct cluster *cluster, unsigned int from_b)
{
	lost.requests_of_d = true;
	lost.from_b = from_b;
	lost.proposes = B;
	cluster_kill(cluster, A);
	for (int i = 0; i < 10000; i++) {
		struct replica_status status;

		cluster_go(cluster, CLUSTER_HEARTBEAT / 100);
		replica_status(cluster->member[B].replica, &status);
		if (status.primary && lost.from_b == 0)
			break;
	}
	cluster_go(cluster, CLUSTER_HEARTBEAT / 10);
	assert_false(cluster_serves(cluster, B));
	lost.proposes = C;
	cluster_kill(cluster, B);
	cluster_until(cluster, cluster_serves, C);
}

/* The same, after D's client has written: A has it, and only one of B and C. */
static void lose_two(struct cluster *cluster, uint32_t client, struct cluster_request *write, int without,
		     unsigned int from_b)
{
	lost.without = without;
	cluster_write(cluster, D, client, write, 0, LENGTH, 1);
	cluster_go(cluster, CLUSTER_HEARTBEAT / 100);
	assert_int_equal(write->result, 1);
	assert_int_equal(cluster->member[without].image[0], 0);
	assert_int_equal(cluster->member[B + C - without].image[LENGTH - 1], 1);
	kill_two(cluster, from_b);
	assert_int_equal(write->result, 1);
}

/* D's requests are heard again. */
static void hear_d(struct cluster *cluster)
{
	lost.requests_of_d = false;
	cluster_cut(cluster, D, true);
	cluster_cut(cluster, D, false);
	cluster_go(cluster, CLUSTER_LEASE * 3);
}

static void assert_all(const struct cluster *cluster, int member, uint64_t from, uint64_t to, unsigned char byte)
{
	for (uint64_t at = from; at < to; at++)
		assert_int_equal(cluster->member[member].image[at], byte);
}

/* C has B's table, in which it is done, and nothing of its data. */
static void test_table_without_data(void **state)
{
	struct cluster *cluster = *state;
	struct cluster_request write;
	uint32_t on_d;

	cluster_begin(cluster);
	on_d = cluster_open(cluster, D);
	lose_two(cluster, on_d, &write, C, 0);
	hear_d(cluster);
	assert_int_equal(write.result, 0);
	assert_all(cluster, C, 0, LENGTH, 1);
}

/* It is done by nothing but itself: not by one of its number with another range, nor by another forwarder's word. */
static void assert_held_against_others(struct cluster *cluster, uint32_t client, const struct cluster_request *write)
{
	static unsigned char data[CLUSTER_BLOCK];
	unsigned int answers = cluster->sent[C][MESSAGE_ANSWER];
	struct message message = cluster_message(cluster, D, MESSAGE_REQUEST, data);

	message.client.client = client;
	message.request = message.lowest = write->request.number;
	message.generation = cluster_status(cluster, C).configuration.generation.id;
	lost.answers = true; /* they are not of what D has asked for */
	for (int i = 0; i < 2; i++) {
		message.position = i ? CLUSTER_BLOCK : 0;
		assert_true(cluster_send(cluster, D, C, &message, data));
		assert_int_equal(cluster->sent[C][MESSAGE_ANSWER], answers + (unsigned int)i + 1);
	}
	message.type = MESSAGE_UNWANTED;
	message.data_size = 0;
	assert_true(cluster_send(cluster, E, C, &message, NULL));
	cluster_go(cluster, CLUSTER_HEARTBEAT / 100);
	lost.answers = false;
	assert_int_equal(write->result, 1);
}

/* C has some of the data. Nobody sees that, or writes over it, before the request is done as a whole. */
static void test_held(void **state)
{
	struct cluster *cluster = *state;
	struct cluster_request write, read, over;
	struct cluster_request zeroes = {
		.request = { .kind = ENTRY_ZEROES, .position = CLUSTER_BLOCK, .length = 512 },
	};
	uint32_t on_d, on_e;

	cluster_begin(cluster);
	on_d = cluster_open(cluster, D);
	on_e = cluster_open(cluster, E);
	lose_two(cluster, on_d, &write, C, 1);
	cluster_read(cluster, E, on_e, &read, 0, CLUSTER_BLOCK);
	cluster_write(cluster, E, on_e, &over, 3 * CLUSTER_BLOCK, CLUSTER_BLOCK, 2);
	assert_int_equal(cluster_write_now(cluster, E, on_e, LENGTH, 3), 0);
	cluster_go(cluster, CLUSTER_LEASE * 3);
	assert_int_equal(read.result, 1);
	assert_int_equal(over.result, 1);
	assert_held_against_others(cluster, on_d, &write);
	assert_int_equal(cluster_flush_now(cluster, E, on_e), 0);
	zeroes.request.client = on_e;
	cluster_submit(cluster, E, &zeroes);
	cluster_go(cluster, CLUSTER_LEASE);
	assert_int_equal(zeroes.result, 1);
	hear_d(cluster);
	assert_int_equal(zeroes.result, 0);
	assert_int_equal(write.result, 0);
	assert_int_equal(over.result, 0);
	assert_int_equal(read.result, 0);
	assert_int_equal(read.data[0], 1);
	assert_all(cluster, C, 0, CLUSTER_BLOCK, 1);
	assert_all(cluster, C, CLUSTER_BLOCK, CLUSTER_BLOCK + 512, 0);
	assert_all(cluster, C, CLUSTER_BLOCK + 512, 3 * CLUSTER_BLOCK, 1);
	assert_all(cluster, C, 3 * CLUSTER_BLOCK, LENGTH, 2);
}

/* Its client is gone, and not even its CLOSE is heard: the forwarder is asked, and says that nobody waits. */
static void test_not_wanted(void **state)
{
	struct cluster *cluster = *state;
	struct cluster_request write, over;
	uint32_t on_d, on_e;

	cluster_begin(cluster);
	on_d = cluster_open(cluster, D);
	on_e = cluster_open(cluster, E);
	lose_two(cluster, on_d, &write, C, 1);
	cluster_write(cluster, E, on_e, &over, 0, LENGTH, 2);
	cluster_go(cluster, CLUSTER_LEASE);
	assert_int_equal(over.result, 1);
	replica_forget_client(cluster->member[D].replica, cluster->now, on_d);
	cluster_go(cluster, CLUSTER_LEASE);
	assert_int_equal(over.result, 0);
	assert_all(cluster, C, 0, LENGTH, 2);
}

/* C had it, and B, which had not, has written over a part of it. */
static void test_overwritten(void **state)
{
	struct cluster *cluster = *state;
	struct cluster_request write;
	uint32_t on_d;

	cluster_begin(cluster);
	on_d = cluster_open(cluster, D);
	lose_two(cluster, on_d, &write, B, 1);
	hear_d(cluster);
	assert_int_equal(write.result, 0);
	assert_all(cluster, C, 0, LENGTH, 1);
}

/* What was seen and written over is not unsure, though nobody knows that it is on all: it is not done again. */
static void test_done_stays_done(void **state)
{
	struct cluster *cluster = *state;
	struct cluster_request write, over;
	uint32_t on_d, on_e;

	cluster_begin(cluster);
	on_d = cluster_open(cluster, D);
	on_e = cluster_open(cluster, E);
	lost.answers = true;
	cluster_write(cluster, D, on_d, &write, 0, LENGTH, 1);
	cluster_go(cluster, CLUSTER_HEARTBEAT / 100);
	cluster_write(cluster, E, on_e, &over, 0, LENGTH, 2);
	cluster_go(cluster, CLUSTER_HEARTBEAT / 100);
	assert_int_equal(write.result, 1);
	assert_int_equal(over.result, 0);
	kill_two(cluster, 1);
	lost.answers = false;
	hear_d(cluster);
	assert_int_equal(write.result, 0);
	assert_all(cluster, C, 0, LENGTH, 2);
}

/* A member has not said that it has the table: before that nothing is served. It is removed in the end. */
static void test_all_have_the_table(void **state)
{
	struct cluster *cluster = *state;
	uint32_t on_e;

	cluster_begin(cluster);
	on_e = cluster_open(cluster, E);
	assert_int_equal(cluster_write_now(cluster, E, on_e, 0, 1), 0);
	lost.reconciled_of_c = true;
	lost.proposes = B;
	cluster_kill(cluster, A);
	cluster_go(cluster, CLUSTER_LEASE * 2);
	assert_false(cluster_serves(cluster, B));
	cluster_until(cluster, cluster_serves, B);
	assert_int_equal(cluster_read_now(cluster, E, on_e, 0), 1);
}

/* A restarted process that is named primary does not know what its image got before: it hands over to who does. */
static void test_restarted_hands_over(void **state)
{
	struct cluster *cluster = *state;
	struct cluster_request write;
	uint32_t on_d, on_e;

	cluster_begin(cluster);
	on_d = cluster_open(cluster, D);
	on_e = cluster_open(cluster, E);
	lost.from_a_to_b = lost.from_a_to_c = 0;
	cluster_write(cluster, D, on_d, &write, 0, LENGTH, 1);
	cluster_go(cluster, CLUSTER_HEARTBEAT / 100);
	assert_all(cluster, A, 0, LENGTH, 1);
	lost.requests_of_d = true;
	lost.proposes = A;
	cluster_kill(cluster, A);
	cluster_start(cluster, A);
	cluster_go(cluster, CLUSTER_LEASE * 10);
	assert_true(cluster_serves(cluster, B) || cluster_serves(cluster, C));
	/* Nothing is left of it, so that nobody can see it before it is done again. */
	assert_int_equal(cluster_read_now(cluster, E, on_e, 0), 0);
	assert_int_equal(cluster_write_now(cluster, E, on_e, 0, 2), 0);
	nothing_is_lost();
	hear_d(cluster);
	assert_int_equal(write.result, 0);
	cluster_until(cluster, cluster_in_sync, A);
	assert_memory_equal(cluster->member[A].image, cluster->member[B].image, CLUSTER_SIZE);
}

/* All fail to write a range; what shall make that equal does not arrive. */
static void fail_all(struct cluster *cluster, uint32_t client, struct cluster_request *write)
{
	/* So that none of the set's own flushes comes meanwhile, which would fail, too. */
	assert_int_equal(cluster_write_now(cluster, E, client, 0, 9), 0);
	assert_int_equal(cluster_flush_now(cluster, E, client), 0);
	for (int i = A; i <= C; i++)
		cluster->member[i].io_result = -ENOSPC;
	lost.from_a_to_b = lost.from_a_to_c = 1;
	cluster_write(cluster, E, client, write, 0, LENGTH, 1);
	cluster_go(cluster, CLUSTER_LEASE * 3 / 4);
	assert_int_equal(write->result, -ENOSPC);
}

/* All have failed to write a range, and what is there differs; the primary dies before it has made that equal. */
static void test_all_fail(void **state)
{
	struct cluster *cluster = *state;
	struct cluster_request write;
	uint32_t on_e;

	cluster_begin(cluster);
	on_e = cluster_open(cluster, E);
	fail_all(cluster, on_e, &write);
	for (int i = A; i <= C; i++) {
		cluster->member[i].io_result = 0;
		cluster->member[i].image[CLUSTER_BLOCK] = (unsigned char)(10 + i);
	}
	cluster_kill(cluster, A);
	cluster_go(cluster, CLUSTER_LEASE * 5);
	assert_int_equal(cluster_write_now(cluster, E, on_e, LENGTH, 3), 0);
	assert_memory_equal(cluster->member[B].image, cluster->member[C].image, CLUSTER_SIZE);
}

/* The same; the primary lives on without being one, with what it was about to make equal. */
static void test_all_fail_and_another_serves(void **state)
{
	struct cluster *cluster = *state;
	struct cluster_request write;
	const char *why;
	uint32_t on_e;

	cluster_begin(cluster);
	on_e = cluster_open(cluster, E);
	fail_all(cluster, on_e, &write);
	for (int i = A; i <= C; i++) {
		cluster->member[i].io_result = 0;
		cluster->member[i].image[CLUSTER_BLOCK] = (unsigned char)(10 + i);
	}
	nothing_is_lost();
	assert_int_equal(replica_promote(cluster->member[A].replica, cluster->now, B, &why), 0);
	cluster_go(cluster, CLUSTER_LEASE * 5);
	assert_false(cluster_serves(cluster, A));
	assert_int_equal(cluster_write_now(cluster, E, on_e, LENGTH, 3), 0);
	assert_memory_equal(cluster->member[A].image, cluster->member[C].image, CLUSTER_SIZE);
	assert_memory_equal(cluster->member[B].image, cluster->member[C].image, CLUSTER_SIZE);
}

/* Reports and tables wait for room in the queues, and no session ends of it. */
static void test_narrow_queue(void **state)
{
	struct cluster *cluster = *state;
	struct cluster_request write;
	uint32_t on_e;

	cluster_begin(cluster);
	on_e = cluster_open(cluster, E);
	assert_int_equal(cluster_write_now(cluster, E, on_e, 0, 1), 0);
	lost.without = C;
	cluster_write(cluster, E, on_e, &write, 8192, CLUSTER_BLOCK, 2);
	cluster_go(cluster, CLUSTER_HEARTBEAT / 100);
	cluster->bulk = 1;
	cluster->nr_refused = 0;
	lost.proposes = C;
	cluster_kill(cluster, A);
	cluster_until(cluster, cluster_serves, C);
	assert_true(cluster->nr_refused > 0);
	assert_true(cluster_in_sync(cluster, B));
	cluster_go(cluster, CLUSTER_HEARTBEAT);
	assert_int_equal(write.result, 0);
	assert_memory_equal(cluster->member[B].image, cluster->member[C].image, CLUSTER_SIZE);
}

static int setup_losing(void **state)
{
	int error = cluster_setup_five(state);

	nothing_is_lost();
	((struct cluster *)*state)->loses = loses;
	return error;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_table_without_data, setup_losing, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_held, setup_losing, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_not_wanted, setup_losing, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_overwritten, setup_losing, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_done_stays_done, setup_losing, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_all_have_the_table, setup_losing, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_restarted_hands_over, setup_losing, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_all_fail, setup_losing, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_all_fail_and_another_serves, setup_losing, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_narrow_queue, setup_losing, cluster_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
