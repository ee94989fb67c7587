/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Log-linear buckets: the values below 64 have one each; above, each octave (from one power of two to the
 * next) is cut into 32 of equal width. See histogram.h.
 */
#include "histogram.h"

#include <math.h>

#define SUB_BUCKETS (UINT64_C(1) << HISTOGRAM_SUB_BITS)

static size_t bucket_of(uint64_t value)
{
	unsigned int shift;

	if (value < 2 * SUB_BUCKETS)
		return (size_t)value;
	shift = 63u - (unsigned int)__builtin_clzll(value) - HISTOGRAM_SUB_BITS;
	return ((size_t)shift << HISTOGRAM_SUB_BITS) + (size_t)(value >> shift);
}

void histogram_bounds(size_t bucket, uint64_t *low, uint64_t *high)
{
	unsigned int shift = bucket < 2 * SUB_BUCKETS ? 0 : (unsigned int)(bucket >> HISTOGRAM_SUB_BITS) - 1;

	*low = (uint64_t)(bucket - ((size_t)shift << HISTOGRAM_SUB_BITS)) << shift;
	*high = *low + (UINT64_C(1) << shift) - 1;
}

void histogram_add(struct histogram *histogram, uint64_t value)
{
	if (histogram->count == 0 || value < histogram->least)
		histogram->least = value;
	if (histogram->count == 0 || value > histogram->most)
		histogram->most = value;
	histogram->count++;
	histogram->sum += (double)value;
	histogram->buckets[bucket_of(value)]++;
}

void histogram_merge(struct histogram *histogram, const struct histogram *other)
{
	if (other->count == 0)
		return;
	if (histogram->count == 0 || other->least < histogram->least)
		histogram->least = other->least;
	if (histogram->count == 0 || other->most > histogram->most)
		histogram->most = other->most;
	histogram->count += other->count;
	histogram->sum += other->sum;
	for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++)
		histogram->buckets[i] += other->buckets[i];
}

uint64_t histogram_percentile(const struct histogram *histogram, double percent)
{
	uint64_t below = 0, wanted, low, high;

	if (histogram->count == 0)
		return 0;
	wanted = (uint64_t)ceil((double)histogram->count * percent / 100);
	if (wanted >= histogram->count)
		return histogram->most;
	for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
		below += histogram->buckets[i];
		if (below > 0 && below >= wanted) {
			histogram_bounds(i, &low, &high);
			return high < histogram->most ? high : histogram->most;
		}
	}
	return histogram->most;
}

uint64_t histogram_mean(const struct histogram *histogram)
{
	return histogram->count ? (uint64_t)(histogram->sum / (double)histogram->count) : 0;
}
