/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The checker's rules for a block (sim/checker.h) as they are written: all orders are tried. For small histories only.
 */
#ifndef CHECKER_ALL_ORDERS_H
#define CHECKER_ALL_ORDERS_H

#include "checker_block.h"

/* Operations and losses, together. */
#define ALL_ORDERS_MAX 12

/* Whether there is an order of the block's operations and losses that agrees with the rules. */
bool all_orders_good(const struct block_history *block);

#endif
