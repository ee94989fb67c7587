/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Runs in processes of their own: one that crashes or does not end is a failure of its seed, not the end of the
 * program.
 */
#ifndef RDISK_SIM_CHILD_H
#define RDISK_SIM_CHILD_H

#include <sys/types.h>

#include "sim_run.h"

struct sim_child {
	pid_t pid; /* 0: none */
	int fd;
	uint64_t seed;
};

/* Ends the program if it cannot. */
void sim_child_start(struct sim_child *child, const struct sim_plan *plan);

/* Waits for its end. */
void sim_child_end(struct sim_child *child, struct sim_outcome *outcome);

/* Both. */
void sim_child_run(const struct sim_plan *plan, struct sim_outcome *outcome);

#endif
