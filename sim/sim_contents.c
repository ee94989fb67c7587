/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Blocks that describe themselves: see the header.
 */
#include "sim_contents.h"

#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "sim_random.h"

#define CHECKSUM_AT (SIM_CONTENTS_BLOCK - 8)

static void put(unsigned char *bytes, uint64_t number, int size)
{
	for (int i = 0; i < size; i++)
		bytes[i] = (unsigned char)(number >> (8 * i));
}

static uint64_t get(const unsigned char *bytes, int size)
{
	uint64_t number = 0;

	for (int i = size - 1; i >= 0; i--)
		number = number << 8 | bytes[i];
	return number;
}

void sim_contents_fill(void *data, uint64_t position, uint64_t length, const struct sim_contents *contents)
{
	unsigned char *block = data;
	uint64_t mixed = sim_mix(contents->op);

	for (uint64_t at = 0; at < length; at += SIM_CONTENTS_BLOCK, block += SIM_CONTENTS_BLOCK) {
		put(block, contents->seed, 8);
		put(block + 8, contents->client, 4);
		put(block + 12, contents->device, 4);
		put(block + 16, contents->op, 8);
		put(block + 24, (position + at) / SIM_CONTENTS_BLOCK, 8);
		put(block + 32, mixed, 8);
		for (unsigned int i = 40; i < CHECKSUM_AT; i += 8)
			memcpy(block + i, block + 32, 8);
		put(block + CHECKSUM_AT, XXH3_64bits(block, CHECKSUM_AT), 8);
	}
}

bool sim_contents_read(const void *data, struct sim_contents *contents)
{
	const unsigned char *block = data;

	if (get(block + CHECKSUM_AT, 8) != XXH3_64bits(block, CHECKSUM_AT))
		return false;
	contents->seed = get(block, 8);
	contents->client = (uint32_t)get(block + 8, 4);
	contents->device = (uint32_t)get(block + 12, 4);
	contents->op = get(block + 16, 8);
	contents->block = get(block + 24, 8);
	return true;
}
