/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Looking at, creating and opening the images of stores; see store.h.
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

#include "image_identity.h"
#include "image_lock.h"
#include "log.h"

#define PHYSICAL_BLOCK_MAX 4096u /* bytes; what st_blksize says beyond is about streaming */

static bool opens_for_writing(const struct store_settings *settings)
{
	return settings->kind == STORE_FILE && !settings->read_only && !settings->is_volatile;
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

/* The size that the disk will have, from what is configured and what the file has. */
static int disk_size(const struct store_settings *settings, uint64_t in_file, uint64_t *size,
		     struct diagnostic *diagnostic)
{
	const char *path = settings->path;

	*size = settings->size ? settings->size : in_file;
	if (settings->kind == STORE_MEMORY) {
		if (in_file > settings->size)
			return diagnostic_set(
				diagnostic,
				"image %s has %llu bytes, the configured size is %llu: correct the one or the other",
				path, (unsigned long long)in_file, (unsigned long long)settings->size);
		return 0;
	}
	if (settings->size && settings->size != in_file)
		return diagnostic_set(
			diagnostic,
			"image %s has %llu bytes, the configured size is %llu: correct the one or the other", path,
			(unsigned long long)in_file, (unsigned long long)settings->size);
	if (in_file == 0 || in_file % STORE_SECTOR)
		return diagnostic_set(diagnostic, "the size of image %s, %llu bytes, is not a positive multiple of %u",
				      path, (unsigned long long)in_file, STORE_SECTOR);
	return 0;
}

/*
 * Opens an existing image file. The descriptor, -1 with *diagnostic, or -ENOENT with
 * nothing said. Opened without waiting, so that a FIFO by that name cannot hold up the start.
 */
static int open_existing(const struct store_settings *settings, struct diagnostic *diagnostic)
{
	bool writable = opens_for_writing(settings);
	int flags = (writable ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
	int fd = open(settings->path, flags);

	if (fd >= 0)
		return fd;
	if (errno == ENOENT)
		return -ENOENT;
	return diagnostic_set(diagnostic, "cannot open image %s for %s: %s", settings->path,
			      writable ? "writing" : "reading", strerror(errno));
}

static int cannot_create(const struct store_settings *settings, int code, struct diagnostic *diagnostic)
{
	return diagnostic_set(diagnostic, "cannot create image %s of %llu bytes: %s", settings->path,
			      (unsigned long long)settings->size, strerror(-code));
}

/* Whether a missing image may be created; says why not. */
static int may_create(const struct store_settings *settings, struct diagnostic *diagnostic)
{
	const char *path = settings->path;

	if (settings->kind == STORE_MEMORY || !opens_for_writing(settings))
		return diagnostic_set(diagnostic, "image %s does not exist", path);
	if (!settings->size)
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

/*
 * Whether a missing image can be created: its folder takes a file of that size, one without a name that goes at once.
 * Where there is no such thing, only the start will tell.
 */
static int try_creating(const struct store_settings *settings, struct diagnostic *diagnostic)
{
	char folder[PATH_MAX];
	int fd, code;

	if (may_create(settings, diagnostic))
		return -1;
	fd = open(folder_of(settings->path, folder), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (fd < 0)
		return errno == EOPNOTSUPP || errno == EISDIR ? 0 : cannot_create(settings, -errno, diagnostic);
	code = ftruncate(fd, (off_t)settings->size) ? -errno : 0;
	close(fd);
	return code ? cannot_create(settings, code, diagnostic) : 0;
}

static const char *last_part(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
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
static int create_file(const struct store_settings *settings, struct diagnostic *diagnostic)
{
	const char *path = settings->path;
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	int code = 0;

	if (fd < 0)
		return diagnostic_set(diagnostic, "cannot create image %s: %s", path, strerror(errno));
	/* Locked before it has its size: a second server that finds it empty refuses it. */
	if (image_lock(fd, settings, true, diagnostic))
		goto fail;
	if (ftruncate(fd, (off_t)settings->size) || fdatasync(fd))
		code = -errno;
	else
		code = sync_folder(path);
	if (code) {
		cannot_create(settings, code, diagnostic);
		goto fail;
	}
	log_info("created image %s, %llu bytes", path, (unsigned long long)settings->size);
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
static int open_locked(const struct store_settings *settings, bool *created, struct diagnostic *diagnostic)
{
	const char *path = settings->path;

	for (;;) {
		int fd = open_existing(settings, diagnostic);

		if (fd == -ENOENT) {
			fd = may_create(settings, diagnostic) ? -1 : create_file(settings, diagnostic);
			*created = fd >= 0;
			return fd;
		}
		if (fd < 0)
			return -1;
		if (image_lock(fd, settings, opens_for_writing(settings), diagnostic)) {
			close(fd);
			return -1;
		}
		/* Until it was locked, another server's start may have failed and taken away what it had created. */
		if (has_name(fd, path))
			return fd;
		close(fd);
	}
}

/* A power of two from a sector to a page. */
static uint32_t physical_block(blksize_t preferred)
{
	uint32_t block = STORE_SECTOR;

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

int store_check(const struct store_settings *settings, struct store_found *found, struct diagnostic *diagnostic)
{
	struct stat status;
	uint64_t in_file = 0;
	int fd, code;

	*found = (struct store_found){ .size = settings->size };
	if (image_identity_check(settings, diagnostic))
		return -1;
	if (settings->id)
		snprintf(found->id, sizeof(found->id), "%s", settings->id);
	if (!settings->path)
		return 0;
	fd = open_existing(settings, diagnostic);
	if (fd == -ENOENT)
		return try_creating(settings, diagnostic);
	if (fd < 0)
		return -1;
	code = file_size(fd, settings->path, &in_file, &status, diagnostic);
	if (!code)
		code = disk_size(settings, in_file, &found->size, diagnostic);
	if (!code)
		code = image_identity_look(settings, fd, found, diagnostic);
	close(fd);
	return code;
}

/* Puts the content of an open image file, if there is one, into memory. 0, or -1 and *diagnostic. */
static int make_memory_store(struct store *store, uint64_t in_file, struct diagnostic *diagnostic)
{
	int file_fd = store->fd;
	int code = 0;

	store->fd = store_memory_create(store->name, store->size, diagnostic);
	if (store->fd >= 0 && file_fd >= 0) {
		code = store_memory_load(store->fd, file_fd, in_file);
		if (code)
			diagnostic_set(diagnostic, "cannot load the image file into memory: %s", strerror(-code));
	}
	if (file_fd >= 0)
		close(file_fd);
	if (store->fd < 0 || code)
		return -1;
	store->operations = &store_memory_operations;
	store->physical_block = PHYSICAL_BLOCK_MAX;
	return 0;
}

/*
 * Makes the claim of a locked block device what is worked with: the kernel drops cached pages, as a discard has to,
 * only for who has claimed it. 0, or -1 and *diagnostic.
 */
static int claim_device(struct store *store, const struct store_settings *settings, struct diagnostic *diagnostic)
{
	int fd = image_claim(settings, diagnostic);
	struct stat locked, claimed;

	if (fd < 0)
		return -1;
	/* The claim goes by the path, which may be another device's by now. */
	if (fstat(store->fd, &locked) || fstat(fd, &claimed) || !S_ISBLK(claimed.st_mode) ||
	    locked.st_rdev != claimed.st_rdev) {
		close(fd);
		return diagnostic_set(diagnostic,
				      "image %s became another device or file while it was opened: start again",
				      settings->path);
	}
	store->lock_fd = store->fd;
	store->fd = fd;
	return 0;
}

/* A store over an open image file. 0, or -1 and *diagnostic. */
static int make_file_store(struct store *store, const struct store_settings *settings, const struct stat *status,
			   struct diagnostic *diagnostic)
{
	store->operations = &store_file_operations;
	store->physical_block = physical_block(status->st_blksize);
	store->block_device = S_ISBLK(status->st_mode);
	store->on_disk = store->block_device || !in_memory_file_system(store->fd);
	store->tells_misses = true;
	if (store->block_device && opens_for_writing(settings) && claim_device(store, settings, diagnostic))
		return -1;
	if (!settings->is_volatile)
		return 0;
	store->operations = &store_overlay_operations;
	store->overlap_block = STORE_OVERLAY_BLOCK;
	return store_overlay_create(store, diagnostic);
}

/* Opens the image and makes the store that is configured of it. 0, or -1 and *diagnostic. */
static int make_store(struct store *store, const struct store_settings *settings, struct diagnostic *diagnostic)
{
	struct stat status = { 0 };
	uint64_t in_file = 0;

	if (image_identity_check(settings, diagnostic))
		return -1;
	if (settings->path) {
		store->fd = open_locked(settings, &store->created, diagnostic);
		/* The size counts only now that nobody else may be at the file. */
		if (store->fd < 0 || file_size(store->fd, settings->path, &in_file, &status, diagnostic) ||
		    disk_size(settings, in_file, &store->size, diagnostic))
			return -1;
		store->file_identity = image_file_identity(store->fd, &status);
	}
	if (image_identity_find(store, settings, store->fd, diagnostic))
		return -1;
	if (settings->kind == STORE_MEMORY)
		return make_memory_store(store, in_file, diagnostic);
	return make_file_store(store, settings, &status, diagnostic);
}

int store_open(struct store *store, const struct store_settings *settings, struct completions *completions,
	       struct diagnostic *diagnostic)
{
	int code;

	*store = (struct store){
		.name = settings->name,
		.flushes_again = settings->flushes_again,
		.size = settings->size,
		.overlap_block = 1,
		.discards = true,
		.fd = -1,
		.memory_fd = -1,
		.lock_fd = -1,
	};
	if (make_store(store, settings, diagnostic))
		goto fail;
	code = store_start(store, completions);
	if (!code)
		return 0;
	diagnostic_set(diagnostic, "cannot set up threads: %s", strerror(-code));
fail:
	store_uncreate(store, settings);
	store_close(store);
	return -1;
}

bool store_missing(const struct store_settings *settings)
{
	struct stat status;

	return settings->path && stat(settings->path, &status) && errno == ENOENT;
}

void store_uncreate(const struct store *store, const struct store_settings *settings)
{
	const char *path = settings->path;

	/* Only what is still the same: whatever else has got its name is not ours. */
	if (!path || !store->created || !has_name(store->fd, path))
		return;
	if (unlink(path))
		log_warning("cannot remove the new image %s: %s", path, strerror(errno));
	else
		log_info("removed the new image %s, as the start has failed", path);
}

void store_close(struct store *store)
{
	if (!store->name)
		return;
	store_stop(store);
	if (store->fd >= 0)
		close(store->fd);
	if (store->memory_fd >= 0)
		close(store->memory_fd);
	if (store->lock_fd >= 0)
		close(store->lock_fd);
	free(store->in_memory);
	*store = (struct store){ .fd = -1, .memory_fd = -1, .lock_fd = -1 };
}

bool store_same_id(const struct store *a, const struct store *b)
{
	return !strcmp(a->id, b->id);
}

bool store_same(const struct store_settings *a, const struct store_settings *b)
{
	char folder_a[PATH_MAX], folder_b[PATH_MAX];
	struct stat status_a, status_b;
	bool missing_a, missing_b;

	if (!a->path || !b->path)
		return false;
	missing_a = stat(a->path, &status_a) != 0;
	missing_b = stat(b->path, &status_b) != 0;
	if (missing_a != missing_b)
		return false;
	if (!missing_a) {
		if (S_ISBLK(status_a.st_mode) && S_ISBLK(status_b.st_mode))
			return status_a.st_rdev == status_b.st_rdev;
		return status_a.st_dev == status_b.st_dev && status_a.st_ino == status_b.st_ino;
	}
	return !strcmp(last_part(a->path), last_part(b->path)) && !stat(folder_of(a->path, folder_a), &status_a) &&
	       !stat(folder_of(b->path, folder_b), &status_b) && status_a.st_dev == status_b.st_dev &&
	       status_a.st_ino == status_b.st_ino;
}
