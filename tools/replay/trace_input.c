/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Lines and records of a trace; see trace_input.h.
 */
#include "trace_input.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "trace_source.h"

#define BUFFER_SIZE 65536

struct trace_input {
	struct trace_source *source;
	uint64_t position;
	size_t start; /* of what was not taken yet */
	size_t end;
	bool at_end; /* of the source; the buffer may hold more */
	bool failed; /* no more can be read, for the reason in `failure`; the buffer may hold more */
	struct diagnostic failure;
	char buffer[BUFFER_SIZE + 1];
};

struct trace_input *trace_input_open(const char *path, int wake, struct diagnostic *diagnostic)
{
	struct trace_input *input = calloc(1, sizeof(*input));

	if (!input) {
		diagnostic_set(diagnostic, "%s: out of memory", path);
		return NULL;
	}
	input->source = trace_source_open(path, wake, diagnostic);
	if (input->source)
		return input;
	free(input);
	return NULL;
}

void trace_input_close(struct trace_input *input)
{
	if (!input)
		return;
	trace_source_close(input->source);
	free(input);
}

/* Adds bytes to the buffer, which has room. 0, or -1 and *diagnostic. */
static int fill(struct trace_input *input, struct diagnostic *diagnostic)
{
	int64_t got;

	if (input->start > 0) {
		memmove(input->buffer, input->buffer + input->start, input->end - input->start);
		input->end -= input->start;
		input->start = 0;
	}
	got = trace_source_read(input->source, input->buffer + input->end, BUFFER_SIZE - input->end, diagnostic);
	if (got < 0)
		return -1;
	input->end += (size_t)got;
	input->at_end = got == 0;
	return 0;
}

int64_t trace_input_peek(struct trace_input *input, size_t want, const char **bytes, struct diagnostic *diagnostic)
{
	while (input->end - input->start < want && !input->at_end) {
		if (input->start == 0 && input->end == BUFFER_SIZE)
			break;
		if (!input->failed && fill(input, &input->failure))
			input->failed = true;
		if (input->failed)
			break;
	}
	if (input->failed && input->start == input->end) {
		*diagnostic = input->failure;
		return -1;
	}
	*bytes = input->buffer + input->start;
	return (int64_t)(input->end - input->start);
}

static void take(struct trace_input *input, size_t length)
{
	input->start += length;
	input->position += length;
}

/* Takes the rest of a line that does not fit. */
static enum trace_line skip_line(struct trace_input *input, struct diagnostic *diagnostic)
{
	for (;;) {
		const char *bytes;
		int64_t there = trace_input_peek(input, 1, &bytes, diagnostic);
		const char *newline;

		if (there < 0)
			return TRACE_LINE_FAILED;
		newline = memchr(bytes, '\n', (size_t)there);
		take(input, newline ? (size_t)(newline - bytes) + 1 : (size_t)there);
		if (newline || there == 0)
			return TRACE_LINE_TOO_LONG;
	}
}

enum trace_line trace_input_line(struct trace_input *input, char **line, struct diagnostic *diagnostic)
{
	size_t length;
	char *newline;

	*line = NULL;
	/* A line is mostly there: look before asking for as much as the longest line takes. */
	newline = memchr(input->buffer + input->start, '\n', input->end - input->start);
	if (!newline) {
		const char *bytes;
		int64_t there = trace_input_peek(input, TRACE_LINE_MAX + 2, &bytes, diagnostic);

		if (there < 0)
			return TRACE_LINE_FAILED;
		if (there == 0)
			return TRACE_LINE_END;
		newline = memchr(bytes, '\n', (size_t)there);
		if (!newline && input->failed) {
			/* the rest of the line is missing: it could be taken for another one */
			*diagnostic = input->failure;
			return TRACE_LINE_FAILED;
		}
	}
	*line = input->buffer + input->start;
	length = newline ? (size_t)(newline - *line) : input->end - input->start;
	if (length > TRACE_LINE_MAX)
		return skip_line(input, diagnostic);
	take(input, newline ? length + 1 : length);
	if (length > 0 && (*line)[length - 1] == '\r')
		length--;
	(*line)[length] = '\0'; /* where the newline was, or behind the last byte: the buffer has one more */
	return strlen(*line) == length ? TRACE_LINE_READ : TRACE_LINE_ZERO_BYTE;
}

/* Takes bytes, copying them unless `to` is NULL. */
static int64_t take_bytes(struct trace_input *input, char *to, size_t length, struct diagnostic *diagnostic)
{
	size_t taken = 0;

	while (taken < length) {
		const char *bytes;
		int64_t there = trace_input_peek(input, 1, &bytes, diagnostic);
		size_t piece;

		if (there < 0)
			return -1;
		if (there == 0)
			break;
		piece = (size_t)there < length - taken ? (size_t)there : length - taken;
		if (to)
			memcpy(to + taken, bytes, piece);
		take(input, piece);
		taken += piece;
	}
	return (int64_t)taken;
}

int64_t trace_input_take(struct trace_input *input, void *to, size_t length, struct diagnostic *diagnostic)
{
	return take_bytes(input, to, length, diagnostic);
}

int64_t trace_input_skip(struct trace_input *input, size_t length, struct diagnostic *diagnostic)
{
	return take_bytes(input, NULL, length, diagnostic);
}

uint64_t trace_input_position(const struct trace_input *input)
{
	return input->position;
}

double trace_input_progress(const struct trace_input *input)
{
	double taken = (double)input->position;
	double progress = trace_source_progress(input->source);

	if (progress < 0 || input->position == 0)
		return progress < 0 ? -1 : 0;
	/* what is in the buffer was not taken */
	progress *= taken / (taken + (double)(input->end - input->start));
	return progress > 1 ? 1 : progress;
}
