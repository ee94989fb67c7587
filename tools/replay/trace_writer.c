/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Writing a trace: what a format can say of an operation, and what is lost; see trace.h. How it says it is in the
 * formats' own files.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "text_append.h"
#include "trace_internal.h"

static int write_error(struct diagnostic *diagnostic)
{
	return diagnostic_set(diagnostic, "the trace cannot be written: %s", strerror(errno ? errno : EIO));
}

int trace_writer_open(struct trace_writer **writer, FILE *to, const struct trace_format *format,
		      struct diagnostic *diagnostic)
{
	struct trace_writer *opened;

	*writer = NULL;
	if (!trace_format_writable(format))
		return diagnostic_set(diagnostic, "traces cannot be written in the format %s", format->name);
	opened = calloc(1, sizeof(*opened));
	if (!opened || !(opened->state = calloc(1, format->writer_state + 1))) {
		free(opened);
		return diagnostic_set(diagnostic, "the trace cannot be written: out of memory");
	}
	opened->to = to;
	opened->format = format;
	errno = 0;
	if (format->write_begin && format->write_begin(opened)) {
		write_error(diagnostic);
		free(opened->state);
		free(opened);
		return -1;
	}
	*writer = opened;
	return 0;
}

/* To the whole units that are touched. False: they were these already. */
static bool widen(struct trace_operation *operation, uint64_t unit)
{
	uint64_t begin = operation->position / unit * unit;
	uint64_t end = operation->position + operation->length;

	end = (end + unit - 1) / unit * unit;
	if (begin == operation->position && end - begin == operation->length)
		return false;
	operation->position = begin;
	operation->length = end - begin;
	return true;
}

int trace_writer_put(struct trace_writer *writer, const struct trace_operation *operation,
		     struct diagnostic *diagnostic)
{
	struct trace_operation written = *operation;

	if (!(writer->format->kinds & TRACE_KIND_BIT(operation->kind))) {
		writer->losses.left_out[operation->kind]++;
		return 0;
	}
	if (written.flags & TRACE_FUA && !writer->format->has_fua)
		writer->losses.fua++;
	if (widen(&written, writer->format->unit))
		writer->losses.widened++;
	if (writer->format->time_unit ? written.time_ns % writer->format->time_unit : written.time_ns)
		writer->losses.times++;
	if (written.latency_ns != TRACE_NO_LATENCY && !writer->format->has_latency)
		writer->losses.latencies++;
	errno = 0;
	return writer->format->write(writer, &written) ? write_error(diagnostic) : 0;
}

int trace_print(struct trace_writer *writer, const char *format, ...)
{
	va_list arguments;
	int length;

	va_start(arguments, format);
	length = vfprintf(writer->to, format, arguments);
	va_end(arguments);
	return length < 0 ? -1 : 0;
}

const struct trace_losses *trace_writer_losses(const struct trace_writer *writer)
{
	return &writer->losses;
}

static void append_loss(char *text, size_t size, uint64_t count, const char *what)
{
	if (count > 0)
		text_append(text, size, "%s%llu %s", *text ? "; " : "", (unsigned long long)count, what);
}

bool trace_losses_describe(const struct trace_losses *losses, char *text, size_t size)
{
	*text = '\0';
	for (int kind = 0; kind < TRACE_KINDS; kind++) {
		if (losses->left_out[kind] > 0)
			text_append(text, size, "%s%llu %s", *text ? ", " : "",
				    (unsigned long long)losses->left_out[kind], trace_kind_name((enum trace_kind)kind));
	}
	if (*text)
		text_append(text, size, " operations were left out, the format does not have them");
	append_loss(text, size, losses->devices, "operations were left out, the format cannot name their device");
	append_loss(text, size, losses->fua, "operations were written without forced unit access");
	append_loss(text, size, losses->widened, "operations were widened to whole sectors");
	append_loss(text, size, losses->times, "times were shortened or left out");
	append_loss(text, size, losses->latencies, "latencies were left out");
	return *text != '\0';
}

int trace_writer_close(struct trace_writer *writer, struct diagnostic *diagnostic)
{
	int code;

	errno = 0;
	code = writer->format->write_finish ? writer->format->write_finish(writer) : 0;
	if (fflush(writer->to) || ferror(writer->to))
		code = -1;
	if (code)
		write_error(diagnostic);
	free(writer->state);
	free(writer);
	return code;
}
