/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What becomes of requests that are done: their results go to whom they belong to, and into the recording. The loop's
 * thread only.
 */
#ifndef RDISK_ANSWER_H
#define RDISK_ANSWER_H

#include "clients.h"
#include "server.h"

/*
 * Ends a request that is a message of its own, and was done as it was begun, or could not be begun: `code` is its
 * result, or INTAKE_BEGIN for that of request/. Releases it.
 */
void answer_message(struct server *server, struct front_request *request, int code);

/* The same of a batch: what is to be stored as the element's result. */
int64_t answer_element(struct server *server, struct front_request *request, int code);

/* Takes what the stores have done, carries on with all requests that it lets go on, and answers those that are done. */
void answer_all_done(struct server *server);

#endif
