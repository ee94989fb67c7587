/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The log of the preloaded library says what a program really did: what the log makes of the file as it was is the file
 * as it is. For one thread and for several, and for a program that is killed and started again.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "crash_environment.h"
#include "crash_log_read.h"
#include "test_pattern.h"
#include "test_process.h"
#include "test_server.h"

#define NAME	      "written.img"
#define LOG	      "written.log"
#define SIZE	      (40 * 1024 + 100) /* the writer goes beyond */
#define SIZE_MAX_EVER (256 * 1024)
#define WORK	      (16u << 20)

static struct test_process writer;
static unsigned char before[SIZE_MAX_EVER], after[SIZE_MAX_EVER];

static int discard(void **state)
{
	(void)state;
	test_process_discard(&writer);
	return 0;
}

/* A file with a hole in it, and no log. */
static void make_file(void)
{
	char path[TEST_PATH_SIZE];

	test_path(path, LOG);
	(void)unlink(path);
	memset(before, 0, sizeof(before));
	test_pattern_fill(before, 8192, 0, 1);
	test_pattern_fill(before + 16384, SIZE - 16384, 16384, 1);
	test_image_create(NAME, SIZE);
	test_image_write(NAME, 0, before, 8192);
	test_image_write(NAME, 16384, before + 16384, SIZE - 16384);
}

/* `more`: "dsync", or NULL. */
static void start_writer_with(uint64_t seed, const char *threads, const char *calls, const char *more)
{
	static struct crash_environment environment;
	const char *const names[] = { "absent.img", NAME, NULL };
	char path[TEST_PATH_SIZE], seed_text[32];
	const char *arguments[] = { CRASH_WRITER_PROGRAM, path, seed_text, threads, calls, more, NULL };

	test_path(path, NAME);
	snprintf(seed_text, sizeof(seed_text), "%llu", (unsigned long long)seed);
	crash_environment_set(&environment, LOG, names, NULL, NULL);
	test_process_start(&writer, arguments, environment.variables);
}

static void start_writer(uint64_t seed, const char *threads, const char *calls)
{
	start_writer_with(seed, threads, calls, NULL);
}

/* What a cell holds in the file as it is, as crash_contents() would say it. False: that lies beyond its end. */
static bool content_after(uint64_t sector, uint64_t size, unsigned char bytes[CRASH_SECTOR])
{
	memset(bytes, 0, CRASH_SECTOR);
	if (sector == CRASH_SIZE_CELL)
		memcpy(bytes, &size, sizeof(size));
	else if (sector * CRASH_SECTOR < size)
		memcpy(bytes, after + sector * CRASH_SECTOR, CRASH_SECTOR);
	else
		return false;
	return true;
}

/* Every sector, and the size, are among what the log allows at its end, and are as at first where it is silent. */
static void check_run(const struct crash_run *run, struct crash_memory memory, uint64_t size)
{
	size_t used = memory.used;

	for (size_t cell = 0; cell < run->nr_cells; cell++) {
		uint64_t sector = run->cells[cell].sector;
		unsigned char bytes[CRASH_SECTOR];
		struct crash_contents contents;

		memory.used = used;
		assert_int_equal(crash_contents(run, cell, CRASH_NEVER, &memory, &contents), CRASH_OK);
		if (content_after(sector, size, bytes) && crash_contents_index(&contents, bytes) == contents.count)
			fail_msg("sector %lld holds what the log does not allow", (long long)sector);
		if (sector == CRASH_SIZE_CELL)
			continue;
		run->read_initial(run->context, sector, bytes);
		assert_memory_equal(bytes, before + sector * CRASH_SECTOR, CRASH_SECTOR);
	}
	for (uint64_t sector = 0; sector * CRASH_SECTOR < size; sector++)
		if (crash_run_find(run, sector) == run->nr_cells)
			assert_memory_equal(after + sector * CRASH_SECTOR, before + sector * CRASH_SECTOR,
					    CRASH_SECTOR);
}

static void check_log(size_t events_wanted)
{
	char log_path[TEST_PATH_SIZE], path[TEST_PATH_SIZE];
	uint64_t size = test_image_size(NAME);
	const struct crash_log_file *file;
	struct diagnostic diagnostic;
	struct crash_memory memory;
	struct crash_log log;
	struct crash_run run;

	test_path(log_path, LOG);
	test_path(path, NAME);
	assert_true(size <= sizeof(after));
	memset(after, 0, sizeof(after));
	test_image_read(NAME, 0, after, size);
	if (crash_log_read(&log, log_path, &diagnostic))
		fail_msg("%s", diagnostic.text);
	file = crash_log_find(&log, path);
	assert_non_null(file);
	assert_true(file->nr_events >= events_wanted);
	assert_int_equal(file->size, SIZE);
	assert_int_equal(crash_log_prepare(file, WORK, &run, &memory, &diagnostic), 0);
	check_run(&run, memory, size);
	free(memory.start);
	crash_log_free(&log);
}

static void test_one_thread(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 4; seed++) {
		make_file();
		start_writer(seed, "1", "150");
		assert_int_equal(test_process_stop(&writer, 0), 0);
		check_log(130);
	}
}

static void test_threads(void **state)
{
	(void)state;
	for (uint64_t seed = 11; seed <= 14; seed++) {
		make_file();
		start_writer(seed, "4", "40");
		assert_int_equal(test_process_stop(&writer, 0), 0);
		check_log(140);
	}
}

/* Three are killed one after the other; the last goes on where they ended. */
static void test_killed_writers(void **state)
{
	(void)state;
	make_file();
	for (uint64_t seed = 21; seed <= 23; seed++) {
		start_writer(seed, "3", "40");
		assert_true(test_process_wait_log(&writer, "half", TEST_TIMEOUT_MS));
		(void)test_process_stop(&writer, SIGKILL);
		check_log(40);
	}
	start_writer(24, "3", "40");
	assert_int_equal(test_process_stop(&writer, 0), 0);
	check_log(150);
}

/* How many writes succeeded by the log, and how many of these were stable. */
static void count_writes(size_t *writes, size_t *stable)
{
	struct diagnostic diagnostic;
	char path[TEST_PATH_SIZE];
	struct crash_log log;

	*writes = *stable = 0;
	test_path(path, LOG);
	assert_int_equal(crash_log_read(&log, path, &diagnostic), 0);
	assert_int_equal(log.nr_files, 1);
	for (size_t i = 0; i < log.files[0].nr_events; i++) {
		const struct crash_event *event = &log.files[0].events[i];

		*writes += event->kind == CRASH_WRITE && !event->failed;
		*stable += event->kind == CRASH_WRITE && !event->failed && event->stable;
	}
	crash_log_free(&log);
}

/* A write is stable by its flag or by the file's, and only then. */
static void test_stable_writes(void **state)
{
	size_t writes, stable;

	(void)state;
	make_file();
	start_writer(31, "1", "100");
	assert_int_equal(test_process_stop(&writer, 0), 0);
	count_writes(&writes, &stable);
	assert_true(stable > 0 && stable < writes / 2);
	make_file();
	start_writer_with(31, "1", "100", "dsync");
	assert_int_equal(test_process_stop(&writer, 0), 0);
	count_writes(&writes, &stable);
	assert_true(stable > 0 && stable == writes);
}

/* A program that cannot log ends. */
static void test_no_log(void **state)
{
	char path[TEST_PATH_SIZE];

	(void)state;
	make_file();
	test_path(path, LOG);
	test_image_create(LOG, 4096);
	start_writer(1, "1", "1");
	assert_int_equal(test_process_stop(&writer, 0), 128 + SIGABRT);
	assert_non_null(strstr(writer.log.text, "crash_log: the file that is to be the log is none"));
	assert_int_equal(test_image_size(LOG), 4096);
}

#define LOG_TEST(function) cmocka_unit_test_teardown(function, discard)

int main(void)
{
	const struct CMUnitTest tests[] = {
		LOG_TEST(test_one_thread),    LOG_TEST(test_threads), LOG_TEST(test_killed_writers),
		LOG_TEST(test_stable_writes), LOG_TEST(test_no_log),
	};

	return cmocka_run_group_tests_name("crash log", tests, NULL, NULL);
}
