/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Between the parts of cluster-client: cluster_client.c (what it does, one request after the other),
 * cluster_client_batch.c (several under way) and cluster_client_history.c (what it tells). One thread.
 */
#ifndef CLUSTER_CLIENT_H
#define CLUSTER_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

#include "history.h"
#include "sim_random.h"

#define REQUEST_MAX (64u * 1024)
#define DEPTH_MAX   32
#define ANSWER_MS   60000 /* a request without an answer for so long is given up: it may still be done */

/* A request, from before it is sent until its answer is told. */
struct wish {
	enum history_kind kind;
	uint64_t op;		   /* as the history numbers it; 0: free */
	uint64_t position, length; /* bytes; 0 for a flush, an open, a close */
	bool stable;
	unsigned char data[REQUEST_MAX];
};

struct client {
	int dcid, server, minor, self;
	uint64_t seed;
	uint64_t number;   /* of this program among all */
	uint64_t position; /* the range of the disk that is used, bytes */
	uint64_t length;
	unsigned int opens;
	unsigned int depth; /* wishes that are under way at a time, 1 .. DEPTH_MAX */
	uint64_t ops;
	int history;
	struct sim_random random;
	struct wish wishes[DEPTH_MAX];
};

/* Writes why and ends the program. */
void fatal(const char *what, const char *why) __attribute__((noreturn));

/* To be called before the wish is sent, and after its answer is there; each is one write(2). */
void tell_begin(const struct client *client, const struct wish *wish);
/* result: bytes moved, or 0, or a negative code. A transfer that was cut ends the program. */
void tell_end(const struct client *client, const struct wish *wish, int64_t result);

/* The next thing to ask for, with a number. */
void choose(struct client *client, struct wish *wish);

/*
 * Sends what is chosen for some of the free wishes, at most *left, which it lessens, and takes the answers that are
 * there; at least one is. `drain`: sends nothing new. true: the disk has to be opened again; then no wish is under way.
 */
bool run_batch(struct client *client, bool drain, uint64_t *left);

/* Whether wishes are under way. */
bool batch_pending(const struct client *client);

#endif
