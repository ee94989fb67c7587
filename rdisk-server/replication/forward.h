/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Requests of this host's clients, on their way to the primary and back. For the parts of the core alone: core.h.
 */
#ifndef RDISK_REPLICATION_FORWARD_H
#define RDISK_REPLICATION_FORWARD_H

#include "done_table.h"
#include "entry.h"
#include "message.h"
#include "replica.h"

struct local_client {
	uint32_t client;	      /* 0: free */
	uint64_t number;	      /* of its last request */
	uint64_t generation;	      /* id of that in which it was opened; 0: it is not open */
	struct client_open open;      /* as it has asked for */
	struct replica_request close; /* the core's own: its client is gone */
};

struct forward {
	struct replica_request *first, *last; /* not answered, in the order in which they came */
	struct local_client *clients;	      /* settings.clients */
	bool held_back;			      /* some, because a queue was full; what comes later waits, too */
	unsigned int nr_sent;		      /* of the requests, at most settings.requests */
	/* As primary: time of the next look at whose process is gone; until when it may lack closes sent to the last.
	 */
	uint64_t next_look, settled_at;
	/* keep.c: time at which a primary can have closed nothing of this process yet; the last of its own requests. */
	uint64_t confirmed;
	uint64_t keeper_request, keeper_sent, keeper_asked;
	bool keeper_answered;
	unsigned int spare; /* places of that table beyond settings.clients */
};

/* See replica_submit(). */
void forward_submit(struct replica *replica, struct replica_request *request);
/* All that are not answered: a primary begins to serve, or another epoch is decided. */
void forward_resend(struct replica *replica);
/* An ANSWER of another member. */
void forward_answer(struct replica *replica, int member, const struct message *message, const void *data);
/* See replica_withdraw(). */
bool forward_withdraw(struct replica *replica, struct replica_request *request);
/*
 * An answer to a request of this host, of the generation `generation`: 0 or a negative code, and the `length` bytes of
 * a READ, which stay the caller's. One that nobody waits for is dropped.
 */
void forward_take_answer(struct replica *replica, uint32_t client, uint64_t number, uint64_t generation, int result,
			 const void *data, uint64_t length);
/* The primary, this member, has no room for a request of this host that is not answered: it is sent again later. */
void forward_hold_back(struct replica *replica, uint32_t client, uint64_t request);
/* See replica_forget_client(). */
void forward_forget(struct replica *replica, uint32_t client);
/* A queue has room again: what was held back goes. */
void forward_can_send(struct replica *replica);
void forward_tick(struct replica *replica);

/* A client of this host, or NULL: it has nothing open and wants nothing. */
const struct local_client *forward_client(const struct replica *replica, uint32_t client);
/* Whether a client of this host waits for a request. */
bool forward_wants(const struct replica *replica, uint32_t client, uint64_t request);
/* Whether a primary is seen that takes requests of this member, which may be itself. */
bool forward_sees_primary(const struct replica *replica);

#endif
