/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Forks the clients of a job, lets them connect and warm up, starts them together by closing a pipe, and adds up
 * what they did. They tell it in shared memory, each in its own place.
 */
#include "measure.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define WARM_UP_SECONDS 0.05
#define SAMPLES_MAX	(4u << 20)

struct samples {
	uint32_t *ns;
	size_t count;
};

static int compare_samples(const void *left, const void *right)
{
	const uint32_t *a = left, *b = right;

	return (*a > *b) - (*a < *b);
}

/* Requests that are more than there is room for are counted and not timed. */
static int run_latency(struct backend *backend, double deadline, struct samples *samples, uint64_t *done)
{
	double before = bench_now();

	while (before < deadline) {
		double after;

		if (backend->operations->read(backend, bench_position(backend), BENCH_BLOCK))
			return -1;
		after = bench_now();
		if (samples->count < SAMPLES_MAX)
			samples->ns[samples->count++] = (uint32_t)((after - before) * 1e9);
		(*done)++;
		before = after;
	}
	return 0;
}

static int run_sequential(struct backend *backend, double deadline, uint64_t *done)
{
	uint64_t position = 0;

	while (bench_now() < deadline) {
		if (backend->operations->read(backend, position, BENCH_LARGE))
			return -1;
		(*done)++;
		position += BENCH_LARGE;
		if (position + BENCH_LARGE > backend->size)
			position = 0;
	}
	return 0;
}

static int run(const struct bench_job *job, struct backend *backend, double seconds, struct samples *samples,
	       uint64_t *done)
{
	double deadline = bench_now() + seconds;

	*done = 0;
	samples->count = 0;
	switch (job->pattern) {
	case BENCH_LATENCY:
		return run_latency(backend, deadline, samples, done);
	case BENCH_RANDOM:
		return backend->operations->read_many(backend, job->depth, deadline, done);
	case BENCH_SEQUENTIAL:
		return run_sequential(backend, deadline, done);
	}
	return -1;
}

static int open_backend(const struct bench_job *job, unsigned int number, struct backend *backend)
{
	struct bench_target target = *job->target;
	int fd;

	target.minor += number * job->stride;
	backend->operations = job->operations;
	backend->seed = 0x9e3779b97f4a7c15u * (number + 1);
	if (backend->operations->open(backend, &target))
		return -1;
	if (!backend->memory)
		backend->memory = bench_shared_memory(BENCH_LARGE, &fd);
	if (!backend->memory)
		return -1;
	if (backend->size < BENCH_LARGE) {
		fprintf(stderr, "%s: the disk is smaller than %u bytes\n", backend->operations->name, BENCH_LARGE);
		return -1;
	}
	return 0;
}

/* One client: 0 or -1. Writes a byte into `ready`, begins when `go` ends. */
static int client(const struct bench_job *job, unsigned int number, int ready, int go, struct bench_outcome *outcome)
{
	struct backend backend = { 0 };
	struct samples samples = { 0 };
	double start;
	uint64_t done;
	char byte = 0;

	samples.ns = malloc(SAMPLES_MAX * sizeof(samples.ns[0]));
	if (!samples.ns) {
		fprintf(stderr, "no memory for latencies\n");
		return -1;
	}
	if (job->pattern == BENCH_LATENCY) /* no page fault is to be measured */
		memset(samples.ns, 0, SAMPLES_MAX * sizeof(samples.ns[0]));
	if (open_backend(job, number, &backend) || run(job, &backend, WARM_UP_SECONDS, &samples, &done))
		return -1;
	if (write(ready, &byte, 1) != 1 || read(go, &byte, 1) != 0)
		return -1; /* the parent is gone */
	start = bench_now();
	if (run(job, &backend, job->seconds, &samples, &done))
		return -1;
	outcome->rate = (double)done / (bench_now() - start);
	if (samples.count > 0) {
		size_t middle = samples.count / 2;

		qsort(samples.ns, samples.count, sizeof(samples.ns[0]), compare_samples);
		outcome->median = samples.ns[middle] * 1e-9;
	}
	return 0;
}

/* Waits until all clients are ready: 0, or -1 when one of them ended before. */
static int await_ready(int ready, unsigned int count)
{
	char byte;

	for (unsigned int i = 0; i < count; i++) {
		ssize_t got;

		do {
			got = read(ready, &byte, 1);
		} while (got < 0 && errno == EINTR);
		if (got != 1)
			return -1;
	}
	return 0;
}

struct children {
	pid_t pids[BENCH_CLIENTS_MAX];
	unsigned int count;
	int ready[2]; /* pipes; -1: closed */
	int go[2];
};

static void close_end(int *end)
{
	if (*end >= 0)
		(void)close(*end);
	*end = -1;
}

static int start_children(const struct bench_job *job, struct children *children, struct bench_outcome *outcomes)
{
	pid_t parent = getpid();

	(void)fflush(NULL);
	for (unsigned int i = 0; i < job->clients; i++) {
		pid_t pid = fork();

		if (pid == 0) {
			close_end(&children->ready[0]);
			close_end(&children->go[1]);
			if (prctl(PR_SET_PDEATHSIG, SIGKILL) || getppid() != parent)
				_exit(EXIT_FAILURE);
			_exit(client(job, i, children->ready[1], children->go[0], &outcomes[i]) ? EXIT_FAILURE
												: EXIT_SUCCESS);
		}
		if (pid < 0) {
			fprintf(stderr, "cannot start a client: %s\n", strerror(errno));
			return -1;
		}
		children->pids[children->count++] = pid;
	}
	/* When a client ends too early, the pipe must end. */
	close_end(&children->ready[1]);
	close_end(&children->go[0]);
	return 0;
}

/* 0, or -1 when one of them failed. */
static int reap_children(const struct children *children)
{
	int result = 0;

	for (unsigned int i = 0; i < children->count; i++) {
		int status;

		while (waitpid(children->pids[i], &status, 0) < 0) {
			if (errno != EINTR) {
				fprintf(stderr, "cannot wait for a client: %s\n", strerror(errno));
				return -1;
			}
		}
		if (!WIFEXITED(status) || WEXITSTATUS(status) != EXIT_SUCCESS)
			result = -1;
	}
	return result;
}

int bench_measure(const struct bench_job *job, struct bench_outcome *outcome)
{
	struct children children = { .ready = { -1, -1 }, .go = { -1, -1 } };
	size_t length = BENCH_CLIENTS_MAX * sizeof(struct bench_outcome);
	struct bench_outcome *outcomes;
	int result = -1;

	outcomes = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (outcomes == MAP_FAILED || pipe(children.ready) || pipe(children.go)) {
		fprintf(stderr, "cannot prepare a measurement: %s\n", strerror(errno));
		goto out;
	}
	result = start_children(job, &children, outcomes);
	if (!result)
		result = await_ready(children.ready[0], job->clients);
	close_end(&children.go[1]);
	if (reap_children(&children))
		result = -1;
	if (!result) {
		*outcome = outcomes[0];
		for (unsigned int i = 1; i < job->clients; i++)
			outcome->rate += outcomes[i].rate;
	}
out:
	for (int i = 0; i < 2; i++) {
		close_end(&children.ready[i]);
		close_end(&children.go[i]);
	}
	if (outcomes != MAP_FAILED)
		(void)munmap(outcomes, length);
	return result;
}
