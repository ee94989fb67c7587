/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Bytes of a trace; see trace_source.h. zlib's own reading of files (gzread) cannot be told to end while it waits for a
 * pipe; so the waiting and reading is done here, and zlib only inflates. As with gzread and gzip(1), a file may be of
 * several members one behind the other, and what follows the last one and is none is ignored.
 */
#include "trace_source.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <zlib.h>

#define READ_SIZE   65536
#define GZIP_WINDOW (15 + 16) /* of inflateInit2(): the largest window, and a header of gzip */

enum content {
	CONTENT_UNKNOWN, /* nothing was looked at yet */
	CONTENT_PLAIN,
	CONTENT_GZIP,	 /* within a member */
	CONTENT_BETWEEN, /* behind a member */
	CONTENT_OVER	 /* behind the last one */
};

struct trace_source {
	int fd, wake;
	char *name;    /* for messages */
	uint64_t size; /* of the file; 0: not known */
	uint64_t read; /* bytes of it */
	bool at_end;   /* of the file: it is not read again */
	enum content content;
	z_stream stream; /* its next_in and avail_in: what was read and not used yet, of plain content too */
	unsigned char bytes[READ_SIZE];
};

static int open_descriptor(const char *path)
{
	struct stat status;
	int flags = O_RDONLY | O_CLOEXEC;

	if (strcmp(path, "-") == 0)
		return fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0);
	/* The opening would wait for a writer; so the first read does. */
	if (!stat(path, &status) && S_ISFIFO(status.st_mode))
		flags |= O_NONBLOCK;
	return open(path, flags);
}

struct trace_source *trace_source_open(const char *path, int wake, struct diagnostic *diagnostic)
{
	struct trace_source *source = calloc(1, sizeof(*source));
	struct stat status;

	if (!source) {
		diagnostic_set(diagnostic, "%s: out of memory", path);
		return NULL;
	}
	source->fd = -1;
	source->wake = wake;
	source->name = strdup(strcmp(path, "-") == 0 ? "standard input" : path);
	if (!source->name) {
		diagnostic_set(diagnostic, "%s: out of memory", path);
		goto fail;
	}
	source->fd = open_descriptor(path);
	if (source->fd < 0 || fstat(source->fd, &status)) {
		diagnostic_set(diagnostic, "%s: cannot be opened: %s", source->name, strerror(errno));
		goto fail;
	}
	if (S_ISDIR(status.st_mode)) {
		diagnostic_set(diagnostic, "%s: is a directory", source->name);
		goto fail;
	}
	if (S_ISREG(status.st_mode) && status.st_size > 0)
		source->size = (uint64_t)status.st_size;
	return source;
fail:
	trace_source_close(source);
	return NULL;
}

void trace_source_close(struct trace_source *source)
{
	if (!source)
		return;
	(void)inflateEnd(&source->stream); /* does nothing where nothing was begun */
	if (source->fd >= 0)
		(void)close(source->fd);
	free(source->name);
	free(source);
}

/* Reads the file as soon as there is something. As trace_source_read(). */
static int64_t read_file(struct trace_source *source, void *to, size_t size, struct diagnostic *diagnostic)
{
	struct pollfd polled[] = {
		{ .fd = source->wake, .events = POLLIN },
		{ .fd = source->fd, .events = POLLIN },
	};
	ssize_t got;

	if (source->at_end)
		return 0;
	do {
		got = poll(polled, 2, -1);
		if (got > 0 && polled[0].revents)
			return diagnostic_set(diagnostic, "%s: the reading was interrupted", source->name);
		if (got > 0)
			got = read(source->fd, to, size);
		/* EAGAIN: somebody else has taken it. */
	} while (got < 0 && (errno == EINTR || errno == EAGAIN));
	if (got < 0)
		return diagnostic_set(diagnostic, "%s: cannot be read: %s", source->name, strerror(errno));
	source->at_end = got == 0;
	source->read += (uint64_t)got;
	return got;
}

/* Reads more of the file behind what is not used yet, which is less than the buffer. */
static int refill(struct trace_source *source, struct diagnostic *diagnostic)
{
	z_stream *stream = &source->stream;
	int64_t got;

	if (stream->avail_in > 0)
		memmove(source->bytes, stream->next_in, stream->avail_in);
	stream->next_in = source->bytes;
	got = read_file(source, source->bytes + stream->avail_in, READ_SIZE - stream->avail_in, diagnostic);
	if (got < 0)
		return -1;
	stream->avail_in += (unsigned int)got;
	return 0;
}

/* Sees what comes now: a member of gzip, or something else. */
static int look(struct trace_source *source, struct diagnostic *diagnostic)
{
	z_stream *stream = &source->stream;
	bool first = source->content == CONTENT_UNKNOWN;
	int status;

	while (stream->avail_in < 2 && !source->at_end)
		if (refill(source, diagnostic))
			return -1;
	if (stream->avail_in < 2 || stream->next_in[0] != 0x1f || stream->next_in[1] != 0x8b) {
		source->content = first ? CONTENT_PLAIN : CONTENT_OVER;
		return 0;
	}
	status = first ? inflateInit2(stream, GZIP_WINDOW) : inflateReset(stream);
	if (status != Z_OK)
		return diagnostic_set(diagnostic, "%s: out of memory", source->name);
	source->content = CONTENT_GZIP;
	return 0;
}

static int64_t read_plain(struct trace_source *source, void *to, size_t size, struct diagnostic *diagnostic)
{
	z_stream *stream = &source->stream;

	if (stream->avail_in == 0)
		return read_file(source, to, size, diagnostic);
	if (size > stream->avail_in)
		size = stream->avail_in;
	memcpy(to, stream->next_in, size);
	stream->next_in += size;
	stream->avail_in -= (unsigned int)size;
	return (int64_t)size;
}

/* As trace_source_read(), but 0 at the end of a member. */
static int64_t read_gzip(struct trace_source *source, void *to, size_t size, struct diagnostic *diagnostic)
{
	z_stream *stream = &source->stream;
	unsigned int room = size > READ_SIZE ? READ_SIZE : (unsigned int)size;
	int status;

	stream->next_out = to;
	stream->avail_out = room;
	do {
		if (stream->avail_in == 0 && refill(source, diagnostic))
			return -1;
		if (stream->avail_in == 0)
			return diagnostic_set(diagnostic, "%s: cannot be read: the gzip data ends before its end",
					      source->name);
		status = inflate(stream, Z_NO_FLUSH);
	} while (status == Z_OK && stream->avail_out == room);
	/* What came together with damage may be wrong too. */
	if (status != Z_OK && status != Z_STREAM_END)
		return diagnostic_set(diagnostic, "%s: cannot be read: %s", source->name,
				      stream->msg ? stream->msg : zError(status));
	if (status == Z_STREAM_END)
		source->content = CONTENT_BETWEEN;
	return room - stream->avail_out;
}

int64_t trace_source_read(struct trace_source *source, void *to, size_t size, struct diagnostic *diagnostic)
{
	for (;;) {
		int64_t got;

		switch (source->content) {
		case CONTENT_UNKNOWN:
		case CONTENT_BETWEEN:
			if (look(source, diagnostic))
				return -1;
			break;
		case CONTENT_PLAIN:
			return read_plain(source, to, size, diagnostic);
		case CONTENT_GZIP:
			got = read_gzip(source, to, size, diagnostic);
			if (got)
				return got;
			break;
		case CONTENT_OVER:
			return 0;
		}
	}
}

double trace_source_progress(const struct trace_source *source)
{
	if (source->size == 0)
		return -1;
	return (double)(source->read - source->stream.avail_in) / (double)source->size;
}
