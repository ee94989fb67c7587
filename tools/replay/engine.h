/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The replay itself: takes operations from a trace, puts each in its place on the disk, sends it when its time has
 * come, and checks and counts what comes back. One thread (the target may have others).
 */
#ifndef REPLAY_ENGINE_H
#define REPLAY_ENGINE_H

#include <stdbool.h>
#include <stdint.h>

#include "diagnostic.h"
#include "events.h"
#include "journal.h"
#include "ledger.h"
#include "memory.h"
#include "placement.h"
#include "result.h"
#include "target.h"
#include "trace.h"

enum engine_writes {
	WRITES_FAIL,   /* the first change of the disk ends the replay, undone */
	WRITES_REAL,   /* the disk is changed */
	WRITES_DISCARD /* changes of the disk are left out */
};

enum engine_overlap {
	OVERLAP_ORDER, /* an operation waits for those before it that are under way and share a block with it */
	OVERLAP_FREE   /* it does not; either may win */
};

/* What the engine works with; all of it is the caller's. */
struct engine_setup {
	struct trace_reader *reader;
	struct target *target;
	struct events *events;
	struct memory *memory;	 /* buffers for `depth` operations */
	struct journal *journal; /* NULL: none */
	struct ledger *ledger;	 /* NULL: nothing is verified */
	struct result *result;
	struct placement placement;
	double speed; /* times the trace's; 0: as fast as it goes */
	unsigned int depth;
	uint64_t limit; /* operations of the trace; UINT64_MAX: all */
	uint64_t seed;
	enum engine_writes writes;
	enum engine_overlap overlap;
	/* called now and then with how much of the trace is done */
	void (*progress)(void *context, const struct result *result, double done);
	void *context;
};

enum engine_end {
	ENGINE_DONE,	/* the trace, or what was to be done of it, is over; or a signal came */
	ENGINE_TRACE,	/* the trace cannot be read any further: *diagnostic */
	ENGINE_REFUSED, /* it would change the disk, and nobody said that it may: *diagnostic */
	ENGINE_LOST,	/* the disk is lost, or nothing more can be done on it: *diagnostic */
	ENGINE_JOURNAL	/* the journal cannot be written: *diagnostic */
};

/* Errors of operations are in the result. */
enum engine_end engine_run(const struct engine_setup *setup, struct diagnostic *diagnostic);

#endif
