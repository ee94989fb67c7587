/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One run: what it consists of, made from a seed and a script, and its outcome. The same plan has the same outcome, on
 * every machine.
 */
#ifndef RDISK_SIM_RUN_H
#define RDISK_SIM_RUN_H

#include "sim_schedule.h"
#include "sim_world.h"

#define SIM_AS_CHOSEN UINT64_MAX

/* What is asked for in place of what the seed chooses. */
struct sim_wanted {
	uint64_t duration, requests, faults; /* SIM_AS_CHOSEN: not */
};

struct sim_plan {
	uint64_t seed;
	struct sim_settings settings;
	struct sim_schedule schedule; /* settled */
};

/* Small and without pointers: it comes from another process. */
struct sim_outcome {
	bool failed;
	char failure[SIM_FAILURE_MAX];
	uint64_t digest, time, events, requests, answers, errors, epochs, actions, skipped, refused, frames, compared;
};

/*
 * script: what to do and to set, or NULL. Random faults are added as `wanted` or the settings have it; to a script only
 * those that are wanted. NULL, or what is wrong.
 */
const char *sim_plan_make(struct sim_plan *plan, uint64_t seed, const struct sim_schedule *script,
			  const struct sim_wanted *wanted);
void sim_plan_free(struct sim_plan *plan);

/* trace: prints what happens. explain: prints what the checker found. */
void sim_plan_run(const struct sim_plan *plan, bool trace, bool explain, struct sim_outcome *outcome);

#endif
