/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Thousands of requests at random over a disk that answers at random, some of which fail, some of which are abandoned,
 * and some of whose clients come and go. What has to hold:
 *
 *   - none is carried out beside one that it overlaps with (scripted_disk.c), and those with direct memory and of one
 *     piece are so in the order in which they came;
 *   - each is carried out as a whole, piece after piece, with its own data, before it is DONE with success, and what is
 *     to be stable is flushed after that;
 *   - each is given out once, and nothing is left at the end.
 *
 * With that the data are those of a sequential order, in which what overlaps has the order in which it was carried out.
 * The test keeps that one: `model` is what the disk holds, by what the requests asked for and not by what it was given.
 */
#include <errno.h>
#include <stdio.h>

#include "request_test.h"

#define ROUNDS	      24
#define STEPS	      4000
/* The disk is small, so that much overlaps, and lies about the border of two pieces of a long range. */
#define ORIGIN	      (REQUEST_RANGE_PIECE - BYTES / 2)
#define BYTES	      (24u * BLOCK)
#define LENGTH_MAX    (3u * BUFFER)
#define UNDER_WAY_MAX (POOL - 8)

/* What the test knows of a request that is under way. */
struct known {
	uint64_t carried_out; /* bytes of its pieces, in their order */
	uint64_t last_piece;  /* bytes of the last of them, that may be read once more */
	bool begun;
	bool ordered; /* it has to be carried out in the order in which it came */
	bool flushed; /* after its last piece */
	bool flush_submitted;
	unsigned char expected[LENGTH_MAX]; /* of a read: what its pieces found */
};

static struct known known[POOL];
static unsigned char model[BYTES];
static uint64_t random_state;
static unsigned int last_number;
static int given_out, begun_ones;
static unsigned int fail_percent;

/* xorshift64*: the same numbers everywhere. */
static unsigned int any(unsigned int below_this)
{
	random_state ^= random_state >> 12;
	random_state ^= random_state << 25;
	random_state ^= random_state >> 27;
	return (unsigned int)((random_state * UINT64_C(2685821657736338717)) >> 33) % below_this;
}

static bool percent(unsigned int n)
{
	return any(100) < n;
}

static struct known *known_of(const struct asked *asked)
{
	return &known[asked - pool];
}

/* The byte of a write's data. */
static unsigned char data_byte(const struct asked *asked, uint64_t offset)
{
	return (unsigned char)(asked->number * 7 + offset * 13 + offset / 256);
}

static bool changes(const struct asked *asked)
{
	return asked->request.operation != REQUEST_READ;
}

static bool overlap(const struct asked *a, const struct asked *b)
{
	uint64_t first_a = a->request.position / BLOCK, last_a = (a->request.position + a->request.length - 1) / BLOCK;
	uint64_t first_b = b->request.position / BLOCK, last_b = (b->request.position + b->request.length - 1) / BLOCK;

	return first_a <= last_b && first_b <= last_a;
}

/* None that came before and overlaps may still be to be carried out. */
static void assert_in_turn(const struct asked *asked)
{
	for (int i = 0; i < POOL; i++) {
		const struct asked *other = &pool[i];

		if (!known[i].begun || !known[i].ordered || other->number >= asked->number ||
		    !(changes(other) || changes(asked)) || !overlap(other, asked))
			continue;
		assert_true(known[i].carried_out == other->request.length || other->request.phase == REQUEST_DONE);
	}
}

static void assert_next_piece(const struct asked *asked, const struct io *io)
{
	const struct known *of = known_of(asked);
	uint64_t offset = io->position - asked->request.position;

	assert_false(asked->request.abandoned);
	/* A piece whose data could not be given to the client is read once more. */
	if (asked->request.copied && asked->request.operation == REQUEST_READ)
		assert_true(offset == of->carried_out || offset + of->last_piece == of->carried_out);
	else
		assert_int_equal(offset, of->carried_out);
}

static void model_piece(const struct asked *asked, const struct io *io)
{
	struct known *of = known_of(asked);

	for (uint64_t i = 0; i < io->length; i++) {
		uint64_t offset = io->position + i - asked->request.position;
		unsigned char *byte = &model[io->position + i - ORIGIN];

		if (asked->request.operation == REQUEST_READ)
			of->expected[offset] = *byte;
		else
			*byte = asked->request.operation == REQUEST_WRITE ? data_byte(asked, offset) : 0;
	}
}

static void carried_out(struct scripted_disk *scripted, const struct io *io)
{
	const struct asked *asked = asked_of(io);
	struct known *of = known_of(asked);

	if (io->operation == IO_FETCH)
		return;
	if (io->operation == IO_FLUSH) {
		of->flushed = true;
		return;
	}
	model_piece(asked, io);
	assert_memory_equal(scripted->data + (io->position - ORIGIN), model + (io->position - ORIGIN), io->length);
	of->carried_out = io->position - asked->request.position + io->length;
	of->last_piece = io->length;
}

static enum io_answer choose(struct scripted_disk *scripted, const struct io *io)
{
	const struct asked *asked = asked_of(io);

	if (io->operation == IO_FLUSH) {
		known_of(asked)->flush_submitted = true;
		if (asked->request.operation != REQUEST_FLUSH)
			assert_int_equal(known_of(asked)->carried_out, asked->request.length);
	} else {
		assert_next_piece(asked, io);
	}
	if (io->operation != IO_FLUSH && io->operation != IO_FETCH && known_of(asked)->ordered)
		assert_in_turn(asked);
	scripted->results[io->operation] = percent(fail_percent) ? -EIO : 0;
	if (io->operation == IO_READ && io->mode != IO_MAY_PEND)
		return io->mode != IO_AT_ONCE && percent(50) ? IO_MISSED : IO_DONE;
	return percent(60) ? IO_PENDING : IO_DONE;
}

/* A write that has failed, or that was abandoned on its way, may have been done in part: here it has left nothing. */
static void keep_model(const struct io *io)
{
	if (io->operation == IO_FLUSH || io->operation == IO_FETCH || io->operation == IO_READ)
		return;
	memcpy(below.data + (io->position - ORIGIN), model + (io->position - ORIGIN), io->length);
}

static void end_any(void)
{
	struct io *io = below.pending[any((unsigned int)below.nr_pending)];
	int result = percent(fail_percent) ? -EIO : 0;

	if (io->cancelled && percent(50))
		result = -ECANCELED;
	if (result)
		keep_model(io);
	request_io_done(&requests, scripted_disk_end(&below, io, result));
}

/* Everything that success promises. */
static void check_success(const struct asked *asked)
{
	const struct known *of = known_of(asked);

	if (asked->request.operation == REQUEST_SETTLE)
		return;
	if (asked->request.operation == REQUEST_FLUSH || (asked->request.stable && changes(asked)))
		assert_true(of->flushed);
	assert_int_equal(of->carried_out, asked->request.length);
	if (asked->request.operation == REQUEST_READ)
		assert_memory_equal(asked->memory, of->expected, asked->request.length);
}

static void take_done(struct asked *asked)
{
	struct known *of = known_of(asked);

	assert_phase(asked, DONE);
	assert_true(of->begun);
	if (!asked->request.abandoned) {
		assert_true(asked->request.result == 0 || asked->request.result == -EIO ||
			    asked->request.result == -77);
		if (asked->request.result == 0)
			check_success(asked);
	}
	of->begun = false;
	given_out++;
	request_free(&requests, &asked->request);
}

static void take_all_done(void)
{
	struct request *done;

	while ((done = request_next_done(&requests)) != NULL)
		take_done((struct asked *)done);
}

static struct asked *make(void)
{
	static const enum request_operation operations[] = {
		REQUEST_READ,  REQUEST_READ,	REQUEST_READ,	      REQUEST_WRITE, REQUEST_WRITE,
		REQUEST_WRITE, REQUEST_DISCARD, REQUEST_WRITE_ZEROES, REQUEST_FLUSH, REQUEST_SETTLE,
	};
	enum request_operation operation = operations[any(sizeof(operations) / sizeof(operations[0]))];
	uint64_t length = 1 + any(percent(50) ? BLOCK : LENGTH_MAX);
	uint64_t position = ORIGIN + any(BYTES - (unsigned int)length);
	struct asked *asked;

	if (operation == REQUEST_FLUSH || operation == REQUEST_SETTLE)
		return ask(operation, 0, 0);
	asked = ask(operation, position, length);
	asked->request.stable = percent(20);
	asked->request.copied = (operation == REQUEST_READ || operation == REQUEST_WRITE) && percent(50);
	asked->away = asked->request.copied && percent(20);
	return asked;
}

/* Whether it is one piece that is in the order from its beginning to its end. */
static bool is_ordered(const struct asked *asked)
{
	uint64_t first = asked->request.position, last = first + asked->request.length - 1;

	switch (asked->request.operation) {
	case REQUEST_READ:
	case REQUEST_WRITE:
		return !asked->request.copied || (asked->request.length <= BUFFER && !asked->away);
	case REQUEST_DISCARD:
	case REQUEST_WRITE_ZEROES:
		return first / REQUEST_RANGE_PIECE == last / REQUEST_RANGE_PIECE;
	case REQUEST_FLUSH:
	case REQUEST_SETTLE:
	case REQUEST_OPEN:
	case REQUEST_DESCRIBE:
		break;
	}
	return false;
}

static void begin_any(void)
{
	struct asked *asked = make();

	asked->number = ++last_number;
	*known_of(asked) = (struct known){ .begun = true, .ordered = is_ordered(asked) };
	if (asked->request.operation == REQUEST_WRITE) {
		for (uint64_t i = 0; i < asked->request.length; i++)
			asked->memory[i] = data_byte(asked, i);
	}
	begun_ones++;
	if (request_begin(&requests, &asked->request))
		take_done(asked);
}

/* One that is under way, or NULL if that was not one. */
static struct asked *any_under_way(void)
{
	unsigned int i = any(POOL);

	return known[i].begun ? &pool[i] : NULL;
}

static void abandon_any(void)
{
	struct asked *asked = any_under_way();

	if (!asked || asked->request.abandoned)
		return;
	known_of(asked)->ordered = false;
	request_abandon(&requests, &asked->request);
}

static void client_of_any_comes_or_goes(void)
{
	struct asked *asked = any_under_way();

	if (!asked || !asked->request.copied)
		return;
	/* Whose client was away may have given its place up. */
	known_of(asked)->ordered = false;
	asked->away = percent(30);
	if (!asked->away && percent(30))
		asked->copy_code = percent(90) ? REQUEST_CLIENT_AWAY : -77;
	if (!asked->away)
		request_client_came(&requests, &asked->request);
}

static void step(void)
{
	unsigned int what = any(100);

	if (what < 40 && requests.nr_free > POOL - UNDER_WAY_MAX)
		begin_any();
	else if (what < 75 && below.nr_pending > 0)
		end_any();
	else if (what < 78)
		abandon_any();
	else if (what < 90)
		client_of_any_comes_or_goes();
	else
		take_all_done();
}

/* All that is under way comes to its end once the disk answers and the clients are there. */
static void finish(void)
{
	for (;;) {
		take_all_done();
		if (requests.nr_free == POOL)
			return;
		for (int i = 0; i < POOL; i++) {
			pool[i].away = false;
			if (known[i].begun)
				request_client_came(&requests, &pool[i].request);
		}
		if (below.nr_pending > 0)
			end_any();
		else
			assert_true(requests_can_go_on(&requests));
	}
}

static void run(uint64_t seed, unsigned int failures)
{
	random_state = seed;
	fail_percent = failures;
	last_number = 0;
	given_out = 0;
	begun_ones = 0;
	memset(known, 0, sizeof(known));
	memset(model, 0, sizeof(model));
	below.origin = ORIGIN;
	below.choose = choose;
	below.carried_out = carried_out;
	for (int i = 0; i < STEPS; i++)
		step();
	finish();
	assert_int_equal(given_out, begun_ones);
	assert_true(begun_ones > STEPS / 5);
	assert_memory_equal(below.data, model, BYTES);
}

static void test_random(void **state)
{
	for (unsigned int round = 1; round <= ROUNDS; round++) {
		print_message("round %u\n", round);
		request_test_setup(state);
		run(UINT64_C(0x9e3779b97f4a7c15) * round, round % 2 ? 0 : 5);
		request_test_teardown(state);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests_name("request_random", tests, NULL, NULL);
}
