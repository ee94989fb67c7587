/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What must be so at any true time, or at the end of a run, and clients cannot see.
 */
#ifndef RDISK_SIM_INVARIANT_H
#define RDISK_SIM_INVARIANT_H

#include "sim_world.h"

/* After each event of a process: no other one has a valid lease if it has. */
void sim_invariant_lease(struct sim_process *process);

/*
 * Again and again: when all members are in sync and nothing is under way, their images are the same. What differs then
 * may be made good later, and would not be seen at the end.
 */
void sim_invariant_watch(struct sim_world *world);

/* All images are the same, as their hosts see them. */
void sim_invariant_images(struct sim_world *world);

#endif
