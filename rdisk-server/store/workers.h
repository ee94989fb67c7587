/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The threads of one store, which wait for its disk so that the server's loop does not: a queue of struct io, first
 * come first begun. What is done with one is not known here. Each store has its own, so that a disk that hangs holds up
 * who uses that disk.
 *
 * Threads come with the work, up to WORKERS_MAX, and sleep when there is none.
 */
#ifndef RDISK_WORKERS_H
#define RDISK_WORKERS_H

#include <pthread.h>
#include <stdbool.h>

#include "io.h"

#define WORKERS_MAX 16 /* threads of one store */

struct workers {
	/* Does one of the queue and passes it on; in a worker's thread. NULL: not set up. */
	void (*run)(void *context, struct io *io);
	void *context;
	pthread_mutex_t lock;
	pthread_cond_t work;	  /* there is something to do, or the end has come */
	struct io *queue, **tail; /* not begun (lock) */
	int nr_queued;		  /* (lock) */
	int nr_threads;		  /* (lock) */
	int nr_idle;		  /* of them, waiting for work or woken for it (lock) */
	bool ending;		  /* (lock) */
	pthread_t threads[WORKERS_MAX];
};

/*
 * Sets up a zeroed structure, which then stays where it is; starts no thread yet. `run` gets what is posted, one after
 * the other or several at a time. 0 or -errno.
 */
int workers_init(struct workers *workers, void (*run)(void *context, struct io *io), void *context);

/*
 * Hands one over; it is the workers' until `run` has passed it on. 0; or -errno when there is no thread and none can be
 * started: then it is the caller's still. One thread only, the loop's.
 */
int workers_post(struct workers *workers, struct io *io);

/* The same for one that is just being run, from within `run`: whose thread comes to it again when its turn has come. */
void workers_post_again(struct workers *workers, struct io *io);

/* Takes back one that was posted: true if it has not been begun, and it is the caller's. The loop's thread. */
bool workers_withdraw(struct workers *workers, const struct io *io);

/* Ends the threads after all that was posted is done. Harmless on a zeroed structure. The loop's thread. */
void workers_stop(struct workers *workers);

#endif
