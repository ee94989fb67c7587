/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Positioned I/O of whole vectors; see vector_io.h.
 */
#include "vector_io.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#define ZERO_BYTES    65536u /* of the constant that zeros are written from */
#define ZERO_SEGMENTS 16     /* times it goes into one call */

static_assert(IO_VECTOR_MAX <= IOV_MAX, "a whole vector goes into one call");

/* One call of the cheapest kind there is. */
static ssize_t read_some(int fd, const struct iovec *vector, int count, off_t position, int flags)
{
	if (flags)
		return preadv2(fd, vector, count, position, flags);
	if (count == 1)
		return pread(fd, vector->iov_base, vector->iov_len, position);
	return preadv(fd, vector, count, position);
}

static ssize_t write_some(int fd, const struct iovec *vector, int count, off_t position, int flags)
{
	(void)flags;
	if (count == 1)
		return pwrite(fd, vector->iov_base, vector->iov_len, position);
	return pwritev(fd, vector, count, position);
}

typedef ssize_t transfer_some(int fd, const struct iovec *vector, int count, off_t position, int flags);

static uint64_t vector_length(const struct iovec *vector, int count)
{
	uint64_t length = 0;

	for (int i = 0; i < count; i++)
		length += vector[i].iov_len;
	return length;
}

/* What is left of a transfer of which the first `done` bytes are done. Out of line: hardly ever needed. */
__attribute__((noinline)) static int transfer_rest(transfer_some *some, int fd, const struct iovec *vector, int count,
						   uint64_t position, int flags, uint64_t done)
{
	struct iovec rest[IO_VECTOR_MAX];
	uint64_t left = vector_length(vector, count) - done;
	struct vector_cursor cursor = { vector, count, 0 };

	vector_next(&cursor, done, rest);
	while (left > 0) {
		struct vector_cursor from = cursor;
		int pieces = vector_next(&from, left, rest);
		ssize_t bytes = some(fd, rest, pieces, (off_t)(position + done), flags);

		if (bytes < 0) {
			if (errno == EINTR)
				continue;
			return -errno;
		}
		if (bytes == 0)
			return -EIO; /* somebody made the file shorter */
		vector_next(&cursor, (uint64_t)bytes, rest);
		done += (uint64_t)bytes;
		left -= (uint64_t)bytes;
	}
	return 0;
}

int vector_read(int fd, const struct iovec *vector, int count, uint64_t position, int flags)
{
	ssize_t bytes;

	do
		bytes = read_some(fd, vector, count, (off_t)position, flags);
	while (bytes < 0 && errno == EINTR);
	if (bytes < 0)
		return -errno;
	if (bytes == 0)
		return -EIO; /* somebody made the file shorter */
	if ((uint64_t)bytes == vector_length(vector, count))
		return 0;
	return transfer_rest(read_some, fd, vector, count, position, flags, (uint64_t)bytes);
}

int vector_write(int fd, const struct iovec *vector, int count, uint64_t position)
{
	ssize_t bytes;

	do
		bytes = write_some(fd, vector, count, (off_t)position, 0);
	while (bytes < 0 && errno == EINTR);
	if (bytes < 0)
		return -errno;
	if (bytes == 0)
		return -EIO;
	if ((uint64_t)bytes == vector_length(vector, count))
		return 0;
	return transfer_rest(write_some, fd, vector, count, position, 0, (uint64_t)bytes);
}

int vector_write_zeros(int fd, uint64_t position, uint64_t length)
{
	static char zeros[ZERO_BYTES];

	while (length > 0) {
		struct iovec vector[ZERO_SEGMENTS];
		uint64_t bytes = 0;
		int count = 0;
		int code;

		while (count < ZERO_SEGMENTS && bytes < length) {
			uint64_t rest = length - bytes;

			vector[count].iov_base = zeros;
			vector[count].iov_len = rest < sizeof(zeros) ? rest : sizeof(zeros);
			bytes += vector[count].iov_len;
			count++;
		}
		code = vector_write(fd, vector, count, position);
		if (code)
			return code;
		position += bytes;
		length -= bytes;
	}
	return 0;
}

int vector_next(struct vector_cursor *cursor, uint64_t bytes, struct iovec *piece)
{
	int count = 0;

	while (bytes > 0 && cursor->left > 0) {
		size_t length = cursor->at->iov_len - cursor->offset;

		piece[count].iov_base = (char *)cursor->at->iov_base + cursor->offset;
		if (bytes < length) {
			piece[count].iov_len = (size_t)bytes;
			cursor->offset += (size_t)bytes;
			return count + 1;
		}
		piece[count].iov_len = length;
		bytes -= length;
		cursor->at++;
		cursor->left--;
		cursor->offset = 0;
		count++;
	}
	return count;
}
