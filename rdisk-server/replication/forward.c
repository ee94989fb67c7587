/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A forwarder: each member takes the requests of its own host's clients and brings them to the primary, itself or
 * another. Until they are answered they are sent again whenever a primary begins to serve or another epoch is decided.
 * What the primary makes of them is in accept.c.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core.h"

static struct local_client *client_of(struct replica *replica, uint32_t client, bool make)
{
	struct local_client *free_one = NULL;

	for (unsigned int i = 0; i < replica->settings.clients; i++) {
		struct local_client *at = &replica->forward.clients[i];

		if (at->client == client)
			return at;
		if (!at->client && !free_one)
			free_one = at;
	}
	if (make && free_one)
		*free_one = (struct local_client){ .client = client };
	return make ? free_one : NULL;
}

static void unlink_request(struct replica *replica, struct replica_request *request)
{
	struct forward *forward = &replica->forward;

	if (request->previous)
		request->previous->next = request->next;
	else
		forward->first = request->next;
	if (request->next)
		request->next->previous = request->previous;
	else
		forward->last = request->previous;
	request->next = NULL;
	request->previous = NULL;
	forward->nr_sent -= request->sent;
}

static void link_request(struct replica *replica, struct local_client *client, struct replica_request *request)
{
	struct forward *forward = &replica->forward;

	request->number = ++client->number;
	request->sent = false;
	request->sent_at = 0;
	request->held_back = false;
	request->next = NULL;
	request->previous = forward->last;
	if (forward->last)
		forward->last->next = request;
	else
		forward->first = request;
	forward->last = request;
}

static void answer_local(struct replica *replica, struct replica_request *request, int result)
{
	struct local_client *client = client_of(replica, request->client, false);

	unlink_request(replica, request);
	if (client && request == &client->close) {
		*client = (struct local_client){ 0 };
		return;
	}
	request->result = result;
	replica->world->answered(replica, request);
}

/* The lowest request of a client without an answer. */
static uint64_t lowest_of(const struct replica *replica, const struct replica_request *of)
{
	uint64_t lowest = of->number;

	for (const struct replica_request *at = replica->forward.first; at; at = at->next) {
		if (at->client == of->client && at->number < lowest)
			lowest = at->number;
	}
	return lowest;
}

static struct replica_request *find_local(const struct replica *replica, uint32_t client, uint64_t number)
{
	for (struct replica_request *at = replica->forward.first; at; at = at->next) {
		if (at->client == client && at->number == number)
			return at;
	}
	return NULL;
}

/* It waits as those do that are too many: for an answer to another, for room in the queue, or for the next tick. */
static void hold_back(struct replica *replica, struct replica_request *request)
{
	/* One that was sent before keeps its place among those under way: others may wait for it to be done. */
	request->held_back = true;
	replica->forward.held_back = true;
	core_wake_at(replica, replica->now + replica->settings.heartbeat);
}

const struct local_client *forward_client(const struct replica *replica, uint32_t client)
{
	for (unsigned int i = 0; i < replica->settings.clients; i++) {
		if (replica->forward.clients[i].client == client)
			return &replica->forward.clients[i];
	}
	return NULL;
}

bool forward_sees_primary(const struct replica *replica)
{
	const struct replica_configuration *configuration = core_configuration(replica);
	int primary = (int)configuration->primary;

	return replica->decision.decided && peer_is_named(replica, primary, configuration) &&
	       (primary == replica->settings.self ||
		(replica->peers[primary].epoch == configuration->epoch && replica->peers[primary].decided));
}

/* How the client of a request has its device open, or wants to. */
static uint32_t open_flags(const struct replica *replica, const struct replica_request *request,
			   const struct local_client *client)
{
	bool shared = request->kind == ENTRY_OPEN ? request->shared : client && client->open.shared;
	bool read_only = request->kind == ENTRY_OPEN ? request->read_only : client && client->open.read_only;
	bool held = request->kind != ENTRY_OPEN && request->kind != ENTRY_CLOSE && keep_is_sure(replica);

	return (shared ? MESSAGE_SHARED : 0) | (read_only ? MESSAGE_READ_ONLY : 0) | (held ? MESSAGE_HELD : 0);
}

/* Brings one to the primary, if there is one to be seen. */
static void send_request(struct replica *replica, struct replica_request *request)
{
	const struct replica_configuration *configuration = core_configuration(replica);
	int primary = (int)configuration->primary;
	/* What has data leaves room to what cannot wait: entries, if this member is to be the next primary. */
	enum replica_class class = request->kind == ENTRY_WRITE ? REPLICA_CLASS_BULK : REPLICA_CLASS_STREAM;
	struct local_client *client;
	struct message message;

	if (!forward_sees_primary(replica) ||
	    (!request->sent && replica->forward.nr_sent >= replica->settings.requests))
		return;
	client = client_of(replica, request->client, false);
	message = (struct message){
		.type = MESSAGE_REQUEST,
		.flags = open_flags(replica, request, client),
		.generation = client ? client->generation : 0,
		.epoch = configuration->epoch,
		.kind = request->kind,
		.device = request->device,
		.position = request->position,
		.length = request->length,
		.client = { replica->settings.process.incarnation, request->client },
		.request = request->number,
		.lowest = lowest_of(replica, request),
	};

	if (request->number >= message.lowest + replica->done.window)
		return;
	if (request->stable)
		message.flags |= MESSAGE_STABLE;
	if (request->kind == ENTRY_WRITE)
		message.data_size = (uint32_t)request->length;
	/*
	 * None overtakes one that is held back. That may be one that nobody waits for any more and that is carried out
	 * all the same: it must not be so behind what its client did later.
	 */
	if (replica->forward.held_back ||
	    (primary != replica->settings.self && !core_try_send(replica, primary, class, &message, request->data))) {
		hold_back(replica, request);
		return;
	}
	replica->forward.nr_sent += !request->sent;
	request->sent = true;
	request->held_back = false;
	if (!request->sent_at)
		request->sent_at = replica->now;
	if (primary == replica->settings.self && reign_is_primary(replica))
		accept_request(replica, replica->settings.self, &message, NULL, request->memory, request->data);
}

/* Whether requests fail now, as nobody can serve and the settings want it so. */
static bool fails_for_now(const struct replica *replica)
{
	const struct replica_configuration *configuration = core_configuration(replica);
	member_set there = member_bit(replica->settings.self);

	if (!replica->settings.error_on_no_quorum)
		return false;
	for (int i = 0; i < replica->settings.members; i++)
		there |= replica->peers[i].greeted ? member_bit(i) : 0;
	return !core_majority(replica, there) ||
	       (configuration->epoch && (!(configuration->in_sync & there) ||
					 member_count(configuration->in_sync) < (int)replica->settings.min_in_sync));
}

/* Nobody here waits for it any more; the primary is to forget it, too. */
static void close_client(struct replica *replica, struct local_client *client)
{
	for (const struct replica_request *at = replica->forward.first; at; at = at->next) {
		if (at == &client->close)
			return;
	}
	client->close = (struct replica_request){
		.kind = ENTRY_CLOSE,
		.client = client->client,
		.device = client->open.device,
	};
	link_request(replica, client, &client->close);
	send_request(replica, &client->close);
}

/* 0, or what a request is answered at once. */
static int refused_here(const struct replica *replica, const struct replica_request *request)
{
	if ((request->kind == ENTRY_ZEROES && !maps_one_piece(request->position, request->length)) ||
	    ((request->kind == ENTRY_WRITE || request->kind == ENTRY_READ) &&
	     (request->length == 0 || request->length > MESSAGE_DATA_MAX)))
		return -EINVAL;
	return fails_for_now(replica) ? -EIO : 0;
}

void forward_submit(struct replica *replica, struct replica_request *request)
{
	struct local_client *client = client_of(replica, request->client, false);
	int result = refused_here(replica, request);

	/* It has nothing open, and is not to be one of those that have. */
	if (!result && !client && request->kind != ENTRY_OPEN && request->kind != ENTRY_CLOSE)
		result = -EIO;
	if (!result && !client) {
		client = client_of(replica, request->client, true);
		result = client ? 0 : -EBUSY;
	}
	if (result) {
		if (client && request->kind == ENTRY_CLOSE)
			close_client(replica, client);
		request->result = result;
		replica->world->answered(replica, request);
		return;
	}
	link_request(replica, client, request);
	send_request(replica, request);
}

void forward_resend(struct replica *replica)
{
	struct replica_request *next;

	keep_tell(replica);
	replica->forward.held_back = false;
	for (struct replica_request *at = replica->forward.first; at; at = next) {
		next = at->next;
		send_request(replica, at);
	}
}

void forward_forget(struct replica *replica, uint32_t client)
{
	struct local_client *known = client_of(replica, client, false);
	struct replica_request *next;

	for (struct replica_request *at = replica->forward.first; at; at = next) {
		next = at->next;
		if (at->client == client)
			unlink_request(replica, at);
	}
	if (known)
		close_client(replica, known);
}

bool forward_withdraw(struct replica *replica, struct replica_request *request)
{
	if (request->sent)
		return false;
	unlink_request(replica, request);
	return true;
}

/* Requests that were held back, as too many were under way, can go. */
static void send_held_back(struct replica *replica)
{
	struct replica_request *next;

	for (struct replica_request *at = replica->forward.first; at; at = next) {
		next = at->next;
		if (!at->sent || at->held_back)
			send_request(replica, at);
	}
}

void forward_take_answer(struct replica *replica, uint32_t client, uint64_t number, uint64_t generation, int result,
			 const void *data, uint64_t length)
{
	struct replica_request *request = find_local(replica, client, number);
	struct local_client *known;
	enum entry_kind kind;

	if (!request)
		return;
	kind = request->kind;
	if (!result && request->kind == ENTRY_READ) {
		if (length != request->length)
			return;
		memcpy(request->data, data, length);
	}
	known = client_of(replica, client, false);
	keep_confirmed(replica, request->sent_at);
	if (known && request->kind == ENTRY_OPEN && !result) {
		known->generation = generation;
		known->open = (struct client_open){ .open = true,
						    .shared = request->shared,
						    .read_only = request->read_only,
						    .member = (uint8_t)replica->settings.self,
						    .device = request->device };
	}
	answer_local(replica, request, result);
	/* What was sent of an open more than once may yet be done, whatever the first answer was. */
	if (known && kind == ENTRY_OPEN && result && !known->generation)
		close_client(replica, known);
	if (known && kind == ENTRY_CLOSE)
		*known = (struct local_client){ 0 };
	send_held_back(replica);
}

void forward_answer(struct replica *replica, int member, const struct message *message, const void *data)
{
	const struct replica_configuration *configuration = core_configuration(replica);

	/* Of an older epoch than is known: it was asked again. Of who is not primary by now: the same. */
	if (message->epoch < configuration->epoch || configuration->primary != (uint32_t)member ||
	    message->client.forwarder != replica->settings.process.incarnation || keep_answer(replica, message))
		return;
	forward_take_answer(replica, message->client.client, message->request, message->generation, message->result,
			    data, message->data_size);
}

void forward_hold_back(struct replica *replica, uint32_t client, uint64_t request)
{
	hold_back(replica, find_local(replica, client, request));
}

bool forward_wants(const struct replica *replica, uint32_t client, uint64_t request)
{
	return find_local(replica, client, request);
}

void forward_can_send(struct replica *replica)
{
	if (!replica->forward.held_back)
		return;
	replica->forward.held_back = false;
	send_held_back(replica);
}

/* While nobody can serve, requests fail if the settings want that. What was sent may have been done, or be done later.
 */
void forward_tick(struct replica *replica)
{
	struct forward *forward = &replica->forward;

	opens_tick(replica);
	keep_tick(replica);
	forward_can_send(replica);
	if (forward->held_back)
		core_wake_at(replica, replica->now + replica->settings.heartbeat);
	if (!fails_for_now(replica))
		return;
	for (struct replica_request *at = forward->first, *next; at; at = next) {
		struct local_client *client = client_of(replica, at->client, false);
		bool ends = at->kind == ENTRY_CLOSE || (at->kind == ENTRY_OPEN && client && !client->generation);

		next = at->next;
		if (client && at == &client->close)
			continue;
		answer_local(replica, at, -EIO);
		/* The primary may open it yet, or may not have closed it. */
		if (client && client->client && ends)
			close_client(replica, client);
	}
}
