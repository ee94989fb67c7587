/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a core may ask of its world, as the simulator does it.
 */
#ifndef RDISK_SIM_REPLICA_WORLD_H
#define RDISK_SIM_REPLICA_WORLD_H

#include <stddef.h>

#include "replica.h"

extern const struct replica_world sim_replica_world;

/* The name of a frame's type, for the trace. */
const char *sim_frame_name(const void *frame, size_t size);

#endif
