/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where on the disk an operation of the trace goes. It is first widened to whole blocks of the disk; what then is
 * not inside of the disk is an error, left out, folded or scaled, as the user said. Pure functions.
 */
#ifndef REPLAY_PLACEMENT_H
#define REPLAY_PLACEMENT_H

#include <stdint.h>

enum placement_mode {
	PLACE_ERROR, /* what does not fit is an error */
	PLACE_SKIP,  /* what does not fit is left out */
	PLACE_WRAP,  /* positions count modulo the disk's size */
	PLACE_SCALE  /* a trace of a larger disk is shrunk evenly */
};

struct placement {
	enum placement_mode mode;
	uint64_t size;	     /* of the disk, bytes; whole blocks of it are used */
	uint64_t trace_size; /* SCALE: the end of the trace's last byte */
	uint32_t block;
};

enum placed {
	PLACED_AS_IT_IS,
	PLACED_ELSEWHERE, /* folded or scaled to another position */
	PLACED_NOWHERE	  /* it does not fit */
};

/*
 * Changes *position and *length (a sum of at most INT64_MAX; length above 0) to what is done on the disk; *widened says
 * whether they were no whole blocks. What would cross the end after it was folded or scaled is moved back to end with
 * the disk. Longer than the disk: PLACED_NOWHERE.
 */
enum placed place(const struct placement *placement, uint64_t *position, uint64_t *length, int *widened);

#endif
