/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Several requests under way: batches of requests that may be suspended, whose results are collected with a later one.
 * Requests that overlap are under way together as chance has it.
 */
#include <string.h>

#include "cluster_client.h"
#include "dvk.h"
#include "rdisk_protocol.h"

static struct rdisk_request requests[DEPTH_MAX + 1];
static struct rdisk_iovec vectors[DEPTH_MAX];
static struct rdisk_completion completions[DEPTH_MAX];

static uint64_t address_of(const void *pointer)
{
	return (uint64_t)(uintptr_t)pointer;
}

static uint32_t operation_of(enum history_kind kind)
{
	switch (kind) {
	case HISTORY_READ:
		return RDISK_OP_READ;
	case HISTORY_WRITE:
		return RDISK_OP_WRITE;
	case HISTORY_ZEROES:
		return RDISK_OP_WRITE_ZEROES;
	default:
		return RDISK_OP_FLUSH;
	}
}

static void fill(const struct client *client, const struct wish *wish, int index)
{
	bool transfer = wish->kind == HISTORY_READ || wish->kind == HISTORY_WRITE;
	unsigned int slot = (unsigned int)(wish - client->wishes);

	vectors[slot] = (struct rdisk_iovec){ address_of(wish->data), wish->length };
	requests[index] = (struct rdisk_request){
		.operation = operation_of(wish->kind),
		.flags = RDISK_REQUEST_MAY_SUSPEND | (wish->stable ? RDISK_REQUEST_FUA : 0),
		.minor = client->minor,
		.nr_segments = transfer,
		.position = wish->position,
		.length = wish->length,
		.vector = transfer ? address_of(&vectors[slot]) : 0,
		.cookie = wish->op,
		.result = RDISK_RESULT_NONE,
	};
}

/* `wait`: there is nothing else to do. */
static void fill_collect(int index, bool wait)
{
	requests[index] = (struct rdisk_request){
		.operation = RDISK_OP_COLLECT,
		.flags = wait ? RDISK_REQUEST_WAIT : 0,
		.nr_segments = DEPTH_MAX,
		.vector = address_of(completions),
		.result = RDISK_RESULT_NONE,
	};
}

bool batch_pending(const struct client *client)
{
	for (unsigned int i = 0; i < client->depth; i++) {
		if (client->wishes[i].op)
			return true;
	}
	return false;
}

/* What becomes of them is not known. */
static void forget(struct client *client)
{
	for (unsigned int i = 0; i < client->depth; i++)
		client->wishes[i].op = 0;
}

/* true: it failed. */
static bool end(struct client *client, uint64_t op, int64_t result)
{
	for (unsigned int i = 0; i < client->depth; i++) {
		struct wish *wish = &client->wishes[i];

		if (wish->op != op)
			continue;
		tell_end(client, wish, result);
		wish->op = 0;
		return result < 0;
	}
	fatal("an answer to what was not asked for", "the server's cookie is none of ours");
}

/* Fills the batch with what is new; how many. */
static int add_new(struct client *client, uint64_t *left)
{
	uint64_t wanted = sim_between(&client->random, 1, client->depth);
	int count = 0;

	for (unsigned int i = 0; i < client->depth && wanted > 0 && *left > 0; i++) {
		struct wish *wish = &client->wishes[i];

		if (wish->op)
			continue;
		choose(client, wish);
		fill(client, wish, count++);
		wanted--;
		--*left;
	}
	/* All are told before any is sent. */
	for (int i = 0; i < count; i++) {
		for (unsigned int k = 0; k < client->depth; k++) {
			if (client->wishes[k].op == requests[i].cookie)
				tell_begin(client, &client->wishes[k]);
		}
	}
	return count;
}

/* Takes what was answered; true: something failed. */
static bool take(struct client *client, int count, bool collected, bool *any)
{
	bool failed = false;

	for (int i = 0; i < count; i++) {
		int64_t result = requests[i].result;

		if (result == SUSPEND)
			continue;
		if (result == RDISK_RESULT_NONE)
			fatal("a batch was answered", "with a request that was not done");
		*any = true;
		failed |= end(client, requests[i].cookie, result);
	}
	if (collected && requests[count].result > DEPTH_MAX)
		fatal("a batch was answered", "with more results than there is room for");
	for (int i = 0; collected && i < requests[count].result; i++) {
		*any = true;
		failed |= end(client, completions[i].cookie, completions[i].result);
	}
	return failed;
}

bool run_batch(struct client *client, bool drain, uint64_t *left)
{
	bool collect = batch_pending(client), failed, any = false;
	int count = drain ? 0 : add_new(client, left), code;
	message asked = { .m_type = DEV_BATCH };

	if (!count && !collect)
		return false;
	if (collect)
		fill_collect(count, !count || sim_chance(&client->random, 1, 2));
	asked.IO_ENDPT = client->self;
	asked.COUNT = count + collect;
	asked.ADDRESS = (char *)requests;
	code = dvk_sendrec_T(client->server, &asked, ANSWER_MS);
	if (code || asked.REP_STATUS != count + collect) {
		forget(client);
		return true;
	}
	failed = take(client, count, collect, &any);
	/* Another server than the one that has suspended them knows nothing of them. */
	if (!any && collect && !count) {
		forget(client);
		return true;
	}
	if (!failed)
		return false;
	while (batch_pending(client)) {
		if (run_batch(client, true, left))
			break;
	}
	return true;
}
