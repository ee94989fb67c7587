/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * DEV_BATCH: several requests under one message. Each has a result of its own, and a bad one fails alone. They are
 * carried out in the order in which they are in the batch, but those that wait for a disk come later than the others:
 * the batch is answered when all are done, or, if the client has marked them so, without them (rdisk_protocol.h,
 * "Suspended requests"). The server's thread only.
 */
#ifndef RDISK_BATCH_H
#define RDISK_BATCH_H

#include "driver_task.h"

/*
 * Carries out the batch of a message whose IO_ENDPT was checked, and answers it, now or later, with the number of
 * requests that have a result; or with EDVSINVAL, EDVS2BIG (COUNT), or a code of client_memory.h: then none was begun,
 * or not all results could be stored.
 */
void batch_begin(struct server *server, const message *request);

/* Another attempt at a request of a batch, which is READY. */
void batch_resume(struct server *server, struct suspended *suspended);

/* Answers a client that waits to collect something: there will be nothing. */
void batch_end_collect(struct server *server, int client);

#endif
