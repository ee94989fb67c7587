/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whole runs, with a core that is right only while nothing fails (fake_replica.c): such runs pass, are the same when
 * they are played again, and what the core does wrong when something fails is found, each by what is to find it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "sim_engine.h"
#include "sim_run.h"

/* What the core cannot do: full queues. Little is asked for, so that no member has a backlog in the end. */
#define PEACE                                                                                                          \
	"set queue 1000000000\nset copies 3\nset diskless 0\nset duration 30s\nset nr_requests 300\nset "              \
	"power_epilogue 0\n"                                                                                           \
	"set disk_delay 1ms\nset cached 200\nset tail 0\nset delay 1ms\nset jitter 1ms\nset calm_limit 20s\n"

static void run(uint64_t seed, const char *text, uint64_t faults, struct sim_outcome *outcome)
{
	const struct sim_wanted wanted = { SIM_AS_CHOSEN, SIM_AS_CHOSEN, faults };
	struct sim_schedule script = { 0 };
	struct sim_plan plan;
	unsigned int line;

	assert_null(sim_schedule_parse(&script, text, &line));
	assert_null(sim_plan_make(&plan, seed, &script, &wanted));
	sim_plan_run(&plan, false, false, outcome);
	sim_plan_free(&plan);
	sim_schedule_free(&script);
}

static void peace(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 20; seed++) {
		struct sim_outcome outcome;

		run(seed, PEACE, 0, &outcome);
		if (outcome.failed)
			fail_msg("seed %d: %s", (int)seed, outcome.failure);
		assert_true(outcome.requests > 100 && outcome.answers > 100 && outcome.frames > 100);
		assert_int_equal(outcome.errors, 0);
	}
}

/* What is stopped goes on, and what is cut for less than a time-out is only late. */
static void pauses(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 20; seed++) {
		struct sim_outcome outcome;

		run(seed,
		    PEACE
		    "set timeout 100s\nat 10s stop A\nat 12s continue A\nat 13s stop B C\nat 13500ms continue C\nat "
		    "14s continue B\n"
		    "at 15s cut A B\nat 16s heal A B\nat 17s cut B to A\nat 18s heal B to A\nat 19s disk C hang 2s\n"
		    "at 20s delay A B 10ms\nat 22s slow A C 100000\n",
		    0, &outcome);
		if (outcome.failed)
			fail_msg("seed %d: %s", (int)seed, outcome.failure);
		assert_int_equal(outcome.actions, 12);
	}
}

static void same_again(void **state)
{
	uint64_t digests[5];

	(void)state;
	for (uint64_t seed = 0; seed < 5; seed++) {
		struct sim_outcome outcome, again;

		run(seed, "set duration 60s\n", 20, &outcome);
		run(seed, "set duration 60s\n", 20, &again);
		assert_memory_equal(&outcome, &again, sizeof(outcome));
		digests[seed] = outcome.digest;
		for (uint64_t other = 0; other < seed; other++)
			assert_true(digests[other] != outcome.digest);
	}
}

/* Runs seeds until one of them fails with that text. */
static void must_find(const char *text, const char *what)
{
	struct sim_outcome outcome = { 0 };

	for (uint64_t seed = 1; seed <= 30; seed++) {
		run(seed, text, 0, &outcome);
		if (outcome.failed && strstr(outcome.failure, what))
			return;
	}
	fail_msg("not found: %s (but: %s)", what, outcome.failure);
}

static void finds(void **state)
{
	(void)state;
	/* B misses what is written while it is away. */
	must_find(PEACE "at 10s kill B\nat 15s start B\n", "differs");
	/* The only one has lost its image, and serves. */
	must_find(PEACE "set copies 1\nat 10s image A replace\n", "lost write");
	/* Frames that never fit into a queue: clients wait for ever. */
	must_find(PEACE "set queue 100\nset duration 3s\nset calm_limit 1s\n", "have no answer");
	/* Its disk fails, and nobody hears of it. */
	must_find(PEACE "at 10s disk C write-errors 5\n", "differs");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(peace),
		cmocka_unit_test(pauses),
		cmocka_unit_test(same_again),
		cmocka_unit_test(finds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
