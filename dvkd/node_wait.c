/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Calls that are answered later: WAIT_BIND, WAIT_UNBIND, UNBIND of another. A client has at
 * most one open; its next request takes the place of it, which is how a client gives one up.
 */
#include "node_internal.h"

#define MS_NS 1000000LL

int node_wait_begin(struct dvk_node *node, struct node_client *client, enum node_wait_kind kind, int dcid, int endpoint,
		    const struct dvk_node_request *request)
{
	if (request->timeout < TIMEOUT_FOREVER)
		return EDVSINVAL;
	if (request->timeout == TIMEOUT_NOWAIT)
		return EDVSAGAIN;
	client->wait.kind = kind;
	client->wait.serial = request->serial;
	client->wait.dcid = dcid;
	client->wait.endpoint = endpoint;
	client->wait.deadline = request->timeout == TIMEOUT_FOREVER ? INT64_MAX : node_now() + request->timeout * MS_NS;
	TAILQ_INSERT_TAIL(&node->waiting, client, waiting_link);
	return NODE_NO_ANSWER;
}

void node_wait_drop(struct dvk_node *node, struct node_client *client)
{
	if (client->wait.kind == NODE_WAIT_NONE)
		return;
	client->wait.kind = NODE_WAIT_NONE;
	TAILQ_REMOVE(&node->waiting, client, waiting_link);
}

static void finish(struct dvk_node *node, struct node_client *client, int result, int endpoint)
{
	uint32_t serial = client->wait.serial;

	node_wait_drop(node, client);
	node_answer_late(node, client, serial, result, endpoint);
}

void node_wait_bound(struct dvk_node *node, const struct node_client *bound)
{
	struct node_client *client, *next;

	for (client = TAILQ_FIRST(&node->waiting); client; client = next) {
		const struct node_wait *wait = &client->wait;

		next = TAILQ_NEXT(client, waiting_link);
		if ((wait->kind == NODE_WAIT_SELF_BOUND && client == bound) ||
		    (wait->kind == NODE_WAIT_BOUND && wait->dcid == bound->dcid && wait->endpoint == bound->endpoint))
			finish(node, client, 0, bound->endpoint);
	}
}

void node_wait_freed(struct dvk_node *node, int dcid, int endpoint, const struct node_client *loser)
{
	struct node_client *client, *next;

	for (client = TAILQ_FIRST(&node->waiting); client; client = next) {
		const struct node_wait *wait = &client->wait;
		bool for_free = wait->kind == NODE_WAIT_FREE || wait->kind == NODE_WAIT_UNBIND;
		bool as_bound = wait->kind == NODE_WAIT_FREE || wait->kind == NODE_WAIT_BOUND;

		next = TAILQ_NEXT(client, waiting_link);
		if (for_free && wait->dcid == dcid && wait->endpoint == endpoint)
			finish(node, client, 0, endpoint);
		else if (as_bound && client == loser)
			finish(node, client, EDVSNOTBIND, wait->endpoint);
	}
}

void node_wait_expire(struct dvk_node *node, int64_t now)
{
	struct node_client *client, *next;

	for (client = TAILQ_FIRST(&node->waiting); client; client = next) {
		next = TAILQ_NEXT(client, waiting_link);
		if (client->wait.deadline <= now)
			finish(node, client, EDVSTIMEDOUT, client->wait.endpoint);
	}
}

int64_t node_wait_next(const struct dvk_node *node)
{
	const struct node_client *client;
	int64_t earliest = INT64_MAX;

	for (client = TAILQ_FIRST(&node->waiting); client; client = TAILQ_NEXT(client, waiting_link))
		if (client->wait.deadline < earliest)
			earliest = client->wait.deadline;
	return earliest;
}
