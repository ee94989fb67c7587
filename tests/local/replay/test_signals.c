/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A replay, or a conversion, that the user ends: whatever it waits for, the first signal ends it, with a report of what
 * was done. What is waited for here is that the program waits, as /proc tells.
 */
#include "replay_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <zlib.h>

#define BIT(signal) (UINT64_C(1) << ((signal)-1)) /* in a set of /proc */
#define OPERATIONS  10000 /* in a silent trace: more than are read before the first one is done */

static struct test_server server;

static const int ending_signals[] = { SIGINT, SIGTERM };

/* A line of /proc/PID/status, behind "NAME:" and blanks. */
static const char *process_status(pid_t pid, const char *name)
{
	static char line[256];
	char path[64];
	size_t length = strlen(name);
	FILE *file;

	(void)snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	file = fopen(path, "r");
	if (!file)
		test_fatal("%s: %s", path, strerror(errno));
	while (fgets(line, sizeof(line), file)) {
		if (strncmp(line, name, length) != 0 || line[length] != ':')
			continue;
		(void)fclose(file);
		return line + length + 1 + strspn(line + length + 1, " \t");
	}
	test_fatal("%s has no %s", path, name);
}

/* A set of signals there: bit n - 1 is signal n. */
static uint64_t process_signals(const char *name)
{
	return strtoull(process_status(replay.pid, name), NULL, 16);
}

/* What is waited for comes, or the test has failed: the replay has ended before, or an alarm ends the test. */
static bool runs(void)
{
	(void)sched_yield();
	return *process_status(replay.pid, "State") != 'Z';
}

/* Until the replay takes the two signals. (The C library blocks all of them for moments.) */
static void await_signals(void)
{
	const uint64_t taken = BIT(SIGINT) | BIT(SIGTERM);

	(void)alarm(TEST_TIMEOUT_MS / 1000);
	while ((process_signals("SigBlk") & (taken | BIT(SIGUSR1))) != taken && runs())
		;
	(void)alarm(0);
}

/* Until the pipe (either end) is empty, or not, and the replay's first thread, which reads and writes it, sleeps. */
static void await_sleep(int pipe, bool empty)
{
	int there = 0;

	await_signals();
	(void)alarm(TEST_TIMEOUT_MS / 1000);
	do
		assert_int_equal(ioctl(pipe, FIONREAD, &there), 0);
	while (((there == 0) != empty || *process_status(replay.pid, "State") != 'S') && runs());
	(void)alarm(0);
}

static void await_stop(pid_t pid)
{
	(void)alarm(TEST_TIMEOUT_MS / 1000);
	while (*process_status(pid, "State") != 'T')
		(void)sched_yield();
	(void)alarm(0);
}

static void assert_ended(int number)
{
	assert_run(test_process_stop(&replay, number), 128 + number, NULL);
	assert_true(WIFEXITED(replay.status));
	assert_true(json_number("signal") == number);
}

/* A FIFO that nobody has opened. */
static const char *make_fifo(void)
{
	const char *fifo = path_of("fifo");

	(void)unlink(fifo);
	assert_int_equal(mkfifo(fifo, 0600), 0);
	return fifo;
}

/* The end that writes; waits until the replay has opened the other. */
static int open_writer(const char *fifo)
{
	int writer = open(fifo, O_WRONLY | O_CLOEXEC);

	assert_true(writer >= 0);
	return writer;
}

static void put_file(int to, const char *path)
{
	static char bytes[65536];
	int from = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t got;

	while ((got = read(from, bytes, sizeof(bytes))) > 0)
		assert_int_equal(write(to, bytes, (size_t)got), got);
	assert_int_equal(got, 0);
	(void)close(from);
}

/* Lines of a trace that goes on; its path. */
static const char *make_long_trace(void)
{
	const char *path = make_trace("long", "");
	FILE *file = fopen(path, "a");

	assert_non_null(file);
	for (unsigned int i = 0; i < OPERATIONS; i++)
		(void)fprintf(file, "%u d read %u 4096\n", 1000000 + i, i % 256 * 4096);
	assert_int_equal(fclose(file), 0);
	return path;
}

/* The same, compressed and without the end that gzip knows. */
static const char *make_compressed_trace(void)
{
	const char *path = path_of("long.gz");
	FILE *from = fopen(make_long_trace(), "r");
	gzFile to = gzopen(path, "wb");
	char line[256];
	off_t size;

	assert_true(from && to);
	while (fgets(line, sizeof(line), from))
		assert_true(gzputs(to, line) > 0);
	(void)fclose(from);
	assert_int_equal(gzclose(to), Z_OK);
	size = (off_t)test_image_size("long.gz");
	assert_int_equal(truncate(path, size - 8), 0);
	return path;
}

/* The second operation is due in an hour. */
static void test_schedule(void **state)
{
	const char *trace = make_trace("t", "0 d write 0 4096\n3600000000 d write 4096 4096\n");

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		int watch;

		test_image_create("a.img", MIB(1));
		watch = watch_begin("a.img");
		START("--device", path_of("a.img"), "--writes", "real", "--json", "-", trace);
		watch_writes(watch, 1);
		assert_ended(ending_signals[i]);
		assert_true(json_number("kinds.write.operations") == 1);
	}
}

/* The FIFO that the trace comes from has no writer yet. */
static void test_no_writer(void **state)
{
	const char *fifo = make_fifo();

	(void)state;
	test_image_create("a.img", MIB(1));
	for (size_t i = 0; i < 2; i++) {
		(void)unlink(path_of("r.html"));
		START("--device", path_of("a.img"), "--writes", "real", "--verify", "--json", "-", "--html",
		      path_of("r.html"), fifo);
		await_signals();
		assert_ended(ending_signals[i]);
		assert_true(json_number("all.operations") == 0);
		assert_true(test_image_size("r.html") > 1000);
	}
}

/* Part of a trace has come, and its writer is silent. */
static void test_silent_writer(void **state)
{
	const char *traces[] = { make_long_trace(), make_compressed_trace() };
	const char *fifo = make_fifo();

	(void)state;
	test_image_create("a.img", MIB(1));
	for (size_t i = 0; i < 2; i++) {
		int writer;

		START("--device", path_of("a.img"), "--speed", "max", "--depth", "1", "--json", "-", fifo);
		writer = open_writer(fifo);
		put_file(writer, traces[i]);
		await_sleep(writer, true);
		assert_ended(ending_signals[i]);
		assert_true(json_number("all.operations") > 0);
		assert_true(json_number("all.operations") < OPERATIONS);
		assert_true(json_number("errors") == 0);
		(void)close(writer);
	}
}

/* Too little has come to tell the format. */
static void test_silent_start(void **state)
{
	const char *fifo = make_fifo();
	int writer;

	(void)state;
	test_image_create("a.img", MIB(1));
	START("--device", path_of("a.img"), "--json", "-", fifo);
	writer = open_writer(fifo);
	assert_int_equal(write(writer, "f", 1), 1);
	await_sleep(writer, true);
	assert_ended(SIGINT);
	assert_true(json_number("all.operations") == 0);
	(void)close(writer);
}

static void test_silent_standard_input(void **state)
{
	int saved = dup(STDIN_FILENO), ends[2];

	(void)state;
	test_image_create("a.img", MIB(1));
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	assert_int_equal(dup2(ends[0], STDIN_FILENO), STDIN_FILENO);
	START("--device", path_of("a.img"), "--speed", "max", "--depth", "1", "--json", "-", "-");
	assert_int_equal(dup2(saved, STDIN_FILENO), STDIN_FILENO);
	(void)close(saved);
	put_file(ends[1], make_long_trace());
	await_sleep(ends[1], true);
	assert_ended(SIGTERM);
	assert_true(json_number("all.operations") > 0);
	(void)close(ends[0]);
	(void)close(ends[1]);
}

/* What came until then is converted, and is a whole trace. */
static void test_silent_conversion(void **state)
{
	const char *trace = make_trace("t", "0 d write 0 4096\n1500 d read 8192 512\n");
	const char *fifo = make_fifo();
	int writer;

	(void)state;
	assert_run(RUN("--convert", "msr", "-o", path_of("whole"), trace), 0, NULL);
	for (size_t i = 0; i < 2; i++) {
		START("--convert", "msr", "-o", path_of("part"), fifo);
		writer = open_writer(fifo);
		put_file(writer, trace);
		await_sleep(writer, true);
		assert_run(test_process_stop(&replay, ending_signals[i]), 128 + ending_signals[i], "interrupted");
		assert_true(WIFEXITED(replay.status));
		assert_true(same_images("whole", "part"));
		(void)close(writer);
	}
	START("--convert", "msr", fifo);
	await_signals();
	assert_run(test_process_stop(&replay, SIGINT), 128 + SIGINT, "interrupted");
	assert_true(WIFEXITED(replay.status));
}

/* Nobody reads what is written. */
static void test_unread_conversion(void **state)
{
	const char *fifo = make_fifo();
	int reader = open(fifo, O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	(void)state;
	assert_true(reader >= 0);
	START("--convert", "fio-3", "-o", fifo, make_long_trace());
	await_sleep(reader, false);
	assert_run(test_process_stop(&replay, SIGINT), 128 + SIGINT, "cannot be written");
	assert_true(WIFEXITED(replay.status));
	(void)close(reader);
}

/*
 * It hangs where no signal wakes it, in the writing of its result into a pipe that nobody reads: the user is told what
 * to do, and the second signal ends it.
 */
static void test_second_signal(void **state)
{
	const char *fifo = make_fifo();
	int reader = open(fifo, O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	(void)state;
	assert_true(reader >= 0);
	assert_true(fcntl(reader, F_SETPIPE_SZ, 4096) >= 0);
	test_image_create("a.img", MIB(1));
	START("--device", path_of("a.img"), "--html", fifo, make_trace("t", "0 d read 0 4096\n"));
	await_sleep(reader, false);
	assert_int_equal(kill(replay.pid, SIGINT), 0);
	assert_true(test_process_wait_log(&replay, "a second signal ends at once\n", TEST_TIMEOUT_MS));
	assert_int_equal(test_process_stop(&replay, SIGINT), 128 + SIGINT);
	assert_true(WIFSIGNALED(replay.status));
	(void)close(reader);
}

/* One that waits for a file of its result to be read ends at the first. */
static void test_unread_result(void **state)
{
	(void)state;
	test_image_create("a.img", MIB(1));
	START("--device", path_of("a.img"), "--json", make_fifo(), make_trace("t", "0 d read 0 4096\n"));
	assert_int_equal(test_process_stop(&replay, SIGTERM), 128 + SIGTERM);
}

/* And leaves no empty file, as it makes one only when it waits no more. */
static void test_unread_page(void **state)
{
	(void)state;
	test_image_create("a.img", MIB(1));
	START("--device", path_of("a.img"), "--json", path_of("new.json"), "--html", make_fifo(),
	      make_trace("t", "0 d read 0 4096\n"));
	(void)alarm(TEST_TIMEOUT_MS / 1000);
	while (*process_status(replay.pid, "State") != 'S' && runs())
		;
	(void)alarm(0);
	assert_int_equal(test_process_stop(&replay, SIGTERM), 128 + SIGTERM);
	assert_int_equal(access(path_of("new.json"), F_OK), -1);
}

static void test_unread_output(void **state)
{
	(void)state;
	START("--convert", "msr", "-o", make_fifo(), make_trace("t", "0 d read 0 4096\n"));
	assert_int_equal(test_process_stop(&replay, SIGTERM), 128 + SIGTERM);
}

/* It reads the trace beforehand, and nothing was done yet: there is no result, and no empty file for one. */
static void test_look_ahead(void **state)
{
	const char *fifo = path_of("cpus.blktrace.0");
	int writer;

	(void)state;
	test_image_create("a.img", MIB(1));
	(void)unlink(path_of("r.html"));
	assert_int_equal(mkfifo(fifo, 0600), 0);
	START("--device", path_of("a.img"), "--html", path_of("r.html"), path_of("cpus"));
	writer = open_writer(fifo);
	await_sleep(writer, true);
	assert_run(test_process_stop(&replay, SIGINT), 128 + SIGINT, "interrupted");
	assert_true(WIFEXITED(replay.status));
	assert_string_equal(replay.output.text, "");
	assert_int_equal(access(path_of("r.html"), F_OK), -1);
	(void)close(writer);
}

/* The server does not answer: how many operations are waited for is told. */
static void test_stopped_server(void **state)
{
	static const struct test_device device = { .name = "A", .file = "a.img", .size = "1M" };
	const char *trace = make_trace("t", "0 d read 0 4096\n0 d read 8192 4096\n"), *fifo = make_fifo();
	int reader, writer;

	(void)state;
	test_runtime_new();
	test_server_start(&server, &device, 1, NULL);
	START("-d", "0", "--speed", "max", "--json", "-", fifo);
	/* It opens the disk before the trace. */
	writer = open_writer(fifo);
	reader = open(fifo, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	assert_true(reader >= 0);
	assert_int_equal(kill(server.process.pid, SIGSTOP), 0);
	await_stop(server.process.pid);
	put_file(writer, trace);
	(void)close(writer);
	await_sleep(reader, true);
	assert_int_equal(kill(replay.pid, SIGINT), 0);
	assert_true(test_process_wait_log(&replay,
					  "waiting for 2 operations that are under way; a second signal ends at once\n",
					  TEST_TIMEOUT_MS));
	assert_int_equal(kill(server.process.pid, SIGCONT), 0);
	assert_run(test_process_stop(&replay, 0), 128 + SIGINT, "a second signal");
	assert_true(json_number("all.operations") == 2);
	assert_int_equal(test_server_stop(&server), 0);
	(void)close(reader);
}

static int discard(void **state)
{
	test_process_discard(&server.process);
	return replay_discard(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		REPLAY_TEST(test_schedule),
		REPLAY_TEST(test_no_writer),
		REPLAY_TEST(test_silent_writer),
		REPLAY_TEST(test_silent_start),
		REPLAY_TEST(test_silent_standard_input),
		REPLAY_TEST(test_silent_conversion),
		REPLAY_TEST(test_unread_conversion),
		REPLAY_TEST(test_second_signal),
		REPLAY_TEST(test_unread_result),
		REPLAY_TEST(test_unread_output),
		REPLAY_TEST(test_unread_page),
		REPLAY_TEST(test_look_ahead),
		cmocka_unit_test_teardown(test_stopped_server, discard),
	};

	test_runtime_new();
	return cmocka_run_group_tests_name("signals", tests, NULL, NULL);
}
