/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rdisk-sim: runs the replication core in a simulated world, from many seeds, and says which of them it does not
 * survive. Options and reports; what a run is says sim_run.h.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim_bug.h"
#include "sim_child.h"
#include "sim_engine.h"
#include "sim_memory.h"
#include "sim_shorten.h"

/* Where scenarios are, if the build does not say. */
#ifndef SIM_SCENARIOS
#define SIM_SCENARIOS "sim/scenarios"
#endif

#define JOBS_MAX      64
#define ARGUMENTS_MAX 64

static const char usage[] =
	"usage: rdisk-sim [OPTION]...\n"
	"Runs the replication core in a simulated world: a run for each seed, with its own set, "
	"network, clients and faults.\n"
	"\n"
	"  --seeds N        as many runs, of as many seeds (1)\n"
	"  --seed S         the first seed (1)\n"
	"  --scenario NAME  plays " SIM_SCENARIOS "/NAME.txt; random faults only with --faults\n"
	"  --script FILE    the same with any file; its language: sim/sim_schedule.h\n"
	"  --minutes M      simulated, before the calm at the end (10)\n"
	"  --requests N     of all clients (2000)\n"
	"  --faults N       random ones (20)\n"
	"  --trace          prints all that happens; one seed\n"
	"  --schedule       prints the settings and the schedule of one seed, and runs nothing\n"
	"  --shorten N      runs that may be spent on shortening a schedule that fails (300)\n"
	"  --save DIR       keeps each shortened schedule there, as seed-S.txt, for --script\n"
	"  --until-failure  no more runs after one that failed\n"
	"  --bug NAME       a deliberate bug of the core, in rdisk-sim-bugs; \"list\" prints the names\n"
	"  --verbose        a line for each seed, also of those that pass\n"
	"  -j N             as many runs at once (2)\n"
	"\n"
	"Exit status: 0 if no run failed, 1 if one did, 2 if they could not be run.\n";

struct options {
	uint64_t seeds, seed, shorten, jobs;
	struct sim_wanted wanted;
	const char *arguments[ARGUMENTS_MAX]; /* those that a replay needs, too */
	int nr_arguments;
	const char *save;
	bool has_seed;
	bool trace, schedule, verbose, until_failure;
	bool has_script;
	struct sim_schedule script;
};

static struct options options = {
	.seeds = 1,
	.seed = 1,
	.shorten = 300,
	.jobs = 2,
	.wanted = { SIM_AS_CHOSEN, SIM_AS_CHOSEN, SIM_AS_CHOSEN },
};

__attribute__((noreturn)) static void refuse(const char *what, const char *why)
{
	fprintf(stderr, "rdisk-sim: %s: %s\n", what, why);
	exit(2);
}

static uint64_t number(const char *option, const char *text, uint64_t most)
{
	char *end;
	unsigned long long value;

	errno = 0;
	value = strtoull(text, &end, 10);
	if (errno || *end || end == text || *text == '-' || value > most)
		refuse(option, "not a number, or too high");
	return value;
}

static char *read_file(const char *name)
{
	FILE *file = fopen(name, "r");
	char *text = NULL;
	size_t size = 0, got;

	if (!file)
		refuse(name, strerror(errno));
	do {
		text = sim_resize(text, size + 4096 + 1);
		got = fread(text + size, 1, 4096, file);
		size += got;
	} while (got);
	if (ferror(file))
		refuse(name, strerror(errno));
	fclose(file);
	text[size] = '\0';
	return text;
}

static void read_script(const char *name)
{
	char *text = read_file(name);
	unsigned int line;
	const char *wrong = sim_schedule_parse(&options.script, text, &line);

	if (wrong) {
		fprintf(stderr, "rdisk-sim: %s: line %u: %s\n", name, line, wrong);
		exit(2);
	}
	options.has_script = true;
	free(text);
}

static void read_scenario(const char *name)
{
	char path[512];
	int length = snprintf(path, sizeof(path), "%s/%s.txt", SIM_SCENARIOS, name);

	if (length < 0 || (size_t)length >= sizeof(path) || strchr(name, '/'))
		refuse(name, "there is no such scenario");
	read_script(path);
}

enum {
	OPTION_SEEDS = 256,
	OPTION_SEED,
	OPTION_SCENARIO,
	OPTION_SCRIPT,
	OPTION_MINUTES,
	OPTION_REQUESTS,
	OPTION_FAULTS,
	OPTION_TRACE,
	OPTION_SCHEDULE,
	OPTION_SHORTEN,
	OPTION_SAVE,
	OPTION_UNTIL_FAILURE,
	OPTION_BUG,
	OPTION_VERBOSE,
	OPTION_HELP,
};

static const struct option long_options[] = {
	{ "seeds", required_argument, NULL, OPTION_SEEDS },
	{ "seed", required_argument, NULL, OPTION_SEED },
	{ "scenario", required_argument, NULL, OPTION_SCENARIO },
	{ "script", required_argument, NULL, OPTION_SCRIPT },
	{ "minutes", required_argument, NULL, OPTION_MINUTES },
	{ "requests", required_argument, NULL, OPTION_REQUESTS },
	{ "faults", required_argument, NULL, OPTION_FAULTS },
	{ "trace", no_argument, NULL, OPTION_TRACE },
	{ "schedule", no_argument, NULL, OPTION_SCHEDULE },
	{ "shorten", required_argument, NULL, OPTION_SHORTEN },
	{ "save", required_argument, NULL, OPTION_SAVE },
	{ "until-failure", no_argument, NULL, OPTION_UNTIL_FAILURE },
	{ "bug", required_argument, NULL, OPTION_BUG },
	{ "verbose", no_argument, NULL, OPTION_VERBOSE },
	{ "help", no_argument, NULL, OPTION_HELP },
	{ NULL, 0, NULL, 0 },
};

static void keep_for_replay(const char *name, const char *value)
{
	if (options.nr_arguments + 2 > ARGUMENTS_MAX)
		refuse(name, "too many options");
	options.arguments[options.nr_arguments++] = name;
	options.arguments[options.nr_arguments++] = value;
}

static void choose_bug(const char *name)
{
	if (!strcmp(name, "list")) {
		sim_bug_list(stdout);
		exit(0);
	}
	if (!sim_bug_choose(name))
		refuse(name, "no deliberate bug of this program's core");
}

static void take_option(int option)
{
	switch (option) {
	case OPTION_SEEDS:
		options.seeds = number("--seeds", optarg, UINT64_MAX);
		break;
	case OPTION_SEED:
		options.seed = number("--seed", optarg, UINT64_MAX);
		options.has_seed = true;
		break;
	case OPTION_SCENARIO:
		keep_for_replay("--scenario", optarg);
		read_scenario(optarg);
		break;
	case OPTION_SCRIPT:
		keep_for_replay("--script", optarg);
		read_script(optarg);
		break;
	case OPTION_MINUTES:
		keep_for_replay("--minutes", optarg);
		options.wanted.duration = number("--minutes", optarg, 10000) * 60 * SIM_SECOND;
		break;
	case OPTION_REQUESTS:
		keep_for_replay("--requests", optarg);
		options.wanted.requests = number("--requests", optarg, 10000000);
		break;
	case OPTION_FAULTS:
		keep_for_replay("--faults", optarg);
		options.wanted.faults = number("--faults", optarg, 100000);
		break;
	case OPTION_TRACE:
		options.trace = true;
		break;
	case OPTION_SCHEDULE:
		options.schedule = true;
		break;
	case OPTION_SHORTEN:
		options.shorten = number("--shorten", optarg, 1000000);
		break;
	case OPTION_SAVE:
		options.save = optarg;
		break;
	case OPTION_UNTIL_FAILURE:
		options.until_failure = true;
		break;
	case OPTION_BUG:
		keep_for_replay("--bug", optarg);
		choose_bug(optarg);
		break;
	case OPTION_VERBOSE:
		options.verbose = true;
		break;
	case 'j':
		options.jobs = number("-j", optarg, JOBS_MAX);
		break;
	case OPTION_HELP:
		fputs(usage, stdout);
		exit(0);
	default:
		fputs(usage, stderr);
		exit(2);
	}
}

static void make_plan(struct sim_plan *plan, uint64_t seed)
{
	const char *wrong = sim_plan_make(plan, seed, options.has_script ? &options.script : NULL, &options.wanted);

	if (wrong)
		refuse("the run cannot be made", wrong);
}

static void print_plan(const struct sim_plan *plan, FILE *out)
{
	fprintf(out, "seed %" PRIu64 "\n", plan->seed);
	sim_settings_print(&plan->settings, out);
	sim_schedule_print(&plan->schedule, out);
}

/* All of its settings, so that it stays what it is when other ones come to be chosen. */
static void save_plan(struct sim_plan *plan, const struct sim_outcome *outcome)
{
	char path[512];
	int length = snprintf(path, sizeof(path), "%s/seed-%" PRIu64 ".txt", options.save, plan->seed);
	bool bad;
	FILE *file;

	if (length < 0 || (size_t)length >= sizeof(path))
		refuse(options.save, "the name is too long");
	file = fopen(path, "w");
	if (!file)
		refuse(path, strerror(errno));
	/* What was added by chance is in the schedule. */
	plan->settings.nr_faults = 0;
	fprintf(file, "# %s\n", outcome->failure);
	print_plan(plan, file);
	bad = ferror(file);
	if (fclose(file) || bad)
		refuse(path, "it could not be written");
}

static void print_replay(uint64_t seed)
{
	printf("  replay: %s --seed %" PRIu64, program_invocation_short_name, seed);
	for (int i = 0; i < options.nr_arguments; i++)
		printf(" %s", options.arguments[i]);
	printf(" --trace\n");
}

static void report_failure(uint64_t seed, const struct sim_outcome *outcome)
{
	struct sim_outcome shortened = *outcome;
	struct sim_plan plan;
	size_t before;

	printf("seed %" PRIu64 " FAILED %s\n", seed, outcome->failure);
	print_replay(seed);
	fflush(stdout);
	make_plan(&plan, seed);
	before = plan.schedule.count;
	sim_shorten(&plan, (unsigned int)options.shorten, &shortened);
	printf("  shortened, %zu of %zu actions: %s\n", plan.schedule.count, before, shortened.failure);
	printf("  as a script, for --script FILE --seed %" PRIu64 ":\n", seed);
	printf("set duration %" PRIu64 "\nset nr_requests %" PRIu64 "\n", plan.settings.duration,
	       plan.settings.nr_requests);
	for (size_t i = 0; i < options.script.nr_settings; i++)
		printf("set %s %" PRIu64 "\n", options.script.settings[i].name, options.script.settings[i].value);
	sim_schedule_print(&plan.schedule, stdout);
	putchar('\n');
	fflush(stdout);
	if (options.save)
		save_plan(&plan, &shortened);
	sim_plan_free(&plan);
}

struct totals {
	uint64_t runs, failed, time, requests, errors, epochs, actions, skipped, events, frames, compared;
};

static void print_outcome(uint64_t seed, const struct sim_outcome *outcome)
{
	printf("seed %" PRIu64 " %s: digest %016" PRIx64 ", %" PRIu64 " s, %" PRIu64 " requests, %" PRIu64
	       " errors, %" PRIu64 " epochs, %" PRIu64 " actions, %" PRIu64 " not done, %" PRIu64 " events\n",
	       seed, outcome->failed ? "failed" : "passed", outcome->digest, outcome->time / SIM_SECOND,
	       outcome->requests, outcome->errors, outcome->epochs, outcome->actions, outcome->skipped,
	       outcome->events);
}

static void count(struct totals *totals, uint64_t seed, const struct sim_outcome *outcome)
{
	totals->runs++;
	totals->failed += outcome->failed;
	totals->time += outcome->time;
	totals->requests += outcome->requests;
	totals->errors += outcome->errors;
	totals->epochs += outcome->epochs;
	totals->actions += outcome->actions;
	totals->skipped += outcome->skipped;
	totals->events += outcome->events;
	totals->frames += outcome->frames;
	totals->compared += outcome->compared;
	if (options.verbose)
		print_outcome(seed, outcome);
	if (outcome->failed)
		report_failure(seed, outcome);
}

/* The one of several whose process has ended, or is about to. */
static struct sim_child *next_child(struct sim_child *children, uint64_t jobs)
{
	struct pollfd fds[JOBS_MAX];

	for (;;) {
		for (uint64_t i = 0; i < jobs; i++)
			fds[i] = (struct pollfd){ .fd = children[i].pid ? children[i].fd : -1, .events = POLLIN };
		if (poll(fds, (nfds_t)jobs, -1) < 0) {
			if (errno != EINTR)
				refuse("poll", strerror(errno));
			continue;
		}
		for (uint64_t i = 0; i < jobs; i++) {
			if (children[i].pid && fds[i].revents)
				return &children[i];
		}
	}
}

static void run_seeds(struct totals *totals)
{
	struct sim_child children[JOBS_MAX] = { 0 };
	uint64_t started = 0, running = 0;

	while (started < options.seeds || running) {
		struct sim_child *free_child = NULL, *child;
		struct sim_outcome outcome;

		for (uint64_t i = 0; i < options.jobs && !free_child; i++) {
			if (!children[i].pid)
				free_child = &children[i];
		}
		if (free_child && started < options.seeds) {
			struct sim_plan plan;

			make_plan(&plan, options.seed + started++);
			sim_child_start(free_child, &plan);
			sim_plan_free(&plan);
			running++;
			continue;
		}
		child = next_child(children, options.jobs);
		sim_child_end(child, &outcome);
		running--;
		count(totals, child->seed, &outcome);
		if (outcome.failed && options.until_failure)
			options.seeds = started;
	}
}

/* In this process, so that a debugger sees it. */
static int run_traced(void)
{
	struct sim_outcome outcome;
	struct sim_plan plan;

	make_plan(&plan, options.seed);
	print_plan(&plan, stdout);
	outcome.failed = false;
	if (!options.schedule) {
		sim_plan_run(&plan, true, true, &outcome);
		print_outcome(options.seed, &outcome);
	}
	sim_plan_free(&plan);
	if (outcome.failed)
		printf("seed %" PRIu64 " FAILED %s\n", options.seed, outcome.failure);
	return outcome.failed;
}

int main(int argc, char **argv)
{
	struct totals totals = { 0 };
	int option;

	while ((option = getopt_long(argc, argv, "j:", long_options, NULL)) >= 0)
		take_option(option);
	if (optind < argc)
		refuse(argv[optind], "not an option (--help)");
	if (!options.jobs)
		refuse("-j", "at least 1");
	if (options.script.has_seed && !options.has_seed)
		options.seed = options.script.seed;
	if (options.trace || options.schedule)
		return run_traced();
	run_seeds(&totals);
	printf("%" PRIu64 " runs, %" PRIu64 " failed: %" PRIu64 " simulated minutes, %" PRIu64 " requests (%" PRIu64
	       " errors), %" PRIu64 " epochs, %" PRIu64 " actions (%" PRIu64 " not done), %" PRIu64 " frames, %" PRIu64
	       " events, images compared %" PRIu64 " times on the way\n",
	       totals.runs, totals.failed, totals.time / (60 * SIM_SECOND), totals.requests, totals.errors,
	       totals.epochs, totals.actions, totals.skipped, totals.frames, totals.events, totals.compared);
	return totals.failed ? 1 : 0;
}
