/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The conformance suite run: rdisk passes it in all its configurations, and servers
 * that are wrong do not. BLOCKTEST_PROGRAM and BROKEN_SERVER_PROGRAM come from the build.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <cjson/cJSON.h>

#include "test_server.h"

static struct test_server server;
static struct test_process broken, suite;

static int discard_all(void **state)
{
	(void)state;
	test_process_discard(&suite);
	test_process_discard(&broken);
	if (server.process.pid) {
		test_process_discard(&server.process);
		fprintf(stderr, "log of rdisk:\n%s\n", server.process.log.text);
	}
	return 0;
}

/* Runs the suite on a minor, with up to three further options; returns its exit status. */
static int run_suite(int minor, const char *first, const char *second, const char *third)
{
	char minor_text[16];
	const char *arguments[] = { BLOCKTEST_PROGRAM, "-d",  "0",    "-e",  "3", "-m",
				    minor_text,	       first, second, third, NULL };
	int status;

	snprintf(minor_text, sizeof(minor_text), "%d", minor);
	test_process_start(&suite, arguments, NULL);
	status = test_process_stop(&suite, 0);
	if (status == 2)
		fprintf(stderr, "blocktest: %s\n", suite.log.text);
	return status;
}

static void assert_suite_passes(int minor, const char *first, const char *second, const char *third)
{
	int status = run_suite(minor, first, second, third);

	if (status)
		fail_msg("minor %d: blocktest ended with %d\n%s", minor, status, suite.output.text);
}

static void test_rdisk_passes(void **state)
{
	const struct test_device devices[] = {
		{ .name = "FILE", .file = "file.img", .size = "16M", .buffer = 4096 },
		{ .name = "BIG_BUFFER", .file = "big.img", .size = "9M" },
		{ .name = "SMALL", .file = "small.img", .buffer = 1024 },
		{ .name = "HUGE", .file = "huge.img", .size = "6G" },
		{ .name = "MEMORY", .type = "MEMORY_IMAGE", .size = "4M" },
		{ .name = "VOLATILE", .file = "volatile.img", .is_volatile = true },
		{ .name = "SHARED", .file = "shared.img", .size = "4M", .shared = true },
		{ .name = "READ_ONLY", .file = "read_only.img", .read_only = true },
	};
	const int count = sizeof(devices) / sizeof(devices[0]);

	(void)state;
	test_image_create("small.img", 131072 + 512);
	test_image_create("volatile.img", 3 << 20);
	test_image_create("read_only.img", 3 << 20);
	test_runtime_new();
	test_server_start(&server, devices, (size_t)count, NULL);
	for (int minor = 0; minor < count; minor++) {
		assert_suite_passes(minor, NULL, NULL, NULL);
		assert_suite_passes(minor, "--destructive", NULL, NULL);
		assert_suite_passes(minor, "--destructive", "--grant", NULL);
	}
	assert_suite_passes(3, "--destructive", "--size-limit", "131072");
	assert_int_equal(test_server_stop(&server), 0);
}

/* Without --destructive nothing is changed, whatever is on the device. */
static void test_harmless_unless_told(void **state)
{
	const struct test_device device = { .name = "KEEP", .file = "keep.img" };
	unsigned char before[4096], after[4096];

	(void)state;
	test_image_create("keep.img", 1 << 20);
	for (size_t i = 0; i < sizeof(before); i++)
		before[i] = (unsigned char)(i * 7);
	test_image_write("keep.img", 0, before, sizeof(before));
	test_runtime_new();
	test_server_start(&server, &device, 1, NULL);
	assert_suite_passes(0, NULL, NULL, NULL);
	assert_int_equal(test_server_stop(&server), 0);
	test_image_read("keep.img", 0, after, sizeof(after));
	assert_memory_equal(before, after, sizeof(before));
	/* Only what was written before takes space. */
	assert_true(test_image_allocated("keep.img") <= 65536);
}

/* Which results of the suite a broken server has to provoke. */
static const struct {
	const char *way;
	const char *result;
} ways[] = {
	{ "death", "DEATH" },	    { "mute", "COMMFAIL" },   { "type", "BADTYPE" },	{ "id", "BADID" },
	{ "status", "BADSTATUS" },  { "fail", "UNEXFAIL" },   { "short", "TRUNC" },	{ "long", "OVERFLOW" },
	{ "overflow", "OVERFLOW" }, { "corrupt", "CORRUPT" }, { "missing", "MISSING" }, { "stuck", "CORRUPT" },
	{ "wrap", "OVERFLOW" },	    { "vector", "CORRUPT" },  { "batch", "MISSING" },	{ "neighbour", "CORRUPT" },
	{ "open", "UNEXFAIL" },
};

static void start_broken(const char *way)
{
	const char *arguments[] = { BROKEN_SERVER_PROGRAM, "0", "3", way, NULL };

	test_runtime_new();
	test_process_start(&broken, arguments, NULL);
	if (!test_process_wait_log(&broken, "ready", TEST_TIMEOUT_MS))
		fail_msg("broken_server: %s", broken.log.text);
}

/* How many tests of the suite's JSON report ended with that result. */
static int count_results(const char *text, const char *result)
{
	cJSON *report = cJSON_Parse(text);
	const cJSON *entry;
	int count = 0;

	assert_non_null(report);
	cJSON_ArrayForEach(entry, cJSON_GetObjectItem(report, "tests"))
	{
		const cJSON *value = cJSON_GetObjectItem(entry, "result");

		assert_true(cJSON_IsString(value));
		count += !strcmp(value->valuestring, result);
	}
	assert_non_null(cJSON_GetObjectItem(report, "failed"));
	cJSON_Delete(report);
	return count;
}

static void test_broken_servers_fail(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		bool mute = !strcmp(ways[i].way, "mute");

		start_broken(ways[i].way);
		/* Only the one that never answers is waited for in vain. */
		assert_int_equal(run_suite(0, "--destructive", "--json", mute ? "--timeout=1500" : NULL), 1);
		if (!count_results(suite.output.text, ways[i].result))
			fail_msg("a server broken by \"%s\" gave no %s:\n%s", ways[i].way, ways[i].result,
				 suite.output.text);
		test_process_discard(&broken);
	}
}

/* The little server does well when it is not broken: the suite asks for no more than the protocol. */
static void test_little_server_passes(void **state)
{
	(void)state;
	start_broken("none");
	assert_suite_passes(0, "--destructive", NULL, NULL);
	assert_int_equal(run_suite(0, "--json", NULL, NULL), 0);
	assert_int_equal(count_results(suite.output.text, "DEATH"), 0);
	assert_true(count_results(suite.output.text, "OK") > 10);
	test_process_discard(&broken);
}

static void test_bad_command_lines(void **state)
{
	static const char *const lines[][8] = {
		{ BLOCKTEST_PROGRAM, NULL },
		{ BLOCKTEST_PROGRAM, "-d", "0", "-e", "3", NULL },
		{ BLOCKTEST_PROGRAM, "-d", "99", "-e", "3", "-m", "0", NULL },
		{ BLOCKTEST_PROGRAM, "-d", "x", "-e", "3", "-m", "0", NULL },
		{ BLOCKTEST_PROGRAM, "-d0", "-e3", "-m0", "--size-limit=1", NULL },
		{ BLOCKTEST_PROGRAM, "-d0", "-e3", "-m0", "--no-such-option", NULL },
		{ BLOCKTEST_PROGRAM, "-d0", "-e3", "-m0", "surplus", NULL },
		/* no node there */
		{ BLOCKTEST_PROGRAM, "-d0", "-e3", "-m0", NULL },
	};

	(void)state;
	test_runtime_new();
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		test_process_start(&suite, lines[i], NULL);
		assert_int_equal(test_process_stop(&suite, 0), 2);
		assert_true(suite.log.length > 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_rdisk_passes, discard_all),
		cmocka_unit_test_teardown(test_harmless_unless_told, discard_all),
		cmocka_unit_test_teardown(test_little_server_passes, discard_all),
		cmocka_unit_test_teardown(test_broken_servers_fail, discard_all),
		cmocka_unit_test_teardown(test_bad_command_lines, discard_all),
	};

	return cmocka_run_group_tests_name("blocktest", tests, NULL, NULL);
}
