/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reads a file with pread(): what a reader pays without any server. And the memory that all back ends read into.
 */
#include "backend.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

struct file {
	int fd;
};

void *bench_shared_memory(uint64_t bytes, int *fd)
{
	void *memory = MAP_FAILED;

	*fd = memfd_create("rdisk-bench", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (*fd < 0 || ftruncate(*fd, (off_t)bytes) || fcntl(*fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW))
		goto failed;
	memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, *fd, 0);
	if (memory == MAP_FAILED)
		goto failed;
	return memory;
failed:
	fprintf(stderr, "cannot make %llu bytes of shared memory: %s\n", (unsigned long long)bytes, strerror(errno));
	if (*fd >= 0)
		(void)close(*fd);
	return NULL;
}

static int file_open(struct backend *backend, const struct bench_target *target)
{
	struct file *file = malloc(sizeof(*file));
	struct stat status;

	if (!file) {
		fprintf(stderr, "%s: no memory\n", target->file);
		return -1;
	}
	backend->own = file;
	file->fd = open(target->file, O_RDONLY | O_CLOEXEC);
	if (file->fd < 0 || fstat(file->fd, &status)) {
		fprintf(stderr, "%s: cannot be read: %s\n", target->file, strerror(errno));
		return -1;
	}
	backend->size = (uint64_t)status.st_size;
	return 0;
}

static int file_read(struct backend *backend, uint64_t position, uint32_t bytes)
{
	const struct file *file = backend->own;
	ssize_t got = pread(file->fd, backend->memory, bytes, (off_t)position);

	if (got == (ssize_t)bytes)
		return 0;
	fprintf(stderr, "pread of %u bytes at %llu gave %zd: %s\n", bytes, (unsigned long long)position, got,
		got < 0 ? strerror(errno) : "the file is shorter");
	return -1;
}

static int file_read_many(struct backend *backend, unsigned int depth, double deadline, uint64_t *done)
{
	while (bench_now() < deadline) {
		for (unsigned int i = 0; i < depth; i++) {
			if (file_read(backend, bench_position(backend), BENCH_BLOCK))
				return -1;
		}
		*done += depth;
	}
	return 0;
}

const struct backend_operations backend_file = { "file", file_open, file_read, file_read_many };
