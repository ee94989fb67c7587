/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rdisk-bench-host: measures clients on the host, of rdisk, of an NBD server and of a plain file, and prints each
 * value as a line of JSON; rdisk-bench-report(results.h) reads them. It starts no server.
 */
#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "load.h"
#include "measure.h"

#define ROUNDS_MAX 1000

static const char usage[] =
	"Usage: rdisk-bench-host [OPTION]... WHAT...\n"
	"Measures random and sequential reads by clients on the host.\n"
	"\n"
	"  -d, --dcid DCID          rdisk's container (0)\n"
	"  -e, --endpoint ENDPOINT  rdisk's endpoint (3)\n"
	"  -n, --nbd SOCKET         an NBD server's Unix socket; without it rdisk is alone\n"
	"  -f, --file FILE          the file that both serve; without it there is no pread\n"
	"  -r, --rounds ROUNDS      rounds (5)\n"
	"  -s, --seconds SECONDS    of each measurement (1)\n"
	"\n"
	"WHAT is rows (one client of minor 0 beside NBD and file), clients (1 to 8), devices (1 to 8 minors),\n"
	"depth (1 to 128 in flight), sizes (minors 0 to 6, of 1 to 64 GiB) or slow (one client of minor 0, and of\n"
	"minor 1, while another's discards, zeroes and flushes wait for minor 1, a slow disk, whose second half they\n"
	"change), or beside (the same of minor 0 only, without a measurement alone).\n";

struct plan {
	struct bench_target target;
	int rounds;
	double seconds;
};

/* Runs a job; *outcome is valid after 0. */
static int measure(const struct plan *plan, const struct backend_operations *operations, struct bench_job job,
		   struct bench_outcome *outcome)
{
	job.operations = operations;
	job.target = job.target ? job.target : &plan->target;
	job.clients = job.clients ? job.clients : 1;
	job.depth = job.depth ? job.depth : 1;
	job.seconds = plan->seconds;
	return bench_measure(&job, outcome);
}

static int print_row(const char *row, const char *side, int round, double value)
{
	printf("{\"row\": \"%s\", \"side\": \"%s\", \"round\": %d, \"value\": %.9g}\n", row, side, round, value);
	return fflush(stdout) ? -1 : 0;
}

static int print_point(const char *series, const char *side, unsigned int x, int round, double value)
{
	printf("{\"series\": \"%s\", \"side\": \"%s\", \"x\": %u, \"round\": %d, \"value\": %.9g}\n", series, side, x,
	       round, value);
	return fflush(stdout) ? -1 : 0;
}

/* Without libnbd the tables have no NBD server; without --nbd it is left out. */
#ifdef BENCH_NBD
#define NBD (&backend_nbd)
#else
#define NBD NULL
#endif

static bool is_there(const struct plan *plan, const struct backend_operations *operations)
{
	return operations && (operations != NBD || plan->target.nbd_socket) &&
	       (operations != &backend_file || plan->target.file);
}

/* What a row measures and with what. */
static const struct row {
	const char *name;
	enum bench_pattern pattern;
	unsigned int depth;
	const struct backend_operations *sides[3];
} rows[] = {
	{ "host-latency", BENCH_LATENCY, 1, { &backend_rdisk, NBD } },
	{ "host-flight", BENCH_RANDOM, 16, { &backend_rdisk, NBD } },
	{ "host-sequential", BENCH_SEQUENTIAL, 1, { &backend_rdisk, &backend_file, NBD } },
};

#define NR_ROWS	 (sizeof(rows) / sizeof(rows[0]))
#define NR_SIDES (sizeof(rows[0].sides) / sizeof(rows[0].sides[0]))

static int run_row(const struct plan *plan, const struct row *row, int round)
{
	for (size_t i = 0; i < NR_SIDES; i++) {
		/* Every other round the other way round, so that a drift favours nobody. */
		const struct backend_operations *side = row->sides[round % 2 ? i : NR_SIDES - 1 - i];
		struct bench_job job = { .pattern = row->pattern, .depth = row->depth };
		struct bench_outcome outcome;
		double value;

		if (!is_there(plan, side))
			continue;
		if (measure(plan, side, job, &outcome))
			return -1;
		value = row->pattern == BENCH_LATENCY	   ? outcome.median
			: row->pattern == BENCH_SEQUENTIAL ? outcome.rate * BENCH_LARGE
							   : outcome.rate;
		if (print_row(row->name, side->name, round, value))
			return -1;
	}
	return 0;
}

static int run_rows(const struct plan *plan, int round)
{
	for (size_t i = 0; i < NR_ROWS; i++) {
		if (run_row(plan, &rows[i], round))
			return -1;
	}
	return 0;
}

/* Random reads by rdisk and the NBD server, one point of a series each. */
static int run_point(const struct plan *plan, const char *series, unsigned int x, int round, struct bench_job job)
{
	const struct backend_operations *const sides[] = { &backend_rdisk, NBD };

	job.pattern = BENCH_RANDOM;
	for (size_t i = 0; i < sizeof(sides) / sizeof(sides[0]); i++) {
		struct bench_outcome outcome;

		if (!is_there(plan, sides[i]))
			continue;
		if (measure(plan, sides[i], job, &outcome) ||
		    print_point(series, sides[i]->name, x, round, outcome.rate))
			return -1;
	}
	return 0;
}

static int run_clients(const struct plan *plan, int round)
{
	for (unsigned int clients = 1; clients <= 8; clients *= 2) {
		if (run_point(plan, "clients", clients, round, (struct bench_job){ .clients = clients }))
			return -1;
	}
	return 0;
}

static int run_devices(const struct plan *plan, int round)
{
	for (unsigned int devices = 1; devices <= 8; devices++) {
		struct bench_target all = plan->target;
		struct bench_job one_client = { .pattern = BENCH_RANDOM, .target = &all };
		struct bench_job client_each = { .pattern = BENCH_RANDOM, .clients = devices, .stride = 1 };
		struct bench_outcome outcome;

		all.nr_minors = devices;
		if (measure(plan, &backend_rdisk, one_client, &outcome) ||
		    print_point("devices", "one client for all", devices, round, outcome.rate))
			return -1;
		if (measure(plan, &backend_rdisk, client_each, &outcome) ||
		    print_point("devices", "a client for each", devices, round, outcome.rate))
			return -1;
	}
	return 0;
}

static int run_depth(const struct plan *plan, int round)
{
	for (unsigned int depth = 1; depth <= BENCH_DEPTH_MAX; depth *= 2) {
		if (run_point(plan, "host-depth", depth, round, (struct bench_job){ .depth = depth }))
			return -1;
	}
	return 0;
}

static int run_sizes(const struct plan *plan, int round)
{
	for (unsigned int minor = 0; minor < 7; minor++) {
		struct bench_target target = plan->target;
		struct bench_job job = { .pattern = BENCH_LATENCY, .target = &target };
		struct bench_outcome outcome;

		target.minor = minor;
		if (measure(plan, &backend_rdisk, job, &outcome) ||
		    print_point("sizes", "rdisk", 1u << minor, round, outcome.median))
			return -1;
	}
	return 0;
}

/* The minors of "slow". Both have to be `shared`. */
#define FAST_MINOR 0u
#define SLOW_MINOR 1u

/* One value of a row of "slow", and, beside the load, how much that got done. */
static int measure_slow(const struct plan *plan, const char *row, const struct bench_target *target, bool beside,
			int round)
{
	struct bench_job job = { .pattern = BENCH_RANDOM, .target = target };
	struct bench_target slow = plan->target;
	struct bench_load load = { 0 };
	struct bench_outcome outcome;
	uint64_t done = 0;
	double start = 0;
	int result;

	slow.minor = SLOW_MINOR;
	if (beside) {
		if (bench_load_start(&load, &slow))
			return -1;
		start = bench_now();
		done = bench_load_done(&load);
	}
	result = measure(plan, &backend_rdisk, job, &outcome);
	if (!result)
		result = print_row(row, beside ? "rdisk" : "alone", round, outcome.rate);
	if (!result && beside && target->minor == FAST_MINOR)
		result = print_row("slow-load", "rdisk", round,
				   (double)(bench_load_done(&load) - done) / (bench_now() - start));
	return bench_load_stop(&load) ? -1 : result;
}

static int run_slow(const struct plan *plan, int round)
{
	static const struct {
		const char *row;
		unsigned int minor;
	} devices[] = { { "slow-other", FAST_MINOR }, { "slow-same", SLOW_MINOR } };

	for (size_t i = 0; i < sizeof(devices) / sizeof(devices[0]); i++) {
		struct bench_target target = plan->target;
		bool first = round % 2; /* every other round the other way round */

		target.minor = devices[i].minor;
		/* The other one is what the load changes: it does not stay in the page cache. */
		target.first_half = true;
		if (measure_slow(plan, devices[i].row, &target, first, round) ||
		    measure_slow(plan, devices[i].row, &target, !first, round))
			return -1;
	}
	return 0;
}

static int run_beside(const struct plan *plan, int round)
{
	struct bench_target target = plan->target;

	target.minor = FAST_MINOR;
	target.first_half = true;
	return measure_slow(plan, "slow-other", &target, true, round);
}

static const struct {
	const char *name;
	int (*run)(const struct plan *plan, int round);
} subjects[] = {
	{ "rows", run_rows },	{ "clients", run_clients }, { "devices", run_devices }, { "depth", run_depth },
	{ "sizes", run_sizes }, { "slow", run_slow },	    { "beside", run_beside },
};

#define NR_SUBJECTS (sizeof(subjects) / sizeof(subjects[0]))

static int run_subject(const struct plan *plan, const char *name)
{
	for (size_t i = 0; i < NR_SUBJECTS; i++) {
		if (strcmp(subjects[i].name, name))
			continue;
		for (int round = 1; round <= plan->rounds; round++) {
			if (subjects[i].run(plan, round)) {
				fprintf(stderr, "rdisk-bench-host: %s failed in round %d\n", name, round);
				return -1;
			}
		}
		return 0;
	}
	fprintf(stderr, "rdisk-bench-host: \"%s\" is nothing to measure, see --help\n", name);
	return -1;
}

static int parse_number(const char *what, const char *text, double minimum, double maximum, double *value)
{
	char *end;

	errno = 0;
	*value = strtod(text, &end);
	if (!errno && end != text && !*end && *value >= minimum && *value <= maximum)
		return 0;
	fprintf(stderr, "rdisk-bench-host: %s \"%s\" is not in %g .. %g\n", what, text, minimum, maximum);
	return -1;
}

static int parse_option(int option, struct plan *plan)
{
	double value = 0;
	int bad = 0;

	switch (option) {
	case 'd':
		bad = parse_number("container", optarg, 0, 31, &value);
		plan->target.dcid = (int)value;
		break;
	case 'e':
		bad = parse_number("endpoint", optarg, -35, 220, &value);
		plan->target.endpoint = (int)value;
		break;
	case 'n':
		plan->target.nbd_socket = optarg;
		break;
	case 'f':
		plan->target.file = optarg;
		break;
	case 'r':
		bad = parse_number("number of rounds", optarg, 1, ROUNDS_MAX, &value);
		plan->rounds = (int)value;
		break;
	case 's':
		bad = parse_number("number of seconds", optarg, 0.01, 3600, &plan->seconds);
		break;
	default: /* getopt has written a message */
		bad = -1;
	}
	return bad;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "dcid", required_argument, NULL, 'd' },   { "endpoint", required_argument, NULL, 'e' },
		{ "nbd", required_argument, NULL, 'n' },    { "file", required_argument, NULL, 'f' },
		{ "rounds", required_argument, NULL, 'r' }, { "seconds", required_argument, NULL, 's' },
		{ "help", no_argument, NULL, 'h' },	    { 0 },
	};
	struct plan plan = { .target = { .endpoint = 3, .nr_minors = 1 }, .rounds = 5, .seconds = 1 };
	int option;

	while ((option = getopt_long(argc, argv, "d:e:n:f:r:s:h", options, NULL)) != -1) {
		if (option == 'h')
			return fputs(usage, stdout) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
		if (parse_option(option, &plan))
			return EXIT_FAILURE;
	}
	if (optind == argc) {
		fputs(usage, stderr);
		return EXIT_FAILURE;
	}
	for (int i = optind; i < argc; i++) {
		if (run_subject(&plan, argv[i]))
			return EXIT_FAILURE;
	}
	return EXIT_SUCCESS;
}
