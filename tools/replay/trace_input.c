/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Bytes of a trace; see trace_input.h. zlib reads files that are not gzip as they are, so that there is one path.
 */
#include "trace_input.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <zlib.h>

#define BUFFER_SIZE 65536

struct trace_input {
	gzFile file;
	char *path;
	uint64_t file_size; /* 0: not known */
	uint64_t position;
	size_t start; /* of what was not taken yet */
	size_t end;
	bool at_end; /* of the file; the buffer may hold more */
	bool failed; /* no more can be read, for the reason in `failure`; the buffer may hold more */
	struct diagnostic failure;
	char buffer[BUFFER_SIZE + 1];
};

struct trace_input *trace_input_open(const char *path, struct diagnostic *diagnostic)
{
	bool standard = strcmp(path, "-") == 0;
	struct trace_input *input = calloc(1, sizeof(*input));
	struct stat status;
	int fd = -1;

	if (!input || !(input->path = strdup(standard ? "standard input" : path))) {
		diagnostic_set(diagnostic, "%s: out of memory", path);
		goto fail;
	}
	fd = standard ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0) : open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &status)) {
		diagnostic_set(diagnostic, "%s: cannot be opened: %s", input->path, strerror(errno));
		goto fail;
	}
	if (S_ISDIR(status.st_mode)) {
		diagnostic_set(diagnostic, "%s: is a directory", input->path);
		goto fail;
	}
	if (S_ISREG(status.st_mode) && status.st_size > 0)
		input->file_size = (uint64_t)status.st_size;
	input->file = gzdopen(fd, "rb");
	if (!input->file || gzbuffer(input->file, BUFFER_SIZE)) {
		diagnostic_set(diagnostic, "%s: out of memory", input->path);
		goto fail;
	}
	return input;
fail:
	if (fd >= 0 && !(input && input->file))
		close(fd);
	trace_input_close(input);
	return NULL;
}

void trace_input_close(struct trace_input *input)
{
	if (!input)
		return;
	if (input->file)
		gzclose_r(input->file); /* it was only read: what went wrong was told when it was */
	free(input->path);
	free(input);
}

static int read_error(struct trace_input *input, struct diagnostic *diagnostic)
{
	int code;
	const char *text = gzerror(input->file, &code);

	if (code == Z_ERRNO)
		text = strerror(errno);
	else if (code == Z_BUF_ERROR)
		text = "the gzip data ends before its end";
	return diagnostic_set(diagnostic, "%s: cannot be read: %s", input->path, text);
}

/* Adds bytes to the buffer. 0, or -1 and *diagnostic. */
static int fill(struct trace_input *input, struct diagnostic *diagnostic)
{
	if (input->start > 0) {
		memmove(input->buffer, input->buffer + input->start, input->end - input->start);
		input->end -= input->start;
		input->start = 0;
	}
	while (!input->at_end && input->end < BUFFER_SIZE) {
		int got = gzread(input->file, input->buffer + input->end, (unsigned int)(BUFFER_SIZE - input->end));
		int code = Z_OK;

		if (got > 0) {
			input->end += (size_t)got;
			return 0;
		}
		gzerror(input->file, &code);
		if (code == Z_ERRNO && errno == EINTR) {
			gzclearerr(input->file);
			continue;
		}
		if (got < 0 || code != Z_OK)
			return read_error(input, diagnostic);
		input->at_end = true;
	}
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
	double given = (double)input->position;
	double progress;

	if (input->file_size == 0)
		return -1;
	if (gzdirect(input->file))
		progress = given / (double)input->file_size;
	else if (input->position > 0)
		/* what is in the buffer was not taken */
		progress = (double)gzoffset(input->file) / (double)input->file_size * given /
			   (given + (double)(input->end - input->start));
	else
		progress = 0;
	return progress > 1 ? 1 : progress < 0 ? -1 : progress;
}
