/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The server's loop with requests under way: a full pool, the end that a signal asks for, and the loss of the node.
 */
#include <errno.h>

#include "front_test.h"

static message inbox[CLIENTS];

/* Puts a message into the inbox, which is empty: the loop's receive gives it next. */
static void deliver(const message *asked)
{
	inbox[0] = *asked;
	fake_dvk.inbox = inbox;
	fake_dvk.inbox_length = 1;
}

/* ---- a full pool ---- */

enum { ROUNDS = 3, REQUESTS = ROUNDS * RDISK_BATCH_MAX };

static int sent; /* batches, of all clients together */

/* The batches of a client: two that may be suspended, which is all that it may have so, and one that may not. */
static void deliver_batch(int endpoint, int round)
{
	const message asked = batch(endpoint, RDISK_BATCH_MAX);

	for (int i = 0; i < RDISK_BATCH_MAX; i++) {
		uint64_t position = (uint64_t)(i % 64) * 4096;

		if (round < ROUNDS - 1)
			marked(endpoint, i, RDISK_OP_READ, SHARED, position, 512);
		else
			element(endpoint, i, RDISK_OP_READ, SHARED, position, 512);
	}
	deliver(&asked);
}

static void deliver_collect(int endpoint)
{
	const message asked = batch(endpoint, 1);

	collect(endpoint, 0, RDISK_BATCH_MAX, RDISK_REQUEST_WAIT);
	deliver(&asked);
}

/* What clients send, one after the other, as the loop comes to receive it. */
static int send_next(void)
{
	const int batches = CLIENTS * ROUNDS, collects = CLIENTS * (ROUNDS - 1);

	/* A whole batch has to find room. */
	assert_true(server.requests.nr_free >= RDISK_BATCH_MAX);
	if (sent < batches) {
		deliver_batch(CLIENT + sent / ROUNDS, sent % ROUNDS);
	} else if (below[SHARED].nr_pending > 0) {
		completions_put(&server.completions, scripted_disk_end(&below[SHARED], below[SHARED].pending[0], 0));
		return EDVSINTR;
	} else if (sent < batches + collects) {
		deliver_collect(CLIENT + (sent - batches) / (ROUNDS - 1));
		sent++;
		return 0;
	} else {
		end_is_requested = true;
		return EDVSINTR;
	}
	sent++;
	return 0;
}

static void test_full_pool(void **state)
{
	int whole = 0, collects = 0;

	(void)state;
	sent = 0;
	for (int i = 0; i < CLIENTS; i++)
		assert_int_equal(ask_for(CLIENT + i, DEV_OPEN, SHARED, RDISK_OPEN_READ, 0, NULL), 0);
	all_pend(SHARED);
	fake_dvk.inbox_is_empty = send_next;
	assert_int_equal(driver_task(&server), 0);
	assert_true(awaited > 0);
	assert_int_equal(below[SHARED].submitted[IO_READ], CLIENTS * REQUESTS);
	/* Each batch has its answer, and each client all of its results. */
	for (int i = 0; i < CLIENTS * (2 * ROUNDS - 1); i++) {
		int endpoint = fake_dvk.reply_to[fake_dvk.nr_replies - CLIENTS * (2 * ROUNDS - 1) + i];
		int status = next_answered(endpoint);

		assert_true(status == RDISK_BATCH_MAX || status == 1);
		whole += status == RDISK_BATCH_MAX;
		collects += status == 1;
	}
	assert_int_equal(whole, CLIENTS * ROUNDS);
	assert_int_equal(collects, CLIENTS * (ROUNDS - 1));
	for (int i = 0; i < CLIENTS; i++) {
		assert_int_equal(memory[i].requests[0].result, RDISK_BATCH_MAX);
		assert_int_equal(memory[i].requests[1].result, 512);
		assert_int_equal(client_of(&server, CLIENT + i)->nr_suspended, 0);
	}
}

/* ---- the end, and the loss of the node ---- */

enum waiting {
	READS,	       /* a message */
	IN_BATCH,      /* a batch that waits for all of it */
	COLLECTS,      /* a batch that waits for something to collect */
	SUSPENDED,     /* under way, and nobody waits */
	NOT_COLLECTED, /* done */
	NOT_THERE,     /* waits for its client */
	DEAD,
	OPENS, /* waits for the one before */
	NR_WAITING
};

#define WHO(what) (CLIENT + (what))

static void end_last(int minor)
{
	completions_put(&server.completions, scripted_disk_end(&below[minor], below[minor].last, 0));
	answer_all_done(&server);
}

/* Clients in every state in which something is owed to them. */
static void fill(void)
{
	message asked;

	for (int i = 0; i < NR_WAITING; i++)
		assert_int_equal(ask_for(CLIENT + i, DEV_OPEN, SHARED, 0, 0, NULL), 0);
	assert_int_equal(ask_for(WHO(DEAD), DEV_OPEN, DISK, 0, 0, NULL), 0);
	all_pend(SHARED);
	all_pend(DISK);
	for (int i = COLLECTS; i <= NOT_COLLECTED; i++) {
		asked = batch(CLIENT + i, 1);
		marked(CLIENT + i, 0, RDISK_OP_WRITE, SHARED, (uint64_t)i * 4096, 512);
		assert_int_equal(ask(&asked), 1);
	}
	end_last(SHARED);
	asked = batch(WHO(NOT_THERE), 1);
	fake_dvk.granted = NULL;
	answers(SHARED, IO_READ, IO_MISSED);
	marked(WHO(NOT_THERE), 0, RDISK_OP_READ, SHARED, 0, 512);
	assert_int_equal(ask(&asked), 1);
	end_last(SHARED);
	assert_int_equal(server.nr_client_waiters, 1);
	answers(SHARED, IO_READ, IO_PENDING);
	fake_dvk.granted = (char *)memory;
	asked = build(WHO(READS), DEV_READ, SHARED, 512, 0, memory_of(WHO(READS))->data);
	begin(&asked);
	asked = batch(WHO(IN_BATCH), 2);
	element(WHO(IN_BATCH), 0, RDISK_OP_READ, SHARED, 0, 512);
	element(WHO(IN_BATCH), 1, RDISK_OP_FLUSH, SHARED, 0, 0);
	begin(&asked);
	asked = batch(WHO(COLLECTS), 1);
	collect(WHO(COLLECTS), 0, 4, RDISK_REQUEST_WAIT);
	begin(&asked);
	asked = build(WHO(DEAD), DEV_WRITE, DISK, 512, 0, memory_of(WHO(DEAD))->data);
	begin(&asked);
	die(WHO(DEAD));
	asked = build(WHO(OPENS), DEV_OPEN, DISK, 0, 0, NULL);
	begin(&asked);
}

static int ask_to_end(void)
{
	end_is_requested = true;
	return EDVSINTR;
}

/* All that was received is answered, once; what is suspended is lost. */
static void test_end(void **state)
{
	int answers_of[NR_WAITING] = { 0 };

	(void)state;
	fill();
	fake_dvk.inbox_is_empty = ask_to_end;
	assert_int_equal(driver_task(&server), 0);
	for (int i = 0; i < 4; i++) {
		int who = fake_dvk.reply_to[fake_dvk.nr_replies - 4 + i];
		int status = next_answered(who);

		answers_of[who - CLIENT]++;
		switch ((enum waiting)(who - CLIENT)) {
		case READS:
			assert_int_equal(status, 512);
			break;
		case IN_BATCH:
			assert_int_equal(status, 2);
			assert_int_equal(memory_of(who)->requests[0].result, 512);
			assert_int_equal(memory_of(who)->requests[1].result, 0);
			break;
		case COLLECTS:
			assert_int_equal(status, 1);
			assert_int_equal(memory_of(who)->requests[0].result, 0);
			break;
		case OPENS:
			assert_int_equal(status, 0);
			break;
		default:
			fail_msg("%d was answered", who - CLIENT);
		}
	}
	none_answered();
	assert_int_equal(answers_of[READS] + answers_of[IN_BATCH] + answers_of[COLLECTS] + answers_of[OPENS], 4);
	assert_true(answers_of[READS] && answers_of[IN_BATCH] && answers_of[COLLECTS] && answers_of[OPENS]);
	/* They have been told so, or were to collect it: nothing is under way for them. */
	clients_forget_all(&server);
}

static int open_on_the_new_node(void)
{
	static bool opened;
	const message asked = build(CLIENT, DEV_OPEN, DISK, 0, 0, NULL);

	if (!opened) {
		deliver(&asked);
		opened = true;
		return 0;
	}
	opened = false;
	none_answered();
	return EDVSBADDCID;
}

/* Nobody is owed anything by the next node; what is under way is over before a device is opened there. */
static void test_node_lost(void **state)
{
	(void)state;
	fill();
	fake_dvk.receive_error = EDVSDVSINIT;
	assert_int_equal(driver_task(&server), EDVSDVSINIT);
	none_answered();
	device_table_forget_opens(&server.devices);
	for (int i = 0; i < NR_WAITING; i++)
		succeed(CLIENT + i);
	assert_true(fake_dvk.pins > 0);
	fake_dvk.inbox_is_empty = open_on_the_new_node;
	assert_int_equal(driver_task(&server), EDVSBADDCID);
	none_answered();
	/* At last the server ends. */
	driver_drain(&server);
	none_answered();
	assert_true(awaited > 0);
}

#define LOOP_TEST(function) cmocka_unit_test_setup_teardown(function, setup_granted, front_test_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		LOOP_TEST(test_full_pool),
		LOOP_TEST(test_end),
		LOOP_TEST(test_node_lost),
	};

	return cmocka_run_group_tests_name("front_loop", tests, NULL, NULL);
}
