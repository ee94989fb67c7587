/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Files of the result; see output.h.
 */
#include "output.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

const char *output_name(const struct output *output)
{
	return strcmp(output->name, "-") == 0 ? "standard output" : output->name;
}

int output_open(struct output *output, const char *name, struct diagnostic *diagnostic)
{
	*output = (struct output){ .name = name, .fd = -1 };
	if (strcmp(name, "-") == 0)
		return 0;
	output->fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	output->created = output->fd >= 0;
	if (output->fd < 0 && errno == EEXIST)
		output->fd = open(name, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
	return output->fd < 0 ? diagnostic_set(diagnostic, "%s: %s", name, strerror(errno)) : 0;
}

/* What was there goes away, where it stays at all. The stream has the descriptor then. NULL: errno. */
static FILE *open_stream(struct output *output)
{
	struct stat status;
	FILE *to;

	if (output->fd < 0)
		return stdout;
	if (fstat(output->fd, &status) || (S_ISREG(status.st_mode) && ftruncate(output->fd, 0)))
		return NULL;
	to = fdopen(output->fd, "w");
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

void output_close(struct output *output)
{
	if (output->fd >= 0)
		(void)close(output->fd);
	if (output->created)
		(void)unlink(output->name);
	*output = OUTPUT_NONE;
}
