/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The comparison finds what a server does wrong: each fault of crash_fault.h is found, and by the check that is for it.
 * The same requests without a fault are right.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "crash_client.h"
#include "crash_fixture.h"

#define EXIT_NOT_FLUSHED 2 /* exit status of rdisk, see rdisk(8) */

static struct crash_client client;

#define WRITE(at)                                                                                                      \
	{                                                                                                              \
		.kind = CRASH_ANSWER_WRITE, .position = (at)*512u, .length = 1024                                      \
	}
#define FUA(at)                                                                                                        \
	{                                                                                                              \
		.kind = CRASH_ANSWER_WRITE, .fua = true, .position = (at)*512u, .length = 1024                         \
	}
#define ZEROES(at)                                                                                                     \
	{                                                                                                              \
		.kind = CRASH_ANSWER_ZEROES, .position = (at)*512u, .length = 1024                                     \
	}
#define FLUSH                                                                                                          \
	{                                                                                                              \
		.kind = CRASH_ANSWER_FLUSH                                                                             \
	}

static const struct crash_request flushed[] = {
	WRITE(0), FLUSH, WRITE(0), WRITE(1), FLUSH, ZEROES(1), FLUSH, WRITE(9)
};
static const struct crash_request forced[] = { WRITE(0), FUA(0), FUA(1), WRITE(0), FUA(0) };

/* Makes the requests; the server is to end with that status. */
static struct crash_report run(const struct crash_request *requests, size_t count, const char *fault, int status)
{
	struct test_disk disk;

	crash_server_start(1, fault, NULL);
	disk = test_disk(test_bind(ANY), 0);
	crash_client_begin(&client, &disk);
	for (size_t i = 0; i < count; i++)
		(void)crash_client_request(&client, &requests[i], false);
	crash_client_end(&client);
	(void)dvk_close();
	assert_int_equal(test_process_stop(&crash_server.process, SIGTERM), status);
	return crash_compare(0, &client.answers);
}

static struct crash_report run_flushed(const char *fault)
{
	return run(flushed, sizeof(flushed) / sizeof(flushed[0]), fault, 0);
}

static struct crash_report run_forced(const char *fault)
{
	return run(forced, sizeof(forced) / sizeof(forced[0]), fault, 0);
}

/* It was found, and nothing was found but that. */
static void assert_found(const struct crash_report *report, enum crash_verdict verdict)
{
	print_message("%s\n", report->first);
	assert_true(report->wrong[verdict] > 0);
	for (int i = 0; i < NR_CRASH_VERDICTS; i++)
		if (i != (int)verdict)
			assert_int_equal(report->wrong[i], 0);
	assert_int_equal(report->not_logged, 0);
}

static void test_without_fault(void **state)
{
	struct crash_report report;

	(void)state;
	report = run_flushed(NULL);
	assert_crash_right(&report);
	report = run_forced(NULL);
	assert_crash_right(&report);
}

/* A flush that is answered and never made: the first, the second, all. */
static void test_lost_sync(void **state)
{
	static const char *const faults[] = { "sync-lost:1", "sync-lost:2", "sync-lost:1+" };

	(void)state;
	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		struct crash_report report = run_flushed(faults[i]);

		assert_found(&report, CRASH_LOST_FLUSHED);
	}
}

/* FUA that is not obeyed. */
static void test_lost_fua(void **state)
{
	struct crash_report report;

	(void)state;
	report = run_forced("sync-lost:1+");
	assert_found(&report, CRASH_LOST_FUA);
}

/* A flush that began before the write that it is to cover had returned, as one that is shared too late has. */
static void test_early_sync(void **state)
{
	struct crash_report report;

	(void)state;
	report = run_flushed("sync-early:1+");
	assert_found(&report, CRASH_LOST_FLUSHED);
	/* There the write itself may be stable. */
	if (crash_images_are_in_memory())
		return;
	report = run_forced("sync-early:1+");
	assert_found(&report, CRASH_LOST_FUA);
}

/* A flush that failed, and is answered as if it had not. */
static void test_hidden_failure(void **state)
{
	struct crash_report report;

	(void)state;
	report = run_flushed("sync-hidden:2");
	assert_found(&report, CRASH_LOST_FLUSHED);
}

/* The same, and the server says so: nobody was promised anything, and it says so for ever. */
static void test_reported_failure(void **state)
{
	struct crash_report report;
	size_t failed = 0;

	(void)state;
	report = run(flushed, sizeof(flushed) / sizeof(flushed[0]), "sync-failed:2", EXIT_NOT_FLUSHED);
	assert_crash_right(&report);
	for (size_t i = 0; i < client.answers.count; i++)
		failed += client.room[i].failed;
	assert_int_equal(failed, 2);
}

static void test_lost_changes(void **state)
{
	static const char *const faults[] = { "write-lost:1", "write-lost:3", "zero-lost:1" };

	(void)state;
	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		struct crash_report report = run_flushed(faults[i]);

		assert_found(&report, CRASH_LOST_FLUSHED);
	}
}

static void test_wrong_data(void **state)
{
	struct crash_report report;

	(void)state;
	report = run_flushed("write-wrong:4");
	assert_found(&report, CRASH_NEVER_WRITTEN);
}

/* A call that the log lacks: the image as it is tells. */
static void test_silent_write(void **state)
{
	struct crash_report report;

	(void)state;
	report = run_flushed("write-silent:4");
	print_message("%s\n", report.first);
	assert_int_equal(report.not_logged, 2);
}

#define FAULT_TEST(function) cmocka_unit_test_teardown(function, crash_server_discard)

int main(void)
{
	const struct CMUnitTest tests[] = {
		FAULT_TEST(test_without_fault), FAULT_TEST(test_lost_sync),	 FAULT_TEST(test_lost_fua),
		FAULT_TEST(test_early_sync),	FAULT_TEST(test_hidden_failure), FAULT_TEST(test_reported_failure),
		FAULT_TEST(test_lost_changes),	FAULT_TEST(test_wrong_data),	 FAULT_TEST(test_silent_write),
	};

	return cmocka_run_group_tests_name("crash faults", tests, NULL, NULL);
}
