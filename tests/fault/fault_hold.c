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
#include <unistd.h>

#include "fault_environment.h"

/* Set once, before the program has threads. */
static const char *path;
static const char *only;
static int count = INT_MAX; /* that are held up */

static atomic_int held; /* relaxed: nothing else depends on it */

__attribute__((constructor)) static void read_environment(void)
{
	const char *text = getenv("RDISK_HOLD_COUNT");

	path = getenv("RDISK_HOLD");
	only = getenv("RDISK_HOLD_ONLY");
	if (text)
		count = atoi(text);
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
	long fd;

	if (!path || getpid() == gettid() || (only && strcmp(only, what)))
		return;
	before = atomic_fetch_add_explicit(&held, 1, memory_order_relaxed);
	if (before >= count)
		return;
	if (before == 0)
		tell(what);
	fd = syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
	if (fd < 0)
		abort();
	syscall(SYS_close, fd);
	errno = saved;
}

bool fault_hold_hides(const char *file)
{
	return path && !strcmp(file, "/proc/vmstat");
}
