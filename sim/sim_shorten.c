/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Shortening: an earlier end, fewer actions (larger groups first, then single ones), fewer requests. Any failure
 * counts, not only the one that it began with.
 */
#include "sim_shorten.h"

#include "sim_child.h"
#include "sim_engine.h"

struct shortening {
	struct sim_plan *plan;
	struct sim_outcome *outcome;
	unsigned int trials;
};

/* Whether it fails as it is. */
static bool fails(struct shortening *work)
{
	struct sim_outcome outcome;

	if (!work->trials)
		return false;
	work->trials--;
	sim_child_run(work->plan, &outcome);
	if (outcome.failed)
		*work->outcome = outcome;
	return outcome.failed;
}

static bool try_setting(struct shortening *work, uint64_t *setting, uint64_t value)
{
	uint64_t before = *setting;

	*setting = value;
	if (fails(work))
		return true;
	*setting = before;
	return false;
}

/* Leaves out `count` actions from `first` on. */
static bool try_without(struct shortening *work, size_t first, size_t count)
{
	struct sim_schedule before = work->plan->schedule, shorter = before;

	shorter.actions = NULL;
	shorter.count = shorter.capacity = 0;
	for (size_t i = 0; i < before.count; i++) {
		if (i < first || i >= first + count)
			sim_schedule_add(&shorter, &before.actions[i]);
	}
	work->plan->schedule = shorter;
	if (fails(work)) {
		before.settings = NULL;
		sim_schedule_free(&before);
		return true;
	}
	shorter.settings = NULL;
	sim_schedule_free(&shorter);
	work->plan->schedule = before;
	return false;
}

static bool leave_out(struct shortening *work)
{
	bool any = false;

	for (size_t count = work->plan->schedule.count; count; count /= 2) {
		for (size_t first = 0; first < work->plan->schedule.count;) {
			size_t left = work->plan->schedule.count - first;

			if (try_without(work, first, count < left ? count : left))
				any = true;
			else
				first += count;
		}
	}
	return any;
}

static void end_earlier(struct shortening *work)
{
	const struct sim_schedule *schedule = &work->plan->schedule;
	uint64_t last = schedule->count ? schedule->actions[schedule->count - 1].from : 0;
	uint64_t *duration = &work->plan->settings.duration;

	if (last + 10 * SIM_SECOND < *duration)
		try_setting(work, duration, last + 10 * SIM_SECOND);
}

void sim_shorten(struct sim_plan *plan, unsigned int trials, struct sim_outcome *outcome)
{
	struct shortening work = { .plan = plan, .outcome = outcome, .trials = trials };

	end_earlier(&work);
	while (leave_out(&work))
		end_earlier(&work);
	end_earlier(&work);
	while (plan->settings.nr_requests &&
	       try_setting(&work, &plan->settings.nr_requests, plan->settings.nr_requests / 2))
		;
}
