/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the host's part of the benchmark reads from: an rdisk server over libdvk, an NBD server over
 * libnbd, or a file with pread(). All read into the same kind of memory, and none checks what it has read.
 *
 * A struct backend is used by the process and thread that opened it. Nothing is ever closed: a client of the
 * benchmark is a process of its own, which ends after one measurement.
 */
#ifndef BENCH_BACKEND_H
#define BENCH_BACKEND_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#define BENCH_BLOCK	 4096u
#define BENCH_LARGE	 (1u << 20) /* bytes of a sequential read, and of the memory read into */
#define BENCH_DEPTH_MAX	 128u	    /* requests in flight */
#define BENCH_MINORS_MAX 16u	    /* devices that one client reads in turn */

/* Where the servers are. */
struct bench_target {
	int dcid;
	int endpoint;		/* of rdisk */
	unsigned int minor;	/* first device of rdisk that is read */
	unsigned int nr_minors; /* this and the following ones, 1 .. BENCH_MINORS_MAX */
	bool first_half;	/* only that of rdisk's devices is read */
	const char *nbd_socket;
	const char *file;
};

struct backend;

struct backend_operations {
	const char *name;
	/* Connects and sets backend->size. All three: 0, or -1 after a message on stderr. */
	int (*open)(struct backend *backend, const struct bench_target *target);
	int (*read)(struct backend *backend, uint64_t position, uint32_t bytes);
	/*
	 * Random reads of BENCH_BLOCK bytes, `depth` (1 .. BENCH_DEPTH_MAX) at a time, until `deadline` (seconds, as of
	 * bench_now()); *done counts them.
	 */
	int (*read_many)(struct backend *backend, unsigned int depth, double deadline, uint64_t *done);
};

struct backend {
	const struct backend_operations *operations;
	char *memory;  /* BENCH_LARGE bytes */
	uint64_t size; /* bytes of the disk; of the smallest, if there are several */
	uint64_t seed; /* of bench_position(), never 0 */
	void *own;     /* the implementation's */
};

extern const struct backend_operations backend_rdisk, backend_file;
#ifdef BENCH_NBD
extern const struct backend_operations backend_nbd;
#endif

/*
 * Memory that is shared by descriptor: `bytes`, a multiple of the page size, zeroed and present. *fd gets the
 * descriptor, sealed so that it cannot shrink. NULL after a message.
 */
void *bench_shared_memory(uint64_t bytes, int *fd);

/* CLOCK_MONOTONIC in seconds. */
static inline double bench_now(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now); /* cannot fail with this clock */
	return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

/* The next number of a xorshift generator. */
static inline uint64_t bench_random(struct backend *backend)
{
	backend->seed ^= backend->seed << 13;
	backend->seed ^= backend->seed >> 7;
	backend->seed ^= backend->seed << 17;
	return backend->seed;
}

/* A random place for BENCH_BLOCK bytes. */
static inline uint64_t bench_position(struct backend *backend)
{
	return bench_random(backend) % (backend->size / BENCH_BLOCK) * BENCH_BLOCK;
}

#endif
