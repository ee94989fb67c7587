/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The bytes of a trace (trace_source.h) as lines or as records. It never holds more than one buffer of it.
 */
#ifndef REPLAY_TRACE_INPUT_H
#define REPLAY_TRACE_INPUT_H

#include <stddef.h>
#include <stdint.h>

#include "diagnostic.h"

#define TRACE_LINE_MAX 8192 /* bytes of a line, its end not counted */

struct trace_input;

/* As trace_source_open(). NULL and *diagnostic when it cannot be opened. */
struct trace_input *trace_input_open(const char *path, int wake, struct diagnostic *diagnostic);

void trace_input_close(struct trace_input *input);

/*
 * The first bytes that were not taken yet, without taking them: at least `want` of them (at most 64 KiB) unless the
 * trace ends before, or cannot be read any further. Returns how many there are; -1 and *diagnostic: there are none
 * because it cannot be read.
 */
int64_t trace_input_peek(struct trace_input *input, size_t want, const char **bytes, struct diagnostic *diagnostic);

enum trace_line { TRACE_LINE_END, TRACE_LINE_READ, TRACE_LINE_TOO_LONG, TRACE_LINE_ZERO_BYTE, TRACE_LINE_FAILED };

/*
 * Takes a line; *line is valid until the next call, may be changed, and is without its "\n" or "\r\n". One that is too
 * long or has a zero byte in it is taken as well, but cannot be looked at. FAILED: *diagnostic.
 */
enum trace_line trace_input_line(struct trace_input *input, char **line, struct diagnostic *diagnostic);

/* Takes `length` bytes, or what is left of the trace. Returns how many, or -1 and *diagnostic. */
int64_t trace_input_take(struct trace_input *input, void *to, size_t length, struct diagnostic *diagnostic);

/* Takes bytes without looking at them. As trace_input_take(). */
int64_t trace_input_skip(struct trace_input *input, size_t length, struct diagnostic *diagnostic);

/* How many bytes (of what gzip holds) were taken. */
uint64_t trace_input_position(const struct trace_input *input);

/* How much of the file was taken, 0 to 1; < 0: not known. */
double trace_input_progress(const struct trace_input *input);

#endif
