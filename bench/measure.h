/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One measurement with clients on the host: each is a process of its own, all begin at the same moment.
 */
#ifndef BENCH_MEASURE_H
#define BENCH_MEASURE_H

#include "backend.h"

#define BENCH_CLIENTS_MAX 16u

enum bench_pattern {
	BENCH_LATENCY,	  /* random reads of BENCH_BLOCK, one at a time, each timed */
	BENCH_RANDOM,	  /* random reads of BENCH_BLOCK, `depth` at a time */
	BENCH_SEQUENTIAL, /* reads of BENCH_LARGE, one after the other, again and again */
};

struct bench_job {
	enum bench_pattern pattern;
	const struct backend_operations *operations;
	const struct bench_target *target;
	unsigned int clients; /* 1 .. BENCH_CLIENTS_MAX */
	unsigned int depth;   /* BENCH_RANDOM */
	unsigned int stride;  /* client i reads from minor target->minor + i * stride on */
	double seconds;
};

struct bench_outcome {
	double rate;   /* requests a second, of all clients together */
	double median; /* seconds that a request took; BENCH_LATENCY with one client */
};

/* Runs a job. 0, or -1 after a message on stderr. No child is left. */
int bench_measure(const struct bench_job *job, struct bench_outcome *outcome);

#endif
