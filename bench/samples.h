/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How long each of a number of requests took, after as many as warm up: what rdisk-bench-one and rdisk-bench-pair
 * print, as a line of JSON. Used by one thread.
 */
#ifndef BENCH_SAMPLES_H
#define BENCH_SAMPLES_H

#include <stdbool.h>
#include <stdint.h>

#define SAMPLES_MAX 1000000u

/* Only `count`, 1 .. SAMPLES_MAX, and `warm_up` are set by who uses it; all else is 0 at first. */
struct samples {
	uint32_t warm_up; /* are done before */
	uint32_t count;	  /* of those that are measured */
	uint64_t done;	  /* also of those that are not */
	double start;	  /* seconds, as of bench_now(): of the first that is measured */
	double end;	  /* the last was done */
	double longest;	  /* of those that are measured */
	double *seconds;  /* of each */
};

/* 0, or -1 after a message. */
int samples_begin(struct samples *samples);

/* How many are to be done in all. */
uint64_t samples_all(const struct samples *samples);

/* What was begun at `begun` is done now. */
void samples_note(struct samples *samples, double begun);

/* The line has what was measured, be that less than `count`, but not nothing. Prints it: of requests of `size` bytes,
 * `in_flight` at any time. 0, or -1 after a message. Frees them. */
int samples_print(struct samples *samples, const char *operation, uint32_t size, uint32_t in_flight);

/* A number of an option. 0, or -1 after a message of `program`. */
int samples_option(const char *program, const char *option, const char *text, uint64_t least, uint64_t most,
		   uint64_t *number);

#endif
