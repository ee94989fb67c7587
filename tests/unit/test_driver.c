/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The server's requests one by one, without processes: each field that can be wrong, vectors and batches, both
 * ways to the client's memory (granted, and by copies through the device's buffer).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "answer.h"
#include "driver_task.h"
#include "fake_dvk.h"

#define USER	      30
#define SYSTEM_CLIENT 5
#define SERVER	      3
#define SIZE	      40000u /* of minor 0; its buffer has 1024 bytes */
#define READ_ONLY     1

static struct server server;
static char memory[65536]; /* of all clients */
static char expected[SIZE];

static int setup(void **state)
{
	static const struct configuration configuration = {
		.nr_devices = 2,
		.devices = {
			{ .name = "RW", .type = MEMORY_IMAGE, .size = SIZE, .buffer = 1024, .line = 1 },
			{ .name = "RO", .type = MEMORY_IMAGE, .size = SIZE, .buffer = 1024, .read_only = true, .line = 2 },
		},
	};
	struct diagnostic diagnostic;

	(void)state;
	memset(&fake_dvk, 0, sizeof(fake_dvk));
	memset(&server, 0, sizeof(server));
	memset(memory, 0x55, sizeof(memory));
	memset(expected, 0, sizeof(expected));
	fake_dvk.incarnations[dvk_endpoint_slot(USER)] = 100;
	fake_dvk.incarnations[dvk_endpoint_slot(SYSTEM_CLIENT)] = 200;
	if (driver_init(&server))
		return -1;
	server.endpoint = SERVER;
	server.nr_tasks = DC_TASKS_DEFAULT;
	server.nr_sysprocs = NR_SYS_PROCS;
	return device_table_open(&server.devices, &configuration, "test.cfg", &server.completions, &diagnostic);
}

static int setup_granted(void **state)
{
	int code = setup(state);

	fake_dvk.granted = memory;
	fake_dvk.granted_bytes = sizeof(memory);
	fake_dvk.sealed = true;
	return code;
}

static int teardown(void **state)
{
	(void)state;
	device_table_close(&server.devices);
	completions_destroy(&server.completions);
	return 0;
}

static message request_of(int type, int minor, int count, long position, void *address)
{
	message request = { .m_source = USER, .m_type = type };

	request.DEVICE = minor;
	request.IO_ENDPT = USER;
	request.COUNT = count;
	request.POSITION = position;
	request.ADDRESS = address;
	return request;
}

/* Begins a request and waits for its answer. */
static int handle(const message *request)
{
	fake_dvk.nr_replies = 0;
	driver_begin(&server, request);
	while (fake_dvk.nr_replies == 0) {
		completions_await(&server.completions);
		answer_all_done(&server);
	}
	assert_int_equal(fake_dvk.nr_replies, 1);
	assert_int_equal(fake_dvk.reply_to[0], request->m_source);
	return fake_dvk.replies[0].REP_STATUS;
}

static int ask(int type, int minor, int count, long position, void *address)
{
	const message request = request_of(type, minor, count, position, address);

	return handle(&request);
}

static int ask_batch(int count, void *address)
{
	const message request = request_of(DEV_BATCH, 0, count, 0, address);

	return handle(&request);
}

static int ask_range(int type, long position, long length)
{
	message request = request_of(type, 0, 0, position, NULL);

	request.LENGTH = length;
	return handle(&request);
}

static void open_all(void)
{
	assert_int_equal(ask(DEV_OPEN, 0, 0, 0, NULL), 0);
	assert_int_equal(ask(DEV_OPEN, READ_ONLY, 0, 0, NULL), 0);
}

static void write_pattern(size_t position, size_t length, char seed)
{
	for (size_t i = 0; i < length; i++)
		memory[i] = (char)(i * 7 + (size_t)seed);
	if (position < SIZE)
		memcpy(expected + position, memory, length < SIZE - position ? length : SIZE - position);
}

static void check_image(void)
{
	assert_int_equal(ask(DEV_READ, 0, SIZE, 0, memory), SIZE);
	assert_memory_equal(memory, expected, SIZE);
}

static void test_read_write(void **state)
{
	static const struct {
		size_t position, length;
	} writes[] = { { 0, 1 },	{ 1, 511 },  { 1023, 2 },	{ 1024, 1024 }, { 3000, 5000 },
		       { SIZE - 1, 1 }, { 0, SIZE }, { SIZE - 10, 20 }, { SIZE, 5 },	{ SIZE + 4096, 1 } };

	(void)state;
	open_all();
	for (size_t i = 0; i < sizeof(writes) / sizeof(writes[0]); i++) {
		size_t position = writes[i].position, length = writes[i].length;
		size_t moved = position >= SIZE ? 0 : length < SIZE - position ? length : SIZE - position;

		write_pattern(position, length, (char)i);
		assert_int_equal(ask(i % 2 ? DEV_WRITE_FUA : DEV_WRITE, 0, (int)length, (long)position, memory), moved);
		memset(memory, 0x55, sizeof(memory));
		assert_int_equal(ask(DEV_READ, 0, (int)length, (long)position, memory), moved);
		assert_memory_equal(memory, expected + position, moved);
		assert_int_equal(memory[moved], 0x55);
		check_image();
	}
	assert_int_equal(ask(DEV_READ, 0, 0, 0, memory), 0);
	assert_int_equal(ask(DEV_READ, 0, 10, INT64_MAX, memory), 0);
}

static void test_bad_numbers(void **state)
{
	(void)state;
	open_all();
	assert_int_equal(ask(DEV_READ, 0, -1, 0, memory), EDVSINVAL);
	assert_int_equal(ask(DEV_READ, 0, 1, -1, memory), EDVSINVAL);
	assert_int_equal(ask(DEV_WRITE, 0, 1, INT64_MIN, memory), EDVSINVAL);
	assert_int_equal(ask(DEV_READ, 2, 1, 0, memory), EDVSNXIO);
	assert_int_equal(ask(DEV_READ, -1, 1, 0, memory), EDVSNXIO);
	assert_int_equal(ask(DEV_OPEN, 2, 0, 0, NULL), EDVSNXIO);
	assert_int_equal(ask(CANCEL, 0, 0, 0, NULL), 0);
	assert_int_equal(ask(CANCEL, 9, 0, 0, NULL), EDVSNXIO);
	assert_int_equal(ask(4711, 0, 0, 0, NULL), EDVSBADREQUEST);
	assert_int_equal(ask(DEV_WRITE, READ_ONLY, 1, 0, memory), EDVSROFS);
	assert_int_equal(ask(DEV_READ, READ_ONLY, 1, 0, memory), 1);
}

static void test_bad_memory(void **state)
{
	(void)state;
	open_all();
	assert_int_equal(ask(DEV_READ, 0, 10, 0, NULL), EDVSFAULT);
	assert_int_equal(ask(DEV_READ, 0, 10, 0, (void *)(UINTPTR_MAX - 5)), EDVSFAULT);
	assert_int_equal(ask(DEV_GATHER, 0, 2, 0, (void *)(UINTPTR_MAX - 5)), EDVSFAULT);
	fake_dvk.copy_error = EDVSPROCSTS;
	fake_dvk.granted = NULL;
	assert_int_equal(ask(DEV_WRITE, 0, 10, 0, memory), EDVSPROCSTS);
}

static void test_memory_of_others(void **state)
{
	message request = request_of(DEV_READ, 0, 10, 0, memory);

	(void)state;
	open_all();
	request.IO_ENDPT = SYSTEM_CLIENT;
	assert_int_equal(handle(&request), EDVSPERM);
	assert_int_equal(ask(DEV_CLOSE, 0, 0, 0, NULL), 0);

	request = request_of(DEV_OPEN, 0, 0, 0, NULL);
	request.m_source = SYSTEM_CLIENT;
	assert_int_equal(handle(&request), 0);
	request = request_of(DEV_READ, 0, 10, 0, memory);
	request.m_source = SYSTEM_CLIENT;
	assert_int_equal(handle(&request), 10);
	request.IO_ENDPT = SERVER;
	assert_int_equal(handle(&request), EDVSENDPOINT);
	request.IO_ENDPT = ANY;
	assert_int_equal(handle(&request), EDVSENDPOINT);
	request.IO_ENDPT = -1000;
	assert_int_equal(handle(&request), EDVSENDPOINT);
}

static void test_vectors(void **state)
{
	struct rdisk_iovec *vector = (struct rdisk_iovec *)(memory + 60000 - 60000 % 16);
	uint64_t start = (uintptr_t)memory;

	(void)state;
	open_all();
	write_pattern(100, 3000, 1);
	for (int i = 0; i < 30; i++)
		vector[i] = (struct rdisk_iovec){ start + (uint64_t)i * 100, 100 };
	assert_int_equal(ask(DEV_SCATTER, 0, 30, 100, vector), 3000);
	for (int i = 0; i < 30; i++) {
		assert_int_equal(vector[i].iov_size, 0);
		assert_int_equal(vector[i].iov_addr, start + (uint64_t)i * 100 + 100);
	}
	/* cut at the end of the device, in the second element; an empty one before */
	write_pattern(SIZE - 150, 300, 2);
	vector[0] = (struct rdisk_iovec){ start, 100 };
	vector[1] = (struct rdisk_iovec){ 1, 0 };
	vector[2] = (struct rdisk_iovec){ start + 100, 100 };
	vector[3] = (struct rdisk_iovec){ start + 200, 100 };
	assert_int_equal(ask(DEV_SCATTER_FUA, 0, 4, SIZE - 150, vector), 150);
	assert_int_equal(vector[0].iov_size, 0);
	assert_int_equal(vector[2].iov_size, 50);
	assert_int_equal(vector[2].iov_addr, start + 150);
	assert_int_equal(vector[3].iov_size, 100);
	vector[0] = (struct rdisk_iovec){ start + 500, 7 };
	vector[1] = (struct rdisk_iovec){ start + 400, 7 };
	assert_int_equal(ask(DEV_GATHER, 0, 2, 200, vector), 14);
	assert_memory_equal(memory + 500, expected + 200, 7);
	assert_memory_equal(memory + 400, expected + 207, 7);
	vector[0] = (struct rdisk_iovec){ start, 7 };
	assert_int_equal(ask(DEV_GATHER, 0, 1, SIZE, vector), 0);
	assert_int_equal(vector[0].iov_size, 7);
	check_image();
}

static void test_bad_vectors(void **state)
{
	static struct rdisk_iovec vector[RDISK_VECTOR_MAX + 1];

	(void)state;
	open_all();
	for (int i = 0; i <= RDISK_VECTOR_MAX; i++)
		vector[i] = (struct rdisk_iovec){ (uintptr_t)memory, 1 };
	assert_int_equal(ask(DEV_GATHER, 0, 0, 0, vector), EDVSINVAL);
	assert_int_equal(ask(DEV_GATHER, 0, -1, 0, vector), EDVSINVAL);
	assert_int_equal(ask(DEV_GATHER, 0, RDISK_VECTOR_MAX + 1, 0, vector), EDVS2BIG);
	assert_int_equal(ask(DEV_GATHER, 0, RDISK_VECTOR_MAX, 0, vector), RDISK_VECTOR_MAX);
	assert_int_equal(ask(DEV_SCATTER, READ_ONLY, 1, 0, vector), EDVSROFS);
	assert_int_equal(ask(DEV_GATHER, 0, 1, 0, NULL), EDVSFAULT);
	vector[0].iov_size = UINT64_MAX;
	vector[1].iov_size = 1;
	assert_int_equal(ask(DEV_GATHER, 0, 2, 0, vector), EDVSINVAL);
	vector[0].iov_size = (uint64_t)INT32_MAX + 1;
	assert_int_equal(ask(DEV_GATHER, 0, 1, 0, vector), EDVSINVAL);
}

static void test_ranges(void **state)
{
	(void)state;
	open_all();
	write_pattern(0, SIZE, 3);
	assert_int_equal(ask(DEV_WRITE, 0, SIZE, 0, memory), SIZE);
	assert_int_equal(ask_range(DEV_WRITE_ZEROES, 100, 9000), 0);
	memset(expected + 100, 0, 9000);
	assert_int_equal(ask_range(DEV_DISCARD, SIZE - 5, 5), 0);
	memset(expected + SIZE - 5, 0, 5);
	check_image();
	assert_int_equal(ask_range(DEV_WRITE_ZEROES, SIZE, 0), 0);
	assert_int_equal(ask_range(DEV_WRITE_ZEROES, SIZE - 5, 6), EDVSINVAL);
	assert_int_equal(ask_range(DEV_DISCARD, SIZE + 1, 0), EDVSINVAL);
	assert_int_equal(ask_range(DEV_DISCARD, 1, INT64_MAX), EDVSINVAL);
	assert_int_equal(ask_range(DEV_DISCARD, -1, 1), EDVSINVAL);
	assert_int_equal(ask_range(DEV_WRITE_ZEROES, 0, -1), EDVSINVAL);
	assert_int_equal(ask(DEV_DISCARD, READ_ONLY, 0, 0, NULL), EDVSROFS);
	assert_int_equal(ask(DEV_FLUSH, 0, 0, 0, NULL), 0);
	assert_int_equal(ask(DEV_FLUSH, READ_ONLY, 0, 0, NULL), 0);
	assert_int_equal(ask(DEV_CLOSE, 0, 0, 0, NULL), 0);
	assert_int_equal(ask(DEV_FLUSH, 0, 0, 0, NULL), EDVSNXIO);
	assert_int_equal(ask_range(DEV_DISCARD, 0, 1), EDVSNXIO);
}

static void test_ioctl(void **state)
{
	struct rdisk_info *info = (struct rdisk_info *)memory;
	struct rdisk_partition *partition = (struct rdisk_partition *)memory;

	(void)state;
	assert_int_equal(ask(DEV_IOCTL, READ_ONLY, RDISK_IOC_INFO, 0, info), 0);
	assert_int_equal(info->size_of, sizeof(*info));
	assert_int_equal(info->minor, READ_ONLY);
	assert_int_equal(ask(DEV_IOCTL, 0, DIOCGETP, 0, partition), 0);
	assert_int_equal(partition->size, SIZE);
	assert_int_equal(ask(DEV_IOCTL, 0, 1, 0, memory), EDVSNOTTY);
	assert_int_equal(ask(DEV_IOCTL, 0, RDISK_IOC_INFO, 0, NULL), EDVSFAULT);
	assert_int_equal(ask(DEV_IOCTL, 7, RDISK_IOC_INFO, 0, memory), EDVSNXIO);
}

static void test_batch(void **state)
{
	enum {
		WRITE,
		READ,
		BAD_OPERATION,
		BAD_MINOR,
		READ_ONLY_DEVICE,
		BAD_SUM,
		BAD_FLAGS,
		NO_SEGMENT,
		MANY_SEGMENTS,
		BAD_VECTOR,
		FAR,
		BAD_RANGE,
		ZEROES,
		FLUSH,
		RESERVED,
		COUNT_OF_REQUESTS
	};
	struct rdisk_request *batch = (struct rdisk_request *)(memory + 32768);
	struct rdisk_iovec *vector = (struct rdisk_iovec *)(memory + 49152);
	struct rdisk_request base = { .operation = RDISK_OP_WRITE,
				      .nr_segments = 2,
				      .position = 1000,
				      .length = 300,
				      .vector = (uintptr_t)vector,
				      .cookie = 77,
				      .result = RDISK_RESULT_NONE };

	(void)state;
	open_all();
	write_pattern(1000, 300, 4);
	vector[0] = (struct rdisk_iovec){ (uintptr_t)memory, 100 };
	vector[1] = (struct rdisk_iovec){ (uintptr_t)memory + 100, 200 };
	for (int i = 0; i < COUNT_OF_REQUESTS; i++)
		batch[i] = base;
	batch[WRITE].flags = RDISK_REQUEST_FUA;
	batch[READ].operation = RDISK_OP_READ;
	batch[BAD_OPERATION].operation = 99;
	batch[BAD_MINOR].minor = 2;
	batch[READ_ONLY_DEVICE].minor = READ_ONLY;
	batch[BAD_SUM].length = 299;
	batch[BAD_FLAGS].flags = RDISK_REQUEST_WAIT;
	batch[NO_SEGMENT].nr_segments = 0;
	batch[MANY_SEGMENTS].nr_segments = RDISK_VECTOR_MAX + 1;
	batch[BAD_VECTOR].vector = UINT64_MAX - 3;
	batch[FAR].position = (uint64_t)INT64_MAX + 1;
	batch[BAD_RANGE].operation = RDISK_OP_DISCARD;
	batch[BAD_RANGE].position = SIZE;
	batch[ZEROES].operation = RDISK_OP_WRITE_ZEROES;
	batch[ZEROES].position = 5000;
	batch[FLUSH].operation = RDISK_OP_FLUSH;
	batch[RESERVED].reserved = 1;
	assert_int_equal(ask_batch(COUNT_OF_REQUESTS, batch), COUNT_OF_REQUESTS);
	assert_int_equal(batch[WRITE].result, 300);
	assert_int_equal(batch[READ].result, 300);
	assert_int_equal(batch[BAD_OPERATION].result, EDVSBADREQUEST);
	assert_int_equal(batch[BAD_MINOR].result, EDVSNXIO);
	assert_int_equal(batch[READ_ONLY_DEVICE].result, EDVSROFS);
	assert_int_equal(batch[BAD_SUM].result, EDVSINVAL);
	assert_int_equal(batch[BAD_FLAGS].result, EDVSINVAL);
	assert_int_equal(batch[NO_SEGMENT].result, EDVSINVAL);
	assert_int_equal(batch[MANY_SEGMENTS].result, EDVS2BIG);
	assert_int_equal(batch[BAD_VECTOR].result, EDVSFAULT);
	assert_int_equal(batch[FAR].result, EDVSINVAL);
	assert_int_equal(batch[BAD_RANGE].result, EDVSINVAL);
	assert_int_equal(batch[ZEROES].result, 0);
	assert_int_equal(batch[FLUSH].result, 0);
	assert_int_equal(batch[RESERVED].result, EDVSINVAL);
	assert_int_equal(batch[WRITE].cookie, 77);
	assert_int_equal(vector[0].iov_size, 100);
	assert_int_equal(ask_batch(0, batch), EDVSINVAL);
	assert_int_equal(ask_batch(RDISK_BATCH_MAX + 1, batch), EDVS2BIG);
	assert_int_equal(ask_batch(1, NULL), EDVSFAULT);
	check_image();
}

static void test_granted_memory_is_not_copied(void **state)
{
	(void)state;
	open_all();
	assert_int_equal(ask(DEV_WRITE, 0, 8192, 0, memory), 8192);
	assert_int_equal(fake_dvk.copies, 0);
	/* What is not sealed is never loaded from or stored to, but still used by system calls. */
	fake_dvk.sealed = false;
	assert_int_equal(ask(DEV_READ, 0, 8192, 0, memory), 8192);
	assert_int_equal(fake_dvk.copies, 0);
	assert_int_equal(ask(DEV_IOCTL, 0, RDISK_IOC_INFO, 0, memory), 0);
	assert_int_equal(fake_dvk.copies, 1);
}

static void test_loop(void **state)
{
	message inbox[4];

	(void)state;
	inbox[0] = request_of(DEV_OPEN, 0, 0, 0, NULL);
	inbox[1] = (message){ .m_source = SYSTEM_CLIENT, .m_type = NOTIFY_FROM(SYSTEM_CLIENT) };
	inbox[2] = request_of(DEV_READ, 0, 16, 0, memory);
	/* a request that only looks like a notification is answered */
	inbox[3] = (message){ .m_source = SYSTEM_CLIENT, .m_type = NOTIFY_FROM(SYSTEM_CLIENT) };
	fake_dvk.inbox = inbox;
	fake_dvk.inbox_length = 4;
	fake_dvk.notification = &inbox[1];
	fake_dvk.receive_error = EDVSDVSINIT;
	assert_int_equal(driver_task(&server), EDVSDVSINIT);
	assert_int_equal(fake_dvk.nr_replies, 3);
	assert_int_equal(fake_dvk.reply_to[2], SYSTEM_CLIENT);
	assert_int_equal(fake_dvk.replies[2].REP_STATUS, EDVSBADREQUEST);
	assert_int_equal(fake_dvk.reply_to[1], USER);
	assert_int_equal(fake_dvk.replies[1].m_type, MOLTASK_REPLY);
	assert_int_equal(fake_dvk.replies[1].REP_ENDPT, USER);
	assert_int_equal(fake_dvk.replies[1].REP_STATUS, 16);
}

#define COPIED(test)                                                                                                   \
	{                                                                                                              \
#test " (copied)", test, setup, teardown, NULL                                                         \
	}
#define GRANTED(test)                                                                                                  \
	{                                                                                                              \
#test " (granted)", test, setup_granted, teardown, NULL                                                \
	}

int main(void)
{
	const struct CMUnitTest tests[] = {
		COPIED(test_read_write),
		GRANTED(test_read_write),
		COPIED(test_bad_numbers),
		GRANTED(test_bad_numbers),
		COPIED(test_bad_memory),
		GRANTED(test_bad_memory),
		COPIED(test_memory_of_others),
		COPIED(test_vectors),
		GRANTED(test_vectors),
		COPIED(test_bad_vectors),
		GRANTED(test_bad_vectors),
		COPIED(test_ranges),
		COPIED(test_ioctl),
		GRANTED(test_ioctl),
		COPIED(test_batch),
		GRANTED(test_batch),
		GRANTED(test_granted_memory_is_not_copied),
		COPIED(test_loop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
