/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Conversion; see convert.h.
 */
#include "convert.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

/* What the trace is written to. */
struct stream {
	struct output *output;
	int fd;
	int wake; /* see struct trace_options */
};

/* A trace on its way: `next` is its operation that comes next, when `got` is 1. */
struct conversion {
	struct trace_reader *reader;
	struct trace_operation next;
	int got; /* trace_reader_next()'s */
	uint64_t written;
};

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

/* What could be read is written, in front of what could not. 0, or -1 and *diagnostic. */
static int copy(struct conversion *conversion, struct trace_writer *writer, const struct options *options,
		const char *name, struct diagnostic *diagnostic)
{
	struct diagnostic cause;

	while (conversion->got > 0) {
		if (trace_writer_put(writer, &conversion->next, &cause))
			return diagnostic_set(diagnostic, "%s: %s", name, cause.text);
		if (++conversion->written == options->limit)
			break;
		conversion->got = trace_reader_next(conversion->reader, &conversion->next, diagnostic);
	}
	return conversion->got < 0 ? -1 : 0;
}

static int write_trace(struct conversion *conversion, const struct options *options, FILE *to, const char *name,
		       struct diagnostic *diagnostic)
{
	struct trace_writer *writer;
	struct diagnostic cause;
	int status;

	if (trace_writer_open(&writer, to, options->convert, diagnostic))
		return -1;
	status = copy(conversion, writer, options, name, diagnostic);
	warn(writer, conversion->reader);
	/* The first cause is the one that is told. */
	if (trace_writer_close(writer, &cause) && !status)
		status = diagnostic_set(diagnostic, "%s: %s", name, cause.text);
	return status;
}

/* Of a stream, so: what is not written is an error, and errno says which. */
static ssize_t write_stream(void *context, const char *bytes, size_t size)
{
	const struct stream *stream = context;
	struct pollfd polled[] = {
		{ .fd = stream->fd, .events = POLLOUT },
		{ .fd = stream->wake, .events = POLLIN },
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
			got = write(stream->fd, bytes + written, piece);
		if (got < 0 && errno != EINTR && errno != EAGAIN)
			break;
		written += got > 0 ? (size_t)got : 0;
	}
	return (ssize_t)written;
}

/* What a disk has to say about a file it may say only here. */
static int close_stream(void *context)
{
	const struct stream *stream = context;
	int fd = stream->output->fd;

	stream->output->fd = -1;
	return fd < 0 ? 0 : close(fd);
}

/* From the first operation on, or with none: until then the output is as it was. 0, or -1 and *diagnostic. */
static int write_output(struct conversion *conversion, const struct options *options, struct output *output, int wake,
			struct diagnostic *diagnostic)
{
	static const cookie_io_functions_t functions = { .write = write_stream, .close = close_stream };
	struct stream stream = { output, output->fd < 0 ? STDOUT_FILENO : output->fd, wake };
	const char *name = output_name(output);
	FILE *to = output_empty(output) ? NULL : fopencookie(&stream, "w", functions);
	bool failed;
	int status;

	if (!to)
		return diagnostic_set(diagnostic, "%s: cannot be written: %s", name, strerror(errno));
	status = write_trace(conversion, options, to, name, diagnostic);
	failed = ferror(to);
	if (fclose(to)) {
		failed = true;
		if (!status)
			status = diagnostic_set(diagnostic, "%s: cannot be written: %s", name, strerror(errno));
	}
	/* Where the reading failed, what was read until then stays: it is a whole trace. */
	output->created &= failed || (status && !conversion->written);
	return status;
}

int convert(const struct options *options, struct output *output, const struct trace_options *trace_options,
	    struct diagnostic *diagnostic)
{
	struct conversion conversion = { 0 };
	int status = -1;

	if (trace_reader_open(&conversion.reader, options->trace, trace_options, diagnostic))
		return -1;
	conversion.got = trace_reader_next(conversion.reader, &conversion.next, diagnostic);
	if (conversion.got > 0 || (conversion.got == 0 && !trace_reader_check_empty(conversion.reader, diagnostic)))
		status = write_output(&conversion, options, output, trace_options->wake, diagnostic);
	trace_reader_close(conversion.reader);
	return status;
}
