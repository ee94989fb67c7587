/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the kinds of images share among themselves; only image*.c includes it.
 */
#ifndef RDISK_IMAGE_KINDS_H
#define RDISK_IMAGE_KINDS_H

#include "store.h"

#define OVERLAY_BLOCK 4096u /* bytes; granularity of what an overlay keeps in memory */

extern const struct image_operations image_file_operations;
extern const struct image_operations image_overlay_operations;
extern const struct image_operations image_memory_operations;

/*
 * Whole transfers: go on after partial ones and EINTR. 0 or -errno; -EIO when the
 * file ends too early. The vector is used up. `flags` as for preadv2() and pwritev2().
 */
int image_read_all(int fd, struct iovec *vector, int count, uint64_t position, int flags);
int image_write_all(int fd, struct iovec *vector, int count, uint64_t position, int flags);

/* fallocate() that goes on after EINTR. 0 or -errno. */
int image_allocate(int fd, int mode, uint64_t position, uint64_t length);

/* Writes zeros the slow way, which every file can. 0 or -errno. */
int image_write_zero_bytes(int fd, uint64_t position, uint64_t length);

/* The memory kind and the overlay: memory of image->size bytes. 0, or -1 and *diagnostic. */
int image_memory_create(const char *name, uint64_t size, struct diagnostic *diagnostic);
/* Copies the first `length` bytes of one file into another. 0 or -errno. */
int image_memory_load(int memory_fd, int file_fd, uint64_t length);
/* Sets image up as an overlay over image->fd, which stays as it is. 0, or -1 and *diagnostic. */
int image_overlay_create(struct image *image, struct diagnostic *diagnostic);

#endif
