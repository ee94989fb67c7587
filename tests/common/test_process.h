/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Programs started by a test: their output is collected, their lines and their end
 * are waited for, and none of them outlives the test (PR_SET_PDEATHSIG).
 * One thread.
 */
#ifndef TEST_PROCESS_H
#define TEST_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define TEST_STREAM_SIZE 65536
#define TEST_TIMEOUT_MS	 60000 /* longer than anything that works takes, on any machine */

/* What a program has written so far; when full, the older half is forgotten. Ends with a zero. */
struct test_stream {
	int fd; /* -1: at its end */
	size_t length;
	char text[TEST_STREAM_SIZE];
};

struct test_process {
	pid_t pid; /* 0: none */
	int pidfd;
	int status; /* of waitpid(), once ended */
	struct test_stream output;
	struct test_stream log; /* stderr */
};

/*
 * Starts arguments[0] (a path). Both lists end with NULL; `environment` ("NAME=value")
 * is added to the test's own and may be NULL. Fatal on failure.
 */
void test_process_start(struct test_process *process, const char *const arguments[], const char *const environment[]);

/* True once the program's stderr holds `text`; false when it ended or the time is over before. */
bool test_process_wait_log(struct test_process *process, const char *text, int timeout_ms);

/* The same, for `text` to be there `times` times. */
bool test_process_wait_log_times(struct test_process *process, const char *text, int times, int timeout_ms);

/* True once the program has ended; its status and all its output are then there. */
bool test_process_wait_end(struct test_process *process, int timeout_ms);

/*
 * Sends a signal (0: none) and waits for the end; a program that does not end is killed, which is fatal
 * to the test. Returns what test_process_exit_code() does.
 */
int test_process_stop(struct test_process *process, int signal_number);

/* Kills the program if it runs; for cleaning up after a failed test. */
void test_process_discard(struct test_process *process);

/* Exit status, or 128 + number of the signal that killed it. */
int test_process_exit_code(const struct test_process *process);

#endif
