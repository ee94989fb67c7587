/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Clocks of hosts. In integers: the same on every machine.
 */
#include "sim_clock.h"

#include "sim_engine.h"

#define MILLION UINT64_C(1000000)

static uint64_t speed(const struct sim_clock *clock)
{
	return (uint64_t)((int64_t)MILLION + clock->drift);
}

/* time * numerator / denominator, rounded down; both below 2 million, time below 2^63. */
static uint64_t scale(uint64_t time, uint64_t numerator, uint64_t denominator)
{
	return time / denominator * numerator + time % denominator * numerator / denominator;
}

uint64_t sim_clock_show(const struct sim_clock *clock, uint64_t true_time)
{
	return clock->base + scale(true_time - clock->true_base, speed(clock), MILLION);
}

uint64_t sim_clock_when(const struct sim_clock *clock, uint64_t shown)
{
	uint64_t time;

	if (shown <= clock->base)
		return clock->true_base;
	if (shown - clock->base > UINT64_MAX / 8)
		return SIM_NEVER;
	time = clock->true_base + scale(shown - clock->base, MILLION, speed(clock));
	/* What was rounded down, here and in what it shows. */
	while (sim_clock_show(clock, time) < shown)
		time++;
	return time;
}

void sim_clock_drift(struct sim_clock *clock, uint64_t true_time, int32_t drift)
{
	clock->base = sim_clock_show(clock, true_time);
	clock->true_base = true_time;
	clock->drift = drift;
}
