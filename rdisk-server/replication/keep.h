/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Exclusive opens of this host's clients, as long as nobody can have closed them. For the parts of the core alone:
 * core.h.
 */
#ifndef RDISK_REPLICATION_KEEP_H
#define RDISK_REPLICATION_KEEP_H

#include "message.h"
#include "replica.h"

/* What was sent at that time was answered. */
void keep_confirmed(struct replica *replica, uint64_t sent_at);
/* Whether no primary can have closed what this process has open. */
bool keep_is_sure(const struct replica *replica);
/* Tells a primary that may have forgotten them of exclusive opens. */
void keep_tell(struct replica *replica);
/* true: the answer is to a request of its own. */
bool keep_answer(struct replica *replica, const struct message *message);
void keep_tick(struct replica *replica);

#endif
