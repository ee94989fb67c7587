/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Messages, batches and opens that have to wait for the disk: when they are answered and with what, and what becomes of
 * them when the client gives up or dies. What is suspended is in test_front_suspended.c, the loop in test_front_loop.c,
 * what may be wrong with a request in test_driver.c.
 */
#include <errno.h>

#include "front_test.h"

#define OTHER (CLIENT + 1)

/* ---- messages ---- */

static void test_pending_messages(void **state)
{
	static const int types[] = { DEV_READ, DEV_WRITE, DEV_FLUSH, DEV_DISCARD, DEV_WRITE_ZEROES };

	(void)state;
	open_shared(CLIENT);
	all_pend(SHARED);
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		bool moves = types[i] == DEV_READ || types[i] == DEV_WRITE;

		for (int result = 0; result >= -EIO; result -= EIO) {
			message asked = build(CLIENT, types[i], SHARED, 512, 4096, memory[0].data);

			asked.LENGTH = 512;
			begin(&asked);
			/* Its memory stays where it is meanwhile. */
			assert_int_equal(fake_dvk.pins, moves ? 1 : 0);
			end_first(SHARED, result);
			assert_int_equal(answered(CLIENT), result ? EDVSIO : moves ? 512 : 0);
			assert_int_equal(fake_dvk.pins, 0);
		}
	}
}

/* A vector is given back when it is done, without what was moved. */
static void test_pending_vectors(void **state)
{
	struct rdisk_iovec *vector = memory[0].vectors;
	const uint64_t start = (uintptr_t)memory[0].data;
	message asked = build(CLIENT, DEV_SCATTER_FUA, SHARED, 2, DISK_SIZE - 150, vector);

	(void)state;
	open_shared(CLIENT);
	all_pend(SHARED);
	vector[0] = (struct rdisk_iovec){ start, 100 };
	vector[1] = (struct rdisk_iovec){ start + 1000, 100 };
	begin(&asked);
	assert_int_equal(vector[0].iov_size, 100);
	end_first(SHARED, 0);
	none_answered(); /* a flush follows */
	end_first(SHARED, 0);
	assert_int_equal(answered(CLIENT), 150);
	assert_int_equal(vector[0].iov_size, 0);
	assert_int_equal(vector[1].iov_addr, start + 1050);
	assert_int_equal(vector[1].iov_size, 50);
}

/* Requests of two clients that overlap are done in their order, and answered to whom they are of. */
static void test_two_clients(void **state)
{
	message first = build(CLIENT, DEV_WRITE, SHARED, 512, 0, memory[0].data);
	message second = build(OTHER, DEV_READ, SHARED, 512, 0, memory[1].data);

	(void)state;
	open_shared(CLIENT);
	open_shared(OTHER);
	answers(SHARED, IO_WRITE, IO_PENDING);
	memset(memory[0].data, 'w', 512);
	begin(&first);
	begin(&second);
	/* Others are not held up. */
	assert_int_equal(ask_for(CLIENT + 2, DEV_OPEN, DISK, 0, 0, NULL), 0);
	assert_int_equal(ask_for(CLIENT + 2, DEV_WRITE, DISK, 512, 0, memory[2].data), 512);
	completions_put(&server.completions, scripted_disk_end(&below[SHARED], below[SHARED].pending[0], 0));
	answer_all_done(&server);
	assert_int_equal(next_answered(CLIENT), 512);
	assert_int_equal(answered(OTHER), 512);
	assert_int_equal(memory[1].data[511], 'w');
}

static void test_message_given_up(void **state)
{
	message asked = build(CLIENT, DEV_READ, SHARED, 512, 0, memory[0].data);

	(void)state;
	open_shared(CLIENT);
	all_pend(SHARED);
	begin(&asked);
	/* Whatever it sends: the one before is not answered any more. */
	assert_int_equal(ask_for(CLIENT, CANCEL, SHARED, 0, 0, NULL), 0);
	assert_true(below[SHARED].pending[0]->cancelled);
	assert_int_equal(fake_dvk.pins, 1);
	begin(&asked);
	end_first(SHARED, -ECANCELED);
	none_answered();
	end_first(SHARED, 0);
	assert_int_equal(answered(CLIENT), 512);
}

static void test_message_of_the_dead(void **state)
{
	message asked = build(CLIENT, DEV_WRITE, SHARED, 512, 0, memory[0].data);

	(void)state;
	open_shared(CLIENT);
	all_pend(SHARED);
	/* Nobody is there when it is done... */
	begin(&asked);
	die(CLIENT);
	end_first(SHARED, 0);
	none_answered();
	assert_int_equal(fake_dvk.pins, 0);
	/* ... or somebody else, who has sent nothing yet, or something of its own. */
	succeed(CLIENT);
	open_shared(CLIENT);
	begin(&asked);
	succeed(CLIENT);
	end_first(SHARED, 0);
	none_answered();
	open_shared(CLIENT);
	begin(&asked);
	succeed(CLIENT);
	assert_int_equal(ask_for(CLIENT, DEV_READ, SHARED, 512, 0, NULL), EDVSNXIO);
	end_first(SHARED, 0);
}

/* ---- batches ---- */

static void test_whole_batch(void **state)
{
	const struct rdisk_request *requests = memory[0].requests;
	message asked = batch(CLIENT, 5);

	(void)state;
	open_shared(CLIENT);
	answers(SHARED, IO_READ, IO_PENDING);
	answers(SHARED, IO_FLUSH, IO_PENDING);
	element(CLIENT, 0, RDISK_OP_READ, SHARED, 0, 512);
	element(CLIENT, 1, RDISK_OP_WRITE, SHARED, 8192, 512);
	element(CLIENT, 2, RDISK_OP_FLUSH, SHARED, 0, 0);
	element(CLIENT, 3, RDISK_OP_READ, 9, 0, 512);
	element(CLIENT, 4, RDISK_OP_READ, SHARED, 4096, 100);
	begin(&asked);
	assert_int_equal(requests[1].result, 512);
	assert_int_equal(requests[3].result, EDVSNXIO);
	end_first(SHARED, -EIO);
	end_first(SHARED, 0);
	none_answered();
	assert_int_equal(requests[0].result, EDVSIO);
	assert_int_equal(requests[2].result, 0);
	end_first(SHARED, 0);
	assert_int_equal(answered(CLIENT), 5);
	assert_int_equal(requests[4].result, 100);
}

static void test_batch_given_up(void **state)
{
	message asked = batch(CLIENT, 2);

	(void)state;
	open_shared(CLIENT);
	all_pend(SHARED);
	element(CLIENT, 0, RDISK_OP_READ, SHARED, 0, 512);
	element(CLIENT, 1, RDISK_OP_WRITE, SHARED, 0, 512); /* behind the first */
	begin(&asked);
	begin(&asked);
	/* Only what was begun of the first is left. */
	assert_int_equal(below[SHARED].nr_pending, 2);
	end_all(SHARED, 0);
	assert_int_equal(answered(CLIENT), 2);
	begin(&asked);
	succeed(CLIENT);
	end_all(SHARED, 0);
	none_answered();
}

/* ---- opens ---- */

/* What a dead client has begun is over before the next sees the device; others are served meanwhile. */
static void test_open_after_a_death(void **state)
{
	message write = build(CLIENT, DEV_WRITE, DISK, 512, 0, memory[0].data);
	message asked = build(OTHER, DEV_OPEN, DISK, 0, 0, NULL);

	(void)state;
	assert_int_equal(ask_for(CLIENT, DEV_OPEN, DISK, 0, 0, NULL), 0);
	answers(DISK, IO_WRITE, IO_PENDING);
	begin(&write);
	assert_int_equal(ask(&asked), EDVSBUSY);
	die(CLIENT);
	begin(&asked);
	assert_true(below[DISK].pending[0]->cancelled);
	open_shared(CLIENT + 2);
	assert_int_equal(ask_for(CLIENT + 2, DEV_WRITE, SHARED, 512, 0, memory[2].data), 512);
	end_first(DISK, 0);
	assert_int_equal(answered(OTHER), 0);
	assert_int_equal(ask_for(OTHER, DEV_READ, DISK, 512, 0, memory[1].data), 512);
}

/* The same of one that has given up, and of what was suspended; who waits may give up or die itself. */
static void test_open_that_is_given_up(void **state)
{
	message asked = build(OTHER, DEV_OPEN, DISK, 0, 0, NULL);
	message suspended = batch(CLIENT, 1);

	(void)state;
	assert_int_equal(ask_for(CLIENT, DEV_OPEN, DISK, 0, 0, NULL), 0);
	answers(DISK, IO_WRITE, IO_PENDING);
	marked(CLIENT, 0, RDISK_OP_WRITE, DISK, 0, 512);
	assert_int_equal(ask(&suspended), 1);
	die(CLIENT);
	begin(&asked);
	begin(&asked);
	succeed(OTHER);
	begin(&asked);
	die(OTHER);
	asked.m_source = CLIENT + 2;
	asked.IO_ENDPT = CLIENT + 2;
	begin(&asked);
	end_first(DISK, 0);
	assert_int_equal(answered(CLIENT + 2), 0);
}

/* Nor does who has closed a device do anything to it any more: what of his is suspended ends with that. */
static void test_close_with_suspended(void **state)
{
	message asked = build(OTHER, DEV_OPEN, DISK, 0, 0, NULL);
	message suspended = batch(CLIENT, 3);

	(void)state;
	for (int i = 0; i < 2; i++)
		assert_int_equal(ask_for(CLIENT, DEV_OPEN, DISK, 0, 0, NULL), 0);
	open_shared(CLIENT);
	all_pend(DISK);
	all_pend(SHARED);
	marked(CLIENT, 0, RDISK_OP_WRITE, DISK, 0, 512);
	marked(CLIENT, 1, RDISK_OP_WRITE, DISK, 0, 512); /* behind it */
	marked(CLIENT, 2, RDISK_OP_READ, SHARED, 0, 512);
	assert_int_equal(ask(&suspended), 3);
	/* It has the device open once more. */
	assert_int_equal(ask_for(CLIENT, DEV_CLOSE, DISK, 0, 0, NULL), 0);
	assert_int_equal(collected(CLIENT), 0);
	assert_int_equal(ask_for(CLIENT, DEV_CLOSE, DISK, 0, 0, NULL), 0);
	begin(&asked);
	assert_int_equal(collected(CLIENT), 2);
	for (int i = 0; i < 2; i++)
		assert_int_equal(memory[0].completions[i].result, EDVSNXIO);
	assert_int_equal(memory[0].completions[0].cookie + memory[0].completions[1].cookie, 2001);
	end_first(DISK, 0);
	assert_int_equal(answered(OTHER), 0);
	assert_int_equal(below[DISK].submitted[IO_WRITE], 1);
	end_first(SHARED, 0);
	assert_int_equal(collected(CLIENT), 1);
	assert_int_equal(memory[0].completions[0].result, 512);
}

/* ---- who dies while the server has its message in hand ---- */

static bool somebody_comes;

static enum io_answer die_in_hand(struct scripted_disk *scripted, const struct io *io)
{
	(void)scripted;
	(void)io;
	if (somebody_comes)
		succeed(CLIENT);
	else
		die(CLIENT);
	return IO_PENDING;
}

/* Its message was received, what it asks for is begun, and it dies. */
static void begin_and_die(bool with_successor)
{
	message asked = build(CLIENT, DEV_WRITE, DISK, 512, 0, memory[0].data);

	assert_int_equal(ask_for(CLIENT, DEV_OPEN, DISK, 0, 0, NULL), 0);
	somebody_comes = with_successor;
	below[DISK].choose = die_in_hand;
	begin(&asked);
	below[DISK].choose = NULL;
	assert_int_equal(below[DISK].nr_pending, 1);
}

static void test_death_in_hand(void **state)
{
	message asked = build(OTHER, DEV_OPEN, DISK, 0, 0, NULL);

	(void)state;
	for (int with_successor = 0; with_successor < 2; with_successor++) {
		begin_and_die(with_successor);
		begin(&asked);
		end_first(DISK, 0);
		assert_int_equal(answered(OTHER), 0);
		assert_int_equal(ask_for(OTHER, DEV_CLOSE, DISK, 0, 0, NULL), 0);
		succeed(CLIENT);
	}
}

/* Nor is it answered to who has come. */
static void test_successor_in_hand(void **state)
{
	(void)state;
	begin_and_die(true);
	end_first(DISK, 0);
	none_answered();
}

/* One that is dead already is not served. */
static void test_message_of_nobody(void **state)
{
	message asked = build(CLIENT, DEV_READ, SHARED, 512, 0, memory[0].data);

	(void)state;
	open_shared(CLIENT);
	die(CLIENT);
	begin(&asked);
	asked = batch(CLIENT, 1);
	begin(&asked);
	assert_int_equal(below[SHARED].submitted[IO_READ], 0);
}

#define GRANTED(function) cmocka_unit_test_setup_teardown(function, setup_granted, front_test_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		GRANTED(test_pending_messages),	     GRANTED(test_pending_vectors),
		GRANTED(test_two_clients),	     GRANTED(test_message_given_up),
		GRANTED(test_message_of_the_dead),   GRANTED(test_whole_batch),
		GRANTED(test_batch_given_up),	     GRANTED(test_open_after_a_death),
		GRANTED(test_open_that_is_given_up), GRANTED(test_close_with_suspended),
		GRANTED(test_death_in_hand),	     GRANTED(test_successor_in_hand),
		GRANTED(test_message_of_nobody),
	};

	return cmocka_run_group_tests_name("front", tests, NULL, NULL);
}
