/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Locks of images; see image_lock.h.
 *
 * F_OFD_SETLKW sleeps until the lock is free, without a limit. What limits it is a timer that signals this thread again
 * and again: the sleep ends with EINTR, and it is seen whether to sleep on. Again and again, because a signal that
 * comes just before the sleep begins does not end it; for the same reason that of SIGTERM alone would not do.
 */
#include "image_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "coarse_clock.h"
#include "lock_holder.h"
#include "log.h"

#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id _sigev_un._tid /* not in every C library's headers */
#endif

#define LOOK_NS	      100000000	    /* between two looks whether to wait on */
#define CLAIM_WAIT_NS NS_PER_SECOND /* for a claim whose owner's lock is gone */

/* The timer, and what it has replaced. */
struct interruption {
	timer_t timer;
	struct sigaction action;
	sigset_t mask;
};

/* Its only purpose is that a handler ran. */
static void on_look(int number)
{
	(void)number;
}

/* From now on system calls of this thread do not sleep for longer than LOOK_NS. 0 or -errno. */
static int interruption_begin(struct interruption *interruption)
{
	static const struct itimerspec interval = { { 0, LOOK_NS }, { 0, LOOK_NS } };
	/* no SA_RESTART: a sleep is to be interrupted */
	const struct sigaction action = { .sa_handler = on_look };
	struct sigevent event = { .sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGALRM };
	sigset_t alarm;
	int code;

	event.sigev_notify_thread_id = gettid();
	sigemptyset(&alarm);
	sigaddset(&alarm, SIGALRM);
	if (timer_create(CLOCK_MONOTONIC, &event, &interruption->timer))
		return -errno;
	if (sigaction(SIGALRM, &action, &interruption->action)) {
		code = -errno;
		goto fail_timer;
	}
	code = -pthread_sigmask(SIG_UNBLOCK, &alarm, &interruption->mask);
	if (code)
		goto fail_action;
	if (!timer_settime(interruption->timer, 0, &interval, NULL))
		return 0;
	code = -errno;
	pthread_sigmask(SIG_SETMASK, &interruption->mask, NULL);
fail_action:
	sigaction(SIGALRM, &interruption->action, NULL);
fail_timer:
	timer_delete(interruption->timer);
	return code;
}

/* A signal that the timer has sent by now is delivered before timer_delete() returns, so none meets the old handler. */
static void interruption_end(struct interruption *interruption)
{
	timer_delete(interruption->timer);
	pthread_sigmask(SIG_SETMASK, &interruption->mask, NULL);
	sigaction(SIGALRM, &interruption->action, NULL);
}

static bool is_interrupted(const struct store_settings *settings)
{
	return settings->interrupted && settings->interrupted();
}

static const char *name_of(const struct store_settings *settings)
{
	return settings->what ? settings->what : "image";
}

/* 0; -EAGAIN: it is still locked when the time is over; -EINTR: nobody wants it any more; or -errno. */
static int wait_for_lock(int fd, const struct flock *lock, const struct store_settings *settings)
{
	uint64_t deadline = coarse_clock_ns() + settings->lock_wait * NS_PER_SECOND;
	struct interruption interruption;
	int code = interruption_begin(&interruption);

	if (code)
		return code;
	log_info("%s %s is in use by another server: waiting up to %u s for it to end", name_of(settings),
		 settings->path, settings->lock_wait);
	do {
		struct flock wanted = *lock;

		if (is_interrupted(settings))
			code = -EINTR;
		else if (coarse_clock_ns() >= deadline)
			code = -EAGAIN;
		else if (!fcntl(fd, F_OFD_SETLKW, &wanted))
			code = 0;
		else
			code = errno == EINTR ? 1 : -errno;
	} while (code > 0);
	interruption_end(&interruption);
	return code;
}

int image_lock(int fd, const struct store_settings *settings, bool writable, struct diagnostic *diagnostic)
{
	struct flock lock = { .l_type = writable ? F_WRLCK : F_RDLCK, .l_whence = SEEK_SET };
	const char *what = name_of(settings), *path = settings->path;
	int code = fcntl(fd, F_OFD_SETLK, &lock) ? -errno : 0;
	pid_t holder;

	if ((code == -EAGAIN || code == -EACCES) && settings->lock_wait)
		code = wait_for_lock(fd, &lock, settings);
	if (!code)
		return 0;
	if (code == -EINTR)
		return diagnostic_set(diagnostic, "%s %s is in use by another server, and it was not waited for", what,
				      path);
	if (code != -EAGAIN && code != -EACCES)
		return diagnostic_set(diagnostic, "cannot lock %s %s: %s", what, path, strerror(-code));
	/* Only a lock of the older kind has a pid to name. */
	if (!fcntl(fd, F_OFD_GETLK, &lock) && lock.l_type != F_UNLCK && lock.l_pid > 0)
		return diagnostic_set(diagnostic, "%s %s is in use by process %ld", what, path, (long)lock.l_pid);
	holder = lock_holder_find(fd);
	if (holder)
		return diagnostic_set(diagnostic, "%s %s is in use by another server, process %ld", what, path,
				      (long)holder);
	return diagnostic_set(diagnostic, "%s %s is in use by another server", what, path);
}

int image_claim(const struct store_settings *settings, struct diagnostic *diagnostic)
{
	static const struct timespec look = { 0, LOOK_NS };
	uint64_t deadline = coarse_clock_ns() + (settings->lock_wait ? CLAIM_WAIT_NS : 0);

	for (;;) {
		/* For a block device O_EXCL means: not mounted, and used by nobody who asked the same. */
		int fd = open(settings->path, O_RDWR | O_EXCL | O_CLOEXEC | O_NONBLOCK);
		int code;

		if (fd >= 0)
			return fd;
		code = -errno;
		if (code != -EBUSY || coarse_clock_ns() >= deadline || is_interrupted(settings))
			return diagnostic_set(diagnostic, "cannot open image %s for writing: %s", settings->path,
					      strerror(-code));
		/* Nothing tells when a claim ends. A signal may end this early: then it is looked at early. */
		nanosleep(&look, NULL);
	}
}
