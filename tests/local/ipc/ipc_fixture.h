/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A node in a process of its own, a running DC 0, and parties: child processes that
 * talk to the test through libdvk. None outlives the test.
 */
#ifndef IPC_FIXTURE_H
#define IPC_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "dvk.h"

#define DC	0
#define TESTER	4     /* the test's own endpoint */
#define PARTY	5     /* endpoints for parties */
#define USER	30    /* the first user endpoint */
#define LONG_MS 30000 /* longer than anything that works takes */

/* Setup and teardown of each test: a fresh node, DC 0, the test bound as TESTER. */
int ipc_setup(void **state);
int ipc_teardown(void **state);
/* The same setup with a node for the members of `group`, too. Its directory lies in test_directory(). */
int ipc_setup_group(const char *group);

/* Pid of the node's process. */
int ipc_node_pid(void);

/* Ends a party with a message; for use in parties, where cmocka's assertions cannot be. */
_Noreturn void party_fail(const char *file, int line, const char *what, long got);
#define EXPECT(condition)                                                                                              \
	do {                                                                                                           \
		if (!(condition))                                                                                      \
			party_fail(__FILE__, __LINE__, #condition, 0);                                                 \
	} while (0)
#define EXPECT_RC(expression, expected)                                                                                \
	do {                                                                                                           \
		long got_ = (expression);                                                                              \
		if (got_ != (expected))                                                                                \
			party_fail(__FILE__, __LINE__, #expression, got_);                                             \
	} while (0)

/* Starts a process that binds `endpoint` (NONE: binds nothing) and runs body(argument), then exits. Returns its pid. */
int party_start(int endpoint, void (*body)(void *argument), void *argument);

/* Waits for a party's end; fails the test unless its body ran through. */
void party_join(int pid);

/* Kills a party with SIGKILL and reaps it. */
void party_kill(int pid);

/* Waits until the process on `endpoint` is blocked with exactly these rts_flags. */
void wait_blocked(int endpoint, unsigned long rts_flags);

#endif
