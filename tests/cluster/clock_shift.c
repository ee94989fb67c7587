/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A library to be preloaded (LD_PRELOAD) into what runs on a host of scripts/cluster.sh: the host has a wall clock of
 * its own, as far from the machine's as the file RDISK_CLOCK says at the time: 8 bytes, a number of ns in the machine's
 * order of bytes, which may be changed in place at any time. That is a step of the clock.
 *
 * What reads CLOCK_REALTIME, or waits until a time of it, sees that: the calls that rdisk, its libraries and corosync
 * make. What waits notices a step within SLICE_NS, as it would by the kernel's doing. CLOCK_MONOTONIC and
 * CLOCK_BOOTTIME know nothing of it, nor does the kernel: files have the machine's times.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "next_function.h"

#define SECOND_NS 1000000000
#define SLICE_NS  20000000
#define UPTIME_LAST                                                                                                    \
	(1 << 29) /* seconds; a later time is one of the wall clock, and not of CLOCK_MONOTONIC: since 1987 */

/* Mapped once, before the program has threads; until then the clock is the machine's. */
static const _Atomic int64_t *shift;

__attribute__((constructor)) static void map_shift(void)
{
	const char *path = getenv("RDISK_CLOCK");
	long fd;
	void *mapped;

	if (!path)
		return;
	fd = syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
	mapped = fd < 0 ? MAP_FAILED : mmap(NULL, sizeof(*shift), PROT_READ, MAP_SHARED, (int)fd, 0);
	if (mapped == MAP_FAILED) {
		perror(path);
		_exit(127);
	}
	syscall(SYS_close, fd);
	shift = mapped;
}

/* One number that nothing else hangs on: no order matters. */
static int64_t shift_ns(void)
{
	return shift ? atomic_load_explicit(shift, memory_order_relaxed) : 0;
}

static void add_ns(struct timespec *time, int64_t ns)
{
	int64_t sum = (int64_t)time->tv_sec * SECOND_NS + time->tv_nsec + ns;

	time->tv_sec = sum / SECOND_NS;
	time->tv_nsec = sum % SECOND_NS;
	if (time->tv_nsec < 0) {
		time->tv_nsec += SECOND_NS;
		time->tv_sec--;
	}
}

static bool is_before(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec != b->tv_sec ? a->tv_sec < b->tv_sec : a->tv_nsec < b->tv_nsec;
}

/*
 * *end: when who waits until `until` of the host's clock has to look again, of the machine's clock. True: then the time
 * is over, unless the clock is stepped before.
 */
static bool end_of_slice(const struct timespec *until, struct timespec *end)
{
	struct timespec last = *until;

	add_ns(&last, -shift_ns());
	clock_gettime(CLOCK_REALTIME, end);
	add_ns(end, SLICE_NS - shift_ns());
	if (is_before(end, &last))
		return false;
	*end = last;
	return true;
}

int clock_gettime(clockid_t clock, struct timespec *now)
{
	NEXT(clock_gettime)
	int code = next(clock, now);

	if (!code && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE || clock == CLOCK_TAI))
		add_ns(now, shift_ns());
	return code;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone)
{
	NEXT(gettimeofday)
	int code = next(now, zone);

	if (!code) {
		struct timespec time = { now->tv_sec, now->tv_usec * 1000 };

		add_ns(&time, shift_ns());
		now->tv_sec = time.tv_sec;
		now->tv_usec = time.tv_nsec / 1000;
	}
	return code;
}

time_t time(time_t *result)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	if (result)
		*result = now.tv_sec;
	return now.tv_sec;
}

int timespec_get(struct timespec *now, int base)
{
	if (base != TIME_UTC || clock_gettime(CLOCK_REALTIME, now))
		return 0;
	return base;
}

int sem_timedwait(sem_t *restrict semaphore, const struct timespec *restrict until)
{
	NEXT(sem_timedwait)
	struct timespec end;
	bool last;
	int code;

	do {
		last = end_of_slice(until, &end);
		code = next(semaphore, &end);
	} while (code && errno == ETIMEDOUT && !last);
	return code;
}

/* Who waits for a condition has to look at it whenever he is woken: so he may be woken after each slice. */
int pthread_cond_timedwait(pthread_cond_t *restrict condition, pthread_mutex_t *restrict lock,
			   const struct timespec *restrict until)
{
	NEXT(pthread_cond_timedwait)
	struct timespec end;
	bool last;
	int code;

	if (until->tv_sec < UPTIME_LAST)
		return next(condition, lock, until);
	last = end_of_slice(until, &end);
	code = next(condition, lock, &end);
	return code == ETIMEDOUT && !last ? 0 : code;
}
