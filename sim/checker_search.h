/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The general check of a block: values that are written more than once, and losses.
 *
 * It walks through the events with the set of all *configurations* in which the block may be: which operations under
 * way have taken effect, the present value, and what a loss may bring back (Wing and Gong 1993, Lowe 2017, with every
 * write put off until something needs it). What keeps that set small, and loses nothing:
 *
 *   - a read takes effect as soon as the value is the one that it returned;
 *   - a write takes effect when it ends, when a read that ends needs its value, before another write that does so, or,
 *     if it has an answer, at a loss;
 *   - a write whose value is not read any more, directly before the next write that takes effect;
 *   - a write that need not happen only when a read waits for it;
 *   - of several with one value, the one that ends first;
 *   - values are remembered for a loss only if somebody reads them after it.
 */
#ifndef SIM_CHECKER_SEARCH_H
#define SIM_CHECKER_SEARCH_H

#include "checker_block.h"

/* Beyond these, BLOCK_UNDECIDED. */
#define SEARCH_CONFIGURATIONS_MAX (1u << 17)
#define SEARCH_UNDER_WAY_MAX	  64 /* operations on the block at a time, failed writes that are read later too */
#define SEARCH_VALUES_MAX	  63 /* that were written before a loss and read after it */
#define SEARCH_UNANSWERED_MAX	  20 /* writes after the last answered one, in one configuration */

/* As block_check(). On BLOCK_BAD, *failing is the index of the read at whose end nothing fits any more. */
enum block_verdict search_check(const struct block_history *block, size_t *failing);

#endif
