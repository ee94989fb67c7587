// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * rdisk-bench-wait: what waking a process that has several peers costs, by futexes and by descriptors; first the bare
 * protocols (wait_bare.c), then libdvk's (wait_dvk.c), which needs a node. With 1, 8 and 200 channels; with both sides
 * asleep and with both spinning. Prints a line of JSON for each figure.
 */
#include "wait.h"

#include <sched.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include "backend.h"

#define SAMPLES_MAX 100000
#define SPIN_BATCH  100	  /* trips in one sample: they are shorter than reading the clock */
#define PAUSE	    50e-6 /* seconds before a trip to a receiver that is to sleep */
#define STRIDE	    7	  /* comes by all of 1, 8 and 200 channels */

void wait_stay_on_processor(int nth)
{
	static cpu_set_t all; /* as they were at first */
	cpu_set_t one;

	if (!CPU_COUNT(&all) && sched_getaffinity(0, sizeof(all), &all))
		CPU_ZERO(&all);
	CPU_ZERO(&one);
	for (size_t cpu = 0; cpu < CPU_SETSIZE; cpu++)
		if (CPU_ISSET(cpu, &all) && nth-- == 0)
			CPU_SET(cpu, &one);
	if (CPU_COUNT(&one) && sched_setaffinity(0, sizeof(one), &one))
		perror("rdisk-bench-wait: processors cannot be chosen");
}

static void print_row(const struct wait_job *job, const char *kind, const char *what, const char *side, double value)
{
	printf("{\"row\": \"%s-%s-%u\", \"side\": \"%s\", \"round\": %d, \"value\": %.9g}\n", kind, what, job->channels,
	       side, job->round, value);
	fflush(stdout);
}

static int compare(const void *a, const void *b)
{
	double left = *(const double *)a, right = *(const double *)b;

	return (left > right) - (left < right);
}

void wait_measure(const struct wait_job *job, const char *kind, const char *side, wait_trip trip, void *context)
{
	static double samples[SAMPLES_MAX];
	unsigned int batch = job->spin ? SPIN_BATCH : 1, channel = 0;
	double start = bench_now(), before, now;
	size_t count = 0;

	do {
		before = bench_now();
		/* Until whoever sleeps does so. */
		while (!job->spin && bench_now() - before < PAUSE)
			;
		before = bench_now();
		for (unsigned int i = 0; i < batch; i++) {
			trip(context, channel);
			channel = (channel + STRIDE) % job->channels;
		}
		now = bench_now();
		samples[count++] = (now - before) / batch;
	} while (now - start < job->seconds && count < SAMPLES_MAX);
	qsort(samples, count, sizeof(samples[0]), compare);
	print_row(job, kind, job->spin ? "spin" : "sleep", side, samples[count / 2]);
	if (!job->spin)
		print_row(job, kind, "tail", side, samples[count - 1 - count / 100]);
}

int main(int argc, char **argv)
{
	static const unsigned int channels[] = { 1, 8, WAIT_CHANNELS_MAX };
	struct wait_job job = { 0 };
	int rounds = argc == 3 ? atoi(argv[1]) : 0;

	job.seconds = argc == 3 ? atof(argv[2]) : 0;
	if (rounds < 1 || job.seconds <= 0) {
		fprintf(stderr, "Usage: rdisk-bench-wait ROUNDS SECONDS\n");
		return EXIT_FAILURE;
	}
	for (job.round = 1; job.round <= rounds; job.round++) {
		for (size_t i = 0; i < 2 * sizeof(channels) / sizeof(channels[0]); i++) {
			job.channels = channels[i / 2];
			job.spin = i % 2;
			wait_bare(&job);
			wait_dvk(&job);
		}
	}
	return EXIT_SUCCESS;
}
