/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A replica set of three for tests: a and b have images, c is diskless. Each is a rdisk with a node, a state and an
 * address (of the loopback network) of its own, and is asked by rdiskctl. What a lost connection, host or disk does is
 * not for here but for the tests with hosts (tests/cluster). One thread.
 */
#ifndef MEMBER_SET_H
#define MEMBER_SET_H

#include <stdbool.h>

#include "test_directory.h"
#include "test_process.h"

enum { MEMBER_A, MEMBER_B, MEMBER_C, MEMBERS };

#define MEMBER_SET_SIZE (4 << 20) /* bytes of its one disk, minor 0 */

struct set_member {
	struct test_process rdisk;
	char name[2];
	char folder[TEST_PATH_SIZE];
	char config[TEST_PATH_SIZE];
	char runtime[TEST_PATH_SIZE]; /* of its node */
};

extern struct set_member set_members[MEMBERS];

/* What rdiskctl wrote last, and how it ended. */
extern struct test_process member_ctl;

/* Makes the set's folders anew; nothing runs. */
void member_set_make(void);

/* Replaces a text in the configuration of a member that does not run; it must be there. */
void member_change(int member, const char *from, const char *to);

/* Starts a member and waits until it is ready. arguments: more of them, up to NULL; may be NULL. */
void member_start(int member, const char *const arguments[]);

/* The same without waiting. */
void member_launch(int member, const char *const arguments[]);

/* All three, until a serves and b is in sync. */
void member_set_start(void);

/* Ends all that run; with SIGTERM and status 0, or it is the test's failure. */
void member_set_end(void);

/* Kills all that run: for a teardown. */
void member_set_discard(void);

/* member_set_make() and member_set_discard() as cmocka has them; 0. */
int member_set_setup(void **state);
int member_set_teardown(void **state);

/* Runs rdiskctl for a member, with arguments up to NULL, to its end. Its exit status. */
int member_order(int member, const char *const arguments[]);
#define MEMBER_ORDER(member, ...) member_order(member, (const char *const[]){ __VA_ARGS__, NULL })

/*
 * Waits until a member's status says so: the primary that serves (NULL: none is asked for), and a member in sync (NULL:
 * the same). Fails after TEST_TIMEOUT_MS.
 */
void member_await(int member, const char *primary, const char *in_sync);

/* Waits until a member's status says that nothing is served, and for want of what. Fails as member_await() does. */
void member_await_blocked(int member, const char *text);

/* Gives the order until it is taken: not as long as the primary is not seen, or does not serve yet. */
void member_promote(int member, const char *name);

/* Number of the newest epoch that a member knows. */
double member_epoch(int member);

#endif
