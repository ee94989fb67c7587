/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Requests at the primary, of its own host's clients and of forwarders: each is carried out once. What was done already
 * is answered from the table, what is under way is answered to who asked last, what makes no sense is answered an
 * error; the rest begins, or waits until this member serves. How an entry goes on is in primary.c, when it is answered
 * in answering.c.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core.h"

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

void accept_start(struct replica *replica, struct entry *entry)
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

void accept_start_queue(struct replica *replica)
{
	struct entry *entry;

	while (replica->reign.role == ROLE_SERVING && (entry = replica->queue.first)) {
		entry_remove(entry);
		accept_start(replica, entry);
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
static int judge_open(struct replica *replica, int origin, const struct message *message)
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
		forward_hold_back(replica, message->client.client, message->request);
}

/*
 * Memory for what it reads, or of its own for what it writes, if it has none that stays. false: there is none, and
 * *memory is freed.
 */
static bool take_data(const struct message *message, bool stays, void **memory, const void **data)
{
	if (message->kind == ENTRY_READ || (message->kind == ENTRY_WRITE && !*memory && !stays)) {
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

/* Whether a request begins. false: *answer says whether it is answered at once, and *result what. */
static bool judge_request(struct replica *replica, int origin, const struct message *message, bool *answer, int *result)
{
	*answer = true;
	*result = -EINVAL;
	if (!maps_message_ok(replica, message))
		return false;
	if (is_of_before(replica, message)) {
		*result = -EIO;
		return false;
	}
	switch (deliberate_bug(BUG_NO_DONE_TABLE)
			? DONE_UNKNOWN
			: done_table_find(&replica->done, message->client, message->request, result)) {
	case DONE_KNOWN:
		return false;
	case DONE_OLD:
		*answer = false;
		return false;
	case DONE_UNSURE:
		*result = -EINVAL;
		if (!same_range(done_table_unsure(&replica->done, message->client, message->request), message))
			return false;
		break;
	case DONE_UNKNOWN:
		break;
	}
	*result = judge_open(replica, origin, message);
	return !*result && (message->kind != ENTRY_CLOSE || opens_is_open(replica, message->client));
}

/* memory: owned from now on, of `data`; or shared is, which the entry holds. */
static void begin_request(struct replica *replica, int origin, const struct message *message, void *memory,
			  struct replica_data *shared, const void *data)
{
	struct entry *entry;

	if (message->kind != ENTRY_OPEN && message->kind != ENTRY_CLOSE &&
	    !done_table_knows(&replica->done, message->client))
		adopt(replica, origin, message);
	entry = entry_take(replica, ENTRY_OF_CLIENT, message->kind, message->device, message->position, message->length,
			   memory, (void *)(uintptr_t)data);
	if (shared && message->kind == ENTRY_WRITE) {
		replica_data_hold(shared);
		entry->shared = shared;
	}
	entry->data_checksum = message->data_checksum;
	entry->origin = origin;
	entry->client = message->client;
	entry->client_request = message->request;
	if (message->kind == ENTRY_OPEN)
		entry->open = open_of(origin, message);
	entry->lowest = message->lowest;
	entry->stable = message->flags & MESSAGE_STABLE;
	if (replica->reign.role == ROLE_SERVING)
		accept_start(replica, entry);
	else
		entry_append(&replica->queue, entry);
}

void accept_request(struct replica *replica, int origin, const struct message *message, void *memory,
		    struct replica_data *shared, const void *data)
{
	/* Also one that is in the table of what was done: this member may have it, and not yet all. */
	struct entry *under_way = find_under_way(replica, message);
	bool answer;
	int result;

	if (under_way) {
		under_way->origin = origin;
	} else if (!entry_room(replica)) {
		/* Also an answer alone may have to wait until it can be given. */
		refuse_request(replica, origin, message);
	} else if (message->kind == ENTRY_OPEN && !message->request) {
		take_held(replica, origin, message);
	} else if (!judge_request(replica, origin, message, &answer, &result)) {
		if (answer)
			answer_only(replica, origin, message, result);
	} else if (!take_data(message, shared, &memory, &data)) {
		answer_only(replica, origin, message, -ENOMEM);
	} else {
		begin_request(replica, origin, message, memory, shared, data);
		return;
	}
	free(memory);
}

void accept_forwarded(struct replica *replica, int member, const struct message *message, void *frame, const void *data)
{
	/* Who is not primary (any more) drops it: it is asked again when the forwarder knows better. */
	if (!reign_is_primary(replica) || message->client.forwarder != replica->peers[member].process.incarnation) {
		free(frame);
		return;
	}
	accept_request(replica, member, message, frame, NULL, data);
}

void accept_forget_process(struct replica *replica, int member)
{
	struct entry_list *lists[] = { &replica->queue, &replica->held };
	uint64_t process = replica->peers[member].process.incarnation;

	for (unsigned int i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		for (struct entry *entry = lists[i]->first, *next; entry; entry = next) {
			next = entry->next;
			if (entry->origin == member && entry->client.forwarder != process)
				entry_free(replica, entry);
		}
	}
}
