/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What overlaps a request that was done perhaps, or in part, waits. For the parts of the core alone: core.h.
 */
#ifndef RDISK_REPLICATION_UNSURE_H
#define RDISK_REPLICATION_UNSURE_H

#include "entry.h"
#include "message.h"
#include "replica.h"

/* Whether an entry of a client that is about to begin has to wait; then it is in replica->unsure_waiters. */
bool unsure_holds(struct replica *replica, struct entry *entry);
/* Begins with those that need not wait any more. true: there was one. */
bool unsure_go_on(struct replica *replica);
void unsure_wanted(struct replica *replica, int member, const struct message *message);
void unsure_unwanted(struct replica *replica, int member, const struct message *message);
void unsure_tick(struct replica *replica);

#endif
