/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * For tests of rdiskctl: a process behind the server's control socket that says what the test wants, runs of rdiskctl,
 * and what they printed.
 */
#ifndef RDISKCTL_FIXTURE_H
#define RDISKCTL_FIXTURE_H

#include "control.h"
#include "test_directory.h"
#include "test_process.h"

/* What the server and the test share. The server's while it has not said that something came. */
struct shared {
	struct control_status status;
	int code;	  /* of the next order */
	char why[128];	  /* of it */
	char what[128];	  /* the last order, and whom it named */
	uint64_t timeout; /* that it was given, if it takes its time */
};

extern struct shared *shared;
extern char socket_path[TEST_PATH_SIZE];
extern struct test_process process; /* the last run */

/* Once, before all tests. */
void rdiskctl_begin(void);
/* With a server: two in sync and a diskless one, all well; b is primary, this is a. */
int rdiskctl_setup(void **state);
int rdiskctl_teardown(void **state);

void start_server(void);
void stop_server(void);
/* Waits until the server says that: 'r' it runs, 'o' it got an order. */
void await_server(char expected);
/* "a": answer the last order; "l": say that it is late; "e": an event happens. */
void tell_server(const char *byte);

/* Starts it, with these arguments and a NULL; or runs it to its end, and returns the exit status. */
void start(const char *const arguments[]);
int run(const char *const arguments[]);

#define RUN(...)      run((const char *const[]){ __VA_ARGS__, NULL })
#define ASK(...)      RUN("-s", socket_path, __VA_ARGS__)
#define ASK_JSON(...) RUN("-s", socket_path, "--json", __VA_ARGS__)

void assert_output(const char *text);
void assert_no_output(const char *text);
/* Its standard error is one line that has the text. */
void assert_complaint(const char *text);
/* It printed nothing but an error as JSON. */
void assert_json_error(const char *code, const char *cause);

#endif
