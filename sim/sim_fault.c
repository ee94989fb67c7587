/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Random schedules: faults that come in groups, each with its end. How long one lasts is anything from much less than a
 * lease to much more than every time-out.
 */
#include "sim_engine.h"
#include "sim_schedule.h"

struct plan {
	struct sim_schedule *schedule;
	const struct sim_settings *settings;
	struct sim_random *random;
	uint64_t duration;
	int members;
	uint64_t time;	/* when the fault that is planned begins */
	uint64_t until; /* and ends */
};

static uint64_t whole(uint64_t time)
{
	return time / SIM_MICROSECOND * SIM_MICROSECOND;
}

/* An action of up to two members; NO_MEMBER: none. */
static struct sim_action action(const struct plan *plan, enum sim_action_kind kind, int a, int b)
{
	struct sim_action made = { .kind = kind, .from = plan->time, .to = plan->time };

	if (a != NO_MEMBER)
		made.members[made.nr_members++] = a;
	if (b != NO_MEMBER)
		made.members[made.nr_members++] = b;
	return made;
}

static void now(const struct plan *plan, struct sim_action made)
{
	made.from = made.to = plan->time;
	sim_schedule_add(plan->schedule, &made);
}

static void then(const struct plan *plan, struct sim_action made)
{
	made.from = made.to = plan->until;
	sim_schedule_add(plan->schedule, &made);
}

static void number(const struct plan *plan, enum sim_action_kind kind, int member, uint64_t value)
{
	struct sim_action made = action(plan, kind, member, NO_MEMBER);

	made.numbers[0] = value;
	now(plan, made);
}

static struct sim_action one_way(const struct plan *plan, enum sim_action_kind kind, int from, int to)
{
	struct sim_action made = action(plan, kind, from, NO_MEMBER);

	made.others[made.nr_others++] = to;
	return made;
}

static void plan_power(const struct plan *plan, int member)
{
	struct sim_action made = action(plan, SIM_POWER, NO_MEMBER, NO_MEMBER);
	uint64_t kind = sim_below(plan->random, 6);

	for (int other = 0; other < plan->members; other++) {
		if (other == member || kind == 0 || (kind == 1 && sim_chance(plan->random, 1, 2)))
			made.members[made.nr_members++] = other;
	}
	now(plan, made);
	/* They come back one by one. */
	for (int i = 0; i < made.nr_members; i++) {
		struct sim_action start = action(plan, SIM_START, made.members[i], NO_MEMBER);

		start.from = start.to = whole(sim_between(plan->random, plan->until, plan->until + SIM_SECOND));
		sim_schedule_add(plan->schedule, &start);
	}
}

static void plan_link(const struct plan *plan, int a, int b)
{
	struct sim_action made;

	switch (sim_below(plan->random, 6)) {
	case 0:
	case 1:
		now(plan, action(plan, SIM_CUT, a, b));
		then(plan, action(plan, SIM_HEAL, a, b));
		break;
	case 2:
		now(plan, one_way(plan, SIM_CUT_ONE_WAY, a, b));
		then(plan, one_way(plan, SIM_HEAL_ONE_WAY, a, b));
		break;
	case 3:
		now(plan, action(plan, SIM_ISOLATE, a, NO_MEMBER));
		for (int other = 0; other < plan->members; other++) {
			if (other != a)
				then(plan, action(plan, SIM_HEAL, a, other));
		}
		break;
	case 4:
		now(plan, action(plan, SIM_BREAK, a, b));
		break;
	default:
		made = action(plan, sim_chance(plan->random, 1, 2) ? SIM_SLOW : SIM_DELAY, a, b);
		made.numbers[0] = made.kind == SIM_SLOW ? sim_spread(plan->random, 20000, 10000000)
							: sim_spread(plan->random, SIM_MILLISECOND, SIM_SECOND);
		now(plan, made);
		made.numbers[0] = 0;
		then(plan, made);
	}
}

static void plan_disk(const struct plan *plan, int member)
{
	uint64_t lasts = plan->until - plan->time, count;

	switch (sim_below(plan->random, 6)) {
	case 0:
	case 1:
		number(plan, SIM_DISK_HANG, member, lasts);
		break;
	case 2:
		number(plan, SIM_DISK_SLOW, member, sim_spread(plan->random, SIM_MILLISECOND, SIM_SECOND));
		break;
	case 3:
		/* One after the other: in which order arguments are worked out is the compiler's. */
		count = sim_spread(plan->random, 1, 8);
		number(plan, sim_chance(plan->random, 2, 3) ? SIM_DISK_WRITE_ERRORS : SIM_DISK_READ_ERRORS, member,
		       count);
		break;
	case 4:
		number(plan, SIM_DISK_FLUSH_ERRORS, member, 1);
		break;
	default:
		now(plan, action(plan, SIM_DISK_FULL, member, NO_MEMBER));
	}
	then(plan, action(plan, SIM_DISK_WELL, member, NO_MEMBER));
}

/* What a member has on disk changes: only if nobody else is hurt. */
static void plan_hurt(const struct plan *plan, int member)
{
	static const enum sim_action_kind kinds[] = {
		SIM_META_FLIP, SIM_META_FLIP,	  SIM_META_REMOVE,   SIM_META_WIPE,
		SIM_META_OLD,  SIM_IMAGE_REPLACE, SIM_IMAGE_MISSING,
	};
	struct sim_action made =
		action(plan, kinds[sim_below(plan->random, sizeof(kinds) / sizeof(kinds[0]))], member, NO_MEMBER);

	made.careful = true;
	made.numbers[0] = sim_below(plan->random, 4);
	if (made.kind != SIM_META_FLIP && made.kind != SIM_META_REMOVE)
		made.numbers[0] = 0;
	if (made.kind == SIM_META_OLD) {
		struct sim_action keep = action(plan, SIM_META_KEEP, member, NO_MEMBER);

		keep.from = keep.to = whole(sim_below(plan->random, plan->time + 1));
		sim_schedule_add(plan->schedule, &keep);
	}
	now(plan, made);
	then(plan, action(plan, SIM_START, member, NO_MEMBER));
	if (made.kind == SIM_IMAGE_MISSING) {
		struct sim_action back = action(plan, SIM_IMAGE_BACK, member, NO_MEMBER);

		back.from = back.to = whole(plan->until + sim_spread(plan->random, SIM_MILLISECOND, 20 * SIM_SECOND));
		sim_schedule_add(plan->schedule, &back);
	}
}

static void plan_process(const struct plan *plan, int member)
{
	switch (sim_below(plan->random, 8)) {
	case 0:
	case 1:
	case 2:
		now(plan, action(plan, SIM_KILL, member, NO_MEMBER));
		then(plan, action(plan, SIM_START, member, NO_MEMBER));
		break;
	case 3:
		now(plan, action(plan, SIM_TERMINATE, member, NO_MEMBER));
		then(plan, action(plan, SIM_START, member, NO_MEMBER));
		break;
	default:
		now(plan, action(plan, SIM_STOP, member, NO_MEMBER));
		then(plan, action(plan, SIM_CONTINUE, member, NO_MEMBER));
	}
}

static void plan_rest(const struct plan *plan, int member)
{
	uint64_t bound = plan->settings->drift;

	switch (sim_below(plan->random, 5)) {
	case 0:
		now(plan, action(plan, SIM_PROMOTE, member, NO_MEMBER));
		break;
	case 1:
		now(plan, action(plan, SIM_DIE, member, NO_MEMBER));
		break;
	case 2:
		number(plan, SIM_DRIFT, member, sim_chance(plan->random, 1, 2) ? 1000000 - bound : 1000000 + bound);
		break;
	case 3:
		number(plan, SIM_META_HANG, member, plan->until - plan->time);
		break;
	default:
		number(plan, SIM_META_ERRORS, member, 1);
	}
}

static void plan_fault(const struct plan *plan)
{
	uint64_t chosen = sim_below(plan->random, 100);
	int member = (int)sim_below(plan->random, (uint64_t)plan->members);
	int other = (int)sim_below(plan->random, (uint64_t)plan->members - 1);

	other += other >= member;
	if (chosen < 27)
		plan_process(plan, member);
	else if (chosen < 42)
		plan_power(plan, member);
	else if (chosen < 66)
		plan_link(plan, member, other);
	else if (chosen < 80)
		plan_disk(plan, member % (int)plan->settings->copies);
	else if (chosen < 88)
		plan_hurt(plan, member);
	else
		plan_rest(plan, member);
}

/* Near another one, or anywhere. */
static uint64_t choose_time(const struct plan *plan)
{
	const struct sim_schedule *schedule = plan->schedule;
	uint64_t last = plan->duration - plan->duration / 50;

	if (schedule->count && sim_chance(plan->random, 1, 2)) {
		const struct sim_action *near = &schedule->actions[sim_below(plan->random, schedule->count)];
		uint64_t distance = sim_spread(plan->random, SIM_MICROSECOND, 2 * SIM_SECOND);
		uint64_t time = near->from + distance;

		if (sim_chance(plan->random, 1, 3) && near->from > distance)
			time = near->from - distance;
		return time < last ? time : last;
	}
	return sim_below(plan->random, last);
}

/*
 * Now and then a process that starts finds no file of bits any more. Whatever is lost elsewhere at the time: it is told
 * by the slots, and costs nothing but comparisons.
 */
static void lose_bits(const struct plan *plan)
{
	size_t count = plan->schedule->count;

	for (size_t i = 0; i < count; i++) {
		struct sim_action lost = plan->schedule->actions[i];

		if (lost.kind != SIM_START || !sim_chance(plan->random, 1, 8))
			continue;
		lost.kind = SIM_META_REMOVE;
		lost.numbers[0] = SIM_PIECE_BITS;
		sim_schedule_add(plan->schedule, &lost);
	}
}

void sim_schedule_random(struct sim_schedule *schedule, const struct sim_settings *settings, uint64_t duration,
			 uint64_t count, struct sim_random *random)
{
	struct plan plan = {
		.schedule = schedule,
		.settings = settings,
		.random = random,
		.duration = duration,
		.members = (int)(settings->copies + settings->diskless),
	};

	if (plan.members < 2)
		return;
	while (count--) {
		uint64_t lasts = sim_chance(random, 1, 2)
					 ? sim_spread(random, settings->lease / 8 + 1, 4 * settings->lease)
					 : sim_spread(random, SIM_MILLISECOND, 20 * SIM_SECOND);

		plan.time = whole(choose_time(&plan));
		plan.until = plan.time + whole(lasts);
		if (plan.until > duration)
			plan.until = whole(duration);
		plan_fault(&plan);
	}
	lose_bits(&plan);
}
