/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Requests with copied memory: buffers, clients that cannot be reached, and misses that are fetched.
 */
#include <errno.h>

#include "request_test.h"

/* ---- copied memory ---- */

static void test_copied_at_once(void **state)
{
	struct asked *write = ask_copied(REQUEST_WRITE, 100, 3 * BUFFER + 1);
	struct asked *read;

	(void)state;
	for (unsigned int i = 0; i <= 3 * BUFFER; i++)
		write->memory[i] = (unsigned char)(i % 251);
	assert_int_equal(begin_done(write), 0);
	assert_int_equal(write->copies, 4);
	assert_memory_equal(below.data + 100, write->memory, 3 * BUFFER + 1);
	read = ask_copied(REQUEST_READ, 101, 3 * BUFFER);
	assert_int_equal(begin_done(read), 0);
	assert_int_equal(read->copies, 3);
	assert_memory_equal(read->memory, below.data + 101, 3 * BUFFER);
	/* A code of the front's is the result, and the end. */
	read = ask_copied(REQUEST_READ, 0, 2 * BUFFER);
	read->copy_code = -77;
	assert_int_equal(begin_done(read), -77);
	write = ask_copied(REQUEST_WRITE, 0, 2 * BUFFER);
	write->copy_code = -78;
	assert_int_equal(begin_done(write), -78);
	assert_int_equal(write->copies, 1);
}

/* More writes than there are buffers: first come, first served, and a piece at a time. */
static void test_buffers(void **state)
{
	enum { COUNT = REQUEST_BUFFERS + 3 };
	struct asked *asked[COUNT];

	(void)state;
	all_pend();
	for (int i = 0; i < COUNT; i++) {
		asked[i] = ask_copied(REQUEST_WRITE, (uint64_t)i * 2 * BUFFER, i == 0 ? 2 * BUFFER : BUFFER);
		memset(asked[i]->memory, i + 1, 2 * BUFFER);
		begin(asked[i]);
	}
	for (int i = 0; i < COUNT; i++)
		assert_int_equal(asked[i]->request.phase == REQUEST_IN_BUFFER, i >= REQUEST_BUFFERS);
	/* Reads need none of them. */
	assert_phase(begun_copied(REQUEST_FLUSH, 0, 0), IN_FLUSH);
	end(asked_of(below.last), 0);
	request_free(&requests, request_next_done(&requests));
	/* The first has a second piece, and queues for it behind those who wait. */
	end(asked[0], 0);
	none_done();
	assert_phase(asked[REQUEST_BUFFERS], IN_STORE);
	assert_phase(asked[0], IN_BUFFER);
	for (int i = 1; i <= 3; i++) {
		end(asked[i], i == 1 ? -EIO : 0);
		assert_int_equal(next_done(asked[i]), i == 1 ? -EIO : 0);
		none_done();
	}
	assert_phase(asked[COUNT - 1], IN_STORE);
	assert_phase(asked[0], IN_STORE);
	assert_io(below.last, IO_WRITE, BUFFER, BUFFER);
	for (int i = REQUEST_BUFFERS; i < COUNT; i++) {
		end(asked[i], 0);
		assert_int_equal(next_done(asked[i]), 0);
	}
	end(asked[0], 0);
	assert_int_equal(next_done(asked[0]), 0);
	for (unsigned int i = 0; i < COUNT * 2 * BUFFER; i++) {
		unsigned int writer = i / (2 * BUFFER);
		bool written = writer != 1 && (i % (2 * BUFFER) < BUFFER || writer == 0);

		if (writer != 1)
			assert_int_equal(below.data[i], written ? writer + 1 : 0);
	}
}

/* One that waits for a buffer keeps its place: those that came after it and overlap with it wait as well. */
static void test_no_buffer_and_a_place(void **state)
{
	struct asked *asked[REQUEST_BUFFERS], *slow, *copied[2], *direct[2];

	(void)state;
	all_pend();
	for (int i = 0; i < REQUEST_BUFFERS; i++)
		asked[i] = begun_copied(REQUEST_WRITE, (uint64_t)(i + 2) * BUFFER, BUFFER);
	slow = begun(REQUEST_WRITE, 0, 4096);
	/* The first comes to wait for a buffer after it had to wait for its turn, the second at once. */
	for (int i = 0; i < 2; i++) {
		copied[i] = begun_copied(REQUEST_WRITE, (uint64_t)i * BUFFER, 4096);
		direct[i] = begun(REQUEST_WRITE, (uint64_t)i * BUFFER, 4096);
		assert_phase(direct[i], IN_ORDER);
	}
	assert_phase(copied[0], IN_ORDER);
	assert_phase(copied[1], IN_BUFFER);
	end(slow, 0);
	assert_int_equal(next_done(slow), 0);
	none_done();
	assert_phase(copied[0], IN_BUFFER);
	for (int i = 1; i >= 0; i--) {
		end(asked[i], 0);
		assert_int_equal(next_done(asked[i]), 0);
		none_done();
		assert_phase(copied[i], IN_STORE);
		assert_phase(direct[i], IN_ORDER);
		end(copied[i], 0);
		assert_int_equal(next_done(copied[i]), 0);
		none_done();
		assert_phase(direct[i], IN_STORE);
		end(direct[i], 0);
		assert_int_equal(next_done(direct[i]), 0);
	}
	for (int i = 2; i < REQUEST_BUFFERS; i++) {
		end(asked[i], 0);
		assert_int_equal(next_done(asked[i]), 0);
	}
}

/* A disk whose reads are PENDING, to copied memory as well: each has a buffer until its data were copied. */
static void test_reads_pend(void **state)
{
	enum { COUNT = REQUEST_BUFFERS + 2 };
	struct asked *asked[COUNT];

	(void)state;
	disk.reads_pend = true;
	all_pend();
	for (unsigned int i = 0; i < sizeof(below.data); i++)
		below.data[i] = (unsigned char)(i / BUFFER + 1);
	for (int i = 0; i < COUNT; i++) {
		asked[i] = begun_copied(REQUEST_READ, (uint64_t)i * BUFFER, BUFFER);
		assert_int_equal(asked[i]->request.phase == REQUEST_IN_BUFFER, i >= REQUEST_BUFFERS);
	}
	assert_int_equal(below.last->mode, IO_MAY_PEND);
	/* The client of the first cannot be reached when its data are there: they are read again when it can. */
	asked[0]->copy_code = REQUEST_CLIENT_AWAY;
	end(asked[0], 0);
	none_done();
	assert_phase(asked[0], IN_CLIENT);
	assert_phase(asked[REQUEST_BUFFERS], IN_STORE);
	for (int i = 1; i < COUNT; i++) {
		end(asked[i], i == 2 ? -EIO : 0);
		assert_int_equal(next_done(asked[i]), i == 2 ? -EIO : 0);
		assert_int_equal(asked[i]->memory[BUFFER - 1], i == 2 ? 0 : i + 1);
		none_done();
	}
	request_client_came(&requests, &asked[0]->request);
	none_done();
	assert_phase(asked[0], IN_STORE);
	end(asked[0], 0);
	assert_int_equal(next_done(asked[0]), 0);
	assert_int_equal(asked[0]->memory[0], 1);
	assert_int_equal(disk.nr_write_buffers, REQUEST_BUFFERS);
}

static void test_client_away(void **state)
{
	static const enum request_operation operations[] = { REQUEST_READ, REQUEST_WRITE };

	(void)state;
	below.answers[IO_WRITE] = IO_PENDING;
	for (size_t i = 0; i < 2; i++) {
		struct asked *asked = ask_copied(operations[i], 0, 2 * BUFFER);
		struct asked *other;

		/* Away before anything is done, and it stands in nobody's way. */
		asked->away = true;
		begin(asked);
		assert_phase(asked, IN_CLIENT);
		other = ask(REQUEST_DISCARD, 0, 4096);
		assert_int_equal(begin_done(other), 0);
		none_done();
		/* Found away by the copy itself: of the first piece... */
		asked->away = false;
		asked->copy_code = REQUEST_CLIENT_AWAY;
		request_client_came(&requests, &asked->request);
		none_done();
		assert_phase(asked, IN_CLIENT);
		assert_int_equal(asked->copies, 1);
		/* ... and between the two. */
		request_client_came(&requests, &asked->request);
		if (operations[i] == REQUEST_WRITE) {
			none_done();
			assert_phase(asked, IN_STORE);
			request_client_came(&requests, &asked->request);
			assert_phase(asked, IN_STORE);
			asked->away = true;
			end(asked, 0);
			none_done();
			assert_phase(asked, IN_CLIENT);
			asked->away = false;
			request_client_came(&requests, &asked->request);
			none_done();
			end(asked, 0);
		}
		assert_int_equal(next_done(asked), 0);
		assert_int_equal(asked->copies, 3);
	}
}

/* Who was handed a buffer and finds its client away does not keep it from others, for however long that may be. */
static void test_client_away_with_a_buffer(void **state)
{
	struct asked *first[REQUEST_BUFFERS], *away[REQUEST_BUFFERS], *other;

	(void)state;
	all_pend();
	for (int i = 0; i < REQUEST_BUFFERS; i++)
		first[i] = begun_copied(REQUEST_WRITE, (uint64_t)i * BUFFER, BUFFER);
	for (int i = 0; i < REQUEST_BUFFERS; i++)
		away[i] = begun_copied(REQUEST_WRITE, (uint64_t)(REQUEST_BUFFERS + i) * BUFFER, BUFFER);
	other = begun_copied(REQUEST_WRITE, 2 * REQUEST_BUFFERS * BUFFER, BUFFER);
	for (int i = 0; i < REQUEST_BUFFERS; i++) {
		assert_phase(away[i], IN_BUFFER);
		away[i]->away = true;
		end(first[i], 0);
		assert_int_equal(next_done(first[i]), 0);
	}
	none_done();
	assert_phase(other, IN_STORE);
	end(other, 0);
	assert_int_equal(next_done(other), 0);
	for (int i = 0; i < REQUEST_BUFFERS; i++) {
		assert_phase(away[i], IN_CLIENT);
		away[i]->away = false;
		request_client_came(&requests, &away[i]->request);
		none_done();
		end(away[i], 0);
		assert_int_equal(next_done(away[i]), 0);
	}
}

/* Nor does one that had a place in the order keep others from it while its client is away. */
static void test_client_away_in_order(void **state)
{
	struct asked *slow, *copied, *behind;

	(void)state;
	all_pend();
	slow = begun(REQUEST_WRITE, 0, 4096);
	copied = begun_copied(REQUEST_WRITE, 0, 4096);
	behind = begun(REQUEST_READ, 0, 4096);
	copied->away = true;
	end(slow, 0);
	assert_int_equal(next_done(slow), 0);
	none_done();
	assert_phase(copied, IN_CLIENT);
	assert_phase(behind, IN_STORE);
	copied->away = false;
	request_client_came(&requests, &copied->request);
	none_done();
	assert_phase(copied, IN_ORDER);
	end(behind, 0);
	assert_int_equal(next_done(behind), 0);
	none_done();
	end(copied, 0);
	assert_int_equal(next_done(copied), 0);
}

/* ---- misses ---- */

/* A read into copied memory never waits in the store: it is fetched, and tried again. */
static void test_fetch(void **state)
{
	struct asked *asked = ask_copied(REQUEST_READ, 512, 2 * BUFFER);
	struct asked *write = NULL;

	(void)state;
	memset(below.data, 7, sizeof(below.data));
	below.answers[IO_READ] = IO_MISSED;
	below.answers[IO_FETCH] = IO_PENDING;
	begin(asked);
	for (int i = 0; i < 3; i++) {
		assert_phase(asked, IN_FETCH);
		assert_int_equal(below.submitted[IO_READ], i + 1);
		assert_io(below.last, IO_FETCH, 512, BUFFER);
		/* What comes after it waits until it was read. */
		if (!write)
			write = begun(REQUEST_WRITE, 512, 1);
		assert_phase(write, IN_ORDER);
		/* In vain each time, so the fourth read is no longer one that may miss. */
		if (i == 2)
			below.answers[IO_READ] = IO_DONE;
		end(asked, 0);
		if (i < 2)
			none_done();
	}
	/* The piece after it begins anew. */
	assert_int_equal(below.submitted[IO_READ], 3);
	assert_int_equal(next_done(asked), 0);
	assert_int_equal(below.submitted[IO_READ], 5);
	assert_int_equal(next_done(write), 0);
	assert_int_equal(asked->memory[0], 7);
	assert_int_equal(below.data[512], 0);
}

static void test_fetch_that_fails(void **state)
{
	struct asked *asked, *write;

	(void)state;
	below.answers[IO_READ] = IO_MISSED;
	below.answers[IO_FETCH] = IO_PENDING;
	asked = begun_copied(REQUEST_READ, 0, BUFFER);
	write = begun(REQUEST_WRITE, 0, 4096);
	end(asked, -EIO);
	assert_int_equal(next_done(asked), -EIO);
	assert_int_equal(next_done(write), 0);
	/* The same at once. */
	below.answers[IO_FETCH] = IO_DONE;
	below.results[IO_FETCH] = -EIO;
	assert_int_equal(begin_done(ask_copied(REQUEST_READ, 0, BUFFER)), -EIO);
}

/* The mode of each try, in turn: the last cannot miss. */
static enum io_mode tried[8];
static int nr_tried;

static enum io_answer miss_all(struct scripted_disk *scripted, const struct io *io)
{
	(void)scripted;
	if (io->operation != IO_READ)
		return IO_DONE;
	tried[nr_tried++] = io->mode;
	return io->mode == IO_AT_ONCE ? IO_DONE : IO_MISSED;
}

static void test_fetches_in_vain(void **state)
{
	static const enum io_mode expected[] = { IO_CACHED, IO_FETCHED, IO_FETCHED, IO_AT_ONCE };

	(void)state;
	nr_tried = 0;
	below.choose = miss_all;
	assert_int_equal(begin_done(ask_copied(REQUEST_READ, 0, 2 * BUFFER)), 0);
	assert_int_equal(nr_tried, 8);
	for (int i = 0; i < 8; i++)
		assert_int_equal(tried[i], expected[i % 4]);
	assert_int_equal(below.submitted[IO_FETCH], 6);
}

/* One that missed keeps its place in the order. */
static void test_fetch_after_waiting(void **state)
{
	struct asked *slow, *read, *behind;

	(void)state;
	below.answers[IO_READ] = IO_MISSED;
	below.answers[IO_FETCH] = IO_PENDING;
	below.answers[IO_WRITE] = IO_PENDING;
	slow = begun(REQUEST_WRITE, 0, 4096);
	read = begun_copied(REQUEST_READ, 0, 4096);
	behind = begun(REQUEST_WRITE, 0, 4096);
	assert_phase(read, IN_ORDER);
	end(slow, 0);
	assert_int_equal(next_done(slow), 0);
	none_done();
	assert_phase(read, IN_FETCH);
	assert_phase(behind, IN_ORDER);
	below.answers[IO_READ] = IO_DONE;
	end(read, 0);
	assert_int_equal(next_done(read), 0);
	none_done();
	assert_phase(behind, IN_STORE);
	end(behind, 0);
	assert_int_equal(next_done(behind), 0);
}

#define REQUEST_TEST(function) cmocka_unit_test_setup_teardown(function, request_test_setup, request_test_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		REQUEST_TEST(test_copied_at_once),
		REQUEST_TEST(test_buffers),
		REQUEST_TEST(test_no_buffer_and_a_place),
		REQUEST_TEST(test_client_away),
		REQUEST_TEST(test_client_away_with_a_buffer),
		REQUEST_TEST(test_reads_pend),
		REQUEST_TEST(test_client_away_in_order),
		REQUEST_TEST(test_fetch),
		REQUEST_TEST(test_fetch_that_fails),
		REQUEST_TEST(test_fetches_in_vain),
		REQUEST_TEST(test_fetch_after_waiting),
	};

	return cmocka_run_group_tests_name("request_copied", tests, NULL, NULL);
}
