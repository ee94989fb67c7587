/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Replay against files: what is done where, what is refused, what verify and the journal find.
 */
#include "replay_fixture.h"

#include <fcntl.h>
#include <glob.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define BLOCK 4096

static bool is_zero(const char *image, uint64_t position, size_t length)
{
	static unsigned char bytes[65536];

	test_image_read(image, position, bytes, length);
	for (size_t i = 0; i < length; i++)
		if (bytes[i])
			return false;
	return true;
}

static uint64_t stamp_word(const char *image, uint64_t position, int word)
{
	uint64_t value;

	test_image_read(image, position + (uint64_t)word * 8, &value, sizeof(value));
	return value;
}

static void test_refuses_writes(void **state)
{
	const char *trace = make_trace("t", "0 d read 0 4096\n10 d write 4096 4096\n");
	int saved, fd, status;

	(void)state;
	test_image_create("a.img", MIB(1));
	/* The trace can be looked at before: nothing is done, and nothing is said on stdout. */
	assert_run(RUN("--device", path_of("a.img"), trace), 1, "--writes real");
	assert_string_equal(replay.output.text, "");
	/* It cannot: the read is done, the write is not. */
	saved = dup(STDIN_FILENO);
	fd = open(trace, O_RDONLY | O_CLOEXEC);
	assert_int_equal(dup2(fd, STDIN_FILENO), STDIN_FILENO);
	status = RUN("--device", path_of("a.img"), "--json", "-", "-");
	assert_int_equal(dup2(saved, STDIN_FILENO), STDIN_FILENO);
	(void)close(saved);
	(void)close(fd);
	assert_run(status, 1, "--writes real");
	assert_true(json_number("kinds.read.operations") == 1);
	assert_true(json_number("kinds.write.operations") == 0);
	assert_true(is_zero("a.img", 0, 65536));

	/* Left out: the rest is replayed, also on what cannot be written. */
	assert_int_equal(chmod(path_of("a.img"), 0400), 0);
	assert_run(RUN("--device", path_of("a.img"), "--speed", "max", "--writes", "discard", "--json", "-", trace), 0,
		   NULL);
	assert_true(json_number("discarded") == 1);
	assert_true(json_number("kinds.read.operations") == 1);
	assert_true(is_zero("a.img", 0, 65536));
	assert_int_equal(chmod(path_of("a.img"), 0600), 0); /* the next test makes it anew */
}

/* What lies where, byte for byte, and that a trace that only reads needs no option. */
static void test_data(void **state)
{
	const char *trace = make_trace("t", "0 d write 8192 4096\n10 d write 512 512\n20 d write 8192 512\n"
					    "30 d read 8192 4096\n40 d trim 12288 4096\n50 d sync 0 0\n");

	(void)state;
	test_image_create("a.img", MIB(1));
	assert_run(RUN("--device", path_of("a.img"), "--speed", "max", "--writes", "real", "--verify", "--seed", "99",
		       trace),
		   0, NULL);
	for (uint64_t at = 0; at < MIB(1); at += 512) {
		uint64_t sequence = at == 512 ? 2 : at == 8192 ? 3 : at > 8192 && at < 12288 ? 1 : 0;

		if (sequence == 0) {
			assert_true(is_zero("a.img", at, 512));
			continue;
		}
		assert_memory_equal("rdiskrpl", (uint64_t[]){ stamp_word("a.img", at, 0) }, 8);
		assert_int_equal(stamp_word("a.img", at, 1), 99);
		assert_int_equal(stamp_word("a.img", at, 2), at);
		assert_int_equal(stamp_word("a.img", at, 3), sequence);
	}
	trace = make_trace("r", "0 d read 8192 4096\n10 d sync 0 0\n");
	assert_run(RUN("--device", path_of("a.img"), trace), 0, NULL);
}

/* One seed gives one image, whatever the depth; another seed another one. */
static void test_same_image(void **state)
{
	static const char *const depths[] = { "1", "7", "128" };
	const char *trace = make_mixed_trace("t", 3000, MIB(1), 5);

	(void)state;
	test_image_create("a.img", MIB(1));
	assert_run(RUN("--device", path_of("a.img"), "--speed", "max", "--depth", "32", "--writes", "real", "--verify",
		       "--seed", "3", trace),
		   0, NULL);
	for (size_t i = 0; i < 3; i++) {
		test_image_create("b.img", MIB(1));
		assert_run(RUN("--device", path_of("b.img"), "--speed", "x1000", "--depth", depths[i], "--writes",
			       "real", "--seed", "3", trace),
			   0, NULL);
		assert_true(same_images("a.img", "b.img"));
	}
	assert_run(RUN("--device", path_of("b.img"), "--speed", "max", "--writes", "real", trace), 0, NULL);
	assert_false(same_images("a.img", "b.img"));
}

/* With overlaps left free verify accepts either of two, and nothing else. */
static void test_overlap_free(void **state)
{
	const char *trace = make_mixed_trace("t", 5000, KIB(128), 6);

	(void)state;
	test_image_create("a.img", KIB(128));
	assert_run(RUN("--device", path_of("a.img"), "--speed", "max", "--overlap", "free", "--writes", "real",
		       "--verify", "--json", "-", trace),
		   0, NULL);
	assert_true(json_number("held") == 0);
	assert_true(json_number("verify.blocks_right") > 0);
	assert_true(json_number("verify.blocks_wrong") == 0);
}

static void test_map(void **state)
{
	/* Fits; crosses the end; beyond it; longer than the disk. */
	const char *trace = make_trace("t", "0 d write 0 4096\n1 d write 1044480 8192\n2 d write 1056768 4096\n"
					    "3 d write 0 2097152\n");
	static const struct {
		const char *how, *cause;
		int status;
		double writes, mapped, skipped, misplaced;
	} cases[] = {
		{ "error", "beyond the end of the disk, 1048576; --map says", 1, 1, 0, 0, 3 },
		{ "skip", NULL, 0, 1, 0, 3, 0 },
		{ "wrap", "2097152 bytes at 0 is longer than the disk, 1048576\n", 1, 3, 2, 0, 1 },
		{ "scale", "2097152 bytes at 0 is longer than the disk, 1048576\n", 1, 3, 2, 0, 1 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		test_image_create("a.img", MIB(1));
		assert_run(RUN("--device", path_of("a.img"), "--speed", "max", "--writes", "real", "--verify", "--map",
			       cases[i].how, "--json", "-", trace),
			   cases[i].status, cases[i].cause);
		assert_true(json_number("kinds.write.operations") == cases[i].writes);
		assert_true(json_number("mapped") == cases[i].mapped);
		assert_true(json_number("skipped") == cases[i].skipped);
		assert_true(json_number("misplaced") == cases[i].misplaced);
		assert_true(json_number("errors") == cases[i].misplaced);
		assert_true(json_number("kinds.write.errors") == cases[i].misplaced);
		assert_true(json_number("all.errors") == cases[i].misplaced);
		assert_int_equal(test_image_size("a.img"), MIB(1));
	}
	/* The last run: the trace is 2 MiB long, so 1056768 went to 528384, and 1044480 to 522240. */
	assert_int_equal(stamp_word("a.img", 528384, 3), 3);
	assert_int_equal(stamp_word("a.img", 522240, 3), 2);
}

/* Positions and lengths that are no whole blocks. */
static void test_widened(void **state)
{
	const char *trace = make_trace("t", "0 d write 1000 100\n1 d write 2047 2\n2 d read 1 1\n3 d write 4096 512\n");

	(void)state;
	test_image_create("a.img", 1000 * 512 + 77);
	assert_run(RUN("--device", path_of("a.img"), "--speed", "max", "--writes", "real", "--verify", "--json", "-",
		       trace),
		   0, NULL);
	assert_true(json_number("widened") == 3);
	assert_true(json_number("kinds.write.bytes") == 2 * 1024 + 512);
	assert_int_equal(stamp_word("a.img", 512, 3), 1);
	assert_int_equal(stamp_word("a.img", 1024, 3), 1);
	assert_int_equal(stamp_word("a.img", 1536, 3), 2);
	assert_int_equal(stamp_word("a.img", 2048, 3), 2);
	/* The last, cut block of the file is nobody's. */
	trace = make_trace("t", "0 d write 512000 10\n");
	assert_run(RUN("--device", path_of("a.img"), "--speed", "max", "--writes", "real", trace), 1, "beyond the end");
	assert_int_equal(test_image_size("a.img"), 1000 * 512 + 77);
}

/* A block that lies in the wrong place is seen by a read in the midst of a replay. */
static void test_misplaced_data(void **state)
{
	unsigned char bytes[512];

	(void)state;
	test_image_create("a.img", MIB(1));
	assert_run(RUN("--device", path_of("a.img"), "--speed", "max", "--writes", "real", "--seed", "5",
		       make_trace("t", "0 d write 0 4096\n")),
		   0, NULL);
	test_image_read("a.img", 1024, bytes, sizeof(bytes));
	test_image_write("a.img", 66048, bytes, sizeof(bytes));
	assert_run(RUN("--device", path_of("a.img"), "--speed", "max", "--writes", "real", "--seed", "5", "--verify",
		       make_trace("t", "0 d write 4096 4096\n1 d read 65536 4096\n")),
		   1, "position 66048: expected none of this replay, found write 1 of position 1024");
	assert_non_null(strstr(replay.output.text, "1 wrong"));
}

/* The journal of a replay that ended, and a disk that was changed after it. */
static void test_planted_corruption(void **state)
{
	const char *trace = make_trace("t", "0 d write 0 8192\n1 d write 4096 4096\n2 d trim 65536 4096\n"
					    "3 d write 65536 512\n");
	unsigned char bytes[512], flipped[512];

	(void)state;
	test_image_create("a.img", MIB(1));
	(void)unlink(path_of("j"));
	assert_run(RUN("--device", path_of("a.img"), "--speed", "max", "--writes", "real", "--seed", "5", "--journal",
		       path_of("j"), trace),
		   0, NULL);
	assert_run(RUN("--verify-only", "--journal", path_of("j"), "--device", path_of("a.img")), 0, NULL);
	assert_non_null(strstr(replay.output.text, "17 blocks right, 0 wrong, 7 of which nothing is known"));

	/* An older write: the newer was lost. */
	test_image_read("a.img", 4096, bytes, sizeof(bytes));
	test_image_create("b.img", MIB(1));
	assert_run(RUN("--device", path_of("b.img"), "--speed", "max", "--writes", "real", "--seed", "5", "--limit",
		       "1", trace),
		   0, NULL);
	test_image_read("b.img", 4096, flipped, sizeof(flipped));
	test_image_write("a.img", 4096, flipped, sizeof(flipped));
	assert_run(RUN("--verify-only", "--journal", path_of("j"), "--device", path_of("a.img")), 1,
		   "position 4096: expected write 2 or a later one, found write 1");
	/* One bit. */
	memcpy(flipped, bytes, sizeof(bytes));
	flipped[300] ^= 4;
	test_image_write("a.img", 4096, flipped, sizeof(flipped));
	assert_run(RUN("--verify-only", "--journal", path_of("j"), "--device", path_of("a.img")), 1,
		   "position 4096: expected write 2 or a later one, found a write with a wrong checksum");
	/* Zeroes. */
	memset(flipped, 0, sizeof(flipped));
	test_image_write("a.img", 4096, flipped, sizeof(flipped));
	assert_run(RUN("--verify-only", "--journal", path_of("j"), "--device", path_of("a.img")), 1, "found zeroes");
	/* Something else. */
	memset(flipped, 0x5a, sizeof(flipped));
	test_image_write("a.img", 4096, flipped, sizeof(flipped));
	assert_run(RUN("--verify-only", "--journal", path_of("j"), "--device", path_of("a.img")), 1,
		   "found data of no replay");
	/* After the trim anything is right, in the write behind it nothing else is. */
	test_image_write("a.img", 4096, bytes, sizeof(bytes));
	test_image_write("a.img", 66048, flipped, sizeof(flipped));
	assert_run(RUN("--verify-only", "--journal", path_of("j"), "--device", path_of("a.img")), 0, NULL);
	test_image_write("a.img", 65536, flipped, sizeof(flipped));
	assert_run(RUN("--verify-only", "--journal", path_of("j"), "--device", path_of("a.img")), 1, "position 65536");
}

/* What a flush covers has to be there after the cache was lost, and the rest may be. */
static void test_lost_cache(void **state)
{
	const char *trace = make_trace("t", "0 d write 0 512\n1 d datasync 0 0\n2 d write 0 512\n3 d write 512 512\n");
	unsigned char first[512], zeroes[512] = { 0 };

	(void)state;
	test_image_create("b.img", MIB(1));
	assert_run(RUN("--device", path_of("b.img"), "--speed", "max", "--writes", "real", "--seed", "5", "--limit",
		       "1", trace),
		   0, NULL);
	test_image_read("b.img", 0, first, sizeof(first));
	test_image_create("a.img", MIB(1));
	(void)unlink(path_of("j"));
	assert_run(RUN("--device", path_of("a.img"), "--speed", "max", "--depth", "1", "--writes", "real", "--seed",
		       "5", "--journal", path_of("j"), trace),
		   0, NULL);
	/* Both of the later writes are lost. */
	test_image_write("a.img", 0, first, sizeof(first));
	test_image_write("a.img", 512, zeroes, sizeof(zeroes));
	assert_run(RUN("--verify-only", "--journal", path_of("j"), "--device", path_of("a.img")), 1, "position 0");
	assert_run(RUN("--verify-only", "--lost-cache", "--journal", path_of("j"), "--device", path_of("a.img")), 0,
		   NULL);
	/* The one that was flushed is lost too. */
	test_image_write("a.img", 0, zeroes, sizeof(zeroes));
	assert_run(RUN("--verify-only", "--lost-cache", "--journal", path_of("j"), "--device", path_of("a.img")), 1,
		   "position 0: expected write 1 or a later one, found zeroes");
}

/* When nothing had to be there the check has shown nothing, and says so. */
static void test_nothing_flushed(void **state)
{
	static const char note[] = "no write was covered by a flush: nothing could be checked";
	const char *trace = make_trace("t", "0 d write 0 512\n1 d write 512 512\n");

	(void)state;
	test_image_create("a.img", MIB(1));
	(void)unlink(path_of("j"));
	assert_run(RUN("--device", path_of("a.img"), "--speed", "max", "--writes", "real", "--journal", path_of("j"),
		       trace),
		   0, NULL);
	assert_run(RUN("--verify-only", "--journal", path_of("j"), "--device", path_of("a.img")), 0, NULL);
	assert_run(RUN("--verify-only", "--lost-cache", "--journal", path_of("j"), "--device", path_of("a.img")), 0,
		   note);
	/* A write that was stable by itself is as good as a flush. */
	(void)unlink(path_of("j"));
	trace = make_file("t", "  8,0 0 1 0.0 1 Q WF 8 + 8 [x]\n");
	assert_run(RUN("--device", path_of("a.img"), "--writes", "real", "--journal", path_of("j"), trace), 0, NULL);
	assert_run(RUN("--verify-only", "--lost-cache", "--journal", path_of("j"), "--device", path_of("a.img")), 0,
		   NULL);
}

static void test_bad_journals(void **state)
{
	const char *trace = make_trace("t", "0 d write 0 512\n");
	unsigned char byte;
	int fd;

	(void)state;
	test_image_create("a.img", MIB(1));
	(void)unlink(path_of("j"));
	assert_run(RUN("--device", path_of("a.img"), "--speed", "max", "--writes", "real", "--journal", path_of("j"),
		       trace),
		   0, NULL);
	/* A journal is not written over. */
	assert_run(RUN("--device", path_of("a.img"), "--speed", "max", "--writes", "real", "--journal", path_of("j"),
		       trace),
		   2, "exists");
	test_image_create("b.img", KIB(512));
	assert_run(RUN("--verify-only", "--journal", path_of("j"), "--device", path_of("b.img")), 2,
		   "the journal is of a disk");
	assert_run(RUN("--verify-only", "--journal", trace, "--device", path_of("a.img")), 2, "is not a journal");
	assert_run(RUN("--verify-only", "--journal", path_of("none"), "--device", path_of("a.img")), 2, "No such file");
	fd = open(path_of("j"), O_RDWR | O_CLOEXEC);
	assert_int_equal(pread(fd, &byte, 1, 16), 1);
	byte ^= 1;
	assert_int_equal(pwrite(fd, &byte, 1, 16), 1);
	(void)close(fd);
	assert_run(RUN("--verify-only", "--journal", path_of("j"), "--device", path_of("a.img")), 2, "damaged");
}

/*
 * A replay of the trace "t" onto a.img whose journal may not grow beyond that. Its buffers are files too, so the limit
 * is set after them: while it waits for the trace, from a pipe.
 */
static int run_limited(uint64_t size)
{
	struct rlimit limit;
	static char bytes[65536];
	ssize_t got;
	int from = open(path_of("t"), O_RDONLY | O_CLOEXEC), to;

	(void)unlink(path_of("fifo"));
	assert_int_equal(mkfifo(path_of("fifo"), 0600), 0);
	/* The error is wanted in place of the signal, and it ends before all of the trace is read. */
	assert_true(signal(SIGXFSZ, SIG_IGN) != SIG_ERR);
	START("--device", path_of("a.img"), "--speed", "max", "--writes", "real", "--journal", path_of("j"),
	      path_of("fifo"));
	assert_true(signal(SIGXFSZ, SIG_DFL) != SIG_ERR);
	assert_true(signal(SIGPIPE, SIG_IGN) != SIG_ERR);
	to = open(path_of("fifo"), O_WRONLY | O_CLOEXEC);
	assert_true(to >= 0);
	assert_int_equal(prlimit(replay.pid, RLIMIT_FSIZE, NULL, &limit), 0);
	limit.rlim_cur = size;
	assert_int_equal(prlimit(replay.pid, RLIMIT_FSIZE, &limit, NULL), 0);
	while ((got = read(from, bytes, sizeof(bytes))) > 0 && write(to, bytes, (size_t)got) == got)
		;
	(void)close(to);
	(void)close(from);
	assert_true(signal(SIGPIPE, SIG_DFL) != SIG_ERR);
	return test_process_stop(&replay, 0);
}

/* The journal cannot grow: with the operations under way it ends well, and that is said. */
static void test_full_journal(void **state)
{
	FILE *file;

	(void)state;
	test_image_create("a.img", MIB(1));
	(void)unlink(path_of("j"));
	file = fopen(make_trace("t", ""), "a");
	assert_non_null(file);
	/* More than the records of the first 4 MiB. */
	for (unsigned int i = 0; i < 132000; i++)
		(void)fprintf(file, "%u d write %u 512\n", i, i % 2048 * 512);
	assert_int_equal(fclose(file), 0);
	assert_run(run_limited(MIB(6)), 2, "cannot allocate space");
	/* What it has is good. */
	assert_run(RUN("--verify-only", "--journal", path_of("j"), "--device", path_of("a.img")), 0, NULL);
	/* None could be begun: none is left. */
	(void)unlink(path_of("j"));
	assert_run(run_limited(MIB(1)), 2, "cannot allocate space");
	assert_int_equal(access(path_of("j"), F_OK), -1);
}

/* One change that the journal cannot have is an error of its own, and the rest is done. */
static void test_long_change(void **state)
{
	int fd;

	(void)state;
	test_image_create("a.img", 0);
	fd = open(path_of("a.img"), O_WRONLY | O_CLOEXEC);
	if (ftruncate(fd, INT64_C(1) << 41)) {
		(void)close(fd);
		skip();
	}
	(void)close(fd);
	(void)unlink(path_of("j"));
	assert_run(RUN("--device", path_of("a.img"), "--speed", "max", "--writes", "real", "--journal", path_of("j"),
		       "--json", "-",
		       make_trace("t", "0 d write 0 4096\n1 d trim 0 1099511627776\n2 d write 4096 4096\n")),
		   1, "too long for the journal");
	assert_true(json_number("kinds.write.operations") == 2);
	assert_true(json_number("kinds.discard.errors") == 1);
	assert_true(json_number("errors") == 1);
	(void)unlink(path_of("a.img"));
}

/* A server's lock is respected. */
static void test_locked_image(void **state)
{
	const char *trace = make_trace("t", "0 d read 0 4096\n");
	struct flock lock = { .l_type = F_RDLCK, .l_whence = SEEK_SET };
	int fd;

	(void)state;
	test_image_create("a.img", MIB(1));
	fd = open(path_of("a.img"), O_RDWR | O_CLOEXEC);
	assert_int_equal(fcntl(fd, F_OFD_SETLK, &lock), 0);
	/* Beside one that only reads another may read. */
	assert_run(RUN("--device", path_of("a.img"), trace), 0, NULL);
	assert_run(RUN("--device", path_of("a.img"), "--writes", "real", trace), 2, "in use by another process");
	lock.l_type = F_WRLCK;
	assert_int_equal(fcntl(fd, F_OFD_SETLK, &lock), 0);
	assert_run(RUN("--device", path_of("a.img"), trace), 2, "in use by another process");
	(void)close(fd);
}

/* A small trace of each format. */
static void test_formats(void **state)
{
	glob_t samples;

	(void)state;
	assert_int_equal(glob(TRACE_SAMPLES "/*", 0, NULL, &samples), 0);
	assert_true(samples.gl_pathc > 8);
	for (size_t i = 0; i < samples.gl_pathc; i++) {
		int status;

		test_image_create("a.img", MIB(64));
		status = RUN("--device", path_of("a.img"), "--speed", "max", "--map", "wrap", "--writes", "real",
			     "--verify", "--json", "-", samples.gl_pathv[i]);
		if (status || json_number("all.operations") < 1)
			fail_msg("%s: status %d, %s", samples.gl_pathv[i], status, replay.log.text);
		assert_true(json_number("all.operations") == json_number("trace_operations"));
	}
	globfree(&samples);
}

static void test_direct(void **state)
{
	const char *trace = make_mixed_trace("t", 200, MIB(1), 8);
	int status;

	(void)state;
	test_image_create("a.img", MIB(1));
	status = RUN("--device", path_of("a.img"), "--direct", "--speed", "max", "--writes", "real", "--verify", trace);
	if (status == 2 && strstr(replay.log.text, "no O_DIRECT"))
		skip();
	assert_run(status, 0, NULL);
	/* Of a replay with smaller blocks whole ones are read. */
	(void)unlink(path_of("j"));
	assert_run(RUN("--device", path_of("a.img"), "--speed", "max", "--writes", "real", "--journal", path_of("j"),
		       make_trace("t", "0 d write 512 512\n1 d write 5632 1024\n")),
		   0, NULL);
	assert_run(RUN("--device", path_of("a.img"), "--direct", "--verify-only", "--journal", path_of("j")), 0, NULL);
	assert_non_null(strstr(replay.output.text, "3 blocks right, 0 wrong"));
}

/* The number of the operation that a line about an error names; 0: it names none. */
static unsigned int error_number(const char *line)
{
	static const char beginning[] = "rdisk-replay: operation ";

	return strncmp(line, beginning, strlen(beginning)) ? 0
							   : (unsigned int)strtoul(line + strlen(beginning), NULL, 10);
}

/* The first errors are named, not the last ones of those that come together. (Two threads may change places.) */
static void test_order_of_errors(void **state)
{
	const char *fifo = path_of("fifo");
	unsigned int last = 0, up = 0, down = 0;
	FILE *writer;

	(void)state;
	test_image_create("a.img", MIB(1));
	(void)unlink(fifo);
	assert_int_equal(mkfifo(fifo, 0600), 0);
	START("--device", path_of("a.img"), "--speed", "max", "--depth", "128", fifo);
	/* The disk is open when the trace is. */
	writer = fopen(fifo, "w");
	assert_non_null(writer);
	test_image_create("a.img", 0);
	(void)fputs("fio version 3 iolog\n0 d add\n0 d open\n", writer);
	for (unsigned int i = 0; i < 256; i++)
		(void)fprintf(writer, "%u d read %u 4096\n", i, i * 4096);
	assert_int_equal(fclose(writer), 0);
	assert_run(test_process_stop(&replay, 0), 1, "only 0 were done");
	for (const char *line = replay.log.text; line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
		unsigned int number = error_number(line);

		up += last && number > last;
		down += number && number < last;
		last = number;
	}
	if (up + down != 9 || up <= down)
		fail_msg("in another order: %s", replay.log.text);
}

static void test_unusable_targets(void **state)
{
	const char *trace = make_trace("t", "0 d read 0 4096\n");

	(void)state;
	assert_run(RUN("--device", path_of("none.img"), trace), 2, "No such file");
	assert_run(RUN("--device", "/dev/null", trace), 2, "neither a file nor a block device");
	assert_run(RUN("--device", path_of("."), trace), 2, "neither a file nor a block device");
	(void)unlink(path_of("fifo"));
	assert_int_equal(mkfifo(path_of("fifo"), 0600), 0);
	assert_run(RUN("--device", path_of("fifo"), trace), 2, "neither a file nor a block device");
	assert_run(RUN("-d", "0", trace), 2, "start rdisk");
	make_file("empty.img", "");
	assert_run(RUN("--device", path_of("empty.img"), trace), 1, "beyond the end");
	assert_run(RUN("--device", path_of("empty.img"), "--map", "wrap", trace), 1, "longer than the disk, 0");
	assert_run(RUN("--device", path_of("empty.img"), path_of("none")), 2, "No such file");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		REPLAY_TEST(test_refuses_writes),
		REPLAY_TEST(test_data),
		REPLAY_TEST(test_same_image),
		REPLAY_TEST(test_overlap_free),
		REPLAY_TEST(test_map),
		REPLAY_TEST(test_widened),
		REPLAY_TEST(test_misplaced_data),
		REPLAY_TEST(test_planted_corruption),
		REPLAY_TEST(test_lost_cache),
		REPLAY_TEST(test_nothing_flushed),
		REPLAY_TEST(test_bad_journals),
		REPLAY_TEST(test_full_journal),
		REPLAY_TEST(test_long_change),
		REPLAY_TEST(test_locked_image),
		REPLAY_TEST(test_formats),
		REPLAY_TEST(test_direct),
		REPLAY_TEST(test_order_of_errors),
		REPLAY_TEST(test_unusable_targets),
	};

	test_runtime_new();
	return cmocka_run_group_tests_name("file", tests, NULL, NULL);
}
