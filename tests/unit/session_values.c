/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What one side of a session sends; see session_values.h.
 */
#include "session_values.h"

#include <string.h>

#include "record.h"

#define LETTERS_100                                                                                                    \
	"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define DIGITS_50 "01234567890123456789012345678901234567890123456789"

/* 100 times "a" as LZ4: one of them, 94 again, and the five that end a block. */
static const unsigned char packed[] = { 0x1f, 'a', 1, 0, 94 - 19, 0x50, 'a', 'a', 'a', 'a', 'a' };

const struct session_values_frame session_values_frames[SESSION_VALUES_FRAMES] = {
	{ SESSION_CONTROL, 40, "control control control control control " },
	{ SESSION_STREAM, 300, DIGITS_50 DIGITS_50 LETTERS_100 DIGITS_50 DIGITS_50 },
	{ SESSION_CONTROL, 1, "z" },
};

static size_t put_record(unsigned char *to, struct record_head head, const void *payload)
{
	record_encode(&head, to);
	memcpy(to + RECORD_HEAD, payload, head.size);
	return RECORD_HEAD + head.size;
}

size_t session_values_stream(unsigned char bytes[static SESSION_VALUES_SIZE])
{
	struct hello hello = {
		.newest = 0x0102,
		.oldest = SESSION_VERSION,
		.from = 0x11121314,
		.to = 0x21222324,
		.process = 0x3132333435363738,
		.set = "a set",
	};
	const struct session_values_frame *frames = session_values_frames;
	size_t size = HELLO_SIZE;

	hello_encode(&hello, bytes);
	own_encode((struct own_message){ .kind = OWN_START }, bytes + size);
	size += OWN_RECORD;
	own_encode((struct own_message){ .kind = OWN_PING, .number = 0x41424344 }, bytes + size);
	size += OWN_RECORD;
	size += put_record(bytes + size,
			   (struct record_head){ SESSION_STREAM, RECORD_FIRST, 100, 100, (uint32_t)frames[1].size },
			   frames[1].bytes);
	size += put_record(bytes + size,
			   (struct record_head){ SESSION_CONTROL, RECORD_FIRST | RECORD_LAST, 40, 40, 40 },
			   frames[0].bytes);
	size += put_record(bytes + size,
			   (struct record_head){ SESSION_STREAM, RECORD_PACKED, sizeof(packed), 100, 300 }, packed);
	size += put_record(bytes + size, (struct record_head){ SESSION_STREAM, RECORD_LAST, 100, 100, 300 },
			   frames[1].bytes + 200);
	size += put_record(bytes + size, (struct record_head){ SESSION_CONTROL, RECORD_FIRST | RECORD_LAST, 1, 1, 1 },
			   frames[2].bytes);
	return size;
}
