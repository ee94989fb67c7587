/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Makes the plan of a run that fails shorter, as long as it fails.
 */
#ifndef RDISK_SIM_SHORTEN_H
#define RDISK_SIM_SHORTEN_H

#include "sim_run.h"

/* Tries at most `trials` runs. *outcome: of the plan as it is then. */
void sim_shorten(struct sim_plan *plan, unsigned int trials, struct sim_outcome *outcome);

#endif
