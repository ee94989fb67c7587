/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A bit a block, 64 of them a word; see block_map.h.
 */
#include "block_map.h"

#include <assert.h>
#include <string.h>

#define WORD_BITS 64u

/* What of a range lies in one word. */
struct piece {
	uint64_t word;
	uint64_t mask;
	uint64_t next; /* the first block behind it */
};

/* The first piece of first .. end - 1, which are not nothing. */
static struct piece piece_of(uint64_t first, uint64_t end)
{
	uint64_t word = first / WORD_BITS, shift = first % WORD_BITS;
	uint64_t count = end - first < WORD_BITS - shift ? end - first : WORD_BITS - shift;

	return (struct piece){ .word = word,
			       .mask = UINT64_MAX >> (WORD_BITS - count) << shift,
			       .next = first + count };
}

static uint64_t end_of(const struct block_map *map, uint64_t first, uint64_t count)
{
	assert(first <= map->blocks && count <= map->blocks - first);
	(void)map;
	return first + count;
}

void block_map_init(struct block_map *map, uint64_t *words, uint64_t blocks)
{
	*map = (struct block_map){ .words = words, .blocks = blocks };
	memset(words, 0, block_map_words(blocks) * sizeof(words[0]));
}

bool block_map_has(const struct block_map *map, uint64_t block)
{
	assert(block < map->blocks);
	return map->words[block / WORD_BITS] >> block % WORD_BITS & 1;
}

void block_map_add(struct block_map *map, uint64_t first, uint64_t count)
{
	uint64_t end = end_of(map, first, count);

	while (first < end) {
		struct piece piece = piece_of(first, end);

		map->count += (uint64_t)__builtin_popcountll(piece.mask & ~map->words[piece.word]);
		map->words[piece.word] |= piece.mask;
		first = piece.next;
	}
}

void block_map_remove(struct block_map *map, uint64_t first, uint64_t count)
{
	uint64_t end = end_of(map, first, count);

	while (first < end) {
		struct piece piece = piece_of(first, end);

		map->count -= (uint64_t)__builtin_popcountll(piece.mask & map->words[piece.word]);
		map->words[piece.word] &= ~piece.mask;
		first = piece.next;
	}
}

void block_map_clear(struct block_map *map)
{
	if (map->count > 0)
		memset(map->words, 0, block_map_words(map->blocks) * sizeof(map->words[0]));
	map->count = 0;
}

bool block_map_any(const struct block_map *map, uint64_t first, uint64_t count)
{
	uint64_t end = end_of(map, first, count);

	while (first < end) {
		struct piece piece = piece_of(first, end);

		if (map->words[piece.word] & piece.mask)
			return true;
		first = piece.next;
	}
	return false;
}

bool block_map_all(const struct block_map *map, uint64_t first, uint64_t count)
{
	uint64_t end = end_of(map, first, count);

	while (first < end) {
		struct piece piece = piece_of(first, end);

		if (~map->words[piece.word] & piece.mask)
			return false;
		first = piece.next;
	}
	return true;
}

void block_map_add_others(struct block_map *map, const struct block_map *other, uint64_t first, uint64_t count)
{
	uint64_t end = end_of(map, first, count);

	assert(map->blocks == other->blocks);
	while (first < end) {
		struct piece piece = piece_of(first, end);
		uint64_t mask = piece.mask & ~other->words[piece.word];

		map->count += (uint64_t)__builtin_popcountll(mask & ~map->words[piece.word]);
		map->words[piece.word] |= mask;
		first = piece.next;
	}
}

void block_map_unite(struct block_map *map, const struct block_map *other)
{
	size_t words = block_map_words(map->blocks);

	assert(map->blocks == other->blocks);
	if (other->count == 0)
		return;
	for (size_t i = 0; i < words; i++) {
		map->count += (uint64_t)__builtin_popcountll(other->words[i] & ~map->words[i]);
		map->words[i] |= other->words[i];
	}
}

/* The first block of from .. end - 1 that is set, or is not; none: end, or from if that is beyond it. */
static uint64_t find(const struct block_map *map, uint64_t from, uint64_t end, bool set)
{
	while (from < end) {
		struct piece piece = piece_of(from, end);
		uint64_t found = (set ? map->words[piece.word] : ~map->words[piece.word]) & piece.mask;

		if (found)
			return piece.word * WORD_BITS + (uint64_t)__builtin_ctzll(found);
		from = piece.next;
	}
	return from;
}

bool block_map_next(const struct block_map *map, uint64_t from, uint64_t most, uint64_t *first, uint64_t *count)
{
	uint64_t start, end;

	assert(most > 0);
	if (map->count == 0)
		return false;
	start = find(map, from, map->blocks, true);
	if (start >= map->blocks)
		return false;
	end = most < map->blocks - start ? start + most : map->blocks;
	*first = start;
	*count = find(map, start, end, false) - start;
	return true;
}
