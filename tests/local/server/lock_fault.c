/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A library to be preloaded (LD_PRELOAD) into the server: what happens at the first lock of an image that it asks for,
 * as LOCK_FAULT tells:
 *
 *   LOCK_FAULT=enolck         it fails with ENOLCK
 *   LOCK_FAULT=term           a SIGTERM comes just before
 *   LOCK_FAULT=unlink:PATH    another process deletes that file just before
 *
 * One thread.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define UNLINK "unlink:"

/* A lock is not taken, as errno tells. */
static bool fails(void)
{
	static bool met;
	const char *fault = getenv("LOCK_FAULT");

	if (!fault || met)
		return false;
	met = true;
	if (strcmp(fault, "enolck") == 0) {
		errno = ENOLCK;
		return true;
	}
	if (strcmp(fault, "term") == 0)
		(void)raise(SIGTERM);
	else if (strncmp(fault, UNLINK, strlen(UNLINK)) == 0)
		(void)unlink(fault + strlen(UNLINK));
	return false;
}

/* All of its arguments fit in a pointer. */
int fcntl(int fd, int command, ...)
{
	va_list arguments;
	void *argument;

	va_start(arguments, command);
	argument = va_arg(arguments, void *);
	va_end(arguments);
	if (command == F_OFD_SETLK && fails())
		return -1;
	return (int)syscall(SYS_fcntl, fd, command, argument);
}

int fcntl64(int fd, int command, ...) __attribute__((alias("fcntl")));
