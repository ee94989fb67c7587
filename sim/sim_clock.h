/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A host's CLOCK_BOOTTIME: starts somewhere when the host starts, runs a bit wrong, and goes on while processes are
 * stopped. The wall clock is left out: nothing that is simulated looks at it.
 */
#ifndef RDISK_SIM_CLOCK_H
#define RDISK_SIM_CLOCK_H

#include <stdint.h>

struct sim_clock {
	uint64_t true_base, base; /* ns: at the true time true_base it shows base */
	int32_t drift;		  /* parts per million; positive: it is fast */
};

/* ns; true_time is not before true_base. Goes never back. */
uint64_t sim_clock_show(const struct sim_clock *clock, uint64_t true_time);

/* The first true time, in ns, at which it shows `shown` or more; SIM_NEVER if that is too far away. */
uint64_t sim_clock_when(const struct sim_clock *clock, uint64_t shown);

/* Runs at another speed from true_time on. */
void sim_clock_drift(struct sim_clock *clock, uint64_t true_time, int32_t drift);

#endif
