/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * libcpg and libquorum for a test, linked in place of the real ones: a daemon that says what the test has it say, when
 * the test says so, to the one connection at a time that it has. Any thread.
 */
#ifndef FAKE_COROSYNC_H
#define FAKE_COROSYNC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A daemon that is there, on node `node`, and knows nothing. */
void fake_corosync_start(uint32_t node);

/* It goes, with its connection and what it knows. */
void fake_corosync_stop(void);

/* It is there again. */
void fake_corosync_return(void);

/*
 * What it knows: who is in the group and who in the ring, as lists that end with 0; whether it is quorate. It tells a
 * connection that is there, and one that is made later.
 */
void fake_corosync_group(const uint32_t nodes[]);
void fake_corosync_ring(const uint32_t nodes[]);
void fake_corosync_quorum(bool quorate);

/* The nth call from now on fails, 1 being the next. */
void fake_corosync_fail(unsigned int nth);

/* Whether that call has been made. */
bool fake_corosync_failed(void);

/* A join does not return before fake_corosync_release(). */
void fake_corosync_hold(void);
void fake_corosync_release(void);

/* Waits until so many connections, since fake_corosync_start(), were begun, or were complete. */
void fake_corosync_await_begun(unsigned int times);
void fake_corosync_await_complete(unsigned int times);

/* Waits until there is no connection any more. */
void fake_corosync_await_end(void);

/* The name of the group that was joined last. */
const char *fake_corosync_name(void);

#endif
