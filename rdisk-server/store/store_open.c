/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Opening, checking and locking images, and the operations with the protocol's codes over
 * the kinds' own; see image.h.
 *
 * The lock is an open-file-description lock on the whole file: it goes with the descriptor,
 * however the server ends, and two readers may share it. Servers on different hosts that
 * share a file system are kept apart only as far as that file system passes locks on.
 */
#include "store_kinds.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "dvk_errno.h"
#include "log.h"

#define PHYSICAL_BLOCK_MAX 4096u  /* bytes; what st_blksize says beyond is about streaming */
#define PAGE		   4096u  /* bytes that the page cache has or has not; larger ones do no harm */
#define FETCH_BYTES	   65536u /* read at a time, to have them in the page cache */

static bool opens_for_writing(const struct device_configuration *configuration)
{
	return configuration->type == FILE_IMAGE && !configuration->read_only && !configuration->is_volatile;
}

/* Kind and size of an open image file. 0, or -1 and *diagnostic. */
static int file_size(int fd, const char *path, uint64_t *size, struct stat *status, struct diagnostic *diagnostic)
{
	if (fstat(fd, status))
		return diagnostic_set(diagnostic, "cannot look at image %s: %s", path, strerror(errno));
	if (S_ISBLK(status->st_mode)) {
		if (ioctl(fd, BLKGETSIZE64, size))
			return diagnostic_set(diagnostic, "cannot get the size of block device %s: %s", path,
					      strerror(errno));
	} else if (S_ISREG(status->st_mode)) {
		*size = (uint64_t)status->st_size;
	} else {
		return diagnostic_set(diagnostic, "image %s is neither a regular file nor a block device", path);
	}
	return 0;
}

/* The size that the device will have, from what is configured and what the file has. */
static int device_size(const struct device_configuration *configuration, uint64_t in_file, uint64_t *size,
		       struct diagnostic *diagnostic)
{
	const char *path = configuration->image_file;

	*size = configuration->size ? configuration->size : in_file;
	if (configuration->type == MEMORY_IMAGE) {
		if (in_file > configuration->size)
			return diagnostic_set(diagnostic, "image %s has %llu bytes, the configured size is %llu", path,
					      (unsigned long long)in_file, (unsigned long long)configuration->size);
		return 0;
	}
	if (configuration->size && configuration->size != in_file)
		return diagnostic_set(diagnostic, "image %s has %llu bytes, the configured size is %llu", path,
				      (unsigned long long)in_file, (unsigned long long)configuration->size);
	if (in_file == 0 || in_file % RDISK_SECTOR_SIZE)
		return diagnostic_set(diagnostic, "the size of image %s, %llu bytes, is not a positive multiple of %d",
				      path, (unsigned long long)in_file, RDISK_SECTOR_SIZE);
	return 0;
}

/*
 * Opens an existing image file. The descriptor, -1 with *diagnostic, or -ENOENT with
 * nothing said. Opened without waiting, so that a FIFO by that name cannot hold up the start.
 */
static int open_existing(const struct device_configuration *configuration, struct diagnostic *diagnostic)
{
	bool writable = opens_for_writing(configuration);
	int flags = (writable ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
	struct stat status;
	int fd;

	/* For a block device O_EXCL means: not mounted, and used by nobody who asked the same. */
	if (writable && !stat(configuration->image_file, &status) && S_ISBLK(status.st_mode))
		flags |= O_EXCL;
	fd = open(configuration->image_file, flags);
	if (fd >= 0)
		return fd;
	if (errno == ENOENT)
		return -ENOENT;
	return diagnostic_set(diagnostic, "cannot open image %s for %s: %s", configuration->image_file,
			      writable ? "writing" : "reading", strerror(errno));
}

/* Whether a missing image may be created; says why not. */
static int may_create(const struct device_configuration *configuration, struct diagnostic *diagnostic)
{
	const char *path = configuration->image_file;

	if (configuration->type == MEMORY_IMAGE || !opens_for_writing(configuration))
		return diagnostic_set(diagnostic, "image %s does not exist", path);
	if (!configuration->size)
		return diagnostic_set(diagnostic, "image %s does not exist, and no size is given to create it with",
				      path);
	return 0;
}

/* The folder that a path lies in, in `folder` (PATH_MAX bytes). */
static const char *folder_of(const char *path, char *folder)
{
	if (snprintf(folder, PATH_MAX, "%s", path) >= PATH_MAX)
		return ".";
	return dirname(folder);
}

static const char *last_part(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static int lock_image(int fd, const char *path, bool writable, struct diagnostic *diagnostic)
{
	struct flock lock = { .l_type = writable ? F_WRLCK : F_RDLCK, .l_whence = SEEK_SET };

	if (!fcntl(fd, F_OFD_SETLK, &lock))
		return 0;
	if (errno != EAGAIN && errno != EACCES)
		return diagnostic_set(diagnostic, "cannot lock image %s: %s", path, strerror(errno));
	/* Only a lock of the older kind has a pid to name. */
	if (!fcntl(fd, F_OFD_GETLK, &lock) && lock.l_type != F_UNLCK && lock.l_pid > 0)
		return diagnostic_set(diagnostic, "image %s is in use by process %ld", path, (long)lock.l_pid);
	return diagnostic_set(diagnostic, "image %s is in use by another server", path);
}

/* A new entry of a folder outlives a power failure only once the folder was synced too. */
static int sync_folder(const char *path)
{
	char folder[PATH_MAX];
	int fd = open(folder_of(path, folder), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int code;

	if (fd < 0)
		return -errno;
	code = fsync(fd) ? -errno : 0;
	close(fd);
	return code == -EINVAL ? 0 : code; /* EINVAL: this file system has no such thing */
}

/* Creates the image, sparse and locked. The descriptor, or -1 and *diagnostic. */
static int create_file(const struct device_configuration *configuration, struct diagnostic *diagnostic)
{
	const char *path = configuration->image_file;
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	int code = 0;

	if (fd < 0)
		return diagnostic_set(diagnostic, "cannot create image %s: %s", path, strerror(errno));
	/* Locked before it has its size: a second server that finds it empty refuses it. */
	if (lock_image(fd, path, true, diagnostic))
		goto fail;
	if (ftruncate(fd, (off_t)configuration->size) || fdatasync(fd))
		code = -errno;
	else
		code = sync_folder(path);
	if (code) {
		diagnostic_set(diagnostic, "cannot create image %s of %llu bytes: %s", path,
			       (unsigned long long)configuration->size, strerror(-code));
		goto fail;
	}
	log_info("created image %s, %llu bytes", path, (unsigned long long)configuration->size);
	return fd;
fail:
	/* One without its size would be refused next time. */
	if (unlink(path))
		log_warning("cannot remove the unfinished image %s: %s", path, strerror(errno));
	close(fd);
	return -1;
}

/* Whether an open file is the one that has that name now. */
static bool has_name(int fd, const char *path)
{
	struct stat opened, named;

	return !fstat(fd, &opened) && !stat(path, &named) && opened.st_dev == named.st_dev &&
	       opened.st_ino == named.st_ino;
}

/* Opens the image's file, or creates it, and locks it. The descriptor, or -1 and *diagnostic. */
static int open_locked(const struct device_configuration *configuration, bool *created, struct diagnostic *diagnostic)
{
	const char *path = configuration->image_file;

	for (;;) {
		int fd = open_existing(configuration, diagnostic);

		if (fd == -ENOENT) {
			fd = may_create(configuration, diagnostic) ? -1 : create_file(configuration, diagnostic);
			*created = fd >= 0;
			return fd;
		}
		if (fd < 0)
			return -1;
		if (lock_image(fd, path, opens_for_writing(configuration), diagnostic)) {
			close(fd);
			return -1;
		}
		/* Until it was locked, another server's start may have failed and taken away what it had created. */
		if (has_name(fd, path))
			return fd;
		close(fd);
	}
}

/* FNV-1a over the bytes of `value`. */
static uint64_t mix(uint64_t hash, uint64_t value)
{
	for (int i = 0; i < 8; i++) {
		hash ^= value >> (8 * i) & 0xff;
		hash *= 0x100000001b3ull;
	}
	return hash;
}

/*
 * A file's number alone would not do: file systems give that of a deleted file to the next one. So the time
 * of its creation goes in, where the file system keeps it.
 */
static uint64_t file_identity(int fd, const struct stat *status)
{
	uint64_t hash = 0xcbf29ce484222325ull;
	struct statx more;

	if (S_ISBLK(status->st_mode))
		return mix(hash, status->st_rdev);
	hash = mix(mix(hash, status->st_dev), status->st_ino);
	if (statx(fd, "", AT_EMPTY_PATH, STATX_BTIME, &more) || !(more.stx_mask & STATX_BTIME))
		return hash;
	return mix(mix(hash, (uint64_t)more.stx_btime.tv_sec), more.stx_btime.tv_nsec);
}

/* A power of two from a sector to a page. */
static uint32_t physical_block(blksize_t preferred)
{
	uint32_t block = RDISK_SECTOR_SIZE;

	while (block < PHYSICAL_BLOCK_MAX && block * 2 <= (uint64_t)preferred)
		block *= 2;
	return block;
}

/* Whether files of this one are never waited for. One that cannot be asked counts as a disk's. */
static bool in_memory_file_system(int fd)
{
	struct statfs status;

	return !fstatfs(fd, &status) && (status.f_type == TMPFS_MAGIC || status.f_type == RAMFS_MAGIC);
}

int image_check(const struct device_configuration *configuration, uint64_t *size, struct diagnostic *diagnostic)
{
	struct stat status;
	uint64_t in_file = 0;
	int fd, code;

	*size = configuration->size;
	if (!configuration->image_file)
		return 0;
	fd = open_existing(configuration, diagnostic);
	if (fd == -ENOENT)
		return may_create(configuration, diagnostic);
	if (fd < 0)
		return -1;
	code = file_size(fd, configuration->image_file, &in_file, &status, diagnostic);
	if (!code)
		code = device_size(configuration, in_file, size, diagnostic);
	close(fd);
	return code;
}

/* Puts the content of an open image file, if there is one, into memory. */
static int make_memory_image(struct image *image, uint64_t in_file, uint64_t instance, int minor_line,
			     struct diagnostic *diagnostic)
{
	int file_fd = image->fd;
	int code = 0;

	image->fd = image_memory_create(image->name, image->size, diagnostic);
	if (image->fd >= 0 && file_fd >= 0) {
		code = image_memory_load(image->fd, file_fd, in_file);
		if (code)
			diagnostic_set(diagnostic, "cannot load the image file into memory: %s", strerror(-code));
	}
	if (file_fd >= 0)
		close(file_fd);
	if (image->fd < 0 || code)
		return -1;
	image->operations = &image_memory_operations;
	image->image_id = mix(instance, (uint64_t)minor_line);
	image->physical_block = PHYSICAL_BLOCK_MAX;
	return 0;
}

int image_open(struct image *image, const struct device_configuration *configuration, uint64_t instance,
	       struct diagnostic *diagnostic)
{
	struct stat status = { 0 };
	uint64_t in_file = 0;

	*image = (struct image){ .name = configuration->name, .fd = -1, .memory_fd = -1, .discards = true };
	image->size = configuration->size;
	if (configuration->image_file) {
		image->fd = open_locked(configuration, &image->created, diagnostic);
		if (image->fd < 0)
			goto fail;
		/* The size counts only now that nobody else may be at the file. */
		if (file_size(image->fd, configuration->image_file, &in_file, &status, diagnostic) ||
		    device_size(configuration, in_file, &image->size, diagnostic))
			goto fail;
	}
	if (configuration->type == MEMORY_IMAGE) {
		if (make_memory_image(image, in_file, instance, configuration->line, diagnostic))
			goto fail;
		return 0;
	}
	image->operations = &image_file_operations;
	image->image_id = file_identity(image->fd, &status);
	image->physical_block = physical_block(status.st_blksize);
	image->block_device = S_ISBLK(status.st_mode);
	image->on_disk = image->block_device || !in_memory_file_system(image->fd);
	image->tells_misses = true;
	if (configuration->is_volatile) {
		image->operations = &image_overlay_operations;
		image->image_id = mix(image->image_id, instance);
		if (image_overlay_create(image, diagnostic))
			goto fail;
	}
	return 0;
fail:
	image_uncreate(image, configuration);
	image_close(image);
	return -1;
}

bool image_missing(const struct device_configuration *configuration)
{
	struct stat status;

	return configuration->image_file && stat(configuration->image_file, &status) && errno == ENOENT;
}

void image_uncreate(const struct image *image, const struct device_configuration *configuration)
{
	const char *path = configuration->image_file;

	/* Only what is still the same: whatever else has got its name is not ours. */
	if (!path || !image->created || !has_name(image->fd, path))
		return;
	if (unlink(path))
		log_warning("cannot remove the new image %s: %s", path, strerror(errno));
	else
		log_info("removed the new image %s, as the start has failed", path);
}

void image_close(struct image *image)
{
	if (!image->name)
		return;
	if (image->fd >= 0)
		close(image->fd);
	if (image->memory_fd >= 0)
		close(image->memory_fd);
	free(image->in_memory);
	free(image->block_buffer);
	*image = (struct image){ .fd = -1, .memory_fd = -1 };
}

bool image_same(const struct device_configuration *a, const struct device_configuration *b)
{
	char folder_a[PATH_MAX], folder_b[PATH_MAX];
	struct stat status_a, status_b;
	bool missing_a, missing_b;

	if (!a->image_file || !b->image_file)
		return false;
	missing_a = stat(a->image_file, &status_a) != 0;
	missing_b = stat(b->image_file, &status_b) != 0;
	if (missing_a != missing_b)
		return false;
	if (!missing_a) {
		if (S_ISBLK(status_a.st_mode) && S_ISBLK(status_b.st_mode))
			return status_a.st_rdev == status_b.st_rdev;
		return status_a.st_dev == status_b.st_dev && status_a.st_ino == status_b.st_ino;
	}
	return !strcmp(last_part(a->image_file), last_part(b->image_file)) &&
	       !stat(folder_of(a->image_file, folder_a), &status_a) &&
	       !stat(folder_of(b->image_file, folder_b), &status_b) && status_a.st_dev == status_b.st_dev &&
	       status_a.st_ino == status_b.st_ino;
}

/* The protocol's code for a failure, and a log line if it is the image's own. */
static int failed(const struct image *image, const char *operation, uint64_t position, int code)
{
	switch (code) {
	case 0:
		return 0;
	case -EFAULT:
		return EDVSFAULT;
	case -ENOSPC:
	case -EDQUOT:
		log_limited(LOG_LEVEL_WARNING, "device %s: %s at byte %llu: %s", image->name, operation,
			    (unsigned long long)position, strerror(-code));
		return EDVSNOSPC;
	case -EROFS:
		return EDVSROFS;
	default:
		log_limited(LOG_LEVEL_ERROR, "device %s: %s at byte %llu: %s", image->name, operation,
			    (unsigned long long)position, strerror(-code));
		return EDVSIO;
	}
}

/* To be called around whatever may flush: logs the first failure. Any failure of a flush is EDVSIO. */
static int flushed(const struct image *image, bool failed_before, int code)
{
	if (image->flush_failed && !failed_before)
		log_error("device %s: writing to stable storage failed (%s): what was written since the last flush may "
			  "be lost, every flush fails until the server is restarted",
			  image->name, strerror(-code));
	return code ? EDVSIO : 0;
}

int image_read(struct image *image, struct iovec *vector, int count, uint64_t position)
{
	return failed(image, "read", position, image->operations->read(image, vector, count, position, 0));
}

int image_read_cached(struct image *image, struct iovec *vector, int count, uint64_t position)
{
	struct iovec again[RDISK_VECTOR_MAX];
	int code;

	if (!image->on_disk || !image->tells_misses)
		return image_read(image, vector, count, position);
	memcpy(again, vector, (size_t)count * sizeof(*vector));
	code = image->operations->read(image, vector, count, position, RWF_NOWAIT);
	if (code == -EAGAIN)
		return IMAGE_MISS;
	if (code != -EOPNOTSUPP)
		return failed(image, "read", position, code);
	image->tells_misses = false;
	return image_read(image, again, count, position);
}

/* Whether the byte at `position` is not in the page cache. */
static bool byte_misses(struct image *image, uint64_t position)
{
	char byte;
	struct iovec piece = { &byte, 1 };
	int code = image_read_all(image->fd, &piece, 1, position, RWF_NOWAIT);

	if (code == -EOPNOTSUPP)
		image->tells_misses = false;
	return code == -EAGAIN;
}

bool image_write_misses(struct image *image, uint64_t position, uint64_t length, uint64_t *missing)
{
	uint64_t end = position + length;

	if (!image->on_disk || !image->tells_misses)
		return false;
	*missing = position;
	if (position % PAGE && byte_misses(image, position))
		return true;
	*missing = end;
	return end % PAGE && end < image->size && byte_misses(image, end);
}

int image_fetch(struct image *image, uint64_t position, uint64_t length, const atomic_bool *unwanted)
{
	char buffer[FETCH_BYTES];
	int code = 0;

	while (length > 0 && !code && !atomic_load_explicit(unwanted, memory_order_relaxed)) {
		/* cppcheck-suppress legacyUninitvar ; it is read into */
		struct iovec piece = { buffer, length < sizeof(buffer) ? (size_t)length : sizeof(buffer) };
		uint64_t bytes = piece.iov_len;

		code = image_read_all(image->fd, &piece, 1, position, 0);
		position += bytes;
		length -= bytes;
	}
	return failed(image, "fetch", position, code);
}

bool image_waits(const struct image *image)
{
	return image->on_disk && image->operations == &image_file_operations;
}

int image_write(struct image *image, struct iovec *vector, int count, uint64_t position, bool stable)
{
	bool failed_before = image->flush_failed;
	int code = image->operations->write(image, vector, count, position, stable);

	if (stable && image->flush_failed)
		return flushed(image, failed_before, code);
	return failed(image, "write", position, code);
}

int image_flush(struct image *image)
{
	bool failed_before = image->flush_failed;

	if (!image->operations->flush)
		return 0;
	return flushed(image, failed_before, image->operations->flush(image));
}

int image_settle(struct image *image)
{
	if (!image->operations->flush || (image->block_device && !image->flush_failed))
		return image_flush(image);
	if (image->flush_failed)
		return EDVSIO;
	if (!syncfs(image->fd))
		return 0;
	log_error("device %s: writing to stable storage at the end failed: %s", image->name, strerror(errno));
	return EDVSIO;
}

int image_discard(struct image *image, uint64_t position, uint64_t length, bool stable)
{
	int code = 0;

	if (length > 0)
		code = failed(image, "discard", position, image->operations->discard(image, position, length));
	return !code && stable ? image_flush(image) : code;
}

int image_write_zeroes(struct image *image, uint64_t position, uint64_t length, bool stable)
{
	int code = 0;

	if (length > 0)
		code = failed(image, "write zeroes", position,
			      image->operations->write_zeroes(image, position, length));
	return !code && stable ? image_flush(image) : code;
}
