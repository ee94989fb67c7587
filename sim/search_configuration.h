/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Configurations of the search (checker_search.h), and sets of them.
 *
 * Operations under way have slots. Values that a loss can bring back have bits; one that nobody reads after a loss has
 * none. The writes that have taken effect since the last durable one are in order: `kept` (no more than their values
 * count, for a flush drops all of them), then the last one that was answered, then `tail`, those that are not answered.
 */
#ifndef SIM_SEARCH_CONFIGURATION_H
#define SIM_SEARCH_CONFIGURATION_H

#include "checker_search.h"

#define NO_BIT	 63u
#define NO_SLOT	 64u
#define NO_VALUE UINT32_MAX /* one that is not read */

struct unanswered {
	uint8_t slot; /* NO_SLOT: there will be no answer */
	uint8_t bit;
};

/* Compared as bytes: no padding, and what is unused is 0. */
struct configuration {
	uint64_t done;	  /* slots that have taken effect */
	uint64_t kept;	  /* bits */
	uint64_t older;	  /* bits of what is before the last durable write */
	uint32_t value;	  /* the present one */
	uint8_t answered; /* bit of the last write that was answered */
	uint8_t tail_length;
	struct unanswered tail[SEARCH_UNANSWERED_MAX];
	uint8_t unused[2];
};

_Static_assert(sizeof(struct configuration) == 72, "no padding");

struct configuration_set {
	struct configuration *all;
	size_t count, room;
	uint32_t *hash; /* index + 1; 0: free. Used from a few configurations on */
	size_t hash_room;
};

void set_destroy(struct configuration_set *set);

/* Forgets all. */
void set_clear(struct configuration_set *set);

/* Adds a copy unless it is there. Returns whether it was added. */
bool set_add(struct configuration_set *set, const struct configuration *configuration);

/* What a loss may bring back, but for `older`. */
uint64_t configuration_candidates(const struct configuration *configuration);

/*
 * A write has taken effect. durable: it is so by itself, even before it is answered. Returns false when there is no
 * room.
 */
bool configuration_append(struct configuration *configuration, unsigned int slot, unsigned int bit, bool durable);

/* The write in the slot is answered. */
void configuration_answer(struct configuration *configuration, unsigned int slot);

/* A flush began that covers what was answered. */
void configuration_flush(struct configuration *configuration);

/* A loss left the value with the bit. */
void configuration_lose(struct configuration *configuration, unsigned int bit);

/* Forgets the values that are not in bits and, of those before the last durable write, in older. */
void configuration_keep(struct configuration *configuration, uint64_t bits, uint64_t older);

#endif
