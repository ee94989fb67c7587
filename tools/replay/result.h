/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a replay measured and counted, and how that is written: a table for people, JSON, an HTML page. Plain
 * memory of the engine's thread.
 */
#ifndef REPLAY_RESULT_H
#define REPLAY_RESULT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "diagnostic.h"
#include "histogram.h"
#include "timeline.h"
#include "trace.h"

#define ERRORS_NAMED 10 /* so many of the first are named */

struct result_kind {
	uint64_t operations; /* that succeeded */
	uint64_t bytes;
	uint64_t errors; /* operations that failed, were not done because they could not be, or have no answer */
	struct histogram latency; /* ns */
};

struct result {
	/* what was replayed, for the head of all three; the strings are the caller's */
	const char *trace, *format, *target, *speed;
	uint64_t target_size;
	unsigned int depth;
	uint64_t seed;
	bool verify, scheduled;

	uint64_t start_ns, end_ns; /* CLOCK_MONOTONIC; of the first and the last operation */
	uint64_t trace_ns;	   /* of the trace's last operation that was replayed */
	struct result_kind kinds[TRACE_KINDS];
	struct histogram lateness; /* ns; when scheduled */
	struct timeline *timeline; /* NULL: not wanted */

	uint64_t read;	       /* operations of the trace that were looked at */
	uint64_t broken;       /* lines or records of the trace */
	uint64_t late_lines;   /* see trace_reader_late() */
	uint64_t left_out;     /* lines that are no operation: see trace_reader_left_out() */
	uint64_t mapped;       /* done at another position */
	uint64_t widened;      /* to whole blocks */
	uint64_t skipped;      /* did not fit on the disk, and were to be left out */
	uint64_t missing;      /* see trace_reader_missing() */
	uint64_t misplaced;    /* did not fit on the disk, and that is an error */
	uint64_t discarded;    /* changes that were to be left out */
	uint64_t held;	       /* waited for an earlier one that they overlap */
	uint64_t unanswered;   /* under way when the disk was lost */
	uint64_t checked;      /* 512-byte blocks that were verified */
	uint64_t unchecked;    /* blocks read that nothing was known of */
	uint64_t wrong;	       /* blocks with wrong data */
	uint64_t errors;       /* of all kinds, misplaced ones and lost ones too, without wrong data */
	uint64_t check_errors; /* of these, reads of the final check; all others are in kinds too */
	uint64_t check_ns;     /* that the final check took */
	uint64_t error_lines;  /* lines about errors that were written */
	int signal;	       /* that ended it early, 0: none */
	bool final_check;      /* everything that was written was read again at the end */
};

/* Seconds from the first operation sent to the last one answered. */
double result_seconds(const struct result *result);

/* Notes that the replay has this error and writes the first of them to stderr. */
void result_error(struct result *result, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Of all kinds together; histogram_merge() of them. */
void result_total(const struct result *result, struct result_kind *total);

/* 0, or -1: not all could be written. */
int result_print(const struct result *result, FILE *to);
int result_json(const struct result *result, FILE *to);
int result_html(const struct result *result, FILE *to);

#endif
