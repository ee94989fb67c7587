/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Results of suspended requests, until the client has collected them (rdisk_protocol.h, "Suspended requests"). A result
 * keeps no request: however many lie here, others can be begun. The loop's thread only.
 */
#ifndef RDISK_COLLECT_H
#define RDISK_COLLECT_H

#include "clients.h"

/* A request that the client will collect has this result. */
void collect_add(struct client *client, uint64_t cookie, int64_t result);

/* A client that waits for nothing has closed a disk: what it has suspended there ends with EDVSNXIO. */
void collect_closed(struct server *server, struct client *client, const struct request_disk *disk);

/* Whether a COLLECT is well-formed: 0, EDVSINVAL or EDVS2BIG. */
int collect_check(const struct rdisk_request *collect);

/*
 * Stores as many results as there are and as COLLECT has room for in the client's memory, and notes that they are told.
 * How many, or a code of client_memory.h.
 */
int64_t collect_store(struct client *client, const struct rdisk_request *collect);

/* There is something for a client that waits to collect: its batch may be done with that. */
void collect_resume(struct client *client);

/* The same where there will be nothing. */
void collect_end(struct client *client);

#endif
