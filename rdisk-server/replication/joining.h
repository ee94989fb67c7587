/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * This member as a target. A function that takes `frame` owns it, memory from malloc() that
 * `data` lies in. For the parts of the core alone: core.h.
 */
#ifndef RDISK_REPLICATION_JOINING_H
#define RDISK_REPLICATION_JOINING_H

#include "entry.h"
#include "message.h"
#include "replica.h"

/* Whether this member has asked `member`, by its present session and in the present reign, to be brought up. */
bool joining_is_target(const struct replica *replica, int member);
/*
 * Whether it has said READY in the present reign: a configuration of that which names this process has it in sync, all
 * that was answered included, whether or not its session with the primary still is.
 */
bool joining_was_ready(const struct replica *replica);
/* The primary has taken it as a target. */
void joining_heard(struct replica *replica);
/* Its disk has failed: it asks after a while, and with all that it may have lost. */
void joining_disk_failed(struct replica *replica);
void joining_copy(struct replica *replica, int member, const struct message *message, void *frame, const void *data);
void joining_stored(struct replica *replica, struct entry *entry);
void joining_hash(struct replica *replica, int member, const struct message *message);
void joining_read(struct replica *replica, struct entry *entry);
void joining_bits(struct replica *replica, int member, const struct message *message, const void *data);
/* More of the activity log is stable. */
void joining_log_saved(struct replica *replica);
void joining_handed_over(struct replica *replica, int member, const struct message *message);
void joining_session_ended(struct replica *replica, int member);
void joining_can_send(struct replica *replica, int member);
void joining_tick(struct replica *replica);

#endif
