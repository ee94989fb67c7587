/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Explanations: what is wrong in a sentence, then the operations concerned, one a line, with losses between them.
 */
#ifndef SIM_CHECKER_TEXT_H
#define SIM_CHECKER_TEXT_H

#include "checker.h"
#include "checker_exclusion.h"
#include "checker_finding.h"
#include "checker_opens.h"

/* Returns text that the caller frees. The blocks have the same finding; values are shown of the first. */
char *text_of_finding(const struct history *history, const struct finding *finding, uint32_t device, uint64_t block,
		      uint64_t blocks);
char *text_of_two_opens(const struct history *history, const struct two_opens *two);
char *text_of_lapsed(const struct history *history, const struct lapsed *lapsed);

#endif
