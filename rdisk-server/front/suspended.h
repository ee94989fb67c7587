/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Requests that wait for a disk: a pool of them, their jobs at the workers, and whom their answers
 * belong to. What carrying out a request means is the business of driver_task.c and batch.c. The server's thread only.
 *
 * Flushes of one image are shared: one is at the workers at a time, and whoever asks for another meanwhile waits for
 * the next, together with all others who do. (The one under way may have begun before his writes.)
 */
#ifndef RDISK_SUSPENDED_H
#define RDISK_SUSPENDED_H

#include <stdbool.h>
#include <stdint.h>

#include "attempt.h"
#include "configuration.h"
#include "dvk_endpoint.h"
#include "dvk_message.h"
#include "rdisk_protocol.h"

#define SUSPENDED_MAX 4096 /* of all clients together; what is beyond is waited for in place */

enum suspended_state {
	SUSPENDED_FREE,
	SUSPENDED_WORKING,   /* its job is at the workers */
	SUSPENDED_FLUSHING,  /* it waits for a flush that it shares with others */
	SUSPENDED_READY,     /* what it waited for is done: the next attempt can be made */
	SUSPENDED_DONE,	     /* COLLECTED only: it has its result, and the client is to learn that */
	SUSPENDED_ABANDONED, /* the same as WORKING, and nobody waits for it any more */
};

enum suspended_kind {
	SUSPENDED_MESSAGE,   /* a request that is a message of its own */
	SUSPENDED_ELEMENT,   /* of a batch, which is answered when all of them are done */
	SUSPENDED_COLLECTED, /* of a batch that has been answered: the client will collect it */
};

struct suspended {
	struct job job; /* first: the workers return it */
	bool job_done;	/* it was, and not given up */
	enum suspended_state state;
	enum suspended_kind kind;
	unsigned int attempts;
	uint64_t received_ns; /* for the recording */
	int client;	      /* endpoint */
	int memory_endpoint;
	int memory_incarnation;
	message message;		/* MESSAGE */
	struct rdisk_request request;	/* else */
	uint64_t result_address;	/* ELEMENT: where the result goes in the client's memory */
	int64_t result;			/* DONE */
	bool told;			/* DONE: it is in what the client is being answered */
	struct suspended *next;		/* of the same client, or in the list of free ones */
	struct suspended *next_waiting; /* for the same flush, or READY */
};

/* What the server owes one client. */
struct rendezvous {
	struct suspended *suspended; /* all of the client's but the abandoned, oldest first */
	unsigned int nr_suspended;
	int incarnation; /* of the client, while it is owed something */
	bool open;	 /* it is blocked in a request that is not answered yet */
	message message; /* that request */
	int elements;	 /* ELEMENTs that are not done */
	int status;	 /* REP_STATUS to be */
	/* the batch ends with COLLECT and WAIT, and there was nothing to collect */
	bool collects;
	uint64_t collect_address; /* of that request in the client's memory */
	struct rdisk_request collect;
};

/* The flushes of one image. */
struct flush_queue {
	struct job job;
	struct suspended *waiting; /* for the one at the workers; NULL: there may be one that nobody waits for */
	struct suspended *next;	   /* for the one after it */
	bool working;
};

struct suspension {
	struct workers workers;
	bool all_in_place; /* nothing is suspended any more: the server ends */
	struct suspended *free;
	struct suspended *ready; /* to be returned by suspended_next_ready() */
	int nr_used;		 /* of pool[], ever */
	struct suspended pool[SUSPENDED_MAX];
	struct rendezvous rendezvous[NR_SLOTS];	 /* by the client's slot */
	struct flush_queue flushes[DEVICES_MAX]; /* in the order in which images are first flushed */
};

static inline struct rendezvous *rendezvous_of(struct suspension *suspension, int client)
{
	return &suspension->rendezvous[dvk_endpoint_slot(client)];
}

/*
 * Suspends a request of `client`, with data in the memory of memory_endpoint, whose attempt ended with SUSPEND; the
 * caller fills in the rest of it. NULL: it cannot be suspended, and has to be carried out in place.
 */
struct suspended *suspended_new(struct suspension *suspension, int client, int memory_endpoint,
				const struct attempt *attempt);

/* Suspends it once more, for something else. False: carry it out in place. */
bool suspended_again(struct suspension *suspension, struct suspended *suspended, const struct attempt *attempt);

/* The next that can go on, READY now, or NULL. */
struct suspended *suspended_next_ready(struct suspension *suspension);

/* How the next attempt at a READY one is to be made. */
struct attempt suspended_attempt(const struct suspension *suspension, const struct suspended *suspended);

/* Whether the memory that it is about is still that of the same process. */
bool suspended_memory_is_there(const struct suspended *suspended);

/* A READY one has been carried out, or a DONE one told. */
void suspended_free(struct suspension *suspension, struct suspended *suspended);

/* The client has given up the request that it was blocked in. What it may collect stays. */
void rendezvous_give_up(struct suspension *suspension, int client);

/* The client, or all of them, are not there any more. */
void rendezvous_forget(struct suspension *suspension, int client);
void rendezvous_forget_all(struct suspension *suspension);

#endif
