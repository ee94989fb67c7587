/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whole transfers between a file and a vector of memory: preadv() and the like, gone on with after partial ones and
 * after EINTR. Vectors are not changed.
 */
#ifndef RDISK_VECTOR_IO_H
#define RDISK_VECTOR_IO_H

#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "io.h"

/*
 * 0 or -errno; -EIO when the file ends too early. What fails may have been done in part. vector: of `count` elements, 1
 * .. IO_VECTOR_MAX, none empty; position: byte of the file; flags: those of preadv2(). Any thread.
 */
int vector_read(int fd, const struct iovec *vector, int count, uint64_t position, int flags);
int vector_write(int fd, const struct iovec *vector, int count, uint64_t position);

/* Writes `length` zeros, the slow way that every file can. 0 or -errno. Any thread. */
int vector_write_zeros(int fd, uint64_t position, uint64_t length);

/* A place in a vector, for those who go through it piece by piece. */
struct vector_cursor {
	const struct iovec *at;
	int left;      /* elements from there on */
	size_t offset; /* bytes of *at that are behind */
};

/*
 * The next `bytes`, of which the vector must have that many left, as a vector of their own in `piece` (room for
 * IO_VECTOR_MAX). Returns its number of elements.
 */
int vector_next(struct vector_cursor *cursor, uint64_t bytes, struct iovec *piece);

#endif
