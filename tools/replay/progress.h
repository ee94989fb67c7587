/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The line on a terminal that says how far a replay is. One thread.
 */
#ifndef REPLAY_PROGRESS_H
#define REPLAY_PROGRESS_H

#include "result.h"

/* Writes the line over the one before, on stderr. done: 0 to 1, < 0: not known. */
void progress_show(void *context, const struct result *result, double done);

/* Wipes the line, if there is one. */
void progress_clear(void);

#endif
