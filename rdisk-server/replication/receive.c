/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A frame from another member: whether it may be taken, and to which part it goes. What its fields may hold is checked
 * before, in message.c; what it means is that part's business.
 */
#include <assert.h>
#include <stdlib.h>

#include "core.h"

/* NULL, or why these members with these devices cannot have decided it. */
static const char *configuration_wrong(const struct replica *replica, const struct replica_configuration *configuration)
{
	for (int i = 0; i < replica->settings.members; i++) {
		if (member_in(configuration->in_sync, i) && core_diskless(replica, i))
			return "a member in sync that has no image";
	}
	return replica_configuration_wrong(configuration, replica->settings.members, replica->settings.nr_devices);
}

/* Those whose frame goes on living: true. */
static bool dispatch_owned(struct replica *replica, int member, const struct message *message, void *frame,
			   const void *data)
{
	switch (message->type) {
	case MESSAGE_WRITE:
		backup_write(replica, member, message, frame, data);
		return true;
	case MESSAGE_COPY:
		joining_copy(replica, member, message, frame, data);
		return true;
	case MESSAGE_REQUEST:
		accept_forwarded(replica, member, message, frame, data);
		return true;
	default:
		return false;
	}
}

static void step_down_asked(struct replica *replica, int member, const struct message *message)
{
	const char *why;

	/* Who asked sees what comes of it; under another epoch it may be about another configuration. */
	if (message->epoch == core_configuration(replica)->epoch && reign_promote(replica, (int)message->member, &why))
		core_tell(replica, REPLICA_EVENT_REFUSED, member, why);
}

static void dispatch(struct replica *replica, int member, const struct message *message, const void *data)
{
	switch (message->type) {
	case MESSAGE_STATUS:
		peer_status(replica, member, message);
		break;
	case MESSAGE_FETCH:
		peer_fetch(replica, member);
		break;
	case MESSAGE_CONFIGURATION:
		decision_configuration(replica, member, message);
		break;
	case MESSAGE_COLLECT:
		decision_collect(replica, member, message);
		break;
	case MESSAGE_PROMISE:
		decision_promise(replica, member, message);
		break;
	case MESSAGE_REFUSE:
		decision_refuse(replica, member, message);
		break;
	case MESSAGE_PROPOSE:
		decision_proposal(replica, member, message);
		break;
	case MESSAGE_ACCEPTED:
		decision_accepted(replica, member, message);
		break;
	case MESSAGE_LEARN:
		decision_learn(replica, member);
		break;
	case MESSAGE_LEARNT:
		decision_learnt(replica, member, message);
		break;
	case MESSAGE_RENEW:
		lease_renew(replica, member, message);
		break;
	case MESSAGE_GRANT:
		lease_grant(replica, member, message);
		break;
	case MESSAGE_RELEASE:
		lease_release(replica, member, message);
		break;
	case MESSAGE_WRITTEN:
		primary_written(replica, member, message);
		break;
	case MESSAGE_FLUSH:
		backup_flush(replica, member, message);
		break;
	case MESSAGE_FLUSHED:
		primary_flushed(replica, member, message);
		break;
	case MESSAGE_CONFIRM:
		backup_confirm(replica, member, message);
		break;
	case MESSAGE_REPORT:
		recovery_report(replica, member, message, data);
		break;
	case MESSAGE_DONE_TABLE:
		backup_done_table(replica, member, message, data);
		break;
	case MESSAGE_RECONCILED:
		if (reign_is_primary(replica))
			recovery_reconciled(replica, member, message);
		else
			backup_reconciled(replica, member, message);
		break;
	case MESSAGE_WANTED:
		unsure_wanted(replica, member, message);
		break;
	case MESSAGE_UNWANTED:
		unsure_unwanted(replica, member, message);
		break;
	case MESSAGE_JOIN:
		bringup_join(replica, member, message, data);
		break;
	case MESSAGE_COPIED:
		copy_copied(replica, member, message);
		break;
	case MESSAGE_HASH:
		joining_hash(replica, member, message);
		break;
	case MESSAGE_HASHES:
		copy_hashes(replica, member, message, data);
		break;
	case MESSAGE_BITS:
		joining_bits(replica, member, message, data);
		break;
	case MESSAGE_HANDED_OVER:
		joining_handed_over(replica, member, message);
		break;
	case MESSAGE_READY:
		bringup_ready(replica, member, message);
		break;
	case MESSAGE_STEP_DOWN:
		step_down_asked(replica, member, message);
		break;
	case MESSAGE_ANSWER:
		forward_answer(replica, member, message, data);
		break;
	default:
		peer_refuse(replica, member, "it sent a message that this version does not know");
	}
}

/* NULL, or why a frame that could be read is not taken. */
static const char *frame_wrong(struct replica *replica, int member, const struct message *message)
{
	const struct peer *peer = &replica->peers[member];
	/* What is of other lists cannot be measured by the own ones: peer_hello() says that they differ. */
	bool other_lists = message->type == MESSAGE_HELLO && message->digest != replica->digest;
	const char *wrong = NULL;

	if (!other_lists && message->configuration.epoch)
		wrong = configuration_wrong(replica, &message->configuration);
	if (wrong)
		return wrong;
	if (!other_lists && message->configuration.epoch && message->configuration.digest != replica->list_digest &&
	    !deliberate_bug(BUG_LIST_TAKEN))
		return "it brought a configuration of another list of members";
	if (!other_lists && (message->member >= (uint32_t)replica->settings.members ||
			     message->ballot.member >= (uint32_t)replica->settings.members))
		return "it names a member that is not in the list";
	if ((message->type == MESSAGE_HELLO) == peer->greeted)
		return "it sent messages out of their order";
	if (peer->greeted && message->wire != peer->wire)
		return "it sent a frame of another wire version than was agreed";
	if ((message->flags & MESSAGE_MADE_UP) && !(version_features(replica) & REPLICA_FEATURE_MADE_UP))
		return "it uses what this version does not have";
	/* Who sent it may have taken it from a third. HELLO is looked at by itself. */
	if (peer->greeted && !deliberate_bug(BUG_PARTED_TAKEN) &&
	    line_parted(replica, member, &message->configuration,
			message->type == MESSAGE_COLLECT || (message->flags & MESSAGE_DECIDED))) {
		line_tell(replica, member);
		return "it brought a configuration of another line";
	}
	return NULL;
}

bool replica_frame(struct replica *replica, uint64_t now, int member, void *frame, size_t size)
{
	struct peer *peer = &replica->peers[member];
	struct message message;
	const void *data;
	const char *wrong = message_decode(frame, size, &message, &data);
	bool owned = false;

	core_event_begins(replica, now);
	if (!peer->connected) {
		free(frame);
		return false;
	}
	/* Of another line: it may not know yet. Its HELLO is not taken, or its session has ended since. */
	assert(!(peer->parted && peer->greeted));
	if (!wrong && peer->parted && message.type != MESSAGE_HELLO) {
		free(frame);
		return true;
	}
	if (!wrong)
		wrong = frame_wrong(replica, member, &message);
	if (wrong) {
		peer_refuse(replica, member, wrong);
	} else if (message.type == MESSAGE_HELLO) {
		peer_hello(replica, member, &message, data);
	} else {
		peer->heard_at = now;
		owned = dispatch_owned(replica, member, &message, frame, data);
		if (!owned)
			dispatch(replica, member, &message, data);
	}
	if (!owned)
		free(frame);
	core_event_ends(replica);
	return peer->connected;
}
