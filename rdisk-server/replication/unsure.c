/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Unsure requests, at the primary that serves: those of which nobody knows whether they were done, wholly or in part,
 * because a primary died while it made the images equal. What overlaps one waits: else a client could see it, another
 * write over it, and then it would be done again. It ends when the request comes again and is done, or when its client
 * does not wait for it any more: it has told a higher lowest one, it is closed, or its forwarder says so, who is asked
 * now and then.
 */
#include <errno.h>

#include "core.h"

static bool has_range(const struct entry *entry)
{
	return entry->kind == ENTRY_READ || entry->kind == ENTRY_WRITE || entry->kind == ENTRY_ZEROES;
}

static bool has_to_wait(const struct replica *replica, const struct entry *entry)
{
	if (!replica->done.nr_unsure || !has_range(entry) || deliberate_bug(BUG_UNSURE_NOT_HELD))
		return false;
	/* Nobody has seen what any of the unsure ones did: they are done in any order. */
	if (done_table_unsure(&replica->done, entry->client, entry->client_request))
		return false;
	return done_table_holds(&replica->done, entry->device, entry->request.position, entry->request.length);
}

bool unsure_holds(struct replica *replica, struct entry *entry)
{
	if (!has_to_wait(replica, entry))
		return false;
	entry_append(&replica->unsure_waiters, entry);
	return true;
}

bool unsure_go_on(struct replica *replica)
{
	struct entry *entry, *next;
	bool any = false;

	if (replica->reign.role != ROLE_SERVING)
		return false;
	for (entry = replica->unsure_waiters.first; entry; entry = next) {
		next = entry->next;
		if (has_to_wait(replica, entry))
			continue;
		entry_remove(entry);
		accept_start(replica, entry);
		any = true;
	}
	return any;
}

/* ---- whether they are wanted ---- */

/* It is never sent again: whoever asks all the same is told that it failed, as its client was, or is gone. */
static void give_up(struct replica *replica, struct client_id client, uint64_t request)
{
	const struct done_range *range = done_table_unsure(&replica->done, client, request);

	if (range)
		done_table_add_write(&replica->done, client, request, 0, -EIO, range);
}

static void ask(struct replica *replica, const struct done_client *client, uint64_t request)
{
	struct message wanted = {
		.type = MESSAGE_WANTED,
		.epoch = core_configuration(replica)->epoch,
		.client = client->id,
		.request = request,
	};

	if (client->id.forwarder == replica->settings.process.incarnation) {
		if (!forward_wants(replica, client->id.client, request))
			give_up(replica, client->id, request);
		return;
	}
	/* One whose process is gone is closed after a while; one whose queue is full is asked again. */
	for (int i = 0; i < replica->settings.members; i++) {
		if (replica->peers[i].greeted && replica->peers[i].process.incarnation == client->id.forwarder)
			core_try_send(replica, i, REPLICA_CLASS_BULK, &wanted, NULL);
	}
}

void unsure_tick(struct replica *replica)
{
	if (replica->reign.role != ROLE_SERVING || !replica->done.nr_unsure)
		return;
	if (replica->now < replica->next_ask) {
		core_wake_at(replica, replica->next_ask);
		return;
	}
	replica->next_ask = replica->now + replica->settings.heartbeat;
	core_wake_at(replica, replica->next_ask);
	for (unsigned int i = 0; i < replica->done.nr_clients; i++) {
		const struct done_client *client = &replica->done.clients[i];

		for (unsigned int k = 0; k < replica->done.window && client->nr_unsure > 0; k++) {
			if (client->requests[k].unsure)
				ask(replica, client, client->requests[k].request);
		}
	}
}

/* In the order of the requests: one that was sent before the answer comes before it. */
void unsure_wanted(struct replica *replica, int member, const struct message *message)
{
	struct message unwanted = {
		.type = MESSAGE_UNWANTED,
		.epoch = message->epoch,
		.client = message->client,
		.request = message->request,
	};

	if (message->client.forwarder == replica->settings.process.incarnation &&
	    !forward_wants(replica, message->client.client, message->request))
		core_try_send(replica, member, REPLICA_CLASS_BULK, &unwanted, NULL);
}

void unsure_unwanted(struct replica *replica, int member, const struct message *message)
{
	if (replica->reign.role == ROLE_SERVING &&
	    message->client.forwarder == replica->peers[member].process.incarnation)
		give_up(replica, message->client, message->request);
}
