/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See block_hash.h. */
#include "block_hash.h"

#include <xxhash.h>

#include "little_endian.h"

size_t block_hashes(const void *data, uint64_t length, uint64_t block, uint64_t seed, void *hashes)
{
	const unsigned char *at = data;
	unsigned char *to = hashes;
	size_t size = 0;

	for (uint64_t done = 0; done < length; done += block) {
		uint64_t left = length - done;
		XXH128_hash_t hash = XXH3_128bits_withSeed(at + done, left < block ? left : block, seed);

		/* Of what is in the same memory all that is overwritten was hashed. */
		put_u64(to + size, hash.low64);
		put_u64(to + size + 8, hash.high64);
		size += MESSAGE_HASH_SIZE;
	}
	return size;
}
