/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Making and reading stamps; see stamp.h.
 */
#include "stamp.h"

#include <endian.h>
#include <string.h>
#include <xxhash.h>

#define MAGIC	  UINT64_C(0x6c70726b73696472) /* "rdiskrpl" */
#define WORDS	  (STAMP_SIZE / sizeof(uint64_t))
#define FILL_FROM 4
#define CHECKSUM  (WORDS - 1)

/* A step of xorshift64*, never 0 from what is not 0. */
static uint64_t next(uint64_t value)
{
	value ^= value >> 12;
	value ^= value << 25;
	value ^= value >> 27;
	return value;
}

void stamp_fill(void *buffer, uint64_t length, uint64_t seed, uint64_t position, uint64_t sequence)
{
	uint64_t words[WORDS];
	unsigned char *at = buffer;

	for (uint64_t done = 0; done < length; done += STAMP_SIZE) {
		uint64_t filler = (seed ^ (position + done) * UINT64_C(0x9e3779b97f4a7c15) ^ sequence << 40) | 1;

		words[0] = htole64(MAGIC);
		words[1] = htole64(seed);
		words[2] = htole64(position + done);
		words[3] = htole64(sequence);
		for (size_t i = FILL_FROM; i < CHECKSUM; i++) {
			filler = next(filler);
			words[i] = htole64(filler * UINT64_C(0x2545f4914f6cdd1d));
		}
		words[CHECKSUM] = htole64(XXH3_64bits(words, CHECKSUM * sizeof(words[0])));
		memcpy(at + done, words, sizeof(words));
	}
}

struct stamp stamp_look(const void *block, uint64_t seed)
{
	struct stamp stamp = { .kind = STAMP_NONE };
	uint64_t words[WORDS], any = 0;

	memcpy(words, block, sizeof(words));
	if (words[0] != htole64(MAGIC)) {
		for (size_t i = 0; i < WORDS; i++)
			any |= words[i];
		stamp.kind = any ? STAMP_NONE : STAMP_ZEROES;
		return stamp;
	}
	if (le64toh(words[CHECKSUM]) != XXH3_64bits(words, CHECKSUM * sizeof(words[0]))) {
		stamp.kind = STAMP_BROKEN;
		return stamp;
	}
	stamp.seed = le64toh(words[1]);
	stamp.position = le64toh(words[2]);
	stamp.sequence = le64toh(words[3]);
	stamp.kind = stamp.seed == seed ? STAMP_GOOD : STAMP_FOREIGN;
	return stamp;
}
