/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Frames out of bytes; see frame_reader.h.
 */
#include "frame_reader.h"

#include <lz4.h>
#include <stdlib.h>
#include <string.h>

void frame_reader_init(struct frame_reader *reader, size_t frame_max)
{
	*reader = (struct frame_reader){ .frame_max = frame_max };
}

void frame_reader_free(struct frame_reader *reader)
{
	for (int i = 0; i < SESSION_CLASSES; i++)
		free(reader->partial[i].bytes);
	free(reader->packed);
	*reader = (struct frame_reader){ 0 };
}

void frame_reader_allow_frames(struct frame_reader *reader)
{
	reader->frames = true;
}

static void wrong(struct reader_item *item, const char *why)
{
	item->result = READER_WRONG;
	item->why = why;
}

/* Gathers `wanted` bytes in reader->head. Returns how many it consumed; head_used says whether they are all there. */
static size_t gather(struct frame_reader *reader, const unsigned char *bytes, size_t size, size_t wanted)
{
	size_t more = wanted - reader->head_used;

	if (more > size)
		more = size;
	memcpy(reader->head + reader->head_used, bytes, more);
	reader->head_used += more;
	return more;
}

static size_t take_hello(struct frame_reader *reader, const unsigned char *bytes, size_t size, struct reader_item *item)
{
	size_t taken = gather(reader, bytes, size, HELLO_SIZE);
	const char *why;

	if (reader->head_used < HELLO_SIZE) {
		why = hello_begins(reader->head, reader->head_used);
	} else {
		why = hello_decode(reader->head, &item->hello);
		item->result = READER_HELLO;
		reader->greeted = true;
		reader->head_used = 0;
	}
	if (why)
		wrong(item, why);
	return taken;
}

/* The frame that a record goes on with, or begins. NULL, or what is wrong. */
static const char *begin_record(struct frame_reader *reader)
{
	const struct record_head *record = &reader->record;
	struct partial_frame *partial = &reader->partial[record->class];

	if (!reader->frames)
		return "it sent a frame before there was a session";
	if (!partial->bytes != !!(record->flags & RECORD_FIRST))
		return "it sent a record of a frame without the ones before";
	if (!partial->bytes) {
		partial->bytes = malloc(record->total);
		if (!partial->bytes)
			return "there is no memory for a frame of its";
		partial->total = record->total;
		partial->used = 0;
	}
	if (record->total != partial->total || record->plain > partial->total - partial->used)
		return "it sent a record that does not fit its frame";
	if ((record->plain == partial->total - partial->used) != !!(record->flags & RECORD_LAST))
		return "it sent a frame that ends elsewhere than it says";
	return NULL;
}

static size_t take_head(struct frame_reader *reader, const unsigned char *bytes, size_t size, struct reader_item *item)
{
	size_t taken = gather(reader, bytes, size, RECORD_HEAD);
	const char *why;

	if (reader->head_used < RECORD_HEAD)
		return taken;
	reader->head_used = 0;
	why = record_decode(reader->head, reader->frame_max, &reader->record);
	if (!why && reader->record.class != RECORD_OWN)
		why = begin_record(reader);
	if (why)
		wrong(item, why);
	reader->in_record = true;
	reader->left = reader->record.size;
	return taken;
}

static size_t take_own(struct frame_reader *reader, const unsigned char *bytes, size_t size, struct reader_item *item)
{
	size_t taken = gather(reader, bytes, size, OWN_SIZE);
	const char *why;

	if (reader->head_used < OWN_SIZE)
		return taken;
	reader->head_used = 0;
	reader->in_record = false;
	item->result = READER_OWN;
	why = own_decode(reader->head, &item->own);
	if (why)
		wrong(item, why);
	return taken;
}

/* The whole of a record that is LZ4, unless the rest is still to come: that part is kept. NULL, or what is wrong. */
static const char *unpack(struct frame_reader *reader, const unsigned char *bytes, size_t taken)
{
	const struct record_head *record = &reader->record;
	struct partial_frame *partial = &reader->partial[record->class];
	size_t before = record->size - reader->left;

	if (taken < record->size) {
		if (!reader->packed)
			reader->packed = malloc(RECORD_PAYLOAD_MAX);
		if (!reader->packed)
			return "there is no memory for a record of its";
		memcpy(reader->packed + before, bytes, taken);
		if (before + taken < record->size)
			return NULL;
		bytes = reader->packed;
	}
	if (LZ4_decompress_safe((const char *)bytes, (char *)partial->bytes + partial->used, (int)record->size,
				(int)record->plain) != (int)record->plain)
		return "it sent data that LZ4 cannot read";
	partial->used += record->plain;
	return NULL;
}

static size_t take_payload(struct frame_reader *reader, const unsigned char *bytes, size_t size,
			   struct reader_item *item)
{
	struct partial_frame *partial = &reader->partial[reader->record.class];
	size_t taken = size < reader->left ? size : reader->left;

	if (reader->record.flags & RECORD_PACKED) {
		const char *why = unpack(reader, bytes, taken);

		if (why)
			wrong(item, why);
	} else {
		memcpy(partial->bytes + partial->used, bytes, taken);
		partial->used += taken;
	}
	reader->left -= taken;
	if (reader->left > 0 || item->result == READER_WRONG)
		return taken;
	reader->in_record = false;
	if (partial->used == partial->total) {
		item->result = READER_FRAME;
		item->frame = partial->bytes;
		item->size = partial->total;
		*partial = (struct partial_frame){ 0 };
	}
	return taken;
}

size_t frame_reader_take(struct frame_reader *reader, const unsigned char *bytes, size_t size, struct reader_item *item)
{
	size_t taken = 0;

	item->result = READER_MORE;
	while (taken < size && item->result == READER_MORE) {
		const unsigned char *rest = bytes + taken;

		if (!reader->greeted)
			taken += take_hello(reader, rest, size - taken, item);
		else if (!reader->in_record)
			taken += take_head(reader, rest, size - taken, item);
		else if (reader->record.class == RECORD_OWN)
			taken += take_own(reader, rest, size - taken, item);
		else
			taken += take_payload(reader, rest, size - taken, item);
	}
	return taken;
}
