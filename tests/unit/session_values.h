/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What one side of a session sends, as the tests of its form share it and the fuzzer begins with it. It must not
 * change: members of another version read it.
 */
#ifndef SESSION_VALUES_H
#define SESSION_VALUES_H

#include <stddef.h>

#define SESSION_VALUES_FRAME  2000u /* bytes: the reader's frame_max */
#define SESSION_VALUES_SIZE   1024u
#define SESSION_VALUES_FRAMES 3

/*
 * A hello; START; PING; then a frame of STREAM of 300 bytes in three records, the second of which is LZ4, with a frame
 * of CONTROL of 40 bytes after the first one; a frame of CONTROL of 1 byte. Returns the bytes.
 */
size_t session_values_stream(unsigned char bytes[static SESSION_VALUES_SIZE]);

/* The frames, in the order in which they are whole. */
struct session_values_frame {
	int session_class;
	size_t size;
	unsigned char bytes[300];
};
extern const struct session_values_frame session_values_frames[SESSION_VALUES_FRAMES];

#endif
