/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The fast check of a block: for registers whose values are written once each, over which no loss passes.
 *
 * After Gibbons and Korach, "Testing shared memories" (1997). All operations of one value are its cluster; its zone is
 * from the first end of one of them to the last begin. If that is forward in time, the register held the value all that
 * time: no other such zone may overlap it, and no zone that is backward (all operations of the value overlap) may lie
 * within it. Together with "no read ends before its write begins" that is all.
 */
#ifndef SIM_CHECKER_ZONES_H
#define SIM_CHECKER_ZONES_H

#include "checker_block.h"

/* Whether each value, the initial one too, has one write at most. */
bool zones_apply(const struct block_history *block);

/* As block_check(); never BLOCK_UNDECIDED. zones_apply() has to hold; losses are not looked at. O(n log n). */
enum block_verdict zones_check(const struct block_history *block, bool *failed);

#endif
