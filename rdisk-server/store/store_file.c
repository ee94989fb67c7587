/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The file image: a regular file or a block device, by plain positioned I/O, and the
 * whole-transfer helpers that the other kinds use as well. Opening and locking is in image.c.
 */
#include "store_kinds.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#define ZERO_BYTES    65536u /* of the constant that zeros are written from */
#define ZERO_SEGMENTS 16     /* times it goes into one call */

static_assert(RDISK_VECTOR_MAX <= IOV_MAX, "a whole vector goes into one call");

/* Takes `bytes` off the front of a vector. */
static void advance(struct iovec **vector, int *count, size_t bytes)
{
	while (*count > 0 && bytes >= (*vector)->iov_len) {
		bytes -= (*vector)->iov_len;
		(*vector)++;
		(*count)--;
	}
	if (bytes > 0 && *count > 0) {
		(*vector)->iov_base = (char *)(*vector)->iov_base + bytes;
		(*vector)->iov_len -= bytes;
	}
}

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
	if (flags)
		return pwritev2(fd, vector, count, position, flags);
	if (count == 1)
		return pwrite(fd, vector->iov_base, vector->iov_len, position);
	return pwritev(fd, vector, count, position);
}

int image_read_all(int fd, struct iovec *vector, int count, uint64_t position, int flags)
{
	while (count > 0) {
		ssize_t bytes = read_some(fd, vector, count, (off_t)position, flags);

		if (bytes < 0) {
			if (errno == EINTR)
				continue;
			return -errno;
		}
		if (bytes == 0)
			return -EIO; /* somebody made the file shorter */
		position += (uint64_t)bytes;
		advance(&vector, &count, (size_t)bytes);
	}
	return 0;
}

int image_write_all(int fd, struct iovec *vector, int count, uint64_t position, int flags)
{
	while (count > 0) {
		ssize_t bytes = write_some(fd, vector, count, (off_t)position, flags);

		if (bytes < 0) {
			if (errno == EINTR)
				continue;
			return -errno;
		}
		if (bytes == 0)
			return -EIO;
		position += (uint64_t)bytes;
		advance(&vector, &count, (size_t)bytes);
	}
	return 0;
}

int image_allocate(int fd, int mode, uint64_t position, uint64_t length)
{
	int code;

	do
		code = fallocate(fd, mode, (off_t)position, (off_t)length);
	while (code < 0 && errno == EINTR);
	return code < 0 ? -errno : 0;
}

int image_write_zero_bytes(int fd, uint64_t position, uint64_t length)
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
		code = image_write_all(fd, vector, count, position, 0);
		if (code)
			return code;
		position += bytes;
		length -= bytes;
	}
	return 0;
}

static int file_read(struct image *image, struct iovec *vector, int count, uint64_t position, int flags)
{
	return image_read_all(image->fd, vector, count, position, flags);
}

static int file_flush(struct image *image)
{
	int code = -EIO;

	pthread_mutex_lock(&image->flush_lock);
	if (!image->flush_failed) {
		do
			code = fdatasync(image->fd) ? -errno : 0;
		while (code == -EINTR);
		if (code)
			image->flush_failed = true;
	}
	pthread_mutex_unlock(&image->flush_lock);
	return code;
}

/*
 * RWF_DSYNC makes just this range stable, where fdatasync() would wait for all that other
 * clients wrote. But when it fails it does not say what failed: the write, which leaves
 * the rest of the file good, or making it stable, after which nothing can be relied on. So the write
 * is done once more without it: if that works, it was the other.
 */
static int stable_write(struct image *image, struct iovec *vector, int count, uint64_t position, bool *unsupported)
{
	struct iovec again[RDISK_VECTOR_MAX];
	int stable_code, code;

	*unsupported = false;
	if (image->flush_failed)
		return -EIO;
	memcpy(again, vector, (size_t)count * sizeof(*vector));
	stable_code = image_write_all(image->fd, vector, count, position, RWF_DSYNC);
	if (!stable_code || stable_code == -EFAULT)
		return stable_code;
	code = image_write_all(image->fd, again, count, position, 0);
	if (code)
		return code;
	*unsupported = stable_code == -EOPNOTSUPP || stable_code == -ENOSYS || stable_code == -EINVAL;
	if (!*unsupported)
		image->flush_failed = true;
	return stable_code;
}

static int file_write(struct image *image, struct iovec *vector, int count, uint64_t position, bool stable)
{
	bool unsupported;
	int code;

	if (!stable)
		return image_write_all(image->fd, vector, count, position, 0);
	pthread_mutex_lock(&image->flush_lock);
	code = stable_write(image, vector, count, position, &unsupported);
	pthread_mutex_unlock(&image->flush_lock);
	return unsupported ? file_flush(image) : code;
}

static int file_discard(struct image *image, uint64_t position, uint64_t length)
{
	int code;

	if (!image->discards)
		return 0;
	if (image->block_device) {
		/* Whole blocks only; what sticks out at the ends may stay. */
		uint64_t block = image->physical_block;
		uint64_t first = (position + block - 1) / block * block;
		uint64_t end = (position + length) / block * block;

		if (first >= end)
			return 0;
		position = first;
		length = end - first;
	}
	code = image_allocate(image->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, position, length);
	if (code == -EOPNOTSUPP || code == -ENOSYS) {
		image->discards = false;
		return 0;
	}
	return code;
}

static int file_write_zeroes(struct image *image, uint64_t position, uint64_t length)
{
	static const int modes[] = { FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
				     FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE };

	/* A hole first: the image stays as sparse as it can be. */
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		int code = image_allocate(image->fd, modes[i], position, length);

		/* EINVAL: a range that a block device cannot take. */
		if (code != -EOPNOTSUPP && code != -ENOSYS && code != -EINVAL)
			return code;
	}
	return image_write_zero_bytes(image->fd, position, length);
}

const struct image_operations image_file_operations = {
	.read = file_read,
	.write = file_write,
	.flush = file_flush,
	.discard = file_discard,
	.write_zeroes = file_write_zeroes,
};
