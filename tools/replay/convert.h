/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A trace written in another format; no disk. One thread.
 */
#ifndef REPLAY_CONVERT_H
#define REPLAY_CONVERT_H

#include "diagnostic.h"
#include "options.h"
#include "output.h"

/*
 * 0, or -1 and *diagnostic. Where the trace cannot be read any further what was read before is written, a whole trace;
 * an output that nothing was written to is as it was, and one that output_open() made and that is not whole is left
 * marked as `created`. What the format cannot say is told on stderr. From when trace_options->wake is readable on
 * nothing is waited for, of the output neither.
 */
int convert(const struct options *options, struct output *output, const struct trace_options *trace_options,
	    struct diagnostic *diagnostic);

#endif
