/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A file or a block device as a target. With a depth of 1 an operation is done where it is started; else by as many
 * worker threads as the depth says, so that each operation has one of its own.
 *
 * A file keeps its size. What a discard leaves in a block device is up to the device; in a file it is zeroes.
 */
#include "target.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "rdisk_protocol.h"

#define READ_ONLY_ADVICE ": to replay only what reads, use --writes discard"

struct path {
	struct target target;
	int fd;
	bool is_device;
	struct events *events;
	unsigned int nr_workers;
	pthread_t workers[DEPTH_MAX];
	pthread_cond_t work; /* with events->lock: `todo` or `ending` changed */
	/* under events->lock; completions are told through events->changed */
	struct io *todo, **todo_end;
	struct io *done, **done_end; /* in the order in which they were done */
	int nr_done;
	bool ending;
};

/* Moves all of it, or up to the end of the file. 0 or an errno, negative. */
static int transfer(int fd, struct io *io)
{
	int flags = io->kind == TRACE_WRITE && io->flags & TRACE_FUA ? RWF_DSYNC : 0;

	io->moved = 0;
	while (io->moved < io->length) {
		struct iovec piece = { (char *)io->buffer + io->moved, io->length - io->moved };
		off_t at = (off_t)(io->position + io->moved);
		ssize_t got = io->kind == TRACE_WRITE ? pwritev2(fd, &piece, 1, at, flags) : preadv(fd, &piece, 1, at);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if (got == 0)
			break;
		io->moved += (uint64_t)got;
	}
	return 0;
}

static int change_range(const struct path *path, const struct io *io)
{
	uint64_t range[2] = { io->position, io->length };
	off_t at = (off_t)io->position, length = (off_t)io->length;
	int punch = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;

	if (path->is_device)
		return ioctl(path->fd, io->kind == TRACE_DISCARD ? BLKDISCARD : BLKZEROOUT, range) ? -errno : 0;
	if (io->kind == TRACE_WRITE_ZEROES) {
		if (!fallocate(path->fd, FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE, at, length))
			return 0;
		if (errno != EOPNOTSUPP)
			return -errno;
		/* A hole reads as zeroes too, and file systems without the one (tmpfs) have the other. */
	}
	return fallocate(path->fd, punch, at, length) ? -errno : 0;
}

static void run(const struct path *path, struct io *io)
{
	switch (io->kind) {
	case TRACE_READ:
	case TRACE_WRITE:
		io->error = transfer(path->fd, io);
		break;
	case TRACE_FLUSH:
		io->error = fdatasync(path->fd) ? -errno : 0;
		break;
	default:
		io->error = change_range(path, io);
		if (!io->error && io->flags & TRACE_FUA && io->kind == TRACE_WRITE_ZEROES)
			io->error = fdatasync(path->fd) ? -errno : 0;
		break;
	}
	io->done_ns = now_ns();
}

/* With events->lock held. */
static void put_done(struct path *path, struct io *io)
{
	io->next = NULL;
	*path->done_end = io;
	path->done_end = &io->next;
	path->nr_done++;
}

static void *work(void *context)
{
	struct path *path = context;

	(void)pthread_mutex_lock(&path->events->lock);
	for (;;) {
		struct io *io = path->todo;

		if (!io && path->ending)
			break;
		if (!io) {
			(void)pthread_cond_wait(&path->work, &path->events->lock);
			continue;
		}
		path->todo = io->next;
		if (!path->todo)
			path->todo_end = &path->todo;
		(void)pthread_mutex_unlock(&path->events->lock);
		run(path, io);
		(void)pthread_mutex_lock(&path->events->lock);
		put_done(path, io);
		(void)pthread_cond_signal(&path->events->changed);
	}
	(void)pthread_mutex_unlock(&path->events->lock);
	return NULL;
}

static void start(struct target *target, struct io *io)
{
	struct path *path = (struct path *)target;

	io->sent_ns = now_ns();
	if (path->nr_workers == 0) {
		run(path, io);
		put_done(path, io);
		return;
	}
	io->next = NULL;
	(void)pthread_mutex_lock(&path->events->lock);
	*path->todo_end = io;
	path->todo_end = &io->next;
	(void)pthread_cond_signal(&path->work);
	(void)pthread_mutex_unlock(&path->events->lock);
}

static int wait_done(struct target *target, struct io **done, uint64_t until_ns, struct diagnostic *diagnostic)
{
	struct path *path = (struct path *)target;
	int count;

	(void)diagnostic; /* a file is not lost: what goes wrong is an error of each operation */
	(void)pthread_mutex_lock(&path->events->lock);
	while (!path->done && path->nr_workers > 0 && events_wait(path->events, until_ns))
		;
	*done = path->done;
	count = path->nr_done;
	path->done = NULL;
	path->done_end = &path->done;
	path->nr_done = 0;
	(void)pthread_mutex_unlock(&path->events->lock);
	return count;
}

static const char *error_text(int code)
{
	return strerror(-code);
}

static void close_path(struct target *target)
{
	struct path *path = (struct path *)target;

	(void)pthread_mutex_lock(&path->events->lock);
	path->ending = true;
	(void)pthread_cond_broadcast(&path->work);
	(void)pthread_mutex_unlock(&path->events->lock);
	for (unsigned int i = 0; i < path->nr_workers; i++)
		(void)pthread_join(path->workers[i], NULL);
	(void)pthread_cond_destroy(&path->work);
	if (path->fd >= 0)
		(void)close(path->fd);
	free(path);
}

static const struct target_kind path_kind = { start, wait_done, error_text, close_path };

/* A read-only device may well be opened for writing; each write fails then. */
static int measure_device(struct path *path, bool write, struct diagnostic *diagnostic)
{
	const char *name = path->target.name;
	int sector, read_only = 0;

	if (ioctl(path->fd, BLKGETSIZE64, &path->target.size) || ioctl(path->fd, BLKSSZGET, &sector))
		return diagnostic_set(diagnostic, "%s: cannot ask for its size: %s", name, strerror(errno));
	if (sector > RDISK_SECTOR_SIZE)
		path->target.block = (uint32_t)sector;
	if (write && ioctl(path->fd, BLKROGET, &read_only))
		return diagnostic_set(diagnostic, "%s: cannot ask whether it is read-only: %s", name, strerror(errno));
	return read_only ? diagnostic_set(diagnostic, "%s is read-only" READ_ONLY_ADVICE, name) : 0;
}

/* Looks at what was opened. */
static int measure(struct path *path, bool write, bool direct, struct diagnostic *diagnostic)
{
	const char *name = path->target.name;
	struct stat status;

	if (fstat(path->fd, &status))
		return diagnostic_set(diagnostic, "%s: %s", name, strerror(errno));
	path->is_device = S_ISBLK(status.st_mode);
	path->target.block = RDISK_SECTOR_SIZE;
	if (S_ISREG(status.st_mode)) {
		path->target.size = (uint64_t)status.st_size;
		/* What O_DIRECT wants to have aligned: nobody asks for more than the file system's block. */
		if (direct && status.st_blksize > RDISK_SECTOR_SIZE && status.st_blksize <= 65536)
			path->target.block = (uint32_t)status.st_blksize;
		return 0;
	}
	if (!path->is_device)
		return diagnostic_set(diagnostic, "%s is neither a file nor a block device", name);
	return measure_device(path, write, diagnostic);
}

static int start_workers(struct path *path, unsigned int count, struct diagnostic *diagnostic)
{
	while (path->nr_workers < count) {
		int error = pthread_create(&path->workers[path->nr_workers], NULL, work, path);

		if (error)
			return diagnostic_set(diagnostic,
					      "cannot start %u worker threads: %s; a smaller --depth needs less", count,
					      strerror(error));
		path->nr_workers++;
	}
	return 0;
}

/*
 * An image that a server serves is locked by it, and so is one of another replay: two that write make a mess. Not
 * every file system has locks; what cannot be locked is used as it is.
 */
static int lock_file(const struct path *path, const char *name, bool write, struct diagnostic *diagnostic)
{
	struct flock lock = { .l_type = write ? F_WRLCK : F_RDLCK, .l_whence = SEEK_SET };
	struct stat status;

	if (fstat(path->fd, &status) || !S_ISREG(status.st_mode) || !fcntl(path->fd, F_OFD_SETLK, &lock))
		return 0;
	return errno == EAGAIN || errno == EACCES
		       ? diagnostic_set(diagnostic, "%s is in use by another process (a server?): stop that first",
					name)
		       : 0;
}

static int open_file(struct path *path, const char *name, int flags, struct diagnostic *diagnostic)
{
	struct stat status;

	/* A block device that is mounted is not written: with O_EXCL its opening fails. */
	if (flags & O_RDWR && !stat(name, &status) && S_ISBLK(status.st_mode))
		flags |= O_EXCL;
	path->fd = open(name, flags);
	if (path->fd >= 0)
		return lock_file(path, name, flags & O_RDWR, diagnostic);
	if (errno == EBUSY && flags & O_EXCL)
		return diagnostic_set(diagnostic, "%s is in use (mounted?): it is not written", name);
	if (errno == EINVAL && flags & O_DIRECT)
		return diagnostic_set(diagnostic, "%s cannot be opened with --direct: its file system has no O_DIRECT",
				      name);
	return diagnostic_set(diagnostic, "%s: %s%s", name, strerror(errno),
			      errno == EROFS || (errno == EACCES && flags & O_RDWR) ? READ_ONLY_ADVICE : "");
}

int target_open_path(struct target **target, const char *name, bool direct, const struct target_options *options,
		     struct diagnostic *diagnostic)
{
	/* O_NONBLOCK: a FIFO by that name would hold up the start; it changes nothing for what is used. */
	int flags = (options->write ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | (direct ? O_DIRECT : 0);
	struct path *path = calloc(1, sizeof(*path));

	if (!path)
		return diagnostic_set(diagnostic, "out of memory");
	path->target.kind = &path_kind;
	path->events = options->events;
	path->todo_end = &path->todo;
	path->done_end = &path->done;
	path->work = (pthread_cond_t)PTHREAD_COND_INITIALIZER;
	(void)snprintf(path->target.name, sizeof(path->target.name), "%s", name);
	if (open_file(path, name, flags, diagnostic) || measure(path, options->write, direct, diagnostic))
		goto fail;
	if (options->depth > 1 && start_workers(path, options->depth, diagnostic))
		goto fail;
	*target = &path->target;
	return 0;
fail:
	close_path(&path->target);
	return -1;
}
