/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * For tests of the control socket: a table of functions that do what the test says, and clients in this process: what
 * one sends is there when the socket's turn comes.
 */
#ifndef CONTROL_TEST_H
#define CONTROL_TEST_H

#include <stdbool.h>
#include <sys/un.h>

#include "control.h"
#include "test_directory.h"

#define NOW	    4711u
#define ANSWER_SIZE 65536

#define DONE	    "{\"result\":\"done\"}\n"

extern char path[TEST_PATH_SIZE]; /* of the socket */
extern struct replication_configuration replication;
extern struct control *control;
extern const struct control_orders orders;

/* What the table was asked last, and what it says. */
struct fake {
	char what[32];
	int member;
	unsigned int dead;
	uint64_t order, now, timeout;
	int code;
	const char *why;
	bool at_once; /* it answers in the call, and returns CONTROL_LATER */
	struct control_status status;
};
extern struct fake fake;

/* A set of three, the third diskless; this is the first. */
int control_setup(void **state);
int control_teardown(void **state);

struct sockaddr_un address_of_socket(void);
int connect_client(void);
/* Whether there is something to do. */
bool ready(void);
/* Turns until there is nothing to do any more; it must come to that. */
void turn(void);
void say(int fd, const char *text);
/* What a client has got; NULL: its connection is at its end, and nothing was there. */
const char *heard(int fd);
void assert_heard(int fd, const char *expected);
/* A line is answered with an error of that code, with a text that holds the cause. */
void assert_error(int fd, const char *line, const char *code, const char *cause);

#endif
