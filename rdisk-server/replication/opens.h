/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Opens at the primary: who excludes whom, who waits. For the parts of the core alone: core.h.
 */
#ifndef RDISK_REPLICATION_OPENS_H
#define RDISK_REPLICATION_OPENS_H

#include "done_table.h"
#include "entry.h"
#include "replica.h"

/* An OPEN or CLOSE at the primary that serves: it begins when it may, or is answered an error. */
void opens_start(struct replica *replica, struct entry *entry);
/* Those that wait, as far as they can. */
void opens_go_on(struct replica *replica);
/* Whether the client has something open, or waits for that. */
bool opens_is_open(const struct replica *replica, struct client_id client);
/* A CLOSE of the client is under way: nothing else of it is taken any more. */
bool opens_is_closing(const struct replica *replica, struct client_id client);
/* Whether an open that this primary does not know can be taken for one of before. */
bool opens_can_adopt(struct replica *replica, struct client_id client, const struct client_open *open);
void opens_reign_begins(struct replica *replica);
/* From now on it serves. */
void opens_serve(struct replica *replica);
/* The session of a process began or ended. */
void opens_process_changed(struct replica *replica, uint64_t incarnation);
void opens_tick(struct replica *replica);

#endif
