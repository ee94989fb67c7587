/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Signals that end the server; see termination.h.
 */
#include "termination.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <time.h>
#include <unistd.h>

#define REPEAT_NS 10000000 /* between two wake-ups */

static atomic_bool requested, acknowledged;
static timer_t repeat;

static void on_request(int number)
{
	static const struct itimerspec interval = { { 0, REPEAT_NS }, { 0, REPEAT_NS } };
	int saved_errno = errno;

	(void)number;
	/* Relaxed: the flag carries nothing but itself. */
	atomic_store_explicit(&requested, true, memory_order_relaxed);
	/* Nobody is to be woken who ends already; and what waits now may begin anew with each signal. */
	if (!atomic_load_explicit(&acknowledged, memory_order_relaxed))
		timer_settime(repeat, 0, &interval, NULL);
	errno = saved_errno;
}

/* Its only purpose is that a handler ran. */
static void on_repeat(int number)
{
	(void)number;
}

int termination_setup(void)
{
	static const int numbers[] = { SIGTERM, SIGINT, SIGHUP };
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGALRM };
	/* no SA_RESTART: a sleep is to be interrupted */
	struct sigaction action = { .sa_handler = on_repeat };

	if (sigaction(SIGALRM, &action, NULL) || timer_create(CLOCK_MONOTONIC, &event, &repeat))
		return -errno;
	action.sa_handler = on_request;
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		struct sigaction before;

		if (sigaction(numbers[i], NULL, &before))
			return -errno;
		/* Ignored by whoever started us (nohup, a shell's background): so it stays. */
		if (before.sa_handler == SIG_IGN && numbers[i] != SIGTERM)
			continue;
		if (sigaction(numbers[i], &action, NULL))
			return -errno;
	}
	action.sa_handler = SIG_IGN;
	/* SIGXFSZ: a write beyond the limit of a file's size then fails with EFBIG, as an error of the request. */
	return sigaction(SIGPIPE, &action, NULL) || sigaction(SIGXFSZ, &action, NULL) ? -errno : 0;
}

void termination_request(void)
{
	/* The process can signal itself. All threads but the main one have it blocked. */
	(void)kill(getpid(), SIGTERM);
}

bool termination_requested(void)
{
	return atomic_load_explicit(&requested, memory_order_relaxed);
}

void termination_acknowledge(void)
{
	static const struct itimerspec stop;

	/* Relaxed: one that comes before is undone by the next line, in this thread. */
	atomic_store_explicit(&acknowledged, true, memory_order_relaxed);
	timer_settime(repeat, 0, &stop, NULL);
}
