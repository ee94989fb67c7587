/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What clients write: blocks of 512 bytes that say who wrote them where, so that any block that is read tells which
 * write it is of. Little-endian numbers:
 *
 *   offset  bytes
 *   0       8      seed of the run
 *   8       4      client, as in the history
 *   12      4      device
 *   16      8      op, as in the history
 *   24      8      block: position / 512
 *   32      472    `op` mixed, again and again
 *   504     8      XXH3 (64 bits) of all before
 */
#ifndef RDISK_SIM_CONTENTS_H
#define RDISK_SIM_CONTENTS_H

#include <stdbool.h>
#include <stdint.h>

#define SIM_CONTENTS_BLOCK 512u

struct sim_contents {
	uint64_t seed;
	uint32_t client;
	uint32_t device;
	uint64_t op;
	uint64_t block;
};

/* position, length: multiples of SIM_CONTENTS_BLOCK; contents->block is not looked at. */
void sim_contents_fill(void *data, uint64_t position, uint64_t length, const struct sim_contents *contents);

/* false: it is not a block that was written so. */
bool sim_contents_read(const void *block, struct sim_contents *contents);

#endif
