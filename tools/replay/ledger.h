/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What each 512-byte block of the disk may hold. Changes of the disk (writes, zeroings, discards) are numbered; for
 * each block the ledger has the number of the newest change that was begun, and of the oldest whose data may still be
 * there now that others were answered. Two changes of one block that were under way together may leave either.
 *
 * 8 bytes a block, in an unnamed temporary file that is mapped: 1/64 of the disk's size at most, less where the disk is
 * not changed, and of memory what the host has free. One thread.
 */
#ifndef REPLAY_LEDGER_H
#define REPLAY_LEDGER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "diagnostic.h"

#define LEDGER_BLOCK	    512
#define LEDGER_SEQUENCE_MAX 0x7fffffffu

enum ledger_change {
	LEDGER_DATA,   /* stamps */
	LEDGER_ZEROES, /* zeroes */
	LEDGER_DISCARD /* anything after it */
};

struct ledger {
	uint64_t *entries;
	uint64_t blocks; /* of the disk; the last may be cut */
	bool *changed;	 /* for each 4 MiB of the disk: whether anything in it was */
};

/* Of a disk of `size` bytes, nothing changed yet. The file is in $TMPDIR or /var/tmp. 0, or -1 and *diagnostic. */
int ledger_open(struct ledger *ledger, uint64_t size, struct diagnostic *diagnostic);
void ledger_close(struct ledger *ledger);

/* position and length are whole blocks inside of the disk. */

/* A change with the number `sequence`, larger than all before, begins. */
void ledger_begin(struct ledger *ledger, uint64_t position, uint64_t length, uint32_t sequence,
		  enum ledger_change change);

/*
 * It was answered, successfully. floor: the least number among it and the changes of the same blocks that were under
 * way when it began; raced: there was one at any time of it.
 */
void ledger_answer(struct ledger *ledger, uint64_t position, uint64_t length, uint32_t floor, enum ledger_change change,
		   bool raced);

/* Writes of any number count as begun: for a ledger that knows only what was answered. */
struct ledger_check {
	uint64_t seed;
	bool all_begun;
};

enum ledger_verdict {
	LEDGER_RIGHT,
	LEDGER_UNTOUCHED, /* the block was never changed: nothing is known of it, so nothing is wrong */
	LEDGER_UNKNOWN,	  /* anything may be there: after a discard, or when no change of it was answered */
	LEDGER_WRONG
};

/* Whether the block at `position` may hold these 512 bytes; if not, *why says what was expected and found. */
enum ledger_verdict ledger_look(const struct ledger *ledger, const struct ledger_check *check, uint64_t position,
				const void *block, struct diagnostic *why);

/*
 * The next run of blocks that were changed, from *position on and of at most `most` bytes; there may be others within
 * it. False: there is none.
 */
bool ledger_next(const struct ledger *ledger, uint64_t *position, uint64_t *length, uint64_t most);

#endif
