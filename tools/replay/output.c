/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Files of the result; see output.h.
 */
#include "output.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

const char *output_name(const struct output *output)
{
	return strcmp(output->name, "-") == 0 ? "standard output" : output->name;
}

/* The number that a name of an open descriptor has; -1: it is no such name. */
static int descriptor_named(const char *name)
{
	static const char *const folders[] = { "/dev/fd/", "/proc/self/fd/" };
	char *end;

	if (strcmp(name, "/dev/stdout") == 0)
		return STDOUT_FILENO;
	if (strcmp(name, "/dev/stderr") == 0)
		return STDERR_FILENO;
	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
		const char *digits = name + strlen(folders[i]);
		unsigned long number;

		if (strncmp(name, folders[i], strlen(folders[i])) != 0 || *digits < '0' || *digits > '9')
			continue;
		number = strtoul(digits, &end, 10);
		if (!*end && number <= INT_MAX)
			return (int)number;
	}
	return -1;
}

static bool is_same(int one, int other)
{
	struct stat a, b;

	/* A terminal or /dev/null takes whatever comes. */
	return !fstat(one, &a) && !fstat(other, &b) && !S_ISCHR(a.st_mode) && a.st_dev == b.st_dev &&
	       a.st_ino == b.st_ino;
}

/* Opened anew, a descriptor's file would be written from its beginning, over what others have written there. */
static int share(struct output *output, int number)
{
	int flags = fcntl(number, F_GETFL);

	if (flags >= 0 && (flags & O_ACCMODE) == O_RDONLY)
		errno = EBADF;
	else if (flags >= 0)
		output->fd = fcntl(number, F_DUPFD_CLOEXEC, 0);
	output->shared = output->fd >= 0;
	return output->shared ? 0 : -1;
}

static int open_file(struct output *output)
{
	int fd = open(output->name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	struct stat status;

	output->created = fd >= 0;
	if (fd < 0 && errno == EEXIST) {
		/* A link that leads nowhere leads to the new file then. */
		bool missing = stat(output->name, &status) && errno == ENOENT;

		fd = open(output->name, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
		output->created = fd >= 0 && missing;
	}
	if (output->created && !fstat(fd, &status)) {
		output->device = status.st_dev;
		output->inode = status.st_ino;
	}
	for (int standard = STDOUT_FILENO; fd >= 0 && standard <= STDERR_FILENO; standard++) {
		if (is_same(fd, standard) && !share(output, standard)) {
			(void)close(fd);
			return 0;
		}
	}
	output->fd = fd;
	return fd < 0 ? -1 : 0;
}

int output_open(struct output *output, const char *name, struct diagnostic *diagnostic)
{
	int number = descriptor_named(name);

	*output = (struct output){ .name = name, .fd = -1 };
	if (strcmp(name, "-") == 0)
		return 0;
	if (number >= 0 ? share(output, number) : open_file(output))
		return diagnostic_set(diagnostic, "%s: %s", name, strerror(errno));
	return 0;
}

bool output_waits(const char *name)
{
	struct stat status;

	return descriptor_named(name) < 0 && !stat(name, &status) && S_ISFIFO(status.st_mode);
}

static int descriptor_of(const struct output *output)
{
	return output->fd < 0 ? STDOUT_FILENO : output->fd;
}

bool output_same(const struct output *one, const struct output *other)
{
	return one->name && other->name && is_same(descriptor_of(one), descriptor_of(other));
}

int output_empty(struct output *output)
{
	struct stat status;

	output->begun = true;
	if (output->fd < 0 || output->shared)
		return 0;
	if (fstat(output->fd, &status))
		return -1;
	return S_ISREG(status.st_mode) ? ftruncate(output->fd, 0) : 0;
}

/* The stream has the descriptor then. NULL: errno. */
static FILE *open_stream(struct output *output)
{
	FILE *to;

	if (strcmp(output->name, "-") == 0)
		return stdout;
	to = output_empty(output) ? NULL : fdopen(output->fd, "w");
	if (to)
		output->fd = -1;
	return to;
}

int output_write(struct output *output, const struct result *result, int (*write)(const struct result *, FILE *),
		 struct diagnostic *diagnostic)
{
	FILE *to = open_stream(output);
	int status;

	output->created = false;
	if (!to)
		return diagnostic_set(diagnostic, "%s: cannot be written: %s", output_name(output), strerror(errno));
	errno = 0;
	status = write(result, to);
	if (to != stdout && fclose(to))
		status = -1;
	return status ? diagnostic_set(diagnostic, "%s: cannot be written: %s", output_name(output),
				       errno ? strerror(errno) : "out of memory")
		      : 0;
}

/* By its own name, as output->name may be a link. */
static void remove_created(const struct output *output)
{
	char *path = realpath(output->name, NULL);
	struct stat status;

	if (path && !stat(path, &status) && status.st_dev == output->device && status.st_ino == output->inode &&
	    (output->begun || status.st_size == 0))
		(void)unlink(path);
	free(path);
}

void output_close(struct output *output)
{
	if (output->fd >= 0)
		(void)close(output->fd);
	if (output->created)
		remove_created(output);
	*output = OUTPUT_NONE;
}
