/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a new primary does before it serves. For the parts of the core alone: core.h.
 */
#ifndef RDISK_REPLICATION_RECOVERY_H
#define RDISK_REPLICATION_RECOVERY_H

#include "entry.h"
#include "message.h"
#include "reign.h"
#include "replica.h"

void recovery_begin(struct replica *replica);
void recovery_report(struct replica *replica, int member, const struct message *message, const void *data);
void recovery_go_on(struct replica *replica);
/* The epoch is another: asks those that have not reported yet. */
void recovery_ask(struct replica *replica);
void recovery_end_of_entry(struct replica *replica, struct entry *entry);
/* One of its entries could not be written on the own image, and no other member is in sync. */
void recovery_rewrite_failed(struct replica *replica);
/* A range that may differ: written to all from the own image, before anybody who comes later gets at it. */
void recovery_equalise(struct replica *replica, uint32_t device, uint64_t position, uint64_t length);
void recovery_reconciled(struct replica *replica, int member, const struct message *message);
/* More of the table of done requests, from where `sending` is (0 at first). false: the queue is full, it goes on later.
 */
bool recovery_send_done_table(struct replica *replica, int member, struct sending_table *sending);
void recovery_can_send(struct replica *replica);
void recovery_tick(struct replica *replica);

#endif
