/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A request for I/O on a disk, from when somebody has asked for it until its result is known, however often the loop
 * turns in between. Requests are objects of a fixed pool; each owns what it needs: range, data, phase, result, and, in
 * the structure of its front that it is embedded in, whom to answer.
 *
 * phase     what it waits for                                  what comes next
 * FREE      -                                                  BEGUN
 * BEGUN     its front, who fills it in                         one of those below
 * ORDER     earlier requests that overlap with its piece       READY
 * CLIENT    its client, so that its memory can be copied       READY
 * BUFFER    a buffer of the disk                               READY
 * READY     nothing: the next turn of request_next_done()      one of the others
 * STORE     its piece, at the store                            READY with the next piece or a flush, or DONE
 * FETCH     its piece to be in the page cache                  READY, or DONE if that failed
 * FLUSH     what it wrote to be on stable storage; of an       DONE
 *           OPEN or DESCRIBE: whoever has the bytes
 * SETTLE    what abandoned requests still do to the disk       DONE
 * DONE      its front, who takes the result                    FREE
 *
 * From any but FREE and BEGUN an abandoned request becomes DONE: at once, but for STORE, FETCH and FLUSH.
 *
 * Data. The memory of a request is direct or copied. Direct: the vector says where it is, and stays valid until the
 * request is DONE; the store uses it. Copied: it can be reached only by the loop, and only while the client is blocked;
 * it goes through buffers of the disk, a piece at a time.
 *
 * Pieces. A request with direct memory is one piece. One with copied memory, a discard or a zeroing is carried out in
 * pieces, and only the piece under way keeps its place among others: a discard of a whole disk does not stand before
 * everything.
 *
 * Order. Of two pieces that overlap, the second waits for the first, unless both read (request_order.h). A flush has no
 * place in it: it covers what was answered before it came.
 *
 * Nobody waits any more: request_abandon(). What the store has begun cannot be recalled; the request is DONE when that
 * is over, and REQUEST_SETTLE requests of the disk that came after that are not until then. (Those that are abandoned
 * later are none of their business, or who goes on giving up would make them wait for ever.)
 *
 * All of it is for the loop's thread. It knows no thread, clock, file or libdvk: simulations link it.
 */
#ifndef RDISK_REQUEST_H
#define RDISK_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "io.h"

/* Bytes of a DISCARD or WRITE_ZEROES that are done at a time. */
#define REQUEST_RANGE_PIECE (UINT64_C(32) << 20)

/* Buffers of one disk for writes from copied memory, beside the one for reads. */
#define REQUEST_BUFFERS	    4

enum request_operation {
	REQUEST_READ,
	REQUEST_WRITE,
	REQUEST_FLUSH,
	REQUEST_DISCARD,
	REQUEST_WRITE_ZEROES,
	REQUEST_SETTLE, /* nothing; done when no request abandoned before it does anything to the disk any more */
	/* As IO_OPEN and IO_DESCRIBE. */
	REQUEST_OPEN,
	REQUEST_DESCRIBE,
};

enum request_phase {
	REQUEST_FREE,
	REQUEST_BEGUN,
	REQUEST_IN_ORDER,
	REQUEST_IN_CLIENT,
	REQUEST_IN_BUFFER,
	REQUEST_READY,
	REQUEST_IN_STORE,
	REQUEST_IN_FETCH,
	REQUEST_IN_FLUSH,
	REQUEST_IN_SETTLE,
	REQUEST_DONE,
};

struct request;

/* A list of requests through `next`, first in, first out. */
struct request_list {
	struct request *first, *last;
};

/* A disk that requests are for. */
struct request_disk {
	/* Whoever has the bytes. DONE, PENDING or MISSED as io.h says; never calls back. */
	enum io_answer (*submit)(struct request_disk *disk, struct io *io);
	/* Takes back one that is PENDING, if it has not been begun: true, and it is the caller's. NULL: none is. */
	bool (*withdraw)(struct request_disk *disk, struct io *io);
	uint64_t overlap_block; /* bytes, a power of two: pieces that touch one such block overlap */
	uint32_t buffer_size;	/* bytes of a piece with copied memory, and of each buffer */
	bool stable_writes;	/* it looks at io->stable: no FLUSH has to follow */
	bool reads_pend; /* what is submitted is PENDING, also a READ to copied memory: it has a buffer meanwhile */
	void *read_buffer;
	void *write_buffers[REQUEST_BUFFERS]; /* the free ones */
	int nr_write_buffers;
	/* pieces that are pending or wait for others, in the order in which they came; see request_order.h */
	struct request *order_first, *order_last;
	struct request_list buffer_waiters;
	struct request_list settlers;
	unsigned int nr_abandoned; /* requests that nobody waits for and that the store still has */
	uint64_t all_abandoned;	   /* such requests since the beginning */
};

struct request {
	/* Set between request_take() and request_begin(), by the front. */
	struct request_disk *disk;
	enum request_operation operation;
	bool stable;	   /* of what changes something: on stable storage before it is DONE */
	bool copied;	   /* the memory is */
	uint32_t client;   /* as in struct io */
	bool shared;	   /* the same */
	bool read_only;	   /* the same */
	uint64_t position; /* bytes; all of the range is on the disk. FLUSH, SETTLE: 0 */
	uint64_t length;   /* bytes. FLUSH, SETTLE: 0 */
	/* READ, WRITE with direct memory: as in struct io */
	const struct iovec *vector;
	int count;
	bool stays; /* the same */

	/* Set when it is DONE. */
	int result; /* 0 or -errno of the store, or a code of struct request_memory */
	bool abandoned;

	/* Of request/ alone. */
	enum request_phase phase;
	bool in_order;	       /* it is in the disk's list of pieces */
	unsigned int fetches;  /* of this piece */
	unsigned int blockers; /* pieces before it that it waits for; SETTLE: abandoned requests */
	/* Of one that was abandoned, and of a SETTLE that waits: disk->all_abandoned before it. */
	uint64_t abandoned_before;
	uint64_t moved; /* bytes of whole pieces that are done */
	void *buffer;	/* of a write with copied memory */
	struct iovec buffer_vector;
	struct io io; /* its piece */
	struct request *order_next, *order_previous;
	struct request *next;
};

#define REQUEST_CLIENT_AWAY 1

/* Copied memory, which is the front's business. Called by request_begin() and request_next_done(). */
struct request_memory {
	/* Whether the client is blocked, or has to be taken to be: else it will be told by request_client_came(). */
	bool (*reachable)(const struct request *request);
	/*
	 * Copy `bytes` of the data, from byte `offset` of the request on. 0; REQUEST_CLIENT_AWAY: it turned out that
	 * the client cannot be reached; or a negative code, which becomes the result.
	 */
	int (*copy_in)(struct request *request, uint64_t offset, void *buffer, size_t bytes);
	int (*copy_out)(struct request *request, uint64_t offset, const void *buffer, size_t bytes);
};

struct requests {
	const struct request_memory *memory;
	char *fresh; /* structures of the pool that nobody has had yet: no memory is touched before it is needed */
	size_t size; /* bytes of each */
	unsigned int nr_fresh;
	struct request_list free; /* the others that are FREE */
	struct request_list ready;
	struct request_list done; /* to be given out by request_next_done() */
	unsigned int nr_free;	  /* all that are */
};

/*
 * Makes a pool of `count` structures of `size` bytes, zeroed memory of the caller's, each of which begins with a struct
 * request. `memory` may be NULL when there is no copied memory.
 */
void requests_init(struct requests *requests, void *pool, size_t size, unsigned int count,
		   const struct request_memory *memory);

/*
 * Sets up a zeroed disk. buffers: (REQUEST_BUFFERS + 1) * buffer_size bytes of the caller's, aligned as the store likes
 * it; NULL when there is no copied memory.
 */
void request_disk_init(struct request_disk *disk, enum io_answer (*submit)(struct request_disk *, struct io *),
		       uint64_t overlap_block, void *buffers, uint32_t buffer_size);

/* A request to be filled in, BEGUN; NULL when the pool is empty. Whatever its structure held is still there. */
struct request *request_take(struct requests *requests);

/*
 * Goes as far as it can. True: DONE, and the caller has it. False: request_next_done() will give it out.
 */
bool request_begin(struct requests *requests, struct request *request);

/* An io of a request came back from the store, with its result. */
void request_io_done(struct requests *requests, struct io *io);

/* The client of a request in phase CLIENT can be reached. Nothing to do in any other. */
void request_client_came(struct requests *requests, struct request *request);

/* Nobody waits for it any more. It is given out as all others, at once or when the store is done with it. */
void request_abandon(struct requests *requests, struct request *request);

/* The next that is DONE, or NULL: goes on with all that can go on. */
struct request *request_next_done(struct requests *requests);

/* Whether request_next_done() has something to do: cheap, for a look in every turn. */
static inline bool requests_can_go_on(const struct requests *requests)
{
	return requests->done.first || requests->ready.first;
}

/*
 * Whether a read of a range of a disk would have to wait: something that changes it is pending, or waits. For who reads
 * it without a request.
 */
bool requests_overlap(const struct request_disk *disk, uint64_t position, uint64_t length);

/* The caller is finished with a request that is BEGUN or DONE. */
void request_free(struct requests *requests, struct request *request);

#endif
