/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Answers of the primary: when a request that is done may be answered, and to whom the answer goes; until then it is
 * held. What a forwarder does with it is in forward.c.
 */
#include "core.h"

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
		forward_take_answer(replica, entry->client.client, entry->client_request, answer.generation,
				    entry->result, entry->data, length);
	if (origin == replica->settings.self || origin == NO_MEMBER || !replica->peers[origin].greeted ||
	    replica->peers[origin].process.incarnation != entry->client.forwarder)
		return true;
	if (length)
		return core_try_send(replica, origin, REPLICA_CLASS_BULK, &answer, entry->data);
	core_send(replica, origin, REPLICA_CLASS_CONTROL, &answer, NULL);
	return true;
}

/* The lease holds, as many are in sync as are demanded, and no generation is to begin. */
bool answering_may(const struct replica *replica)
{
	return replica->reign.role == ROLE_SERVING && (lease_holds(replica) || deliberate_bug(BUG_NO_LEASE_CHECK)) &&
	       !replica->reign.flush_lost && member_count(replica->reign.in_sync) >= (int)replica->settings.min_in_sync;
}

/* Answered, or held back until it may be. The lease is looked at after all that it was done for. */
void answering_done(struct replica *replica, struct entry *entry)
{
	/* One of the primary's own has nobody who waits for it. */
	if (entry->origin == NO_MEMBER || (answering_may(replica) && send_answer(replica, entry)))
		entry_free(replica, entry);
	else
		entry_append(&replica->held, entry);
}

/* Whether an answer that is held waits for room in a queue, which answering_can_send() is told of. */
static bool waits_for_room(const struct replica *replica, const struct entry *entry)
{
	return entry->origin != NO_MEMBER && replica->peers[entry->origin].greeted &&
	       replica->peers[entry->origin].full && entry->kind == ENTRY_READ && !entry->result;
}

void answering_go_on(struct replica *replica)
{
	struct entry *next;

	if (!replica->held.first || !answering_may(replica))
		return;
	for (struct entry *entry = replica->held.first; entry; entry = next) {
		next = entry->next;
		if (!waits_for_room(replica, entry) && send_answer(replica, entry))
			entry_free(replica, entry);
	}
}

void answering_can_send(struct replica *replica, int member)
{
	struct entry *next;

	if (!replica->held.first || !answering_may(replica))
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
