/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rdisk-bench-one: one client of a device, which reads or writes pieces of one size, some at any time, and prints how
 * long each took and how many were done a second, as a line of JSON of the same form as rdisk-bench-floor's. With one
 * in flight each is a request of its own; more are in batches, and suspended while they wait (rdisk_protocol.h). It
 * checks no data.
 */
#include <getopt.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client.h"
#include "rdisk_protocol.h"
#include "samples.h"

/* With --seconds what is measured begins after so many: somebody waits for that. */
#define SOON 100

struct job {
	struct bench_target target;
	bool write, sequential;
	uint32_t size, in_flight, count;
	uint64_t seconds; /* it ends then; 0: when `count` are done */
	uint64_t span;	  /* bytes of the device that are used; 0: all */
};

/* What is granted: the data of each in flight first, then all else that the server reads or writes. */
struct area {
	struct rdisk_request requests[BENCH_DEPTH_MAX + 1]; /* the last one collects */
	struct rdisk_completion completions[BENCH_DEPTH_MAX];
	struct rdisk_iovec vectors[BENCH_DEPTH_MAX];
	struct rdisk_info info;
	char data[];
};

struct worker {
	const struct job *job;
	struct bench_client connection;
	struct area *area;
	struct backend places; /* for bench_random() alone */
	uint64_t next;	       /* number of the next request */
	uint32_t under_way;
	double begun[BENCH_DEPTH_MAX]; /* by its place in `vectors` */
	uint32_t unused[BENCH_DEPTH_MAX];
	uint32_t nr_unused;
	struct samples samples;
};

static uint64_t next_position(struct worker *worker)
{
	uint64_t places = worker->places.size / worker->job->size;

	return (worker->job->sequential ? worker->next++ : bench_random(&worker->places)) % places * worker->job->size;
}

static bool is_over(const struct worker *worker)
{
	return worker->job->seconds && worker->samples.done > 0 &&
	       worker->samples.end - worker->samples.start > (double)worker->job->seconds;
}

static int one_at_a_time(struct worker *worker)
{
	const struct job *job = worker->job;

	while (worker->samples.done < samples_all(&worker->samples) && !is_over(worker)) {
		double begun = bench_now();
		int got =
			bench_client_request(&worker->connection, job->write ? DEV_WRITE : DEV_READ, job->target.minor,
					     (int)job->size, next_position(worker), worker->area->data);

		if (got != (int)job->size) {
			if (got >= 0)
				fprintf(stderr, "rdisk-bench-one: a request of %" PRIu32 " bytes gave %d\n", job->size,
					got);
			return -1;
		}
		samples_note(&worker->samples, begun);
		if (job->seconds && worker->samples.done == SOON && (puts("began") < 0 || fflush(stdout)))
			return -1;
	}
	return 0;
}

static int check(const struct worker *worker, int64_t result)
{
	if (result == (int64_t)worker->job->size)
		return 0;
	fprintf(stderr, "rdisk-bench-one: a request of %" PRIu32 " bytes gave %" PRId64 "\n", worker->job->size,
		result);
	return -1;
}

static struct rdisk_request next_request(struct worker *worker)
{
	const struct job *job = worker->job;
	uint32_t slot = worker->unused[--worker->nr_unused];
	struct rdisk_iovec *vector = &worker->area->vectors[slot];

	vector->iov_addr = (uint64_t)(uintptr_t)(worker->area->data + (size_t)slot * job->size);
	vector->iov_size = job->size;
	worker->begun[slot] = bench_now();
	worker->under_way++;
	return (struct rdisk_request){
		.operation = job->write ? RDISK_OP_WRITE : RDISK_OP_READ,
		.flags = RDISK_REQUEST_MAY_SUSPEND,
		.minor = (int)job->target.minor,
		.nr_segments = 1,
		.position = next_position(worker),
		.length = job->size,
		.vector = (uint64_t)(uintptr_t)vector,
		.cookie = slot,
		.result = RDISK_RESULT_NONE,
	};
}

static int end_one(struct worker *worker, uint64_t slot, int64_t result)
{
	if (check(worker, result))
		return -1;
	samples_note(&worker->samples, worker->begun[slot]);
	worker->unused[worker->nr_unused++] = (uint32_t)slot;
	worker->under_way--;
	return 0;
}

/* Fills up what is in flight, and waits until one of it is done. */
static int turn(struct worker *worker)
{
	struct area *area = worker->area;
	uint32_t count = 0;
	int64_t collected;

	while (worker->nr_unused > 0 && worker->samples.done + worker->under_way < samples_all(&worker->samples))
		area->requests[count++] = next_request(worker);
	area->requests[count] = (struct rdisk_request){
		.operation = RDISK_OP_COLLECT,
		.flags = RDISK_REQUEST_WAIT,
		.nr_segments = BENCH_DEPTH_MAX,
		.vector = (uint64_t)(uintptr_t)area->completions,
		.result = RDISK_RESULT_NONE,
	};
	if (bench_client_request(&worker->connection, DEV_BATCH, 0, (int)count + 1, 0, area->requests) < 0)
		return -1;
	for (uint32_t i = 0; i < count; i++) {
		if (area->requests[i].result != SUSPEND &&
		    end_one(worker, area->requests[i].cookie, area->requests[i].result))
			return -1;
	}
	collected = area->requests[count].result;
	if (collected < 0 || collected > worker->under_way) {
		fprintf(stderr, "rdisk-bench-one: collecting gave %" PRId64 "\n", collected);
		return -1;
	}
	for (int64_t i = 0; i < collected; i++) {
		if (end_one(worker, area->completions[i].cookie, area->completions[i].result))
			return -1;
	}
	return 0;
}

static int open_device(struct worker *worker)
{
	const struct job *job = worker->job;
	uint64_t bytes = sizeof(struct area) + (uint64_t)job->size * job->in_flight;
	int fd;

	bytes = (bytes + BENCH_BLOCK - 1) / BENCH_BLOCK * BENCH_BLOCK;
	worker->area = bench_shared_memory(bytes, &fd);
	if (!worker->area || bench_client_connect(&worker->connection, &job->target, fd, worker->area, bytes))
		return -1;
	if (bench_client_request(&worker->connection, DEV_OPEN, job->target.minor,
				 RDISK_OPEN_READ | (job->write ? RDISK_OPEN_WRITE : 0), 0, NULL) < 0 ||
	    bench_client_request(&worker->connection, DEV_IOCTL, job->target.minor, RDISK_IOC_INFO, 0,
				 &worker->area->info) < 0)
		return -1;
	worker->places.size = worker->area->info.size;
	if (job->span && job->span < worker->places.size)
		worker->places.size = job->span;
	if (worker->places.size >= job->size)
		return 0;
	fprintf(stderr, "rdisk-bench-one: the device is smaller than one request\n");
	return -1;
}

static int measure(const struct job *job)
{
	struct worker worker = {
		.job = job,
		.places = { .seed = 0x9e3779b97f4a7c15u },
		.samples = { .warm_up = job->seconds ? SOON : job->count / 10, .count = job->count },
	};
	int code;

	if (open_device(&worker) || samples_begin(&worker.samples))
		return -1;
	memset(worker.area->data, 0x5a, (size_t)job->size * job->in_flight);
	for (uint32_t i = 0; i < job->in_flight; i++)
		worker.unused[worker.nr_unused++] = i;
	if (job->in_flight == 1) {
		code = one_at_a_time(&worker);
	} else {
		for (code = 0; !code && worker.samples.done < samples_all(&worker.samples);)
			code = turn(&worker);
	}
	if (code || bench_client_request(&worker.connection, DEV_CLOSE, job->target.minor, 0, 0, NULL) < 0)
		return -1;
	return samples_print(&worker.samples, job->write ? "write" : "read", job->size, job->in_flight);
}

static int parse_options(struct job *job, int argc, char **argv)
{
	static const struct option options[] = {
		{ "minor", required_argument, NULL, 'm' },     { "size", required_argument, NULL, 's' },
		{ "in-flight", required_argument, NULL, 'f' }, { "count", required_argument, NULL, 'c' },
		{ "span", required_argument, NULL, 'n' },      { "sequential", no_argument, NULL, 'q' },
		{ "seconds", required_argument, NULL, 't' },   { NULL, 0, NULL, 0 },
	};
	int option, code = 0, index = 0;
	uint64_t number = 0;

	while (!code && (option = getopt_long(argc, argv, "", options, &index)) >= 0) {
		const char *name = options[index].name;

		switch (option) {
		case 'm':
			code = samples_option("rdisk-bench-one", name, optarg, 0, 255, &number);
			job->target.minor = (unsigned int)number;
			break;
		case 's':
			code = samples_option("rdisk-bench-one", name, optarg, 1, BENCH_LARGE, &number);
			job->size = (uint32_t)number;
			break;
		case 'f':
			code = samples_option("rdisk-bench-one", name, optarg, 1, BENCH_DEPTH_MAX, &number);
			job->in_flight = (uint32_t)number;
			break;
		case 'c':
			code = samples_option("rdisk-bench-one", name, optarg, 1, SAMPLES_MAX, &number);
			job->count = (uint32_t)number;
			break;
		case 'n':
			code = samples_option("rdisk-bench-one", name, optarg, 0, INT64_MAX, &job->span);
			break;
		case 't':
			code = samples_option("rdisk-bench-one", name, optarg, 1, 3600, &job->seconds);
			break;
		case 'q':
			job->sequential = true;
			break;
		default:
			code = -1; /* getopt_long() has said why */
		}
	}
	return code;
}

int main(int argc, char **argv)
{
	struct job job = {
		.target = { .endpoint = 3, .nr_minors = 1 }, .size = BENCH_BLOCK, .in_flight = 1, .count = 5000
	};

	if (parse_options(&job, argc, argv))
		return EXIT_FAILURE;
	if (argc - optind != 1 || (strcmp(argv[optind], "read") != 0 && strcmp(argv[optind], "write") != 0)) {
		fprintf(stderr, "Usage: rdisk-bench-one [--minor N] [--size BYTES] [--in-flight N] [--count N] "
				"[--span BYTES]\n"
				"                       [--sequential] [--seconds N] read | write\n");
		return EXIT_FAILURE;
	}
	job.write = !strcmp(argv[optind], "write");
	return measure(&job) ? EXIT_FAILURE : EXIT_SUCCESS;
}
