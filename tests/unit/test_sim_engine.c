/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Events come in the order of (time, when they were scheduled), whatever is moved and cancelled on the way; clocks go
 * forward and say when they will show something; random numbers are those of every other machine.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "sim_clock.h"
#include "sim_engine.h"
#include "sim_random.h"

#define EVENTS 500

struct marked {
	struct sim_event event;
	uint64_t wanted; /* time */
	unsigned int fired;
	uint64_t order; /* the last scheduling */
};

static struct sim_engine engine;
static struct marked marked[EVENTS];
static uint64_t last_time, last_order;

static void fire(struct sim_event *event)
{
	struct marked *mark = SIM_OWNER(event, struct marked, event);

	assert_int_equal(engine.now, mark->wanted);
	assert_true(engine.now > last_time || (engine.now == last_time && mark->order > last_order));
	assert_false(sim_scheduled(event));
	last_time = engine.now;
	last_order = mark->order;
	mark->fired++;
}

static void order(void **state)
{
	struct sim_random random;
	uint64_t scheduled = 0;
	unsigned int due[EVENTS] = { 0 };

	(void)state;
	sim_random_seed(&random, 1, 1);
	sim_engine_init(&engine);
	for (int step = 0; step < 20000; step++) {
		uint64_t i = sim_below(&random, EVENTS);

		marked[i].event.fire = fire;
		switch (sim_below(&random, 4)) {
		case 0:
			due[i] -= sim_scheduled(&marked[i].event);
			sim_cancel(&engine, &marked[i].event);
			break;
		case 1:
			sim_step(&engine, engine.now + 1);
			break;
		default:
			due[i] += !sim_scheduled(&marked[i].event);
			marked[i].wanted = engine.now + sim_below(&random, 20);
			marked[i].order = ++scheduled;
			sim_schedule(&engine, &marked[i].event, marked[i].wanted);
		}
	}
	while (sim_step(&engine, engine.now + 100))
		;
	for (int i = 0; i < EVENTS; i++)
		assert_int_equal(marked[i].fired, due[i]);
	assert_int_equal(engine.count, 0);
	sim_engine_free(&engine);
}

static void limit(void **state)
{
	struct marked late = { .event.fire = fire, .wanted = 50, .order = 1 };

	(void)state;
	last_time = last_order = 0;
	sim_engine_init(&engine);
	sim_schedule(&engine, &late.event, 50);
	assert_false(sim_step(&engine, 49));
	assert_int_equal(engine.now, 49);
	assert_int_equal(late.fired, 0);
	assert_true(sim_step(&engine, 50));
	assert_int_equal(late.fired, 1);
	assert_false(sim_step(&engine, 50));
	sim_engine_free(&engine);
}

static void clocks(void **state)
{
	static const int32_t drifts[] = { 0, 1, -1, 200, -200, 100000, -100000 };
	struct sim_random random;

	(void)state;
	sim_random_seed(&random, 2, 1);
	for (size_t i = 0; i < sizeof(drifts) / sizeof(drifts[0]); i++) {
		struct sim_clock clock = { .true_base = 1000, .base = 77777, .drift = drifts[i] };
		uint64_t before = 0, time = 1000;

		for (int step = 0; step < 1000; step++) {
			uint64_t shown = sim_clock_show(&clock, time), when = sim_clock_when(&clock, shown);

			assert_true(shown >= before);
			assert_true(when <= time && sim_clock_show(&clock, when) == shown);
			assert_true(when == 1000 || sim_clock_show(&clock, when - 1) < shown);
			before = shown;
			time += sim_spread(&random, 1, 1000 * SIM_SECOND);
		}
		sim_clock_drift(&clock, time, -drifts[i]);
		assert_true(sim_clock_show(&clock, time) >= before);
		assert_int_equal(sim_clock_when(&clock, UINT64_MAX - 1), SIM_NEVER);
	}
}

/* A second is one, within what the drift allows. */
static void clock_speed(void **state)
{
	struct sim_clock clock = { .drift = 100000 };

	(void)state;
	assert_int_equal(sim_clock_show(&clock, SIM_SECOND), 1100 * SIM_MILLISECOND);
	assert_int_equal(sim_clock_when(&clock, 1100 * SIM_MILLISECOND), SIM_SECOND);
}

static void numbers(void **state)
{
	struct sim_random random, other;

	(void)state;
	sim_random_seed(&random, 42, 3);
	assert_int_equal(sim_random(&random), UINT64_C(0x31c2b9a4dda48daf));
	sim_random_seed(&random, 42, 3);
	sim_random_seed(&other, 42, 4);
	assert_true(sim_random(&random) != sim_random(&other));
	for (int i = 0; i < 10000; i++) {
		uint64_t spread = sim_spread(&random, 3, 1000), between = sim_between(&random, 5, 7);

		assert_true(spread >= 3 && spread <= 1000);
		assert_true(between >= 5 && between <= 7);
		assert_int_equal(sim_spread(&random, 9, 9), 9);
		assert_int_equal(sim_below(&random, 1), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(order),       cmocka_unit_test(limit),	  cmocka_unit_test(clocks),
		cmocka_unit_test(clock_speed), cmocka_unit_test(numbers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
