/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The fixture of the tests of requests; see request_test.h.
 */
#include "request_test.h"

struct requests requests;
struct asked pool[POOL];
struct request_disk disk;
struct scripted_disk below;

static unsigned char buffers[(REQUEST_BUFFERS + 1) * BUFFER];

static bool reachable(const struct request *request)
{
	return !((const struct asked *)request)->away;
}

/* The code that a copy is to end with; else 0, and it is within the request and its memory. */
static int next_copy(struct asked *asked, uint64_t offset, size_t bytes)
{
	int code = asked->copy_code;

	asked->copies++;
	asked->copy_code = 0;
	assert_true(asked->request.copied && !asked->away);
	assert_true(bytes > 0 && offset + bytes <= asked->request.length && offset + bytes <= MEMORY_BYTES);
	return code;
}

static int copy_in(struct request *request, uint64_t offset, void *buffer, size_t bytes)
{
	struct asked *asked = (struct asked *)request;
	int code = next_copy(asked, offset, bytes);

	if (!code)
		memcpy(buffer, asked->memory + offset, bytes);
	return code;
}

static int copy_out(struct request *request, uint64_t offset, const void *buffer, size_t bytes)
{
	struct asked *asked = (struct asked *)request;
	int code = next_copy(asked, offset, bytes);

	if (!code)
		memcpy(asked->memory + offset, buffer, bytes);
	return code;
}

int request_test_setup(void **state)
{
	static const struct request_memory memory = { reachable, copy_in, copy_out };

	(void)state;
	memset(pool, 0, sizeof(pool));
	memset(&disk, 0, sizeof(disk));
	scripted_disks_reset();
	requests_init(&requests, pool, sizeof(pool[0]), POOL, &memory);
	request_disk_init(&disk, NULL, BLOCK, buffers, BUFFER);
	scripted_disk_attach(&below, &disk, DISK_BYTES);
	return 0;
}

int request_test_teardown(void **state)
{
	bool seen[REQUEST_BUFFERS] = { false };

	(void)state;
	none_done();
	assert_int_equal(requests.nr_free, POOL);
	assert_int_equal(below.nr_pending, 0);
	assert_false(requests_can_go_on(&requests));
	assert_null(disk.order_first);
	assert_null(disk.buffer_waiters.first);
	assert_null(disk.settlers.first);
	assert_int_equal(disk.nr_abandoned, 0);
	/* Each buffer is there, once. */
	assert_int_equal(disk.nr_write_buffers, REQUEST_BUFFERS);
	for (int i = 0; i < REQUEST_BUFFERS; i++) {
		ptrdiff_t at = ((unsigned char *)disk.write_buffers[i] - buffers) / (ptrdiff_t)BUFFER;

		assert_in_range(at, 1, REQUEST_BUFFERS);
		assert_false(seen[at - 1]);
		seen[at - 1] = true;
	}
	return 0;
}

struct asked *ask(enum request_operation operation, uint64_t position, uint64_t length)
{
	struct asked *asked = (struct asked *)request_take(&requests);

	assert_non_null(asked);
	memset(asked->memory, 0, sizeof(asked->memory));
	asked->away = false;
	asked->copy_code = 0;
	asked->copies = 0;
	asked->request.disk = &disk;
	asked->request.operation = operation;
	asked->request.position = position;
	asked->request.length = length;
	if (operation != REQUEST_READ && operation != REQUEST_WRITE)
		return asked;
	assert_in_range(length, 1, MEMORY_BYTES);
	asked->vector[0] = (struct iovec){ asked->memory, length - length / 2 };
	asked->vector[1] = (struct iovec){ asked->memory + (length - length / 2), length / 2 };
	asked->request.vector = asked->vector;
	asked->request.count = length > 1 ? 2 : 1;
	return asked;
}

struct asked *ask_copied(enum request_operation operation, uint64_t position, uint64_t length)
{
	struct asked *asked = ask(operation, position, length);

	asked->request.copied = true;
	asked->request.vector = NULL;
	asked->request.count = 0;
	return asked;
}

void begin(struct asked *asked)
{
	assert_false(request_begin(&requests, &asked->request));
}

int begin_done(struct asked *asked)
{
	int result;

	assert_true(request_begin(&requests, &asked->request));
	assert_phase(asked, DONE);
	result = asked->request.result;
	request_free(&requests, &asked->request);
	return result;
}

void end(struct asked *asked, int result)
{
	request_io_done(&requests, scripted_disk_end(&below, &asked->request.io, result));
}

int next_done(struct asked *asked)
{
	struct request *done = request_next_done(&requests);
	int result;

	assert_ptr_equal(done, asked);
	assert_int_equal(done->phase, REQUEST_DONE);
	result = done->result;
	request_free(&requests, done);
	return result;
}

void none_done(void)
{
	assert_null(request_next_done(&requests));
}

void all_pend(void)
{
	for (int i = 0; i < SCRIPTED_OPERATIONS; i++)
		below.answers[i] = IO_PENDING;
}

struct asked *begun(enum request_operation operation, uint64_t position, uint64_t length)
{
	struct asked *asked = ask(operation, position, length);

	begin(asked);
	return asked;
}

struct asked *begun_copied(enum request_operation operation, uint64_t position, uint64_t length)
{
	struct asked *asked = ask_copied(operation, position, length);

	begin(asked);
	return asked;
}

void assert_io(const struct io *io, enum io_operation operation, uint64_t position, uint64_t length)
{
	assert_int_equal(io->operation, operation);
	assert_int_equal(io->position, position);
	assert_int_equal(io->length, length);
}
