/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The frames of one class that wait to be sent to one member, as the records that they become: one behind the other in
 * a ring of memory that is mapped twice, so that no record has a seam. A frame is copied once, into here, and is
 * encrypted or sent from here.
 *
 * One thread, the loop's.
 */
#ifndef RDISK_FRAME_QUEUE_H
#define RDISK_FRAME_QUEUE_H

#include "record.h"

struct frame_queue {
	unsigned char *memory; /* `size` bytes, and again behind them */
	size_t size;	       /* whole pages */
	uint64_t put, taken;   /* bytes so far; put - taken <= size */
	bool used;	       /* more than REST_KEPT of it since frame_queue_rest() */
};

/* A frame on its way into a queue. */
struct frame_source {
	const unsigned char *head, *data;
	size_t head_size, data_size; /* bytes of both that are left; those are at the pointers */
	uint32_t total;		     /* bytes of the frame */
	bool first;		     /* no record has been made yet */
};

/* What LZ4 is tried on, of the frames to one member. */
struct compression {
	unsigned int skip; /* records that are not tried next */
	unsigned int vain; /* how often it was in vain, since it was not; at most COMPRESSION_VAIN_MAX */
	uint64_t tried;	   /* bytes */
	uint64_t saved;	   /* bytes */
};

/* At least `size` bytes. 0 or -errno. */
int frame_queue_init(struct frame_queue *queue, size_t size);
void frame_queue_free(struct frame_queue *queue);

static inline size_t frame_queue_waiting(const struct frame_queue *queue)
{
	return (size_t)(queue->put - queue->taken);
}

static inline size_t frame_queue_room(const struct frame_queue *queue)
{
	return queue->size - frame_queue_waiting(queue);
}

/* Forgets all that waits. */
void frame_queue_clear(struct frame_queue *queue);

/* If nothing waits, gives most of its memory back to the kernel, which has it made anew when it is used. */
void frame_queue_rest(struct frame_queue *queue);

/*
 * Puts the source's next record; there is room for it. compression: LZ4 is tried, unless it was in vain of late; NULL:
 * it is not. Returns whether that was the last one.
 */
bool frame_queue_put(struct frame_queue *queue, unsigned int class, struct frame_source *source,
		     struct compression *compression);

/*
 * The oldest bytes: as many whole records as `most` bytes have room for (at least one), but none that ends behind
 * `end`, a position as of `put`. NULL: there are none. They stay there until frame_queue_take(), and longer, until the
 * next put.
 */
const unsigned char *frame_queue_peek(const struct frame_queue *queue, size_t most, uint64_t end, size_t *size);
void frame_queue_take(struct frame_queue *queue, size_t size);

#endif
