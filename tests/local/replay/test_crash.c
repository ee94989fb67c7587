/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A server that is killed in the midst of a replay: the journal says what has to be on the disk, and the check after
 * the restart finds it there; and finds it missing when it was taken away.
 */
#include "replay_fixture.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

static struct test_server server;

static const struct test_device device = { .name = "A", .file = "a.img", .size = "4M" };

static int discard(void **state)
{
	test_process_discard(&server.process);
	return replay_discard(state);
}

#define CRASH_TEST(function) cmocka_unit_test_teardown(function, discard)

/* Changes of the disk that the journal of the last check has as answered. */
static unsigned long answered(void)
{
	const char *at = strstr(replay.output.text, " changes answered");

	assert_non_null(at);
	while (at > replay.output.text && at[-1] >= '0' && at[-1] <= '9')
		at--;
	return strtoul(at, NULL, 10);
}

static void kill_after(int writes, const char *depth)
{
	static const unsigned char zeroes[512];
	const char *trace = make_mixed_trace("t", 20000, MIB(4), (unsigned int)writes);
	int watch, status;

	test_runtime_new();
	test_image_create("a.img", MIB(4));
	(void)unlink(path_of("j"));
	test_server_start(&server, &device, 1, NULL);
	watch = watch_begin("a.img");
	START("-d", "0", "--speed", "x4", "--depth", depth, "--writes", "real", "--journal", path_of("j"), trace);
	watch_writes(watch, writes);
	assert_int_equal(test_process_stop(&server.process, SIGKILL), 128 + SIGKILL);
	assert_run(test_process_stop(&replay, 0), 1, "the server ended");

	test_server_start(&server, &device, 1, NULL);
	assert_run(RUN("--verify-only", "--journal", path_of("j"), "-d", "0"), 0, NULL);
	assert_non_null(strstr(replay.output.text, "did not end by itself"));
	assert_true(answered() >= (unsigned long)writes / 4);
	status = RUN("--verify-only", "--lost-cache", "--journal", path_of("j"), "-d", "0");
	assert_run(status, 0, strstr(replay.output.text, ", 0 of them covered") ? "nothing could be checked" : NULL);
	assert_int_equal(test_server_stop(&server), 0);

	/* Everything gone: that has to be found. */
	for (uint64_t at = 0; at < MIB(4); at += sizeof(zeroes))
		test_image_write("a.img", at, zeroes, sizeof(zeroes));
	assert_run(RUN("--verify-only", "--journal", path_of("j"), "--device", path_of("a.img")), 1, "found zeroes");
}

static void test_server_killed(void **state)
{
	(void)state;
	kill_after(40, "1");
	kill_after(100, "8");
	kill_after(250, "64");
}

/* The replay is killed: what it noted before is still there. */
static void test_replay_killed(void **state)
{
	const char *trace = make_mixed_trace("t", 20000, MIB(4), 77);
	int watch;

	(void)state;
	test_image_create("a.img", MIB(4));
	(void)unlink(path_of("j"));
	watch = watch_begin("a.img");
	START("--device", path_of("a.img"), "--speed", "x4", "--writes", "real", "--journal", path_of("j"), trace);
	watch_writes(watch, 200);
	assert_int_equal(test_process_stop(&replay, SIGKILL), 128 + SIGKILL);
	assert_run(RUN("--verify-only", "--journal", path_of("j"), "--device", path_of("a.img")), 0, NULL);
	assert_true(answered() > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CRASH_TEST(test_server_killed),
		CRASH_TEST(test_replay_killed),
	};

	return cmocka_run_group_tests_name("crash", tests, NULL, NULL);
}
