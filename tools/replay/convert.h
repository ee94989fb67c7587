/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A trace written in another format; no disk. One thread.
 */
#ifndef REPLAY_CONVERT_H
#define REPLAY_CONVERT_H

#include "diagnostic.h"
#include "options.h"

/*
 * 0, or -1 and *diagnostic: what was read before is written then, a whole trace. What the format cannot say is told on
 * stderr. From when trace_options->wake is readable on nothing is waited for, of the output neither.
 */
int convert(const struct options *options, const struct trace_options *trace_options, struct diagnostic *diagnostic);

#endif
