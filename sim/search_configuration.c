/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Configurations; see search_configuration.h.
 */
#include "search_configuration.h"

#include <string.h>

#include "grow.h"

/* Fewer are compared one by one. */
#define HASHED 8

static uint64_t bit_of(unsigned int bit)
{
	return bit == NO_BIT ? 0 : UINT64_C(1) << bit;
}

/* ---- sets ---- */

void set_destroy(struct configuration_set *set)
{
	free(set->all);
	free(set->hash);
	memset(set, 0, sizeof(*set));
}

void set_clear(struct configuration_set *set)
{
	if (set->count >= HASHED)
		memset(set->hash, 0, set->hash_room * sizeof(*set->hash));
	set->count = 0;
}

static size_t hash_of(const struct configuration *configuration)
{
	uint64_t word, hash = 0;

	for (size_t i = 0; i < sizeof(*configuration); i += sizeof(word)) {
		memcpy(&word, (const char *)configuration + i, sizeof(word));
		hash = (hash ^ word) * UINT64_C(0x9fb21c651e98df25);
		hash ^= hash >> 32;
	}
	return (size_t)hash;
}

static bool is_same(const struct configuration *left, const struct configuration *right)
{
	return !memcmp(left, right, sizeof(*left));
}

/* Where it is in the hash, or where it would be. */
static uint32_t *find(const struct configuration_set *set, const struct configuration *configuration)
{
	size_t at = hash_of(configuration) & (set->hash_room - 1);

	while (set->hash[at] && !is_same(&set->all[set->hash[at] - 1], configuration))
		at = (at + 1) & (set->hash_room - 1);
	return &set->hash[at];
}

/* As many are to be hashed as twice those that are there. */
static void rehash(struct configuration_set *set)
{
	if (set->count < HASHED || (set->hash_room > 2 * set->count && set->count > HASHED))
		return;
	set->hash = grow_to(set->hash, &set->hash_room, 4 * set->count, sizeof(*set->hash));
	memset(set->hash, 0, set->hash_room * sizeof(*set->hash));
	for (uint32_t i = 0; i < set->count; i++)
		*find(set, &set->all[i]) = i + 1;
}

bool set_add(struct configuration_set *set, const struct configuration *configuration)
{
	uint32_t *place = NULL;

	if (set->count < HASHED) {
		for (size_t i = 0; i < set->count; i++) {
			if (is_same(&set->all[i], configuration))
				return false;
		}
	} else {
		place = find(set, configuration);
		if (*place)
			return false;
	}
	set->all = grow_to(set->all, &set->room, set->count + 1, sizeof(*set->all));
	set->all[set->count++] = *configuration;
	if (place)
		*place = (uint32_t)set->count;
	rehash(set);
	return true;
}

/* ---- the order of writes ---- */

static uint64_t tail_bits(const struct configuration *configuration, unsigned int length)
{
	uint64_t bits = 0;

	for (unsigned int i = 0; i < length; i++)
		bits |= bit_of(configuration->tail[i].bit);
	return bits;
}

uint64_t configuration_candidates(const struct configuration *configuration)
{
	return configuration->kept | bit_of(configuration->answered) |
	       tail_bits(configuration, configuration->tail_length);
}

static void drop_from_tail(struct configuration *configuration, unsigned int first, unsigned int count)
{
	unsigned int rest = configuration->tail_length - first - count;

	memmove(configuration->tail + first, configuration->tail + first + count, rest * sizeof(*configuration->tail));
	memset(configuration->tail + first + rest, 0, count * sizeof(*configuration->tail));
	configuration->tail_length = (uint8_t)(first + rest);
}

bool configuration_append(struct configuration *configuration, unsigned int slot, unsigned int bit, bool durable)
{
	if (durable) {
		configuration->older |= configuration_candidates(configuration);
		configuration->kept = 0;
		configuration->answered = (uint8_t)bit;
		drop_from_tail(configuration, 0, configuration->tail_length);
		return true;
	}
	if (slot == NO_SLOT && bit == NO_BIT)
		return true;
	if (configuration->tail_length == SEARCH_UNANSWERED_MAX)
		return false;
	configuration->tail[configuration->tail_length++] = (struct unanswered){ (uint8_t)slot, (uint8_t)bit };
	return true;
}

void configuration_answer(struct configuration *configuration, unsigned int slot)
{
	for (unsigned int i = 0; i < configuration->tail_length; i++) {
		if (configuration->tail[i].slot != slot)
			continue;
		configuration->kept |= bit_of(configuration->answered) | tail_bits(configuration, i);
		configuration->answered = configuration->tail[i].bit;
		drop_from_tail(configuration, 0, i + 1);
		return;
	}
}

void configuration_flush(struct configuration *configuration)
{
	configuration->older |= configuration->kept;
	configuration->kept = 0;
}

void configuration_lose(struct configuration *configuration, unsigned int bit)
{
	configuration->kept = configuration_candidates(configuration);
	configuration->answered = (uint8_t)bit;
	drop_from_tail(configuration, 0, configuration->tail_length);
}

void configuration_keep(struct configuration *configuration, uint64_t bits, uint64_t older)
{
	unsigned int i = 0;

	configuration->kept &= bits;
	configuration->older &= older;
	if (!(bit_of(configuration->answered) & bits))
		configuration->answered = NO_BIT;
	while (i < configuration->tail_length) {
		struct unanswered *write = &configuration->tail[i];

		if (!(bit_of(write->bit) & bits))
			write->bit = NO_BIT;
		if (write->bit == NO_BIT && write->slot == NO_SLOT)
			drop_from_tail(configuration, i, 1);
		else
			i++;
	}
}
