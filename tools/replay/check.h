/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reads everything that was changed back from the disk and compares it with the ledger. One thread.
 */
#ifndef REPLAY_CHECK_H
#define REPLAY_CHECK_H

#include "diagnostic.h"
#include "events.h"
#include "ledger.h"
#include "memory.h"
#include "result.h"
#include "target.h"

struct check_setup {
	struct target *target; /* nothing under way */
	struct events *events;
	struct memory *memory;
	const struct ledger *ledger;
	struct ledger_check check;
	struct result *result; /* checked, unchecked, wrong and errors are added to */
};

/*
 * 0, with what was found in the result, final_check set unless a signal ended it; -1 and *diagnostic: the disk is
 * lost.
 */
int check_disk(const struct check_setup *setup, struct diagnostic *diagnostic);

#endif
