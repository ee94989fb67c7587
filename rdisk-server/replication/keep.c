/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A forwarder's part in keeping what its clients have open to themselves. After a restart of all no primary knows of it
 * any more: the forwarder says so, for which it must be sure that no primary has closed it meanwhile. A primary does
 * that open_grace after it had its last session with this process. So each answer confirms all opens for open_grace
 * from when what it answers was sent; where clients ask for nothing this process asks by itself.
 */
#include "core.h"

/* Of the requests of its own: no client has this number. */
#define KEEPER 0

/* As much shorter than open_grace as the clocks of two hosts may differ. */
static uint64_t sure_for(const struct replica *replica)
{
	uint64_t grace = replica->settings.open_grace;

	return grace - grace / 1000000 * 2 * replica->settings.drift;
}

void keep_confirmed(struct replica *replica, uint64_t sent_at)
{
	if (sent_at > replica->forward.confirmed)
		replica->forward.confirmed = sent_at;
}

bool keep_is_sure(const struct replica *replica)
{
	return (replica->forward.confirmed && replica->now - replica->forward.confirmed < sure_for(replica)) ||
	       deliberate_bug(BUG_OPEN_KEPT_FOR_EVER);
}

static bool is_closing(const struct replica *replica, const struct local_client *client)
{
	for (const struct replica_request *at = replica->forward.first; at; at = at->next) {
		if (at->kind == ENTRY_CLOSE && at->client == client->client)
			return true;
	}
	return false;
}

/* It keeps its device to itself, and is not about to give it up. */
static bool is_alone(const struct replica *replica, const struct local_client *client)
{
	return client->client && client->generation && !client->open.shared && !is_closing(replica, client);
}

/* To the primary, if there is one to be seen that is not this member. */
static void ask(struct replica *replica, struct message *message)
{
	const struct replica_configuration *configuration = core_configuration(replica);
	int primary = (int)configuration->primary;

	message->type = MESSAGE_REQUEST;
	message->epoch = configuration->epoch;
	message->client.forwarder = replica->settings.process.incarnation;
	/* With a queue that is full there is enough else to be answered. */
	if (forward_sees_primary(replica) && primary != replica->settings.self)
		(void)core_try_send(replica, primary, REPLICA_CLASS_STREAM, message, NULL);
}

void keep_tell(struct replica *replica)
{
	for (unsigned int i = 0; i < replica->settings.clients; i++) {
		const struct local_client *client = &replica->forward.clients[i];
		struct message message = {
			.kind = ENTRY_OPEN,
			.flags = MESSAGE_HELD | (client->open.read_only ? MESSAGE_READ_ONLY : 0),
			.device = client->open.device,
			.generation = client->generation,
			.client.client = client->client,
		};

		if (is_alone(replica, client) && keep_is_sure(replica))
			ask(replica, &message);
	}
}

bool keep_answer(struct replica *replica, const struct message *message)
{
	struct forward *forward = &replica->forward;

	if (message->client.client != KEEPER)
		return false;
	if (message->request != forward->keeper_request || forward->keeper_answered)
		return true;
	forward->keeper_answered = true;
	keep_confirmed(replica, forward->keeper_sent);
	return true;
}

void keep_tick(struct replica *replica)
{
	struct forward *forward = &replica->forward;
	uint64_t interval = replica->settings.open_grace / 4;
	struct message message = { .kind = ENTRY_CLOSE, .client.client = KEEPER };
	bool any = false;

	for (unsigned int i = 0; i < replica->settings.clients && !any; i++)
		any = is_alone(replica, &forward->clients[i]);
	if (!any)
		return;
	if (reign_is_primary(replica)) {
		/* Its own opens are where they are kept. */
		if (replica->reign.role == ROLE_SERVING && lease_holds(replica))
			keep_confirmed(replica, replica->now);
	} else if (forward->confirmed + interval <= replica->now && forward->keeper_asked + interval <= replica->now) {
		/* Of a primary that cannot answer for long, one question is all that it has to keep in mind. */
		if (forward->keeper_answered || !forward->keeper_request) {
			forward->keeper_answered = false;
			forward->keeper_request++;
			forward->keeper_sent = replica->now;
		}
		forward->keeper_asked = replica->now;
		message.request = message.lowest = forward->keeper_request;
		ask(replica, &message);
	}
	core_wake_at(replica, replica->now + interval);
}
