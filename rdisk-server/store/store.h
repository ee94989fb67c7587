/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An image: the bytes of one device, whatever keeps them. Three kinds behind one
 * table of operations: a file or block device (image_file.c), memory
 * (image_memory.c), and a file with what is written kept in memory (image_overlay.c).
 *
 * All data passes through system calls on file descriptors (memory is a memfd), because
 * the other end is often a client's shared memory, which its owner can take away at any time:
 * a system call then fails with EFAULT, a load or store would kill the server.
 *
 * Nothing here knows of clients, endpoints or access rules. Nothing allocates after image_open().
 *
 * Threads: the server's own does everything; others may do image_fetch() and, where image_waits(), image_flush() at the
 * same time.
 */
#ifndef RDISK_IMAGE_H
#define RDISK_IMAGE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "configuration.h"
#include "diagnostic.h"

struct image;

/*
 * What a kind of image does. Ranges lie within the image and are not empty. A vector has at most
 * RDISK_VECTOR_MAX elements, none empty, and is used up: its elements change. Each
 * returns 0 or -errno; a write that fails may have been done in part.
 */
struct image_operations {
	/* flags: 0, or RWF_NOWAIT: -EAGAIN when it would have to wait for a disk */
	int (*read)(struct image *image, struct iovec *vector, int count, uint64_t position, int flags);
	int (*write)(struct image *image, struct iovec *vector, int count, uint64_t position, bool stable);
	/* NULL: nothing outlives the server, so that there is nothing to make stable */
	int (*flush)(struct image *image);
	int (*discard)(struct image *image, uint64_t position, uint64_t length);
	int (*write_zeroes)(struct image *image, uint64_t position, uint64_t length);
};

struct image {
	const struct image_operations *operations;
	const char *name;	 /* of the device, for the log; not owned */
	uint64_t size;		 /* bytes */
	uint64_t image_id;	 /* struct rdisk_info */
	int fd;			 /* the image file; of a memory image its memfd; -1: closed */
	int memory_fd;		 /* overlay: what was written; else -1 */
	uint64_t *in_memory;	 /* overlay: bit n: block n was written */
	void *block_buffer;	 /* overlay: one block */
	uint32_t physical_block; /* bytes */
	bool block_device;
	bool created;	   /* the file: by image_open() */
	bool on_disk;	   /* the file may have to be waited for: it is not in memory as a whole */
	bool tells_misses; /* RWF_NOWAIT works on it, as far as is known; server's thread */
	bool discards;	   /* discard frees space, as far as is known */
	pthread_mutex_t
		flush_lock; /* one flush at a time: the kernel tells an error of writing back to one of them only */
	atomic_bool flush_failed; /* for ever: what was lost is not known (lock, to change it) */
};

/*
 * Looks at the image that a device is configured with, changes nothing and takes
 * no lock: whether it can be opened, its kind and size. *size gets the size that the device
 * would have. 0, or -1 and *diagnostic (the cause alone).
 */
int image_check(const struct device_configuration *configuration, uint64_t *size, struct diagnostic *diagnostic);

/*
 * Opens it, creates a missing file of the configured size (sparse), and locks it
 * against other servers. `instance` goes into the image_id of images that do not outlive
 * the server. 0, or -1 and *diagnostic, with nothing left open. image->name is the configuration's.
 */
int image_open(struct image *image, const struct device_configuration *configuration, uint64_t instance,
	       struct diagnostic *diagnostic);

/* Whether the file that a device is configured with is missing. (That of an image without one is not.) */
bool image_missing(const struct device_configuration *configuration);

/* For a start that has failed: a file that image_open() created goes away. Before the close; harmless on any other. */
void image_uncreate(const struct image *image, const struct device_configuration *configuration);

/* Releases everything, flushes nothing; harmless on an image that is closed or failed to open. */
void image_close(struct image *image);

/*
 * Two devices with one image: true if they name the same file or block device, by whatever path,
 * also when it is still to be created. Images without a file are never the same.
 */
bool image_same(const struct device_configuration *a, const struct device_configuration *b);

/*
 * The operations, with codes of the disk protocol: 0 or EDVSIO, EDVSNOSPC, EDVSROFS,
 * EDVSFAULT (memory of the vector). Range and vector as in struct image_operations, but
 * empty ones are allowed. Failures of the image itself are logged.
 */
int image_read(struct image *image, struct iovec *vector, int count, uint64_t position);
/*
 * The same, unless it would have to wait for a disk: then IMAGE_MISS, the vector's memory was written in part, and
 * image_fetch() of the range is what helps. On a file system that cannot tell it waits.
 */
#define IMAGE_MISS 1
int image_read_cached(struct image *image, struct iovec *vector, int count, uint64_t position);
/*
 * Whether a write would have to read from a disk first: it begins or ends within a page that is not in memory. That
 * page is then what image_fetch() of one byte at *missing brings.
 */
bool image_write_misses(struct image *image, uint64_t position, uint64_t length, uint64_t *missing);
/* Has a range, which lies within the image, in the page cache, or a part of it when *unwanted is set. 0 or EDVSIO. */
int image_fetch(struct image *image, uint64_t position, uint64_t length, const atomic_bool *unwanted);
/* Whether a flush may wait for a disk. */
bool image_waits(const struct image *image);
/* stable: on stable storage before it returns. */
int image_write(struct image *image, struct iovec *vector, int count, uint64_t position, bool stable);
/*
 * Everything that was written is on stable storage. Once it failed it fails until
 * the server is restarted: the kernel reports a lost page once and then takes it for clean.
 */
int image_flush(struct image *image);

/*
 * At the end of the server: puts what was written on stable storage. An error of it reaches no client, so
 * it must stay for the next server's first flush: syncfs() leaves it with the file, where fdatasync() would use it
 * up. (A block device has no other way than the latter.) 0 or EDVSIO, logged.
 */
int image_settle(struct image *image);
/* The range may read as zeros afterwards, or as before. */
int image_discard(struct image *image, uint64_t position, uint64_t length, bool stable);
int image_write_zeroes(struct image *image, uint64_t position, uint64_t length, bool stable);

#endif
