/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the benchmark's parts have measured, read from their files, and the statistics over it. A file has an
 * object of JSON a line, of one of these kinds:
 *
 *   {"part": "host", "rounds": 5}                                             begins a file
 *   {"row": "host-latency", "side": "nbd", "round": 1, "value": 3.4e-05}
 *   {"series": "clients", "side": "nbd", "x": 4, "round": 1, "value": 72603}
 *   {"skip": "guest-virtio", "why": "qemu-storage-daemon is not installed"}   a row or series without values
 *
 * Units are those of the report's table: requests a second, bytes a second, seconds, bytes, percent.
 */
#ifndef BENCH_RESULTS_H
#define BENCH_RESULTS_H

#include <stdbool.h>
#include <stddef.h>

#include "diagnostic.h"

#define RESULTS_NAME_SIZE 32
#define RESULTS_WHY_SIZE  120
#define RESULTS_VALUES	  1024 /* values of one side of a row; what is more is refused */

struct result {
	char name[RESULTS_NAME_SIZE]; /* of the row or series */
	char side[RESULTS_NAME_SIZE];
	char why[RESULTS_WHY_SIZE]; /* not empty: it was skipped, the rest is 0 */
	double x;		    /* 0 for a row */
	int round;
	double value;
};

/* Zero-initialised: empty. */
struct results {
	struct result *list;
	size_t count, room;
};

/* Values of one side at one x, one a round, by round. */
struct values {
	double value[RESULTS_VALUES];
	int round[RESULTS_VALUES];
	size_t count;
};

/* Adds all files DIRECTORY/<name>.jsonl. 0, or -1 with the cause in *diagnostic. */
int results_read(struct results *results, const char *directory, struct diagnostic *diagnostic);
void results_free(struct results *results);

/* NULL, or why a row or series was skipped. */
const char *results_skipped(const struct results *results, const char *name);

/* What one side has measured at x. */
void results_values(const struct results *results, const char *name, const char *side, double x, struct values *values);

/* value / against of all rounds that both have. */
void results_ratios(const struct values *values, const struct values *against, struct values *ratios);

/* NAN when there is none. */
double values_median(const struct values *values);
double values_least(const struct values *values);
double values_most(const struct values *values);

#endif
