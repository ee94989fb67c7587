/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Bins and a reservoir; see timeline.h.
 */
#include "timeline.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct timeline *timeline_new(void)
{
	struct timeline *timeline = calloc(1, sizeof(*timeline));

	if (!timeline)
		return NULL;
	timeline->bin_ns = TIMELINE_FIRST_BIN;
	timeline->random = UINT64_C(0x853c49e6748fea9b);
	return timeline;
}

static uint64_t greater(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static void merge_bin(struct timeline_bin *into, const struct timeline_bin *from)
{
	into->operations += from->operations;
	into->bytes += from->bytes;
	into->late_most = greater(into->late_most, from->late_most);
	into->most = greater(into->most, from->most);
	for (size_t i = 0; i < TIMELINE_BUCKETS; i++)
		into->buckets[i] += from->buckets[i];
}

/* Each bin is twice as wide from now on. */
static void widen(struct timeline *timeline)
{
	for (int k = 0; k < TRACE_KINDS; k++) {
		struct timeline_bin *bins = timeline->kinds[k].bins;

		for (size_t i = 0; i < TIMELINE_BINS / 2; i++) {
			if (i > 0)
				bins[i] = bins[2 * i];
			merge_bin(&bins[i], &bins[2 * i + 1]);
		}
		memset(&bins[TIMELINE_BINS / 2], 0, TIMELINE_BINS / 2 * sizeof(bins[0]));
	}
	timeline->bin_ns *= 2;
}

/* 0, then four buckets an octave: the two bits after the highest. */
static size_t bucket_of(uint64_t latency_ns)
{
	unsigned int octave;
	size_t bucket;

	if (latency_ns < 4)
		return (size_t)latency_ns;
	octave = 63u - (unsigned int)__builtin_clzll(latency_ns);
	bucket = (octave - 1) * 4u + (size_t)(latency_ns >> (octave - 2) & 3);
	return bucket < TIMELINE_BUCKETS ? bucket : TIMELINE_BUCKETS - 1;
}

static uint64_t bucket_top(size_t bucket)
{
	unsigned int octave = (unsigned int)(bucket / 4) + 1;

	if (bucket < 4)
		return bucket;
	return ((UINT64_C(4) + bucket % 4 + 1) << (octave - 2)) - 1;
}

/* xorshift64: any even choice will do, and the same one each time is best. */
static uint64_t next_random(struct timeline *timeline)
{
	timeline->random ^= timeline->random << 13;
	timeline->random ^= timeline->random >> 7;
	timeline->random ^= timeline->random << 17;
	return timeline->random;
}

static void choose_point(struct timeline *timeline, struct timeline_kind *kind, uint64_t time_ns, uint64_t position)
{
	uint64_t at = kind->seen++;

	if (at >= TIMELINE_POINTS)
		at = next_random(timeline) % kind->seen;
	if (at < TIMELINE_POINTS)
		kind->points[at] = (struct timeline_point){ time_ns, position };
}

void timeline_add(struct timeline *timeline, enum trace_kind kind, uint64_t time_ns, uint64_t position, uint64_t length,
		  uint64_t latency_ns, uint64_t late_ns)
{
	struct timeline_bin *bin;

	while (time_ns / timeline->bin_ns >= TIMELINE_BINS)
		widen(timeline);
	bin = &timeline->kinds[kind].bins[time_ns / timeline->bin_ns];
	bin->operations++;
	bin->bytes += length;
	bin->most = greater(bin->most, latency_ns);
	bin->late_most = greater(bin->late_most, late_ns);
	bin->buckets[bucket_of(latency_ns)]++;
	choose_point(timeline, &timeline->kinds[kind], time_ns, position);
}

size_t timeline_used(const struct timeline *timeline)
{
	size_t used = 0;

	for (int k = 0; k < TRACE_KINDS; k++)
		for (size_t i = used; i < TIMELINE_BINS; i++)
			if (timeline->kinds[k].bins[i].operations)
				used = i + 1;
	return used;
}

uint64_t timeline_percentile(const struct timeline_bin *bin, double percent)
{
	uint64_t wanted = (uint64_t)ceil((double)bin->operations * percent / 100), below = 0;

	/* The last bucket has all that is longer: its top is the longest. */
	for (size_t i = 0; i + 1 < TIMELINE_BUCKETS && bin->operations; i++) {
		below += bin->buckets[i];
		if (below > 0 && below >= wanted)
			return bucket_top(i) < bin->most ? bucket_top(i) : bin->most;
	}
	return bin->most;
}
