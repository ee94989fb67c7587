/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Conversion; see convert.h.
 */
#include "convert.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

/* What the trace is written to. */
struct output {
	int fd;
	int wake; /* see struct trace_options */
};

static const char *output_of(const struct options *options)
{
	return options->output ? options->output : "standard output";
}

static int copy(struct trace_reader *reader, struct trace_writer *writer, const struct options *options,
		struct diagnostic *diagnostic)
{
	struct trace_operation operation;
	struct diagnostic cause;
	uint64_t count = 0;
	int got = 0;

	for (; count < options->limit && (got = trace_reader_next(reader, &operation, diagnostic)) > 0; count++)
		if (trace_writer_put(writer, &operation, &cause))
			return diagnostic_set(diagnostic, "%s: %s", output_of(options), cause.text);
	if (got == 0 && count == 0)
		return trace_reader_check_empty(reader, diagnostic);
	return got < 0 ? -1 : 0;
}

static void warn(const struct trace_writer *writer, const struct trace_reader *reader)
{
	char text[512];

	if (trace_losses_describe(trace_writer_losses(writer), text, sizeof(text)))
		fprintf(stderr, "rdisk-replay: the format cannot say everything: %s\n", text);
	if (trace_reader_broken(reader))
		fprintf(stderr, "rdisk-replay: %llu broken lines of the trace were left out\n",
			(unsigned long long)trace_reader_broken(reader));
	if (trace_reader_missing(reader))
		fprintf(stderr, "rdisk-replay: %llu operations are missing in the trace\n",
			(unsigned long long)trace_reader_missing(reader));
}

static int write_trace(const struct options *options, struct trace_reader *reader, FILE *to,
		       struct diagnostic *diagnostic)
{
	struct trace_writer *writer;
	struct diagnostic cause;
	int status;

	if (trace_writer_open(&writer, to, options->convert, diagnostic))
		return -1;
	status = copy(reader, writer, options, diagnostic);
	warn(writer, reader);
	/* The first cause is the one that is told. */
	if (trace_writer_close(writer, &cause) && !status)
		status = diagnostic_set(diagnostic, "%s: %s", output_of(options), cause.text);
	return status;
}

/* Of a stream, so: what is not written is an error, and errno says which. */
static ssize_t write_output(void *context, const char *bytes, size_t size)
{
	const struct output *output = context;
	struct pollfd polled[] = {
		{ .fd = output->fd, .events = POLLOUT },
		{ .fd = output->wake, .events = POLLIN },
	};
	size_t written = 0;

	while (written < size) {
		/* A pipe that is ready takes so much without waiting. */
		size_t piece = size - written < PIPE_BUF ? size - written : PIPE_BUF;
		ssize_t got = poll(polled, 2, -1);

		if (got > 0 && !polled[0].revents) {
			errno = EINTR;
			break;
		}
		if (got > 0)
			got = write(output->fd, bytes + written, piece);
		if (got < 0 && errno != EINTR && errno != EAGAIN)
			break;
		written += got > 0 ? (size_t)got : 0;
	}
	return (ssize_t)written;
}

static int close_output(void *context)
{
	const struct output *output = context;

	return output->fd == STDOUT_FILENO ? 0 : close(output->fd);
}

static FILE *open_output(struct output *output, const struct options *options, int wake, struct diagnostic *diagnostic)
{
	static const cookie_io_functions_t functions = { .write = write_output, .close = close_output };
	FILE *to;

	output->wake = wake;
	output->fd =
		options->output ? open(options->output, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666) : STDOUT_FILENO;
	if (output->fd < 0) {
		diagnostic_set(diagnostic, "%s: %s", options->output, strerror(errno));
		return NULL;
	}
	to = fopencookie(output, "w", functions);
	if (!to) {
		diagnostic_set(diagnostic, "%s: %s", output_of(options), strerror(errno));
		(void)close_output(output);
	}
	return to;
}

int convert(const struct options *options, const struct trace_options *trace_options, struct diagnostic *diagnostic)
{
	struct trace_reader *reader;
	struct output output;
	FILE *to;
	int status = -1;

	if (trace_reader_open(&reader, options->trace, trace_options, diagnostic))
		return -1;
	to = open_output(&output, options, trace_options->wake, diagnostic);
	if (to) {
		status = write_trace(options, reader, to, diagnostic);
		if (fclose(to) && !status)
			status = diagnostic_set(diagnostic, "%s: %s", output_of(options), strerror(errno));
	}
	trace_reader_close(reader);
	return status;
}
