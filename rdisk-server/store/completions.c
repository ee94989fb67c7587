/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A stack that many push to and one takes as a whole; see completions.h. Taken as a whole, so that an element that is
 * pushed, taken and pushed again between two steps of a push cannot be mistaken for one that was there all the time.
 */
#include "completions.h"

#include <stdint.h>
#include <unistd.h>

int completions_init(struct completions *completions, void (*wake)(void))
{
	int error = pthread_mutex_init(&completions->lock, NULL);

	if (error)
		return -error;
	error = pthread_cond_init(&completions->came, NULL);
	if (error) {
		pthread_mutex_destroy(&completions->lock);
		return -error;
	}
	atomic_init(&completions->newest, NULL);
	atomic_init(&completions->awaited, false);
	completions->wake = wake;
	completions->bell = -1;
	completions->ready = true;
	return 0;
}

void completions_set_bell(struct completions *completions, int fd)
{
	completions->bell = fd;
}

void completions_expect(struct completions *completions, bool expected)
{
	/* Sequentially consistent: see put(). */
	atomic_store_explicit(&completions->awaited, expected, memory_order_seq_cst);
}

void completions_destroy(struct completions *completions)
{
	if (!completions->ready)
		return;
	pthread_cond_destroy(&completions->came);
	pthread_mutex_destroy(&completions->lock);
	completions->ready = false;
}

/* Puts in a chain from `newest` to `oldest`, in the order in which completions->newest has them. */
static void put(struct completions *completions, struct io *newest, struct io *oldest)
{
	struct io *before = atomic_load_explicit(&completions->newest, memory_order_relaxed);
	const uint64_t once = 1;

	do
		oldest->next = before;
	/*
	 * release: who takes them sees their results. Sequentially consistent against completions_await() and
	 * completions_any_now(): either those see these, or this sees that they are awaited.
	 */
	while (!atomic_compare_exchange_weak_explicit(&completions->newest, &before, newest, memory_order_seq_cst,
						      memory_order_relaxed));
	if (completions->wake)
		completions->wake();
	if (!atomic_load_explicit(&completions->awaited, memory_order_seq_cst))
		return;
	/* What cannot be added to it is not needed: it rings already. */
	if (completions->bell >= 0)
		(void)!write(completions->bell, &once, sizeof(once));
	/* The lock: the sleeper is asleep, not between its look and its sleep. */
	pthread_mutex_lock(&completions->lock);
	pthread_cond_signal(&completions->came);
	pthread_mutex_unlock(&completions->lock);
}

void completions_put(struct completions *completions, struct io *io)
{
	put(completions, io, io);
}

/* The same elements, the last one first. */
static struct io *reverse(struct io *list)
{
	struct io *reversed = NULL;

	while (list) {
		struct io *next = list->next;

		list->next = reversed;
		reversed = list;
		list = next;
	}
	return reversed;
}

void completions_put_all(struct completions *completions, struct io *first)
{
	put(completions, reverse(first), first);
}

struct io *completions_take(struct completions *completions)
{
	/* acquire: the results that come with them */
	return reverse(atomic_exchange_explicit(&completions->newest, NULL, memory_order_acquire));
}

void completions_await(struct completions *completions)
{
	pthread_mutex_lock(&completions->lock);
	atomic_store_explicit(&completions->awaited, true, memory_order_seq_cst);
	while (!atomic_load_explicit(&completions->newest, memory_order_seq_cst))
		pthread_cond_wait(&completions->came, &completions->lock);
	atomic_store_explicit(&completions->awaited, false, memory_order_relaxed);
	pthread_mutex_unlock(&completions->lock);
}
