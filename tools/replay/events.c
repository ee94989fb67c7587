/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Signals and time; see events.h.
 */
#include "events.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#define SECOND	    UINT64_C(1000000000)
#define PATIENCE_MS 1000 /* an end that takes longer seems to hang */

uint64_t now_ns(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * SECOND + (uint64_t)now.tv_nsec;
}

static void ending_signals(sigset_t *set)
{
	(void)sigemptyset(set);
	(void)sigaddset(set, SIGINT);
	(void)sigaddset(set, SIGTERM);
}

/* The end that was asked for did not come yet: a disk that does not answer, or a result that nobody reads. */
static void tell(struct events *events)
{
	unsigned int count = atomic_load_explicit(&events->under_way, memory_order_relaxed);

	(void)pthread_mutex_lock(&events->telling);
	if (events->over)
		goto out;
	/* A line of progress may be there, and the thread that would clear it waits. */
	if (isatty(STDERR_FILENO))
		fprintf(stderr, "\r\033[K");
	if (count > 0)
		fprintf(stderr, "rdisk-replay: waiting for %u operation%s under way; a second signal ends at once\n",
			count, count > 1 ? "s that are" : " that is");
	else
		fprintf(stderr, "rdisk-replay: not at its end yet; a second signal ends at once\n");
out:
	(void)pthread_mutex_unlock(&events->telling);
}

void events_over(struct events *events)
{
	(void)pthread_mutex_lock(&events->telling);
	events->over = true;
	(void)pthread_mutex_unlock(&events->telling);
}

/* Takes the first signal; then is the thread that the second one, unblocked, finds. */
static void *watch_signals(void *context)
{
	struct events *events = context;
	sigset_t set;
	int number;

	ending_signals(&set);
	if (sigwait(&set, &number))
		return NULL;
	atomic_store_explicit(&events->signal, number, memory_order_release);
	(void)pthread_mutex_lock(&events->lock);
	(void)pthread_cond_broadcast(&events->changed);
	(void)pthread_mutex_unlock(&events->lock);
	(void)eventfd_write(events->wake, 1); /* of 2^64 - 1: it cannot fail */
	(void)pthread_sigmask(SIG_UNBLOCK, &set, NULL);
	(void)poll(NULL, 0, PATIENCE_MS);
	tell(events);
	for (;;)
		(void)pause();
	return NULL;
}

int events_start(struct events *events, struct diagnostic *diagnostic)
{
	pthread_condattr_t attributes;
	sigset_t set;
	int error;

	*events = (struct events){
		.lock = PTHREAD_MUTEX_INITIALIZER,
		.telling = PTHREAD_MUTEX_INITIALIZER,
		.wake = eventfd(0, EFD_CLOEXEC),
	};
	if (events->wake < 0)
		return diagnostic_set(diagnostic, "cannot watch for signals: %s", strerror(errno));
	/* Sleeps end on time, not up to 50 us later. */
	(void)prctl(PR_SET_TIMERSLACK, 1);
	error = pthread_condattr_init(&attributes);
	if (!error)
		error = pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	if (!error)
		error = pthread_cond_init(&events->changed, &attributes);
	(void)pthread_condattr_destroy(&attributes);
	ending_signals(&set);
	if (!error)
		error = pthread_sigmask(SIG_BLOCK, &set, NULL);
	if (!error)
		error = pthread_create(&events->watcher, NULL, watch_signals, events);
	if (!error)
		error = pthread_detach(events->watcher);
	return error ? diagnostic_set(diagnostic, "cannot watch for signals: %s", strerror(error)) : 0;
}

int events_signal(struct events *events)
{
	return atomic_load_explicit(&events->signal, memory_order_acquire);
}

bool events_wait(struct events *events, uint64_t until_ns)
{
	struct timespec until = { .tv_sec = (time_t)(until_ns / SECOND), .tv_nsec = (long)(until_ns % SECOND) };

	if (until_ns == NEVER)
		return pthread_cond_wait(&events->changed, &events->lock) == 0;
	return pthread_cond_timedwait(&events->changed, &events->lock, &until) != ETIMEDOUT;
}

void events_under_way(struct events *events, unsigned int count)
{
	atomic_store_explicit(&events->under_way, count, memory_order_relaxed);
}

void events_sleep(struct events *events, uint64_t until_ns)
{
	(void)pthread_mutex_lock(&events->lock);
	while (!events_signal(events) && events_wait(events, until_ns))
		;
	(void)pthread_mutex_unlock(&events->lock);
}
