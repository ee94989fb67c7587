/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Names of the core's deliberate bugs (deliberate_bug.h), for a program whose core has them; in another one there are
 * none.
 */
#ifndef RDISK_SIM_BUG_H
#define RDISK_SIM_BUG_H

#include <stdbool.h>
#include <stdio.h>

/* From now on every core has this one, and no other. false: there is none of this name. */
bool sim_bug_choose(const char *name);

/* All names, a line each. */
void sim_bug_list(FILE *out);

#endif
