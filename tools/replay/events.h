/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a replay waits for: a time, an operation that is done, or the user who wants it to end. The first SIGINT or
 * SIGTERM is noted, and what is waited for is woken; when the end does not come soon the user is told what it waits
 * for. The second signal has its usual effect.
 */
#ifndef REPLAY_EVENTS_H
#define REPLAY_EVENTS_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "diagnostic.h"

#define NEVER UINT64_MAX /* a time */

struct events {
	pthread_mutex_t lock;
	pthread_cond_t changed; /* CLOCK_MONOTONIC; with lock */
	atomic_int signal;	/* the one that asked for the end, 0: none. Release on set, acquire on look: it orders
				   nothing more. */
	int wake;		/* an eventfd: readable from the signal on, for who waits for descriptors */
	atomic_uint under_way;	/* operations that are waited for, for the user: set by who waits for them, relaxed */
	pthread_mutex_t telling;
	bool over; /* with telling: there is nothing to wait for any more */
	pthread_t watcher;
};

/* ns of CLOCK_MONOTONIC. */
uint64_t now_ns(void);

/*
 * Blocks the two signals in the calling thread, whose later threads inherit that, and starts the thread that takes
 * them, which lasts to the end of the process, as *events must. 0, or -1 and *diagnostic.
 */
int events_start(struct events *events, struct diagnostic *diagnostic);

/* The signal that asked for the end, 0: none did. Any thread. */
int events_signal(struct events *events);

/* With events->lock held: waits for events->changed, at most until then. False: the time is over. */
bool events_wait(struct events *events, uint64_t until_ns);

/* Says how many operations are waited for from now on. Any thread. */
void events_under_way(struct events *events, unsigned int count);

/* All is done, and the process about to end, which may take it a while: the user is told nothing from now on. */
void events_over(struct events *events);

/* Waits until then, or for a signal. */
void events_sleep(struct events *events, uint64_t until_ns);

#endif
