/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The threads that wait for disks; see workers.h.
 */
#include "workers.h"

#include <errno.h>
#include <signal.h>

#include "log.h"

#define STACK_SIZE (256 * 1024) /* bytes: a fetch has its buffer on the stack */

static void finish(struct workers *workers, struct job *job)
{
	struct job *newest = atomic_load_explicit(&workers->finished, memory_order_relaxed);

	do
		job->next = newest;
	/* release: who takes the job sees its result */
	while (!atomic_compare_exchange_weak_explicit(&workers->finished, &newest, job, memory_order_release,
						      memory_order_relaxed));
	workers->wake();
}

static void run(struct job *job)
{
	switch (job->kind) {
	case JOB_FETCH:
		job->result = image_fetch(job->image, job->position, job->length, &job->unwanted);
		break;
	case JOB_FLUSH:
		job->result = image_flush(job->image);
		break;
	}
}

static void *worker(void *context)
{
	struct workers *workers = context;

	pthread_mutex_lock(&workers->lock);
	for (;;) {
		struct job *job = workers->queue;

		if (!job) {
			if (workers->ending)
				break;
			workers->nr_idle++;
			pthread_cond_wait(&workers->work, &workers->lock);
			workers->nr_idle--;
			continue;
		}
		workers->queue = job->next;
		if (!workers->queue)
			workers->tail = &workers->queue;
		pthread_mutex_unlock(&workers->lock);
		run(job);
		finish(workers, job);
		pthread_mutex_lock(&workers->lock);
	}
	pthread_mutex_unlock(&workers->lock);
	return NULL;
}

int workers_start(struct workers *workers, void (*wake)(void))
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
	workers->wake = wake;
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

int workers_post(struct workers *workers, struct job *job)
{
	int code = 0;

	pthread_mutex_lock(&workers->lock);
	/* Those that were woken for jobs before still count as idle, so one too few may be started: it comes with the
	 * next job. */
	if (workers->nr_threads < WORKERS_MAX && (workers->nr_idle == 0 || workers->queue))
		code = start_thread(workers);
	if (code && workers->nr_threads > 0) {
		log_limited(LOG_LEVEL_WARNING, "only %d threads wait for disks: cannot start another",
			    workers->nr_threads);
		code = 0;
	}
	if (!code) {
		job->next = NULL;
		*workers->tail = job;
		workers->tail = &job->next;
		pthread_cond_signal(&workers->work);
	}
	pthread_mutex_unlock(&workers->lock);
	return code;
}

bool workers_withdraw(struct workers *workers, struct job *job)
{
	struct job **at;
	bool found;

	/* relaxed: it carries nothing but itself */
	atomic_store_explicit(&job->unwanted, true, memory_order_relaxed);
	pthread_mutex_lock(&workers->lock);
	for (at = &workers->queue; *at && *at != job; at = &(*at)->next)
		;
	found = *at != NULL;
	if (found) {
		*at = job->next;
		if (!*at)
			workers->tail = at;
	}
	pthread_mutex_unlock(&workers->lock);
	return found;
}

struct job *workers_take(struct workers *workers)
{
	/* acquire: the results that come with the jobs */
	struct job *job = atomic_load_explicit(&workers->finished, memory_order_acquire);

	/* Only this thread takes jobs away, so that none can be taken and finished again meanwhile. */
	while (job && !atomic_compare_exchange_weak_explicit(&workers->finished, &job, job->next, memory_order_acquire,
							     memory_order_acquire))
		;
	return job;
}

void workers_stop(struct workers *workers)
{
	if (!workers->wake)
		return;
	pthread_mutex_lock(&workers->lock);
	workers->ending = true;
	pthread_cond_broadcast(&workers->work);
	pthread_mutex_unlock(&workers->lock);
	for (int i = 0; i < workers->nr_threads; i++)
		pthread_join(workers->threads[i], NULL);
	pthread_cond_destroy(&workers->work);
	pthread_mutex_destroy(&workers->lock);
	workers->nr_threads = 0;
	workers->wake = NULL;
}
