/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What of a request goes into the recording (recording.h), for those who finish requests: driver_task.c and batch.c.
 * Only I/O is recorded: no opens, no inquiries. Nothing when nothing is recorded.
 */
#ifndef RDISK_RECORD_H
#define RDISK_RECORD_H

#include "driver_task.h"
#include "recording.h"

/* When a request is received: what started_ns will be. Costs nothing when nothing is recorded. */
static inline uint64_t record_start(const struct server *server)
{
	return server->recording ? recording_now() : 0;
}

/* Fills in what kind of I/O a message is. False: it is none. */
bool record_describe(const message *request, int status, struct recording_request *described);

/* A request that is a message of its own is finished. */
static inline void record_message(struct server *server, const message *request, uint64_t started_ns, int status)
{
	struct recording_request described = { .started_ns = started_ns };

	if (server->recording && record_describe(request, status, &described))
		recording_note(server->recording, &described);
}

/* A request of a batch, by `client`, is finished. */
static inline void record_request(struct server *server, int client, const struct rdisk_request *request,
				  uint64_t started_ns, int64_t result)
{
	if (server->recording && request->operation >= RDISK_OP_READ && request->operation <= RDISK_OP_WRITE_ZEROES)
		recording_note(server->recording, &(struct recording_request){
							  .started_ns = started_ns,
							  .client = client,
							  .minor = request->minor,
							  .operation = (enum rdisk_operation)request->operation,
							  .stable = request->flags & RDISK_REQUEST_FUA,
							  .position = request->position,
							  .length = request->length,
							  .result = result,
						  });
}

#endif
