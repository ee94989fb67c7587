/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A histogram of bounded size for times in ns: 32 buckets an octave, so that a percentile is at most 3.2 %
 * above the true one, whatever the times are. Plain memory; one thread.
 */
#ifndef REPLAY_HISTOGRAM_H
#define REPLAY_HISTOGRAM_H

#include <stddef.h>
#include <stdint.h>

#define HISTOGRAM_SUB_BITS 5
#define HISTOGRAM_BUCKETS  ((64 - HISTOGRAM_SUB_BITS + 1) << HISTOGRAM_SUB_BITS)

/* All zero: empty. */
struct histogram {
	uint64_t count;
	uint64_t most, least; /* valid when count is not 0 */
	double sum;
	uint64_t buckets[HISTOGRAM_BUCKETS];
};

void histogram_add(struct histogram *histogram, uint64_t value);

/* Adds all of `other`. */
void histogram_merge(struct histogram *histogram, const struct histogram *other);

/*
 * A value that `percent` of all are at most (0 < percent <= 100): the upper end of its bucket, and never above the
 * largest. 0 when empty.
 */
uint64_t histogram_percentile(const struct histogram *histogram, double percent);

/* 0 when empty. */
uint64_t histogram_mean(const struct histogram *histogram);

/* The values of a bucket: from *low to *high, both included. */
void histogram_bounds(size_t bucket, uint64_t *low, uint64_t *high);

#endif
