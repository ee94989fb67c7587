/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Histories as text, an event a line:
 *
 *   rdisk-history 1
 *   TIME initial DEVICE POSITION LENGTH VALUES
 *   TIME begin CLIENT OP KIND DEVICE POSITION LENGTH STABLE VALUES
 *   TIME end CLIENT OP RESULT VALUES
 *   TIME lost OP
 *   TIME may-lose GENERATION unflushed|flushed
 *   TIME power MEMBER
 *   TIME final DEVICE POSITION LENGTH VALUES
 *
 * KIND: read, write, zeroes, flush, open, close. STABLE: 0 or 1; of an open: 1 exclusive, 2 only reads, 3 both. VALUES:
 * "-" for none (of initial and final: zeroes), else the values of the blocks (history_value()) in hexadecimal, with
 * commas; "V*N" is V, N times. The other numbers are decimal. Empty lines and lines that begin with # are nothing.
 * Lines are in the order of time. Files of several clients are put together with `sort -n -s`: the first line may be
 * there more than once.
 */
#ifndef SIM_HISTORY_FILE_H
#define SIM_HISTORY_FILE_H

#include <stdio.h>

#include "history.h"

struct history_file_error {
	unsigned long line; /* 0: no line, reading or writing failed */
	char text[240];
};

/* Writes the history, which is not broken. Returns 0 or a negative errno. */
int history_save(const struct history *history, FILE *file);

/*
 * Reads one, into *history, which the caller has initialised. Returns 0; -EINVAL: a line is bad; or another negative
 * errno: reading failed. Then *error says where and why, and the history is of no use (but to be destroyed).
 */
int history_load(struct history *history, FILE *file, struct history_file_error *error);

#endif
