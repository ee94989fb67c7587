/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a session receives: the same comes out of it in one piece and in many, nothing is larger than it may be, and
 * nothing is kept behind an end.
 */
#include "fuzz.h"

#include <string.h>

#include "frame_reader.h"
#include "little_endian.h"
#include "session_values.h"

#define ITEMS_MAX 4096

/* What came out, but for the frames' bytes: those have a checksum. */
struct outcome {
	struct {
		enum reader_result result;
		uint64_t value;
	} items[ITEMS_MAX];
	size_t count;
};

static uint64_t sum(const unsigned char *bytes, size_t size)
{
	uint64_t value = size;

	for (size_t i = 0; i < size; i++)
		value = (value ^ bytes[i]) * UINT64_C(0x100000001b3);
	return value;
}

static void take_item(struct frame_reader *reader, struct reader_item *item, struct outcome *outcome)
{
	uint64_t value = 0;

	if (item->result == READER_HELLO) {
		fuzz_require(item->hello.set[0] && memchr(item->hello.set, 0, sizeof(item->hello.set)), "a set");
		value = item->hello.process;
		frame_reader_allow_frames(reader);
	} else if (item->result == READER_OWN) {
		fuzz_require(item->own.kind > 0 && item->own.kind < OWN_KINDS, "a kind");
		value = item->own.number;
	} else if (item->result == READER_FRAME) {
		fuzz_require(item->size > 0 && item->size <= SESSION_VALUES_FRAME, "a frame's size");
		value = sum(item->frame, item->size);
		free(item->frame);
	}
	if (item->result == READER_MORE || outcome->count == ITEMS_MAX)
		return;
	outcome->items[outcome->count].result = item->result;
	outcome->items[outcome->count].value = value;
	outcome->count++;
}

static void read_all(const uint8_t *data, size_t size, size_t piece, struct outcome *outcome)
{
	struct frame_reader reader;
	struct reader_item item = { .result = READER_MORE };

	outcome->count = 0;
	frame_reader_init(&reader, SESSION_VALUES_FRAME);
	while (size > 0 && item.result != READER_WRONG) {
		size_t part = size < piece ? size : piece;
		size_t taken = frame_reader_take(&reader, data, part, &item);

		fuzz_require(taken > 0 && taken <= part, "bytes that were taken");
		fuzz_require(item.result != READER_MORE || taken == part, "bytes that were left");
		data += taken;
		size -= taken;
		take_item(&reader, &item, outcome);
	}
	frame_reader_free(&reader);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct outcome whole, pieces;

	read_all(data, size, size, &whole);
	for (size_t piece = 1; piece <= 64; piece = piece * 4 + 1) {
		read_all(data, size, piece, &pieces);
		fuzz_require(whole.count == pieces.count &&
				     memcmp(whole.items, pieces.items, whole.count * sizeof(whole.items[0])) == 0,
			     "another outcome in pieces");
	}
	return 0;
}

/* A hello is kept most of the time, so that there are records behind it; and each is made to be whole. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed)
{
	unsigned char hello[SESSION_VALUES_SIZE];

	size = LLVMFuzzerMutate(data, size, max_size);
	if (size < HELLO_SIZE || seed % 8 == 0)
		return size;
	session_values_stream(hello);
	memcpy(data, hello, HELLO_SIZE);
	for (size_t at = HELLO_SIZE; seed % 8 > 2 && size - at >= RECORD_HEAD;) {
		data[at] %= RECORD_OWN + 1;
		data[at + 1] &= RECORD_FLAGS;
		if (!(data[at + 1] & RECORD_PACKED))
			memcpy(data + at + 4, data + at + 2, 2);
		put_u16(data + at + 6, 0);
		at += RECORD_HEAD + get_u16(data + at + 2);
		if (at > size)
			break;
	}
	return size;
}
