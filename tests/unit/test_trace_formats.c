/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Traces of each format are what they are: samples whose operations were counted and read by hand.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <zlib.h>

#include "trace_test.h"

#define MS(n)	    ((n)*UINT64_C(1000000))
#define US(n)	    ((n)*UINT64_C(1000))
#define NONE_KNOWN  TRACE_NO_LATENCY
#define SDB	    (8u << 20 | 16)
#define SDC	    (8u << 20 | 32)
#define ELEMENTS(a) ((int)(sizeof(a) / sizeof((a)[0])))

static struct trace_test test;

/* Reads a sample without saying which format it is. */
static void read_sample(const char *name, const char *format)
{
	struct trace_options options = trace_test_options(NULL);
	char path[TEST_PATH_SIZE * 2];

	trace_test_sample(path, name);
	trace_test_read(&test, path, &options);
	if (test.failed)
		fail_msg("%s", test.error.text);
	assert_string_equal(test.report, "");
	assert_int_equal(test.broken, 0);
	assert_int_equal(test.late, 0);
	assert_string_equal(test.format, format);
}

static const struct trace_operation blkreplay_operations[] = {
	{ 0, NONE_KNOWN, 2048 * 512, 8 * 512, 0, TRACE_WRITE, 0 },
	{ 1, US(125), 2056 * 512, 16 * 512, 0, TRACE_READ, 0 },
	{ MS(750), NONE_KNOWN, 0, 512, 0, TRACE_READ, 0 },
	{ MS(299750) + 2999, NONE_KNOWN, UINT64_C(3510770275) * 512, 1024, 0, TRACE_READ, 0 },
};

static void test_blkreplay(void **state)
{
	(void)state;
	read_sample("blkreplay.load", "blkreplay");
	trace_test_assert_operations(&test, blkreplay_operations, ELEMENTS(blkreplay_operations));
}

static void test_fio_2(void **state)
{
	static const struct trace_operation expected[] = {
		{ 0, NONE_KNOWN, 0, 4096, 0, TRACE_READ, 0 },
		{ US(150), NONE_KNOWN, 8192, 4096, 0, TRACE_WRITE, 0 },
		{ US(150), NONE_KNOWN, 0, 0, 0, TRACE_FLUSH, 0 },
		{ US(1150), NONE_KNOWN, 65536, 131072, 1, TRACE_DISCARD, 0 },
		{ US(1150), NONE_KNOWN, 0, 0, 0, TRACE_FLUSH, 0 },
	};

	(void)state;
	read_sample("fio-2.log", "fio-2");
	trace_test_assert_operations(&test, expected, ELEMENTS(expected));
}

/* Written by fio 3.33 itself. */
static void test_fio_3(void **state)
{
	static const struct trace_operation seventh_to_ninth[] = {
		{ US(15495 - 149), NONE_KNOWN, 20480, 4096, 0, TRACE_WRITE, 0 },
		{ US(17588 - 149), NONE_KNOWN, 0, 0, 0, TRACE_FLUSH, 0 },
		{ US(18051 - 149), NONE_KNOWN, 61440, 4096, 0, TRACE_WRITE, 0 },
	};
	int kinds[TRACE_KINDS] = { 0 };

	(void)state;
	read_sample("fio-3.log", "fio-3");
	assert_int_equal(test.count, 22);
	for (int i = 0; i < test.count; i++)
		kinds[test.operations[i].kind]++;
	assert_int_equal(kinds[TRACE_READ], 10);
	assert_int_equal(kinds[TRACE_WRITE], 6);
	assert_int_equal(kinds[TRACE_FLUSH], 6);
	for (int i = 0; i < ELEMENTS(seventh_to_ninth); i++)
		trace_test_assert_operation(&test.operations[7 + i], &seventh_to_ninth[i], 7 + i);
}

/* The same with two files: which is which device. */
static void test_fio_files(void **state)
{
	static const struct trace_operation expected[] = {
		{ 0, NONE_KNOWN, 0, 4096, 0, TRACE_WRITE, 0 },
		{ US(47), NONE_KNOWN, 45056, 4096, 1, TRACE_WRITE, 0 },
		{ US(67), NONE_KNOWN, 53248, 4096, 0, TRACE_WRITE, 0 },
		{ US(76), NONE_KNOWN, 28672, 4096, 1, TRACE_WRITE, 0 },
		{ US(83), NONE_KNOWN, 24576, 4096, 0, TRACE_WRITE, 0 },
		{ US(88), NONE_KNOWN, 53248, 4096, 1, TRACE_WRITE, 0 },
	};

	(void)state;
	read_sample("fio-3-two-files.log", "fio-3");
	trace_test_assert_operations(&test, expected, ELEMENTS(expected));
}

static void test_msr(void **state)
{
	static const struct trace_operation expected[] = {
		{ 0, 41300, 383496192, 32768, 0, TRACE_READ, 0 },
		{ UINT64_C(1332052600), 1234500, 310984704, 4096, 1, TRACE_WRITE, 0 },
		{ UINT64_C(1332052600), NONE_KNOWN, 0, 512, 0, TRACE_READ, 0 },
		{ UINT64_C(2332061600), 8900, 4096, 65536, 0, TRACE_WRITE, 0 },
	};

	(void)state;
	read_sample("msr.csv", "msr");
	trace_test_assert_operations(&test, expected, ELEMENTS(expected));
}

static void test_alibaba(void **state)
{
	static const struct trace_operation expected[] = {
		{ 0, NONE_KNOWN, UINT64_C(28792836096), 4096, 419, TRACE_WRITE, 0 },
		{ 0, NONE_KNOWN, 1179648, 4096, 725, TRACE_READ, 0 },
		{ US(467), NONE_KNOWN, UINT64_C(28792836096), 16384, 419, TRACE_READ, 0 },
	};

	(void)state;
	read_sample("alibaba.csv", "alibaba");
	trace_test_assert_operations(&test, expected, ELEMENTS(expected));
}

static void test_tencent(void **state)
{
	static const struct trace_operation expected[] = {
		{ 0, NONE_KNOWN, UINT64_C(12910952) * 512, 65536, 1063, TRACE_READ, 0 },
		{ 0, NONE_KNOWN, UINT64_C(6338688) * 512, 4096, 1627, TRACE_WRITE, 0 },
		{ MS(1000), NONE_KNOWN, UINT64_C(1904106408) * 512, 196608, 1360, TRACE_READ, 0 },
	};

	(void)state;
	read_sample("tencent.csv", "tencent");
	trace_test_assert_operations(&test, expected, ELEMENTS(expected));
}

/* What blkparse says of the binary sample; it leaves out the events of a cgroup. */
static const struct trace_operation queued[] = {
	{ 0, US(22), 0, 0, SDB, TRACE_FLUSH, 0 },
	{ US(1), US(9), 2048 * 512, 4096, SDB, TRACE_WRITE, 0 },
	{ 1500, 8500, 2056 * 512, 4096, SDB, TRACE_WRITE, 0 },
	{ US(11), US(1), 100 * 512, 512, SDB, TRACE_READ, 0 },
	{ US(13), NONE_KNOWN, 0, 0, SDB, TRACE_FLUSH, 0 },
	{ US(13), US(1), 4096 * 512, 4096, SDB, TRACE_WRITE, TRACE_FUA },
	{ US(15), US(1), 8192 * 512, 1 << 20, SDB, TRACE_DISCARD, 0 },
	{ US(20), NONE_KNOWN, 999 * 512, 1024, SDC, TRACE_READ, 0 },
};

#define OF_CGROUP 3 /* in the table above */

static void test_blkparse(void **state)
{
	struct trace_operation expected[ELEMENTS(queued) - 1];

	(void)state;
	memcpy(expected, queued, OF_CGROUP * sizeof(queued[0]));
	memcpy(expected + OF_CGROUP, queued + OF_CGROUP + 1, sizeof(queued) - (OF_CGROUP + 1) * sizeof(queued[0]));
	read_sample("blkparse.txt", "blkparse");
	trace_test_assert_operations(&test, expected, ELEMENTS(expected));
}

/* The two files of the two CPUs, by the name of both. */
static void test_blktrace(void **state)
{
	(void)state;
	read_sample("cpus", "blktrace");
	trace_test_assert_operations(&test, queued, ELEMENTS(queued));
}

static void test_blktrace_other_endian(void **state)
{
	(void)state;
	read_sample("other-endian.blktrace", "blktrace");
	trace_test_assert_operations(&test, queued, ELEMENTS(queued));
}

static void test_blktrace_one_cpu(void **state)
{
	static const struct trace_operation expected[] = {
		{ 0, NONE_KNOWN, 2056 * 512, 4096, SDB, TRACE_WRITE, 0 }, /* merged behind the other file's */
		{ 9500, NONE_KNOWN, 100 * 512, 512, SDB, TRACE_READ, 0 },
		{ 18500, NONE_KNOWN, 999 * 512, 1024, SDC, TRACE_READ, 0 },
	};

	(void)state;
	read_sample("cpus.blktrace.1", "blktrace");
	trace_test_assert_operations(&test, expected, ELEMENTS(expected));
}

static void test_issued(void **state)
{
	static const struct trace_operation expected[] = {
		{ 0, US(8), 2048 * 512, 8192, SDB, TRACE_WRITE, 0 },
		{ 9500, 500, 100 * 512, 512, SDB, TRACE_READ, 0 },
		{ 13500, 500, 8192 * 512, 1 << 20, SDB, TRACE_DISCARD, 0 },
	};
	struct trace_options options = trace_test_options(NULL);
	char path[TEST_PATH_SIZE * 2];

	(void)state;
	options.event = TRACE_ISSUED;
	trace_test_sample(path, "cpus");
	trace_test_read(&test, path, &options);
	trace_test_assert_operations(&test, expected, ELEMENTS(expected));
}

/* A trace without the events that are asked for is not an empty one. */
static void test_no_such_event(void **state)
{
	struct trace_options options = trace_test_options(NULL);

	(void)state;
	trace_test_read_text(&test, "  8,0    1        1     0.000000000  1234  D   W 8 + 8 [x]\n", &options);
	assert_true(test.failed);
	assert_non_null(strstr(test.error.text, "has no queued (Q) requests, but 1 issued (D)"));
	options.event = TRACE_ISSUED;
	trace_test_read_text(&test, "  8,0    1        1     0.000000000  1234  Q   W 8 + 8 [x]\n", &options);
	assert_true(test.failed);
	assert_non_null(strstr(test.error.text, "has no issued (D) requests, but 1 queued (Q)"));
}

static void test_rwbs(void **state)
{
	static const char text[] = "8,0 0 1 0.0 1 Q WZS 0 + 8 [blkdiscard]\n"
				   "8,0 0 2 0.0 1 Q DE 8 + 8 [x]\n"
				   "8,0 0 3 0.0 1 Q FF [x]\n"
				   "8,0 0 4 0.0 1 Q ZR 8 + 8 [x]\n"
				   "8,0 0 5 0.0 1 Q N 8 + 8 [x]\n"
				   "8,0 0 6 0.0 1 Q RSM 8 + 8 [x y (z)]\n"
				   "8,0 0 7 0.0 1 Q WFS 8 + 8 [x]\n"
				   "8,0 0 8 0.0 1 m N some message\n";
	static const struct trace_operation expected[] = {
		{ 0, NONE_KNOWN, 0, 4096, 8u << 20, TRACE_WRITE_ZEROES, 0 },
		{ 0, NONE_KNOWN, 4096, 4096, 8u << 20, TRACE_DISCARD, 0 },
		{ 0, NONE_KNOWN, 0, 0, 8u << 20, TRACE_FLUSH, 0 },
		{ 0, NONE_KNOWN, 4096, 4096, 8u << 20, TRACE_READ, 0 },
		{ 0, NONE_KNOWN, 4096, 4096, 8u << 20, TRACE_WRITE, TRACE_FUA },
	};
	struct trace_options options = trace_test_options(NULL);

	(void)state;
	trace_test_read_text(&test, text, &options);
	trace_test_assert_operations(&test, expected, ELEMENTS(expected));
	assert_int_equal(test.broken, 0);
	assert_int_equal(test.left_out, 1);
}

/*
 * An excerpt of the log of 2019: eight requests that the driver sent, and three that the server received, which are
 * among these.
 */
static void test_original(void **state)
{
	static const struct trace_operation expected[] = {
		{ 0, NONE_KNOWN, 0, 4096, 0, TRACE_READ, 0 },	    { 0, NONE_KNOWN, 0, 4096, 0, TRACE_READ, 0 },
		{ 0, NONE_KNOWN, 0, 4096, 0, TRACE_READ, 0 },	    { 0, NONE_KNOWN, 0, 4096, 0, TRACE_READ, 0 },
		{ 0, NONE_KNOWN, 118784, 8192, 0, TRACE_READ, 0 },  { 0, NONE_KNOWN, 233472, 8192, 0, TRACE_READ, 0 },
		{ 0, NONE_KNOWN, 229376, 16384, 0, TRACE_READ, 0 }, { 0, NONE_KNOWN, 294912, 1024, 0, TRACE_READ, 0 },
	};

	(void)state;
	read_sample("original.log", "original");
	trace_test_assert_operations(&test, expected, ELEMENTS(expected));
}

/* Counts of a sample of one device: reads, writes, flushes, discards. */
static void assert_counts(const char *name, enum trace_event event, const int counts[4])
{
	struct trace_options options = trace_test_options(NULL);
	char path[TEST_PATH_SIZE * 2];
	int found[TRACE_KINDS] = { 0 };

	options.event = event;
	trace_test_sample(path, name);
	trace_test_read(&test, path, &options);
	assert_false(test.failed);
	assert_int_equal(test.broken, 0);
	for (int i = 0; i < test.count; i++) {
		assert_int_equal(test.operations[i].device, 98u << 20);
		found[test.operations[i].kind]++;
	}
	for (int kind = 0; kind < 4; kind++)
		assert_int_equal(found[kind], counts[kind]);
}

/*
 * Recorded by blktrace in a guest: dd with direct I/O, dd with an fsync at the end, a discard and zeroes, with
 * merges and splits. The counts are those of blkparse's summary (flush and discard are among its writes).
 */
static void test_guest(void **state)
{
	static const int asked[4] = { 4, 13, 1, 1 };
	static const int given[4] = { 4, 6, 1, 2 };
	static const struct trace_operation first = { 0, 1379840, 0, 65536, 98u << 20, TRACE_READ, 0 };
	static const struct trace_operation merged = { 222541312,   146176, UINT64_C(2416) * 512, 4096, 98u << 20,
						       TRACE_WRITE, 0 };
	static struct trace_test text;

	(void)state;
	assert_counts("guest", TRACE_ISSUED, given);
	assert_counts("guest.blkparse.txt", TRACE_ISSUED, given);
	assert_counts("guest.blkparse.txt", TRACE_QUEUED, asked);
	text = test;
	assert_counts("guest", TRACE_QUEUED, asked);
	trace_test_assert_operation(&test.operations[0], &first, 0);
	trace_test_assert_operation(&test.operations[9], &merged, 9);
	/* the binary and what blkparse made of it are the same */
	trace_test_assert_operations(&text, test.operations, test.count);
}

/* rdisk's own recording: out of order by when requests were received, a failed one, and a gap. */
static void test_recording(void **state)
{
	static const struct trace_operation expected[] = {
		{ 0, US(2500), 512, 512, 1, TRACE_WRITE, TRACE_FUA },
		{ US(500), US(15), 1048576, 4096, 0, TRACE_READ, 0 },
		{ US(3500), US(1000), 0, 0, 0, TRACE_FLUSH, 0 },
		{ US(5500), US(10), 65536, 131072, 0, TRACE_DISCARD, 0 },
		{ US(6500), US(10), 262144, 4096, 0, TRACE_WRITE_ZEROES, TRACE_FUA },
		{ US(7500), 500, 1 << 30, 4096, 0, TRACE_READ, 0 },
	};
	struct trace_options options = trace_test_options(NULL);
	char path[TEST_PATH_SIZE * 2];

	(void)state;
	trace_test_sample(path, "recording");
	trace_test_read(&test, path, &options);
	assert_string_equal(test.format, "rdisk");
	trace_test_assert_operations(&test, expected, ELEMENTS(expected));
	assert_int_equal(test.left_out, 1);
	assert_int_equal(test.broken, 0);
	assert_int_equal(test.missing, 17);
	assert_non_null(strstr(test.report, "record 5: 17 operations are missing here"));
}

/* Lines of one side alone count each; of the other side, those that were not logged yet. */
static void test_original_sides(void **state)
{
#define SERVER(type, position, address)                                                                                \
	"RECEIVE: m_source=30, m_type=" type ", DEVICE=1, IO_ENDPT=30, POSITION=" position                             \
	", COUNT=1024, ADDRESS:" address ", compress(m2_l2):0\n"
#define DRIVER(type, offset, address)                                                                                  \
	"DEBUG rdisk_rw:1: source=4 type=" type " m2i1=1 m2i2=30 m2i3=1024 m2l1=" offset " m2l2=0 m2p1=" address "\n"
	static const char text[] = SERVER("1028", "1A00", "4886C000") SERVER("1028", "1A00", "4886C000")
		DRIVER("1028", "6656", "4886c000") DRIVER("1028", "6656", "4886c000") DRIVER("1028", "6656", "4886c000")
			DRIVER("1027", "6656", "(nil)") SERVER("1027", "1A00", "0") SERVER("1029", "0", "0");
	static const struct trace_operation write_expected = { 0, NONE_KNOWN, 6656, 1024, 1, TRACE_WRITE, 0 };
	static const struct trace_operation read_expected = { 0, NONE_KNOWN, 6656, 1024, 1, TRACE_READ, 0 };
	struct trace_options options = trace_test_options(NULL);

	(void)state;
	trace_test_read_text(&test, text, &options);
	assert_int_equal(test.count, 4);
	for (int i = 0; i < 3; i++)
		trace_test_assert_operation(&test.operations[i], &write_expected, i);
	trace_test_assert_operation(&test.operations[3], &read_expected, 3);
}

static void test_one_device(void **state)
{
	struct trace_options options = trace_test_options(NULL);
	char path[TEST_PATH_SIZE * 2];
	uint32_t device;

	(void)state;
	trace_test_sample(path, "cpus");
	assert_int_equal(trace_device_parse("8,32", &device), 0);
	options.device = device;
	trace_test_read(&test, path, &options);
	assert_int_equal(test.count, 1);
	assert_int_equal(test.operations[0].device, SDC);
	assert_int_equal(test.operations[0].time_ns, 0);
}

static void test_device_numbers(void **state)
{
	static const char *const bad[] = { "",	 ",",	 "8,",	       ",1",	     "8,1048576", "4096,0",
					   "-1", "1,-1", "4294967296", "00000000,1", "8,16,1",	  "x" };
	uint32_t device;

	(void)state;
	assert_int_equal(trace_device_parse("0", &device), 0);
	assert_int_equal(device, 0);
	assert_int_equal(trace_device_parse("4294967295", &device), 0);
	assert_int_equal(device, UINT32_MAX);
	assert_int_equal(trace_device_parse("4095,1048575", &device), 0);
	assert_int_equal(device, UINT32_MAX);
	for (int i = 0; i < ELEMENTS(bad); i++) {
		if (trace_device_parse(bad[i], &device) == 0)
			fail_msg("\"%s\" was taken for a device", bad[i]);
	}
}

/* A named format overrides what the content looks like. */
static void test_named_format(void **state)
{
	struct trace_options options = trace_test_options("tencent");

	(void)state;
	trace_test_read_text(&test, "7,R,512,4096,1000\n5,16,8,1,3\n", &options);
	assert_string_equal(test.format, "tencent");
	assert_int_equal(test.broken, 1);
	assert_int_equal(test.count, 1);
	assert_null(trace_format_find("nonsense"));
}

/* Names of columns, and lines that end as on Windows. */
static void test_csv_header(void **state)
{
	struct trace_options options = trace_test_options(NULL);

	(void)state;
	trace_test_read_text(&test, "device_id,opcode,offset,length,timestamp\r\n1,R,0,512,5\r\n1,W,512,512,6\r\n",
			     &options);
	assert_string_equal(test.format, "alibaba");
	assert_int_equal(test.count, 2);
	assert_int_equal(test.broken, 0);
	assert_int_equal(test.operations[1].time_ns, 1000);
}

static void test_gzip(void **state)
{
	struct trace_options options = trace_test_options(NULL);
	char sample[TEST_PATH_SIZE * 2];
	char path[TEST_PATH_SIZE];
	char bytes[4096];
	FILE *from;
	gzFile to;
	size_t length;

	(void)state;
	trace_test_sample(sample, "blkreplay.load");
	test_path(path, "load.gz");
	from = fopen(sample, "r");
	assert_non_null(from);
	length = fread(bytes, 1, sizeof(bytes), from);
	fclose(from);
	to = gzopen(path, "wb");
	assert_non_null(to);
	assert_int_equal(gzwrite(to, bytes, (unsigned int)length), length);
	assert_int_equal(gzclose(to), Z_OK);
	trace_test_read(&test, path, &options);
	trace_test_assert_operations(&test, blkreplay_operations, ELEMENTS(blkreplay_operations));
	assert_string_equal(test.format, "blkreplay");
	/* cut within the data: an error, not an end */
	from = fopen(path, "r");
	assert_non_null(from);
	length = fread(bytes, 1, sizeof(bytes), from);
	fclose(from);
	trace_test_read_bytes(&test, bytes, length - 30, &options);
	assert_true(test.failed);
	assert_non_null(strstr(test.error.text, "the gzip data ends before its end"));
	/* and a flipped bit */
	bytes[length / 2] ^= 0x10;
	trace_test_read_bytes(&test, bytes, length, &options);
	assert_true(test.failed);
	assert_non_null(strstr(test.error.text, "cannot be read"));
}

static void test_standard_input(void **state)
{
	struct trace_options options = trace_test_options(NULL);
	int saved = dup(STDIN_FILENO);
	int ends[2];
	static const char text[] = "fio version 3 iolog\n1 x read 0 512\n";

	(void)state;
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(write(ends[1], text, strlen(text)), strlen(text));
	close(ends[1]);
	assert_int_equal(dup2(ends[0], STDIN_FILENO), STDIN_FILENO);
	close(ends[0]);
	trace_test_read(&test, "-", &options);
	if (saved >= 0) {
		dup2(saved, STDIN_FILENO);
		close(saved);
	}
	assert_int_equal(test.count, 1);
	assert_false(test.failed);
}

/* Sorted within the window; what is too late keeps its place and gets the time of the one before. */
static void test_order(void **state)
{
	struct trace_options options = trace_test_options("alibaba");
	static char text[400000];
	size_t used = 0;

	(void)state;
	trace_test_read_text(&test, "0,R,0,512,30\n0,R,512,512,10\n0,R,1024,512,20\n0,R,1536,512,10\n", &options);
	assert_int_equal(test.count, 4);
	assert_int_equal(test.operations[0].position, 512);
	assert_int_equal(test.operations[1].position, 1536);
	assert_int_equal(test.operations[1].time_ns, 0);
	assert_int_equal(test.operations[2].time_ns, US(10));
	assert_int_equal(test.operations[3].time_ns, US(20));
	assert_int_equal(test.late, 0);
	for (int i = 0; i < 10000; i++)
		used += (size_t)snprintf(text + used, sizeof(text) - used, "0,R,0,512,%d\n", 1000 + i);
	snprintf(text + used, sizeof(text) - used, "0,W,0,512,500\n");
	trace_test_read_text(&test, text, &options);
	assert_int_equal(test.count, 10001);
	assert_int_equal(test.late, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_blkreplay),
		cmocka_unit_test(test_fio_2),
		cmocka_unit_test(test_fio_3),
		cmocka_unit_test(test_fio_files),
		cmocka_unit_test(test_msr),
		cmocka_unit_test(test_alibaba),
		cmocka_unit_test(test_tencent),
		cmocka_unit_test(test_blkparse),
		cmocka_unit_test(test_blktrace),
		cmocka_unit_test(test_blktrace_other_endian),
		cmocka_unit_test(test_blktrace_one_cpu),
		cmocka_unit_test(test_issued),
		cmocka_unit_test(test_no_such_event),
		cmocka_unit_test(test_rwbs),
		cmocka_unit_test(test_original),
		cmocka_unit_test(test_guest),
		cmocka_unit_test(test_recording),
		cmocka_unit_test(test_original_sides),
		cmocka_unit_test(test_one_device),
		cmocka_unit_test(test_device_numbers),
		cmocka_unit_test(test_named_format),
		cmocka_unit_test(test_csv_header),
		cmocka_unit_test(test_gzip),
		cmocka_unit_test(test_standard_input),
		cmocka_unit_test(test_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
