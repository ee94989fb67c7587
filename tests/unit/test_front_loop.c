/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The server's loop with requests under way: a full pool, the end that a signal asks for, and the loss of the node.
 */
#include <errno.h>

#include "front_test.h"

#define OTHER_DISK (CLIENT + CLIENTS - 1) /* a client */

static message inbox[CLIENTS];

/* Puts a message into the inbox, which is empty: the loop's receive gives it next. */
static void deliver(const message *asked)
{
	inbox[0] = *asked;
	fake_dvk.inbox = inbox;
	fake_dvk.inbox_length = 1;
}

/* ---- a busy disk ---- */

enum { ROUNDS = 3, REQUESTS = ROUNDS * RDISK_BATCH_MAX, BATCHES = 2 * ROUNDS - 1 };

static int sent[CLIENTS];   /* batches of each client */
static bool waits[CLIENTS]; /* for the answer */
static int taken;	    /* replies */
static int whole, collects; /* answers to batches of requests, and of a COLLECT */
static int reads;	    /* of the other disk, while all that the busy one may have is taken */

/* The next batch of a client: two that may be suspended, which is all that it may have so, one that may not; then what
 * collects. */
static void send_batch(int index)
{
	int endpoint = CLIENT + index;
	message asked = batch(endpoint, sent[index] < ROUNDS ? RDISK_BATCH_MAX : 1);

	if (sent[index] >= ROUNDS)
		collect(endpoint, 0, RDISK_BATCH_MAX, RDISK_REQUEST_WAIT);
	for (int i = 0; sent[index] < ROUNDS && i < RDISK_BATCH_MAX; i++) {
		uint64_t position = (uint64_t)(i % 64) * 4096;

		if (sent[index] < ROUNDS - 1)
			marked(endpoint, i, RDISK_OP_READ, SHARED, position, 512);
		else
			element(endpoint, i, RDISK_OP_READ, SHARED, position, 512);
	}
	deliver(&asked);
	sent[index]++;
	waits[index] = true;
}

static void take_answers(void)
{
	while (taken < fake_dvk.nr_replies) {
		int endpoint = fake_dvk.reply_to[taken++];
		int status = next_answered(endpoint);

		waits[endpoint - CLIENT] = false;
		whole += status == RDISK_BATCH_MAX;
		collects += status == 1;
	}
}

/* What clients send as the loop comes to receive it: each its next batch, once it has the answer to the one before. */
static int send_next(void)
{
	message read = build(OTHER_DISK, DEV_READ, DISK, 512, 0, memory_of(OTHER_DISK)->data);

	take_answers();
	/* However many wait for the disk: it has not more than its share, and others find room. */
	assert_true(server.requests.nr_free >= REQUESTS_MAX / 2);
	for (int i = 0; i < CLIENTS - 1; i++) {
		if (waits[i] || sent[i] == BATCHES)
			continue;
		send_batch(i);
		return 0;
	}
	if (reads == 0 && below[SHARED].nr_pending > REQUESTS_MAX / 2 - RDISK_BATCH_MAX) {
		assert_int_equal(ask(&read), 512);
		taken++;
		reads++;
	}
	if (below[SHARED].nr_pending > 0)
		completions_put(&server.completions, scripted_disk_end(&below[SHARED], below[SHARED].pending[0], 0));
	else
		end_is_requested = true;
	return EDVSINTR;
}

static void test_busy_disk(void **state)
{
	(void)state;
	for (int i = 0; i < CLIENTS - 1; i++)
		assert_int_equal(ask_for(CLIENT + i, DEV_OPEN, SHARED, RDISK_OPEN_READ, 0, NULL), 0);
	assert_int_equal(ask_for(OTHER_DISK, DEV_OPEN, DISK, RDISK_OPEN_READ, 0, NULL), 0);
	all_pend(SHARED);
	taken = fake_dvk.nr_replies;
	fake_dvk.inbox_is_empty = send_next;
	assert_int_equal(driver_task(&server), 0);
	take_answers();
	assert_int_equal(reads, 1);
	assert_int_equal(below[SHARED].submitted[IO_READ], (CLIENTS - 1) * REQUESTS);
	/* Each batch has its answer, and each client all of its results. */
	assert_int_equal(whole, (CLIENTS - 1) * ROUNDS);
	assert_int_equal(collects, (CLIENTS - 1) * (ROUNDS - 1));
	for (int i = 0; i < CLIENTS - 1; i++) {
		assert_int_equal(memory[i].requests[1].result, 512);
		assert_int_equal(client_of(&server, CLIENT + i)->nr_suspended, 0);
	}
}

/* Has the disk take all that it may have, for clients from the fourth on; the next message has to wait. */
static void fill_share(void)
{
	for (int i = 3; !server.deferred; i++) {
		message asked = batch(CLIENT + i, RDISK_BATCH_MAX);

		open_shared(CLIENT + i);
		all_pend(SHARED);
		for (int j = 0; j < RDISK_BATCH_MAX; j++)
			element(CLIENT + i, j, RDISK_OP_READ, SHARED, 0, 512);
		begin(&asked);
	}
}

/* What waits for room and is given up is not begun, nor is that of one who has died for whoever comes there. */
static void test_given_up_before_begun(void **state)
{
	message asked;
	int submitted;

	(void)state;
	for (int i = 0; i < 3; i++)
		open_shared(CLIENT + i);
	fill_share();
	submitted = below[SHARED].submitted[IO_READ];
	for (int i = 0; i < 3; i++) {
		asked = build(CLIENT + i, DEV_READ, SHARED, 512, 0, memory[i].data);
		begin(&asked);
	}
	assert_int_equal(below[SHARED].submitted[IO_READ], submitted);
	/* The first one asks for something else, the second dies. */
	assert_int_equal(ask_for(CLIENT, CANCEL, SHARED, 0, 0, NULL), 0);
	taken = fake_dvk.nr_replies;
	die(CLIENT + 1);
	succeed(CLIENT + 1);
	while (below[SHARED].nr_pending > 0)
		end_together(SHARED, 1, 0);
	/* That of fill_share() which had to wait, and that of the third. */
	assert_int_equal(below[SHARED].submitted[IO_READ], submitted + RDISK_BATCH_MAX + 1);
	while (fake_dvk.nr_replies > taken)
		next_answered(fake_dvk.reply_to[taken++]);
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
		LOOP_TEST(test_busy_disk),
		LOOP_TEST(test_given_up_before_begun),
		LOOP_TEST(test_end),
		LOOP_TEST(test_node_lost),
	};

	return cmocka_run_group_tests_name("front_loop", tests, NULL, NULL);
}
