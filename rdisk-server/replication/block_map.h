/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A set of blocks of a device: a bit each, in memory of the caller's. Counts what is set, finds runs. One owner; no
 * thread.
 */
#ifndef RDISK_BLOCK_MAP_H
#define RDISK_BLOCK_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct block_map {
	uint64_t *words;
	uint64_t blocks; /* bits */
	uint64_t count;	 /* that are set */
};

/* Words that a map of so many blocks needs. */
static inline size_t block_map_words(uint64_t blocks)
{
	return (size_t)((blocks + 63) / 64);
}

/* An empty one. words: block_map_words(blocks) of the caller's, which are cleared. */
void block_map_init(struct block_map *map, uint64_t *words, uint64_t blocks);

bool block_map_has(const struct block_map *map, uint64_t block);

/* first + count <= map->blocks. What is there already stays (add), what is not does not matter (remove). */
void block_map_add(struct block_map *map, uint64_t first, uint64_t count);
void block_map_remove(struct block_map *map, uint64_t first, uint64_t count);
void block_map_clear(struct block_map *map);

/* Whether any, or all, of a range are in it. */
bool block_map_any(const struct block_map *map, uint64_t first, uint64_t count);
bool block_map_all(const struct block_map *map, uint64_t first, uint64_t count);

/* Adds those of a range that are not in `other`, which has as many blocks. */
void block_map_add_others(struct block_map *map, const struct block_map *other, uint64_t first, uint64_t count);

/* Adds all of `other`, which has as many blocks. */
void block_map_unite(struct block_map *map, const struct block_map *other);

/*
 * The first run of set blocks that begins or goes on at `from` or later; at most `most` blocks of it. false: none.
 * Words without a set bit cost one look each.
 */
bool block_map_next(const struct block_map *map, uint64_t from, uint64_t most, uint64_t *first, uint64_t *count);

#endif
