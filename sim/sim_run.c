/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A run from its beginning to its verdict: the faults, the calm after them, the last reads, for some a power cut of all
 * and reads again; then the history is judged.
 */
#include "sim_run.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "checker.h"
#include "sim_action.h"
#include "sim_calm.h"
#include "sim_client.h"
#include "sim_host.h"
#include "sim_invariant.h"
#include "sim_load.h"

#define EVENTS_MAX     UINT64_C(50000000) /* more is no progress */
#define CALM_STEP      (10 * SIM_MILLISECOND)
#define OPERATOR_LOOKS (20 * SIM_SECOND) /* each */
#define SLACK	       (2 * SIM_SECOND)	 /* after the last action of a schedule */

/* Of one seed; sim_world.c has others. */
enum stream {
	STREAM_SETTINGS = 1,
	STREAM_SETTLE,
	STREAM_FAULTS,
	STREAM_AWAY,
};

const char *sim_plan_make(struct sim_plan *plan, uint64_t seed, const struct sim_schedule *script,
			  const struct sim_wanted *wanted)
{
	struct sim_random random;
	const char *wrong;

	*plan = (struct sim_plan){ .seed = seed };
	sim_random_seed(&random, seed, STREAM_SETTINGS);
	sim_settings_choose(&plan->settings, &random);
	if (script) {
		bool faults = wanted->faults != SIM_AS_CHOSEN && wanted->faults > 0;

		if (script->alone && faults)
			return "the script is played alone, without random faults";
		plan->settings.nr_faults = 0;
		/* Others than who is meant would have the device. */
		plan->settings.shared = SIM_OPENS_SHARED;
		wrong = sim_schedule_set(script, &plan->settings);
		if (wrong)
			return "the script sets something that is no setting";
		for (size_t i = 0; i < script->count; i++)
			sim_schedule_add(&plan->schedule, &script->actions[i]);
		plan->schedule.expect_loss = script->expect_loss;
		plan->schedule.expect_no_errors = script->expect_no_errors && !faults;
		plan->schedule.alone = script->alone;
		plan->schedule.expect_refused = script->expect_refused;
	}
	if (wanted->duration != SIM_AS_CHOSEN)
		plan->settings.duration = wanted->duration;
	if (wanted->requests != SIM_AS_CHOSEN)
		plan->settings.nr_requests = wanted->requests;
	if (wanted->faults != SIM_AS_CHOSEN)
		plan->settings.nr_faults = wanted->faults;
	wrong = sim_settings_wrong(&plan->settings);
	if (wrong)
		return wrong;
	sim_random_seed(&random, seed, STREAM_SETTLE);
	sim_schedule_settle(&plan->schedule, &random);
	sim_random_seed(&random, seed, STREAM_FAULTS);
	sim_schedule_random(&plan->schedule, &plan->settings, plan->settings.duration, plan->settings.nr_faults,
			    &random);
	sim_schedule_settle(&plan->schedule, &random);
	return NULL;
}

void sim_plan_free(struct sim_plan *plan)
{
	sim_schedule_free(&plan->schedule);
}

static void run_until(struct sim_world *world, uint64_t time)
{
	while (!world->failed && sim_step(&world->engine, time)) {
		if (world->engine.fired > EVENTS_MAX)
			sim_fail(world, "%" PRIu64 " events: it does not come to an end", world->engine.fired);
	}
}

/* Until all is answered and all members are well, or it lasts too long. */
static void await_calm(struct sim_world *world, const char *when)
{
	uint64_t limit = world->engine.now + world->settings.calm_limit;
	uint64_t looks_at = world->engine.now + OPERATOR_LOOKS;
	const char *missing = NULL;

	while (!world->failed) {
		run_until(world, world->engine.now + CALM_STEP);
		if (world->engine.now >= looks_at) {
			sim_calm_operator(world);
			looks_at += OPERATOR_LOOKS;
		}
		missing = sim_calm_missing(world);
		if (!missing && !world->outstanding && !world->wishes)
			return;
		if (world->engine.now >= limit)
			break;
	}
	if (missing)
		sim_fail(world, "%s, after %" PRIu64 " s without faults: %s", when,
			 world->settings.calm_limit / SIM_SECOND, missing);
	else
		sim_fail(world, "%s, after %" PRIu64 " s without faults: %" PRIu64 " requests have no answer", when,
			 world->settings.calm_limit / SIM_SECOND, world->outstanding + world->wishes);
}

/* In some runs those that can be done without stay away at first: the others go on. */
static void do_without_some(struct sim_world *world, uint64_t seed)
{
	uint64_t limit = world->engine.now + world->settings.calm_limit;
	struct sim_random random;
	const char *missing = NULL;
	member_set gone;

	sim_random_seed(&random, seed, STREAM_AWAY);
	gone = (member_set)sim_below(&random, UINT64_C(1) << world->members);
	if (!gone || !sim_calm_can_do_without(world, gone))
		return;
	world->away = gone;
	sim_trace(world, NO_MEMBER, "without 0x%x", gone);
	sim_calm_begin(world);
	do {
		run_until(world, world->engine.now + CALM_STEP);
		missing = sim_calm_missing(world);
	} while (missing && !world->failed && world->engine.now < limit);
	if (missing)
		sim_fail(world, "without 0x%x, after %" PRIu64 " s without faults: %s", gone,
			 world->settings.calm_limit / SIM_SECOND, missing);
	world->away = 0;
}

static void read_all(struct sim_world *world, const char *when)
{
	if (world->failed)
		return;
	sim_load_read_all(world);
	await_calm(world, when);
	if (!world->failed)
		sim_invariant_images(world);
}

static void flush_all(struct sim_world *world)
{
	for (uint64_t device = 0; device < world->settings.devices; device++) {
		const struct sim_wish wish = { .kind = ENTRY_FLUSH, .device = (uint32_t)device };

		sim_client_wish(&world->hosts[0], &wish);
	}
	await_calm(world, "the last flush");
}

/* What was flushed is there when all come back. */
static void cut_power_of_all(struct sim_world *world)
{
	flush_all(world);
	if (world->failed)
		return;
	for (int member = 0; member < world->members; member++)
		sim_host_power_cut(&world->hosts[member]);
	for (int member = 0; member < world->members; member++)
		sim_host_start(&world->hosts[member]);
	await_calm(world, "after a power cut of all");
	read_all(world, "reads after a power cut of all");
}

static void final_images(struct sim_world *world)
{
	for (int member = 0; member < world->members; member++) {
		const struct sim_host *host = &world->hosts[member];

		for (uint64_t device = 0; device < world->settings.devices && !host->diskless; device++)
			checker_final(world->history, (uint32_t)device, 0, host->disks[device].cache,
				      world->settings.size);
	}
}

static void judge(struct sim_world *world, bool explain)
{
	struct checker_report report;

	if (history_broken(world->history) || checker_run(world->history, &report)) {
		sim_fail(world, "the history is of no use: %s", history_broken(world->history));
		return;
	}
	for (size_t i = 0; i < report.nr_violations && explain; i++)
		printf("%s", report.violations[i].text);
	if (report.nr_violations) {
		const struct checker_violation *first = &report.violations[0];

		sim_fail(world, "%s (%s) at block %" PRIu64 " of device %" PRIu32 "; %zu violations",
			 checker_kind_name(first->kind), checker_kind_invariant(first->kind), first->block,
			 first->device, report.nr_violations + report.nr_more);
	} else if (report.nr_undecided) {
		sim_fail(world, "%zu blocks could not be decided", report.nr_undecided);
	}
	checker_report_destroy(&report);
}

static uint64_t end_of_faults(const struct sim_plan *plan)
{
	uint64_t end = plan->settings.duration;

	if (plan->schedule.count && plan->schedule.actions[plan->schedule.count - 1].from + SLACK > end)
		end = plan->schedule.actions[plan->schedule.count - 1].from + SLACK;
	return end;
}

static void play(const struct sim_plan *plan, struct sim_world *world, bool explain)
{
	struct sim_player player;
	const char *wrong = sim_player_start(&player, world, &plan->schedule);

	if (wrong) {
		sim_fail(world, "%s", wrong);
		return;
	}
	world->expect_loss = plan->schedule.expect_loss;
	world->expect_no_errors = plan->schedule.expect_no_errors;
	world->expect_refused = plan->schedule.expect_refused;
	for (int member = 0; member < world->members; member++)
		sim_host_start(&world->hosts[member]);
	sim_invariant_watch(world);
	run_until(world, end_of_faults(plan));
	sim_clients_finish(world);
	do_without_some(world, plan->seed);
	sim_calm_begin(world);
	await_calm(world, "in the calm");
	read_all(world, "the last reads");
	if (world->settings.power_epilogue && !world->failed)
		cut_power_of_all(world);
	if (!world->failed)
		final_images(world);
	/* Also of a run that failed otherwise: it says more. */
	if (!world->expect_loss && (!world->failed || explain))
		judge(world, explain);
	/* A run that failed early has actions left. */
	sim_cancel(&world->engine, &player.event);
}

void sim_plan_run(const struct sim_plan *plan, bool trace, bool explain, struct sim_outcome *outcome)
{
	static struct sim_world world;
	struct history history;

	history_init(&history);
	sim_world_init(&world, plan->seed, &plan->settings, &history, trace);
	play(plan, &world, explain);
	/* As bytes it goes to another process: no stack between the fields. */
	memset(outcome, 0, sizeof(*outcome));
	outcome->failed = world.failed;
	memcpy(outcome->failure, world.failure, sizeof(outcome->failure));
	outcome->digest = world.digest;
	outcome->time = world.engine.now;
	outcome->events = world.engine.fired;
	outcome->requests = world.ops;
	outcome->answers = world.counts.answers;
	outcome->errors = world.counts.errors;
	outcome->epochs = world.counts.epochs;
	outcome->actions = world.counts.actions;
	outcome->skipped = world.counts.skipped;
	outcome->refused = world.counts.refused;
	outcome->compared = world.counts.compared;
	outcome->frames = world.counts.frames;
	sim_world_free(&world);
	history_destroy(&history);
}
