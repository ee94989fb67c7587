/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Small common needs of the node's files: its log lines, the clock, error codes. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "node_internal.h"

#define SECOND_NS      1000000000LL

/* Lines a second that are written; a client that misbehaves at will must not fill a disk. */
#define LINES_A_SECOND 50

int64_t node_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * SECOND_NS + now.tv_nsec;
}

void node_log(const char *level, const char *format, ...)
{
	static int64_t second;
	static unsigned int lines;
	char text[400];
	va_list arguments;

	if (node_now() / SECOND_NS != second) {
		second = node_now() / SECOND_NS;
		lines = 0;
	}
	if (lines++ >= LINES_A_SECOND) {
		if (lines == LINES_A_SECOND + 1)
			fputs("dvkd: warning: too many log lines; the rest of this second's are left out\n", stderr);
		return;
	}
	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	fprintf(stderr, "dvkd: %s: %s\n", level, text);
}

int node_fail(char *cause, size_t size, int code, const char *format, ...)
{
	va_list arguments;

	if (cause && size) {
		va_start(arguments, format);
		vsnprintf(cause, size, format, arguments);
		va_end(arguments);
	}
	return code;
}

int node_error_of(int error)
{
	switch (error) {
	case ENOMEM:
	case ENOBUFS:
		return EDVSNOMEM;
	case EMFILE:
	case ENFILE:
		return EDVSMFILE;
	case EACCES:
		return EDVSACCES;
	case EPERM:
		return EDVSPERM;
	case ENOENT:
		return EDVSNOENT;
	case EINTR:
		return EDVSINTR;
	case ENAMETOOLONG:
		return EDVSNAMETOOLONG;
	case ENOSPC:
		return EDVSNOSPC;
	case EROFS:
		return EDVSROFS;
	case EEXIST:
		return EDVSEXIST;
	default:
		return EDVSIO;
	}
}

void node_close(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}
