/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A file that the result goes to. It is opened before the replay, so that one that cannot be is told at once and not
 * after an hour; what is in it stays until there is something to write. One thread.
 */
#ifndef REPLAY_OUTPUT_H
#define REPLAY_OUTPUT_H

#include <stdbool.h>
#include <stdio.h>

#include "diagnostic.h"
#include "result.h"

struct output {
	const char *name; /* the caller's; "-": standard output */
	int fd;		  /* -1: not open, or standard output */
	bool created;	  /* by output_open(), and nothing was written yet */
};

/* A file that is not open. */
#define OUTPUT_NONE ((struct output){ .fd = -1 })

/* Opens a file of that name, or makes it. Waits for the reader of a FIFO. 0, or -1 and *diagnostic. */
int output_open(struct output *output, const char *name, struct diagnostic *diagnostic);

/* Writes the result in place of what is there, with one of the functions of result.h. 0, or -1 and *diagnostic. */
int output_write(struct output *output, const struct result *result, int (*write)(const struct result *, FILE *),
		 struct diagnostic *diagnostic);

/* Closes it; a file that it made and nothing was written to goes away. */
void output_close(struct output *output);

/* What messages call it. */
const char *output_name(const struct output *output);

#endif
