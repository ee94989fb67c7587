/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Traces that are not as they should be: each broken line is told by name and left out, what is around it is not.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <zlib.h>

#include "trace_test.h"

#define ELEMENTS(a) ((int)(sizeof(a) / sizeof((a)[0])))

static struct trace_test test;

struct format_lines {
	const char *format;
	const char *start; /* of the trace */
	const char *good;  /* a line with one operation */
	struct {
		const char *line;
		const char *cause;
	} broken[16];
};

#define DRIVER_LINE(type, length, offset)                                                                              \
	"DEBUG rdisk_rw:1: source=4 type=" type " m2i1=0 m2i2=30 m2i3=" length " m2l1=" offset " m2l2=0 m2p1=1"

static const struct format_lines formats[] = {
	{ "blkreplay",
	  "some words\n",
	  "1.0 ; 8 ; 8 ; R ; 0.0 ; 0.0",
	  {
		  { "x ; 8 ; 8 ; R", "not a row" },
		  { "1.0 ; 8 ; 8", "3 of at least 4 columns" },
		  { "-1.0 ; 8 ; 8 ; R", "time \"-1.0\"" },
		  { "1e9 ; 8 ; 8 ; R", "time \"1e9\"" },
		  { "1,0 ; 8 ; 8 ; R", "time \"1,0\"" },
		  { "18446744074.0 ; 8 ; 8 ; R", "too large" },
		  { "1.0 ; nan ; 8 ; R", "sector \"nan\"" },
		  { "1.0 ; -8 ; 8 ; R", "sector \"-8\"" },
		  { "1.0 ; 36028797018963968 ; 8 ; R", "too large" },
		  { "1.0 ; 99999999999999999999999999 ; 8 ; R", "not a number from 0" },
		  { "1.0 ; 18014398509481984 ; 8 ; R", "beyond 2^63" },
		  { "1.0 ; 8 ; 0 ; R", "length is 0" },
		  { "1.0 ; 8 ; 2097153 ; R", "more than 1073741824" },
		  { "1.0 ; 8 ; 8 ; X", "neither R nor W" },
		  { "1.0 ; 8 ; 8 ; R ; 0.0 ; inf", "replay duration" },
	  } },
	{ "fio-2",
	  "fio version 2 iolog\n",
	  "f read 0 512",
	  {
		  { "f", "FILE ACTION" },
		  { "f read 0", "FILE ACTION" },
		  { "f read 0 512 1", "FILE ACTION" },
		  { "f read", "read without" },
		  { "f erase 0 512", "unknown action \"erase\"" },
		  { "f read x 512", "offset \"x\"" },
		  { "f read 0 0x200", "length \"0x200\"" },
		  { "f read 0 0", "length is 0" },
		  { "f trim 9223372036854775807 1", "beyond 2^63" },
		  { "f trim 18446744073709551615 1", "beyond 2^63" },
		  { "f wait -5 0", "wait \"-5\"" },
	  } },
	{ "fio-3",
	  "fio version 3 iolog\n",
	  "0 f read 0 512",
	  {
		  { "f read 0 512", "time \"f\"" },
		  { "5", "FILE ACTION" },
		  { "5 f wait 100 0", "no wait in version 3" },
		  { "18446744073709552 f read 0 512", "time" },
	  } },
	{ "blkparse",
	  "",
	  "  8,0    1        1     0.000000000  1234  Q   W 8 + 8 [x]",
	  {
		  { "8,0 1 1 0.0 1", "5 of at least 6 columns" },
		  { "8 1 1 0.0 1 Q W 8 + 8 [x]", "not a device" },
		  { "8,x 1 1 0.0 1 Q W 8 + 8 [x]", "not a device" },
		  { "8,0 1 1 0.0.0 1 Q W 8 + 8 [x]", "time \"0.0.0\"" },
		  { "8,0 1 1 0.0 1 Q", "what a request does" },
		  { "8,0 1 1 0.0 1 Q w 8 + 8 [x]", "what a request does" },
		  { "8,0 1 1 0.0 1 Q W? 8 + 8 [x]", "what a request does" },
		  { "8,0 1 1 0.0 1 Q W", "without \"SECTOR + SECTORS\"" },
		  { "8,0 1 1 0.0 1 Q W 8 - 8 [x]", "without \"SECTOR + SECTORS\"" },
		  { "8,0 1 1 0.0 1 Q W x + 8 [x]", "sector \"x\"" },
		  { "8,0 1 1 0.0 1 Q W 8 + 36028797018963969 [x]", "too large" },
		  { "8,0 1 1 0.0 1 Q W 36028797018963969 + 8 [x]", "too large" },
		  { "8,0 1 1 0.0 1 C W 8 + x [0]", "number of sectors \"x\"" },
	  } },
	{ "msr",
	  "",
	  "128166372003061629,hm,0,Read,0,512,1",
	  {
		  { "128166372003061629,hm,0,Read,0,512", "6 columns" },
		  { "128166372003061629,hm,0,Read,0,512,1,1", "8 columns" },
		  { "184467440737095517,hm,0,Read,0,512,1", "too large" },
		  { "1,hm,4294967296,Read,0,512,1", "disk number" },
		  { "1,hm,0,Trim,0,512,1", "neither Read nor Write" },
		  { "1,hm,0,Read,,512,1", "offset \"\"" },
		  { "1,hm,0,Read,0,-512,1", "size \"-512\"" },
		  { "1,hm,0,Read,0,512,NaN", "response time \"NaN\"" },
	  } },
	{ "alibaba",
	  "",
	  "1,R,0,512,1",
	  {
		  { "1,R,0,512", "4 columns" },
		  { "x,R,0,512,1", "device \"x\"" },
		  { "1,r,0,512,1", "neither R nor W" },
		  { "1,R,0,0,1", "length is 0" },
		  { "1,R,0,512,18446744073709552", "too large" },
	  } },
	{ "tencent",
	  "",
	  "1,0,1,0,1",
	  {
		  { "1,0,1,0", "4 columns" },
		  { "x,0,1,0,1", "timestamp \"x\"" },
		  { "1,0,1,2,1", "neither 0 nor 1" },
		  { "1,0,1,0,v", "volume \"v\"" },
	  } },
	{ "original",
	  "",
	  DRIVER_LINE("1027", "512", "0"),
	  {
		  { DRIVER_LINE("x", "512", "0"), "type=\"x\" is not a number" },
		  { DRIVER_LINE("1027", "-1", "0"), "m2i3=\"-1\" is not a number" },
		  { DRIVER_LINE("1028", "512", "-4096"), "m2l1=\"-4096\" is not a number" },
		  { DRIVER_LINE("1033", "4", "0"), "a request with a vector" },
		  { "DEBUG rdisk_rw:1: source=4", "without type=" },
		  { "RECEIVE: m_source=30, m_type=1027, DEVICE=0, IO_ENDPT=30, POSITION=G, COUNT=1",
		    "POSITION=\"G\" is not a number" },
		  { "RECEIVE: m_source=30, m_type=1027, DEVICE=0, IO_ENDPT=30, POSITION=0", "without COUNT=" },
		  { "RECEIVE: m_source=30, m_type=1027, DEVICE=4294967296, IO_ENDPT=30, POSITION=0, COUNT=1, ",
		    "minor 4294967296" },
	  } },
};

static void check_broken_line(const struct format_lines *format, const char *line, const char *cause)
{
	struct trace_options options = trace_test_options(format->format);
	int first = *format->start ? 2 : 1;
	char text[4096];
	char where[64];

	snprintf(text, sizeof(text), "%s%s\n%s\n%s\n", format->start, format->good, line, format->good);
	snprintf(where, sizeof(where), "/trace:%d: ", first + 1);
	trace_test_read_text(&test, text, &options);
	if (test.failed || test.broken != 1 || test.count != 2 || !strstr(test.report, where) ||
	    !strstr(test.report, cause))
		fail_msg("%s: \"%s\": %d operations, %llu broken, told \"%s%s\", not \"%s\"", format->format, line,
			 test.count, (unsigned long long)test.broken, test.report, test.error.text, cause);
	/* strict: an error, after what was before it */
	options.strict = true;
	trace_test_read_text(&test, text, &options);
	if (!test.failed || test.count != 1 || !strstr(test.error.text, where) || !strstr(test.error.text, cause) ||
	    test.report[0])
		fail_msg("%s, strict: \"%s\" told \"%s\"", format->format, line, test.error.text);
}

static void test_broken_lines(void **state)
{
	(void)state;
	for (int i = 0; i < ELEMENTS(formats); i++) {
		for (int k = 0; formats[i].broken[k].line; k++)
			check_broken_line(&formats[i], formats[i].broken[k].line, formats[i].broken[k].cause);
	}
}

/* The waits of fio's version 2 that are too much together: neither alone is. */
static void test_sum_of_waits(void **state)
{
	struct trace_options options = trace_test_options(NULL);

	(void)state;
	trace_test_read_text(&test,
			     "fio version 2 iolog\nf wait 18446744073709551 0\nf wait 1 0\nf wait 0 0\nf read 0 512\n",
			     &options);
	assert_int_equal(test.broken, 1);
	assert_int_equal(test.count, 1);
}

static void test_long_line(void **state)
{
	static char text[400000];
	struct trace_options options = trace_test_options("alibaba");

	(void)state;
	for (size_t length = 8000; length < 300000; length = length * 3 / 2) {
		size_t start = (size_t)snprintf(text, sizeof(text), "1,R,0,512,1\n");
		size_t end = start + length;

		memset(text + start, '1', length);
		snprintf(text + end, sizeof(text) - end, "\n1,R,512,512,2\n");
		trace_test_read_text(&test, text, &options);
		assert_int_equal(test.count, 2);
		assert_int_equal(test.broken, 1);
		assert_int_equal(test.operations[1].position, 512);
		assert_non_null(strstr(test.report, "/trace:2: "));
		assert_non_null(strstr(test.report, length > 8192 ? "longer than 8192" : "1 columns"));
	}
	/* the last line, and nothing behind it */
	memset(text, '1', 100000);
	text[100000] = '\0';
	trace_test_read_text(&test, text, &options);
	assert_int_equal(test.broken, 1);
	assert_int_equal(test.count, 0);
}

/* The longest that is taken, whole. */
static void test_longest_line(void **state)
{
	static char text[8192 + 64];
	struct trace_options options = trace_test_options("alibaba");

	(void)state;
	snprintf(text, sizeof(text), "%-8190s77\n1,R,0,512,78\n", "1,R,0,512,");
	trace_test_read_text(&test, text, &options);
	assert_int_equal(test.broken, 0);
	assert_int_equal(test.count, 2);
	assert_int_equal(test.operations[1].time_ns, 1000);
}

static void test_zero_byte(void **state)
{
	static const char text[] = "1,R,0,512,1\n1,R\0,0,512,1\n1,R,0,512,1\n";
	struct trace_options options = trace_test_options(NULL);

	(void)state;
	trace_test_read_bytes(&test, text, sizeof(text) - 1, &options);
	assert_int_equal(test.count, 2);
	assert_int_equal(test.broken, 1);
	assert_non_null(strstr(test.report, "/trace:2: there is a zero byte"));
}

/* What a trace says cannot be made a message's control characters. */
static void test_printable(void **state)
{
	struct trace_options options = trace_test_options("alibaba");

	(void)state;
	trace_test_read_text(&test, "1,\033[2J,0,512,1\n", &options);
	assert_int_equal(test.broken, 1);
	assert_null(strchr(test.report, '\033'));
	assert_non_null(strstr(test.report, "\"?[2J\""));
}

static void test_no_last_newline(void **state)
{
	struct trace_options options = trace_test_options(NULL);

	(void)state;
	trace_test_read_text(&test, "1,R,0,512,1\n1,R,0,512,1", &options);
	assert_int_equal(test.count, 2);
	assert_int_equal(test.broken, 0);
}

static void assert_not_read(const char *path, const struct trace_options *options, const char *cause)
{
	trace_test_read(&test, path, options);
	assert_int_equal(test.count, -1);
	if (!strstr(test.error.text, cause) || !strstr(test.error.text, path))
		fail_msg("\"%s\" does not tell of %s", test.error.text, cause);
}

static void test_not_a_trace(void **state)
{
	struct trace_options options = trace_test_options(NULL);
	char path[TEST_PATH_SIZE];

	(void)state;
	test_path(path, "trace");
	trace_test_read_text(&test, "", &options);
	assert_not_read(path, &options, "is empty");
	options.format = trace_format_find("msr");
	assert_not_read(path, &options, "is empty");
	options.format = NULL;
	trace_test_read_text(&test, "neither\nthis\n1,2\n", &options);
	assert_not_read(path, &options, "none of the known formats");
	assert_not_read(test_directory(), &options, "is a directory");
	test_path(path, "absent");
	assert_not_read(path, &options, "No such file");
}

/* A trace that has all that a format needs but operations is an empty trace, not an error. */
static void test_no_operations(void **state)
{
	struct trace_options options = trace_test_options(NULL);

	(void)state;
	trace_test_read_text(&test, "fio version 3 iolog\n0 f add\n", &options);
	assert_false(test.failed);
	assert_int_equal(test.count, 0);
}

#define BLKTRACE_RECORD 48

/* Binary traces: damaged, another version, cut. */
static void test_blktrace_damaged(void **state)
{
	struct trace_options options = trace_test_options(NULL);
	char sample[TEST_PATH_SIZE * 2];
	unsigned char bytes[2048];
	size_t length;
	FILE *file;

	(void)state;
	trace_test_sample(sample, "cpus.blktrace.1");
	file = fopen(sample, "r");
	assert_non_null(file);
	length = fread(bytes, 1, sizeof(bytes), file);
	fclose(file);
	trace_test_read_bytes(&test, bytes, length - 1, &options);
	assert_false(test.failed);
	assert_int_equal(test.broken, 1);
	assert_non_null(strstr(test.report, "/trace: record 7: the file ends within a record"));
	assert_int_equal(test.count, 3);
	bytes[2 * BLKTRACE_RECORD + 3] ^= 1;
	trace_test_read_bytes(&test, bytes, length, &options);
	assert_true(test.failed);
	assert_non_null(strstr(test.error.text, "record 3, at byte 96, has no magic number"));
	assert_int_equal(test.count, 1); /* before it */
	bytes[2 * BLKTRACE_RECORD + 3] ^= 1;
	bytes[0] = 6;
	trace_test_read_bytes(&test, bytes, length, &options);
	assert_true(test.failed);
	assert_non_null(strstr(test.error.text, "version 6"));
}

/* Writes a trace, compressed; returns the length of the file. */
static off_t write_compressed(const char *path, int operations)
{
	gzFile file = gzopen(path, "wb");
	struct stat status;

	assert_non_null(file);
	for (int i = 0; i < operations; i++)
		assert_true(gzprintf(file, "1,R,%d,512,%d\n", i * 7919 % 1000003 * 512, i) > 0);
	assert_int_equal(gzclose(file), Z_OK);
	assert_int_equal(stat(path, &status), 0);
	return status.st_size;
}

/* What is before the place where a compressed trace ends too early is handed out, whole lines only, and then told. */
static void test_cut_gzip(void **state)
{
	static const int lengths[] = { 1000, 20000 };
	struct trace_options options = trace_test_options(NULL);
	char path[TEST_PATH_SIZE];

	(void)state;
	test_path(path, "cut");
	for (int i = 0; i < ELEMENTS(lengths); i++) {
		off_t size = write_compressed(path, lengths[i]);

		assert_int_equal(truncate(path, size * 9 / 10), 0);
		trace_test_read(&test, path, &options);
		assert_true(test.failed);
		assert_non_null(strstr(test.error.text, "the gzip data ends before its end"));
		assert_int_equal(test.broken, 0);
		assert_true(test.count > lengths[i] / 2);
		assert_true(test.count < lengths[i]);
		for (int k = 0; k < test.count && k < TRACE_TEST_OPERATIONS; k++)
			assert_int_equal(test.operations[k].position, k * 7919 % 1000003 * 512);
	}
}

static void ignore_broken(void *context, const char *text)
{
	(void)context;
	(void)text;
}

/* Progress is of what was handed out, not of what was read ahead. */
static void test_progress(void **state)
{
	struct trace_options options = trace_test_options(NULL);
	struct diagnostic diagnostic = { "" };
	struct trace_reader *reader;
	struct trace_operation operation;
	char path[TEST_PATH_SIZE];

	(void)state;
	options.broken = ignore_broken;
	test_path(path, "progress");
	write_compressed(path, 1000);
	assert_int_equal(trace_reader_open(&reader, path, &options, &diagnostic), 0);
	for (int i = 1; i <= 1000; i++) {
		double progress;

		assert_int_equal(trace_reader_next(reader, &operation, &diagnostic), 1);
		progress = trace_reader_progress(reader);
		assert_true(progress > i / 1000.0 - 0.01);
		assert_true(progress < i / 1000.0 + 0.01);
	}
	assert_int_equal(trace_reader_next(reader, &operation, &diagnostic), 0);
	trace_reader_close(reader);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_broken_lines),	cmocka_unit_test(test_sum_of_waits),
		cmocka_unit_test(test_long_line),	cmocka_unit_test(test_longest_line),
		cmocka_unit_test(test_zero_byte),	cmocka_unit_test(test_printable),
		cmocka_unit_test(test_no_last_newline), cmocka_unit_test(test_not_a_trace),
		cmocka_unit_test(test_no_operations),	cmocka_unit_test(test_blktrace_damaged),
		cmocka_unit_test(test_cut_gzip),	cmocka_unit_test(test_progress),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
