/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a replay reads and writes beside the disk: options, traces that are broken or come from a pipe, the
 * summary, JSON and HTML, and conversion.
 */
#include "fault_environment.h"
#include "replay_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <iconv.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cjson/cJSON.h>

static void test_bad_options(void **state)
{
	static const struct {
		const char *arguments[8];
		const char *cause;
	} cases[] = {
		{ { "t" }, "no disk" },
		{ { "--device", "x" }, "no trace" },
		{ { "--device", "x", "t", "u" }, "unexpected argument \"u\"" },
		{ { "--device", "x", "-d", "0", "t" }, "which disk" },
		{ { "-d", "0", "--direct", "t" }, "--direct goes with --device" },
		{ { "--device", "x", "-e", "3", "t" }, "-e and --minor go with -d" },
		{ { "--device", "x", "--minor", "1", "t" }, "-e and --minor go with -d" },
		{ { "--convert", "msr", "--minor", "1", "t" }, "needs no disk" },
		{ { "--device", "x", "--json", "-", "--html", "-", "t" }, "both be written to standard output" },
		{ { "--device", "x", "--json", "r", "--html", "r", "t" }, "both be written to r" },
		{ { "-d", "99", "t" }, "from 0 to 31" },
		{ { "--device", "x", "--depth", "0", "t" }, "from 1 to 128" },
		{ { "--device", "x", "--depth", "129", "t" }, "from 1 to 128" },
		{ { "--device", "x", "--depth", "1x", "t" }, "from 1 to 128" },
		{ { "--device", "x", "--speed", "fast", "t" }, "original, max or xN" },
		{ { "--device", "x", "--speed", "x0", "t" }, "original, max or xN" },
		{ { "--device", "x", "--speed", "x-1", "t" }, "original, max or xN" },
		{ { "--device", "x", "--speed", "xnan", "t" }, "original, max or xN" },
		{ { "--device", "x", "--map", "fold", "t" }, "error, skip, wrap or scale" },
		{ { "--device", "x", "--writes", "yes", "t" }, "fail, real or discard" },
		{ { "--device", "x", "--format", "elf", "t" }, "--list-formats" },
		{ { "--convert", "elf", "t" }, "--list-formats" },
		{ { "--convert", "rdisk", "t" }, "can be read but not written; see rdisk-replay --list-formats" },
		{ { "--device", "x", "--verify", "t" }, "needs --writes real" },
		{ { "--device", "x", "--journal", "j", "t" }, "needs --writes real" },
		{ { "--device", "x", "--verify-only" }, "needs the --journal" },
		{ { "--device", "x", "--verify-only", "--journal", "j", "t" }, "takes no trace" },
		{ { "--device", "x", "--lost-cache", "t" }, "goes with --verify-only" },
		{ { "--device", "x", "-o", "f", "t" }, "goes with --convert" },
		{ { "--device", "x", "--map", "scale", "-" }, "--trace-size" },
		{ { "--device", "x", "--trace-size", "-5", "t" }, "is not a size" },
		{ { "--device", "x", "--trace-size", "5X", "t" }, "is not a size" },
		{ { "--device", "x", "--trace-size", "99999999T", "t" }, "is not a size" },
		{ { "--device", "x", "--trace-device", "one", "t" }, "is not a device" },
		{ { "--device", "x", "--trace-size", "1M", "t" }, "--map scale" },
		{ { "--convert", "msr", "--trace-size", "1M", "t" }, "--map scale" },
		{ { "--device", "x", "--verify-only", "--journal", "j", "--json", "r" }, "do not go with" },
		{ { "--device", "x", "--verify-only", "--journal", "j", "--html", "r" }, "do not go with" },
		{ { "--convert", "msr", "--json", "r", "t" }, "do not go with" },
		{ { "--convert", "msr", "--html", "r", "t" }, "do not go with" },
		{ { "--convert", "msr", "--journal", "r", "t" }, "do not go with" },
		{ { "--convert", "msr", "--verify", "t" }, "do not go with" },
		{ { "--device" }, "needs a value" },
		{ { "--no-such" }, "bad option" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int status = replay_run(cases[i].arguments);

		assert_run(status, 2, cases[i].cause);
		/* One line, and nothing on stdout. */
		assert_ptr_equal(strchr(replay.log.text, '\n'), replay.log.text + replay.log.length - 1);
		assert_string_equal(replay.output.text, "");
	}
}

static void test_help(void **state)
{
	(void)state;
	assert_run(RUN("--help"), 0, NULL);
	assert_non_null(strstr(replay.output.text, "Usage: rdisk-replay"));
	assert_run(RUN("--version"), 0, NULL);
	assert_non_null(strstr(replay.output.text, "rdisk-replay "));
	assert_run(RUN("--list-formats"), 0, NULL);
	assert_non_null(strstr(replay.output.text, "blkreplay"));
	assert_non_null(strstr(replay.output.text, "rw: can be written too"));
}

static void test_broken_lines(void **state)
{
	const char *trace = make_trace("t", "0 d read 0 4096\n1 d read zero 4096\n2 d read 4096 4096\n");

	(void)state;
	test_image_create("a.img", MIB(1));
	assert_run(RUN("--device", path_of("a.img"), "--speed", "max", "--json", "-", trace), 0, "t:5: ");
	assert_true(json_number("broken") == 1);
	assert_true(json_number("kinds.read.operations") == 2);
	assert_run(RUN("--device", path_of("a.img"), "--speed", "max", "--strict", trace), 2, "t:5: ");
	assert_run(RUN("--device", path_of("a.img"), make_file("x", "this is no trace\n")), 2, "x");
}

/* Each number that can be known, and the sums. */
static void test_json(void **state)
{
	static const char *const kinds[] = { "read", "write", "flush", "discard", "write-zeroes" };
	const char *trace = make_mixed_trace("t", 2000, MIB(4), 9);
	double operations = 0, bytes = 0;

	(void)state;
	test_image_create("a.img", MIB(4));
	assert_run(RUN("--device", path_of("a.img"), "--speed", "x100000", "--depth", "4", "--writes", "real", "--seed",
		       "9007199254740991", "--json", "-", trace),
		   0, NULL);
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		char path[64];

		(void)snprintf(path, sizeof(path), "kinds.%s.operations", kinds[i]);
		operations += json_number(path);
		(void)snprintf(path, sizeof(path), "kinds.%s.bytes", kinds[i]);
		bytes += json_number(path);
		(void)snprintf(path, sizeof(path), "kinds.%s.latency_ns.max", kinds[i]);
		assert_true(json_number(path) <= json_number("all.latency_ns.max"));
	}
	assert_true(json_number("kinds.write.operations") > 1000);
	assert_true(json_number("kinds.discard.operations") > 0);
	assert_true(operations == 2000);
	assert_true(json_number("trace_operations") == 2000);
	assert_true(json_number("all.operations") == 2000);
	assert_true(json_number("all.bytes") == bytes);
	assert_true(json_number("errors") == 0);
	assert_true(json_number("seed") == 9007199254740991.0);
	assert_true(json_number("depth") == 4);
	assert_true(json_number("target_bytes") == (double)MIB(4));
	assert_true(json_number("trace_seconds") == 1.999);
	assert_true(json_number("seconds") >= 1.999 / 100000);
	assert_true(json_number("all.latency_ns.p50") <= json_number("all.latency_ns.p90"));
	assert_true(json_number("all.latency_ns.p90") <= json_number("all.latency_ns.p99"));
	assert_true(json_number("all.latency_ns.p99") <= json_number("all.latency_ns.max"));
	assert_true(json_number("lateness_ns.max") >= json_number("lateness_ns.p50"));
	/* The same into a file, and the table on stdout. */
	assert_run(RUN("--device", path_of("a.img"), "--speed", "max", "--writes", "real", "--json", path_of("r.json"),
		       trace),
		   0, NULL);
	assert_non_null(strstr(replay.output.text, "p99.9"));
	assert_true(test_image_size("r.json") > 1000);
	assert_run(
		RUN("--device", path_of("a.img"), "--speed", "max", "--writes", "real", "--json", "/dev/full", trace),
		2, "/dev/full");
}

/* What is written never goes over what it is made from. */
static void test_same_file(void **state)
{
	const char *body = "0 d read 0 4096\n";
	const char *trace = make_trace("t", body), *image = path_of("a.img");

	(void)state;
	(void)make_trace("copy", body);
	test_image_create("a.img", MIB(1));
	assert_int_equal(link(trace, path_of("link")), 0);
	assert_run(RUN("--convert", "msr", "-o", trace, trace), 2, "the trace itself");
	assert_run(RUN("--convert", "msr", "-o", path_of("link"), trace), 2, "the trace itself");
	assert_run(RUN("--device", image, "--json", trace, trace), 2, "the trace itself");
	assert_run(RUN("--device", image, "--html", trace, trace), 2, "the trace itself");
	assert_run(RUN("--device", image, "--json", image, trace), 2, "the disk itself");
	assert_run(RUN("--device", image, "--html", image, trace), 2, "the disk itself");
	assert_run(RUN("--device", image, "--writes", "real", "--journal", trace, trace), 2, "the trace itself");
	assert_true(same_images("t", "copy"));
	assert_int_equal(test_image_size("a.img"), MIB(1));
	/* Nor over the other one, by whatever name. */
	assert_int_equal(symlink("r", path_of("alias")), 0);
	assert_run(RUN("--device", image, "--json", path_of("r"), "--html", path_of("alias"), trace), 2,
		   "--json and --html would both be written to ");
	assert_int_equal(access(path_of("r"), F_OK), -1);
	assert_run(RUN("--device", image, "--json", "/dev/stdout", "--html", "/dev/fd/1", trace), 2,
		   "--json and --html would both be written to ");
	assert_run(RUN("--device", image, "--json", "-", "--html", "/dev/stdout", trace), 2,
		   "--json and --html would both be written to ");
	/* Nor a disk that is not there. */
	assert_run(RUN("--device", path_of("no.img"), "--json", path_of("no.img"), trace), 2, "the disk itself");
	assert_int_equal(access(path_of("no.img"), F_OK), -1);
}

/* The same of a trace that is a file for each processor. */
static void test_same_part(void **state)
{
	char command[4 * TEST_PATH_SIZE];
	const char *part = path_of("cpus.blktrace.1"), *trace = path_of("cpus");

	(void)state;
	(void)snprintf(command, sizeof(command), "cp %s/cpus.blktrace.? %s && cp %s %s", TRACE_SAMPLES,
		       test_directory(), TRACE_SAMPLES "/cpus.blktrace.1", path_of("copy"));
	assert_int_equal(system(command), 0);
	test_image_create("a.img", MIB(64));
	assert_run(RUN("--convert", "fio-3", "-o", part, trace), 2, "the trace itself");
	assert_run(RUN("--device", path_of("a.img"), "--writes", "discard", "--json", part, trace), 2,
		   "the trace itself");
	assert_true(same_images("cpus.blktrace.1", "copy"));
	/* A new file would be taken for the trace in place of its parts, or for one more of them. */
	assert_run(RUN("--convert", "fio-3", "-o", trace, trace), 2, "the trace itself");
	assert_run(RUN("--device", path_of("a.img"), "--writes", "discard", "--json", trace, trace), 2,
		   "the trace itself");
	assert_int_equal(access(trace, F_OK), -1);
	assert_run(RUN("--convert", "fio-3", "-o", path_of("cpus.blktrace.7"), trace), 2, "the trace itself");
	assert_int_equal(access(path_of("cpus.blktrace.7"), F_OK), -1);
	assert_run(RUN("--convert", "fio-3", "-o", path_of("cpus.fio"), trace), 0, "left out");
}

/* Whether text is UTF-8 as far as iconv() of the C library goes. */
static bool is_utf8(const char *text, size_t length)
{
	iconv_t converter = iconv_open("UTF-32LE", "UTF-8");
	char *from = (char *)text;
	bool well = true;

	assert_true(converter != (iconv_t)-1);
	while (length && well) {
		char piece[1024], *to = piece;
		size_t room = sizeof(piece);

		well = iconv(converter, &from, &length, &to, &room) != (size_t)-1 || errno == E2BIG;
	}
	(void)iconv_close(converter);
	return well;
}

/* A name may be no UTF-8; the JSON is. */
static void test_bad_name(void **state)
{
	const char *trace = make_trace("\xc3\xa4 \xff\xe4.fio", "0 d read 0 4096\n");

	(void)state;
	test_image_create("a.img", MIB(1));
	assert_run(RUN("--device", path_of("a.img"), "--json", "-", trace), 0, NULL);
	assert_true(is_utf8(replay.output.text, replay.output.length));
	assert_non_null(strstr(replay.output.text, "\xc3\xa4 \xef\xbf\xbd\xef\xbf\xbd.fio"));
}

/* A schedule is kept: the replay does not end before its time. */
static void test_schedule(void **state)
{
	(void)state;
	test_image_create("a.img", MIB(1));
	assert_run(RUN("--device", path_of("a.img"), "--json", "-",
		       make_trace("t", "0 d read 0 512\n100000 d read 0 512\n200000 d read 0 512\n")),
		   0, NULL);
	assert_true(json_number("seconds") >= 0.2);
	assert_run(RUN("--device", path_of("a.img"), "--speed", "x0.5", "--depth", "1", "--json", "-",
		       make_trace("t", "0 d read 0 512\n100000 d read 0 512\n")),
		   0, NULL);
	assert_true(json_number("seconds") >= 0.2);
	assert_true(json_number("trace_seconds") == 0.1);
}

static void assert_page(const char *name)
{
	char text[TEST_PATH_SIZE * 3];
	FILE *file = fopen(path_of(name), "r");
	size_t plots = 0;

	assert_non_null(file);
	while (fgets(text, sizeof(text), file)) {
		plots += strstr(text, "<svg ") != NULL;
		/* Nothing is fetched from anywhere. */
		assert_null(strstr(text, "href="));
		assert_null(strstr(text, "src="));
		assert_null(strstr(text, "url("));
		assert_null(strstr(text, "<script"));
		assert_null(strstr(text, "@import"));
	}
	(void)fclose(file);
	assert_true(plots >= 3);
	(void)snprintf(text, sizeof(text), "xmllint --noout %s", path_of(name));
	if (access("/usr/bin/xmllint", X_OK) == 0)
		assert_int_equal(system(text), 0);
}

static void test_html(void **state)
{
	const char *trace = make_mixed_trace("<&\"t", 3000, MIB(4), 10);

	(void)state;
	test_image_create("a.img", MIB(4));
	assert_run(RUN("--device", path_of("a.img"), "--speed", "x1000", "--writes", "real", "--html",
		       path_of("r.html"), trace),
		   0, NULL);
	assert_page("r.html");
	/* With nothing to draw. */
	assert_run(RUN("--device", path_of("a.img"), "--html", path_of("r.html"), make_trace("t", "")), 0, NULL);
	assert_page("r.html");
}

/* A page, to be freed. */
static char *read_page(const char *name)
{
	size_t size = test_image_size(name);
	char *text = calloc(size + 1, 1);

	assert_non_null(text);
	test_image_read(name, 0, text, size);
	return text;
}

/* What was not done as in the trace is told, in all three forms: each count is another one. */
static void test_counts(void **state)
{
	static const struct {
		int count;
		const char *key, *line, *row;
	} counts[] = {
		{ 1, "not_replayable", "operations of the trace that cannot be replayed, left out",
		  "operations of the trace that cannot be replayed" },
		{ 2, "broken", "broken lines of the trace, left out", "broken lines of the trace" },
		{ 3, "widened", "operations widened to whole blocks", "widened to whole blocks" },
		{ 4, "skipped", "operations skipped: beyond the end of the disk",
		  "skipped, beyond the end of the disk" },
		{ 5, "discarded", "changes of the disk not done (--writes discard)", "changes of the disk not done" },
	};
	const char *trace = make_trace("t", "0 d sync_file_range 0 4096\n1 d read x 1\n1 d erase 0 512\n"
					    "2 d read 1 1\n2 d read 2 1\n2 d read 3 1\n3 d read 1048576 512\n"
					    "3 d read 1048576 512\n3 d read 1048576 512\n3 d read 1048576 512\n"
					    "4 d write 0 512\n4 d write 0 512\n4 d write 0 512\n4 d trim 0 512\n"
					    "4 d trim 0 512\n");
	char *page;

	(void)state;
	test_image_create("a.img", MIB(1));
	assert_run(RUN("--device", path_of("a.img"), "--speed", "max", "--map", "skip", "--writes", "discard", "--html",
		       path_of("r.html"), trace),
		   0, "t:5: ");
	page = read_page("r.html");
	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		char line[128], row[128];

		(void)snprintf(line, sizeof(line), "\n%d %s\n", counts[i].count, counts[i].line);
		if (!strstr(replay.output.text, line))
			fail_msg("no line \"%s\" in: %s", line, replay.output.text);
		(void)snprintf(row, sizeof(row), "<td>%s</td><td class=\"n\">%d</td>", counts[i].row, counts[i].count);
		if (!strstr(page, row))
			fail_msg("no row %s in: %s", row, page);
	}
	free(page);
	assert_run(RUN("--device", path_of("a.img"), "--speed", "max", "--map", "skip", "--writes", "discard", "--json",
		       "-", trace),
		   0, "t:5: ");
	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++)
		assert_true(json_number(counts[i].key) == counts[i].count);
}

/* Of more operations than a plot has room for an even choice is drawn, and the table counts all of them. */
static void test_long_html(void **state)
{
	const char *trace = make_trace("t", "");
	FILE *file = fopen(trace, "a");
	size_t points = 0;
	char *page;

	(void)state;
	assert_non_null(file);
	for (unsigned int i = 0; i < 40000; i++)
		(void)fprintf(file, "%u d read %u 512\n", i, i * 7919 % 131072 * 512);
	assert_int_equal(fclose(file), 0);
	test_image_create("a.img", MIB(64));
	assert_run(
		RUN("--device", path_of("a.img"), "--speed", "max", "--depth", "1", "--html", path_of("r.html"), trace),
		0, NULL);
	assert_page("r.html");
	page = read_page("r.html");
	assert_non_null(strstr(page, "<td>read</td><td class=\"n\">40000</td>"));
	assert_non_null(strstr(page, "too many operations to draw"));
	for (const char *at = page; (at = strstr(at, "h0")); at++)
		points++;
	assert_in_range(points, 4000, 13000);
	free(page);
}

/* A file that cannot be written does not cost the others. */
static void test_unwritable_json(void **state)
{
	(void)state;
	test_image_create("a.img", MIB(1));
	(void)unlink(path_of("r.html"));
	assert_run(RUN("--device", path_of("a.img"), "--json", "/dev/full", "--html", path_of("r.html"),
		       make_trace("t", "0 d read 0 4096\n")),
		   2, "/dev/full");
	assert_page("r.html");
}

/* Nor does one whose reader has gone. */
static void test_unread_json(void **state)
{
	const char *json = path_of("json"), *trace = path_of("trace");
	int reader, writer;

	(void)state;
	test_image_create("a.img", MIB(1));
	(void)unlink(path_of("r.html"));
	assert_int_equal(mkfifo(json, 0600), 0);
	assert_int_equal(mkfifo(trace, 0600), 0);
	START("--device", path_of("a.img"), "--json", json, "--html", path_of("r.html"), trace);
	reader = open(json, O_RDONLY | O_CLOEXEC);
	/* It opens the trace behind them. */
	writer = open(trace, O_WRONLY | O_CLOEXEC);
	assert_true(reader >= 0 && writer >= 0);
	(void)close(reader);
	assert_int_equal(dprintf(writer, "fio version 3 iolog\n0 d add\n0 d open\n0 d read 0 4096\n") > 0, 1);
	(void)close(writer);
	assert_run(test_process_stop(&replay, 0), 2, "json: cannot be written: Broken pipe");
	assert_non_null(strstr(replay.output.text, "p99.9"));
	assert_page("r.html");
}

/* What the check at the end found and took is told in all three forms. */
static void test_final_check(void **state)
{
	const char *trace = make_trace("t", "0 d write 0 4096\n1 d read 8192 1024\n");
	char *page;

	(void)state;
	test_image_create("a.img", MIB(1));
	assert_run(RUN("--device", path_of("a.img"), "--speed", "max", "--writes", "real", "--verify", "--html",
		       path_of("r.html"), trace),
		   0, NULL);
	assert_non_null(strstr(replay.output.text, "verify: 8 blocks right, 0 wrong, 2 read that this replay knows "
						   "nothing of; reading all again at the end took "));
	page = read_page("r.html");
	assert_non_null(strstr(page, "<td>blocks read that this replay knows nothing of</td><td class=\"n\">2</td>"));
	assert_non_null(strstr(page, "<td>time of the final check</td>"));
	/* Of one operation each plot has a dot that is seen. */
	assert_non_null(strstr(page, "<circle"));
	free(page);
	assert_run(RUN("--device", path_of("a.img"), "--speed", "max", "--writes", "real", "--verify", "--json", "-",
		       trace),
		   0, NULL);
	assert_true(json_number("verify.seconds") > 0);
	assert_true(json_number("verify.read_errors") == 0);
}

static void test_convert(void **state)
{
	const char *trace = make_trace("t", "0 d write 0 4096\n1500 d read 8192 512\n2500 d datasync 0 0\n");

	(void)state;
	assert_run(RUN("--convert", "blkparse", "-o", path_of("t.blkparse"), trace), 0, NULL);
	assert_run(RUN("--convert", "fio-3", "-o", path_of("t2"), path_of("t.blkparse")), 0, NULL);
	assert_run(RUN("--convert", "fio-3", "-o", path_of("t3"), path_of("t2")), 0, NULL);
	assert_true(same_images("t2", "t3"));
	assert_run(RUN("--convert", "fio-3", "--limit", "1", trace), 0, NULL);
	assert_non_null(strstr(replay.output.text, " write 0 4096\n"));
	assert_null(strstr(replay.output.text, "read"));
	/* What the format cannot say is said. */
	assert_run(RUN("--convert", "msr", trace), 0, "1 flush");
	assert_run(RUN("--convert", "fio-3", "-o", "/dev/full", trace), 2, "/dev/full");
	/* Both replay alike. */
	test_image_create("a.img", MIB(1));
	test_image_create("b.img", MIB(1));
	assert_run(RUN("--device", path_of("a.img"), "--speed", "max", "--seed", "1", "--writes", "real", trace), 0,
		   NULL);
	assert_run(RUN("--device", path_of("b.img"), "--speed", "max", "--seed", "1", "--writes", "real",
		       path_of("t.blkparse")),
		   0, NULL);
	assert_true(same_images("a.img", "b.img"));
}

static void make_old(void)
{
	(void)make_file("old", "what was there\n");
}

static bool is_old(void)
{
	char text[16] = "";

	test_image_read("old", 0, text, 15);
	return test_image_size("old") == 15 && strcmp(text, "what was there\n") == 0;
}

/* A conversion that has nothing to write leaves no file, and what was there as it was. */
static void test_failed_convert(void **state)
{
	static const char *const traces[][3] = {
		{ "--strict", "broken", "broken:4: " },
		{ "--trace-device=7", "t", "no operation of device 7" },
		{ "--strict", "none", "No such file" },
	};

	(void)state;
	(void)make_trace("broken", "0 d write x 4096\n");
	(void)make_trace("t", "0 d write 0 4096\n1 d write x 4096\n");
	for (size_t i = 0; i < sizeof(traces) / sizeof(traces[0]); i++) {
		const char *trace = path_of(traces[i][1]);

		(void)unlink(path_of("new"));
		make_old();
		assert_run(RUN("--convert", "blkreplay", traces[i][0], "-o", path_of("new"), trace), 2, traces[i][2]);
		assert_int_equal(access(path_of("new"), F_OK), -1);
		assert_run(RUN("--convert", "blkreplay", traces[i][0], "-o", path_of("old"), trace), 2, traces[i][2]);
		assert_true(is_old());
		assert_run(RUN("--convert", "blkreplay", traces[i][0], trace), 2, traces[i][2]);
		assert_string_equal(replay.output.text, "");
	}
	/* What could be read is whole. */
	(void)make_trace("one", "0 d write 0 4096\n");
	assert_run(RUN("--convert", "msr", "-o", path_of("whole"), path_of("one")), 0, NULL);
	assert_run(RUN("--convert", "msr", "--strict", "-o", path_of("old"), path_of("t")), 2, "t:5: ");
	assert_true(same_images("whole", "old"));
	assert_run(RUN("--convert", "msr", "-o", "-", path_of("one")), 0, NULL);
	assert_non_null(strstr(replay.output.text, ",Write,0,4096"));
}

/* One that does not get all of it onto the disk leaves no part of it that could be taken for the whole. */
static void test_full_convert(void **state)
{
	const char *trace = make_mixed_trace("long", 10000, MIB(4), 11);
	char command[3 * TEST_PATH_SIZE];
	const char *const arguments[] = { "/bin/sh", "-c", command, NULL };

	(void)state;
	(void)unlink(path_of("new"));
	(void)snprintf(command, sizeof(command), "ulimit -f 16; exec %s --convert fio-3 -o %s %s", REPLAY_PROGRAM,
		       path_of("new"), trace);
	test_process_start(&replay, arguments, NULL);
	assert_run(test_process_stop(&replay, 0), 2, "File too large");
	assert_int_equal(access(path_of("new"), F_OK), -1);
	/* So it is of a replay, whose memory is a file too. */
	test_image_create("a.img", MIB(4));
	(void)snprintf(command, sizeof(command), "ulimit -f 16; exec %s --device %s --writes discard %s",
		       REPLAY_PROGRAM, path_of("a.img"), trace);
	test_process_start(&replay, arguments, NULL);
	assert_run(test_process_stop(&replay, 0), 2, "File too large");
}

/* Nobody reads the messages: the conversion is whole all the same. */
static void test_unread_messages(void **state)
{
	const char *trace = make_trace("t", "0 d write 0 4096\n1 d write x 4096\n2 d read 0 4096\n");
	const char *whole = make_trace("w", "0 d write 0 4096\n2 d read 0 4096\n");
	char command[4 * TEST_PATH_SIZE];
	const char *const arguments[] = { "/bin/sh", "-c", command, NULL };

	(void)state;
	assert_run(RUN("--convert", "msr", "-o", path_of("whole"), whole), 0, NULL);
	assert_int_equal(mkfifo(path_of("messages"), 0600), 0);
	(void)snprintf(command, sizeof(command), "exec 3<>%s 4>%s 3<&-; exec %s --convert msr -o %s %s 2>&4",
		       path_of("messages"), path_of("messages"), REPLAY_PROGRAM, path_of("new"), trace);
	test_process_start(&replay, arguments, NULL);
	assert_run(test_process_stop(&replay, 0), 0, NULL);
	assert_true(same_images("whole", "new"));
}

/* What a failed conversion takes away is the file that it has made, by whatever name, and nothing else. */
static void test_removed_output(void **state)
{
	const char *link = path_of("dangling"), *target = path_of("target"), *fifo = path_of("late");
	int writer;

	(void)state;
	(void)make_trace("broken", "0 d write x 4096\n");
	assert_int_equal(symlink("target", link), 0);
	assert_run(RUN("--convert", "msr", "--strict", "-o", link, path_of("broken")), 2, "broken:4: ");
	assert_int_equal(access(target, F_OK), -1);
	assert_int_equal(unlink(link), 0);
	/* Others write into it meanwhile, or put one of theirs in its place. */
	assert_int_equal(mkfifo(fifo, 0600), 0);
	for (int replaced = 0; replaced < 2; replaced++) {
		(void)unlink(target);
		START("--convert", "msr", "--strict", "-o", target, fifo);
		writer = open(fifo, O_WRONLY | O_CLOEXEC);
		assert_true(writer >= 0);
		if (replaced)
			assert_int_equal(unlink(target), 0);
		(void)make_file("target", replaced ? "" : "theirs");
		(void)close(writer);
		assert_run(test_process_stop(&replay, 0), 2, "late");
		assert_int_equal(test_image_size("target"), replaced ? 0 : 6);
	}
}

/* Without memory there is the whole file, or what was read until then, or none. */
static void test_convert_without_memory(void **state)
{
	char made[TEST_PATH_SIZE], trace[TEST_PATH_SIZE];
	const char *const arguments[] = { REPLAY_PROGRAM, "--convert", "msr", "-o", made, trace, NULL };
	struct fault_environment environment;
	bool met = true;

	(void)state;
	test_path(made, "new");
	test_path(trace, "t");
	(void)make_trace("t", "0 d write 0 4096\n");
	for (int n = 1; met; n++) {
		char fault[32];

		(void)snprintf(fault, sizeof(fault), "malloc:%d", n);
		fault_environment_set(&environment, fault);
		(void)unlink(made);
		test_process_start(&replay, arguments, environment.variables);
		if (test_process_stop(&replay, 0) && !access(made, F_OK) && test_image_size("new") == 0)
			fail_msg("without the allocation %d there is an empty file: %s", n, replay.log.text);
		met = strstr(replay.log.text, FAULT_MET) != NULL;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		REPLAY_TEST(test_bad_options),	   REPLAY_TEST(test_help),
		REPLAY_TEST(test_broken_lines),	   REPLAY_TEST(test_json),
		REPLAY_TEST(test_schedule),	   REPLAY_TEST(test_html),
		REPLAY_TEST(test_convert),	   REPLAY_TEST(test_counts),
		REPLAY_TEST(test_same_file),	   REPLAY_TEST(test_bad_name),
		REPLAY_TEST(test_unwritable_json), REPLAY_TEST(test_long_html),
		REPLAY_TEST(test_final_check),	   REPLAY_TEST(test_same_part),
		REPLAY_TEST(test_failed_convert),  REPLAY_TEST(test_full_convert),
		REPLAY_TEST(test_unread_json),	   REPLAY_TEST(test_unread_messages),
		REPLAY_TEST(test_removed_output),  REPLAY_TEST(test_convert_without_memory),
	};

	test_runtime_new();
	return cmocka_run_group_tests_name("output", tests, NULL, NULL);
}
