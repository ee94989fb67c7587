/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The buffers of operations: one for each that may be under way, in one anonymous file that a server can be granted.
 * Each could hold the longest operation; only what is used takes memory.
 */
#ifndef REPLAY_MEMORY_H
#define REPLAY_MEMORY_H

#include <stddef.h>
#include <stdint.h>

#include "diagnostic.h"

struct memory {
	int fd;
	unsigned char *base;
	size_t size;
};

/* Room for `count` buffers. 0, or -1 and *diagnostic. */
int memory_open(struct memory *memory, unsigned int count, struct diagnostic *diagnostic);
void memory_close(struct memory *memory);

/* Buffer number `index`, on a page's boundary. */
void *memory_buffer(const struct memory *memory, unsigned int index);

/* After an operation of that many bytes: gives back what is more than a usual one takes. */
void memory_trim(const struct memory *memory, unsigned int index, uint64_t used);

#endif
