/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Another client that keeps a slow disk busy; see load.h.
 */
#include "load.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client.h"
#include "dvk.h"
#include "rdisk_protocol.h"

#define PIECE	       65536u /* bytes of a discard, or of zeroes */
#define SUSPENDED_ONCE 1000u  /* requests of which at least one has to wait for a disk that is slow */

/* relaxed everywhere: each is looked at alone. */
struct bench_load_counts {
	atomic_bool stop;      /* by the parent */
	_Atomic uint64_t done; /* by the client, like the next */
	_Atomic uint64_t suspended;
};

/* What is granted. */
struct area {
	struct rdisk_request requests[BENCH_LOAD_DEPTH + 1]; /* the last one collects */
	struct rdisk_completion completions[BENCH_LOAD_DEPTH];
	struct rdisk_info info;
};

#define PAGE	  4096u
#define AREA_SIZE ((sizeof(struct area) + PAGE - 1) / PAGE * PAGE)

struct worker {
	struct bench_client connection;
	struct area *area;
	struct bench_load_counts *counts;
	unsigned int minor;
	uint64_t first, end;  /* bytes: what is changed */
	uint64_t next;	      /* byte */
	uint64_t asked;	      /* requests so far */
	unsigned int waiting; /* that are suspended */
};

static int open_device(struct worker *worker, const struct bench_target *target)
{
	uint64_t size;
	int fd;

	worker->minor = target->minor;
	worker->area = bench_shared_memory(AREA_SIZE, &fd);
	if (!worker->area || bench_client_connect(&worker->connection, target, fd, worker->area, AREA_SIZE))
		return -1;
	dvk_set_spin(0);
	if (bench_client_request(&worker->connection, DEV_OPEN, worker->minor, RDISK_OPEN_READ | RDISK_OPEN_WRITE, 0,
				 NULL) < 0 ||
	    bench_client_request(&worker->connection, DEV_IOCTL, worker->minor, RDISK_IOC_INFO, 0,
				 &worker->area->info) < 0)
		return -1;
	size = worker->area->info.size / PIECE * PIECE;
	worker->first = worker->next = size / 2 / PIECE * PIECE;
	worker->end = size;
	/* No two that are under way may be for the same piece: the server would keep them apart. */
	if ((worker->end - worker->first) / PIECE >= 2 * (uint64_t)BENCH_LOAD_DEPTH)
		return 0;
	fprintf(stderr, "load: the disk is too small\n");
	return -1;
}

static struct rdisk_request next_request(struct worker *worker)
{
	static const uint32_t operations[] = { RDISK_OP_DISCARD, RDISK_OP_WRITE_ZEROES, RDISK_OP_FLUSH };
	struct rdisk_request request = {
		.operation = operations[worker->asked % (sizeof(operations) / sizeof(operations[0]))],
		.flags = RDISK_REQUEST_MAY_SUSPEND,
		.minor = (int)worker->minor,
		.cookie = worker->asked,
		.result = RDISK_RESULT_NONE,
	};

	worker->asked++;
	if (request.operation == RDISK_OP_FLUSH)
		return request;
	request.position = worker->next;
	request.length = PIECE;
	worker->next += PIECE;
	if (worker->next == worker->end)
		worker->next = worker->first;
	return request;
}

/* 0, or -1 after a message. */
static int count_done(struct worker *worker, uint64_t cookie, int64_t result)
{
	if (result) {
		fprintf(stderr, "load: request %llu gave %lld\n", (unsigned long long)cookie, (long long)result);
		return -1;
	}
	atomic_fetch_add_explicit(&worker->counts->done, 1, memory_order_relaxed);
	return 0;
}

/* Sends `count` new requests, and waits until one of all that are suspended is done. */
static int turn(struct worker *worker, unsigned int count)
{
	struct area *area = worker->area;
	int64_t collected;

	for (unsigned int i = 0; i < count; i++)
		area->requests[i] = next_request(worker);
	area->requests[count] = (struct rdisk_request){
		.operation = RDISK_OP_COLLECT,
		.flags = RDISK_REQUEST_WAIT,
		.nr_segments = BENCH_LOAD_DEPTH,
		.vector = (uint64_t)(uintptr_t)area->completions,
		.result = RDISK_RESULT_NONE,
	};
	if (bench_client_request(&worker->connection, DEV_BATCH, 0, (int)count + 1, 0, area->requests) < 0)
		return -1;
	for (unsigned int i = 0; i < count; i++) {
		if (area->requests[i].result == SUSPEND) {
			worker->waiting++;
			atomic_fetch_add_explicit(&worker->counts->suspended, 1, memory_order_relaxed);
		} else if (count_done(worker, area->requests[i].cookie, area->requests[i].result)) {
			return -1;
		}
	}
	collected = area->requests[count].result;
	if (collected < 0 || collected > worker->waiting) {
		fprintf(stderr, "load: collecting gave %lld\n", (long long)collected);
		return -1;
	}
	for (int64_t i = 0; i < collected; i++) {
		if (count_done(worker, area->completions[i].cookie, area->completions[i].result))
			return -1;
	}
	worker->waiting -= (unsigned int)collected;
	return 0;
}

/* The client: 0 or -1. Writes a byte into `ready` when its requests wait and come back. */
static int work(const struct bench_target *target, struct bench_load_counts *counts, int ready)
{
	struct worker worker = { .counts = counts };
	bool told = false;

	if (open_device(&worker, target))
		return -1;
	while (!atomic_load_explicit(&counts->stop, memory_order_relaxed)) {
		bool suspended = atomic_load_explicit(&counts->suspended, memory_order_relaxed) > 0;

		if (turn(&worker, BENCH_LOAD_DEPTH - worker.waiting))
			return -1;
		if (!suspended && worker.asked >= SUSPENDED_ONCE) {
			fprintf(stderr, "load: the disk is not slow: nothing that was asked of it had to wait\n");
			return -1;
		}
		if (suspended && !told && write(ready, "", 1) != 1)
			return -1; /* the parent is gone */
		told = told || suspended;
	}
	while (worker.waiting > 0) {
		if (turn(&worker, 0))
			return -1;
	}
	return bench_client_request(&worker.connection, DEV_CLOSE, worker.minor, 0, 0, NULL) < 0 ? -1 : 0;
}

/* Waits for one byte. False: the pipe ended without. */
static bool await_byte(int end)
{
	ssize_t got;
	char byte;

	do
		got = read(end, &byte, 1);
	while (got < 0 && errno == EINTR);
	return got == 1;
}

int bench_load_start(struct bench_load *load, const struct bench_target *target)
{
	pid_t parent = getpid();
	int ready[2];
	bool is_ready;

	load->counts = mmap(NULL, sizeof(*load->counts), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (load->counts == MAP_FAILED || pipe(ready)) {
		fprintf(stderr, "load: cannot be prepared: %s\n", strerror(errno));
		if (load->counts != MAP_FAILED)
			(void)munmap(load->counts, sizeof(*load->counts));
		return -1;
	}
	(void)fflush(NULL);
	load->pid = fork();
	if (load->pid == 0) {
		(void)close(ready[0]);
		if (prctl(PR_SET_PDEATHSIG, SIGKILL) || getppid() != parent)
			_exit(EXIT_FAILURE);
		_exit(work(target, load->counts, ready[1]) ? EXIT_FAILURE : EXIT_SUCCESS);
	}
	if (load->pid < 0)
		fprintf(stderr, "load: cannot be started: %s\n", strerror(errno));
	(void)close(ready[1]);
	is_ready = load->pid > 0 && await_byte(ready[0]);
	(void)close(ready[0]);
	if (is_ready)
		return 0;
	(void)bench_load_stop(load);
	return -1;
}

uint64_t bench_load_done(const struct bench_load *load)
{
	return atomic_load_explicit(&load->counts->done, memory_order_relaxed);
}

int bench_load_stop(struct bench_load *load)
{
	int status = 0;

	if (!load->counts)
		return 0;
	atomic_store_explicit(&load->counts->stop, true, memory_order_relaxed);
	while (load->pid > 0 && waitpid(load->pid, &status, 0) < 0) {
		if (errno != EINTR) {
			fprintf(stderr, "load: cannot be waited for: %s\n", strerror(errno));
			status = -1;
			break;
		}
	}
	(void)munmap(load->counts, sizeof(*load->counts));
	*load = (struct bench_load){ 0 };
	return WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SUCCESS ? 0 : -1;
}
