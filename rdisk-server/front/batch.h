/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * DEV_BATCH: several requests under one message. Each has a result of its own, and a bad one fails alone. They are
 * begun in the order in which they are in the batch, but those that wait for a disk are done later than the others: the
 * batch is answered when all are done, or, if the client has marked them so, without them (rdisk_protocol.h, "Suspended
 * requests"). The loop's thread only.
 *
 * Replicated disks take only so many requests of batches at a time (SET_REQUESTS_MAX), as those may wait for long: the
 * rest of a batch that has more waits with its client, which is blocked in it, and takes no room that others need. So
 * does what is more than SET_BYTES_TURN, until the next turn.
 */
#ifndef RDISK_BATCH_H
#define RDISK_BATCH_H

#include "dvk_message.h"
#include "server.h"

/*
 * Begins the batch of a message and answers it, now or later, with the number of requests that have a result; or with
 * EDVSPERM, EDVSENDPOINT (IO_ENDPT), EDVSINVAL, EDVS2BIG (COUNT), or a code of client_memory.h: then none was begun, or
 * not all results could be stored.
 */
void batch_begin(struct server *server, const message *asked);

/* A turn: goes on with batches that wait for replicated disks to take more, the oldest first, as far as they do. */
void batch_resume(struct server *server);

/* Whether the next one has something to do already. */
bool batch_can_resume(const struct server *server);

#endif
