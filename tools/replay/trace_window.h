/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The operations of a trace between being read and being handed out: some thousand, sorted by time, because traces are
 * often a little out of order (written by several CPUs, or when requests were finished). An operation that is still
 * here when its completion is read gets its latency.
 */
#ifndef REPLAY_TRACE_WINDOW_H
#define REPLAY_TRACE_WINDOW_H

#include "trace.h"

struct trace_window;

/* NULL: out of memory. */
struct trace_window *trace_window_new(void);
void trace_window_free(struct trace_window *window);

/* Whether some more operations still fit (one line of a trace may stand for two). */
bool trace_window_has_room(const struct trace_window *window);

/* Adds an operation (time_ns: by the trace's own clock, position and length checked). There must be room. */
void trace_window_add(struct trace_window *window, const struct trace_operation *operation);

/*
 * At `time_ns` an operation of that kind, place and device was completed; or the several operations that were merged
 * into it. What is not there (any more) is passed over.
 */
void trace_window_complete(struct trace_window *window, uint64_t time_ns, const struct trace_operation *completed);

/* Takes the earliest operation; among equals the one added first. False: there is none. */
bool trace_window_take(struct trace_window *window, struct trace_operation *operation);

#endif
