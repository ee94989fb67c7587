/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * For the beginning of main(): a program may be started with standard input, output or error closed, and the first file
 * that it opens then gets that number. Were it a disk, messages would be written into it.
 */
#ifndef STANDARD_DESCRIPTORS_H
#define STANDARD_DESCRIPTORS_H

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

/* Takes the numbers of those that are closed: their use fails as it would have. 0, or -1: errno. */
static inline int standard_descriptors_take(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
		/* The lowest number that is free is the one that open() gives. */
		if (fcntl(fd, F_GETFD) < 0 && errno == EBADF &&
		    open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) < 0)
			return -1;
	}
	return 0;
}

#endif
