/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The file kind: a regular file or a block device, by plain positioned I/O.
 */
#include "store_kinds.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "coarse_clock.h"
#include "vector_io.h"

#define DIRECT_ALIGN 4096u	    /* of position, length and memory: enough for every disk */
#define DIRECT_BYTES (256u * 1024u) /* at a time */
#define PAGE	     4096u	    /* bytes that the page cache has or has not; larger ones do no harm */

int store_read_file(struct store *store, const struct iovec *vector, int count, uint64_t position, bool may_wait)
{
	int code;

	if (may_wait || !store->on_disk)
		return vector_read(store->fd, vector, count, position, 0);
	if (!store->tells_misses)
		return -EAGAIN;
	code = vector_read(store->fd, vector, count, position, RWF_NOWAIT);
	if (code != -EOPNOTSUPP)
		return code;
	store->tells_misses = false;
	return -EAGAIN;
}

int store_allocate(int fd, int mode, uint64_t position, uint64_t length)
{
	int code;

	do
		code = fallocate(fd, mode, (off_t)position, (off_t)length);
	while (code < 0 && errno == EINTR);
	return code < 0 ? -errno : 0;
}

static int file_read(struct store *store, const struct io *io, bool may_wait)
{
	return store_read_file(store, io->vector, io->count, io->position, may_wait);
}

/*
 * A descriptor of its own, as the page cache is what all else goes through, and memory that a disk can write to. What
 * is dirty the kernel writes first.
 */
static int read_disk(struct store *store, const struct io *io)
{
	struct vector_cursor cursor = { .at = io->vector, .left = io->count };
	uint64_t at = io->position / DIRECT_ALIGN * DIRECT_ALIGN, position = io->position;
	uint64_t end = io->position + io->length;
	struct iovec piece[IO_VECTOR_MAX];
	unsigned char *buffer;
	char path[32];
	int fd, code = 0;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", store->fd);
	fd = open(path, O_RDONLY | O_DIRECT | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	buffer = aligned_alloc(DIRECT_ALIGN, DIRECT_BYTES);
	if (!buffer)
		code = -ENOMEM;
	for (; !code && position < end; at += DIRECT_BYTES) {
		ssize_t got;
		uint64_t have, wanted = end - at < DIRECT_BYTES ? end - at : DIRECT_BYTES;
		const unsigned char *from = buffer + (position - at);

		do
			got = pread(fd, buffer, (wanted + DIRECT_ALIGN - 1) / DIRECT_ALIGN * DIRECT_ALIGN, (off_t)at);
		while (got < 0 && errno == EINTR);
		if (got < 0 || (uint64_t)got < wanted) {
			code = got < 0 ? -errno : -EIO;
			break;
		}
		have = wanted - (position - at);
		for (int i = 0, count = vector_next(&cursor, have, piece); i < count; from += piece[i++].iov_len)
			memcpy(piece[i].iov_base, from, piece[i].iov_len);
		position += have;
	}
	free(buffer);
	close(fd);
	return code;
}

/* Has the page that holds a byte in memory. -EAGAIN: it is not, or it is not known whether it is. */
static int touch(struct store *store, uint64_t position, bool may_wait)
{
	char byte;
	const struct iovec piece = { &byte, 1 };

	return store_read_file(store, &piece, 1, position, may_wait);
}

/* The same for the pages that a write covers in part: its first and its last. */
static int touch_ends(struct store *store, const struct io *io, bool may_wait)
{
	uint64_t end = io->position + io->length;
	int code = 0;

	if (io->position % PAGE)
		code = touch(store, io->position, may_wait);
	if (code != -EAGAIN && end % PAGE && end < store->size)
		code = touch(store, end, may_wait);
	return code;
}

/* A write to the page cache of a file on a disk. */
static int write_cached(struct store *store, const struct io *io, bool may_wait)
{
	uint64_t began = coarse_clock_ns();
	int code;

	if (!may_wait && write_throttle_likely(&store->throttle, began))
		return -EAGAIN;
	/* Other failures of it are the write's to find. */
	if (touch_ends(store, io, may_wait) == -EAGAIN && !may_wait)
		return -EAGAIN;
	/* Reading says nothing about how long writes take. */
	if (may_wait)
		began = coarse_clock_ns();
	code = vector_write(store->fd, io->vector, io->count, io->position);
	write_throttle_ended(&store->throttle, began, io->length);
	return code;
}

static int file_write(struct store *store, const struct io *io, bool may_wait)
{
	if (store->on_disk)
		return write_cached(store, io, may_wait);
	return vector_write(store->fd, io->vector, io->count, io->position);
}

static int file_flush(struct store *store)
{
	int code;

	do
		code = fdatasync(store->fd) ? -errno : 0;
	while (code == -EINTR);
	return code;
}

static int file_discard(struct store *store, const struct io *io, bool may_wait)
{
	uint64_t position = io->position;
	uint64_t length = io->length;
	int code;

	if (!may_wait && store->on_disk)
		return -EAGAIN;
	if (store->block_device) {
		/* Whole blocks only; what sticks out at the ends may stay. */
		uint64_t block = store->physical_block;
		uint64_t first = (position + block - 1) / block * block;
		uint64_t end = (position + length) / block * block;

		if (first >= end)
			return 0;
		position = first;
		length = end - first;
	}
	code = store_allocate(store->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, position, length);
	if (code == -EOPNOTSUPP || code == -ENOSYS) {
		store->discards = false;
		return 0;
	}
	return code;
}

static int file_write_zeroes(struct store *store, const struct io *io, bool may_wait)
{
	static const int modes[] = { FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
				     FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE };

	if (!may_wait && store->on_disk)
		return -EAGAIN;
	/* A hole first: the image stays as sparse as it can be. */
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		int code = store_allocate(store->fd, modes[i], io->position, io->length);

		/* EINVAL: a range that a block device cannot take. */
		if (code != -EOPNOTSUPP && code != -ENOSYS && code != -EINVAL)
			return code;
	}
	return vector_write_zeros(store->fd, io->position, io->length);
}

const struct store_operations store_file_operations = {
	.read = file_read,
	.write = file_write,
	.read_disk = read_disk,
	.discard = file_discard,
	.write_zeroes = file_write_zeroes,
	.flush = file_flush,
};
