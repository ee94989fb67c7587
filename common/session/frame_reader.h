/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From the bytes of a connection, in whatever pieces they come, to hello, frames and the sessions' own messages.
 * Nothing is trusted: what is not as record.h has it ends the reading. Memory: none before the hello; then for one
 * frame of each class, of frame_max bytes at most, allocated with its first record, and for one record that is LZ4.
 *
 * One thread, the loop's.
 */
#ifndef RDISK_FRAME_READER_H
#define RDISK_FRAME_READER_H

#include "record.h"

struct frame_reader {
	size_t frame_max;
	bool greeted; /* it had the hello */
	bool frames;  /* it may have frames */
	/* Of a hello, a record's head or an own message: what came of it so far. */
	unsigned char head[HELLO_SIZE];
	size_t head_used;
	bool in_record;
	struct record_head record;
	size_t left;	       /* bytes of the record that have not come yet */
	unsigned char *packed; /* RECORD_PAYLOAD_MAX bytes; NULL until one comes in pieces */
	struct partial_frame {
		unsigned char *bytes; /* NULL: none has begun */
		size_t used;
		uint32_t total;
	} partial[SESSION_CLASSES];
};

enum reader_result {
	READER_MORE,  /* all was consumed */
	READER_HELLO, /* `hello` */
	READER_OWN,   /* `own` */
	READER_FRAME, /* frame, size: memory from malloc(), the caller's */
	READER_WRONG, /* why: a text that stays; nothing more is to be read */
};

struct reader_item {
	enum reader_result result;
	struct hello hello;
	struct own_message own;
	unsigned char *frame;
	size_t size;
	const char *why;
};

void frame_reader_init(struct frame_reader *reader, size_t frame_max);
void frame_reader_free(struct frame_reader *reader);

/* From now on it may have frames: before, one is wrong. */
void frame_reader_allow_frames(struct frame_reader *reader);

/* Consumes up to `size` bytes, up to the end of the first item. Returns how many; all of them, if there is none. */
size_t frame_reader_take(struct frame_reader *reader, const unsigned char *bytes, size_t size,
			 struct reader_item *item);

#endif
