/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The server's recording, from noting a request to reading it as a trace: what was noted is there, what was lost or cut
 * off is told, and a file that cannot be written ends the recording alone.
 */
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "dvk_errno.h"
#include "rdisk_recording.h"
#include "recording.h"
#include "trace_test.h"

#define ELEMENTS(a)   ((int)(sizeof(a) / sizeof((a)[0])))
#define RING	      65536 /* recording.c */
#define PIPE_BYTES    4096
#define THREADS	      4
#define OF_EACH	      5000
#define HEADER_LENGTH (sizeof(struct recording_header) + 2 * sizeof(struct recording_device))

static struct trace_test test;
static struct device_table devices;
static char path[TEST_PATH_SIZE];

static const struct recording_request requests[] = {
	{ .client = 30, .minor = 0, .operation = RDISK_OP_READ, .position = 4096, .length = 8192, .result = 8192 },
	{ .client = 31,
	  .minor = 1,
	  .operation = RDISK_OP_WRITE,
	  .stable = true,
	  .position = INT64_MAX - 511,
	  .length = 511,
	  .result = 511 },
	{ .client = 30, .minor = 0, .operation = RDISK_OP_FLUSH },
	{ .client = 30, .minor = 0, .operation = RDISK_OP_WRITE, .length = 512, .result = EDVSIO },
	{ .client = 30, .minor = 0, .operation = RDISK_OP_DISCARD, .position = 512, .length = 1ull << 33 },
	{ .client = 30, .minor = 0, .operation = RDISK_OP_WRITE_ZEROES, .position = 512, .length = 1024 },
};

static const struct trace_operation operations[] = {
	/* of these; times and latencies are looked at apart */
	{ .position = 4096, .length = 8192, .device = 0, .kind = TRACE_READ },
	{ .position = INT64_MAX - 511, .length = 511, .device = 1, .kind = TRACE_WRITE, .flags = TRACE_FUA },
	{ .kind = TRACE_FLUSH },
	{ .position = 512, .length = 1ull << 33, .kind = TRACE_DISCARD },
	{ .position = 512, .length = 1024, .kind = TRACE_WRITE_ZEROES },
};

static struct recording *begin(void)
{
	struct diagnostic diagnostic = { "" };
	struct recording *recording;

	test_path(path, "recording");
	unlink(path);
	if (recording_open(&recording, path, &devices, 3, &diagnostic))
		fail_msg("%s", diagnostic.text);
	return recording;
}

static void note_all(struct recording *recording)
{
	for (int i = 0; i < ELEMENTS(requests); i++) {
		struct recording_request request = requests[i];

		request.started_ns = recording_now();
		recording_note(recording, &request);
	}
}

static void read_back(const char *format)
{
	struct trace_options options = trace_test_options(format);

	trace_test_read(&test, path, &options);
}

static void assert_recorded(void)
{
	if (test.failed)
		fail_msg("%s", test.error.text);
	assert_int_equal(test.count, ELEMENTS(operations));
	for (int i = 0; i < ELEMENTS(operations); i++) {
		struct trace_operation got = test.operations[i];

		assert_true(got.latency_ns < UINT64_C(60000000000));
		got.time_ns = 0;
		got.latency_ns = 0;
		trace_test_assert_operation(&got, &operations[i], i);
	}
	assert_int_equal(test.left_out, 1); /* the one that failed */
}

static void test_recorded(void **state)
{
	struct recording *recording = begin();
	struct stat status;

	(void)state;
	note_all(recording);
	recording_close(recording);
	read_back(NULL);
	assert_string_equal(test.format, "rdisk");
	assert_recorded();
	assert_string_equal(test.report, "");
	assert_int_equal(stat(path, &status), 0);
	assert_int_equal(status.st_size, HEADER_LENGTH + (ELEMENTS(requests) + 1) * sizeof(struct recording_record));
}

static void test_nothing(void **state)
{
	(void)state;
	recording_note(NULL, &requests[0]);
	recording_close(NULL);
	recording_close(begin());
	read_back(NULL);
	assert_int_equal(test.count, 0);
	assert_false(test.failed);
	assert_string_equal(test.report, "");
}

static void test_header(void **state)
{
	struct recording_header header;
	struct recording_device device[2];
	FILE *file;

	(void)state;
	recording_close(begin());
	file = fopen(path, "r");
	assert_non_null(file);
	assert_int_equal(fread(&header, sizeof(header), 1, file), 1);
	assert_int_equal(fread(device, sizeof(device), 1, file), 1);
	fclose(file);
	assert_memory_equal(header.magic, "RDISKREC", 8);
	assert_int_equal(header.version, 1);
	assert_int_equal(header.nr_devices, 2);
	assert_int_equal(header.instance, 77);
	assert_int_equal(header.dcid, 5);
	assert_int_equal(header.endpoint, 3);
	assert_string_equal(device[1].name, "SECOND");
	assert_int_equal(device[1].minor, 1);
	assert_int_equal(device[1].size, 1 << 20);
	assert_int_equal(device[1].flags & RDISK_INFO_READ_ONLY, RDISK_INFO_READ_ONLY);
}

/* What was not known of a device when it began is there when there are operations on it. */
static void test_size_known_later(void **state)
{
	struct recording_device device[2];
	struct recording *recording;
	FILE *file;

	(void)state;
	devices.devices[1].size = 0;
	recording = begin();
	devices.devices[1].size = 1 << 20;
	recording_describe(recording, &devices);
	recording_describe(NULL, &devices);
	note_all(recording);
	recording_close(recording);
	file = fopen(path, "r");
	assert_non_null(file);
	assert_int_equal(fseek(file, sizeof(struct recording_header), SEEK_SET), 0);
	assert_int_equal(fread(device, sizeof(device), 1, file), 1);
	fclose(file);
	assert_int_equal(device[1].size, 1 << 20);
	assert_string_equal(device[1].name, "SECOND");
	read_back(NULL);
	assert_recorded();
}

/* Another recording's file, or any other, is not written over. */
static void test_refused(void **state)
{
	struct diagnostic diagnostic = { "" };
	struct recording *recording;

	(void)state;
	recording_close(begin());
	assert_int_equal(recording_open(&recording, path, &devices, 3, &diagnostic), -1);
	assert_non_null(strstr(diagnostic.text, "there is such a file"));
	assert_null(recording);
	assert_int_equal(recording_open(&recording, "/nonexistent/file", &devices, 3, &diagnostic), -1);
	assert_non_null(strstr(diagnostic.text, "No such file"));
}

/* The server died: all records that are whole are there, and that there is no end is told. */
static void test_cut(void **state)
{
	struct recording *recording = begin();
	struct stat status;

	(void)state;
	note_all(recording);
	recording_close(recording);
	assert_int_equal(stat(path, &status), 0);
	assert_int_equal(truncate(path, status.st_size - (off_t)sizeof(struct recording_record)), 0);
	read_back(NULL);
	assert_recorded();
	assert_int_equal(test.broken, 1);
	assert_non_null(strstr(test.report, "record 7: the recording has no end"));
	assert_int_equal(truncate(path, status.st_size - 1), 0);
	read_back(NULL);
	assert_recorded();
	assert_int_equal(test.broken, 1);
	assert_non_null(strstr(test.report, "record 7: the recording ends within a record"));
	assert_int_equal(truncate(path, HEADER_LENGTH - 1), 0);
	read_back(NULL);
	assert_true(test.failed);
	assert_non_null(strstr(test.error.text, "ends within the recording's header"));
}

static void set_byte(off_t place, unsigned char value)
{
	int fd = open(path, O_WRONLY);

	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, &value, 1, place), 1);
	close(fd);
}

static void test_damaged(void **state)
{
	static const struct {
		off_t place;
		unsigned char value;
		const char *cause;
	} damages[] = {
		{ offsetof(struct recording_header, magic), 'X', "is not a recording" },
		{ offsetof(struct recording_header, byte_order), 9, "the header is damaged (byte order" },
		{ offsetof(struct recording_header, version), 2, "version 2, only 1 can be read" },
		{ offsetof(struct recording_header, header_size) + 3, 1, "the header is damaged (sizes" },
		{ offsetof(struct recording_header, record_size), 8, "the header is damaged (sizes" },
		{ offsetof(struct recording_header, nr_devices) + 2, 1, "the header is damaged (sizes" },
		{ offsetof(struct recording_header, nr_devices), 9, "ends within the recording's header" },
	};

	(void)state;
	for (int i = 0; i < ELEMENTS(damages); i++) {
		recording_close(begin());
		set_byte(damages[i].place, damages[i].value);
		read_back("rdisk");
		assert_true(test.failed);
		if (!strstr(test.error.text, damages[i].cause))
			fail_msg("\"%s\" does not tell of \"%s\"", test.error.text, damages[i].cause);
	}
	/* a record's operation: this one is broken, the others are not; a type of the future is read over */
	struct recording *recording = begin();
	note_all(recording);
	recording_close(recording);
	set_byte(HEADER_LENGTH + offsetof(struct recording_record, operation), 99);
	set_byte(HEADER_LENGTH + 2 * sizeof(struct recording_record) + offsetof(struct recording_record, type), 99);
	read_back("rdisk");
	assert_int_equal(test.count, ELEMENTS(operations) - 2);
	assert_int_equal(test.broken, 1);
	assert_non_null(strstr(test.report, "record 1: unknown operation 99"));
}

/* Reads a pipe to its end into the recording's file. */
static void *drain(void *argument)
{
	int from = *(int *)argument;
	int to = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	char bytes[65536];
	ssize_t got;

	while ((got = read(from, bytes, sizeof(bytes))) > 0) {
		if (write(to, bytes, (size_t)got) != got)
			abort();
	}
	close(to);
	return NULL;
}

/*
 * A disk that takes nothing: noting never waits for it, and what finds no room is counted and told where it is
 * missing.
 */
static void test_gap(void **state)
{
	struct diagnostic diagnostic = { "" };
	struct recording *recording;
	struct recording_request request = requests[0];
	pthread_t thread;
	uint64_t lost = 0;
	int ends[2];

	(void)state;
	test_path(path, "recording");
	assert_int_equal(pipe(ends), 0);
	assert_true(fcntl(ends[1], F_SETPIPE_SZ, PIPE_BYTES) >= 0);
	assert_int_equal(recording_start(&recording, ends[1], "pipe", &devices, 3, &diagnostic), 0);
	for (int i = 0; i < RING + 1000; i++) {
		request.started_ns = recording_now();
		recording_note(recording, &request);
	}
	assert_int_equal(pthread_create(&thread, NULL, drain, &ends[0]), 0);
	recording_close(recording);
	pthread_join(thread, NULL);
	close(ends[0]);
	read_back(NULL);
	assert_false(test.failed);
	assert_int_equal(test.broken, 0);
	for (const char *at = strstr(test.report, "record "); at; at = strstr(at + 1, "record ")) {
		assert_non_null(strstr(at, "operations are missing here: the recorder could not keep up"));
		lost += strtoull(strchr(at, ':') + 1, NULL, 10);
	}
	assert_true(lost >= 1000 - (PIPE_BYTES / sizeof(struct recording_record)));
	assert_int_equal((uint64_t)test.count + lost, RING + 1000);
	assert_int_equal(test.missing, lost);
}

static void *note_many(void *argument)
{
	struct recording_request request = requests[0];

	for (int i = 0; i < OF_EACH; i++) {
		request.started_ns = recording_now();
		request.position = (uint64_t)i * 512;
		recording_note(argument, &request);
	}
	return NULL;
}

static void test_threads(void **state)
{
	struct recording *recording = begin();
	pthread_t threads[THREADS];

	(void)state;
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, note_many, recording), 0);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	recording_close(recording);
	read_back(NULL);
	assert_int_equal(test.broken, 0);
	assert_int_equal(test.count, THREADS * OF_EACH); /* fewer than the ring holds */
}

/* No room on the disk: the recording ends with all records that fit, whole, and noting goes on doing nothing. */
static void test_full(void **state)
{
	const size_t room = HEADER_LENGTH + 3 * sizeof(struct recording_record) + 10;
	const struct rlimit small = { room, RLIM_INFINITY };
	struct recording *recording = begin();
	struct rlimit before;
	struct stat status;

	(void)state;
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	note_all(recording);
	recording_close(recording);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	assert_int_equal(stat(path, &status), 0);
	assert_int_equal(status.st_size, HEADER_LENGTH + 3 * sizeof(struct recording_record));
	read_back(NULL);
	assert_false(test.failed);
	assert_int_equal(test.count, 3);
	assert_non_null(strstr(test.report, "the recording has no end"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_recorded), cmocka_unit_test(test_nothing),
		cmocka_unit_test(test_header),	 cmocka_unit_test(test_size_known_later),
		cmocka_unit_test(test_refused),	 cmocka_unit_test(test_cut),
		cmocka_unit_test(test_damaged),	 cmocka_unit_test(test_gap),
		cmocka_unit_test(test_threads),	 cmocka_unit_test(test_full),
	};

	devices = (struct device_table){ .instance = 77, .dcid = 5, .nr_devices = 2 };
	strcpy(devices.devices[0].name, "FIRST");
	strcpy(devices.devices[1].name, "SECOND");
	devices.devices[1].size = 1 << 20;
	devices.devices[1].read_only = true;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
