/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What was PENDING and is done: any number of threads put it here, one takes it away. All stores of a server share one
 * of these, so that its loop looks at one place. It knows nothing of stores and threads: who makes something else that
 * answers struct io can use it as well.
 */
#ifndef RDISK_COMPLETIONS_H
#define RDISK_COMPLETIONS_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "io.h"

struct completions {
	_Atomic(struct io *) newest; /* each names the one before it by io->next */
	void (*wake)(void);	     /* NULL: nobody is to be woken */
	pthread_mutex_t lock;	     /* for the sleep of completions_await() alone */
	pthread_cond_t came;
	atomic_bool awaited; /* somebody sleeps, or is about to */
	int bell;	     /* an eventfd that is rung while they are awaited; -1: none */
	bool ready;	     /* it was set up */
};

/*
 * Sets it up. `wake` (may be NULL) is called after each put, by the thread that did: it must be safe in
 * any, and interrupt whatever wait the taking thread may be in, also one that it is just about to begin. 0 or -errno.
 */
int completions_init(struct completions *completions, void (*wake)(void));

/*
 * For a taking thread that has to wait for other things at the same time: between completions_expect(true) and (false)
 * each put rings the eventfd `fd`, which outlives this, too. It has to look with completions_any_now() after it said
 * that it expects some and before it waits; a ring may still come after it said that it does not. Set before anything
 * is put.
 */
void completions_set_bell(struct completions *completions, int fd);
void completions_expect(struct completions *completions, bool expected);

/* Releases it, once nobody can put anything in any more. Harmless on one that was never set up, zeroed. */
void completions_destroy(struct completions *completions);

/* Puts one in that is done, with its result set. It is no longer the caller's after that. Any thread; never waits. */
void completions_put(struct completions *completions, struct io *io);

/* The same for one or more, each naming the next by io->next: whoever takes them gets all at once, in this order. */
void completions_put_all(struct completions *completions, struct io *first);

/* All that are done, the first to be done first, each naming the next by io->next; NULL: none. Taking thread. */
struct io *completions_take(struct completions *completions);

/* Whether completions_take() would return any: cheap, for a look in every turn of a loop. Any thread. */
static inline bool completions_any(const struct completions *completions)
{
	/* relaxed: completions_take() orders what is then read */
	return atomic_load_explicit(&completions->newest, memory_order_relaxed) != NULL;
}

/* The same for who expects some: whatever is put after it said no rings. */
static inline bool completions_any_now(const struct completions *completions)
{
	/* sequentially consistent: against put(), see there */
	return atomic_load_explicit(&completions->newest, memory_order_seq_cst) != NULL;
}

/* Sleeps until there is one to take. Signals do not end it. Only while something is PENDING. Taking thread. */
void completions_await(struct completions *completions);

#endif
