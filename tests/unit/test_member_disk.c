/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a member makes of an io and what comes back of it, over a core that does what a test says: pieces, vectors,
 * flags; errors of the set (a disk that fails, is full, cannot be flushed), memory that is gone or that there is none
 * of, requests that hang and that nobody wants any more, clients that go.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "member_internal.h"

#define DISK_BYTES (4u * MESSAGE_DATA_MAX)
#define PAGE	   4096u
#define CLIENT	   7u
#define DEVICE	   1

void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);

static struct member member;
static unsigned char disk[DISK_BYTES], memory[DISK_BYTES];
static bool no_memory;

/* The core: what was submitted and not answered, in order. */
static struct replica_request *asked[MEMBER_IOS_MAX + MEMBER_WITHDRAWN_MAX];
static int nr_asked, nr_submitted, nr_withdraws;
static bool in_event, at_once, was_sent;
static uint32_t forgotten;
static struct replica_status status;

void *__wrap_malloc(size_t size)
{
	return no_memory ? NULL : __real_malloc(size);
}

uint64_t member_now(void)
{
	return 1;
}

static void carry_out(struct replica_request *request)
{
	assert_true(request->position <= DISK_BYTES && request->length <= DISK_BYTES - request->position);
	if (request->kind == ENTRY_READ)
		memcpy(request->data, disk + request->position, request->length);
	else if (request->kind == ENTRY_WRITE)
		memcpy(disk + request->position, request->data, request->length);
	else if (request->kind == ENTRY_ZEROES)
		memset(disk + request->position, 0, request->length);
}

/* The core has the one at that place no more. */
static void forget(int index)
{
	nr_asked--;
	for (int i = index; i < nr_asked; i++)
		asked[i] = asked[i + 1];
}

static void answer(struct replica_request *request, int result)
{
	int index = 0;

	while (index < nr_asked && asked[index] != request)
		index++;
	assert_true(index < nr_asked);
	forget(index);
	if (!result)
		carry_out(request);
	request->result = result;
	in_event = true;
	member_answered(&member, request);
	in_event = false;
}

static void answer_next(int result)
{
	assert_true(nr_asked > 0);
	answer(asked[0], result);
}

bool replica_read_at_once(struct replica *replica, uint64_t now, int device, struct io *io)
{
	(void)replica;
	(void)now;
	(void)device;
	(void)io;
	return false;
}

void replica_submit(struct replica *replica, uint64_t now, struct replica_request *request)
{
	(void)replica;
	(void)now;
	assert_false(in_event);
	assert_true(request->kind == ENTRY_ZEROES || request->length <= MESSAGE_DATA_MAX);
	asked[nr_asked++] = request;
	nr_submitted++;
	if (at_once)
		answer(request, 0);
}

bool replica_withdraw(struct replica *replica, struct replica_request *request)
{
	(void)replica;
	nr_withdraws++;
	for (int i = 0; i < nr_asked; i++) {
		if (asked[i] != request)
			continue;
		if (!was_sent)
			forget(i);
		return !was_sent;
	}
	fail_msg("a request is withdrawn that the core does not have");
	return false;
}

void replica_forget_client(struct replica *replica, uint64_t now, uint32_t client)
{
	int kept = 0;

	(void)replica;
	(void)now;
	forgotten = client;
	for (int i = 0; i < nr_asked; i++) {
		if (asked[i]->client != client)
			asked[kept++] = asked[i];
	}
	nr_asked = kept;
}

void replica_status(const struct replica *replica, struct replica_status *told)
{
	(void)replica;
	*told = status;
}

static int setup(void **state)
{
	(void)state;
	member = (struct member){ .known = true, .pid = getpid() };
	member.done_tail = &member.done;
	nr_asked = nr_submitted = nr_withdraws = 0;
	no_memory = at_once = was_sent = false;
	forgotten = 0;
	for (size_t i = 0; i < DISK_BYTES; i++) {
		disk[i] = (unsigned char)(i * 7 + i / 251);
		memory[i] = (unsigned char)(i * 3 + i / 253);
	}
	return member_requests_create(&member);
}

/* Nothing is left of what was submitted. */
static int teardown(void **state)
{
	(void)state;
	member_cancel_all(&member);
	(void)member_take_done(&member);
	assert_int_equal(nr_asked, 0);
	assert_int_equal(member.nr_withdrawn, 0);
	member_requests_destroy(&member);
	return 0;
}

static void submit(struct io *io)
{
	io->client = io->client ? io->client : CLIENT;
	io->result = 1;
	assert_int_equal(member_submit(&member, DEVICE, io), IO_PENDING);
}

static void assert_nothing_done(void)
{
	assert_false(member_any_done(&member));
	assert_null(member_take_done(&member));
}

static void assert_done(struct io *io, int result)
{
	assert_true(member_any_done(&member));
	assert_ptr_equal(member_take_done(&member), io);
	assert_null(io->next);
	assert_int_equal(io->result, result);
	assert_nothing_done();
}

/* All pieces are carried out. */
static void go_on(void)
{
	while (nr_asked) {
		answer_next(0);
		member_submit_again(&member);
	}
}

/* ---- what is asked of the core ---- */

static void test_operations(void **state)
{
	struct iovec vector = { memory, PAGE };
	const struct {
		struct io io;
		enum entry_kind kind;
		bool stable;
	} cases[] = {
		{ { .operation = IO_READ, .stable = true }, ENTRY_READ, false },
		{ { .operation = IO_WRITE }, ENTRY_WRITE, false },
		{ { .operation = IO_WRITE, .stable = true }, ENTRY_WRITE, true },
		{ { .operation = IO_FLUSH, .stable = true }, ENTRY_FLUSH, false },
		{ { .operation = IO_DISCARD }, ENTRY_ZEROES, false },
		{ { .operation = IO_WRITE_ZEROES, .stable = true }, ENTRY_ZEROES, true },
		{ { .operation = IO_OPEN, .shared = true }, ENTRY_OPEN, false },
		{ { .operation = IO_OPEN, .read_only = true }, ENTRY_OPEN, false },
	};

	(void)state;
	for (unsigned int i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		bool data = cases[i].kind == ENTRY_READ || cases[i].kind == ENTRY_WRITE;
		bool range = data || cases[i].kind == ENTRY_ZEROES;
		struct io io = cases[i].io;
		const struct replica_request *request;

		io.position = range ? 3 * PAGE : 0;
		io.length = range ? PAGE : 0;
		if (data) {
			io.vector = &vector;
			io.count = 1;
		}
		submit(&io);
		assert_int_equal(nr_asked, 1);
		request = asked[0];
		assert_int_equal(request->kind, cases[i].kind);
		assert_int_equal(request->client, CLIENT);
		assert_int_equal(request->device, DEVICE);
		assert_int_equal(request->position, io.position);
		assert_int_equal(request->length, io.length);
		assert_int_equal(request->stable, cases[i].stable);
		assert_int_equal(request->shared, io.shared);
		assert_int_equal(request->read_only, io.read_only);
		assert_int_equal(request->data != NULL, data);
		assert_nothing_done();
		answer_next(0);
		assert_done(&io, 0);
	}
}

/* Data goes in pieces, one after the other has been answered; zeroes have none, and go as one. */
static void test_pieces(void **state)
{
	const uint64_t length = 2 * MESSAGE_DATA_MAX + 5 * PAGE;
	struct iovec vector[] = { { memory, 1000 },
				  { memory + 1000, MESSAGE_DATA_MAX },
				  { memory + 1000 + MESSAGE_DATA_MAX, length - MESSAGE_DATA_MAX - 1000 } };
	struct io io = { .operation = IO_WRITE, .position = PAGE, .length = length, .vector = vector, .count = 3 };

	(void)state;
	submit(&io);
	for (uint64_t moved = 0; moved < length; moved += MESSAGE_DATA_MAX) {
		assert_int_equal(nr_asked, 1);
		assert_int_equal(asked[0]->position, PAGE + moved);
		answer_next(0);
		assert_int_equal(nr_asked, 0);
		member_submit_again(&member);
	}
	assert_int_equal(nr_submitted, 3);
	assert_done(&io, 0);
	assert_memory_equal(disk + PAGE, memory, length);

	memset(memory, 0, sizeof(memory));
	io.operation = IO_READ;
	submit(&io);
	go_on();
	assert_done(&io, 0);
	assert_memory_equal(memory, disk + PAGE, length);

	io = (struct io){ .operation = IO_WRITE_ZEROES, .length = DISK_BYTES };
	submit(&io);
	assert_int_equal(asked[0]->length, DISK_BYTES);
	answer_next(0);
	assert_done(&io, 0);
}

/* As many elements as there may be, of odd lengths, some beyond the ends of pieces. */
static void test_long_vector(void **state)
{
	static struct iovec vector[IO_VECTOR_MAX];
	struct io io = { .operation = IO_WRITE, .vector = vector, .count = IO_VECTOR_MAX };

	(void)state;
	for (int i = 0; i < IO_VECTOR_MAX; i++) {
		vector[i] = (struct iovec){ memory + io.length, 1 + (unsigned int)(i * 7919) % 16000 };
		io.length += vector[i].iov_len;
	}
	assert_true(io.length > MESSAGE_DATA_MAX && io.length < DISK_BYTES);
	at_once = true;
	submit(&io);
	while (member.again)
		member_submit_again(&member);
	assert_done(&io, 0);
	assert_memory_equal(disk, memory, io.length);
}

/* ---- errors ---- */

/* The disk fails, is full, cannot be flushed, the open is another's: the result is the core's, and nothing goes on. */
static void test_errors(void **state)
{
	const enum io_operation operations[] = { IO_READ, IO_WRITE, IO_FLUSH, IO_DISCARD, IO_WRITE_ZEROES, IO_OPEN };
	const int errors[] = { -EIO, -ENOSPC, -EBADF, -EBUSY, -ENOMEM };
	static unsigned char before[DISK_BYTES];
	struct iovec vector = { memory, 2 * MESSAGE_DATA_MAX };

	(void)state;
	memcpy(before, memory, sizeof(before));
	for (unsigned int i = 0; i < sizeof(operations) / sizeof(operations[0]) * 5; i++) {
		struct io io = { .operation = operations[i / 5] };
		bool data = io.operation == IO_READ || io.operation == IO_WRITE;

		if (data)
			io = (struct io){
				.operation = io.operation, .length = vector.iov_len, .vector = &vector, .count = 1
			};
		submit(&io);
		answer_next(errors[i % 5]);
		assert_done(&io, errors[i % 5]);
		member_submit_again(&member);
		assert_int_equal(nr_asked, 0);
		assert_memory_equal(memory, before, sizeof(before));
	}
}

/* The first piece is there, the second one is not. */
static void test_error_later(void **state)
{
	struct iovec vector = { memory, 3 * MESSAGE_DATA_MAX };
	struct io io = { .operation = IO_WRITE, .length = vector.iov_len, .vector = &vector, .count = 1 };

	(void)state;
	submit(&io);
	answer_next(0);
	member_submit_again(&member);
	assert_nothing_done();
	answer_next(-ENOSPC);
	assert_done(&io, -ENOSPC);
	member_submit_again(&member);
	assert_int_equal(nr_submitted, 2);
	assert_memory_equal(disk, memory, MESSAGE_DATA_MAX);
}

/* A client can take its memory away at any time: as a whole, or the end of what is copied. */
static void test_memory_gone(void **state)
{
	const size_t size = 2 * MESSAGE_DATA_MAX;
	unsigned char *taken = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct iovec vector = { taken, size };
	struct io io = { .operation = IO_WRITE, .length = size, .vector = &vector, .count = 1 };

	(void)state;
	assert_ptr_not_equal(taken, MAP_FAILED);
	assert_int_equal(munmap(taken + size - PAGE, PAGE), 0);
	submit(&io);
	answer_next(0);
	member_submit_again(&member); /* the end of the second piece is gone */
	assert_int_equal(nr_submitted, 1);
	assert_done(&io, -EFAULT);

	io.operation = IO_READ;
	submit(&io);
	answer_next(0);
	member_submit_again(&member);
	answer_next(0);
	assert_done(&io, -EFAULT);
	assert_memory_equal(taken, disk, MESSAGE_DATA_MAX);

	assert_int_equal(munmap(taken, size - PAGE), 0);
	submit(&io);
	answer_next(0);
	assert_done(&io, -EFAULT);
	io.operation = IO_WRITE;
	submit(&io);
	assert_done(&io, -EFAULT);
	assert_int_equal(nr_asked, 0);
}

/* What needs no memory of its own goes on. */
static void test_no_memory(void **state)
{
	struct iovec vector = { memory, PAGE };
	struct io write = { .operation = IO_WRITE, .length = PAGE, .vector = &vector, .count = 1 };
	struct io read = { .operation = IO_READ, .length = PAGE, .vector = &vector, .count = 1 };
	struct io flush = { .operation = IO_FLUSH };

	(void)state;
	no_memory = true;
	submit(&write);
	assert_done(&write, -ENOMEM);
	submit(&read);
	assert_done(&read, -ENOMEM);
	assert_int_equal(nr_submitted, 0);
	submit(&flush);
	answer_next(0);
	assert_done(&flush, 0);
	no_memory = false;
	submit(&write);
	answer_next(0);
	assert_done(&write, 0);
}

/* ---- what hangs, and what nobody wants any more ---- */

/* It is the owner's again at once; what the set does with it later touches neither it nor its memory. */
static void test_withdrawn(void **state)
{
	static unsigned char before[PAGE];
	struct iovec vector = { memory, PAGE };
	struct io io = { .operation = IO_READ, .length = PAGE, .vector = &vector, .count = 1 };

	(void)state;
	memcpy(before, memory, sizeof(before));
	submit(&io);
	assert_true(member_withdraw(&member, &io));
	assert_int_equal(nr_asked, 0);
	assert_int_equal(member.nr_withdrawn, 0);

	was_sent = true;
	submit(&io);
	assert_true(member_withdraw(&member, &io));
	assert_false(member_withdraw(&member, &io));
	assert_int_equal(member.nr_withdrawn, 1);
	answer_next(0);
	assert_int_equal(member.nr_withdrawn, 0);
	assert_nothing_done();
	assert_memory_equal(memory, before, PAGE);
	assert_int_equal(io.result, 1);

	/* One that is done is about to come back. */
	submit(&io);
	answer_next(0);
	assert_false(member_withdraw(&member, &io));
	assert_done(&io, 0);
	assert_int_equal(nr_withdraws, 2);
}

static void test_withdrawn_between_pieces(void **state)
{
	struct iovec vector = { memory, 2 * MESSAGE_DATA_MAX };
	struct io io = { .operation = IO_WRITE, .length = vector.iov_len, .vector = &vector, .count = 1 };
	struct io other = { .operation = IO_FLUSH };

	(void)state;
	was_sent = true;
	submit(&io);
	answer_next(0);
	assert_true(member_withdraw(&member, &io));
	assert_int_equal(nr_withdraws, 0);
	/* Nothing of the one that had its place before goes on in it. */
	submit(&other);
	member_submit_again(&member);
	assert_int_equal(nr_submitted, 2);
	answer_next(0);
	assert_done(&other, 0);

	/* While the second piece is under way the core has it. */
	submit(&io);
	answer_next(0);
	member_submit_again(&member);
	assert_true(member_withdraw(&member, &io));
	answer_next(0);
	member_submit_again(&member);
	assert_int_equal(nr_asked, 0);
	assert_nothing_done();
}

/* All that can be under way at a time, and as many withdrawn ones as the core may keep; each place is used again. */
static void test_as_many_as_may_be(void **state)
{
	static struct io ios[MEMBER_IOS_MAX];

	(void)state;
	was_sent = true;
	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < MEMBER_IOS_MAX; i++) {
			ios[i] = (struct io){ .operation = IO_FLUSH };
			submit(&ios[i]);
		}
		for (int i = 0; i < MEMBER_WITHDRAWN_MAX; i++) {
			assert_true(member_withdraw(&member, &ios[i]));
			submit(&ios[i]);
		}
		assert_int_equal(member.nr_withdrawn, MEMBER_WITHDRAWN_MAX);
		while (nr_asked)
			answer_next(0);
		assert_int_equal(member.nr_withdrawn, 0);
		for (int i = 0; i < MEMBER_IOS_MAX; i++)
			assert_int_equal(ios[i].result, 0);
		assert_ptr_equal(member_take_done(&member),
				 &ios[MEMBER_WITHDRAWN_MAX]); /* in the order of the answers */
	}
	assert_int_equal(member.nr_fresh, MEMBER_IOS_MAX + MEMBER_WITHDRAWN_MAX);
}

/* A client goes: what is under way of it ends, wherever it is, and nothing of others'. */
static void test_client_goes(void **state)
{
	struct iovec vector = { memory, 2 * MESSAGE_DATA_MAX };
	struct io between = { .operation = IO_WRITE, .length = vector.iov_len, .vector = &vector, .count = 1 };
	struct io withdrawn = { .operation = IO_FLUSH }, hangs = { .operation = IO_FLUSH };
	struct io others = { .operation = IO_FLUSH, .client = CLIENT + 1 };
	struct io *done;

	(void)state;
	was_sent = true;
	submit(&between);
	answer_next(0);
	submit(&withdrawn);
	assert_true(member_withdraw(&member, &withdrawn));
	submit(&hangs);
	submit(&others);
	member_forget_client(&member, CLIENT);
	assert_int_equal(forgotten, CLIENT);
	assert_int_equal(member.nr_withdrawn, 0);
	done = member_take_done(&member);
	assert_ptr_equal(done, &between);
	assert_ptr_equal(done->next, &hangs);
	assert_null(hangs.next);
	assert_int_equal(between.result, -ECANCELED);
	assert_int_equal(hangs.result, -ECANCELED);
	member_submit_again(&member);
	assert_int_equal(nr_asked, 1);
	answer_next(0);
	assert_done(&others, 0);
}

/* ---- what is known of the disk ---- */

static void test_describe(void **state)
{
	struct io first = { .operation = IO_DESCRIBE }, second = { .operation = IO_DESCRIBE };
	struct io third = { .operation = IO_DESCRIBE };

	(void)state;
	member.known = false;
	submit(&first);
	submit(&second);
	assert_true(member_withdraw(&member, &first));
	/* It is no open's. */
	member_forget_client(&member, CLIENT);
	assert_nothing_done();
	member_became_known(&member);
	assert_done(&second, 0);
	submit(&third);
	assert_done(&third, 0);
	assert_int_equal(nr_submitted, 0);

	member.known = false;
	submit(&first);
	member_cancel_all(&member);
	assert_done(&first, -ECANCELED);
}

/* The same on all hosts: it follows from the set and the device's name. */
static void test_identity(void **state)
{
	struct member_disk first, other;

	(void)state;
	member.known = false;
	assert_false(member_disk(&member, 0, &first));
	member.known = true;
	memset(&status, 0, sizeof(status));
	memset(&status.configuration.set, 5, sizeof(status.configuration.set));
	status.configuration.sizes[0] = 8 * PAGE;
	status.configuration.sizes[1] = 9 * PAGE;
	member.settings.devices[0].name = "disk";
	member.settings.devices[1].name = "other";
	assert_true(member_disk(&member, 0, &first));
	assert_int_equal(first.size, 8 * PAGE);
	assert_int_equal(strlen(first.id), 36);
	assert_int_equal(first.id[14], '8');
	assert_non_null(strchr("89ab", first.id[19]));
	assert_true(member_disk(&member, 1, &other));
	assert_int_equal(other.size, 9 * PAGE);
	assert_string_not_equal(first.id, other.id);
	assert_int_not_equal(first.identity, other.identity);
	member.settings.devices[1].name = "disk";
	assert_true(member_disk(&member, 1, &other));
	assert_string_equal(first.id, other.id);
	memset(&status.configuration.set, 6, sizeof(status.configuration.set));
	assert_true(member_disk(&member, 0, &other));
	assert_string_not_equal(first.id, other.id);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_operations, setup, teardown),
		cmocka_unit_test_setup_teardown(test_pieces, setup, teardown),
		cmocka_unit_test_setup_teardown(test_long_vector, setup, teardown),
		cmocka_unit_test_setup_teardown(test_errors, setup, teardown),
		cmocka_unit_test_setup_teardown(test_error_later, setup, teardown),
		cmocka_unit_test_setup_teardown(test_memory_gone, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_memory, setup, teardown),
		cmocka_unit_test_setup_teardown(test_withdrawn, setup, teardown),
		cmocka_unit_test_setup_teardown(test_withdrawn_between_pieces, setup, teardown),
		cmocka_unit_test_setup_teardown(test_as_many_as_may_be, setup, teardown),
		cmocka_unit_test_setup_teardown(test_client_goes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_describe, setup, teardown),
		cmocka_unit_test_setup_teardown(test_identity, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
