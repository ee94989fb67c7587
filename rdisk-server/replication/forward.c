/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Requests of clients. Each member takes those of its own host's clients and brings them to the primary, itself or
 * another; until they are answered they are sent again whenever a primary begins to serve or another epoch is decided.
 * The primary does each of them once: what was done already is answered from the table, what is under way is answered
 * to who asked last.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core.h"

/* ---- this host's clients ---- */

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

static void accept_request(struct replica *replica, int origin, const struct message *message, void *memory,
			   const void *data);

/* It waits as those do that are too many: for an answer to another, for room in the queue, or for the next tick. */
static void hold_back(struct replica *replica, struct replica_request *request)
{
	/* One that was sent before keeps its place among those under way: others may wait for it to be done. */
	request->held_back = true;
	replica->forward.held_back = true;
	core_wake_at(replica, replica->now + replica->settings.heartbeat);
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
		accept_request(replica, replica->settings.self, &message, NULL, request->data);
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

static void take_answer(struct replica *replica, uint32_t client, uint64_t number, uint64_t generation, int result,
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
	take_answer(replica, message->client.client, message->request, message->generation, message->result, data,
		    message->data_size);
}

/* ---- the primary ---- */

/*
 * false: it has data, for which the queue has no room now. Those of all reads that a forwarder may have under way are
 * more than a queue holds, and must not take the room that entries need.
 */
static bool send_answer(struct replica *replica, const struct entry *entry)
{
	uint64_t length = entry->kind == ENTRY_READ && !entry->result ? entry->request.length : 0;
	int origin = entry->origin;
	struct message answer = {
		.type = MESSAGE_ANSWER,
		.epoch = core_configuration(replica)->epoch,
		.generation = core_configuration(replica)->generation.id,
		.client = entry->client,
		.request = entry->client_request,
		.result = entry->result,
		.data_size = (uint32_t)length,
	};

	if (origin == replica->settings.self)
		take_answer(replica, entry->client.client, entry->client_request, answer.generation, entry->result,
			    entry->data, length);
	if (origin == replica->settings.self || origin == NO_MEMBER || !replica->peers[origin].greeted ||
	    replica->peers[origin].process.incarnation != entry->client.forwarder)
		return true;
	if (length)
		return core_try_send(replica, origin, REPLICA_CLASS_BULK, &answer, entry->data);
	core_send(replica, origin, REPLICA_CLASS_CONTROL, &answer, NULL);
	return true;
}

/* The lease holds, as many are in sync as are demanded, and no generation is to begin. */
static bool may_answer(const struct replica *replica)
{
	return replica->reign.role == ROLE_SERVING && (lease_holds(replica) || deliberate_bug(BUG_NO_LEASE_CHECK)) &&
	       !replica->reign.flush_lost && member_count(replica->reign.in_sync) >= (int)replica->settings.min_in_sync;
}

/* Answered, or held back until it may be. The lease is looked at after all that it was done for. */
void forward_done(struct replica *replica, struct entry *entry)
{
	if (may_answer(replica) && send_answer(replica, entry))
		entry_free(replica, entry);
	else
		entry_append(&replica->held, entry);
}

/* Whether an answer that is held waits for room in a queue, which forward_answer_more() is told of. */
static bool waits_for_room(const struct replica *replica, const struct entry *entry)
{
	return entry->origin != NO_MEMBER && replica->peers[entry->origin].greeted &&
	       replica->peers[entry->origin].full && entry->kind == ENTRY_READ && !entry->result;
}

void primary_paused_can_go_on(struct replica *replica)
{
	struct entry *next;

	if (!replica->held.first || !may_answer(replica))
		return;
	for (struct entry *entry = replica->held.first; entry; entry = next) {
		next = entry->next;
		if (!waits_for_room(replica, entry) && send_answer(replica, entry))
			entry_free(replica, entry);
	}
}

void forward_answer_more(struct replica *replica, int member)
{
	struct entry *next;

	if (!replica->held.first || !may_answer(replica))
		return;
	for (struct entry *entry = replica->held.first; entry; entry = next) {
		next = entry->next;
		if (entry->origin != member)
			continue;
		if (!send_answer(replica, entry))
			return;
		entry_free(replica, entry);
	}
}

static struct entry *find_in(struct entry_list *list, const struct message *message)
{
	for (struct entry *at = list->first; at; at = at->next) {
		if (at->client.forwarder == message->client.forwarder && at->client.client == message->client.client &&
		    at->client_request == message->request && at->role == ENTRY_OF_CLIENT)
			return at;
	}
	return NULL;
}

static struct entry *find_under_way(struct replica *replica, const struct message *message)
{
	struct entry_list *lists[] = { &replica->queue,		&replica->ordered,	  &replica->active,
				       &replica->held,		&replica->window_waiters, &replica->flush.waiting,
				       &replica->flush.covered, &replica->opens,	  &replica->unsure_waiters };
	struct entry *entry = NULL;

	for (unsigned int i = 0; i < sizeof(lists) / sizeof(lists[0]) && !entry; i++)
		entry = find_in(lists[i], message);
	return entry;
}

void forward_start(struct replica *replica, struct entry *entry)
{
	if (unsure_holds(replica, entry))
		return;
	switch (entry->kind) {
	case ENTRY_FLUSH:
		primary_want_flush(replica, entry);
		break;
	case ENTRY_OPEN:
	case ENTRY_CLOSE:
		if (entry->kind == ENTRY_OPEN && !entry->client_request) /* adopted: it was there before */
			primary_begin(replica, entry);
		else
			opens_start(replica, entry);
		break;
	default:
		entry_append(&replica->ordered, entry);
		entry_begin(replica, entry);
	}
}

void forward_start_queue(struct replica *replica)
{
	struct entry *entry;

	while (replica->reign.role == ROLE_SERVING && (entry = replica->queue.first)) {
		entry_remove(entry);
		forward_start(replica, entry);
	}
}

/* Answers without doing anything. */
static void answer_only(struct replica *replica, int origin, const struct message *message, int result)
{
	struct entry *entry = entry_take(replica, ENTRY_OF_CLIENT, ENTRY_FLUSH, 0, 0, 0, NULL, NULL);

	entry->origin = origin;
	entry->client = message->client;
	entry->client_request = message->request;
	entry_append(&replica->active, entry);
	entry_complete(replica, entry, result);
}

/* How the client of a request has, or wants, its device open. */
static struct client_open open_of(int origin, const struct message *message)
{
	return (struct client_open){ .open = true,
				     .shared = message->flags & MESSAGE_SHARED,
				     .read_only = message->flags & MESSAGE_READ_ONLY,
				     .member = (uint8_t)origin,
				     .device = message->device };
}

/* 0, or what a client is told that asks for something else than READs, WRITEs, ... of what it has open. */
static int judge_request(struct replica *replica, int origin, const struct message *message)
{
	const struct client_open *known = done_table_open_of(&replica->done, message->client);
	struct client_open open = open_of(origin, message);

	if (message->kind == ENTRY_CLOSE)
		return 0;
	if (message->device >= (uint32_t)replica->settings.nr_devices)
		return -EINVAL;
	if (message->kind == ENTRY_OPEN)
		return !known && replica->done.nr_free <= replica->forward.spare ? -EBUSY : 0;
	/* An open that lapsed is never revived; one that this primary may have forgotten, when all were restarted, is.
	 */
	if (!known && !deliberate_bug(BUG_OPEN_REVIVED) &&
	    (replica->now >= replica->reign.adopt_until || open.shared || !(message->flags & MESSAGE_HELD) ||
	     !opens_can_adopt(replica, message->client, &open)))
		return -EIO;
	if (opens_is_closing(replica, message->client))
		return -EIO;
	if (known && known->open && known->device != open.device)
		return -EINVAL;
	if (message->kind != ENTRY_READ && message->kind != ENTRY_FLUSH && (known ? known : &open)->read_only)
		return -EBADF;
	return 0;
}

static bool same_range(const struct done_range *range, const struct message *message)
{
	return range->device == message->device && range->position == message->position &&
	       range->length == message->length;
}

/* A client that this primary has forgotten, as all have: it is known again, on all. */
static void adopt(struct replica *replica, int origin, const struct message *message)
{
	struct entry *entry = entry_take(replica, ENTRY_OF_CLIENT, ENTRY_OPEN, 0, 0, 0, NULL, NULL);

	entry->client = message->client;
	entry->open = open_of(origin, message);
	entry->lowest = message->lowest;
	if (replica->reign.role == ROLE_SERVING)
		primary_begin(replica, entry);
	else
		entry_append(&replica->queue, entry);
}

/* A forwarder tells of an open of before, and waits for no answer. */
static void take_held(struct replica *replica, int origin, const struct message *message)
{
	struct client_open open = open_of(origin, message);

	if (message->device < (uint32_t)replica->settings.nr_devices && replica->now < replica->reign.adopt_until &&
	    message->generation == core_configuration(replica)->generation.id && !open.shared &&
	    !done_table_knows(&replica->done, message->client) && opens_can_adopt(replica, message->client, &open))
		adopt(replica, origin, message);
}

/*
 * There is no room for it: a process that was restarted may still have much under way. It is asked again when its
 * session is up again.
 */
static void refuse_request(struct replica *replica, int origin, const struct message *message)
{
	if (origin != replica->settings.self)
		peer_refuse(replica, origin, "too many requests are under way");
	else
		hold_back(replica, find_local(replica, message->client.client, message->request));
}

/* Memory for what it reads, or of its own for what it writes. false: there is none, and *memory is freed. */
static bool take_data(const struct message *message, void **memory, const void **data)
{
	if (message->kind == ENTRY_READ || (message->kind == ENTRY_WRITE && !*memory)) {
		void *taken = malloc(message->length);

		free(*memory);
		*memory = taken;
		if (!taken)
			return false;
		if (message->kind == ENTRY_WRITE)
			memcpy(taken, *data, message->length);
		*data = taken;
	}
	return true;
}

/*
 * Answered writes may have been lost since it was opened: the client is told, until it has closed it and opens it
 * again. One that asks for another way to have it open still has it from before.
 */
static bool is_of_before(const struct replica *replica, const struct message *message)
{
	return message->kind != ENTRY_CLOSE && (message->kind != ENTRY_OPEN || message->generation) &&
	       message->generation != core_configuration(replica)->generation.id;
}

/* memory: owned from now on, of `data`; NULL: the data of a write are the caller's, and copied. */
static void accept_request(struct replica *replica, int origin, const struct message *message, void *memory,
			   const void *data)
{
	bool ranged = message->kind == ENTRY_READ || message->kind == ENTRY_WRITE || message->kind == ENTRY_ZEROES;
	struct entry *entry;
	int result;

	/* Also one that is in the table of what was done: this member may have it, and not yet all. */
	entry = find_under_way(replica, message);
	if (entry) {
		entry->origin = origin;
		free(memory);
		return;
	}
	/* Also an answer alone may have to wait until it can be given. */
	if (!entry_room(replica)) {
		free(memory);
		refuse_request(replica, origin, message);
		return;
	}
	if (ranged && (!maps_range_ok(replica, message->device, message->position, message->length) ||
		       (message->kind == ENTRY_ZEROES && !maps_one_piece(message->position, message->length)))) {
		free(memory);
		answer_only(replica, origin, message, -EINVAL);
		return;
	}
	if (message->kind == ENTRY_OPEN && !message->request) {
		free(memory);
		take_held(replica, origin, message);
		return;
	}
	if (is_of_before(replica, message)) {
		free(memory);
		answer_only(replica, origin, message, -EIO);
		return;
	}
	switch (deliberate_bug(BUG_NO_DONE_TABLE)
			? DONE_UNKNOWN
			: done_table_find(&replica->done, message->client, message->request, &result)) {
	case DONE_KNOWN:
		free(memory);
		answer_only(replica, origin, message, result);
		return;
	case DONE_OLD:
		free(memory);
		return;
	case DONE_UNSURE:
		if (!same_range(done_table_unsure(&replica->done, message->client, message->request), message)) {
			free(memory);
			answer_only(replica, origin, message, -EINVAL);
			return;
		}
		break;
	case DONE_UNKNOWN:
		break;
	}
	result = judge_request(replica, origin, message);
	if (result || (message->kind == ENTRY_CLOSE && !opens_is_open(replica, message->client))) {
		free(memory);
		answer_only(replica, origin, message, result);
		return;
	}
	if (!take_data(message, &memory, &data)) {
		answer_only(replica, origin, message, -ENOMEM);
		return;
	}
	if (message->kind != ENTRY_OPEN && message->kind != ENTRY_CLOSE &&
	    !done_table_knows(&replica->done, message->client))
		adopt(replica, origin, message);
	entry = entry_take(replica, ENTRY_OF_CLIENT, message->kind, message->device, message->position, message->length,
			   memory, (void *)(uintptr_t)data);
	entry->origin = origin;
	entry->client = message->client;
	entry->client_request = message->request;
	if (message->kind == ENTRY_OPEN)
		entry->open = open_of(origin, message);
	entry->lowest = message->lowest;
	entry->stable = message->flags & MESSAGE_STABLE;
	if (replica->reign.role == ROLE_SERVING)
		forward_start(replica, entry);
	else
		entry_append(&replica->queue, entry);
}

void forward_request(struct replica *replica, int member, const struct message *message, void *frame, const void *data)
{

	/* Who is not primary (any more) drops it: it is asked again when the forwarder knows better. */
	if (!reign_is_primary(replica) || message->client.forwarder != replica->peers[member].process.incarnation) {
		free(frame);
		return;
	}
	accept_request(replica, member, message, frame, data);
}

bool primary_send_done_table(struct replica *replica, int member, struct sending_table *sending)
{
	unsigned char data[DONE_TABLE_PIECE];
	struct message message = { .type = MESSAGE_DONE_TABLE,
				   .epoch = replica->reign.epoch,
				   .reign = replica->reign.reign };

	do {
		unsigned int next = sending->next;

		message.number = sending->number;
		message.data_size = (uint32_t)done_table_save(&replica->done, &next, data, sizeof(data));
		message.flags = replica->reign.knows ? 0 : MESSAGE_EMPTY;
		if (next == replica->done.nr_clients)
			message.flags |= MESSAGE_LAST;
		if (!core_try_send(replica, member, REPLICA_CLASS_BULK, &message, data))
			return false;
		sending->next = next;
		sending->number++;
	} while (sending->next < replica->done.nr_clients);
	return true;
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
