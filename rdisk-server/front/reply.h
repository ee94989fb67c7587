/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How a client is told: the answer to a message, the result of an element of a batch in the client's memory, the answer
 * to a batch. The loop's thread only.
 */
#ifndef RDISK_REPLY_H
#define RDISK_REPLY_H

#include "clients.h"

/* Answers a message. 0, or why the client did not get the answer (dvk_reply()). */
int reply_status(const message *request, int status);

/* Stores the result of an element of a client's batch, by its address there. 0, or a code of client_memory.h. */
int reply_result(const struct client *client, uint64_t address, int64_t result);

/* The same for an open batch, which ends with that code where it cannot be stored. */
void reply_set_result(struct client *client, uint64_t address, int64_t result);

/*
 * Answers an open batch, unless it is still waiting for something. What it has told of results that the client collects
 * is forgotten if the client has got the answer, and that is no error; else it is told again next time.
 */
void reply_batch_if_done(struct client *client);

#endif
