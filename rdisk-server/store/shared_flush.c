/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Flushes that share one; see shared_flush.h.
 */
#include "shared_flush.h"

#include <errno.h>

int shared_flush_init(struct shared_flush *flush, struct workers *workers, struct completions *completions,
		      int (*run)(void *context), void *context)
{
	int error = pthread_mutex_init(&flush->lock, NULL);

	if (error)
		return -error;
	flush->tail = &flush->waiting;
	flush->workers = workers;
	flush->completions = completions;
	flush->context = context;
	flush->run = run;
	return 0;
}

void shared_flush_destroy(struct shared_flush *flush)
{
	if (!flush->run)
		return;
	pthread_mutex_destroy(&flush->lock);
	flush->run = NULL;
}

int shared_flush_post(struct shared_flush *flush, struct io *io)
{
	bool first;
	int code;

	io->next = NULL;
	pthread_mutex_lock(&flush->lock);
	first = !flush->posted;
	flush->posted = true;
	*flush->tail = io;
	flush->tail = &io->next;
	pthread_mutex_unlock(&flush->lock);
	if (!first)
		return 0;
	/* Without the lock, which whoever is woken for it needs at once. */
	code = workers_post(flush->workers, &flush->turn);
	if (!code)
		return 0;
	/* No worker has it, and only this thread adds: the list was empty before, and nobody looks at it. */
	pthread_mutex_lock(&flush->lock);
	flush->posted = false;
	flush->waiting = NULL;
	flush->tail = &flush->waiting;
	pthread_mutex_unlock(&flush->lock);
	return code;
}

bool shared_flush_withdraw(struct shared_flush *flush, const struct io *io)
{
	struct io **at;
	bool found;

	pthread_mutex_lock(&flush->lock);
	for (at = &flush->waiting; *at && *at != io; at = &(*at)->next)
		;
	found = *at != NULL;
	if (found) {
		*at = io->next;
		if (!*at)
			flush->tail = at;
	}
	pthread_mutex_unlock(&flush->lock);
	return found;
}

/* All that wait by now. */
static struct io *take_waiting(struct shared_flush *flush)
{
	struct io *first;

	pthread_mutex_lock(&flush->lock);
	first = flush->waiting;
	flush->waiting = NULL;
	flush->tail = &flush->waiting;
	pthread_mutex_unlock(&flush->lock);
	return first;
}

/* Passes on those that nobody wants any more; returns the others. */
static struct io *drop_cancelled(struct shared_flush *flush, struct io *first)
{
	struct io *wanted = NULL, **tail = &wanted;

	while (first) {
		struct io *next = first->next;

		/* relaxed: it carries nothing but itself */
		if (atomic_load_explicit(&first->cancelled, memory_order_relaxed)) {
			first->result = -ECANCELED;
			completions_put(flush->completions, first);
		} else {
			first->next = NULL;
			*tail = first;
			tail = &first->next;
		}
		first = next;
	}
	return wanted;
}

void shared_flush_run(struct shared_flush *flush)
{
	struct io *first = drop_cancelled(flush, take_waiting(flush));
	bool again;

	if (first) {
		int code = flush->run(flush->context);

		for (struct io *io = first; io; io = io->next)
			io->result = code;
		completions_put_all(flush->completions, first);
	}
	pthread_mutex_lock(&flush->lock);
	again = flush->waiting != NULL;
	flush->posted = again;
	pthread_mutex_unlock(&flush->lock);
	/* At the end of the queue: a stream of flushes leaves a turn to others, however few threads there are. */
	if (again)
		workers_post_again(flush->workers, &flush->turn);
}
