/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a member knows of the others: who they are (HELLO), what they have accepted (STATUS, in each heartbeat and when
 * it changes). Whoever is behind fetches the configuration. Nothing is decided here.
 */
#include <assert.h>
#include <string.h>

#include "core.h"

#define SILENT_HEARTBEATS 4

/* How long a FETCH is waited for before another is sent. */
static uint64_t fetch_wait(const struct replica *replica)
{
	return replica->settings.heartbeat;
}

static bool set_is_none(const struct set_id *set)
{
	static const struct set_id none;

	return !memcmp(set, &none, sizeof(none));
}

uint32_t peer_own_flags(const struct replica *replica)
{
	const struct metadata_slot *stable = &replica->durable.stable;
	uint32_t flags = 0;

	if (replica->decision.decided && stable->configuration.epoch == core_configuration(replica)->epoch &&
	    !ballot_compare(stable->accepted, replica->durable.now.accepted))
		flags |= MESSAGE_DECIDED;
	if (!stable->configuration.epoch && !stable->given_up.epoch && !replica->durable.broken)
		flags |= MESSAGE_BLANK;
	if (!decision_votes(replica, core_configuration(replica)->epoch + 1))
		flags |= MESSAGE_NO_VOTE;
	if (replica->decision.learning)
		flags |= MESSAGE_LEARNING;
	if (replica->stopping)
		flags |= MESSAGE_STOPPING;
	for (int i = 0; i < replica->settings.nr_devices; i++) {
		if (core_diskless(replica, replica->settings.self))
			break;
		if (replica->settings.devices[i].image == REPLICA_IMAGE_DATA)
			flags |= MESSAGE_HAS_DATA;
	}
	if (replica->image_missing || replica->durable.now.wants_all || replica->durable.now.given_up.epoch)
		flags |= MESSAGE_EMPTY;
	if (replica->clean)
		flags |= MESSAGE_CLEAN;
	if (replica->durable.now.flush_failed)
		flags |= MESSAGE_FLUSH_FAILED;
	if (replica->reign.disk_failed)
		flags |= MESSAGE_FAILED;
	if (replica->durable.hangs)
		flags |= MESSAGE_NOT_SAVED;
	for (int i = 0; i < replica->settings.members; i++)
		flags |= replica->peers[i].greeted ? MESSAGE_SEES(i) : 0;
	return flags;
}

static struct message_settings own_settings(const struct replica *replica)
{
	const struct replica_settings *settings = &replica->settings;

	return (struct message_settings){ settings->window, settings->requests, settings->clients, settings->block_size,
					  settings->extent_size };
}

static void send_hello(struct replica *replica, int member)
{
	const struct metadata_slot *stable = &replica->durable.stable;
	unsigned char devices[REPLICA_DEVICES_MAX * MESSAGE_DEVICE_SIZE];
	struct message hello = {
		.type = MESSAGE_HELLO,
		.flags = peer_own_flags(replica),
		.member = (uint32_t)replica->settings.self,
		.process = replica->settings.process,
		.set = stable->set,
		.digest = replica->digest,
		.epoch = stable->promised_epoch,
		.ballot = stable->promised,
		.configuration = stable->configuration,
		.accepted = stable->accepted,
		.seen = replica->peers[member].seen,
		.oldest = MESSAGE_WIRE_OLDEST,
		.newest = version_newest_wire(replica),
		.features = version_features(replica),
		.settings = own_settings(replica),
	};

	for (int i = 0; i < replica->settings.nr_devices; i++) {
		struct message_device device = { .size = replica->settings.devices[i].size,
						 .name = replica->settings.devices[i].name_checksum };

		message_put_device(devices, (unsigned int)i, device);
	}
	hello.data_size = (uint32_t)replica->settings.nr_devices * MESSAGE_DEVICE_SIZE;
	core_send(replica, member, REPLICA_CLASS_CONTROL, &hello, devices);
}

static void send_status(struct replica *replica, int member)
{
	const struct metadata_slot *stable = &replica->durable.stable;
	struct message status = {
		.type = MESSAGE_STATUS,
		.flags = peer_own_flags(replica),
		.epoch = stable->configuration.epoch,
		.accepted = stable->accepted,
	};

	core_send(replica, member, REPLICA_CLASS_CONTROL, &status, NULL);
}

void peer_tell_all(struct replica *replica)
{
	for (int i = 0; i < replica->settings.members; i++) {
		if (replica->peers[i].greeted)
			send_status(replica, i);
	}
}

void peer_refuse(struct replica *replica, int member, const char *why)
{
	core_tell(replica, REPLICA_EVENT_REFUSED, member, why);
	replica->world->hang_up(replica, member);
	peer_disconnected(replica, member);
}

void peer_connected(struct replica *replica, int member)
{
	struct peer *peer = &replica->peers[member];

	if (peer->connected)
		peer_disconnected(replica, member);
	if (replica->failed) {
		replica->world->hang_up(replica, member);
		return;
	}
	peer->connected = true;
	peer->full = false;
	peer->heard_at = replica->now;
	replica->sessions[member] = ++replica->session;
	send_hello(replica, member);
}

void peer_disconnected(struct replica *replica, int member)
{
	struct peer *peer = &replica->peers[member];

	if (!peer->connected)
		return;
	peer->connected = false;
	if (peer->greeted) {
		opens_process_changed(replica, peer->process.incarnation);
		peer->gone_at = replica->now;
	}
	peer->greeted = false;
	peer->leaves_after = 0;
	if (!deliberate_bug(BUG_RESEND_TO_NEW_ONLY)) {
		peer->decided = false;
		peer->epoch = 0;
	}
	peer->asked = 0;
	decision_gone(replica, member);
	bringup_drop(replica, member, "its session is gone");
	joining_session_ended(replica, member);
	if (reign_is_primary(replica) && member_in(core_configuration(replica)->in_sync, member))
		reign_member_failed(replica, member, "its session is gone");
	if ((int)core_configuration(replica)->primary == member)
		replica->joining.joined = false;
	replica->consider = true;
}

/* Asks for what another has accepted, if that may be news. */
static void fetch_if_newer(struct replica *replica, int member)
{
	const struct replica_configuration *own = core_configuration(replica);
	struct peer *peer = &replica->peers[member];
	struct message fetch = { .type = MESSAGE_FETCH };

	if (peer->epoch < own->epoch || (peer->epoch == own->epoch && (replica->decision.decided || !peer->decided)))
		return;
	if (peer->asked && replica->now < peer->asked + fetch_wait(replica))
		return;
	peer->asked = replica->now ? replica->now : 1;
	core_send(replica, member, REPLICA_CLASS_CONTROL, &fetch, NULL);
}

static void heard(struct replica *replica, int member, uint64_t epoch, struct ballot accepted, uint32_t flags)
{
	struct peer *peer = &replica->peers[member];
	/* Whom it sees is for the status alone. */
	bool news = peer->epoch != epoch || ((peer->flags ^ flags) & ~MESSAGE_SEES_ANY);
	bool knew = peer->epoch == epoch && peer->decided;

	peer->epoch = epoch;
	peer->accepted = accepted;
	peer->flags = flags;
	peer->told_at = replica->now;
	peer->decided = flags & MESSAGE_DECIDED;
	if (epoch > peer->seen)
		peer->seen = epoch;
	if (news)
		replica->consider = true;
	if (epoch && replica->durable.now.votes_from == VOTES_UNKNOWN)
		decision_lost(replica, 0);
	if ((flags & MESSAGE_FAILED) && reign_is_primary(replica)) {
		if (member_in(core_configuration(replica)->in_sync, member))
			reign_member_failed(replica, member, "its disk failed");
		else
			bringup_drop(replica, member, "its disk failed");
	}
	decision_heard(replica, member, epoch, accepted, peer->decided);
	fetch_if_newer(replica, member);
	/* It takes requests from when it knows itself that it is the primary. */
	if (peer->decided && !knew && core_configuration(replica)->primary == (uint32_t)member)
		forward_resend(replica);
}

#define MAKE_THE_SAME ": make the configuration files the same on all hosts"

/* What a backup could not keep in mind, or would understand otherwise. */
static const char *settings_wrong(const struct replica *replica, const struct message_settings *theirs)
{
	struct message_settings own = own_settings(replica);

	if (theirs->window != own.window)
		return "its `window` is another" MAKE_THE_SAME;
	if (theirs->requests != own.requests)
		return "its `requests` is another" MAKE_THE_SAME;
	if (theirs->clients != own.clients)
		return "its `clients` is another" MAKE_THE_SAME;
	if (theirs->block_size != own.block_size)
		return "its `block_size` is another" MAKE_THE_SAME;
	if (theirs->extent_size != own.extent_size)
		return "its `extent_size` is another" MAKE_THE_SAME;
	return NULL;
}

static const char *hello_wrong(const struct replica *replica, int member, const struct message *message,
			       const void *data)
{
	const struct set_id *own = &replica->durable.now.set;

	if (message->member != (uint32_t)member)
		return "it says that it is another node than its session belongs to";
	if (!version_agree(replica, message->oldest, message->newest))
		return message->oldest > version_newest_wire(replica)
			       ? "it is of a version that is too new for this one: update this member, by way of the "
				 "versions between them"
			       : "it is of a version that is too old for this one: update it, by way of the versions "
				 "between them";
	if (message->digest != replica->digest)
		return "its members, devices or lease_ms are others" MAKE_THE_SAME;
	if (settings_wrong(replica, &message->settings))
		return settings_wrong(replica, &message->settings);
	if (!message->process.incarnation)
		return "it does not say which process it is";
	if (!set_is_none(own) && !set_is_none(&message->set) && memcmp(own, &message->set, sizeof(*own)))
		return "it belongs to another replica set";
	if (message->data_size != (uint32_t)replica->settings.nr_devices * MESSAGE_DEVICE_SIZE)
		return "it has another number of devices";
	for (int i = 0; i < replica->settings.nr_devices; i++) {
		if (message_get_device(data, (unsigned int)i).name != replica->settings.devices[i].name_checksum)
			return "its devices have other names" MAKE_THE_SAME;
	}
	return NULL;
}

/*
 * This member found no slot. If all others say, after its start, that they have promised and accepted nothing, then it
 * has neither: it is at the birth of the set. If one has, it cannot know what it did itself.
 */
static void note_untouched(struct replica *replica, int member, const struct message *message)
{
	member_set others = core_voters(replica, 0) & (member_set)~member_bit(replica->settings.self);

	if (message->epoch || message->configuration.epoch) {
		decision_lost(replica, 0);
		return;
	}
	replica->decision.untouched |= member_bit(member);
	if (replica->decision.learning || (others & (member_set)~replica->decision.untouched))
		return;
	replica->durable.now.votes_from = 0;
	durable_then(replica, AFTER_LEARNED, replica->settings.self, 0, (struct ballot){ 0 });
}

void peer_hello(struct replica *replica, int member, const struct message *message, const void *data)
{
	struct peer *peer = &replica->peers[member];
	const char *wrong = hello_wrong(replica, member, message, data);
	uint64_t own = core_configuration(replica)->epoch;

	if (wrong) {
		peer_refuse(replica, member, wrong);
		return;
	}
	promotion_seen(replica, member);
	/* It is not greeted; the session is left alone, so that the other side hears why. */
	if (line_parted(replica, member, &message->configuration, message->flags & MESSAGE_DECIDED)) {
		line_tell(replica, member);
		return;
	}
	peer->parted = false;
	if (replica->durable.now.promised_epoch > own)
		own = replica->durable.now.promised_epoch;
	peer->greeted = true;
	peer->wire = version_agree(replica, message->oldest, message->newest);
	version_seen(replica, member, message->features);
	peer->process = message->process;
	opens_process_changed(replica, peer->process.incarnation);
	accept_forget_process(replica, member);
	for (int i = 0; i < replica->settings.nr_devices; i++)
		peer->sizes[i] = message_get_device(data, (unsigned int)i).size;
	if (message->epoch > peer->seen)
		peer->seen = message->epoch;
	if (reign_is_primary(replica) && member_in(core_configuration(replica)->in_sync, member) &&
	    !peer_is_named(replica, member, core_configuration(replica)))
		reign_member_failed(replica, member, "it was restarted");
	if (message->seen > own)
		decision_lost(replica, message->seen);
	if (replica->durable.now.votes_from == VOTES_UNKNOWN)
		note_untouched(replica, member, message);
	replica->consider = true;
	heard(replica, member, message->configuration.epoch, message->accepted, message->flags);
	if (replica->decision.learning) {
		replica->decision.next_learn = replica->now;
		decision_tick(replica);
	}
}

void peer_status(struct replica *replica, int member, const struct message *message)
{
	heard(replica, member, message->epoch, message->accepted, message->flags);
}

void peer_fetch(struct replica *replica, int member)
{
	struct message answer = {
		.type = MESSAGE_CONFIGURATION,
		.flags = peer_own_flags(replica) & MESSAGE_DECIDED,
		.configuration = replica->durable.stable.configuration,
		.accepted = replica->durable.stable.accepted,
	};

	if (answer.configuration.epoch)
		core_send(replica, member, REPLICA_CLASS_CONTROL, &answer, NULL);
}

static bool is_viewed(const struct replica *replica, int member)
{
	return member_in(replica->view, member);
}

/*
 * Nothing was heard for so long of one that is connected: its session is taken for dead. Less is needed where the group
 * service does not see it, either.
 */
static uint64_t silence(const struct replica *replica, int member)
{
	bool gone = replica->has_view && !is_viewed(replica, member);

	return replica->settings.heartbeat * (gone ? SILENT_HEARTBEATS / 2 : SILENT_HEARTBEATS);
}

uint64_t peer_hint(const struct replica *replica, int member, uint64_t delay)
{
	if (!replica->has_view)
		return delay;
	return is_viewed(replica, member) ? 2 * delay : delay / 2;
}

static void hang_up_on_the_silent(struct replica *replica)
{
	for (int i = 0; i < replica->settings.members; i++) {
		const struct peer *peer = &replica->peers[i];

		if (!peer->connected)
			continue;
		if (replica->now - peer->heard_at >= silence(replica, i) && peer->parted) {
			/* Another session, so that it can be another. */
			replica->world->hang_up(replica, i);
			peer_disconnected(replica, i);
		} else if (replica->now - peer->heard_at >= silence(replica, i)) {
			peer_refuse(replica, i, "nothing was heard of it");
		} else {
			core_wake_at(replica, peer->heard_at + silence(replica, i));
		}
	}
}

void peer_view(struct replica *replica, member_set present)
{
	replica->has_view = true;
	replica->view = present;
	replica->consider = true;
	hang_up_on_the_silent(replica);
}

void peer_tick(struct replica *replica)
{
	hang_up_on_the_silent(replica);
	if (replica->heartbeat_at <= replica->now) {
		peer_tell_all(replica);
		for (int i = 0; i < replica->settings.members; i++) {
			if (replica->peers[i].greeted)
				fetch_if_newer(replica, i);
		}
		replica->heartbeat_at = replica->now + replica->settings.heartbeat;
	}
	core_wake_at(replica, replica->heartbeat_at);
}

member_set peer_sees(const struct replica *replica, int member)
{
	member_set sees = 0;

	for (int i = 0; i < replica->settings.members; i++) {
		const struct peer *other = &replica->peers[i];

		/* It may not have noticed by then what this member has. */
		if (other->gone_at && !other->greeted &&
		    replica->peers[member].told_at < other->gone_at + SILENT_HEARTBEATS * replica->settings.heartbeat)
			continue;
		sees |= replica->peers[member].flags & MESSAGE_SEES(i) ? member_bit(i) : 0;
	}
	return sees;
}

bool peer_is_named(const struct replica *replica, int member, const struct replica_configuration *configuration)
{
	struct process_id process =
		member == replica->settings.self ? replica->settings.process : replica->peers[member].process;

	if (member != replica->settings.self && !replica->peers[member].greeted)
		return false;
	return member_in(configuration->in_sync, member) && process_same(process, configuration->processes[member]);
}
