/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a replay looked like over time, in bounded memory: bins of equal width whose width doubles when the
 * replay gets longer than all of them, and an even random choice of the operations with their places. For plots.
 */
#ifndef REPLAY_TIMELINE_H
#define REPLAY_TIMELINE_H

#include <stddef.h>
#include <stdint.h>

#include "trace.h"

#define TIMELINE_BINS	   256
#define TIMELINE_OCTAVES   40
#define TIMELINE_BUCKETS   (TIMELINE_OCTAVES * 4) /* of latencies in a bin: four an octave, up to 2^40 ns */
#define TIMELINE_POINTS	   16384		  /* of each kind */
#define TIMELINE_FIRST_BIN UINT64_C(10000000)	  /* ns */

struct timeline_bin {
	uint64_t operations, bytes;
	uint64_t late_most; /* ns */
	uint64_t most;	    /* latency, ns */
	uint32_t buckets[TIMELINE_BUCKETS];
};

struct timeline_point {
	uint64_t time_ns, position;
};

/* Of one kind of operation. */
struct timeline_kind {
	struct timeline_bin bins[TIMELINE_BINS];
	struct timeline_point points[TIMELINE_POINTS];
	uint64_t seen; /* operations that the points are a choice of */
};

struct timeline {
	uint64_t bin_ns;
	uint64_t random;
	struct timeline_kind kinds[TRACE_KINDS];
};

/* An empty one (about 4 MiB), or NULL: out of memory. free() ends it. */
struct timeline *timeline_new(void);

/* An operation that was sent time_ns after the start of the replay. */
void timeline_add(struct timeline *timeline, enum trace_kind kind, uint64_t time_ns, uint64_t position, uint64_t length,
		  uint64_t latency_ns, uint64_t late_ns);

/* The bins that are in use: 0 to the result, not included. */
size_t timeline_used(const struct timeline *timeline);

/* Latency, in ns, that percent of the bin's operations are at most, about (1/4 octave); 0: none. */
uint64_t timeline_percentile(const struct timeline_bin *bin, double percent);

#endif
