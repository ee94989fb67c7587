/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * TLS 1.3 with a key that both ends have, between buffers: no socket is used here, so that one send() or recv() does
 * for as many TLS records as there are. AES-128-GCM with X25519; no certificates, no tickets, no early data.
 *
 * One thread, the loop's.
 */
#ifndef RDISK_CHANNEL_H
#define RDISK_CHANNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "session_key.h"

/* What all channels of a process share. */
struct channel_key;

/* The end of one connection. Some 30 KiB until its handshake is done. */
struct channel;

/* What is to be sent next, of whatever channel: gathered here, and taken away by the caller. */
struct channel_output {
	unsigned char *bytes;
	size_t size, used;
};

/* key: SESSION_KEY_SIZE bytes, copied. 0 or -1 with *diagnostic. */
int channel_key_create(struct channel_key **channel_key, const unsigned char *key, struct diagnostic *diagnostic);
void channel_key_free(struct channel_key *channel_key);

/* client: this end connected. output must stay. NULL: no memory. */
struct channel *channel_create(const struct channel_key *channel_key, bool client, struct channel_output *output);
void channel_free(struct channel *channel);

/* What was received, which must stay until channel_handshake() or channel_receive() has said CHANNEL_MORE. */
void channel_input(struct channel *channel, const unsigned char *bytes, size_t size);

enum channel_result {
	CHANNEL_MORE,	/* the input is consumed: more is needed */
	CHANNEL_DONE,	/* the handshake is; bytes are there */
	CHANNEL_CLOSED, /* the other end said that nothing follows */
	CHANNEL_FAILED, /* *why: a text that stays; what tells the other end is in the output */
};

/* Of a client with no input first. Once it is DONE, the rest of the input is for channel_receive(). */
enum channel_result channel_handshake(struct channel *channel, const char **why);

/* The next bytes, valid until the next call for this channel. */
enum channel_result channel_receive(struct channel *channel, const unsigned char **bytes, size_t *size,
				    const char **why);

/* Encrypts bytes into the output, in records of up to 16 KiB, which has room for them. 0, or -1 with *why. */
int channel_send(struct channel *channel, const unsigned char *bytes, size_t size, const char **why);

/* Bytes that `size` bytes take at most in the output. */
#define CHANNEL_OVERHEAD 64u /* of a record */
static inline size_t channel_bytes(size_t size)
{
	return size + (size / 16384 + 1) * CHANNEL_OVERHEAD;
}

#endif
