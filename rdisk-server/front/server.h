/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The server's own state: its devices, its clients, and the requests that are between them. One of it; the loop's
 * thread (driver_task.h) owns all of it, but for `completions`, to which the stores' threads add.
 *
 * A request goes down driver_task.c -> intake.c (or batch.c, for each element) -> request/ -> store/, and its result
 * comes up driver_task.c -> answer.c, at once or when the store has it.
 */
#ifndef RDISK_SERVER_H
#define RDISK_SERVER_H

#include "clients.h"
#include "completions.h"
#include "device.h"
#include "recording.h"
#include "request.h"

/*
 * Requests at a time, of all clients together. Those that wait for their client, and not for a store, are at most a
 * third of them, and so are those of batches to replicated disks, which wait as long as nobody can serve them: the
 * others always get done, so that the pool is never empty for ever.
 */
#define REQUESTS_MAX	   6144
#define CLIENT_WAITERS_MAX (REQUESTS_MAX / 3)
#define SET_REQUESTS_MAX   (REQUESTS_MAX / 3)

/*
 * Bytes of requests of batches that are brought to replicated disks in one turn of the loop. They are copied for that,
 * and what the other members have to hear in time is not to wait for hundreds of them: a few ms.
 */
#define SET_BYTES_TURN	   (8u << 20)

/* Messages, of which a client has one at a time, count as no more than that. */
static_assert(SET_REQUESTS_MAX + NR_SLOTS <= MEMBER_IOS_MAX, "the set has room for all that is brought to it");

struct membership_control;

struct server {
	int dcid;
	int endpoint; /* the server's own */
	int nr_tasks; /* of the DC: they decide which clients are system endpoints */
	int nr_sysprocs;
	struct device_table devices;
	struct recording *recording; /* of all I/O, or NULL */
	struct completions completions;
	struct requests requests;
	unsigned int nr_client_waiters; /* requests that may have to wait for their client */
	unsigned int nr_set_requests;	/* of batches, to replicated disks */
	uint64_t set_bytes;		/* of those, since the last batch_resume() */
	/* Clients whose batches wait for those to become fewer, the first first. */
	struct client *first_deferred, *last_deferred;
	/* Of a member of a replica set; see membership.h. */
	struct membership_control *control;
	void (*turn_control)(struct server *server);
	uint64_t next_look;   /* time: for clients of replicated disks that have died */
	uint64_t received_ns; /* when the message came that is being begun; 0: nothing is recorded */
	struct rdisk_request batch[RDISK_BATCH_MAX]; /* copy of what a client sent, while it is begun */
	struct client clients[NR_SLOTS];	     /* by their slots */
	struct front_request pool[REQUESTS_MAX];
};

static inline struct client *client_of(struct server *server, int endpoint)
{
	return &server->clients[dvk_endpoint_slot(endpoint)];
}

#endif
