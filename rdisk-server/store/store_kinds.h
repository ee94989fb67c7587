/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the files of the store share among themselves; nobody else includes it.
 */
#ifndef RDISK_STORE_KINDS_H
#define RDISK_STORE_KINDS_H

#include "store.h"

/*
 * What a kind of store does with the range and vector of an io. 0 or -errno; what fails may have been done in part.
 *
 * Any thread, several at once, as long as their ranges touch no overlap_block in common.
 */
struct store_operations {
	/* may_wait: for a disk. False: -EAGAIN instead, with nothing written, also where it is not known whether it
	 * would */
	int (*read)(struct store *store, const struct io *io, bool may_wait);
	/* Past the page cache, of a store on a disk; it may have to wait. NULL: the same as read */
	int (*read_disk)(struct store *store, const struct io *io);
	int (*write)(struct store *store, const struct io *io, bool may_wait);
	int (*discard)(struct store *store, const struct io *io, bool may_wait);
	int (*write_zeroes)(struct store *store, const struct io *io, bool may_wait);
	/* One at a time. NULL: nothing outlives the server, so that there is nothing to make stable */
	int (*flush)(struct store *store);
};

extern const struct store_operations store_file_operations;
extern const struct store_operations store_overlay_operations;
extern const struct store_operations store_memory_operations;

/* Reads from store->fd like vector_read(); may_wait as above. */
int store_read_file(struct store *store, const struct iovec *vector, int count, uint64_t position, bool may_wait);

/* fallocate() that goes on after EINTR. 0 or -errno. */
int store_allocate(int fd, int mode, uint64_t position, uint64_t length);

/* The memory kind and the overlay: memory of store->size bytes. The descriptor, or -1 and *diagnostic. */
int store_memory_create(const char *name, uint64_t size, struct diagnostic *diagnostic);
/* Copies the first `length` bytes of one file into another. 0 or -errno. */
int store_memory_load(int memory_fd, int file_fd, uint64_t length);
/* Sets store up as an overlay over store->fd, which stays as it is. 0, or -1 and *diagnostic. */
int store_overlay_create(struct store *store, struct diagnostic *diagnostic);

/* Sets up what store_submit() needs beside the kind: workers and shared flush. 0 or -errno. */
int store_start(struct store *store, struct completions *completions);
/* The reverse, after nothing is pending any more; harmless on a zeroed store. */
void store_stop(struct store *store);

#endif
