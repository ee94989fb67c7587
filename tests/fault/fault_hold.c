/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Holding calls up; see fault_hold.h. By raw system calls: the C library's names are the fault library's own.
 */
#include "fault_hold.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "fault_environment.h"

#define HOLD_MS_MAX 60000

/* Set once, before the program has threads. */
static const char *path;
static const char *only;
static int count = INT_MAX; /* that are held up */
static struct timespec duration;

static atomic_int held; /* relaxed: nothing else depends on it */

__attribute__((constructor)) static void read_environment(void)
{
	const char *text = getenv("RDISK_HOLD_COUNT");
	const char *delay = getenv("RDISK_HOLD_MS");
	char *end;
	long ms;

	path = getenv("RDISK_HOLD");
	only = getenv("RDISK_HOLD_ONLY");
	if (text)
		count = atoi(text);
	if (!delay)
		return;
	ms = strtol(delay, &end, 10);
	if (end == delay || *end || ms < 1 || ms > HOLD_MS_MAX || path)
		abort();
	duration = (struct timespec){ .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };
}

static void wait_for_gate(void)
{
	long fd = syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);

	if (fd < 0)
		abort();
	syscall(SYS_close, fd);
}

static void take_time(void)
{
	struct timespec left = duration;

	while (nanosleep(&left, &left)) {
		if (errno != EINTR)
			abort();
	}
}

static void tell(const char *what)
{
	char line[64];
	int length = snprintf(line, sizeof(line), FAULT_HELD "%s\n", what);

	if (syscall(SYS_write, STDERR_FILENO, line, (size_t)length) != length)
		abort();
}

void fault_hold(const char *what)
{
	int saved = errno;
	int before;

	if ((!path && !duration.tv_sec && !duration.tv_nsec) || getpid() == gettid() || (only && strcmp(only, what)))
		return;
	before = atomic_fetch_add_explicit(&held, 1, memory_order_relaxed);
	if (before >= count)
		return;
	if (before == 0)
		tell(what);
	if (path)
		wait_for_gate();
	else
		take_time();
	errno = saved;
}

bool fault_hold_hides(const char *file)
{
	return path && !strcmp(file, "/proc/vmstat");
}
