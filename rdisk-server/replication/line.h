/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Lines of configurations that have parted. For the parts of the core alone: core.h.
 */
#ifndef RDISK_REPLICATION_LINE_H
#define RDISK_REPLICATION_LINE_H

#include "replica.h"
#include "replica_configuration.h"

/* Whether what `member` has come from is not what this member has come from. settled: of `theirs`; see line.c. */
bool line_parted(const struct replica *replica, int member, const struct replica_configuration *theirs, bool settled);
/* It has: nothing that it says counts, and nothing is done about it before an operator says whose copy to discard. */
void line_tell(struct replica *replica, int member);
/* An operator has: this member's. */
void line_give_up(struct replica *replica);
void line_given_up(struct replica *replica); /* that is stable */

#endif
