/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What all parts of the core do to the world around it: they send, ask to be woken, tell what happens, and fail. What
 * is sent and told is their business.
 */
#include "core.h"

void core_wake_at(struct replica *replica, uint64_t time)
{
	if (time < replica->next_time)
		replica->next_time = time;
}

void core_tell(struct replica *replica, enum replica_event_kind kind, int member, const char *text)
{
	struct replica_event event = {
		.kind = kind,
		.epoch = core_configuration(replica)->epoch,
		.member = member,
		.text = text,
	};

	replica->world->tell(replica, &event);
}

bool core_has_turn(const struct replica *replica, int member)
{
	return replica->peers[member].passed >= (uint64_t)BULK_TURN * replica->settings.copy_size;
}

bool core_try_send(struct replica *replica, int member, enum replica_class class, struct message *message,
		   const void *data)
{
	struct peer *peer = &replica->peers[member];
	unsigned char head[MESSAGE_HEAD_MAX];
	size_t size;

	if (member == replica->settings.self || !replica->peers[member].connected)
		return true;
	if (class == REPLICA_CLASS_BULK && peer->full) {
		if (!core_has_turn(replica, member))
			return false;
		class = REPLICA_CLASS_STREAM;
		peer->passed = 0;
	}
	message->wire = replica->peers[member].wire;
	size = message_encode(message, message->data_checksum ? NULL : data, head);
	if (!replica->world->send(replica, member, class, head, size, data, message->data_size)) {
		if (!peer->full)
			peer->passed = 0;
		peer->full = true;
		return false;
	}
	if (class == REPLICA_CLASS_STREAM && peer->full)
		peer->passed += size + message->data_size;
	return true;
}

void core_send(struct replica *replica, int member, enum replica_class class, struct message *message, const void *data)
{
	if (!core_try_send(replica, member, class, message, data))
		peer_refuse(replica, member, "more waits to be sent to it than its queue holds");
}

void core_fail(struct replica *replica, const char *why)
{
	if (replica->failed)
		return;
	replica->failed = true;
	core_tell(replica, REPLICA_EVENT_DISK, replica->settings.self, why);
	/* The others are not to think that it is well. */
	for (int i = 0; i < replica->settings.members; i++) {
		if (replica->peers[i].connected)
			peer_refuse(replica, i, "this member cannot keep what it promises");
	}
}
