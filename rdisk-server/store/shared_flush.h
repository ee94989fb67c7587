/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Flushes of one store that wait for its disk, one at a time: those that come while one is under way share the next,
 * which begins after all of them were submitted. What flushing is, is not known here.
 */
#ifndef RDISK_SHARED_FLUSH_H
#define RDISK_SHARED_FLUSH_H

#include <pthread.h>
#include <stdbool.h>

#include "completions.h"
#include "io.h"
#include "workers.h"

struct shared_flush {
	/* Does one, in a worker's thread. 0 or what the flushes are to end with. */
	int (*run)(void *context);
	void *context;
	struct workers *workers;
	struct completions *completions;
	pthread_mutex_t lock;
	struct io *waiting, **tail; /* for one that has not begun (lock) */
	bool posted;		    /* `turn` is at the workers (lock) */
	struct io turn;		    /* stands in the workers' queue for all of them */
};

/* Sets up a zeroed structure, which then stays where it is. 0 or -errno. The loop's thread, like the next three. */
int shared_flush_init(struct shared_flush *flush, struct workers *workers, struct completions *completions,
		      int (*run)(void *context), void *context);

/* Releases it, after the workers were stopped. Harmless on a zeroed structure. */
void shared_flush_destroy(struct shared_flush *flush);

/*
 * Has a flush done; it goes to the completions. 0; or -errno when there is no worker and none can be started: then it
 * is the caller's still, and no other is under way.
 */
int shared_flush_post(struct shared_flush *flush, struct io *io);

/* Takes back one that was posted: true if its flush has not begun, and it is the caller's. */
bool shared_flush_withdraw(struct shared_flush *flush, const struct io *io);

/* To be called by the workers for `turn`. */
void shared_flush_run(struct shared_flush *flush);

#endif
