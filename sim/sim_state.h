/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The state_dir of a host: pieces of metadata as their files hold them, in the page cache and on stable storage, and
 * what may happen to them. When a save ends is sim_store.h's.
 */
#ifndef RDISK_SIM_STATE_H
#define RDISK_SIM_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "metadata.h"
#include "sim_random.h"

struct sim_piece {
	struct metadata_place place;
	size_t size;
	bool there, stable_there; /* it was ever saved, as seen through the page cache, and on stable storage */
	uint64_t busy_until;	  /* true time: when the last save of it that was begun ends */
	unsigned char cache[METADATA_SLOT_SIZE], stable[METADATA_SLOT_SIZE];
};

struct sim_state {
	struct sim_piece *pieces; /* in the order in which they were first saved */
	size_t count, capacity;
	struct sim_piece *kept; /* an older copy of all that was stable */
	size_t nr_kept;
	bool was_kept;
	/* Faults. */
	uint64_t hung_until; /* true time: no save ends before */
	uint64_t errors;     /* how many of the next saves fail */
};

void sim_state_free(struct sim_state *state);

/* The piece of a place; made, empty, if it is not there and size is not 0. Else NULL. Valid until the next is made. */
struct sim_piece *sim_state_find(struct sim_state *state, const struct metadata_place *place, size_t size);

/* A save ends: 0, and it is stable; or -EIO, and some sectors of it are there. */
int sim_state_save(struct sim_state *state, const struct metadata_place *place, const void *bytes, size_t size,
		   struct sim_random *random);

/* The process died before a save ended: it was done, or not, or some sectors of it, and is not stable. */
void sim_state_leave(struct sim_state *state, const struct metadata_place *place, const void *bytes, size_t size,
		     struct sim_random *random);

/* A starting process makes stable what it finds, before it rests on it. */
void sim_state_sync(struct sim_state *state);

void sim_state_power_cut(struct sim_state *state, struct sim_random *random);

/* One bit of a piece of this kind (a slot: of that index) changes: false: there is none. */
bool sim_state_flip(struct sim_state *state, enum metadata_kind kind, uint32_t index, struct sim_random *random);

/* All files are gone, or only those of a kind (a slot: of that index). */
void sim_state_wipe(struct sim_state *state);
/* Its log is one in which nothing is hot. */
void sim_state_cool(struct sim_state *state);
void sim_state_remove(struct sim_state *state, enum metadata_kind kind, uint32_t index);

/* Remembers what is stable, and puts that back: false: nothing was kept. */
void sim_state_keep(struct sim_state *state);
bool sim_state_put_back(struct sim_state *state);

#endif
