/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Requests that nobody waits for any more, in every phase that they may be in, and those that wait until such are over.
 */
#include <errno.h>

#include "request_test.h"

/* An abandoned request is given out as any other, and says so. */
static void next_abandoned(struct asked *asked)
{
	struct request *done = request_next_done(&requests);

	assert_ptr_equal(done, asked);
	assert_true(done->abandoned);
	assert_int_equal(done->phase, REQUEST_DONE);
	request_free(&requests, done);
}

static void test_in_store(void **state)
{
	struct asked *asked, *behind;

	(void)state;
	all_pend();
	asked = begun(REQUEST_WRITE, 0, 4096);
	behind = begun(REQUEST_WRITE, 0, 4096);
	request_abandon(&requests, &asked->request);
	assert_true(asked->request.io.cancelled);
	assert_int_equal(disk.nr_abandoned, 1);
	/* It may be done all the same, so it keeps its place. */
	none_done();
	assert_phase(behind, IN_ORDER);
	end(asked, 0);
	next_abandoned(asked);
	assert_int_equal(disk.nr_abandoned, 0);
	none_done();
	assert_phase(behind, IN_STORE);
	end(behind, 0);
	assert_int_equal(next_done(behind), 0);
	/* What was not begun any more is no different. */
	asked = begun(REQUEST_WRITE, 0, 4096);
	request_abandon(&requests, &asked->request);
	end(asked, -ECANCELED);
	next_abandoned(asked);
	/* The structure is as good as new. */
	asked = begun(REQUEST_WRITE, 0, 4096);
	assert_false(asked->request.io.cancelled);
	end(asked, 0);
	assert_int_equal(next_done(asked), 0);
}

/* What the store has not begun is taken back, and gone at once. */
static void test_withdrawn(void **state)
{
	struct asked *write, *behind, *flush, *fetch;

	(void)state;
	all_pend();
	below.withdraws = true;
	write = begun(REQUEST_WRITE, 0, 4096);
	behind = begun(REQUEST_WRITE, 0, 4096);
	request_abandon(&requests, &write->request);
	assert_int_equal(disk.nr_abandoned, 0);
	next_abandoned(write);
	none_done();
	assert_phase(behind, IN_STORE);
	flush = begun(REQUEST_FLUSH, 0, 0);
	request_abandon(&requests, &flush->request);
	next_abandoned(flush);
	below.answers[IO_READ] = IO_MISSED;
	fetch = begun_copied(REQUEST_READ, 8192, 4096);
	assert_phase(fetch, IN_FETCH);
	request_abandon(&requests, &fetch->request);
	next_abandoned(fetch);
	assert_int_equal(begin_done(ask(REQUEST_SETTLE, 0, 0)), 0);
	end(behind, 0);
	assert_int_equal(next_done(behind), 0);
}

/* The rest of one in pieces is not begun, and its buffer goes to who waits for one. */
static void test_in_store_in_pieces(void **state)
{
	struct asked *asked[REQUEST_BUFFERS], *waiter, *discard;

	(void)state;
	all_pend();
	for (int i = 0; i < REQUEST_BUFFERS; i++) {
		asked[i] = ask_copied(REQUEST_WRITE, (uint64_t)i * 2 * BUFFER, 2 * BUFFER);
		begin(asked[i]);
	}
	waiter = ask_copied(REQUEST_WRITE, 10 * BUFFER, 4096);
	begin(waiter);
	for (int i = 0; i < REQUEST_BUFFERS; i++)
		request_abandon(&requests, &asked[i]->request);
	none_done();
	assert_phase(waiter, IN_BUFFER);
	for (int i = 0; i < REQUEST_BUFFERS; i++) {
		end(asked[i], 0);
		next_abandoned(asked[i]);
	}
	none_done();
	assert_int_equal(below.submitted[IO_WRITE], REQUEST_BUFFERS + 1);
	end(waiter, 0);
	assert_int_equal(next_done(waiter), 0);
	discard = begun(REQUEST_DISCARD, 0, 2 * REQUEST_RANGE_PIECE);
	request_abandon(&requests, &discard->request);
	end(discard, 0);
	next_abandoned(discard);
	assert_int_equal(below.submitted[IO_DISCARD], 1);
}

static void test_in_flush(void **state)
{
	struct asked *flush, *stable;

	(void)state;
	all_pend();
	flush = begun(REQUEST_FLUSH, 0, 0);
	stable = ask(REQUEST_WRITE, 0, 4096);
	stable->request.stable = true;
	begin(stable);
	end(stable, 0);
	none_done();
	assert_phase(stable, IN_FLUSH);
	request_abandon(&requests, &flush->request);
	request_abandon(&requests, &stable->request);
	assert_true(flush->request.io.cancelled && stable->request.io.cancelled);
	assert_int_equal(disk.nr_abandoned, 2);
	end(stable, -ECANCELED);
	next_abandoned(stable);
	end(flush, 0);
	next_abandoned(flush);
	/* One that is stable is not flushed once nobody wants it. */
	stable = ask(REQUEST_WRITE, 0, 4096);
	stable->request.stable = true;
	begin(stable);
	request_abandon(&requests, &stable->request);
	end(stable, 0);
	next_abandoned(stable);
	assert_int_equal(below.submitted[IO_FLUSH], 2);
}

static void test_in_fetch(void **state)
{
	struct asked *asked;

	(void)state;
	below.answers[IO_READ] = IO_MISSED;
	below.answers[IO_FETCH] = IO_PENDING;
	for (int result = 0; result >= -ECANCELED; result -= ECANCELED) {
		asked = ask_copied(REQUEST_READ, 0, BUFFER);
		begin(asked);
		request_abandon(&requests, &asked->request);
		assert_true(asked->request.io.cancelled);
		end(asked, result);
		next_abandoned(asked);
		assert_int_equal(asked->copies, 0);
	}
	assert_int_equal(below.submitted[IO_READ], 2);
}

/* What has not begun is over at once, wherever it waits; nobody waits for it. */
static void test_not_begun(void **state)
{
	struct asked *slow, *first, *second, *away;

	(void)state;
	all_pend();
	slow = begun(REQUEST_WRITE, 0, 4096);
	first = begun(REQUEST_WRITE, 0, 8192);
	second = begun(REQUEST_WRITE, 4096, 4096); /* behind the first alone */
	assert_phase(first, IN_ORDER);
	assert_phase(second, IN_ORDER);
	away = ask_copied(REQUEST_WRITE, 0, 4096);
	away->away = true;
	request_abandon(&requests, &first->request);
	next_abandoned(first);
	none_done();
	assert_phase(second, IN_STORE);
	end(second, 0);
	assert_int_equal(next_done(second), 0);
	end(slow, 0);
	assert_int_equal(next_done(slow), 0);
	begin(away);
	assert_phase(away, IN_CLIENT);
	request_abandon(&requests, &away->request);
	next_abandoned(away);
	assert_int_equal(disk.nr_abandoned, 0);
	assert_int_equal(below.submitted[IO_WRITE], 2);
}

/* Between its turn in the order and the next turn of the loop. */
static void test_ready(void **state)
{
	struct asked *slow, *first, *second;

	(void)state;
	all_pend();
	slow = begun(REQUEST_WRITE, 0, 4096);
	first = begun(REQUEST_WRITE, 0, 4096);
	second = begun(REQUEST_WRITE, 0, 4096);
	end(slow, 0);
	assert_phase(first, READY);
	request_abandon(&requests, &first->request);
	assert_int_equal(next_done(slow), 0);
	next_abandoned(first);
	none_done();
	assert_phase(second, IN_STORE);
	end(second, 0);
	assert_int_equal(next_done(second), 0);
}

/* The first, a middle one and the last of those who wait for a buffer; and one that has just got it. */
static void test_in_buffer(void **state)
{
	enum { COUNT = REQUEST_BUFFERS + 5 };
	struct asked *asked[COUNT];

	(void)state;
	all_pend();
	for (int i = 0; i < COUNT; i++) {
		asked[i] = ask_copied(REQUEST_WRITE, (uint64_t)i * BUFFER, BUFFER);
		begin(asked[i]);
	}
	for (int i = REQUEST_BUFFERS; i < COUNT; i += 2) {
		assert_phase(asked[i], IN_BUFFER);
		request_abandon(&requests, &asked[i]->request);
		next_abandoned(asked[i]);
	}
	end(asked[0], 0);
	assert_phase(asked[REQUEST_BUFFERS + 1], READY);
	request_abandon(&requests, &asked[REQUEST_BUFFERS + 1]->request);
	assert_int_equal(next_done(asked[0]), 0);
	next_abandoned(asked[REQUEST_BUFFERS + 1]);
	/* The last that waits has it now. */
	none_done();
	assert_phase(asked[REQUEST_BUFFERS + 3], IN_STORE);
	end(asked[REQUEST_BUFFERS + 3], 0);
	assert_int_equal(next_done(asked[REQUEST_BUFFERS + 3]), 0);
	for (int i = 1; i < REQUEST_BUFFERS; i++) {
		end(asked[i], 0);
		assert_int_equal(next_done(asked[i]), 0);
	}
}

/* One that is DONE and not given out yet. */
static void test_done(void **state)
{
	struct asked *asked;

	(void)state;
	all_pend();
	asked = begun(REQUEST_READ, 0, 4096);
	end(asked, 0);
	assert_phase(asked, DONE);
	request_abandon(&requests, &asked->request);
	assert_int_equal(disk.nr_abandoned, 0);
	next_abandoned(asked);
}

/* ---- settling ---- */

static void test_settle(void **state)
{
	struct asked *abandoned[2], *living, *settle[3];

	(void)state;
	all_pend();
	living = begun(REQUEST_WRITE, 16384, 4096);
	assert_int_equal(begin_done(ask(REQUEST_SETTLE, 0, 0)), 0);
	for (int i = 0; i < 2; i++) {
		abandoned[i] = begun(REQUEST_WRITE, (uint64_t)i * 4096, 4096);
		request_abandon(&requests, &abandoned[i]->request);
	}
	for (int i = 0; i < 3; i++) {
		settle[i] = begun(REQUEST_SETTLE, 0, 0);
		assert_phase(settle[i], IN_SETTLE);
	}
	/* One of them gives up itself. */
	request_abandon(&requests, &settle[1]->request);
	next_abandoned(settle[1]);
	end(abandoned[1], 0);
	next_abandoned(abandoned[1]);
	none_done();
	end(abandoned[0], -EIO);
	assert_phase(settle[0], DONE);
	request_abandon(&requests, &settle[0]->request);
	next_abandoned(settle[0]);
	assert_int_equal(next_done(settle[2]), 0);
	next_abandoned(abandoned[0]);
	end(living, 0);
	assert_int_equal(next_done(living), 0);
}

/* It waits for what was abandoned before it, and not for those who go on giving up. */
static void test_settle_amid_abandoning(void **state)
{
	struct asked *abandoned[4], *settle[2];

	(void)state;
	all_pend();
	for (int i = 0; i < 4; i++) {
		abandoned[i] = begun(REQUEST_READ, 0, 4096);
		request_abandon(&requests, &abandoned[i]->request);
		if (i % 2 == 0)
			settle[i / 2] = begun(REQUEST_SETTLE, 0, 0);
	}
	end(abandoned[1], 0);
	next_abandoned(abandoned[1]);
	none_done();
	end(abandoned[0], 0);
	assert_int_equal(next_done(settle[0]), 0);
	next_abandoned(abandoned[0]);
	none_done();
	assert_phase(settle[1], IN_SETTLE);
	end(abandoned[2], 0);
	assert_int_equal(next_done(settle[1]), 0);
	next_abandoned(abandoned[2]);
	end(abandoned[3], 0);
	next_abandoned(abandoned[3]);
}

#define ABANDON_TEST(function) cmocka_unit_test_setup_teardown(function, request_test_setup, request_test_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ABANDON_TEST(test_withdrawn),
		ABANDON_TEST(test_in_store),
		ABANDON_TEST(test_in_store_in_pieces),
		ABANDON_TEST(test_in_flush),
		ABANDON_TEST(test_in_fetch),
		ABANDON_TEST(test_not_begun),
		ABANDON_TEST(test_ready),
		ABANDON_TEST(test_in_buffer),
		ABANDON_TEST(test_done),
		ABANDON_TEST(test_settle),
		ABANDON_TEST(test_settle_amid_abandoning),
	};

	return cmocka_run_group_tests_name("request_abandon", tests, NULL, NULL);
}
