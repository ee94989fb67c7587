/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A library to be preloaded (LD_PRELOAD) into rdisk: its image, RDISK_DISK, is on a disk (also if it is on a tmpfs)
 * that fails while the file RDISK_DISK_FAULT has one of these words in it:
 *
 *   read-error   reads fail with EIO
 *   write-error  writes, and what punches or zeroes, fail with EIO
 *   flush-error  fdatasync and fsync fail with EIO
 *   full         writes, and what punches or zeroes, fail with ENOSPC
 *   hang         nothing comes back that waits for the disk, until the word is another one: what the first thread asks
 *                for does not wait, it goes to the page cache, and does not find there what it would read
 *   hang-all     the same, and so it is with what is below RDISK_DISK_STATE, its state_dir: it is on the same disk
 *
 * The word counts as of the call. Only the calls are there that rdisk makes (store_file.c, vector_io.c). By raw system
 * calls where the C library's names are this one's own.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "next_function.h"

#define LOOK_NS 10000000 /* a disk that hangs looks so often whether it still does */

enum operation { OPERATION_READ, OPERATION_WRITE, OPERATION_FLUSH };

/* Set once, before the program has threads. */
static const char *image, *control, *state;

__attribute__((constructor)) static void read_environment(void)
{
	image = getenv("RDISK_DISK");
	control = getenv("RDISK_DISK_FAULT");
	state = getenv("RDISK_DISK_STATE");
}

static bool is_image(int fd)
{
	struct stat named, open;

	return image && control && !stat(image, &named) && !fstat(fd, &open) && named.st_ino == open.st_ino &&
	       named.st_dev == open.st_dev;
}

static bool is_state(int fd)
{
	char link[32], path[PATH_MAX];
	size_t length = state ? strlen(state) : 0;
	ssize_t got;

	if (!length || !control)
		return false;
	(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	got = readlink(link, path, sizeof(path) - 1);
	if (got < 0)
		return false;
	path[got] = '\0';
	return !strncmp(path, state, length) && (path[length] == '/' || path[length] == '\0');
}

/* The word, or "". */
static void read_word(char *word, size_t size)
{
	long fd = syscall(SYS_openat, AT_FDCWD, control, O_RDONLY | O_CLOEXEC, 0), got;

	word[0] = '\0';
	if (fd < 0)
		return;
	got = syscall(SYS_read, fd, word, size - 1);
	syscall(SYS_close, fd);
	word[got > 0 ? got : 0] = '\0';
	word[strcspn(word, "\n")] = '\0';
}

static int code_of(const char *word, enum operation operation)
{
	if (!strcmp(word, "read-error") && operation == OPERATION_READ)
		return EIO;
	if (!strcmp(word, "write-error") && operation == OPERATION_WRITE)
		return EIO;
	if (!strcmp(word, "flush-error") && operation == OPERATION_FLUSH)
		return EIO;
	if (!strcmp(word, "full") && operation == OPERATION_WRITE)
		return ENOSPC;
	return 0;
}

static bool hangs(const char *word, bool of_image)
{
	return (of_image && !strcmp(word, "hang")) || !strcmp(word, "hang-all");
}

/* 0: the call may be made; else it fails with errno. */
static int meet(int fd, enum operation operation, bool no_wait)
{
	const struct timespec look = { 0, LOOK_NS };
	int saved = errno;
	bool of_image = is_image(fd);
	char word[32];

	if (!of_image && !is_state(fd)) {
		errno = saved;
		return 0;
	}
	for (read_word(word, sizeof(word)); hangs(word, of_image); read_word(word, sizeof(word))) {
		if (getpid() == gettid()) {
			errno = no_wait ? EAGAIN : saved;
			return no_wait ? -1 : 0;
		}
		(void)nanosleep(&look, NULL);
	}
	errno = of_image ? code_of(word, operation) : 0;
	if (errno)
		return -1;
	errno = saved;
	return 0;
}

ssize_t pread(int fd, void *buffer, size_t size, off_t offset)
{
	NEXT(pread)
	return meet(fd, OPERATION_READ, false) ? -1 : next(fd, buffer, size, offset);
}

ssize_t preadv(int fd, const struct iovec *vector, int count, off_t offset)
{
	NEXT(preadv)
	return meet(fd, OPERATION_READ, false) ? -1 : next(fd, vector, count, offset);
}

ssize_t preadv2(int fd, const struct iovec *vector, int count, off_t offset, int flags)
{
	NEXT(preadv2)
	return meet(fd, OPERATION_READ, flags & RWF_NOWAIT) ? -1 : next(fd, vector, count, offset, flags);
}

ssize_t pwrite(int fd, const void *buffer, size_t size, off_t offset)
{
	NEXT(pwrite)
	return meet(fd, OPERATION_WRITE, false) ? -1 : next(fd, buffer, size, offset);
}

ssize_t pwritev(int fd, const struct iovec *vector, int count, off_t offset)
{
	NEXT(pwritev)
	return meet(fd, OPERATION_WRITE, false) ? -1 : next(fd, vector, count, offset);
}

int fallocate(int fd, int mode, off_t offset, off_t length)
{
	NEXT(fallocate)
	return meet(fd, OPERATION_WRITE, false) ? -1 : next(fd, mode, offset, length);
}

int fdatasync(int fd)
{
	NEXT(fdatasync)
	return meet(fd, OPERATION_FLUSH, false) ? -1 : next(fd);
}

int fsync(int fd)
{
	NEXT(fsync)
	return meet(fd, OPERATION_FLUSH, false) ? -1 : next(fd);
}

/* Of what is on a tmpfs rdisk knows that it need not wait. */
int fstatfs(int fd, struct statfs *status)
{
	NEXT(fstatfs)
	int code = next(fd, status);

	if (!code && is_image(fd))
		status->f_type = EXT4_SUPER_MAGIC;
	return code;
}

ssize_t pread64(int fd, void *buffer, size_t size, off64_t offset) __attribute__((alias("pread")));
ssize_t preadv64(int fd, const struct iovec *vector, int count, off64_t offset) __attribute__((alias("preadv")));
ssize_t preadv64v2(int fd, const struct iovec *vector, int count, off64_t offset, int flags)
	__attribute__((alias("preadv2")));
ssize_t pwrite64(int fd, const void *buffer, size_t size, off64_t offset) __attribute__((alias("pwrite")));
ssize_t pwritev64(int fd, const struct iovec *vector, int count, off64_t offset) __attribute__((alias("pwritev")));
int fallocate64(int fd, int mode, off64_t offset, off64_t length) __attribute__((alias("fallocate")));
int fstatfs64(int fd, struct statfs64 *status) __attribute__((alias("fstatfs")));
