/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The data of writes: every 512 bytes say of themselves which replay wrote them (seed), where, and with
 * which write of it (sequence), under a checksum. Numbers are little-endian:
 *
 * offset  0  magic "rdiskrpl"
 *         8  seed
 *        16  position on the disk, bytes
 *        24  sequence of the write, from 1
 *        32  58 words that follow from the four before
 *       504  XXH3 (64 bits) of the 504 bytes before
 *
 * Pure functions.
 */
#ifndef REPLAY_STAMP_H
#define REPLAY_STAMP_H

#include <stdint.h>

#define STAMP_SIZE 512

enum stamp_kind {
	STAMP_GOOD,    /* of this seed; position and sequence are valid */
	STAMP_ZEROES,  /* all zero */
	STAMP_BROKEN,  /* begins like one and its checksum is wrong */
	STAMP_FOREIGN, /* of another seed; *seed is valid */
	STAMP_NONE     /* anything else */
};

struct stamp {
	enum stamp_kind kind;
	uint64_t seed, position, sequence;
};

/* Fills `length` bytes, a multiple of STAMP_SIZE, to be written at `position`. */
void stamp_fill(void *buffer, uint64_t length, uint64_t seed, uint64_t position, uint64_t sequence);

/* What STAMP_SIZE bytes are. The memory may be changed by others: it is copied first. */
struct stamp stamp_look(const void *block, uint64_t seed);

#endif
