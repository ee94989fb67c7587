/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Requests that are suspended: collecting them, memory that can be reached only while the client is blocked, and what
 * becomes of all that when the client gives up or dies. Also, for both are about copies: whose memory it is.
 */
#include <errno.h>

#include "front_test.h"

#define OTHER (CLIENT + 1)

static int copies_left; /* until something happens */

/* ---- suspended ---- */

static void test_suspended(void **state)
{
	const struct rdisk_request *requests = memory[0].requests;
	const struct rdisk_completion *completions = memory[0].completions;
	message asked = batch(CLIENT, 4);

	(void)state;
	open_shared(CLIENT);
	all_pend(SHARED);
	marked(CLIENT, 0, RDISK_OP_READ, SHARED, 0, 512);
	marked(CLIENT, 1, RDISK_OP_READ, SHARED, DISK_SIZE, 512); /* done at once */
	marked(CLIENT, 2, RDISK_OP_FLUSH, SHARED, 0, 0);
	marked(CLIENT, 3, RDISK_OP_WRITE, SHARED, 0, 512); /* behind the first */
	assert_int_equal(ask(&asked), 4);
	assert_int_equal(requests[0].result, SUSPEND);
	assert_int_equal(requests[1].result, 0);
	assert_int_equal(requests[2].result, SUSPEND);
	assert_int_equal(requests[3].result, SUSPEND);
	assert_int_equal(collected(CLIENT), 0);
	end_first(SHARED, 0);
	none_answered();
	assert_int_equal(collected(CLIENT), 1);
	assert_int_equal(completions[0].cookie, 1000);
	assert_int_equal(completions[0].result, 512);
	assert_int_equal(collected(CLIENT), 0);
	end_first(SHARED, -EIO);
	end_first(SHARED, 0);
	assert_int_equal(collected(CLIENT), 2);
	assert_int_equal(completions[0].cookie, 1002);
	assert_int_equal(completions[0].result, EDVSIO);
	assert_int_equal(completions[1].cookie, 1003);
	assert_int_equal(completions[1].result, 512);
	assert_int_equal(client_of(&server, CLIENT)->nr_suspended, 0);
}

static void suspend(int endpoint, int count)
{
	const message asked = batch(endpoint, count);

	for (int i = 0; i < count; i++)
		marked(endpoint, i, RDISK_OP_READ, SHARED, (uint64_t)i * 512, 512);
	assert_int_equal(ask(&asked), count);
	for (int i = 0; i < count; i++)
		assert_int_equal(memory_of(endpoint)->requests[i].result, SUSPEND);
}

static void test_collect_waits(void **state)
{
	message asked = batch(CLIENT, 1);
	const struct rdisk_request *request;

	(void)state;
	open_shared(CLIENT);
	all_pend(SHARED);
	request = collect(CLIENT, 0, 4, RDISK_REQUEST_WAIT);
	assert_int_equal(ask(&asked), 1); /* nothing to wait for */
	assert_int_equal(request->result, 0);
	suspend(CLIENT, 3);
	request = collect(CLIENT, 0, 1, RDISK_REQUEST_WAIT);
	begin(&asked);
	end_first(SHARED, 0);
	assert_int_equal(answered(CLIENT), 1);
	assert_int_equal(request->result, 1);
	end_all(SHARED, 0);
	/* No room for both. */
	for (int i = 1; i <= 2; i++) {
		request = collect(CLIENT, 0, 1, RDISK_REQUEST_WAIT);
		assert_int_equal(ask(&asked), 1);
		assert_int_equal(request->result, 1);
		assert_int_equal(memory[0].completions[0].cookie, 1000 + i);
	}
}

/* What is done by the time that the server looks wakes each that waits for it once, with all that it has room for. */
static void test_collect_takes_all(void **state)
{
	const message asked = batch(CLIENT, 1), other_asked = batch(OTHER, 1);
	const struct rdisk_request *request, *other;

	(void)state;
	open_shared(CLIENT);
	open_shared(OTHER);
	all_pend(SHARED);
	suspend(CLIENT, 3);
	suspend(OTHER, 1);
	suspend(CLIENT, 1);
	request = collect(CLIENT, 0, 4, RDISK_REQUEST_WAIT);
	other = collect(OTHER, 0, 4, RDISK_REQUEST_WAIT);
	begin(&asked);
	begin(&other_asked);
	end_together(SHARED, 4, 0);
	assert_int_equal(next_answered(CLIENT), 1);
	assert_int_equal(answered(OTHER), 1);
	assert_int_equal(request->result, 3);
	assert_int_equal(other->result, 1);
	for (int i = 0; i < 3; i++)
		assert_int_equal(memory[0].completions[i].cookie, 1000 + i);
	end_all(SHARED, 0);
	assert_int_equal(collected(CLIENT), 1);
}

/* It ends a batch that waits for more than that: for all of it. */
static void test_collect_waits_beside_others(void **state)
{
	message asked = batch(CLIENT, 2);
	const struct rdisk_request *read, *request;

	(void)state;
	open_shared(CLIENT);
	all_pend(SHARED);
	suspend(CLIENT, 2);
	read = element(CLIENT, 0, RDISK_OP_READ, SHARED, 8192, 512);
	request = collect(CLIENT, 1, 4, RDISK_REQUEST_WAIT);
	begin(&asked);
	end_first(SHARED, 0);
	none_answered();
	assert_int_equal(request->result, 1);
	end_first(SHARED, 0); /* comes too late for this one */
	none_answered();
	end_first(SHARED, 0);
	assert_int_equal(answered(CLIENT), 2);
	assert_int_equal(read->result, 512);
	assert_int_equal(collected(CLIENT), 1);
	/* And the other way round: the elements first. */
	suspend(CLIENT, 1);
	read = element(CLIENT, 0, RDISK_OP_DISCARD, SHARED, 16384, 512);
	request = collect(CLIENT, 1, 4, RDISK_REQUEST_WAIT);
	answers(SHARED, IO_DISCARD, IO_DONE);
	begin(&asked);
	assert_int_equal(read->result, 0);
	end_first(SHARED, 0);
	assert_int_equal(answered(CLIENT), 2);
	assert_int_equal(request->result, 1);
}

/* What was told to nobody is told again. */
static void test_collecting_given_up(void **state)
{
	message asked = batch(CLIENT, 1);

	(void)state;
	open_shared(CLIENT);
	all_pend(SHARED);
	suspend(CLIENT, 2);
	collect(CLIENT, 0, 4, RDISK_REQUEST_WAIT);
	begin(&asked);
	begin(&asked); /* the first was given up */
	fake_dvk.away[dvk_endpoint_slot(CLIENT)] = true;
	end_first(SHARED, 0); /* and so was this one, which the server learns as it answers */
	none_answered();
	fake_dvk.away[dvk_endpoint_slot(CLIENT)] = false;
	assert_int_equal(collected(CLIENT), 1);
	assert_int_equal(memory[0].completions[0].cookie, 1000);
	/* Nowhere to put it: neither does that count. */
	end_first(SHARED, 0);
	collect(CLIENT, 0, 4, 0)->vector = 64;
	fake_dvk.granted = NULL;
	assert_int_equal(ask(&asked), 1);
	assert_int_equal(memory[0].requests[0].result, EDVSFAULT);
	assert_int_equal(collected(CLIENT), 1);
	assert_int_equal(memory[0].completions[0].cookie, 1001);
}

static void fail_in_time(void)
{
	if (--copies_left == 0)
		fake_dvk.copy_error = EDVSFAULT;
}

/* Nor was it told in a batch that ends with an error, because how much was told could not be stored. */
static void test_collecting_fails(void **state)
{
	message asked = batch(CLIENT, 1);

	(void)state;
	open_shared(CLIENT);
	answers(SHARED, IO_FLUSH, IO_PENDING);
	marked(CLIENT, 0, RDISK_OP_FLUSH, SHARED, 0, 0);
	assert_int_equal(ask(&asked), 1);
	end_first(SHARED, 0);
	collect(CLIENT, 0, 4, 0);
	copies_left = 2; /* the batch, and what is told */
	fake_dvk.copied = fail_in_time;
	assert_int_equal(ask(&asked), EDVSFAULT);
	fake_dvk.copied = NULL;
	fake_dvk.copy_error = 0;
	assert_int_equal(memory[0].completions[0].cookie, 1000);
	assert_int_equal(collected(CLIENT), 1);
}

/* Under way, done and not collected, and being waited for: nothing of it is the successor's. */
static void test_suspended_of_the_dead(void **state)
{
	(void)state;
	open_shared(CLIENT);
	all_pend(SHARED);
	for (int how = 0; how < 3; how++) {
		message asked = batch(CLIENT, 1);

		suspend(CLIENT, 3);
		end_first(SHARED, 0);
		if (how > 0)
			assert_int_equal(collected(CLIENT), 1);
		if (how > 1) {
			collect(CLIENT, 0, 4, RDISK_REQUEST_WAIT);
			begin(&asked);
		}
		assert_int_equal(client_of(&server, CLIENT)->nr_suspended, how > 0 ? 2 : 3);
		succeed(CLIENT);
		if (how == 1)
			end_first(SHARED, 0);
		assert_int_equal(collected(CLIENT), 0);
		assert_int_equal(client_of(&server, CLIENT)->nr_suspended, 0);
		end_all(SHARED, 0);
		none_answered();
		assert_int_equal(collected(CLIENT), 0);
		open_shared(CLIENT);
	}
}

static void test_as_many_as_allowed(void **state)
{
	const message asked = batch(CLIENT, RDISK_BATCH_MAX), one = batch(CLIENT, 1);
	int left = RDISK_SUSPENDED_MAX;

	(void)state;
	open_shared(CLIENT);
	all_pend(SHARED);
	for (int i = 0; i < RDISK_SUSPENDED_MAX / RDISK_BATCH_MAX; i++)
		suspend(CLIENT, RDISK_BATCH_MAX);
	/* One more; also when all are done, and nothing was collected. */
	for (int i = 0; i < 2; i++) {
		for (int j = 0; j < RDISK_BATCH_MAX; j++)
			marked(CLIENT, j, RDISK_OP_READ, SHARED, 0, 512);
		assert_int_equal(ask(&asked), RDISK_BATCH_MAX);
		for (int j = 0; j < RDISK_BATCH_MAX; j++)
			assert_int_equal(memory[0].requests[j].result, EDVSAGAIN);
		end_all(SHARED, 0);
	}
	/* Another client, and one without the mark, are not concerned. */
	open_shared(OTHER);
	suspend(OTHER, 1);
	element(CLIENT, 0, RDISK_OP_FLUSH, SHARED, 0, 0);
	begin(&one);
	end_all(SHARED, 0);
	assert_int_equal(answered(CLIENT), 1);
	assert_int_equal(collected(OTHER), 1);
	while (left > 0)
		left -= collected(CLIENT);
	assert_int_equal(left, 0);
	suspend(CLIENT, 1);
	end_all(SHARED, 0);
	assert_int_equal(collected(CLIENT), 1);
}

/* A mark in another's memory counts for nothing. */
static void test_mark_in_anothers_memory(void **state)
{
	message asked = batch(CLIENT, 2);

	(void)state;
	asked.m_source = SYSTEM_CLIENT;
	assert_int_equal(ask_for(SYSTEM_CLIENT, DEV_OPEN, SHARED, 0, 0, NULL), 0);
	all_pend(SHARED);
	marked(CLIENT, 0, RDISK_OP_READ, SHARED, 0, 512);
	collect(CLIENT, 1, 4, RDISK_REQUEST_WAIT);
	begin(&asked);
	assert_int_equal(memory[0].requests[1].result, EDVSPERM);
	end_first(SHARED, 0);
	assert_int_equal(answered(SYSTEM_CLIENT), 2);
	assert_int_equal(memory[0].requests[0].result, 512);
}

/* ---- copied memory ---- */

/* What is suspended goes on when its client is in a later batch, a step at a time if that does not wait. */
static void test_copied_read(void **state)
{
	message asked = batch(CLIENT, 1);
	const struct rdisk_request *request;

	(void)state;
	open_shared(CLIENT);
	memset(below[SHARED].data, 'r', SCRIPTED_BYTES);
	answers(SHARED, IO_READ, IO_MISSED);
	answers(SHARED, IO_FETCH, IO_PENDING);
	request = marked(CLIENT, 0, RDISK_OP_READ, SHARED, 0, 2 * BUFFER_SIZE);
	assert_int_equal(ask(&asked), 1);
	assert_int_equal(request->result, SUSPEND);
	assert_int_equal(server.nr_client_waiters, 1);
	end_first(SHARED, 0);
	assert_int_equal(below[SHARED].submitted[IO_READ], 1);
	/* Nor in a message that is none. */
	assert_int_equal(ask_for(CLIENT, DEV_CLOSE, DISK, 0, 0, NULL), EDVSNXIO);
	assert_int_equal(below[SHARED].submitted[IO_READ], 1);
	answers(SHARED, IO_READ, IO_DONE);
	assert_int_equal(collected(CLIENT), 1);
	assert_int_equal(memory[0].completions[0].result, 2 * BUFFER_SIZE);
	assert_int_equal(memory[0].data[2 * BUFFER_SIZE - 1], 'r');
	assert_int_equal(memory[0].data[2 * BUFFER_SIZE], 0);
	assert_int_equal(server.nr_client_waiters, 0);
}

static void test_copied_write(void **state)
{
	message asked = batch(CLIENT, 1);
	const struct rdisk_request *request;

	(void)state;
	open_shared(CLIENT);
	answers(SHARED, IO_WRITE, IO_PENDING);
	memset(memory[0].data, 'w', 3 * BUFFER_SIZE);
	marked(CLIENT, 0, RDISK_OP_WRITE, SHARED, 0, 3 * BUFFER_SIZE);
	assert_int_equal(ask(&asked), 1);
	end_first(SHARED, 0);
	assert_int_equal(below[SHARED].nr_pending, 0);
	assert_int_equal(collected(CLIENT), 0);
	assert_int_equal(below[SHARED].nr_pending, 1);
	end_first(SHARED, 0);
	/* One that waits is blocked until it is done. */
	request = collect(CLIENT, 0, 1, RDISK_REQUEST_WAIT);
	begin(&asked);
	end_first(SHARED, 0);
	assert_int_equal(answered(CLIENT), 1);
	assert_int_equal(request->result, 1);
	assert_int_equal(memory[0].completions[0].result, 3 * BUFFER_SIZE);
	assert_int_equal(below[SHARED].data[3 * BUFFER_SIZE - 1], 'w');
}

/* They go on in the order in which they came. */
static void test_copied_in_order(void **state)
{
	message asked = batch(CLIENT, 2);

	(void)state;
	open_shared(CLIENT);
	answers(SHARED, IO_WRITE, IO_PENDING);
	marked(CLIENT, 0, RDISK_OP_WRITE, SHARED, 0, 512);
	memset(memory[0].data, 'f', 512);
	collect(CLIENT, 1, 1, 0);
	assert_int_equal(ask(&asked), 2);
	answers(SHARED, IO_WRITE, IO_DONE);
	marked(CLIENT, 0, RDISK_OP_WRITE, SHARED, 0, 512)->vector = (uintptr_t)&memory[0].vectors[2];
	marked(CLIENT, 1, RDISK_OP_WRITE, SHARED, 0, 512)->vector = (uintptr_t)&memory[0].vectors[3];
	for (int i = 2; i < 4; i++) {
		memset(memory[0].data + i * BUFFER_SIZE, '0' + i, 512);
		memory[0].vectors[i] =
			(struct rdisk_iovec){ (uintptr_t)memory[0].data + (uint64_t)i * BUFFER_SIZE, 512 };
	}
	assert_int_equal(ask(&asked), 2);
	end_first(SHARED, 0);
	assert_int_equal(below[SHARED].data[0], 'f');
	assert_int_equal(collected(CLIENT), 3);
	assert_int_equal(below[SHARED].data[0], '3');
}

/* Nor does what is in the batch with which the client comes back go first. */
static void test_copied_before_what_comes_next(void **state)
{
	message asked = batch(CLIENT, 2);

	(void)state;
	open_shared(CLIENT);
	answers(SHARED, IO_WRITE, IO_PENDING);
	for (int i = 0; i < 2; i++) {
		marked(CLIENT, i, RDISK_OP_WRITE, SHARED, 0, 512);
		memset(memory[0].data + i * BUFFER_SIZE, 'a' + i, 512);
	}
	assert_int_equal(ask(&asked), 2);
	answers(SHARED, IO_WRITE, IO_DONE);
	end_first(SHARED, 0);
	assert_int_equal(below[SHARED].data[0], 'a');
	marked(CLIENT, 0, RDISK_OP_WRITE, SHARED, 0, 512);
	memset(memory[0].data, 'c', 512);
	collect(CLIENT, 1, RDISK_BATCH_MAX, 0);
	assert_int_equal(ask(&asked), 2);
	assert_int_equal(memory[0].requests[1].result, 2);
	assert_int_equal(below[SHARED].data[0], 'c');
}

/* The copy itself finds that the client has given up its batch: the request waits for the next. */
static void test_copied_of_one_who_gave_up(void **state)
{
	message asked = batch(CLIENT, 1);

	(void)state;
	open_shared(CLIENT);
	answers(SHARED, IO_READ, IO_MISSED);
	answers(SHARED, IO_FETCH, IO_PENDING);
	marked(CLIENT, 0, RDISK_OP_READ, SHARED, 0, 512);
	assert_int_equal(ask(&asked), 1);
	collect(CLIENT, 0, 1, RDISK_REQUEST_WAIT);
	begin(&asked);
	fake_dvk.away[dvk_endpoint_slot(CLIENT)] = true;
	answers(SHARED, IO_READ, IO_DONE);
	end_first(SHARED, 0);
	none_answered();
	fake_dvk.away[dvk_endpoint_slot(CLIENT)] = false;
	assert_int_equal(collected(CLIENT), 1);
	assert_int_equal(memory[0].completions[0].result, 512);
	/* Of one that is not suspended that is the end. */
	answers(SHARED, IO_READ, IO_MISSED);
	element(CLIENT, 0, RDISK_OP_READ, SHARED, 0, 512);
	begin(&asked);
	fake_dvk.away[dvk_endpoint_slot(CLIENT)] = true;
	answers(SHARED, IO_READ, IO_DONE);
	end_first(SHARED, 0);
	fake_dvk.away[dvk_endpoint_slot(CLIENT)] = false;
	none_answered();
}

/* Clients that never come back keep at most half of the pool; who comes then waits in its batch. */
static void test_too_many_wait_for_clients(void **state)
{
	const int crowd = CLIENT_WAITERS_MAX / RDISK_SUSPENDED_MAX;
	message asked = batch(CLIENT + crowd, 2);

	(void)state;
	answers(SHARED, IO_READ, IO_MISSED);
	answers(SHARED, IO_FETCH, IO_PENDING);
	for (int i = 0; i < crowd; i++) {
		open_shared(CLIENT + i);
		for (int j = 0; j < RDISK_SUSPENDED_MAX / RDISK_BATCH_MAX; j++)
			suspend(CLIENT + i, RDISK_BATCH_MAX);
	}
	assert_int_equal(server.nr_client_waiters, CLIENT_WAITERS_MAX);
	end_all(SHARED, 0);
	open_shared(CLIENT + crowd);
	marked(CLIENT + crowd, 0, RDISK_OP_READ, SHARED, 0, 512);
	marked(CLIENT + crowd, 1, RDISK_OP_READ, SHARED, 512, 512);
	begin(&asked);
	assert_int_equal(server.nr_client_waiters, CLIENT_WAITERS_MAX);
	answers(SHARED, IO_READ, IO_DONE);
	end_all(SHARED, 0);
	assert_int_equal(answered(CLIENT + crowd), 2);
	assert_int_equal(memory_of(CLIENT + crowd)->requests[0].result, 512);
	/* Once some of them are dead there is room again. */
	for (int i = 0; i < crowd; i++)
		succeed(CLIENT + i);
	open_shared(CLIENT);
	answer_all_done(&server);
	assert_int_equal(server.nr_client_waiters, 0);
}

/* A successor's memory is not what the dead one named. */
static void test_copied_memory_of_a_successor(void **state)
{
	message asked = build(SYSTEM_CLIENT, DEV_WRITE, SHARED, 512, 0, memory[0].data);

	(void)state;
	assert_int_equal(ask_for(SYSTEM_CLIENT, DEV_OPEN, SHARED, 0, 0, NULL), 0);
	answers(SHARED, IO_WRITE, IO_PENDING);
	asked.COUNT = 2 * BUFFER_SIZE;
	asked.IO_ENDPT = CLIENT;
	begin(&asked);
	succeed(CLIENT);
	end_first(SHARED, 0);
	assert_int_equal(answered(SYSTEM_CLIENT), EDVSNOTBIND);
	assert_int_equal(below[SHARED].submitted[IO_WRITE], 1);
}

/* Nor are results stored there, of a batch or of a vector. */
static void test_results_of_a_successor(void **state)
{
	message asked = batch(CLIENT, 1);

	(void)state;
	asked.m_source = SYSTEM_CLIENT;
	assert_int_equal(ask_for(SYSTEM_CLIENT, DEV_OPEN, SHARED, 0, 0, NULL), 0);
	all_pend(SHARED);
	element(CLIENT, 0, RDISK_OP_DISCARD, SHARED, 0, 512);
	begin(&asked);
	succeed(CLIENT);
	memory[0].requests[0].result = 77;
	end_first(SHARED, 0);
	assert_int_equal(answered(SYSTEM_CLIENT), EDVSNOTBIND);
	assert_int_equal(memory[0].requests[0].result, 77);
	asked = build(SYSTEM_CLIENT, DEV_SCATTER, SHARED, 1, 0, memory[0].vectors);
	asked.IO_ENDPT = CLIENT;
	memory[0].vectors[0] = (struct rdisk_iovec){ (uintptr_t)memory[0].data, 512 };
	begin(&asked);
	succeed(CLIENT);
	end_first(SHARED, 0);
	assert_int_equal(answered(SYSTEM_CLIENT), EDVSNOTBIND);
	assert_int_equal(memory[0].vectors[0].iov_size, 512);
}

static void come_in_time(void)
{
	if (--copies_left == 0)
		succeed(CLIENT);
}

/* One comes between the copies of a message, of a batch or a vector, and that of the data. */
static void test_successor_between_copies(void **state)
{
	(void)state;
	assert_int_equal(ask_for(SYSTEM_CLIENT, DEV_OPEN, SHARED, 0, 0, NULL), 0);
	for (int copies = 1; copies <= 3; copies++) {
		message asked = batch(CLIENT, 1);

		asked.m_source = SYSTEM_CLIENT;
		element(CLIENT, 0, RDISK_OP_WRITE, SHARED, 0, 512);
		copies_left = copies;
		fake_dvk.copied = come_in_time;
		assert_int_equal(ask(&asked), EDVSNOTBIND);
		assert_int_equal(memory[0].requests[0].result, RDISK_RESULT_NONE);
		if (copies == 1) {
			copies_left = 1;
			asked = build(SYSTEM_CLIENT, DEV_SCATTER, SHARED, 1, 0, memory[0].vectors);
			asked.IO_ENDPT = CLIENT;
			assert_int_equal(ask(&asked), EDVSNOTBIND);
		}
		fake_dvk.copied = NULL;
	}
	assert_int_equal(below[SHARED].submitted[IO_WRITE], 0);
}

#define GRANTED(function) cmocka_unit_test_setup_teardown(function, setup_granted, front_test_teardown)
#define COPIED(function)  cmocka_unit_test_setup_teardown(function, setup_copied, front_test_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		GRANTED(test_suspended),
		GRANTED(test_collect_waits),
		GRANTED(test_collect_takes_all),
		GRANTED(test_collect_waits_beside_others),
		GRANTED(test_collecting_given_up),
		COPIED(test_collecting_fails),
		GRANTED(test_suspended_of_the_dead),
		GRANTED(test_as_many_as_allowed),
		GRANTED(test_mark_in_anothers_memory),
		COPIED(test_copied_read),
		COPIED(test_copied_write),
		COPIED(test_copied_in_order),
		COPIED(test_copied_before_what_comes_next),
		COPIED(test_copied_of_one_who_gave_up),
		COPIED(test_too_many_wait_for_clients),
		COPIED(test_copied_memory_of_a_successor),
		GRANTED(test_results_of_a_successor),
		COPIED(test_results_of_a_successor),
		COPIED(test_successor_between_copies),
	};

	return cmocka_run_group_tests_name("front_suspended", tests, NULL, NULL);
}
