/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a user has to be told: that nothing was replayed and why, that several devices go to one disk, what is missing
 * in a recording, that a file cannot be written before the replay and not after it.
 */
#include "replay_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "rdisk_protocol.h"
#include "rdisk_recording.h"

#define SAMPLE(name) (TRACE_SAMPLES "/" name)

/* The text is in the log once, and once only. */
static void assert_once(const char *text)
{
	const char *found = strstr(replay.log.text, text);

	if (!found || strstr(found + 1, text))
		fail_msg("\"%s\" is not there once: %s", text, replay.log.text);
}

static bool is_there(const char *name)
{
	return access(path_of(name), F_OK) == 0;
}

static void test_no_operation(void **state)
{
	static const struct {
		const char *option, *value, *trace, *cause;
	} cases[] = {
		{ "--trace-device", "7", SAMPLE("msr.csv"), "; it has 0, 1\n" },
		{ "--trace-device", "7", SAMPLE("msr.csv"), "no operation of device 7 in " },
		{ "--trace-device", "9,1", SAMPLE("blkparse.txt"), "no operation of device 9,1 in " },
		{ "--trace-device", "9,1", SAMPLE("blkparse.txt"), "; it has 8,16, 8,32\n" },
		{ "--format", "msr", SAMPLE("fio-3.log"), "fio-3.log is an operation in the format msr\n" },
		{ "--format", "blkparse", SAMPLE("fio-3.log"), "in the format blkparse\n" },
		/* These pass over lines that are not theirs. */
		{ "--format", "original", SAMPLE("fio-3.log"), "in the format original\n" },
		{ "--format", "blkreplay", SAMPLE("msr.csv"), "in the format blkreplay\n" },
	};

	(void)state;
	test_image_create("a.img", MIB(64));
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		(void)unlink(path_of("j"));
		assert_run(RUN("--device", path_of("a.img"), "--speed", "max", "--writes", "real", "--journal",
			       path_of("j"), "--json", "-", cases[i].option, cases[i].value, cases[i].trace),
			   2, cases[i].cause);
		assert_true(json_number("trace_operations") == 0);
		assert_false(is_there("j"));
		assert_run(RUN("--convert", "fio-3", cases[i].option, cases[i].value, cases[i].trace), 2,
			   cases[i].cause);
	}
}

/* Nor is there a journal of a replay whose trace is broken from the beginning. */
static void test_broken_beginning(void **state)
{
	const char *trace = make_trace("t", "0 d write x 4096\n1 d write 0 4096\n");

	(void)state;
	test_image_create("a.img", MIB(1));
	(void)unlink(path_of("j"));
	assert_run(RUN("--device", path_of("a.img"), "--writes", "real", "--journal", path_of("j"), "--strict", trace),
		   2, "t:4: ");
	assert_false(is_there("j"));
	assert_run(RUN("--device", path_of("a.img"), "--writes", "real", "--journal", path_of("j"), trace), 0, "t:4: ");
	assert_true(is_there("j"));
}

/* The devices are many: not all are named. */
static void test_many_devices(void **state)
{
	const char *trace = make_file("t", "");
	FILE *file = fopen(trace, "w");

	(void)state;
	assert_non_null(file);
	for (unsigned int i = 30; i > 10; i--)
		(void)fprintf(file, "128166372003061629,host,%u,Read,%u,512,0\n", i, i * 512);
	assert_int_equal(fclose(file), 0);
	test_image_create("a.img", MIB(1));
	assert_run(RUN("--device", path_of("a.img"), "--trace-device", "7", trace), 2,
		   "; it has 22, 23, 24, 25, 26, 27, 28, 29, ...\n");
	assert_run(RUN("--device", path_of("a.img"), "--trace-device", "30", trace), 0, NULL);
}

/* A trace that has no operations is one all the same, unless some were asked for. */
static void test_empty_trace(void **state)
{
	(void)state;
	test_image_create("a.img", MIB(1));
	assert_run(RUN("--device", path_of("a.img"), "--json", "-", make_trace("t", "")), 0, NULL);
	assert_true(json_number("all.operations") == 0);
	assert_run(RUN("--convert", "blkreplay", "-o", path_of("u"), path_of("t")), 0, NULL);
	assert_run(RUN("--device", path_of("a.img"), path_of("u")), 0, NULL);
	assert_run(RUN("--device", path_of("a.img"), "--trace-device", "0", path_of("t")), 2,
		   "no operation of device 0 in ");
	/* Only operations that no disk here has, which the table says. */
	assert_run(RUN("--device", path_of("a.img"), "--json", "-", make_trace("t", "0 d sync_file_range 0 4096\n")), 0,
		   NULL);
	assert_true(json_number("not_replayable") == 1);
}

static void test_several_devices(void **state)
{
	static const char note[] = "operations of devices 0, 1 go to one disk; --trace-device picks one\n";
	const char *trace = SAMPLE("msr.csv"), *image = path_of("a.img");

	(void)state;
	test_image_create("a.img", MIB(1));
	assert_run(RUN("--device", image, "--speed", "max", "--map", "wrap", "--writes", "real", trace), 0, note);
	assert_once(note);
	/* The trace is looked at beforehand too. */
	assert_run(RUN("--device", image, "--speed", "max", "--map", "scale", "--writes", "real", trace), 0, note);
	assert_once(note);
	assert_run(RUN("--device", image, "--speed", "max", "--map", "wrap", "--writes", "real", "--quiet", trace), 0,
		   NULL);
	assert_run(RUN("--device", image, "--speed", "max", "--map", "wrap", "--writes", "real", "--trace-device", "0",
		       trace),
		   0, NULL);
	assert_run(RUN("--convert", "alibaba", "-o", path_of("t"), "--trace-device", "0", trace), 0, "latencies");
	assert_null(strstr(replay.log.text, "one disk"));
	assert_run(RUN("--convert", "alibaba", "-o", path_of("t"), trace), 0, "latencies");
	assert_null(strstr(replay.log.text, "one disk"));
}

/* Only devices that are replayed are named. */
static void test_limited_devices(void **state)
{
	static const char lines[] = "128166372003061629,host,0,Read,0,512,0\n128166372003061630,host,0,Read,0,512,0\n"
				    "128166372003061632,host,7,Read,0,512,0\n128166372003061634,host,9,Read,0,512,0\n"
				    /* out of its order: it is the third */
				    "128166372003061631,host,8,Read,0,512,0\n";
	static const struct {
		const char *limit, *note;
	} cases[] = {
		{ "1", NULL },
		{ "2", NULL },
		{ "3", "operations of devices 0, 8 go to one disk; --trace-device picks one\n" },
		{ "4", "operations of devices 0, 8 go to one disk; --trace-device picks one\n" },
		{ "5", "operations of devices 0, 7, 8, 9 go to one disk; --trace-device picks one\n" },
	};

	(void)state;
	test_image_create("a.img", MIB(1));
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_run(RUN("--device", path_of("a.img"), "--speed", "max", "--limit", cases[i].limit,
			       make_file("t", lines)),
			   0, cases[i].note);
}

/* Nothing is replayed for a result that nobody will have. */
static void test_no_directory(void **state)
{
	static const char *const options[] = { "--html", "--json", "--journal" };
	const char *trace = make_trace("t", "0 d write 0 4096\n");
	unsigned char block[4096], zeroes[4096] = { 0 };

	(void)state;
	test_image_create("a.img", MIB(1));
	for (size_t i = 0; i < 3; i++) {
		assert_run(RUN("--device", path_of("a.img"), "--speed", "max", "--writes", "real", options[i],
			       path_of("none/r"), trace),
			   2, "No such file or directory");
		assert_string_equal(replay.output.text, "");
		test_image_read("a.img", 0, block, sizeof(block));
		assert_memory_equal(block, zeroes, sizeof(block));
	}
}

/* What is there stays until there is something to write; what was made and not written goes away. */
static void test_old_file(void **state)
{
	const char *trace = make_trace("t", "0 d write 0 4096\n");
	char *text = calloc(1, MIB(1) + 1);

	(void)state;
	assert_non_null(text);
	memset(text, '\n', MIB(1));
	(void)make_file("old", text);
	free(text);
	(void)unlink(path_of("new"));
	test_image_create("a.img", MIB(1));
	assert_run(RUN("--device", path_of("a.img"), "--json", path_of("old"), "--html", path_of("new"), trace), 1,
		   "--writes real");
	assert_run(RUN("--device", path_of("none"), "--json", path_of("old"), "--html", path_of("new"), "--writes",
		       "real", trace),
		   2, "No such file");
	assert_int_equal(test_image_size("old"), MIB(1));
	assert_false(is_there("new"));
	assert_run(RUN("--device", path_of("a.img"), "--json", path_of("old"), "--html", path_of("new"), "--writes",
		       "real", trace),
		   0, NULL);
	assert_in_range(test_image_size("old"), 1000, 100000);
	assert_true(test_image_size("new") > 1000);
}

/* Files that are none. */
static void test_special_files(void **state)
{
	const char *trace = make_trace("t", "0 d read 0 4096\n"), *fifo = path_of("fifo");
	static char text[65536];
	size_t used = 0;
	ssize_t got;
	int reader;

	(void)state;
	test_image_create("a.img", MIB(1));
	(void)unlink(fifo);
	assert_int_equal(mkfifo(fifo, 0600), 0);
	START("--device", path_of("a.img"), "--json", fifo, trace);
	reader = open(fifo, O_RDONLY | O_CLOEXEC);
	assert_true(reader >= 0);
	while ((got = read(reader, text + used, sizeof(text) - 1 - used)) > 0)
		used += (size_t)got;
	(void)close(reader);
	assert_run(test_process_stop(&replay, 0), 0, NULL);
	assert_non_null(strstr(text, "trace_operations"));
	assert_true(is_there("fifo"));

	assert_run(RUN("--device", path_of("a.img"), "--html", "/dev/null", "--json", "/dev/stdout", trace), 0, NULL);
	assert_non_null(strstr(replay.output.text, "p99.9"));
	assert_non_null(strstr(replay.output.text, "trace_operations"));
	assert_run(RUN("--device", path_of("a.img"), "--html", "-", trace), 0, NULL);
	assert_int_equal(strncmp(replay.output.text, "<!DOCTYPE", 9), 0);
}

/* rdisk-replay with these arguments, in a shell's words, and its standard output into `to`. */
static int run_into(const char *to, const char *arguments)
{
	char command[2048];
	const char *const all[] = { "/bin/sh", "-c", command, NULL };

	(void)snprintf(command, sizeof(command), "exec " REPLAY_PROGRAM " >%s %s", to, arguments);
	test_process_start(&replay, all, NULL);
	return test_process_stop(&replay, 0);
}

/* A text of a file in the test's directory. */
static const char *text_of(const char *name)
{
	static char text[65536];
	size_t size = test_image_size(name);

	assert_true(size < sizeof(text));
	memset(text, 0, sizeof(text));
	test_image_read(name, 0, text, size);
	return text;
}

static void assert_begins(const char *text, const char *beginning)
{
	if (strncmp(text, beginning, strlen(beginning)) != 0)
		fail_msg("\"%s\" is not the beginning of: %s", beginning, text);
}

/* What goes to one file by several names goes there one behind the other, and what was there before stays. */
static void test_shared_file(void **state)
{
	static const char *const names[] = { "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1", "" };
	char arguments[5 * TEST_PATH_SIZE], to[TEST_PATH_SIZE + 1], trace[TEST_PATH_SIZE];

	(void)state;
	test_image_create("a.img", MIB(1));
	(void)make_trace("t", "0 d read 0 4096\n1 d read 1048576 4096\n");
	test_path(trace, "t");
	(void)snprintf(to, sizeof(to), ">%s", path_of("out"));
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		const char *text, *table;

		(void)make_file("out", "before\n");
		(void)snprintf(arguments, sizeof(arguments), "--device %s --speed max --json %s %s 2>&1",
			       path_of("a.img"), *names[i] ? names[i] : path_of("out"), trace);
		(void)run_into(to, arguments);
		text = text_of("out");
		table = strstr(text, "p99.9");
		assert_begins(text, "before\nrdisk-replay: operation 2: ");
		if (!table || !strstr(table, "trace_operations"))
			fail_msg("with %s there is: %s", names[i], text);
	}
	(void)make_file("out", "before\n");
	(void)snprintf(arguments, sizeof(arguments), "--convert msr -o /dev/stdout %s", trace);
	(void)run_into(to, arguments);
	assert_begins(text_of("out"), "before\n1");
	(void)make_file("out", "before\n");
	(void)snprintf(arguments, sizeof(arguments), "--device %s --speed max --json /dev/stderr %s 2>>%s",
		       path_of("a.img"), trace, path_of("out"));
	(void)run_into("/dev/null", arguments);
	assert_begins(text_of("out"), "before\nrdisk-replay: operation 2: ");
	assert_non_null(strstr(text_of("out"), "trace_operations"));
	assert_run(RUN("--device", path_of("a.img"), "--json", "/dev/fd/77", trace), 2, "Bad file descriptor");
	(void)snprintf(arguments, sizeof(arguments), "--device %s --json /dev/fd/3 %s 3<%s", path_of("a.img"), trace,
		       path_of("out"));
	assert_run(run_into("/dev/null", arguments), 2, "Bad file descriptor");
}

/* Another file does not take the place of a standard output that is closed. */
static void test_closed_output(void **state)
{
	const char *trace = make_trace("t", "0 d read 0 4096\n");
	char arguments[4 * TEST_PATH_SIZE];

	(void)state;
	test_image_create("a.img", MIB(1));
	(void)snprintf(arguments, sizeof(arguments), "--device %s --json %s %s", path_of("a.img"), path_of("r.json"),
		       trace);
	assert_run(run_into("&-", arguments), 2, "standard output: cannot be written: Bad file descriptor");
	assert_begins(text_of("r.json"), "{\n");
}

static void test_full_output(void **state)
{
	static const char *const printed[] = { "--help", "--version", "--list-formats" };
	const char *trace = make_trace("t", "0 d write 0 4096\n");
	char arguments[TEST_PATH_SIZE * 2];

	(void)state;
	for (size_t i = 0; i < 3; i++)
		assert_run(run_into("/dev/full", printed[i]), 2, "standard output: cannot be written: No space left");
	test_image_create("a.img", MIB(1));
	(void)unlink(path_of("j"));
	(void)snprintf(arguments, sizeof(arguments), "--device %s --writes real --journal %s %s", path_of("a.img"),
		       path_of("j"), trace);
	assert_run(run_into("/dev/full", arguments), 2, "standard output: cannot be written: No space left");
	(void)snprintf(arguments, sizeof(arguments), "--device %s --verify-only --journal %s", path_of("a.img"),
		       path_of("j"));
	assert_run(run_into("/dev/full", arguments), 2, "standard output: cannot be written: No space left");
}

/* A recording with a gap, and one that has nothing else. */
static const char *make_recording(bool operation)
{
	const struct recording_header header = {
		.magic = "RDISKREC",
		.byte_order = RECORDING_BYTE_ORDER,
		.version = RECORDING_VERSION,
		.header_size = sizeof(header),
		.device_size = sizeof(struct recording_device),
		.record_size = sizeof(struct recording_record),
	};
	const struct recording_record records[] = {
		{ .type = RECORDING_GAP, .length = 3 },
		{ .type = RECORDING_GAP, .length = 4 },
		{ .type = RECORDING_END, .length = 7 },
		{ .type = RECORDING_OPERATION, .operation = RDISK_OP_READ, .length = 512, .result = 512 },
		{ .type = RECORDING_END, .position = 1, .length = 7 },
	};
	const size_t count = operation ? 5 : 3;
	FILE *file = fopen(path_of("recording"), "w");

	assert_non_null(file);
	assert_int_equal(fwrite(&header, sizeof(header), 1, file), 1);
	assert_int_equal(fwrite(records, sizeof(records[0]), count, file), count);
	assert_int_equal(fclose(file), 0);
	return path_of("recording");
}

static void test_missing(void **state)
{
	(void)state;
	test_image_create("a.img", MIB(1));
	assert_run(RUN("--device", path_of("a.img"), "--json", "-", make_recording(true)), 0,
		   "record 2: 4 operations are missing here");
	assert_true(json_number("missing") == 7);
	assert_true(json_number("broken") == 0);
	assert_run(RUN("--device", path_of("a.img"), path_of("recording")), 0, "3 operations are missing here");
	assert_non_null(strstr(replay.output.text, "\n7 operations missing in the trace"));
	assert_run(RUN("--convert", "fio-3", path_of("recording")), 0, "7 operations are missing in the trace");
	assert_run(RUN("--device", path_of("a.img"), "--strict", path_of("recording")), 2, "missing here");
	assert_run(RUN("--device", path_of("a.img"), make_recording(false)), 2, "no record of ");
}

/* Compressed, but not with gzip. */
static void test_compressed(void **state)
{
	static const struct {
		const char *start, *name;
	} cases[] = { { "\xfd"
			"7zXZ",
			"xz" },
		      { "\x28\xb5\x2f\xfdx", "zstd" },
		      { "BZh91AY&SY", "bzip2" } };

	(void)state;
	test_image_create("a.img", MIB(1));
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char cause[64];
		FILE *file = fopen(path_of("t"), "w");

		assert_non_null(file);
		/* With a zero behind it. */
		assert_int_equal(fwrite(cases[i].start, strlen(cases[i].start) + 1, 1, file), 1);
		assert_int_equal(fclose(file), 0);
		(void)snprintf(cause, sizeof(cause), "is compressed with %s, and only gzip is read", cases[i].name);
		assert_run(RUN("--device", path_of("a.img"), path_of("t")), 2, cause);
		assert_run(RUN("--device", path_of("a.img"), "--format", "msr", path_of("t")), 2, cause);
	}
	assert_run(RUN("--device", path_of("a.img"), make_file("t", "junk\n")), 2, "--list-formats");
	assert_non_null(strstr(replay.log.text, "--format"));
}

/* Events are of two formats. */
static void test_events(void **state)
{
	(void)state;
	test_image_create("a.img", MIB(64));
	assert_run(RUN("--device", path_of("a.img"), "--event", "queued", make_trace("t", "")), 2,
		   "in the format fio-3 has no events");
	assert_run(RUN("--convert", "fio-3", "--event", "issued", SAMPLE("msr.csv")), 2,
		   "in the format msr has no events");
	assert_run(RUN("--convert", "fio-3", "--event", "queued", SAMPLE("guest.blktrace.0")), 0, "out");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		REPLAY_TEST(test_no_operation),	   REPLAY_TEST(test_many_devices),  REPLAY_TEST(test_empty_trace),
		REPLAY_TEST(test_several_devices), REPLAY_TEST(test_no_directory),  REPLAY_TEST(test_old_file),
		REPLAY_TEST(test_special_files),   REPLAY_TEST(test_full_output),   REPLAY_TEST(test_missing),
		REPLAY_TEST(test_compressed),	   REPLAY_TEST(test_events),	    REPLAY_TEST(test_limited_devices),
		REPLAY_TEST(test_shared_file),	   REPLAY_TEST(test_closed_output), REPLAY_TEST(test_broken_beginning),
	};

	test_runtime_new();
	return cmocka_run_group_tests_name("notice", tests, NULL, NULL);
}
