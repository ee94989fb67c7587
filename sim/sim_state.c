/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Files of a state_dir: see the header.
 */
#include "sim_state.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sim_disk.h"
#include "sim_memory.h"

void sim_state_free(struct sim_state *state)
{
	free(state->pieces);
	free(state->kept);
	*state = (struct sim_state){ 0 };
}

static bool same_place(const struct metadata_place *a, const struct metadata_place *b)
{
	return a->kind == b->kind && a->device == b->device && a->member == b->member && a->index == b->index;
}

struct sim_piece *sim_state_find(struct sim_state *state, const struct metadata_place *place, size_t size)
{
	struct sim_piece *piece;

	for (size_t i = 0; i < state->count; i++) {
		if (same_place(&state->pieces[i].place, place))
			return &state->pieces[i];
	}
	if (!size)
		return NULL;
	if (state->count == state->capacity) {
		state->capacity = state->capacity ? 2 * state->capacity : 8;
		state->pieces = sim_resize(state->pieces, state->capacity * sizeof(struct sim_piece));
	}
	piece = &state->pieces[state->count++];
	memset(piece, 0, sizeof(*piece));
	piece->place = *place;
	piece->size = size;
	return piece;
}

/* Each sector of `from` gets to `to`, or not. */
static void some_sectors(unsigned char *to, const unsigned char *from, size_t size, struct sim_random *random)
{
	uint64_t kind = sim_below(random, 3);

	for (size_t i = 0; i < size; i += SIM_SECTOR) {
		if (kind == 1 || (kind == 2 && sim_chance(random, 1, 2)))
			memcpy(to + i, from + i, SIM_SECTOR);
	}
}

int sim_state_save(struct sim_state *state, const struct metadata_place *place, const void *bytes, size_t size,
		   struct sim_random *random)
{
	struct sim_piece *piece = sim_state_find(state, place, size);

	piece->there = true;
	if (state->errors) {
		state->errors--;
		some_sectors(piece->cache, bytes, size, random);
		return -EIO;
	}
	memcpy(piece->cache, bytes, size);
	memcpy(piece->stable, bytes, size);
	piece->stable_there = true;
	return 0;
}

void sim_state_leave(struct sim_state *state, const struct metadata_place *place, const void *bytes, size_t size,
		     struct sim_random *random)
{
	struct sim_piece *piece = sim_state_find(state, place, size);

	piece->there = true;
	some_sectors(piece->cache, bytes, size, random);
}

void sim_state_sync(struct sim_state *state)
{
	for (size_t i = 0; i < state->count; i++) {
		struct sim_piece *piece = &state->pieces[i];

		memcpy(piece->stable, piece->cache, piece->size);
		piece->stable_there = piece->there;
	}
}

void sim_state_power_cut(struct sim_state *state, struct sim_random *random)
{
	for (size_t i = 0; i < state->count; i++) {
		struct sim_piece *piece = &state->pieces[i];

		some_sectors(piece->stable, piece->cache, piece->size, random);
		memcpy(piece->cache, piece->stable, piece->size);
		/* A new file's name may be lost with it. */
		if (piece->there && !piece->stable_there && sim_chance(random, 1, 2)) {
			piece->there = false;
			memset(piece->cache, 0, piece->size);
			memset(piece->stable, 0, piece->size);
		}
		piece->stable_there = piece->there;
		piece->busy_until = 0;
	}
}

static bool is_of(const struct sim_piece *piece, enum metadata_kind kind, uint32_t index)
{
	return piece->there && piece->place.kind == kind && (kind != METADATA_SLOT || piece->place.index == index);
}

bool sim_state_flip(struct sim_state *state, enum metadata_kind kind, uint32_t index, struct sim_random *random)
{
	for (size_t i = 0; i < state->count; i++) {
		struct sim_piece *piece = &state->pieces[i];
		uint64_t bit;

		if (!is_of(piece, kind, index))
			continue;
		bit = sim_below(random, piece->size * 8);
		piece->stable[bit / 8] ^= (unsigned char)(1u << bit % 8);
		piece->cache[bit / 8] ^= (unsigned char)(1u << bit % 8);
		return true;
	}
	return false;
}

static void take_away(struct sim_piece *piece)
{
	piece->there = piece->stable_there = false;
	memset(piece->cache, 0, piece->size);
	memset(piece->stable, 0, piece->size);
}

/* A power cut may have torn one of the slots: the other one is whole then. */
static bool find_whole_slot(struct sim_state *state, struct metadata_slot *slot)
{
	for (uint32_t index = 0; index < 2; index++) {
		const struct metadata_place place = { .kind = METADATA_SLOT, .index = index };
		const struct sim_piece *piece = sim_state_find(state, &place, 0);

		for (uint32_t node = 1; piece && node <= MEMBERS_MAX; node++) {
			if (metadata_decode_slot(piece->stable, piece->size, node, slot) == METADATA_GOOD)
				return true;
		}
	}
	return false;
}

void sim_state_cool(struct sim_state *state)
{
	static const uint64_t nothing[METADATA_SECTOR_BITS / 64];
	struct metadata_slot slot;

	if (!find_whole_slot(state, &slot))
		return;
	for (size_t i = 0; i < state->count; i++) {
		struct sim_piece *piece = &state->pieces[i];

		if (piece->place.kind != METADATA_LOG)
			continue;
		metadata_encode_sector(&piece->place, &slot.set, slot.node, nothing, piece->stable);
		memcpy(piece->cache, piece->stable, piece->size);
	}
}

void sim_state_wipe(struct sim_state *state)
{
	for (size_t i = 0; i < state->count; i++)
		take_away(&state->pieces[i]);
}

void sim_state_remove(struct sim_state *state, enum metadata_kind kind, uint32_t index)
{
	for (size_t i = 0; i < state->count; i++) {
		if (is_of(&state->pieces[i], kind, index))
			take_away(&state->pieces[i]);
	}
}

void sim_state_keep(struct sim_state *state)
{
	free(state->kept);
	state->kept = sim_copy(state->pieces, state->count * sizeof(struct sim_piece));
	state->nr_kept = state->count;
	state->was_kept = true;
	for (size_t i = 0; i < state->nr_kept; i++) {
		struct sim_piece *piece = &state->kept[i];

		memcpy(piece->cache, piece->stable, piece->size);
		piece->there = piece->stable_there;
		piece->busy_until = 0;
	}
}

bool sim_state_put_back(struct sim_state *state)
{
	if (!state->was_kept)
		return false;
	sim_state_wipe(state);
	for (size_t i = 0; i < state->nr_kept; i++) {
		struct sim_piece *piece = sim_state_find(state, &state->kept[i].place, state->kept[i].size);

		*piece = state->kept[i];
	}
	return true;
}
