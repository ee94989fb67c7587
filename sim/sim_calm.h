/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is well: when faults have ended, all that was asked for is answered and all members are in sync, in bounded
 * time.
 */
#ifndef RDISK_SIM_CALM_H
#define RDISK_SIM_CALM_H

#include "sim_world.h"

/*
 * Whether members could be gone for good now, and the rest has to go on all the same: those are a majority of the
 * members that vote, and have one that is in sync by whatever may be decided, and has lost nothing.
 */
bool sim_calm_can_do_without(const struct sim_world *world, member_set gone);

/* All faults end: links are whole, disks well, processes run, but those of world->away. */
void sim_calm_begin(struct sim_world *world);

/*
 * What an operator does when members say that their lines have parted: the copy of the older generation is discarded;
 * of two of one generation, which were forced each without the other, the second one's.
 */
void sim_calm_operator(struct sim_world *world);

/* NULL: all run, all vote, one serves, all images are in sync. Else what is not so; a line of the world's. */
const char *sim_calm_missing(struct sim_world *world);

#endif
