/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the server owes each client: answers to the message that it is blocked in, and results that it will collect.
 * Here is also what of a request is the front's: whom to answer, and where the client's memory is.
 *
 * A client is an endpoint and an incarnation: a process that comes to an endpoint after another died there is owed
 * nothing. The loop's thread only.
 */
#ifndef RDISK_CLIENTS_H
#define RDISK_CLIENTS_H

#include <stdbool.h>
#include <stdint.h>

#include "device.h"
#include "dvk_endpoint.h"
#include "dvk_message.h"
#include "dvk_pin.h"
#include "rdisk_protocol.h"
#include "recording.h"
#include "request.h"

struct server;
struct client;

/* Who learns of a result, and how. */
enum answer_kind {
	ANSWER_MESSAGE,	  /* the request is a message of its own */
	ANSWER_ELEMENT,	  /* it is of a batch, which is answered when all of them are done */
	ANSWER_COLLECTED, /* it is of a batch that has been answered: the client will collect it */
};

/*
 * Whose memory a message is about: the client's, or that of another process that it names. A process, and not whoever
 * comes to its endpoint after it.
 */
struct memory_owner {
	int endpoint;
	int incarnation;
};

struct front_request {
	struct request request; /* first: the pool's */
	enum answer_kind kind;
	int client;		 /* endpoint */
	struct client *owner;	 /* the same */
	uint64_t cookie;	 /* ELEMENT, COLLECTED: the client's */
	uint64_t result_address; /* ELEMENT: of its struct rdisk_request in the client's memory */
	message message;	 /* MESSAGE */
	/* the data */
	struct memory_owner memory;
	bool waits_for_client; /* counted in server->nr_client_waiters */
	bool in_set;	       /* counted in server->nr_set_requests */
	bool pinned;
	struct dvk_pin pin;
	bool recorded;
	struct recording_request record;
	struct front_request *next, *previous; /* of the same client */
	int nr_segments;
	struct rdisk_iovec segments[RDISK_VECTOR_MAX]; /* as the client sent them, in its address space */
	struct iovec vector[RDISK_VECTOR_MAX];	       /* of direct memory: where they are here */
};

static_assert(RDISK_VECTOR_MAX <= IO_VECTOR_MAX, "a client's vector is one for the store");

struct client {
	int incarnation;		/* of the process that sent the last message */
	struct front_request *requests; /* all of its that are under way and wanted, newest first */
	/* The message that it is blocked in, if that could not be answered at once; `open` when all of it is begun. */
	bool open;
	message message;
	struct memory_owner memory; /* of a batch: where it is */
	int elements;		    /* ELEMENTs under way */
	int status;		    /* REP_STATUS to be, of a batch */
	/* The rest of the batch, from this element on, is begun when replicated disks take more. */
	bool deferred;
	int next_element;
	struct client *next_deferred;
	/* The batch ends with COLLECT and WAIT, and there was nothing to collect. */
	bool collects;
	bool in_batch;		  /* it is blocked in a batch: the memory of what it will collect can be reached */
	uint64_t collect_address; /* of that request in its memory */
	struct rdisk_request collect;
	/* Results to be collected: a ring; the first `told` of them are in what it is being answered. */
	unsigned int nr_suspended; /* COLLECTEDs under way, and results */
	unsigned int first_result, nr_results, told;
	struct rdisk_completion results[RDISK_SUSPENDED_MAX];
};

/* A request for `client`, BEGUN, with nothing of its front set but that. Never NULL: the loop sees to it. */
struct front_request *front_request_take(struct server *server, int client);

/* It is BEGUN or DONE, and in no client's list: gives back all that it has. */
void front_request_release(struct server *server, struct front_request *request);

/*
 * A message came from there: what is owed to a process that was there before is not owed any more. False: nobody is
 * there, so that there is nothing to be done for it.
 */
bool client_meet(struct server *server, int endpoint);

/* It is under way from now on, and its client, who was met, is owed the result. */
void client_add(struct front_request *request);

/* It is not owed any more. */
void client_remove(struct front_request *request);

/* The same, and nobody waits for it any more. */
void client_abandon(struct server *server, struct front_request *request);

/* Whether the process that something is owed to is still there. */
bool client_lives(const struct server *server, int endpoint);

/* It has given up the message that it was blocked in. What it may collect stays. */
void client_give_up(struct server *server, int endpoint);

/* Puts a client's batch behind those that wait; takes it away, which is harmless if it does not. See batch.h. */
void client_defer(struct server *server, struct client *client);
void client_undefer(struct server *server, struct client *client);

/* Nothing is owed any more, to it; to any that died; to any at all. */
void client_forget(struct server *server, int endpoint);
void clients_forget_dead(struct server *server);
void clients_forget_all(struct server *server);

#endif
