/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Answers of the primary. For the parts of the core alone: core.h.
 */
#ifndef RDISK_REPLICATION_ANSWERING_H
#define RDISK_REPLICATION_ANSWERING_H

#include "entry.h"
#include "replica.h"

/* Whether this member may answer, at the time of the event. */
bool answering_may(const struct replica *replica);
/* Answers an entry of a client, if it may; else it is held until it may. */
void answering_done(struct replica *replica, struct entry *entry);
/* Those that are held, if they may be given now. */
void answering_go_on(struct replica *replica);
/* The queue to a member has room, or it is the turn of what can wait: answers with data go. */
void answering_can_send(struct replica *replica, int member);

#endif
