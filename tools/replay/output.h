/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A file that the result, or a converted trace, goes to. It is opened before the work, so that one that cannot be is
 * told at once and not after an hour; what is in it stays until there is something to write. One thread.
 */
#ifndef REPLAY_OUTPUT_H
#define REPLAY_OUTPUT_H

#include <stdbool.h>
#include <stdio.h>
#include <sys/types.h>

#include "diagnostic.h"
#include "result.h"

struct output {
	const char *name; /* the caller's; "-": standard output */
	int fd;		  /* -1: not open, or standard output */
	bool created;	  /* by output_open(), and good for nothing yet: it goes away when it is closed */
	bool begun;	  /* to be written: what is in it is ours */
	bool shared;	  /* with who started this program: what is there is theirs, and this goes behind it */
	dev_t device;	  /* of one that was created, with `inode`: which file it is */
	ino_t inode;
};

/* A file that is not open. */
#define OUTPUT_NONE ((struct output){ .fd = -1 })

/*
 * Opens a file of that name, or makes it. Waits for the reader of a FIFO. A name of a descriptor that is open already
 * (/dev/stdout, /dev/fd/3), and the file that standard output or error is, is that descriptor: so several can go into
 * one file, one behind the other. 0, or -1 and *diagnostic.
 */
int output_open(struct output *output, const char *name, struct diagnostic *diagnostic);

/* Whether opening that name waits for somebody: it is a FIFO's. */
bool output_waits(const char *name);

/* Whether two that are open are one file, so that neither could be used. */
bool output_same(const struct output *one, const struct output *other);

/* What was there goes away, where it stays at all. 0, or -1: errno. */
int output_empty(struct output *output);

/* Writes the result in place of what is there, with one of the functions of result.h. 0, or -1 and *diagnostic. */
int output_write(struct output *output, const struct result *result, int (*write)(const struct result *, FILE *),
		 struct diagnostic *diagnostic);

/* Closes it; one that is still marked as `created` is removed, unless others have put another in its place. */
void output_close(struct output *output);

/* What messages call it. */
const char *output_name(const struct output *output);

#endif
