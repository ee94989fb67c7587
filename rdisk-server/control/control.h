/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The control socket of a server that is a member of a replica set: where rdiskctl asks it and gives it orders.
 *
 * A Unix stream socket of mode 0600: who may open it may do all that an operator may. Each line that comes in is a JSON
 * object, and gets one line, a JSON object, in the order of their coming:
 *
 *   {"command": "status"}                       the status, see control_status.h
 *   {"command": "promote", "node": N}           N: a member's name, or the number of its node
 *   {"command": "force-primary", "dead": [N, ...]}
 *   {"command": "invalidate", "node": N}
 *   {"command": "init", "from": N}
 *   {"command": "pause-resync"}, {"command": "resume-resync"}
 *                                               {"result": "done"}, with "message" where there is something to tell
 *   {"command": "events"}                       {"result": "subscribed"}, and then a line for each event
 *
 * or {"error": CODE, "message": TEXT}; CODE is "bad-request", "refused" (never so), "not-now" (perhaps later),
 * "timeout" or "failed". An order that takes its time is answered when it is done, and holds up nobody but its own
 * connection. Each order may have "timeout": SECONDS, a whole number from 0 (no limit) to CONTROL_TIMEOUT_MAX; without,
 * it is CONTROL_TIMEOUT_DEFAULT. What has not come to its end by then is answered with what it waits for.
 *
 * Everything here runs in the loop's thread and never waits. Memory is bounded: a line, the connections, and what one
 * of them has not taken yet. Who does not take events fast enough loses its connection, so that none is missing unseen.
 */
#ifndef RDISK_CONTROL_H
#define RDISK_CONTROL_H

#include <stdbool.h>
#include <stdint.h>

#include "control_status.h"
#include "diagnostic.h"

#define CONTROL_LINE_MAX	4096	      /* bytes of a line that comes in, with its end */
#define CONTROL_CONNECTIONS_MAX 16	      /* one that is idle makes room for a new one */
#define CONTROL_OUTPUT_MAX	(256u * 1024) /* bytes that a connection has not taken yet */
#define CONTROL_TIMEOUT_DEFAULT 60 /* seconds: what a set needs, with its leases and time-outs as they usually are */
#define CONTROL_TIMEOUT_MAX	1000000 /* seconds */

struct control;

/* What an order's function returns when the answer is to come by control_answer(). */
#define CONTROL_LATER 1

/*
 * What the server does. Members are indices. Orders return 0 (done), CONTROL_LATER, or a code as control_answer() takes
 * it, and may set `why`: the cause, or what there is to tell of success. order: a number for control_answer(), never 0
 * and never used twice. now: as it was given to control_turn(). timeout: ns from now in which an order that takes its
 * time is to be done, else it is answered with -ETIMEDOUT; 0: no limit.
 *
 * They may call control_answer() and control_event(), and not control_turn() or control_close().
 */
struct control_orders {
	void (*status)(void *user, uint64_t now, struct control_status *status);
	int (*promote)(void *user, uint64_t now, uint64_t order, int member, uint64_t timeout, struct diagnostic *why);
	/* dead: bit n is member n; not empty, and not this one's. */
	int (*force)(void *user, uint64_t now, uint64_t order, unsigned int dead, uint64_t timeout,
		     struct diagnostic *why);
	/* member: another one's copy cannot be discarded from here; it is for the order's function to say so. */
	int (*invalidate)(void *user, uint64_t now, uint64_t order, int member, struct diagnostic *why);
	int (*init)(void *user, uint64_t now, uint64_t order, int from, struct diagnostic *why);
	int (*pause_resync)(void *user, uint64_t now, uint64_t order, struct diagnostic *why);
	int (*resume_resync)(void *user, uint64_t now, uint64_t order, struct diagnostic *why);
};

/*
 * Listens at replication->control, where the socket of a server that is dead is replaced. All that is given outlives
 * it, and replication->self is set. 0, or -1 and *diagnostic. Its folder must be there.
 */
int control_open(struct control **control, const struct replication_configuration *replication,
		 const struct control_orders *orders, void *user, struct diagnostic *diagnostic);

/* Readable when there is something to do: for poll() or another epoll. It stays the control's. */
int control_descriptor(const struct control *control);

/* Does what there is to do: of each connection one line at most. */
void control_turn(struct control *control, uint64_t now);

/* Whether anybody still waits for the answer of an order that is under way. */
bool control_awaited(const struct control *control, uint64_t order);

/*
 * Answers an order that is under way; nothing happens if its connection is gone. code: 0, -EINVAL (never so), -EAGAIN
 * (perhaps later), -ETIMEDOUT (not in the time that it was given) or another one (it failed). text: the cause, or what
 * there is to tell; NULL or "": nothing.
 */
void control_answer(struct control *control, uint64_t order, int code, const char *text);

/* Tells all who have subscribed. */
void control_event(struct control *control, const struct control_event *event);

/* Ends all connections and removes the socket, if it is still this one; NULL is harmless. */
void control_close(struct control *control);

#endif
