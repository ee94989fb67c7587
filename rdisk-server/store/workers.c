/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The threads that wait for a disk; see workers.h.
 */
#include "workers.h"

#include <signal.h>
#include <string.h>

#include "log.h"

#define STACK_SIZE (256 * 1024) /* bytes: a fetch has its buffer on the stack */

/* Lock held. */
static void append(struct workers *workers, struct io *io)
{
	io->next = NULL;
	*workers->tail = io;
	workers->tail = &io->next;
	workers->nr_queued++;
}

/* The first of the queue, which is not empty. Lock held. */
static struct io *take_first(struct workers *workers)
{
	struct io *io = workers->queue;

	workers->queue = io->next;
	if (!workers->queue)
		workers->tail = &workers->queue;
	workers->nr_queued--;
	return io;
}

static void *worker(void *context)
{
	struct workers *workers = context;

	pthread_mutex_lock(&workers->lock);
	for (;;) {
		struct io *io;

		if (!workers->queue) {
			if (workers->ending)
				break;
			workers->nr_idle++;
			pthread_cond_wait(&workers->work, &workers->lock);
			workers->nr_idle--;
			continue;
		}
		io = take_first(workers);
		pthread_mutex_unlock(&workers->lock);
		workers->run(workers->context, io);
		pthread_mutex_lock(&workers->lock);
	}
	pthread_mutex_unlock(&workers->lock);
	return NULL;
}

int workers_init(struct workers *workers, void (*run)(void *context, struct io *io), void *context)
{
	int error = pthread_mutex_init(&workers->lock, NULL);

	if (error)
		return -error;
	error = pthread_cond_init(&workers->work, NULL);
	if (error) {
		pthread_mutex_destroy(&workers->lock);
		return -error;
	}
	workers->tail = &workers->queue;
	workers->context = context;
	workers->run = run;
	return 0;
}

/* One thread more, with all signals blocked: they are the server's thread's. Lock held. 0 or -errno. */
static int start_thread(struct workers *workers)
{
	pthread_attr_t attributes;
	sigset_t all, before;
	int error = pthread_attr_init(&attributes);

	if (error)
		return -error;
	error = pthread_attr_setstacksize(&attributes, STACK_SIZE);
	if (error)
		goto out_attributes;
	sigfillset(&all);
	error = pthread_sigmask(SIG_BLOCK, &all, &before);
	if (error)
		goto out_attributes;
	error = pthread_create(&workers->threads[workers->nr_threads], &attributes, worker, workers);
	if (!error)
		workers->nr_threads++;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
out_attributes:
	pthread_attr_destroy(&attributes);
	return -error;
}

int workers_post(struct workers *workers, struct io *io)
{
	int code = 0;

	pthread_mutex_lock(&workers->lock);
	/* Each that is queued has one of the idle threads, which may not have come to run yet. */
	if (workers->nr_threads < WORKERS_MAX && workers->nr_queued >= workers->nr_idle)
		code = start_thread(workers);
	if (code && workers->nr_threads > 0) {
		log_limited(LOG_LEVEL_WARNING, "only %d threads wait for a disk, cannot start another: %s",
			    workers->nr_threads, strerror(-code));
		code = 0;
	}
	if (!code)
		append(workers, io);
	pthread_mutex_unlock(&workers->lock);
	/* Not before: whoever is woken would find it locked, and sleep a second time. */
	if (!code)
		pthread_cond_signal(&workers->work);
	return code;
}

void workers_post_again(struct workers *workers, struct io *io)
{
	pthread_mutex_lock(&workers->lock);
	append(workers, io);
	pthread_mutex_unlock(&workers->lock);
}

bool workers_withdraw(struct workers *workers, const struct io *io)
{
	struct io **at;
	bool found;

	pthread_mutex_lock(&workers->lock);
	for (at = &workers->queue; *at && *at != io; at = &(*at)->next)
		;
	found = *at != NULL;
	if (found) {
		*at = io->next;
		if (!*at)
			workers->tail = at;
		workers->nr_queued--;
	}
	pthread_mutex_unlock(&workers->lock);
	return found;
}

void workers_stop(struct workers *workers)
{
	if (!workers->run)
		return;
	pthread_mutex_lock(&workers->lock);
	workers->ending = true;
	pthread_cond_broadcast(&workers->work);
	pthread_mutex_unlock(&workers->lock);
	for (int i = 0; i < workers->nr_threads; i++)
		pthread_join(workers->threads[i], NULL);
	pthread_cond_destroy(&workers->work);
	pthread_mutex_destroy(&workers->lock);
	*workers = (struct workers){ 0 };
}
