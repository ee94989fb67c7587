/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What goes over a connection, inside TLS where there is a key. Pure functions; all numbers are little-endian.
 *
 * First, from each side, a hello of HELLO_SIZE bytes: who connected sends it first, the other answers with its own.
 *
 *   offset  bytes
 *   0       4      magic "RDSN"
 *   4       2      newest version that the sender speaks
 *   6       2      oldest one; both speak the newest that both do
 *   8       4      node of the sender
 *   12      4      node that it takes the receiver for
 *   16      8      process: a random number of the sender's, another at each start
 *   24      4      features: bits of what it can. None are defined
 *   28      4      bytes of the set's name, 1 .. SESSION_SET_MAX
 *   32      64     the set's name, then zeroes
 *
 * Then records, each with a head of RECORD_HEAD bytes:
 *
 *   offset  bytes
 *   0       1      class: enum session_class, or RECORD_OWN
 *   1       1      flags
 *   2       2      bytes that follow, 1 .. RECORD_PAYLOAD_MAX
 *   4       2      bytes that they are of the frame: the same, or more if they are LZ4; at most RECORD_PAYLOAD_MAX
 *   6       2      0
 *   8       4      bytes of the whole frame
 *
 * The records of a frame follow each other, with those of frames of other classes in between. One of RECORD_OWN is a
 * whole "frame" of OWN_SIZE bytes, {u8 kind, u32 number}: START, from the member with the lower number, makes a
 * connection the session, for which the other waits; it answers STARTED, behind which its frames may follow, and the
 * first one's after it has that. PONG has the number of the PING that it answers.
 */
#ifndef RDISK_RECORD_H
#define RDISK_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "session.h"

#define SESSION_VERSION	   1

#define HELLO_SIZE	   96u
#define RECORD_HEAD	   12u
#define RECORD_SIZE_MAX	   16384u /* that of TLS */
#define RECORD_PAYLOAD_MAX (RECORD_SIZE_MAX - RECORD_HEAD)
#define RECORD_OWN	   SESSION_CLASSES
#define OWN_SIZE	   5u

#define RECORD_FIRST	   0x01u /* of its frame */
#define RECORD_LAST	   0x02u
#define RECORD_PACKED	   0x04u /* a block of LZ4 */
#define RECORD_FLAGS	   0x07u

struct hello {
	uint16_t newest, oldest; /* versions */
	uint32_t from, to;	 /* nodes */
	uint64_t process;
	char set[SESSION_SET_MAX + 1];
};

struct record_head {
	unsigned int class;
	unsigned int flags;
	uint32_t size;	/* bytes that follow */
	uint32_t plain; /* bytes of the frame that they are */
	uint32_t total; /* bytes of the frame */
};

enum own_kind {
	OWN_START = 1,
	OWN_STARTED,
	OWN_PING,
	OWN_PONG,
	OWN_KINDS,
};

struct own_message {
	enum own_kind kind;
	uint32_t number;
};

void hello_encode(const struct hello *hello, unsigned char bytes[static HELLO_SIZE]);
/* NULL, or what is wrong with it in itself, with the cure: a text that stays. */
const char *hello_decode(const unsigned char bytes[static HELLO_SIZE], struct hello *hello);
/* The same of the first 1 .. HELLO_SIZE bytes: whether it can become one. */
const char *hello_begins(const unsigned char *bytes, size_t size);

void record_encode(const struct record_head *head, unsigned char bytes[static RECORD_HEAD]);
/* As hello_decode(). What is there of a frame already is not looked at. */
const char *record_decode(const unsigned char bytes[static RECORD_HEAD], size_t frame_max, struct record_head *head);

/* A whole record. */
#define OWN_RECORD (RECORD_HEAD + OWN_SIZE)
void own_encode(struct own_message message, unsigned char bytes[static OWN_RECORD]);
/* Of the bytes behind the head. */
const char *own_decode(const unsigned char bytes[static OWN_SIZE], struct own_message *message);

/* Bytes that the records of a frame of `size` bytes take at most. */
static inline size_t record_bytes(size_t size)
{
	return size + (size + RECORD_PAYLOAD_MAX - 1) / RECORD_PAYLOAD_MAX * RECORD_HEAD;
}

#endif
