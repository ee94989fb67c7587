/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The language of schedules: what is written is read as it was, random schedules too; what is wrong is told with its
 * line.
 */
#include <glob.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sim_engine.h"
#include "sim_schedule.h"

static const char *const good[] = {
	"at 1200ms kill B",
	"at 5ms start A C",
	"at 1s terminate A",
	"at 1s stop A B C",
	"at 0ns continue C",
	"at 3s power A C",
	"at 3s drift A 1000100",
	"at 1us cut A B",
	"at 1us cut A to B",
	"at 2ms heal",
	"at 2ms heal A B",
	"at 2ms heal B to A",
	"at 2ms isolate D",
	"at 2ms break A B",
	"at 2ms slow A B 1000",
	"at 2ms delay A B 5ms",
	"at 1s disk B hang 3s",
	"at 1s disk B slow 1ms",
	"at 1s disk B write-errors 3",
	"at 1s disk B read-errors 3",
	"at 1s disk B flush-errors 1",
	"at 1s disk B evict",
	"at 1s disk B full",
	"at 1s disk B well",
	"at 1s meta B hang 3s",
	"at 1s meta B errors 1",
	"at 1s meta B flip 2",
	"at 1s meta B remove 3",
	"at 1s meta B wipe careful",
	"at 1s meta B keep",
	"at 1s meta B old careful",
	"at 1s image B replace",
	"at 1s image B missing",
	"at 1s image B smaller",
	"at 1s list B 2",
	"at 1s version B 2",
	"at 1s image B back",
	"at 1s view A shows A B",
	"at 1s promote B",
	"at 1s force B without A C",
	"at 1s invalidate A C",
	"at 1s die A",
	"at 1s wake",
	"at 1s write A 3 1",
	"at 1s read A 3 1",
	"at 1s zeroes A 3 1",
	"at 1s flush A",
	"at 1s fua A 0 8",
	"at 1s..3s kill A",
	"seed 17",
	"set lease 200ms",
	"set copies 3",
	"expect loss",
	"alone",
	"expect refused B C",
	"# nothing",
	"   ",
	"at 1s kill A # and a comment",
};

static const char *const bad[] = {
	"kill B",
	"at",
	"at 1s",
	"at x kill B",
	"at 1s..0s kill B",
	"at 1h kill B",
	"at 1s kill",
	"at 1s kill H",
	"at 1s kill B 3",
	"at 1s cut A",
	"at 1s cut A A",
	"at 1s cut A to A",
	"at 1s cut A to B C",
	"at 1s heal A",
	"at 1s disk B",
	"at 1s disk B hang",
	"at 1s disk B fly 3",
	"at 1s disk A B hang 3",
	"at 1s meta B flip 4",
	"at 1s write A 3",
	"at 1s view A shows",
	"at 1s force B without",
	"set lease",
	"set lease x",
	"seed",
	"seed x",
	"seed 1 2",
	"set lease 1s 2s",
	"expect",
	"expect refused",
	"alone A",
	"expect refused 3",
	"at 99999999999999999999s kill B",
	"at 1s drift A 2000000",
	"at 1s drift A 0",
	"at 1s list C 2",
	"set averyveryverylongnamethatdoesnotfitanywhere 1",
};

static void parses(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		struct sim_schedule schedule = { 0 };
		unsigned int line;
		const char *wrong = sim_schedule_parse(&schedule, good[i], &line);

		if (wrong)
			fail_msg("%s: %s", good[i], wrong);
		sim_schedule_free(&schedule);
	}
}

static void refuses(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct sim_schedule schedule = { 0 };
		char text[200];
		unsigned int line;

		snprintf(text, sizeof(text), "# first\nat 1s wake\n%s\nat 2s wake\n", bad[i]);
		if (!sim_schedule_parse(&schedule, text, &line))
			fail_msg("taken: %s", bad[i]);
		assert_int_equal(line, 3);
		sim_schedule_free(&schedule);
	}
}

static char *print(const struct sim_schedule *schedule)
{
	char *text = NULL;
	size_t size;
	FILE *file = open_memstream(&text, &size);

	assert_non_null(file);
	sim_schedule_print(schedule, file);
	fclose(file);
	return text;
}

static void check_round(const struct sim_schedule *schedule)
{
	struct sim_schedule again = { 0 };
	char *text = print(schedule), *text_again;
	unsigned int line;
	const char *wrong = sim_schedule_parse(&again, text, &line);

	if (wrong)
		fail_msg("line %u of\n%s: %s", line, text, wrong);
	text_again = print(&again);
	assert_string_equal(text, text_again);
	assert_int_equal(schedule->count, again.count);
	for (size_t i = 0; i < again.count; i++)
		assert_memory_equal(&schedule->actions[i], &again.actions[i], sizeof(struct sim_action));
	free(text);
	free(text_again);
	sim_schedule_free(&again);
}

static void prints_what_it_reads(void **state)
{
	struct sim_schedule schedule = { 0 };
	unsigned int line;

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		assert_null(sim_schedule_parse(&schedule, good[i], &line));
	assert_true(schedule.expect_loss);
	assert_int_equal(schedule.expect_refused, member_bit(1) | member_bit(2));
	check_round(&schedule);
	sim_schedule_free(&schedule);
}

static void settles(void **state)
{
	static const char text[] = "at 3s kill C\nat 1s..2s kill A\nat 3s kill D\nat 10ms kill B\n";
	struct sim_schedule schedule = { 0 };
	struct sim_random random;
	unsigned int line;

	(void)state;
	assert_null(sim_schedule_parse(&schedule, text, &line));
	sim_random_seed(&random, 1, 1);
	sim_schedule_settle(&schedule, &random);
	assert_int_equal(schedule.actions[0].members[0], 1);
	assert_int_equal(schedule.actions[1].members[0], 0);
	assert_true(schedule.actions[1].from >= SIM_SECOND && schedule.actions[1].from <= 2 * SIM_SECOND);
	assert_true(schedule.actions[1].from == schedule.actions[1].to);
	/* Those of one time as they were. */
	assert_int_equal(schedule.actions[2].members[0], 2);
	assert_int_equal(schedule.actions[3].members[0], 3);
	sim_schedule_free(&schedule);
}

static void random_schedules(void **state)
{
	unsigned int seen[SIM_ACTIONS] = { 0 };

	(void)state;
	for (uint64_t seed = 1; seed <= 300; seed++) {
		struct sim_schedule schedule = { 0 };
		struct sim_settings settings;
		struct sim_random random;

		sim_random_seed(&random, seed, 1);
		sim_settings_choose(&settings, &random);
		assert_null(sim_settings_wrong(&settings));
		sim_schedule_random(&schedule, &settings, settings.duration, settings.nr_faults, &random);
		sim_schedule_settle(&schedule, &random);
		assert_true(schedule.count >= settings.nr_faults);
		for (size_t i = 0; i < schedule.count; i++) {
			seen[schedule.actions[i].kind]++;
			assert_true(!i || schedule.actions[i - 1].from <= schedule.actions[i].from);
		}
		check_round(&schedule);
		sim_schedule_free(&schedule);
	}
	for (int kind = 0; kind < SIM_ACTIONS; kind++) {
		/* What only scripts do. */
		if (kind == SIM_DISK_EVICT || kind == SIM_VIEW || kind == SIM_FORCE || kind == SIM_INVALIDATE ||
		    kind == SIM_LIST || kind == SIM_VERSION || kind == SIM_META_COOL || kind == SIM_IMAGE_SMALLER ||
		    kind >= SIM_WAKE)
			assert_int_equal(seen[kind], 0);
		else
			assert_true(seen[kind] > 0);
	}
}

static void sets(void **state)
{
	struct sim_schedule schedule = { 0 };
	struct sim_settings settings = { 0 };
	unsigned int line;

	(void)state;
	assert_null(sim_schedule_parse(&schedule, "set lease 5s\nset copies 4\n", &line));
	assert_null(sim_schedule_set(&schedule, &settings));
	assert_int_equal(settings.lease, 5 * SIM_SECOND);
	assert_int_equal(settings.copies, 4);
	assert_null(sim_schedule_parse(&schedule, "set nonsense 4\n", &line));
	assert_string_equal(sim_schedule_set(&schedule, &settings), "nonsense");
	sim_schedule_free(&schedule);
}

/* Each scenario can be played by the set that it asks for. */
static void scenarios(void **state)
{
	glob_t found;

	(void)state;
	assert_int_equal(glob(SIM_SCENARIOS "/*.txt", 0, NULL, &found), 0);
	assert_true(found.gl_pathc >= 20);
	for (size_t i = 0; i < found.gl_pathc; i++) {
		FILE *file = fopen(found.gl_pathv[i], "r");
		struct sim_schedule schedule = { 0 };
		struct sim_settings settings = { 0 };
		static char text[8192];
		unsigned int line;
		const char *wrong;
		size_t size;

		assert_non_null(file);
		size = fread(text, 1, sizeof(text) - 1, file);
		fclose(file);
		text[size] = '\0';
		wrong = sim_schedule_parse(&schedule, text, &line);
		if (!wrong)
			wrong = sim_schedule_set(&schedule, &settings);
		if (wrong)
			fail_msg("%s: line %u: %s", found.gl_pathv[i], line, wrong);
		assert_true(schedule.count > 0 && settings.copies > 0 && settings.duration > 0);
		for (size_t j = 0; j < schedule.count; j++) {
			for (int k = 0; k < schedule.actions[j].nr_members; k++)
				assert_true((uint64_t)schedule.actions[j].members[k] <
					    settings.copies + settings.diskless);
		}
		sim_schedule_free(&schedule);
	}
	globfree(&found);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parses),    cmocka_unit_test(refuses),		 cmocka_unit_test(prints_what_it_reads),
		cmocka_unit_test(settles),   cmocka_unit_test(random_schedules), cmocka_unit_test(sets),
		cmocka_unit_test(scenarios),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
