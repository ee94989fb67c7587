/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One operation on the bytes of a disk: what a request asks of whoever has them (a store, later a replica, in tests and
 * simulations something made up). It is memory of who submits it, embedded in something larger, and belongs to the
 * other side while it is PENDING. No thread, clock, file or libdvk here.
 */
#ifndef RDISK_IO_H
#define RDISK_IO_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#define IO_VECTOR_MAX 256 /* elements of a vector */

enum io_operation {
	IO_READ = 1,
	IO_WRITE,
	IO_FLUSH,	 /* what was done before it was submitted is on stable storage after it */
	IO_DISCARD,	 /* the range reads as zeros afterwards, or as before */
	IO_WRITE_ZEROES, /* the range reads as zeros afterwards */
	IO_FETCH,	 /* nothing is moved; an IO_READ of the range with IO_FETCHED will hardly be MISSED */
	/* Of a replicated disk alone; no range: */
	IO_OPEN,     /* the client opens it, for as long as nobody says that it is gone */
	IO_DESCRIBE, /* size and identity of the disk are known */
};

/* What is to become of a READ or WRITE that may have to wait for a disk. */
enum io_mode {
	IO_MAY_PEND, /* it is PENDING; all other operations are so */
	IO_CACHED,   /* READ: it is MISSED instead */
	IO_FETCHED,  /* READ: the same after a FETCH; where it cannot be told what is cached, it is done at once */
	IO_AT_ONCE,  /* READ: it is done at once, however long that takes */
	/*
	 * READ: what the disk has, not what the host remembers of it. After a flush that failed the page cache may have
	 * what will never be on the disk. Where that cannot be told it fails; where there is no disk, it is a read.
	 */
	IO_FROM_DISK,
};

enum io_answer {
	IO_DONE,    /* result is set */
	IO_PENDING, /* it comes back from who took it, with its result */
	IO_MISSED,  /* nothing was done (the memory of the vector may have been written), nothing is pending */
};

struct io {
	enum io_operation operation;
	enum io_mode mode;
	uint64_t position; /* bytes; the range lies within the disk and is not empty. FLUSH: 0 */
	uint64_t length;   /* bytes. FLUSH: 0 */
	/* READ, WRITE: where the data are, until it is done; whose lengths add up to `length`, none of them 0 */
	const struct iovec *vector;
	int count;	 /* elements, 1 .. IO_VECTOR_MAX */
	bool stays;	 /* the memory does: it may be touched without a system call */
	uint32_t client; /* of a replicated disk: number of the open that it belongs to */
	bool shared;	 /* OPEN: others may have it open, too */
	bool read_only;	 /* OPEN: it only reads */
	bool not_first;	 /* WRITE to a replica: others wait for frames that were sent before it */
	bool stable;	 /* of what changes something: on stable storage when it is done, if the disk can do that */
	int result;	 /* 0 or -errno; -ECANCELED: nothing was done, as it was cancelled */
	/*
	 * Nobody wants it any more: it ends with -ECANCELED if it has not begun, or when it likes. Set by its owner's
	 * thread, read by any other.
	 */
	atomic_bool cancelled;
	/* Of who has it PENDING: */
	struct io *next;
	int device;
};

/* Whether two ranges have a byte in common. Both lie within a disk, so that nothing wraps. */
static inline bool io_ranges_overlap(uint64_t position, uint64_t length, uint64_t other_position, uint64_t other_length)
{
	return position < other_position + other_length && other_position < position + length;
}

#endif
