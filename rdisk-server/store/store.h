/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A store: the bytes of one disk on this host, whatever keeps them. Three kinds behind one table of operations
 * (store_kinds.h): a file or block device (store_file.c), memory (store_memory.c), and a file with what is written kept
 * in memory (store_overlay.c).
 *
 * What is asked of it is a struct io. store_submit() does what needs no disk at once: a read from the page cache, a
 * write to it. What may have to wait for one is PENDING at the store's worker threads, and comes back by its
 * completions: misses, flushes, discards, zeroes, and for a while all writes of a store where the host has lately let
 * one wait. So nobody waits for a disk but who asked. Nothing here knows of clients, endpoints, rules of access, or the
 * order of operations that overlap: who submits two at once that overlap gets them in any order.
 *
 * All data passes through system calls on file descriptors (memory is a memfd), because the other end is often a
 * client's shared memory, which its owner can take away at any time: a system call then fails with EFAULT, a load or
 * store would kill the server. Nothing allocates after store_open() but threads.
 *
 * Threads: all functions are for one thread, the loop's, unless they say otherwise.
 */
#ifndef RDISK_STORE_H
#define RDISK_STORE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "completions.h"
#include "diagnostic.h"
#include "io.h"
#include "shared_flush.h"
#include "workers.h"
#include "write_throttle.h"

#define STORE_LOCK_WAIT	    10u		    /* seconds; what a server waits for another that ends */
#define STORE_ID_SIZE	    40		    /* bytes of a disk's identity, the NUL included */
#define STORE_SECTOR	    512u	    /* bytes; a disk has a whole number of them */
#define STORE_OVERLAY_BLOCK 4096u	    /* bytes; granularity of what an overlay keeps in memory */
#define STORE_AT_ONCE_MAX   (1024u * 1024u) /* bytes; a longer DISCARD or WRITE_ZEROES in memory is PENDING too */

enum store_kind {
	STORE_FILE,   /* a regular file or a block device */
	STORE_MEMORY, /* memory, gone when the server ends */
};

/* What a store is to be. The strings are the caller's, and outlive the store. */
struct store_settings {
	const char *name; /* of the device, for messages */
	enum store_kind kind;
	const char *path; /* of the image; NULL: none (MEMORY): it begins empty */
	uint64_t size;	  /* bytes; 0: that of the image */
	bool read_only;
	bool is_volatile; /* what is written goes to memory, the image stays as it is */
	const char
		*id; /* of the disk, 1 to 39 characters; NULL: it is made, and kept with the image where that can be */
	/* Who flushes knows what a flush that failed may have lost, and writes it again: the next one may succeed. */
	bool flushes_again;
	const char *what;	/* what it is, in messages about its lock; NULL: an image */
	unsigned int lock_wait; /* seconds that opening waits for another server that has the image; 0: not at all */
	/* Ends that wait within 100 ms, or at once with a signal that interrupts system calls. NULL: nothing does. */
	bool (*interrupted)(void);
};

/* What is known of a store before it is opened. */
struct store_found {
	uint64_t size;		     /* bytes that the disk would have */
	char id[STORE_ID_SIZE];	     /* of the disk; "": it is made when the store is opened */
	char copy_of[STORE_ID_SIZE]; /* the disk of whose image the file is a copy, where `id` is to be made; or "" */
};

struct store_operations;

/* Stays where it is while it is open: threads know its address. */
struct store {
	/* For all to read: */
	const char *name;	 /* of the device; the settings' */
	uint64_t size;		 /* bytes */
	uint32_t physical_block; /* bytes */
	uint32_t overlap_block;	 /* bytes, a power of two: operations that touch the same such block overlap */
	char id[STORE_ID_SIZE];	 /* who the disk is (image_identity.h), with zeros behind it: clients compare all of it
				  */
	uint64_t file_identity;	 /* which file the image is: another in its place has another; 0: there is none */
	atomic_bool discards;	 /* a DISCARD frees space, as far as is known; workers change it */

	/* The store's own: */
	const struct store_operations *operations; /* NULL: it is not open */
	struct completions *completions;	   /* not owned */
	int fd;					   /* the image file; of a memory store its memfd; -1: closed */
	int memory_fd;				   /* overlay: what was written; else -1 */
	int lock_fd;		     /* block device that is written: holds the lock, as `fd` does the claim; else -1 */
	_Atomic uint64_t *in_memory; /* overlay: bit n: block n was written */
	bool block_device;
	bool created;		  /* the file: by store_open() */
	bool on_disk;		  /* the file may have to be waited for: it is not in memory as a whole */
	atomic_bool tells_misses; /* RWF_NOWAIT works on it, as far as is known; workers change it */
	bool flushes_again;	  /* as the settings say */
	atomic_bool flush_failed; /* the last one did; for ever, unless it flushes again: what was lost is not known */
	struct write_throttle throttle;
	struct workers workers;
	struct shared_flush flush;
};

/*
 * Looks at the image that a store is configured with, changes nothing and takes no lock: whether it can be opened, its
 * kind, size and id; for a file that is missing, whether it can be created. 0 and *found, or -1 and *diagnostic (the
 * cause alone).
 */
int store_check(const struct store_settings *settings, struct store_found *found, struct diagnostic *diagnostic);

/*
 * Opens it, creates a missing file of the configured size (sparse), and locks it against other servers; a server that
 * was killed may have to be waited for, until the kernel has ended what it left behind (settings->lock_wait). What is
 * PENDING comes back by `completions`, which outlives it. 0, or -1 and *diagnostic, with nothing left open or created.
 */
int store_open(struct store *store, const struct store_settings *settings, struct completions *completions,
	       struct diagnostic *diagnostic);

/* Whether the file that a store is configured with is missing. (That of one without a file is not.) Any thread. */
bool store_missing(const struct store_settings *settings);

/* For a start that has failed: a file that store_open() created goes away. Before the close; harmless on any other. */
void store_uncreate(const struct store *store, const struct store_settings *settings);

/*
 * Ends its threads and releases everything, when nothing is PENDING any more; flushes nothing. Harmless on one that is
 * closed or failed to open.
 */
void store_close(struct store *store);

/*
 * Two disks with one image: true if they name the same file or block device, by whatever path, also when it is still to
 * be created. Stores without a file are never the same. Any thread.
 */
bool store_same(const struct store_settings *a, const struct store_settings *b);

/*
 * Whether two that are open have one identity, which the disks of a server must not: one of them was copied with its
 * attributes and device, or both were configured so.
 */
bool store_same_id(const struct store *a, const struct store *b);

/*
 * Does an operation, or has it done (io.h): DONE, PENDING or MISSED. Results are 0 or what became of the image itself:
 *
 *   -EFAULT     the memory of the vector
 *   -ENOSPC     the host's disk is full, or what its user may have of it
 *   -EROFS      the file system can only be read
 *   -EIO        all else: logged, as the two before
 *   -ECANCELED  it was cancelled before it was begun (a FETCH: before it was complete)
 *
 * A READ or WRITE that fails may have been done in part. Where a WRITE is PENDING its data are still to be read from
 * the vector's memory; no write is done twice. Everything that was written is on stable storage after a FLUSH; once one
 * failed all do, until the server is restarted: the kernel reports a lost page once and then takes it for clean.
 *
 * When no thread can be started and the store has none, what should be PENDING is DONE at once, however long that
 * takes.
 */
enum io_answer store_submit(struct store *store, struct io *io);

/*
 * Takes back an operation that is PENDING, if it has not been begun: true, nothing was done, and it is the caller's. So
 * what nobody wants any more does not stand in the queue of a disk that hangs.
 */
bool store_withdraw(struct store *store, struct io *io);

/*
 * At the end of the server, when nothing is PENDING: puts what was written on stable storage. An error of it reaches no
 * client, so it must stay for the next server's first flush: syncfs() leaves it with the file, where fdatasync() would
 * use it up. (A block device has no other way than the latter.) 0 or -EIO, logged.
 */
int store_settle(struct store *store);

#endif
