/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * crash_image, as a power cut of a host is played with it: the server is killed, its image is put into a state that the
 * power cut may have left, and what the next server reads from it is what the answers allow.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "crash_client.h"
#include "crash_fixture.h"
#include "crash_log_read.h"
#include "test_pattern.h"

#define AREA   (24 * 1024)
#define COPY   "copy.img"
#define BEFORE 0 /* number of what was there at first */

static struct crash_client client;
static unsigned char image[CRASH_SIZE];

/* Runs crash_image on the log with up to five more arguments; its exit status. */
static int run_tool(const char *const more[5])
{
	static struct test_process tool;
	char log[TEST_PATH_SIZE];
	const char *arguments[8] = { CRASH_IMAGE_PROGRAM, log };
	int status;

	test_path(log, CRASH_LOG_NAME);
	for (int i = 0; i < 5; i++)
		arguments[i + 2] = more[i];
	test_process_start(&tool, arguments, NULL);
	status = test_process_stop(&tool, 0);
	print_message("%s%s", tool.output.text, tool.log.text);
	return status;
}

/* A server that is killed after random requests and two writes that no flush covers. */
static void make_crash(uint64_t seed)
{
	const struct crash_request last[] = {
		{ .kind = CRASH_ANSWER_WRITE, .position = 512, .length = 2048 },
		{ .kind = CRASH_ANSWER_WRITE, .position = 1024, .length = 2048 },
	};
	struct test_disk disk;

	crash_server_start(1, NULL, NULL);
	disk = test_disk(test_bind(ANY), 0);
	crash_client_begin(&client, &disk);
	crash_client_random(&client, seed, 60, AREA);
	for (size_t i = 0; i < 2; i++)
		assert_int_equal(crash_client_request(&client, &last[i], false), 2048);
	crash_client_end(&client);
	assert_int_equal(test_process_stop(&crash_server.process, SIGKILL), 128 + SIGKILL);
	(void)dvk_close();
}

/* A copy of the image as it is, which is changed by the tool and judged. */
static struct crash_report crash_copy(const char *how, const char *value, uint64_t moment)
{
	char path[TEST_PATH_SIZE], file_option[TEST_PATH_SIZE + 8], output_option[TEST_PATH_SIZE + 16];
	const char *more[5] = { how, file_option, output_option, value, NULL };

	test_path(path, crash_devices[0].file);
	snprintf(file_option, sizeof(file_option), "--file=%s", path);
	test_path(path, COPY);
	snprintf(output_option, sizeof(output_option), "--output=%s", path);
	test_image_read(crash_devices[0].file, 0, image, sizeof(image));
	test_image_create(COPY, CRASH_SIZE);
	test_image_write(COPY, 0, image, sizeof(image));
	assert_int_equal(run_tool(more), 0);
	return crash_judge_image(COPY, &client.answers, moment);
}

static void test_states_of_a_copy(void **state)
{
	static unsigned char copy[CRASH_SIZE];
	struct crash_report report;

	(void)state;
	make_crash(7);
	/* All survives: nothing is changed. */
	report = crash_copy("--all-survives", NULL, UINT64_MAX);
	assert_crash_right(&report);
	test_image_read(COPY, 0, copy, sizeof(copy));
	assert_memory_equal(copy, image, sizeof(copy));
	report = crash_copy("--worst", NULL, UINT64_MAX);
	assert_crash_right(&report);
	test_image_read(COPY, 0, copy, sizeof(copy));
	assert_memory_not_equal(copy, image, sizeof(copy));
	for (int seed = 0; seed < 10; seed++) {
		char option[32];

		snprintf(option, sizeof(option), "--seed=%d", seed);
		report = crash_copy(option, NULL, UINT64_MAX);
		assert_crash_right(&report);
	}
}

/* The power was cut earlier: by what had been answered then. */
static void test_earlier_cuts(void **state)
{
	char log_path[TEST_PATH_SIZE], path[TEST_PATH_SIZE];
	const struct crash_log_file *file;
	struct diagnostic diagnostic;
	struct crash_report report;
	struct crash_log log;

	(void)state;
	make_crash(8);
	test_path(log_path, CRASH_LOG_NAME);
	test_path(path, crash_devices[0].file);
	assert_int_equal(crash_log_read(&log, log_path, &diagnostic), 0);
	file = crash_log_find(&log, path);
	assert_non_null(file);
	for (size_t cut = 0; cut < file->nr_cuts; cut += 20) {
		char option[32];

		snprintf(option, sizeof(option), "--cut=%zu", cut);
		report = crash_copy("--worst", option, file->cuts[cut].until_ns);
		assert_crash_right(&report);
	}
	/* Before everything it is as it was. */
	report = crash_copy("--all-survives", "--cut=0", 0);
	assert_crash_right(&report);
	test_image_read(COPY, 0, image, sizeof(image));
	assert_int_equal(test_pattern_check(image, sizeof(image), 0, BEFORE), sizeof(image));
	crash_log_free(&log);
}

/* In place, twice; the next server begins a new log and serves what is left. */
static void test_power_cuts(void **state)
{
	static const char *const worst[5] = { "--worst" };
	static unsigned char read[AREA];

	(void)state;
	make_crash(9);
	assert_int_equal(run_tool(worst), 0);
	for (int cut = 0; cut < 2; cut++) {
		struct test_disk disk;
		struct crash_report report = crash_judge_image(crash_devices[0].file, &client.answers, UINT64_MAX);
		size_t number = client.answers.count + 1;
		const struct crash_request kept = {
			.kind = CRASH_ANSWER_WRITE, .fua = true, .position = 1000, .length = 2000
		};
		const struct crash_request lost = { .kind = CRASH_ANSWER_WRITE, .position = 8192, .length = 4096 };

		assert_crash_right(&report);
		crash_server_restart(1, true);
		disk = test_disk(test_bind(ANY), 0);
		assert_int_equal(test_disk_open(&disk, RDISK_OPEN_WRITE), 0);
		client.disk = disk;
		assert_int_equal(test_disk_read(&disk, 0, read, sizeof(read)), sizeof(read));
		test_image_read(crash_devices[0].file, 0, image, sizeof(image));
		assert_memory_equal(read, image, sizeof(read));
		assert_int_equal(crash_client_request(&client, &kept, false), 2000);
		assert_int_equal(crash_client_request(&client, &lost, false), 4096);
		crash_client_end(&client);
		assert_int_equal(test_process_stop(&crash_server.process, SIGKILL), 128 + SIGKILL);
		(void)dvk_close();
		memcpy(read, image + 8192, 4096);
		assert_int_equal(run_tool(worst), 0);
		test_image_read(crash_devices[0].file, 0, image, sizeof(image));
		assert_int_equal(test_pattern_check(image + 1000, 2000, 1000, number), 2000);
		assert_memory_equal(image + 8192, read, 4096);
	}
}

static void test_bad_use(void **state)
{
	static const char *const bad[][5] = {
		{ NULL },
		{ "--worst", "--all-survives" },
		{ "--seed=x" },
		{ "--worst", "--output=x" },
		{ "--worst", "--cut=100000" },
		{ "--worst", "--file=/not/there" },
		{ "--worst", "another" },
	};

	(void)state;
	make_crash(10);
	test_image_read(crash_devices[0].file, 0, image, sizeof(image));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		static unsigned char now[CRASH_SIZE];

		assert_int_equal(run_tool(bad[i]), 2);
		test_image_read(crash_devices[0].file, 0, now, sizeof(now));
		assert_memory_equal(now, image, sizeof(now));
	}
}

#define IMAGE_TEST(function) cmocka_unit_test_teardown(function, crash_server_discard)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IMAGE_TEST(test_states_of_a_copy),
		IMAGE_TEST(test_earlier_cuts),
		IMAGE_TEST(test_power_cuts),
		IMAGE_TEST(test_bad_use),
	};

	return cmocka_run_group_tests_name("crash image", tests, NULL, NULL);
}
