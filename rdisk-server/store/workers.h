/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Threads that do what waits for a disk, so that the server's own thread does not: fetching what is not in the page
 * cache, and flushing. They know images and nothing else: no client, no client's memory (which may
 * go at any time), no libdvk. They change no image, so that a job that nobody waits for any more does no harm however
 * late it runs. A job belongs to them from workers_post() until workers_take() or workers_withdraw() gives it back.
 *
 * Threads come with the work, up to WORKERS_MAX, and sleep when there is none.
 */
#ifndef RDISK_WORKERS_H
#define RDISK_WORKERS_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "store.h"

#define WORKERS_MAX 16

enum job_kind {
	JOB_FETCH, /* have the range in the page cache */
	JOB_FLUSH,
};

struct job {
	enum job_kind kind;
	struct image *image;
	uint64_t position;    /* FETCH: byte */
	uint64_t length;      /* FETCH: bytes */
	atomic_bool unwanted; /* FETCH: it may end early; set by the server's thread */
	int result;	      /* set by the worker: 0 or a code of image.h */
	struct job *next;     /* the workers' */
};

struct workers {
	pthread_mutex_t lock;
	pthread_cond_t work;		/* there is a job, or the end has come */
	struct job *queue, **tail;	/* posted and not begun (lock) */
	_Atomic(struct job *) finished; /* newest first */
	void (*wake)(void);		/* called by a worker after a job was finished */
	int nr_threads;			/* (lock) */
	int nr_idle;			/* of them, waiting for work (lock) */
	bool ending;			/* (lock) */
	pthread_t threads[WORKERS_MAX];
};

/* Sets up a zeroed structure; starts no thread yet. `wake` must be safe in any thread. 0 or -errno. */
int workers_start(struct workers *workers, void (*wake)(void));

/*
 * Hands a job over; the caller keeps its memory. 0; or -errno when there is no thread and none can be started: then the
 * job is the caller's still. Server's thread.
 */
int workers_post(struct workers *workers, struct job *job);

/*
 * Takes back a job that nobody waits for any more. True: no worker has begun it, and it is the caller's again. Else it
 * ends as soon as it can and comes by workers_take(). Server's thread.
 */
bool workers_withdraw(struct workers *workers, struct job *job);

/* A job that was finished, or NULL. Server's thread. */
struct job *workers_take(struct workers *workers);

/* Whether workers_take() would return one: cheap, for a look in every turn. Server's thread. */
static inline bool workers_have_finished(const struct workers *workers)
{
	/* relaxed: workers_take() orders what is then read */
	return atomic_load_explicit(&workers->finished, memory_order_relaxed) != NULL;
}

/* Ends the threads after all jobs that were posted are done. Harmless on a zeroed structure. Server's thread. */
void workers_stop(struct workers *workers);

#endif
