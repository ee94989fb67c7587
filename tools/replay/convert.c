/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Conversion; see convert.h.
 */
#include "convert.h"

#include <errno.h>
#include <string.h>

static const char *output_of(const struct options *options)
{
	return options->output ? options->output : "standard output";
}

static int copy(struct trace_reader *reader, struct trace_writer *writer, const struct options *options,
		struct diagnostic *diagnostic)
{
	struct trace_operation operation;
	struct diagnostic cause;
	int got = 0;

	for (uint64_t i = 0; i < options->limit && (got = trace_reader_next(reader, &operation, diagnostic)) > 0; i++)
		if (trace_writer_put(writer, &operation, &cause))
			return diagnostic_set(diagnostic, "%s: %s", output_of(options), cause.text);
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

int convert(const struct options *options, const struct trace_options *trace_options, struct diagnostic *diagnostic)
{
	struct trace_reader *reader;
	FILE *to = stdout;
	int status;

	if (trace_reader_open(&reader, options->trace, trace_options, diagnostic))
		return -1;
	if (options->output)
		to = fopen(options->output, "we");
	if (!to) {
		trace_reader_close(reader);
		return diagnostic_set(diagnostic, "%s: %s", options->output, strerror(errno));
	}
	status = write_trace(options, reader, to, diagnostic);
	trace_reader_close(reader);
	if ((to == stdout ? fflush(to) : fclose(to)) && !status)
		status = diagnostic_set(diagnostic, "%s: %s", output_of(options), strerror(errno));
	return status;
}
