/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a target is copied, at the primary. For the parts of the core alone: core.h.
 */
#ifndef RDISK_REPLICATION_COPY_H
#define RDISK_REPLICATION_COPY_H

#include "entry.h"
#include "message.h"
#include "replica.h"

enum copy_begun {
	COPY_BEGUN,
	COPY_NONE, /* nothing is left that is not under way or waits for a flush */
	COPY_NO_MEMORY,
};

/* The next of the blocks that a target must be given. */
enum copy_begun copy_begin_next(struct replica *replica, int member);
void copy_read(struct replica *replica, struct entry *entry);
void copy_copied(struct replica *replica, int member, const struct message *message);
void copy_hashes(struct replica *replica, int member, const struct message *message, const void *data);
void copy_can_send(struct replica *replica, int member);

#endif
