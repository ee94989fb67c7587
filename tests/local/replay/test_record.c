/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rdisk --record: what clients ask of a real server is in the recording, in all the forms that requests have; also when
 * the server is killed.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "dvk.h"
#include "test_disk.h"
#include "test_server.h"
#include "trace.h"

#define ELEMENTS(a)  ((int)(sizeof(a) / sizeof((a)[0])))
#define DEVICES	     ELEMENTS(devices)
#define OPERATIONS   32
#define REQUESTS_MAX 100000

static const struct test_device devices[] = {
	{ .name = "MEMORY", .type = "MEMORY_IMAGE", .size = "1M" },
	{ .name = "FILE", .file = "disk.img", .size = "1M" },
};

static struct test_server server;
static char path[TEST_PATH_SIZE];
static char buffer[65536];

static struct trace_operation operations[OPERATIONS];
static int count; /* of all, also beyond the array */
static uint64_t left_out;
static char report[1024];
static struct diagnostic diagnostic;

static void start(void)
{
	const char *arguments[] = { RDISK_PROGRAM, "-d", "0", "-c", server.config, "--record", path, NULL };

	test_runtime_new();
	test_path(path, "recording");
	unlink(path);
	test_server_config(server.config, "rdisk.cfg", devices, DEVICES);
	test_process_start(&server.process, arguments, NULL);
	if (!test_process_wait_log(&server.process, "ready", TEST_TIMEOUT_MS))
		fail_msg("rdisk did not get ready: %s", server.process.log.text);
}

static int discard(void **state)
{
	(void)state;
	if (server.process.pid)
		test_process_discard(&server.process);
	(void)dvk_close();
	return 0;
}

static void note_broken(void *context, const char *text)
{
	(void)context;
	snprintf(report, sizeof(report), "%s", text);
}

static void read_recording(void)
{
	const struct trace_options options = { .device = -1, .wake = -1, .broken = note_broken };
	struct trace_operation operation;
	struct trace_reader *reader;
	int got;

	count = 0;
	report[0] = '\0';
	if (trace_reader_open(&reader, path, &options, &diagnostic))
		fail_msg("%s", diagnostic.text);
	assert_string_equal(trace_reader_format(reader), "rdisk");
	while ((got = trace_reader_next(reader, &operation, &diagnostic)) > 0) {
		if (count < OPERATIONS)
			operations[count] = operation;
		count++;
	}
	left_out = trace_reader_left_out(reader);
	trace_reader_close(reader);
	assert_int_equal(got, 0);
}

static void assert_operation(int number, uint32_t device, enum trace_kind kind, uint64_t position, uint64_t length,
			     unsigned int flags)
{
	const struct trace_operation *got = &operations[number];

	if (got->device != device || got->kind != kind || got->position != position || got->length != length ||
	    got->flags != flags)
		fail_msg("operation %d is %s of %llu at %llu, device %u, flags %u", number, trace_kind_name(got->kind),
			 (unsigned long long)got->length, (unsigned long long)got->position, got->device, got->flags);
	assert_true(got->latency_ns < UINT64_C(60000000000));
	assert_true(number == 0 || got->time_ns >= operations[number - 1].time_ns);
}

static void run_vectors(struct test_disk *disk)
{
	struct rdisk_iovec vector[2] = { { test_address(buffer), 512 }, { test_address(buffer + 4096), 1024 } };

	assert_int_equal(test_disk_scatter(disk, 20480, vector, 2), 1536);
	vector[0] = (struct rdisk_iovec){ test_address(buffer), 100 };
	assert_int_equal(test_disk_gather(disk, 20000, vector, 1), 100);
}

/* Of a device that does not wait for a disk: requests are finished in their order. */
static void run_batch(struct test_disk *disk)
{
	struct rdisk_iovec vector = { test_address(buffer), 8192 };
	struct rdisk_request batch[] = {
		{ .operation = RDISK_OP_WRITE,
		  .flags = RDISK_REQUEST_FUA,
		  .minor = 0,
		  .nr_segments = 1,
		  .position = 65536,
		  .length = 8192,
		  .vector = test_address(&vector) },
		{ .operation = RDISK_OP_READ, .minor = 0, .nr_segments = 1, .position = 65536, .length = 5 }, /* bad */
		{ .operation = RDISK_OP_WRITE_ZEROES, .minor = 0, .position = 4096, .length = 4096 },
		{ .operation = RDISK_OP_FLUSH, .minor = 0 },
	};

	assert_int_equal(test_disk_batch(disk, batch, ELEMENTS(batch)), ELEMENTS(batch));
	assert_true(batch[1].result < 0);
}

static void test_all_forms(void **state)
{
	struct test_disk memory, file;
	int self;

	(void)state;
	start();
	self = test_bind(ANY);
	memory = test_disk(self, 0);
	file = test_disk(self, 1);
	assert_int_equal(test_disk_open(&memory, 0), 0);
	assert_int_equal(test_disk_open(&file, 0), 0);
	assert_int_equal(test_disk_write(&memory, 1000, buffer, 3000), 3000);
	assert_int_equal(test_disk_read(&memory, 0, buffer, 512), 512);
	assert_int_equal(test_disk_read(&file, 1 << 20, buffer, 512), 0); /* at its end: asked for, nothing moved */
	assert_int_equal(test_disk_request(&file, DEV_WRITE_FUA, 4096, 8192, 0, buffer), 4096);
	run_vectors(&file);
	assert_int_equal(test_disk_flush(&file), 0);
	assert_int_equal(test_disk_discard(&file, 512, 1024), 0);
	assert_true(test_disk_discard(&file, 1 << 20, 1024) < 0);
	run_batch(&memory);
	(void)dvk_close();
	assert_int_equal(test_server_stop(&server), 0);
	assert_non_null(strstr(server.process.log.text, "13 operations, 0 lost"));
	read_recording();
	assert_string_equal(report, "");
	assert_int_equal(left_out, 2); /* those that failed */
	assert_int_equal(count, 11);
	assert_operation(0, 0, TRACE_WRITE, 1000, 3000, 0);
	assert_operation(1, 0, TRACE_READ, 0, 512, 0);
	assert_operation(2, 1, TRACE_READ, 1 << 20, 512, 0);
	assert_operation(3, 1, TRACE_WRITE, 8192, 4096, TRACE_FUA);
	assert_operation(4, 1, TRACE_WRITE, 20480, 1536, 0);
	assert_operation(5, 1, TRACE_READ, 20000, 100, 0);
	assert_operation(6, 1, TRACE_FLUSH, 0, 0, 0);
	assert_operation(7, 1, TRACE_DISCARD, 512, 1024, 0);
	assert_operation(8, 0, TRACE_WRITE, 65536, 8192, TRACE_FUA);
	assert_operation(9, 0, TRACE_WRITE_ZEROES, 4096, 4096, 0);
	assert_operation(10, 0, TRACE_FLUSH, 0, 0, 0);
}

/* A recording is never written over: the server does not start. */
static void test_refused(void **state)
{
	const char *arguments[] = { RDISK_PROGRAM, "-d", "0", "-c", server.config, "--record", path, NULL };

	(void)state;
	start();
	assert_int_equal(test_server_stop(&server), 0);
	test_process_start(&server.process, arguments, NULL);
	assert_true(test_process_wait_end(&server.process, TEST_TIMEOUT_MS));
	assert_int_equal(test_process_exit_code(&server.process), 1);
	assert_non_null(strstr(server.process.log.text, "there is such a file; remove it or name another one"));
	server.process.pid = 0;
	read_recording();
	assert_int_equal(count, 0);
}

static long file_size(void)
{
	FILE *file = fopen(path, "r");
	long size;

	assert_non_null(file);
	assert_int_equal(fseek(file, 0, SEEK_END), 0);
	size = ftell(file);
	fclose(file);
	return size;
}

/* Killed: what the file holds by then can be read, and that the end is missing is told. */
static void test_killed(void **state)
{
	struct test_disk disk;
	long empty;
	int requests = 0;

	(void)state;
	start();
	empty = file_size();
	disk = test_disk(test_bind(ANY), 0);
	assert_int_equal(test_disk_open(&disk, 0), 0);
	/* until the first records are in the file */
	while (file_size() == empty && requests < REQUESTS_MAX) {
		assert_int_equal(test_disk_write(&disk, 0, buffer, 512), 512);
		requests++;
	}
	assert_true(requests < REQUESTS_MAX);
	test_process_stop(&server.process, SIGKILL);
	(void)dvk_close();
	read_recording();
	assert_in_range(count, 1, requests);
	assert_non_null(strstr(report, "what the server did last is missing"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_all_forms, discard),
		cmocka_unit_test_teardown(test_refused, discard),
		cmocka_unit_test_teardown(test_killed, discard),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
