/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Requests with direct memory, one by one: done at once and pending, their order, their pieces, and flushes. Copied
 * memory, those that nobody waits for any more, and many at random have files of their own (test_request_*.c).
 */
#include <errno.h>

#include "request_test.h"

#define PIECE REQUEST_RANGE_PIECE

static const enum request_operation with_range[] = { REQUEST_READ, REQUEST_WRITE, REQUEST_DISCARD,
						     REQUEST_WRITE_ZEROES };
#define NR_WITH_RANGE (sizeof(with_range) / sizeof(with_range[0]))

/* ---- one alone ---- */

static void test_done_at_once(void **state)
{
	struct asked *asked;

	(void)state;
	memset(below.data, 7, sizeof(below.data));
	asked = ask(REQUEST_READ, 10, 1001);
	assert_int_equal(begin_done(asked), 0);
	assert_int_equal(asked->memory[0], 7);
	assert_int_equal(asked->memory[1000], 7);
	assert_int_equal(asked->memory[1001], 0);
	asked = ask(REQUEST_WRITE, 20, 3);
	memcpy(asked->memory, "abc", 3);
	assert_int_equal(begin_done(asked), 0);
	assert_memory_equal(below.data + 19, "\007abc\007", 5);
	assert_int_equal(begin_done(ask(REQUEST_DISCARD, 21, 1)), 0);
	assert_int_equal(begin_done(ask(REQUEST_WRITE_ZEROES, 22, 1)), 0);
	assert_memory_equal(below.data + 20, "a\0\0\007", 4);
	assert_int_equal(begin_done(ask(REQUEST_FLUSH, 0, 0)), 0);
	assert_int_equal(begin_done(ask(REQUEST_SETTLE, 0, 0)), 0);
	for (int i = IO_READ; i <= IO_WRITE_ZEROES; i++)
		assert_int_equal(below.submitted[i], 1);
	assert_int_equal(below.submitted[IO_FETCH], 0);
}

static void test_pending(void **state)
{
	(void)state;
	all_pend();
	for (size_t i = 0; i < NR_WITH_RANGE; i++) {
		for (int result = 0; result >= -EIO; result -= EIO) {
			struct asked *asked = begun(with_range[i], 8192, 4096);

			assert_phase(asked, IN_STORE);
			assert_int_equal(below.last->mode, IO_MAY_PEND);
			none_done();
			end(asked, result);
			assert_int_equal(next_done(asked), result);
		}
	}
	for (int result = 0; result >= -EIO; result -= EIO) {
		struct asked *asked = begun(REQUEST_FLUSH, 0, 0);

		assert_phase(asked, IN_FLUSH);
		none_done();
		end(asked, result);
		assert_int_equal(next_done(asked), result);
	}
}

static void test_errors_at_once(void **state)
{
	(void)state;
	for (int i = 0; i < SCRIPTED_OPERATIONS; i++)
		below.results[i] = -ENOSPC;
	for (size_t i = 0; i < NR_WITH_RANGE; i++)
		assert_int_equal(begin_done(ask(with_range[i], 0, 4096)), -ENOSPC);
	assert_int_equal(begin_done(ask(REQUEST_FLUSH, 0, 0)), -ENOSPC);
	/* The rest of what has failed is not done. */
	assert_int_equal(begin_done(ask(REQUEST_DISCARD, 0, 2 * PIECE)), -ENOSPC);
	assert_int_equal(below.submitted[IO_DISCARD], 2);
	assert_int_equal(begin_done(ask_copied(REQUEST_WRITE, 0, 2 * BUFFER)), -ENOSPC);
	assert_int_equal(below.submitted[IO_WRITE], 2);
}

/* The pool gives and takes; what comes back last is used first. */
static void test_pool(void **state)
{
	struct request *taken[POOL];

	(void)state;
	for (int i = 0; i < POOL; i++) {
		taken[i] = request_take(&requests);
		assert_non_null(taken[i]);
		assert_int_equal(taken[i]->phase, REQUEST_BEGUN);
	}
	assert_int_equal(requests.nr_free, 0);
	assert_null(request_take(&requests));
	for (int i = 0; i < POOL; i++)
		request_free(&requests, taken[i]);
	assert_ptr_equal(request_take(&requests), taken[POOL - 1]);
	request_free(&requests, taken[POOL - 1]);
}

/* ---- order ---- */

static void test_reads_beside_reads(void **state)
{
	struct asked *asked[3];

	(void)state;
	all_pend();
	for (int i = 0; i < 3; i++) {
		asked[i] = begun(REQUEST_READ, 0, 4096);
		assert_phase(asked[i], IN_STORE);
	}
	for (int i = 2; i >= 0; i--) {
		end(asked[i], 0);
		assert_int_equal(next_done(asked[i]), 0);
	}
}

/* Of any two that overlap, but for two reads, the second waits for the first. */
static void test_two_that_overlap(void **state)
{
	(void)state;
	all_pend();
	for (size_t i = 0; i < NR_WITH_RANGE; i++) {
		for (size_t j = 0; j < NR_WITH_RANGE; j++) {
			struct asked *first = begun(with_range[i], 4096, 4096);
			struct asked *second = begun(with_range[j], 6000, 4096);
			struct asked *apart = begun(with_range[j], 16384, 4096);

			assert_phase(apart, IN_STORE);
			if (with_range[i] == REQUEST_READ && with_range[j] == REQUEST_READ) {
				assert_phase(second, IN_STORE);
			} else {
				assert_phase(second, IN_ORDER);
				none_done();
				end(first, 0);
				assert_int_equal(next_done(first), 0);
				assert_phase(second, READY);
				first = NULL;
				none_done();
				assert_phase(second, IN_STORE);
			}
			end(second, 0);
			assert_int_equal(next_done(second), 0);
			if (first) {
				end(first, 0);
				assert_int_equal(next_done(first), 0);
			}
			end(apart, 0);
			assert_int_equal(next_done(apart), 0);
		}
	}
}

/* One that could be done at once waits all the same, and is then done at once; so are those behind it. */
static void test_done_at_once_after_waiting(void **state)
{
	struct asked *slow, *first, *second;

	(void)state;
	below.answers[IO_READ] = IO_PENDING;
	slow = begun(REQUEST_READ, 0, 4096);
	first = begun(REQUEST_WRITE, 0, 4096);
	memset(first->memory, 1, 4096);
	second = begun(REQUEST_WRITE, 0, 4096);
	memset(second->memory, 2, 4096);
	assert_phase(first, IN_ORDER);
	assert_phase(second, IN_ORDER);
	end(slow, 0);
	assert_int_equal(next_done(slow), 0);
	assert_int_equal(next_done(first), 0);
	assert_int_equal(next_done(second), 0);
	assert_int_equal(slow->memory[0], 0);
	assert_int_equal(below.data[0], 2);
}

/* First come, first served, whoever waits. */
static void test_writes_in_their_order(void **state)
{
	enum { COUNT = 10 };
	struct asked *asked[COUNT];

	(void)state;
	all_pend();
	for (int i = 0; i < COUNT; i++)
		asked[i] = begun(REQUEST_WRITE, (uint64_t)(i % 3) * 512, 4096);
	for (int i = 0; i < COUNT; i++) {
		assert_phase(asked[i], IN_STORE);
		for (int j = i + 1; j < COUNT; j++)
			assert_phase(asked[j], IN_ORDER);
		end(asked[i], 0);
		assert_int_equal(next_done(asked[i]), 0);
		none_done();
	}
}

/* A write that waits for a read is not passed by reads for ever. */
static void test_reads_do_not_pass_a_write(void **state)
{
	struct asked *read, *write, *later[2];

	(void)state;
	all_pend();
	read = begun(REQUEST_READ, 0, 4096);
	write = begun(REQUEST_WRITE, 0, 4096);
	later[0] = begun(REQUEST_READ, 0, 4096);
	later[1] = begun(REQUEST_READ, 0, 4096);
	assert_phase(later[0], IN_ORDER);
	end(read, 0);
	assert_int_equal(next_done(read), 0);
	none_done();
	assert_phase(write, IN_STORE);
	assert_phase(later[0], IN_ORDER);
	end(write, 0);
	assert_int_equal(next_done(write), 0);
	none_done();
	assert_phase(later[0], IN_STORE);
	assert_phase(later[1], IN_STORE);
	end(later[1], 0);
	assert_int_equal(next_done(later[1]), 0);
	end(later[0], 0);
	assert_int_equal(next_done(later[0]), 0);
}

/* A chain: each overlaps with its neighbours alone. One that waits for two goes on when both are done. */
static void test_chain(void **state)
{
	struct asked *left, *middle, *right, *apart;

	(void)state;
	all_pend();
	left = begun(REQUEST_WRITE, 0, 8192);
	right = begun(REQUEST_WRITE, 12288, 8192);
	middle = begun(REQUEST_WRITE, 4096, 12288);
	apart = begun(REQUEST_WRITE, 8192, 4096); /* with the middle one alone */
	assert_phase(right, IN_STORE);
	assert_phase(middle, IN_ORDER);
	assert_phase(apart, IN_ORDER);
	end(right, -EIO);
	assert_int_equal(next_done(right), -EIO);
	none_done();
	assert_phase(middle, IN_ORDER);
	end(left, 0);
	assert_int_equal(next_done(left), 0);
	none_done();
	assert_phase(middle, IN_STORE);
	assert_phase(apart, IN_ORDER);
	end(middle, 0);
	assert_int_equal(next_done(middle), 0);
	none_done();
	end(apart, 0);
	assert_int_equal(next_done(apart), 0);
}

/* Two that touch one block of the store's overlap, though no byte is in both; neighbours do not. */
static void test_overlap_block(void **state)
{
	static const struct {
		uint64_t position, length;
		bool waits; /* for [BLOCK + 100, 2 * BLOCK + 10) */
	} cases[] = {
		{ BLOCK, 1, true },	      { 0, BLOCK, false },	   { 0, BLOCK + 1, true },
		{ BLOCK - 1, 1, false },      { 3 * BLOCK - 1, 1, true },  { 3 * BLOCK, 1, false },
		{ 2 * BLOCK + 10, 10, true }, { 3 * BLOCK, BLOCK, false }, { 0, 4 * BLOCK, true },
	};

	(void)state;
	all_pend();
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct asked *first = begun(REQUEST_WRITE, BLOCK + 100, BLOCK - 90);
		struct asked *second = begun(REQUEST_READ, cases[i].position, cases[i].length);

		assert_int_equal(second->request.phase == REQUEST_IN_ORDER, cases[i].waits);
		end(first, 0);
		assert_int_equal(next_done(first), 0);
		none_done();
		end(second, 0);
		assert_int_equal(next_done(second), 0);
	}
}

/* ---- pieces ---- */

static void test_range_in_pieces(void **state)
{
	struct asked *asked;

	(void)state;
	all_pend();
	asked = begun(REQUEST_WRITE_ZEROES, PIECE - 512, 2 * PIECE);
	assert_io(below.last, IO_WRITE_ZEROES, PIECE - 512, 512);
	end(asked, 0);
	none_done();
	assert_io(below.last, IO_WRITE_ZEROES, PIECE, PIECE);
	end(asked, 0);
	none_done();
	assert_io(below.last, IO_WRITE_ZEROES, 2 * PIECE, PIECE - 512);
	end(asked, 0);
	assert_int_equal(next_done(asked), 0);
	/* Direct memory is one piece. */
	asked = begun(REQUEST_WRITE, PIECE - 512, 2 * BUFFER);
	assert_io(below.last, IO_WRITE, PIECE - 512, 2 * BUFFER);
	end(asked, 0);
	assert_int_equal(next_done(asked), 0);
}

/*
 * A long discard stands before those alone that touch the piece under way: what is behind that goes first, and then
 * the piece waits for it.
 */
static void test_piece_under_way(void **state)
{
	struct asked *discard, *behind, *now, *done;

	(void)state;
	all_pend();
	discard = begun(REQUEST_DISCARD, 0, 3 * PIECE);
	behind = begun(REQUEST_WRITE, PIECE, 4096);
	assert_phase(behind, IN_STORE);
	now = begun(REQUEST_WRITE, 0, 4096);
	assert_phase(now, IN_ORDER);
	end(discard, 0);
	none_done();
	/* The second piece does not overtake the write that came before it. */
	assert_phase(discard, IN_ORDER);
	assert_phase(now, IN_STORE);
	end(behind, 0);
	assert_int_equal(next_done(behind), 0);
	none_done();
	assert_phase(discard, IN_STORE);
	assert_io(below.last, IO_DISCARD, PIECE, PIECE);
	/* The first piece is over: nobody waits for it any more. */
	done = begun(REQUEST_READ, 8192, 4096);
	assert_phase(done, IN_STORE);
	end(done, 0);
	assert_int_equal(next_done(done), 0);
	end(now, 0);
	assert_int_equal(next_done(now), 0);
	end(discard, 0);
	none_done();
	end(discard, 0);
	assert_int_equal(next_done(discard), 0);
}

/* A piece queues anew: behind a write that waited for the piece before, and reaches into the next. */
static void test_piece_never_overtakes(void **state)
{
	struct asked *discard, *write;

	(void)state;
	all_pend();
	discard = begun(REQUEST_DISCARD, 0, 2 * PIECE);
	write = begun(REQUEST_WRITE, PIECE - 4096, 8192);
	assert_phase(write, IN_ORDER);
	end(discard, 0);
	none_done();
	assert_phase(write, IN_STORE);
	assert_phase(discard, IN_ORDER);
	end(write, 0);
	assert_int_equal(next_done(write), 0);
	none_done();
	end(discard, 0);
	assert_int_equal(next_done(discard), 0);
}

/* ---- flushes ---- */

static void test_flush_waits_for_nobody(void **state)
{
	struct asked *write, *waiting, *flush;

	(void)state;
	all_pend();
	write = begun(REQUEST_WRITE, 0, 4096);
	waiting = begun(REQUEST_WRITE, 0, 4096);
	flush = begun(REQUEST_FLUSH, 0, 0);
	assert_phase(flush, IN_FLUSH);
	end(flush, 0);
	assert_int_equal(next_done(flush), 0);
	end(write, 0);
	assert_int_equal(next_done(write), 0);
	none_done();
	end(waiting, 0);
	assert_int_equal(next_done(waiting), 0);
}

/* What is to be stable is flushed after all of its pieces; it stands in nobody's way while that lasts. */
static void test_stable(void **state)
{
	(void)state;
	all_pend();
	for (size_t i = 0; i < NR_WITH_RANGE; i++) {
		for (int result = 0; result >= -EIO; result -= EIO) {
			struct asked *asked = ask(with_range[i], 0, 4096);
			struct asked *other;

			asked->request.stable = true;
			begin(asked);
			assert_int_equal(below.submitted[IO_FLUSH], 0);
			end(asked, 0);
			if (with_range[i] == REQUEST_READ) {
				assert_int_equal(next_done(asked), 0);
				continue;
			}
			none_done();
			assert_phase(asked, IN_FLUSH);
			assert_int_equal(below.submitted[IO_FLUSH], 1);
			other = begun(REQUEST_WRITE, 0, 4096);
			assert_phase(other, IN_STORE);
			end(asked, result);
			assert_int_equal(next_done(asked), result);
			end(other, 0);
			assert_int_equal(next_done(other), 0);
			below.submitted[IO_FLUSH] = 0;
		}
	}
}

static void test_stable_at_its_ends(void **state)
{
	struct asked *asked;

	(void)state;
	/* A failed write is not flushed. */
	below.results[IO_WRITE] = -EIO;
	asked = ask(REQUEST_WRITE, 0, 512);
	asked->request.stable = true;
	assert_int_equal(begin_done(asked), -EIO);
	assert_int_equal(below.submitted[IO_FLUSH], 0);
	/* One flush after all pieces, all at once. */
	asked = ask(REQUEST_DISCARD, 0, 3 * PIECE);
	asked->request.stable = true;
	assert_int_equal(begin_done(asked), 0);
	assert_int_equal(below.submitted[IO_DISCARD], 3);
	assert_int_equal(below.submitted[IO_FLUSH], 1);
	/* Nothing to zero, and stable when it is done. */
	asked = ask(REQUEST_WRITE_ZEROES, 4096, 0);
	asked->request.stable = true;
	below.results[IO_FLUSH] = -EIO;
	assert_int_equal(begin_done(asked), -EIO);
	assert_int_equal(below.submitted[IO_WRITE_ZEROES], 0);
}

#define REQUEST_TEST(function) cmocka_unit_test_setup_teardown(function, request_test_setup, request_test_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		REQUEST_TEST(test_done_at_once),
		REQUEST_TEST(test_pending),
		REQUEST_TEST(test_errors_at_once),
		REQUEST_TEST(test_pool),
		REQUEST_TEST(test_reads_beside_reads),
		REQUEST_TEST(test_two_that_overlap),
		REQUEST_TEST(test_done_at_once_after_waiting),
		REQUEST_TEST(test_writes_in_their_order),
		REQUEST_TEST(test_reads_do_not_pass_a_write),
		REQUEST_TEST(test_chain),
		REQUEST_TEST(test_overlap_block),
		REQUEST_TEST(test_range_in_pieces),
		REQUEST_TEST(test_piece_under_way),
		REQUEST_TEST(test_piece_never_overtakes),
		REQUEST_TEST(test_flush_waits_for_nobody),
		REQUEST_TEST(test_stable),
		REQUEST_TEST(test_stable_at_its_ends),
	};

	return cmocka_run_group_tests_name("request", tests, NULL, NULL);
}
