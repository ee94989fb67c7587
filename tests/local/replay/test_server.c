/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Replay against endpoints: rdisk, which has to give the image that a file gives, and servers that are wrong in one
 * way, which the replay has to notice.
 */
#include "replay_fixture.h"

#include <signal.h>
#include <unistd.h>

static struct test_server server;
static struct test_process broken; /* or another server that is not rdisk */

static const struct test_device devices[] = {
	{ .name = "A", .file = "a.img", .size = "4M" },
	{ .name = "RO", .file = "ro.img", .read_only = true },
};

static void start_server(void)
{
	test_runtime_new();
	test_image_create("a.img", MIB(4));
	test_image_create("ro.img", MIB(1));
	test_server_start(&server, devices, 2, NULL);
}

static int discard(void **state)
{
	test_process_discard(&broken);
	test_process_discard(&server.process);
	return replay_discard(state);
}

#define SERVER_TEST(function) cmocka_unit_test_teardown(function, discard)

static void test_same_as_file(void **state)
{
	static const char *const depths[] = { "1", "8", "128" };
	const char *trace = make_mixed_trace("t", 4000, MIB(4), 11);

	(void)state;
	test_image_create("b.img", MIB(4));
	assert_run(RUN("--device", path_of("b.img"), "--speed", "max", "--writes", "real", "--verify", "--seed", "3",
		       trace),
		   0, NULL);
	for (size_t i = 0; i < 3; i++) {
		start_server();
		assert_run(RUN("-d", "0", "-e", "3", "--minor", "0", "--speed", "max", "--depth", depths[i], "--writes",
			       "real", "--verify", "--seed", "3", "--json", "-", trace),
			   0, NULL);
		assert_true(json_number("all.operations") == 4000);
		assert_true(json_number("verify.blocks_right") > 10000);
		assert_int_equal(test_server_stop(&server), 0);
		assert_true(same_images("a.img", "b.img"));
	}
}

/* At the trace's own speed, from a pipe of one's own making, past the end. */
static void test_schedule_and_wrap(void **state)
{
	const char *trace = make_mixed_trace("t", 300, MIB(64), 12);

	(void)state;
	start_server();
	assert_run(
		RUN("-d", "0", "--speed", "x10", "--map", "wrap", "--writes", "real", "--verify", "--json", "-", trace),
		0, NULL);
	assert_true(json_number("seconds") >= 0.0299);
	assert_true(json_number("mapped") > 0);
	assert_true(json_number("all.operations") == 300);
	assert_int_equal(test_server_stop(&server), 0);
}

static void test_refusals(void **state)
{
	const char *trace = make_trace("t", "0 d read 0 4096\n1 d write 0 4096\n");
	int watch;

	(void)state;
	start_server();
	assert_run(RUN("-d", "0", "--minor", "1", "--writes", "real", trace), 2, "read-only");
	assert_run(RUN("-d", "0", "--minor", "1", "--writes", "discard", trace), 0, NULL);
	assert_run(RUN("-d", "0", "--minor", "7", "--writes", "real", trace), 2, "no such device");
	assert_run(RUN("-d", "0", "-e", "4", "--writes", "real", trace), 2, "nobody serves there");
	assert_run(RUN("-d", "9", "--writes", "real", trace), 2, "container 9");
	assert_run(RUN("-d", "0", trace), 1, "--writes real");

	/* One that writes keeps others out. */
	watch = watch_begin("a.img");
	START("-d", "0", "--writes", "real", make_trace("long", "0 d write 0 512\n3600000000 d write 0 512\n"));
	watch_writes(watch, 1);
	{
		struct test_process first = replay;

		assert_run(RUN("-d", "0", "--writes", "real", trace), 2, "in use by another");
		assert_int_equal(test_process_stop(&first, SIGINT), 128 + SIGINT);
	}
	assert_run(RUN("-d", "0", "--writes", "real", trace), 0, NULL);
	assert_int_equal(test_server_stop(&server), 0);
}

static void test_wrong_servers(void **state)
{
	static const struct {
		const char *way, *cause;
	} cases[] = {
		{ "none", NULL },
		{ "corrupt", "wrong data at position" },
		{ "missing", "wrong data at position" },
		{ "stuck", "wrong data at position" },
		{ "short", "were done" },
		{ "long", "were done" },
		{ "fail", "flush of" },
		{ "death", "no answer to 1 operation: the server ended" },
		{ "type", "no answer" },
		{ "id", "no answer" },
	};
	const char *trace =
		make_trace("t", "0 d write 0 4096\n1 d write 131072 8192\n2 d write 8192 4096\n"
				"3 d read 0 4096\n4 d read 131072 8192\n5 d sync 0 0\n6 d read 8192 4096\n");

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *const arguments[] = { BROKEN_SERVER_PROGRAM, "0", "3", cases[i].way, NULL };

		test_runtime_new();
		test_process_start(&broken, arguments, NULL);
		assert_true(test_process_wait_log(&broken, "ready", TEST_TIMEOUT_MS));
		assert_run(RUN("-d", "0", "--speed", "max", "--depth", "1", "--writes", "real", "--verify", trace),
			   cases[i].cause ? 1 : 0, cases[i].cause);
		test_process_discard(&broken);
	}
}

/* A batch whose last request has no result. */
static void test_wrong_batch(void **state)
{
	const char *const arguments[] = { BROKEN_SERVER_PROGRAM, "0", "3", "batch", NULL };
	const char *trace = make_trace("t", "0 d write 0 4096\n0 d write 8192 4096\n0 d write 16384 4096\n");

	(void)state;
	test_runtime_new();
	test_process_start(&broken, arguments, NULL);
	assert_true(test_process_wait_log(&broken, "ready", TEST_TIMEOUT_MS));
	assert_run(RUN("-d", "0", "--speed", "max", "--depth", "3", "--writes", "real", "--json", "-", trace), 1,
		   "operation 3: write of 4096 bytes at 16384");
	assert_true(json_number("kinds.write.operations") == 2);
	assert_true(json_number("kinds.write.errors") == 1);
}

/* nbdkit's file plugin, for comparison: the same image. */
static void test_nbd(void **state)
{
	static const char nbdkit[] = "/usr/bin/nbdkit";
	const char *trace = make_mixed_trace("t", 2000, MIB(4), 13);
	char uri[TEST_PATH_SIZE + 32], image[TEST_PATH_SIZE + 8];
	const char *const arguments[] = { nbdkit, "-f", "-v", "-U", path_of("nbd.sock"), "file", image, NULL };

	(void)state;
	if (access(nbdkit, X_OK))
		skip();
	test_image_create("a.img", MIB(4));
	test_image_create("b.img", MIB(4));
	(void)snprintf(image, sizeof(image), "%s", path_of("b.img"));
	test_process_start(&broken, arguments, NULL);
	assert_true(test_process_wait_log(&broken, "bound to unix socket", TEST_TIMEOUT_MS));
	(void)snprintf(uri, sizeof(uri), "nbd+unix:///?socket=%s", path_of("nbd.sock"));
	if (RUN("--nbd", uri, "--speed", "max", "--writes", "real", "--verify", "--seed", "3", "--json", "-", trace) ==
		    2 &&
	    strstr(replay.log.text, "built without libnbd"))
		skip();
	assert_run(test_process_exit_code(&replay), 0, NULL);
	assert_true(json_number("all.operations") == 2000);
	assert_true(json_number("verify.blocks_right") > 5000);
	assert_run(RUN("--device", path_of("a.img"), "--speed", "max", "--writes", "real", "--seed", "3", trace), 0,
		   NULL);
	assert_true(same_images("a.img", "b.img"));
	assert_run(RUN("--nbd", uri, "--speed", "x1000", "--writes", "real", trace), 0, NULL);
	/* It goes away in the midst. */
	{
		int watch = watch_begin("b.img");

		START("--nbd", uri, "--writes", "real", trace);
		watch_writes(watch, 3);
	}
	test_process_discard(&broken);
	assert_run(test_process_stop(&replay, 0), 1, "connection is lost");
	assert_run(RUN("--nbd", uri, trace, "--writes", "discard"), 2, "nbd.sock");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SERVER_TEST(test_same_as_file), SERVER_TEST(test_schedule_and_wrap), SERVER_TEST(test_refusals),
		SERVER_TEST(test_nbd),		SERVER_TEST(test_wrong_servers),     SERVER_TEST(test_wrong_batch),
	};

	return cmocka_run_group_tests_name("server", tests, NULL, NULL);
}
