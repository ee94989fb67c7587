/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Contents that follow from position and seed.
 */
#include "test_pattern.h"

#include <string.h>

/* A mixing function: any change of the input changes about half of the output's bits. */
static uint64_t word_at(uint64_t index, uint64_t seed)
{
	uint64_t x = index * 0x9e3779b97f4a7c15u + seed * 0xd6e8feb86659fd93u + 0x2545f4914f6cdd1du;

	x ^= x >> 32;
	x *= 0xd6e8feb86659fd93u;
	x ^= x >> 29;
	x *= 0x9e3779b97f4a7c15u;
	x ^= x >> 32;
	return x;
}

/* The bytes of the word that holds `position`, from that position on; returns how many, at most `length`. */
static size_t bytes_at(unsigned char bytes[8], size_t length, uint64_t position, uint64_t seed)
{
	uint64_t word = word_at(position / 8, seed);
	size_t skip = (size_t)(position % 8);
	size_t count = 8 - skip < length ? 8 - skip : length;

	memcpy(bytes, (const unsigned char *)&word + skip, count);
	return count;
}

void test_pattern_fill(void *buffer, size_t length, uint64_t position, uint64_t seed)
{
	unsigned char *to = buffer;

	for (size_t done = 0; done < length;) {
		unsigned char bytes[8];
		size_t count = bytes_at(bytes, length - done, position + done, seed);

		memcpy(to + done, bytes, count);
		done += count;
	}
}

size_t test_pattern_check(const void *buffer, size_t length, uint64_t position, uint64_t seed)
{
	const unsigned char *from = buffer;

	for (size_t done = 0; done < length;) {
		unsigned char bytes[8];
		size_t count = bytes_at(bytes, length - done, position + done, seed);

		if (memcmp(from + done, bytes, count)) {
			size_t i = 0;

			while (from[done + i] == bytes[i])
				i++;
			return done + i;
		}
		done += count;
	}
	return length;
}

size_t test_bytes_check(const void *buffer, size_t length, unsigned char value)
{
	const unsigned char *from = buffer;

	for (size_t i = 0; i < length; i++)
		if (from[i] != value)
			return i;
	return length;
}
