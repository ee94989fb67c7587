/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The images that a power cut may leave of a run: one content for each sector, in any combination (crash_run.h says
 * which contents). All of them one after the other where they are few, else some: the extremes, and a sample.
 *
 * Who only wants to know whether each sector is right needs none of this: sectors are independent, so that the contents
 * of each by itself (crash_contents()) say as much as all images, for runs of any length.
 *
 * Freestanding, like crash_run.h. One thread for each object.
 */
#ifndef CRASH_STATES_H
#define CRASH_STATES_H

#include "crash_run.h"

struct crash_states {
	const struct crash_run *run;
	uint64_t cut;
	struct crash_contents *contents; /* of each of the run's cells */
	size_t *choice;			 /* of each cell: which content the state that is set has */
};

/*
 * Finds the states after a power cut at `cut`, and sets the one of which nothing survives that may be lost. `run` is
 * prepared, and both it and the memory are used as long as the states are. CRASH_OK or CRASH_NO_ROOM.
 */
int crash_states_prepare(struct crash_states *states, const struct crash_run *run, uint64_t cut,
			 struct crash_memory *memory);

/* How many states there are; UINT64_MAX: that many or more. Sectors that were written twice alike count once. */
uint64_t crash_states_count(const struct crash_states *states);

/* Sets the next state, beginning with that in which each choice is 0; false: that was the last. */
void crash_states_first(struct crash_states *states);
bool crash_states_next(struct crash_states *states);

/* Sets the state of which as little survives as may be, or as much. */
void crash_states_worst(struct crash_states *states);
void crash_states_all(struct crash_states *states);

/* Sets one of them as the seed chooses. */
void crash_states_sample(struct crash_states *states, uint64_t seed);

/*
 * Sets the state in which all survives but the change of that event and what was built upon it in its sectors; or
 * nothing but that change, and what it was built upon. CRASH_OK or CRASH_NO_ROOM. The memory is given back.
 */
int crash_states_without(struct crash_states *states, size_t event, struct crash_memory *memory);
int crash_states_alone(struct crash_states *states, size_t event, struct crash_memory *memory);

/* Whether the change of that event has begun and may be missing. */
bool crash_states_is_loose(const struct crash_states *states, size_t event);

/* Size of the image in the state that is set, bytes. */
uint64_t crash_states_size(const struct crash_states *states);

/* The content of that cell in the state that is set; not of CRASH_SIZE_CELL. */
const unsigned char *crash_states_sector(const struct crash_states *states, size_t cell);

/* Stores `count` sectors of the image in the state that is set, from number `sector` on. Zeroes beyond its end. */
void crash_states_read(const struct crash_states *states, uint64_t sector, uint64_t count, unsigned char *bytes);

/* How crash_states_visit() goes. */
struct crash_visit {
	uint64_t limit;	  /* up to so many states all are visited */
	uint64_t samples; /* else the extremes, and so many that a seed chooses */
	uint64_t seed;
	/* Called with each state set; 0 to go on, else positive. It may be called with the same state again. */
	int (*visit)(void *context, const struct crash_states *states);
	void *context;

	uint64_t visited; /* stored: how many calls there were */
	bool exhaustive;  /* stored: all states were visited */
};

/* Visits states. 0; CRASH_NO_ROOM; what `visit` returned that was not 0. The memory is given back. */
int crash_states_visit(struct crash_states *states, struct crash_visit *visit, struct crash_memory *memory);

#endif
