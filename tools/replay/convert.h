/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A trace written in another format; no disk. One thread.
 */
#ifndef REPLAY_CONVERT_H
#define REPLAY_CONVERT_H

#include "diagnostic.h"
#include "options.h"

/* What goes wrong with the output is told on stderr: 0, or -1 and *diagnostic. What the format cannot say is a warning.
 */
int convert(const struct options *options, const struct trace_options *trace_options, struct diagnostic *diagnostic);

#endif
