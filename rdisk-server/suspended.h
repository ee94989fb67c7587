/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Requests that wait for a disk: a pool of them, their jobs at the workers, and whom their answers
 * belong to. What carrying out a request means is the business of driver_task.c and batch.c. The server's thread only.
 */
#ifndef RDISK_SUSPENDED_H
#define RDISK_SUSPENDED_H

#include <stdbool.h>
#include <stdint.h>

#include "attempt.h"
#include "dvk_endpoint.h"
#include "dvk_message.h"
#include "rdisk_protocol.h"

#define SUSPENDED_MAX 1024 /* of all clients together; what is beyond holds the server up */

enum suspended_state {
	SUSPENDED_FREE,
	SUSPENDED_WORKING,   /* its job is at the workers */
	SUSPENDED_READY,     /* the job is done: the next attempt can be made */
	SUSPENDED_ABANDONED, /* the same as WORKING, and nobody waits for it any more */
};

enum suspended_kind {
	SUSPENDED_MESSAGE,   /* a request that is a message of its own */
	SUSPENDED_ELEMENT,   /* of a batch, which is answered when all of them are done */
	SUSPENDED_COLLECTED, /* of a batch that has been answered: the client will collect it */
};

struct suspended {
	struct job job; /* first: the workers return it */
	enum suspended_state state;
	enum suspended_kind kind;
	unsigned int attempts;
	int client; /* endpoint */
	int memory_endpoint;
	message message;	      /* MESSAGE */
	struct rdisk_request request; /* else */
	uint64_t result_address;      /* ELEMENT: where the result goes in the client's memory */
	struct suspended *next;	      /* of the same client, or in the list of free ones */
};

/* What the server owes one client. */
struct rendezvous {
	struct suspended *suspended; /* all of the client's but the abandoned, newest first */
	int incarnation;	     /* of the client, while it is owed something */
	bool open;		     /* it is blocked in a request that is not answered yet */
	message message;	     /* that request */
	int elements;		     /* ELEMENTs that are not done */
	int status;		     /* REP_STATUS to be */
	/* the batch ends with COLLECT and WAIT, and there was nothing to collect */
	bool collects;
	uint64_t collect_address; /* of that request in the client's memory */
	struct rdisk_request collect;
};

struct suspension {
	struct workers workers;
	bool all_in_place; /* nothing is suspended any more: the server ends */
	struct suspended *free;
	int nr_used; /* of pool[], ever */
	struct suspended pool[SUSPENDED_MAX];
	struct rendezvous rendezvous[NR_SLOTS]; /* by the client's slot */
};

static inline struct rendezvous *rendezvous_of(struct suspension *suspension, int client)
{
	return &suspension->rendezvous[dvk_endpoint_slot(client)];
}

/*
 * Suspends a request of `client` whose attempt ended with SUSPEND; the caller fills in the rest of it. NULL: it cannot
 * be suspended, and has to be carried out in place.
 */
struct suspended *suspended_new(struct suspension *suspension, int client, const struct attempt *attempt);

/* Suspends it once more, for another job. False: carry it out in place. */
bool suspended_again(struct suspension *suspension, struct suspended *suspended, const struct attempt *attempt);

/* The next whose job is done, READY now, or NULL. */
struct suspended *suspended_next_ready(struct suspension *suspension);

/* How the next attempt at a READY one is to be made. */
struct attempt suspended_attempt(const struct suspension *suspension, const struct suspended *suspended);

/* A READY one has been carried out. */
void suspended_free(struct suspension *suspension, struct suspended *suspended);

/* The client has given up the request that it was blocked in. What it may collect stays. */
void rendezvous_give_up(struct suspension *suspension, int client);

/* The client, or all of them, are not there any more. */
void rendezvous_forget(struct suspension *suspension, int client);
void rendezvous_forget_all(struct suspension *suspension);

#endif
