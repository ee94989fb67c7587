/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Holding calls up; see fault_hold.h. By raw system calls: the C library's names are the fault library's own.
 */
#include "fault_hold.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Set once, before the program has threads. */
static const char *path;
static const char *only;

__attribute__((constructor)) static void read_environment(void)
{
	path = getenv("RDISK_HOLD");
	only = getenv("RDISK_HOLD_ONLY");
}

void fault_hold(const char *what)
{
	int saved = errno;
	long fd;

	if (!path || getpid() == gettid() || (only && strcmp(only, what)))
		return;
	fd = syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
	if (fd < 0)
		abort();
	syscall(SYS_close, fd);
	errno = saved;
}
