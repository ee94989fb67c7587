/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The memory kind: a memfd of the disk's size, empty or loaded from a file at the start. It takes memory only where it
 * was written. Nothing outlives the server, so a flush has nothing to do.
 */
#include "store_kinds.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <unistd.h>

#include "vector_io.h"

int store_memory_create(const char *name, uint64_t size, struct diagnostic *diagnostic)
{
	int fd = memfd_create(name, MFD_CLOEXEC);

	if (fd < 0)
		return diagnostic_set(diagnostic, "cannot create a memory image: %s", strerror(errno));
	if (ftruncate(fd, (off_t)size)) {
		diagnostic_set(diagnostic, "cannot set the size of a memory image to %llu: %s",
			       (unsigned long long)size, strerror(errno));
		close(fd);
		return -1;
	}
	return fd;
}

int store_memory_load(int memory_fd, int file_fd, uint64_t length)
{
	if (lseek(memory_fd, 0, SEEK_SET) < 0)
		return -errno;
	for (off_t offset = 0; (uint64_t)offset < length;) {
		ssize_t bytes = sendfile(memory_fd, file_fd, &offset, length - (uint64_t)offset);

		if (bytes < 0 && errno != EINTR)
			return -errno;
		if (bytes == 0)
			return -EIO;
	}
	return 0;
}

static int memory_read(struct store *store, const struct io *io, bool may_wait)
{
	(void)may_wait;
	return vector_read(store->fd, io->vector, io->count, io->position, 0);
}

static int memory_write(struct store *store, const struct io *io, bool may_wait)
{
	(void)may_wait;
	return vector_write(store->fd, io->vector, io->count, io->position);
}

static int memory_free(struct store *store, const struct io *io, bool may_wait)
{
	(void)may_wait;
	return store_allocate(store->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, io->position, io->length);
}

const struct store_operations store_memory_operations = {
	.read = memory_read,
	.write = memory_write,
	.discard = memory_free,
	.write_zeroes = memory_free,
};
