/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The disk that a trace is replayed against: an endpoint of the disk protocol, a file or block device, an NBD server's.
 * Operations are started, and waited for; how many may be under way is said when the target is opened. One thread.
 */
#ifndef REPLAY_TARGET_H
#define REPLAY_TARGET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "diagnostic.h"
#include "events.h"
#include "trace.h"

#define DEPTH_MAX	 128
#define TARGET_NAME_SIZE 256

/* Bytes of a buffer; what a trace may ask for (TRACE_TRANSFER_MAX) and two blocks that it is widened to. */
#define BUFFER_SIZE	 (TRACE_TRANSFER_MAX + (UINT64_C(1) << 17))

/*
 * An operation under way. The engine's, but from start() to the wait() that returns it the target's; position and
 * length are multiples of the target's block.
 */
struct io {
	enum trace_kind kind;
	unsigned int flags; /* TRACE_FUA */
	uint64_t position, length;
	void *buffer;	  /* of `length` bytes; READ, WRITE */
	uint64_t sent_ns; /* set by the target: when it was given away, and when it was known to be done */
	uint64_t done_ns;
	int error;	 /* set by the target: 0, or a code for error_text() */
	uint64_t moved;	 /* set by the target; READ, WRITE: bytes, if error is 0 */
	struct io *next; /* the target's */

	/* From here on the engine's alone. */
	uint64_t due_ns;
	uint64_t number;    /* of the operation in the trace, from 1 */
	uint32_t sequence;  /* of a change of the disk, from 1 */
	uint32_t floor;	    /* see ledger.h */
	bool raced;	    /* with one that shares a block with it; one of the two is a change */
	uint64_t answers;   /* FLUSH: of the journal, when it was sent */
	unsigned int index; /* of its buffer */
	unsigned int place; /* among those under way */
};

struct target;

struct target_kind {
	/* Begins an operation; the caller sees to it that no more than `depth` are under way. */
	void (*start)(struct target *target, struct io *io);
	/*
	 * Waits until operations are done, at most until then: how many are in *done (a chain by next, in any order);
	 * 0: none yet. A target may take longer than until_ns. -1 and *diagnostic: the disk is lost, and what is under
	 * way has no answer.
	 */
	int (*wait)(struct target *target, struct io **done, uint64_t until_ns, struct diagnostic *diagnostic);
	const char *(*error_text)(int code);
	void (*close)(struct target *target);
};

struct target {
	const struct target_kind *kind;
	char name[TARGET_NAME_SIZE]; /* for people */
	uint64_t size;		     /* bytes */
	uint32_t block;		     /* bytes: positions and lengths are multiples of it; at least 512 */
};

struct target_options {
	bool write;	    /* operations that change the disk will come */
	unsigned int depth; /* 1 to DEPTH_MAX */
	struct events *events;
	/* of the buffers: an anonymous file and where all of it is mapped */
	int memory_fd;
	void *memory;
	size_t memory_size;
};

/* An endpoint's device; -1 and *diagnostic. It stays to the end of the process or close(). */
int target_open_endpoint(struct target **target, int dcid, int endpoint, int minor,
			 const struct target_options *options, struct diagnostic *diagnostic);

/* A file or block device; direct: past the page cache. */
int target_open_path(struct target **target, const char *path, bool direct, const struct target_options *options,
		     struct diagnostic *diagnostic);

/* A server's disk by its NBD URI. Only where libnbd is there (REPLAY_NBD). */
int target_open_nbd(struct target **target, const char *uri, const struct target_options *options,
		    struct diagnostic *diagnostic);

#endif
