/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where the bytes of a trace come from: a file, a FIFO or standard input, gzip or not. Waiting for more of them can be
 * ended from outside. What the bytes mean, as lines or records, is not known here. One thread.
 */
#ifndef REPLAY_TRACE_SOURCE_H
#define REPLAY_TRACE_SOURCE_H

#include <stddef.h>
#include <stdint.h>

#include "diagnostic.h"

struct trace_source;

/*
 * Opens a path, or "-" for standard input; never waits (for a FIFO's writer). wake: a descriptor, the caller's; from
 * when it is readable on nothing more can be read. -1: none. NULL and *diagnostic when it cannot be opened.
 */
struct trace_source *trace_source_open(const char *path, int wake, struct diagnostic *diagnostic);

void trace_source_close(struct trace_source *source);

/*
 * Up to `size` (> 0) bytes of what gzip holds, as soon as there are any: how many; 0 at the end; -1 and *diagnostic
 * when it cannot be read, or `wake` is readable.
 */
int64_t trace_source_read(struct trace_source *source, void *to, size_t size, struct diagnostic *diagnostic);

/* How much of the file was read, 0 to 1; < 0: not known. */
double trace_source_progress(const struct trace_source *source);

#endif
