/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Logs that are made record by record: what is read out of them, and what is refused.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "crash_log_read.h"
#include "test_directory.h"

#define FILE_NAME "/some/image"
#define INODE	  77
#define SIZE	  4096

static FILE *output;
static char path[TEST_PATH_SIZE];
static struct crash_log log_read;
static struct diagnostic diagnostic;
static unsigned char data[SIZE];

static int setup(void **state)
{
	(void)state;
	test_path(path, "log");
	output = fopen(path, "w");
	return output ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	if (output)
		(void)fclose(output);
	output = NULL;
	crash_log_free(&log_read);
	return 0;
}

static void put(struct crash_record record, const void *payload, size_t length)
{
	record.magic = CRASH_RECORD_MAGIC;
	record.payload = length;
	assert_int_equal(fwrite(&record, sizeof(record), 1, output), 1);
	if (length > 0)
		assert_int_equal(fwrite(payload, length, 1, output), 1);
}

static void put_file(uint64_t process, uint32_t number, uint64_t inode)
{
	put((struct crash_record){ .kind = CRASH_RECORD_FILE,
				   .process = process,
				   .file = number,
				   .position = inode,
				   .length = SIZE },
	    FILE_NAME, strlen(FILE_NAME));
}

static struct crash_record begin_of(uint64_t process, uint64_t call, enum crash_record_call what, uint64_t position,
				    uint64_t length)
{
	return (struct crash_record){ .kind = CRASH_RECORD_BEGIN,
				      .what = (uint16_t)what,
				      .process = process,
				      .call = call,
				      .position = position,
				      .length = length,
				      .time_ns = 1000 * call };
}

static void put_write(uint64_t process, uint64_t call, uint64_t position, size_t length)
{
	put(begin_of(process, call, CRASH_CALL_WRITE, position, length), data, length);
}

static void put_end(uint64_t process, uint64_t call, enum crash_record_call what, int64_t result)
{
	put((struct crash_record){ .kind = CRASH_RECORD_END,
				   .what = (uint16_t)what,
				   .process = process,
				   .call = call,
				   .result = result,
				   .time_ns = 1000 * call + 500 },
	    NULL, 0);
}

static const struct crash_log_file *read_log(void)
{
	assert_int_equal(fclose(output), 0);
	output = NULL;
	if (crash_log_read(&log_read, path, &diagnostic))
		fail_msg("%s", diagnostic.text);
	return crash_log_find(&log_read, FILE_NAME);
}

static void assert_refused(const char *why)
{
	assert_int_equal(fclose(output), 0);
	output = NULL;
	assert_int_equal(crash_log_read(&log_read, path, &diagnostic), -1);
	assert_non_null(strstr(diagnostic.text, why));
}

static void test_calls(void **state)
{
	const struct crash_log_file *file;

	(void)state;
	put_file(5, 0, INODE);				      /* 0 */
	put_write(5, 1, 512, 1024);			      /* 1 */
	put(begin_of(5, 2, CRASH_CALL_FLUSH, 0, 0), NULL, 0); /* 2 */
	put_end(5, 1, CRASH_CALL_WRITE, 1024);		      /* 3 */
	put_end(5, 2, CRASH_CALL_FLUSH, 0);		      /* 4 */
	file = read_log();
	assert_non_null(file);
	assert_int_equal(file->size, SIZE);
	assert_int_equal(file->nr_events, 2);
	assert_int_equal(file->events[0].kind, CRASH_WRITE);
	assert_int_equal(file->events[0].position, 512);
	assert_int_equal(file->events[0].length, 1024);
	assert_int_equal(file->events[0].begun, 3);
	assert_int_equal(file->events[0].returned, 7);
	assert_false(file->events[0].failed || file->events[0].stable);
	assert_int_equal(file->events[1].kind, CRASH_FLUSH);
	assert_int_equal(file->events[1].begun, 5);
	assert_int_equal(file->events[1].returned, 9);
	/* Before all, and after each of the four. */
	assert_int_equal(file->nr_cuts, 5);
	assert_int_equal(file->cuts[0].moment, 0);
	assert_int_equal(file->cuts[0].until_ns, 1000);
	assert_int_equal(file->cuts[1].moment, 4);
	assert_int_equal(file->cuts[1].until_ns, 2000);
	assert_int_equal(file->cuts[3].until_ns, 2500);
	assert_true(file->cuts[4].until_ns == CRASH_NEVER);
}

/* What a write's result says: the part that was done; nothing; that it cannot be known. */
static void test_results(void **state)
{
	const struct crash_log_file *file;

	(void)state;
	put_file(5, 0, INODE);
	put_write(5, 1, 0, 1024);
	put_end(5, 1, CRASH_CALL_WRITE, 600);
	put_write(5, 2, 0, 512);
	put_end(5, 2, CRASH_CALL_WRITE, -EOPNOTSUPP);
	put_write(5, 3, 0, 512);
	put_end(5, 3, CRASH_CALL_WRITE, -EIO);
	put(begin_of(5, 4, CRASH_CALL_FLUSH, 0, 0), NULL, 0);
	put_end(5, 4, CRASH_CALL_FLUSH, -EINTR);
	put(begin_of(5, 5, CRASH_CALL_FLUSH, 0, 0), NULL, 0);
	put_end(5, 5, CRASH_CALL_FLUSH, -EIO);
	file = read_log();
	assert_int_equal(file->nr_events, 6);
	assert_int_equal(file->events[0].length, 600);
	assert_false(file->events[0].failed);
	assert_int_equal(file->events[1].position, 600);
	assert_int_equal(file->events[1].length, 424);
	assert_true(file->events[1].failed);
	assert_int_equal(file->events[2].length, 0);
	assert_true(file->events[3].failed);
	assert_int_equal(file->events[3].length, 512);
	assert_true(file->events[4].returned == CRASH_NEVER);
	assert_false(file->events[4].failed);
	assert_true(file->events[5].failed);
}

/* A stable write that fails may have taken an error away from the next flush. */
static void test_failed_stable_write(void **state)
{
	struct crash_record begin = begin_of(5, 1, CRASH_CALL_WRITE, 0, 512);
	const struct crash_log_file *file;

	(void)state;
	begin.flags = CRASH_RECORD_STABLE;
	put_file(5, 0, INODE);
	put(begin, data, 512);
	put_end(5, 1, CRASH_CALL_WRITE, -EIO);
	file = read_log();
	assert_int_equal(file->nr_events, 2);
	for (size_t i = 0; i < 2; i++)
		assert_true(file->events[i].failed);
	assert_int_not_equal(file->events[0].kind, file->events[1].kind);
}

/* A process dies within a write and a flush; the next one's calls come after both. */
static void test_death(void **state)
{
	const struct crash_log_file *file;

	(void)state;
	put_file(5, 0, INODE);
	put_write(5, 1, 0, 512);
	put(begin_of(5, 2, CRASH_CALL_FLUSH, 0, 0), NULL, 0);
	put_file(6, 0, INODE);
	put_write(6, 1, 0, 512);
	put_end(6, 1, CRASH_CALL_WRITE, 512);
	file = read_log();
	assert_int_equal(file->nr_events, 3);
	assert_true(file->events[0].failed);
	assert_true(file->events[0].returned < file->events[2].begun);
	assert_true(file->events[1].returned == CRASH_NEVER);
	assert_false(file->events[1].failed);
	assert_false(file->events[2].failed);
}

/* A sector's content at first is what the first record says, and only before it was changed. */
static void test_initial(void **state)
{
	static unsigned char before[1100];
	struct crash_record initial = { .kind = CRASH_RECORD_INITIAL, .process = 5, .length = sizeof(before) };
	unsigned char bytes[CRASH_SECTOR];
	const struct crash_log_file *file;
	struct crash_memory memory;
	struct crash_run run;

	(void)state;
	memset(before, 7, sizeof(before));
	put_file(5, 0, INODE);
	put(initial, before, sizeof(before)); /* sectors 0, 1, and a part of 2 */
	put_write(5, 1, 0, 2048);	      /* and 3, which was zero */
	memset(before, 8, sizeof(before));
	initial.position = 512;
	put(initial, before, sizeof(before));
	file = read_log();
	assert_int_equal(crash_log_prepare(file, 65536, &run, &memory, &diagnostic), 0);
	run.read_initial(run.context, 1, bytes);
	assert_int_equal(bytes[511], 7);
	run.read_initial(run.context, 2, bytes);
	assert_int_equal(bytes[1100 - 1024 - 1], 7);
	assert_int_equal(bytes[1100 - 1024], 0);
	run.read_initial(run.context, 3, bytes);
	assert_int_equal(bytes[0], 0);
	free(memory.start);
}

/* A hole, and what a smaller size takes away, are of the file as it was. */
static void test_ranges(void **state)
{
	const struct crash_log_file *file;

	(void)state;
	put_file(5, 0, INODE);
	put(begin_of(5, 1, CRASH_CALL_ZERO, 1024, 1u << 30), NULL, 0);
	put_end(5, 1, CRASH_CALL_ZERO, 0);
	put(begin_of(5, 2, CRASH_CALL_RESIZE, 0, 512), NULL, 0);
	put_end(5, 2, CRASH_CALL_RESIZE, 0);
	put(begin_of(5, 3, CRASH_CALL_SYNC_RANGE, 0, 512), NULL, 0);
	put_end(5, 3, CRASH_CALL_SYNC_RANGE, 0);
	file = read_log();
	assert_int_equal(file->nr_events, 2);
	assert_int_equal(file->events[0].kind, CRASH_ZERO);
	assert_int_equal(file->events[0].length, SIZE - 1024);
	assert_int_equal(file->events[1].kind, CRASH_RESIZE);
	assert_int_equal(file->events[1].length, 512);
}

/* A log that ends anywhere within a record is read up to there. */
static void test_unfinished(void **state)
{
	long whole, end;

	(void)state;
	put_file(5, 0, INODE);
	whole = ftell(output);
	put_write(5, 1, 0, 512);
	end = ftell(output);
	assert_int_equal(fclose(output), 0);
	output = NULL;
	for (long length = end - 1; length > whole; length -= 7) {
		assert_int_equal(truncate(path, length), 0);
		assert_int_equal(crash_log_read(&log_read, path, &diagnostic), 0);
		assert_int_equal(log_read.nr_files, 1);
		assert_int_equal(log_read.files[0].nr_events, 0);
		crash_log_free(&log_read);
	}
}

static void test_no_log(void **state)
{
	(void)state;
	assert_int_equal(fwrite(data, sizeof(data), 1, output), 1);
	assert_refused("no record is there");
	assert_int_equal(crash_log_read(&log_read, "/nowhere", &diagnostic), -1);
	assert_non_null(strstr(diagnostic.text, "/nowhere"));
}

static void test_replaced_file(void **state)
{
	(void)state;
	put_file(5, 0, INODE);
	put_file(6, 0, INODE + 1);
	assert_refused("another file");
}

static void put_wrong(int which)
{
	struct crash_record record = begin_of(5, 1, CRASH_CALL_WRITE, 0, 512);

	switch (which) {
	case 0:
		record.file = 1;
		break;
	case 1:
		record.kind = 9;
		break;
	case 2:
		record.what = 9;
		break;
	case 3:
		record.position = UINT64_MAX;
		break;
	case 4:
		record.length = 100;
		break;
	case 5:
		put_end(5, 3, CRASH_CALL_WRITE, 0);
		return;
	case 6:
		put_write(5, 1, 0, 512);
		put_end(5, 1, CRASH_CALL_WRITE, 513);
		return;
	case 7:
		put_write(5, 1, 0, 512);
		put_end(5, 1, CRASH_CALL_FLUSH, 0);
		return;
	case 8:
		put_file(5, 0, INODE);
		return;
	case 9:
		record.kind = CRASH_RECORD_INITIAL;
		record.position = 100;
		break;
	default:
		break;
	}
	put(record, data, 512);
}

static void test_wrong_records(void **state)
{
	(void)state;
	for (int which = 0; which < 10; which++) {
		if (!output)
			output = fopen(path, "w");
		assert_non_null(output);
		put_file(5, 0, INODE);
		put_wrong(which);
		assert_refused("record ");
	}
}

#define LOG_TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		LOG_TEST(test_calls),	      LOG_TEST(test_results), LOG_TEST(test_failed_stable_write),
		LOG_TEST(test_death),	      LOG_TEST(test_initial), LOG_TEST(test_ranges),
		LOG_TEST(test_unfinished),    LOG_TEST(test_no_log),  LOG_TEST(test_replaced_file),
		LOG_TEST(test_wrong_records),
	};

	return cmocka_run_group_tests_name("crash log", tests, NULL, NULL);
}
