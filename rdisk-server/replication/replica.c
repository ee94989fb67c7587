/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The core as a whole: it is made and started here, events come in and go to their part, and after each all that can go
 * on goes on. See core.h for the parts.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core.h"

/* ---- what the parts share ---- */

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

/* What can wait does so for its share only, or clients that write all the time would keep it waiting for ever. */
static bool has_turn(const struct replica *replica, int member)
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
		if (!has_turn(replica, member))
			return false;
		class = REPLICA_CLASS_STREAM;
		peer->passed = 0;
	}
	message->wire = replica->peers[member].wire;
	size = message_encode(message, data, head);
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

/* ---- making one ---- */

static bool is_power_of_two(uint64_t n)
{
	return n && !(n & (n - 1));
}

static bool settings_ok(const struct replica_settings *s)
{
	if (s->members < 1 || s->members > MEMBERS_MAX || s->self < 0 || s->self >= s->members || s->nr_devices < 1 ||
	    s->nr_devices > REPLICA_DEVICES_MAX || !s->process.incarnation)
		return false;
	for (int i = 1; i < s->members; i++) {
		if (s->list[i].node <= s->list[i - 1].node)
			return false;
	}
	return s->list[0].node > 0 && s->lease >= 4 && s->lease <= REPLICA_LEASE_MAX && s->election_delay > 0 &&
	       s->flush_interval > 0 && s->open_grace > 0 && s->process.boot && s->window <= UINT16_MAX &&
	       s->drift < 500000 && s->heartbeat > 0 && s->window > 0 && s->window_bytes > 0 && s->requests > 0 &&
	       DONE_TABLE_CLIENT_MAX(s->requests) <= DONE_TABLE_PIECE && s->clients > 0 && s->copies > 0 &&
	       is_power_of_two(s->block_size) && s->block_size >= REPLICA_BLOCK_MIN &&
	       is_power_of_two(s->extent_size) && s->extent_size >= s->block_size && s->copy_size >= s->block_size &&
	       s->copy_size % s->block_size == 0 && s->copy_size <= MESSAGE_DATA_MAX;
}

static int allocate(struct replica *replica)
{
	const struct replica_settings *settings = &replica->settings;
	unsigned int entries = settings->requests * (unsigned int)settings->members + settings->window * 8 +
			       settings->copies * (unsigned int)settings->members + ENTRIES_SPARE;

	replica->entries = calloc(entries, sizeof(struct entry));
	replica->by_number = calloc(settings->window, sizeof(struct entry *));
	replica->backup.unfinished = calloc(settings->window, sizeof(*replica->backup.unfinished));
	replica->forward.clients = calloc(settings->clients, sizeof(*replica->forward.clients));
	if (!replica->entries || !replica->by_number || !replica->backup.unfinished || !replica->forward.clients)
		return -ENOMEM;
	requests_init(&replica->requests, replica->entries, sizeof(struct entry), entries, NULL);
	/* As many opens as may be under way may find that there is room. */
	replica->forward.spare = settings->requests * (unsigned int)settings->members;
	if (done_table_init(&replica->done, settings->clients + replica->forward.spare, settings->requests) ||
	    done_table_init(&replica->backup.table, settings->clients + replica->forward.spare, settings->requests))
		return -ENOMEM;
	return maps_create(replica);
}

int replica_create(struct replica **made, const struct replica_settings *settings, const struct replica_world *world,
		   void *user)
{
	struct replica *replica;
	int error;

	if (!settings_ok(settings))
		return -EINVAL;
	replica = calloc(1, sizeof(*replica));
	if (!replica)
		return -ENOMEM;
	replica->settings = *settings;
	replica->world = world;
	replica->user = user;
	replica->next_time = REPLICA_NEVER;
	replica->lease.holder = NO_MEMBER;
	replica->reign.candidate = NO_MEMBER;
	replica->reign.successor = NO_MEMBER;
	replica->init_from = NO_MEMBER;
	replica->list_digest = member_list_digest(settings->list, settings->members);
	replica->digest = common_digest(replica->list_digest, settings->lease, settings->nr_devices);
	replica->durable.now.node = settings->list[settings->self].node;
	error = allocate(replica);
	if (error) {
		replica_destroy(replica);
		return error;
	}
	*made = replica;
	return 0;
}

/* Entries keep memory of their own; those at a store must have come back. */
static void free_entries(struct replica *replica)
{
	struct entry *entries = replica->entries;
	unsigned int nr = 0;

	/* Neither, if there was not enough memory for a core. */
	if (!entries || !replica->requests.fresh)
		return;
	nr = (unsigned int)(((char *)replica->requests.fresh - (char *)entries) / (long)sizeof(*entries));
	for (unsigned int i = 0; i < nr; i++)
		free(entries[i].memory);
}

void replica_destroy(struct replica *replica)
{
	if (!replica)
		return;
	free_entries(replica);
	maps_destroy(replica);
	done_table_free(&replica->done);
	done_table_free(&replica->backup.table);
	free(replica->forward.clients);
	free(replica->backup.unfinished);
	free(replica->by_number);
	free(replica->entries);
	free(replica);
}

void *replica_user(const struct replica *replica)
{
	return replica->user;
}

/* NULL, or why these members with these devices cannot have decided it. */
static const char *configuration_wrong(const struct replica *replica, const struct replica_configuration *configuration)
{
	for (int i = 0; i < replica->settings.members; i++) {
		if (member_in(configuration->in_sync, i) && core_diskless(replica, i))
			return "a member in sync that has no image";
	}
	return replica_configuration_wrong(configuration, replica->settings.members, replica->settings.nr_devices);
}

/* Whether a configuration is about as many devices as there are. */
static bool has_size_of_each(const struct replica *replica, const struct replica_configuration *configuration)
{
	for (int i = 0; i < REPLICA_DEVICES_MAX; i++) {
		if ((configuration->sizes[i] != 0) != (i < replica->settings.nr_devices))
			return false;
	}
	return true;
}

const char *replica_load_slot(struct replica *replica, uint32_t index, const void *bytes, size_t size)
{
	struct durable *durable = &replica->durable;
	struct metadata_slot slot;
	unsigned char copy[METADATA_SLOT_SIZE];

	(void)index;
	switch (bytes ? metadata_decode_slot(version_read(replica, bytes, size, copy), size, durable->now.node, &slot)
		      : METADATA_BROKEN) {
	case METADATA_GOOD:
		break;
	case METADATA_MISSING:
		return NULL;
	case METADATA_BROKEN:
		durable->broken = true;
		return NULL;
	case METADATA_FUTURE:
		return "its metadata were written by a newer version: start that one again";
	case METADATA_FOREIGN:
		return "its metadata belong to another node: give each member a state_dir of its own, or remove the "
		       "folder; then this member takes a whole copy of the others";
	}
	if (((slot.configuration.epoch && slot.configuration.digest != replica->list_digest) ||
	     (slot.given_up.epoch && slot.given_up.digest != replica->list_digest)) &&
	    !deliberate_bug(BUG_LIST_TAKEN))
		return "its metadata are of a set with other members: put the list of members back in the "
		       "configuration file as it was, their nodes, order, and which of them are diskless";
	for (int i = 0; i < replica->settings.nr_devices; i++) {
		/* Maps are of devices by their place in the list. */
		if (slot.names[i] && slot.names[i] != replica->settings.devices[i].name_checksum)
			return "its metadata are of devices with other names, or in another order: put the devices "
			       "back "
			       "in the configuration file as they were";
	}
	if (slot.configuration.epoch && !has_size_of_each(replica, &slot.configuration))
		return "its metadata are of a set with another number of devices, which cannot be changed: put the "
		       "list of "
		       "replicated devices back in the configuration file as it was";
	durable->loaded++;
	if (slot.sequence > durable->now.sequence)
		durable->now = slot;
	return NULL;
}

const char *replica_load_sector(struct replica *replica, const struct metadata_place *place, const void *bytes,
				size_t size)
{
	return maps_load_sector(replica, place, bytes, size);
}

/* Which image files there are, and whether they are those that were there before. */
static void look_at_images(struct replica *replica)
{
	struct metadata_slot *now = &replica->durable.now;

	for (int i = 0; i < replica->settings.nr_devices; i++) {
		const struct replica_device_settings *device = &replica->settings.devices[i];
		bool known = now->images[i] == device->identity && device->image != REPLICA_IMAGE_MISSING;

		if (core_diskless(replica, replica->settings.self))
			break;
		if ((now->configuration.epoch || now->given_up.epoch) && !known &&
		    !deliberate_bug(BUG_EMPTY_IMAGE_PROMOTED))
			now->wants_all |= UINT64_C(1) << i;
		now->images[i] = device->identity;
		now->names[i] = device->name_checksum;
	}
}

/* ---- after each event ---- */

/* What waits to be sent to a member goes on. */
static void room(struct replica *replica, int member)
{
	backup_can_send(replica, member);
	recovery_can_send(replica);
	bringup_can_send(replica, member);
	joining_can_send(replica, member);
	forward_answer_more(replica, member);
}

static void take_turns(struct replica *replica)
{
	for (int i = 0; i < replica->settings.members; i++) {
		if (!replica->peers[i].full || !has_turn(replica, i))
			continue;
		room(replica, i);
		/* Whether or not there was something. */
		replica->peers[i].passed = 0;
	}
}

static void after(struct replica *replica)
{
	do {
		entries_run(replica);
		primary_paused_can_go_on(replica);
		take_turns(replica);
		if (replica->opens.first)
			opens_go_on(replica);
		stop_go_on(replica);
		if (unsure_go_on(replica) || replica->first_completed)
			continue;
		if (!replica->consider)
			break;
		replica->consider = false;
		propose_consider(replica);
		bringup_tick(replica);
		joining_tick(replica);
	} while (replica->first_completed || requests_can_go_on(&replica->requests) || replica->consider);
}

static void begin(struct replica *replica, uint64_t now)
{
	assert(now >= replica->now);
	replica->now = now;
}

void replica_start(struct replica *replica, uint64_t now)
{
	struct durable *durable = &replica->durable;

	replica->now = now;
	replica->lease.held_off_until = deliberate_bug(BUG_NO_HOLD_OFF) ? 0 : now + lease_longest(replica);
	durable->stable = durable->now;
	look_at_images(replica);
	/* With one good slot nothing is lost: both hold the same. Both are made good again. */
	if (durable->loaded > 0)
		durable->broken = false;
	else
		durable->now.votes_from = replica->settings.members > 1 && !deliberate_bug(BUG_VOTE_WITH_LOST_METADATA)
						  ? VOTES_UNKNOWN
						  : 0;
	if (durable->broken)
		decision_lost(replica, 0);
	if (deliberate_bug(BUG_FAILED_FLUSH_FORGOTTEN))
		durable->now.flush_failed = 0;
	/* The page cache may have what the disk has not. */
	replica->reign.rewrite = durable->now.flush_failed;
	maps_loaded(replica);
	replica->clean = maps_clean(replica);
	durable_changed(replica);
	decision_found(replica);
	replica->consider = true;
	replica_time(replica, now);
}

void replica_time(struct replica *replica, uint64_t now)
{
	begin(replica, now);
	replica->next_time = REPLICA_NEVER;
	peer_tick(replica);
	decision_tick(replica);
	lease_tick(replica);
	recovery_tick(replica);
	primary_tick(replica);
	bringup_tick(replica);
	joining_tick(replica);
	forward_tick(replica);
	unsure_tick(replica);
	replica->consider = true;
	after(replica);
}

uint64_t replica_next_time(const struct replica *replica)
{
	return replica->next_time;
}

void replica_connected(struct replica *replica, uint64_t now, int member)
{
	begin(replica, now);
	peer_connected(replica, member);
	after(replica);
}

void replica_disconnected(struct replica *replica, uint64_t now, int member)
{
	begin(replica, now);
	peer_disconnected(replica, member);
	after(replica);
}

void replica_can_send(struct replica *replica, uint64_t now, int member)
{
	begin(replica, now);
	replica->peers[member].full = false;
	if (replica->peers[member].greeted) {
		room(replica, member);
		forward_can_send(replica);
	}
	after(replica);
}

void replica_view(struct replica *replica, uint64_t now, member_set present)
{
	begin(replica, now);
	peer_view(replica, present);
	after(replica);
}

/* ---- frames ---- */

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
		forward_request(replica, member, message, frame, data);
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

bool replica_frame(struct replica *replica, uint64_t now, int member, void *frame, size_t size)
{
	struct peer *peer = &replica->peers[member];
	struct message message;
	const void *data;
	const char *wrong = message_decode(frame, size, &message, &data);
	bool other_lists;

	begin(replica, now);
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
	/* What is of other lists cannot be measured by the own ones: peer_hello() says that they differ. */
	other_lists = !wrong && message.type == MESSAGE_HELLO && message.digest != replica->digest;
	if (!wrong && !other_lists && message.configuration.epoch)
		wrong = configuration_wrong(replica, &message.configuration);
	if (!wrong && !other_lists && message.configuration.epoch &&
	    message.configuration.digest != replica->list_digest && !deliberate_bug(BUG_LIST_TAKEN))
		wrong = "it brought a configuration of another list of members";
	if (!wrong && !other_lists &&
	    (message.member >= (uint32_t)replica->settings.members ||
	     message.ballot.member >= (uint32_t)replica->settings.members))
		wrong = "it names a member that is not in the list";
	if (!wrong && (message.type == MESSAGE_HELLO) == peer->greeted)
		wrong = "it sent messages out of their order";
	if (!wrong && peer->greeted && message.wire != peer->wire)
		wrong = "it sent a frame of another wire version than was agreed";
	if (!wrong && (message.flags & MESSAGE_MADE_UP) && !(version_features(replica) & REPLICA_FEATURE_MADE_UP))
		wrong = "it uses what this version does not have";
	/* Who sent it may have taken it from a third. HELLO is looked at by itself. */
	if (!wrong && peer->greeted && !deliberate_bug(BUG_PARTED_TAKEN) &&
	    line_parted(replica, member, &message.configuration,
			message.type == MESSAGE_COLLECT || (message.flags & MESSAGE_DECIDED))) {
		line_tell(replica, member);
		wrong = "it brought a configuration of another line";
	}
	if (wrong) {
		peer_refuse(replica, member, wrong);
		free(frame);
	} else if (message.type == MESSAGE_HELLO) {
		peer_hello(replica, member, &message, data);
		free(frame);
	} else {
		peer->heard_at = now;
		if (!dispatch_owned(replica, member, &message, frame, data)) {
			dispatch(replica, member, &message, data);
			free(frame);
		}
	}
	after(replica);
	return peer->connected;
}

/* ---- the rest of what comes in ---- */

void replica_io_done(struct replica *replica, uint64_t now, struct io *io)
{
	begin(replica, now);
	entry_io_done(replica, io);
	after(replica);
}

void replica_saved(struct replica *replica, uint64_t now, struct replica_save *save, int result)
{
	begin(replica, now);
	if (save->place.kind == METADATA_SLOT)
		durable_saved(replica, save, result);
	else
		maps_saved(replica, save, result);
	after(replica);
}

void replica_submit(struct replica *replica, uint64_t now, struct replica_request *request)
{
	begin(replica, now);
	forward_submit(replica, request);
	after(replica);
}

void replica_forget_client(struct replica *replica, uint64_t now, uint32_t client)
{
	begin(replica, now);
	forward_forget(replica, client);
	after(replica);
}

bool replica_withdraw(struct replica *replica, struct replica_request *request)
{
	return forward_withdraw(replica, request);
}

void replica_stop(struct replica *replica, uint64_t now)
{
	begin(replica, now);
	stop_begin(replica);
	after(replica);
}

bool replica_stopped(const struct replica *replica)
{
	return replica->failed ? replica->stopping : replica->stop.phase == STOP_DONE;
}

/* This member is not the primary: brings the order to it. */
static int ask_to_step_down(struct replica *replica, int member, const char **why)
{
	const struct replica_configuration *configuration = core_configuration(replica);
	int primary = (int)configuration->primary;
	struct message order = { .type = MESSAGE_STEP_DOWN, .epoch = configuration->epoch, .member = (uint32_t)member };

	if (!configuration->epoch || !replica->decision.decided || !replica->peers[primary].greeted) {
		*why = "the primary is not seen: nobody can hand over";
		return -EAGAIN;
	}
	if (member == primary) {
		*why = "that member is the primary";
		return -EAGAIN;
	}
	if (!member_in(configuration->in_sync, member)) {
		*why = "that member is not in sync";
		return -EAGAIN;
	}
	core_send(replica, primary, REPLICA_CLASS_CONTROL, &order, NULL);
	return 0;
}

int replica_promote(struct replica *replica, uint64_t now, int member, const char **why)
{
	int error;

	begin(replica, now);
	if (member < 0 || member >= replica->settings.members) {
		*why = "there is no such member";
		error = -EINVAL;
	} else if (core_configuration(replica)->primary == (uint32_t)replica->settings.self) {
		error = reign_promote(replica, member, why);
	} else {
		error = ask_to_step_down(replica, member, why);
	}
	after(replica);
	return error;
}

int replica_force(struct replica *replica, uint64_t now, member_set dead, const char **why)
{
	int error = 0;

	begin(replica, now);
	if (core_diskless(replica, replica->settings.self) || !core_configuration(replica)->epoch ||
	    replica->durable.now.wants_all || replica->durable.now.given_up.epoch) {
		*why = "this member has no image that was ever in sync, or gave it up";
		error = -EINVAL;
	} else if (!propose_sizes_are(replica, replica->settings.self, core_configuration(replica)->sizes)) {
		*why = "an image of this member is smaller than the set has it: make it as large again";
		error = -EINVAL;
	} else if (!dead || member_in(dead, replica->settings.self) || (dead & (member_set)~core_voters(replica, 0))) {
		*why = "name the members that are dead, and only those";
		error = -EINVAL;
	} else {
		replica->reign.force_without = dead;
		replica->consider = true;
	}
	after(replica);
	return error;
}

int replica_invalidate(struct replica *replica, uint64_t now, const char **why)
{
	member_set parted = 0;
	int error = 0;

	begin(replica, now);
	for (int i = 0; i < replica->settings.members; i++)
		parted |= replica->peers[i].parted ? member_bit(i) : 0;
	if (!core_configuration(replica)->epoch) {
		*why = "this member has nothing that it could give up";
		error = -EINVAL;
	} else if (!parted) {
		*why = "no member of another line was seen: there is nothing to choose from";
		error = -EAGAIN;
	} else {
		line_give_up(replica);
	}
	after(replica);
	return error;
}

int replica_init_from(struct replica *replica, uint64_t now, int member, const char **why)
{
	begin(replica, now);
	if (core_configuration(replica)->epoch) {
		*why = "the set is there already";
		return -EINVAL;
	}
	if (member < 0 || member >= replica->settings.members || core_diskless(replica, member)) {
		*why = "that member has no image";
		return -EINVAL;
	}
	replica->init_from = member;
	replica->consider = true;
	after(replica);
	return 0;
}

void replica_pause_resync(struct replica *replica, uint64_t now, bool paused)
{
	begin(replica, now);
	replica->resync_paused = paused;
	bringup_go_on(replica);
	after(replica);
}

static enum replica_member_state state_of(const struct replica *replica, int member)
{
	if (core_diskless(replica, member))
		return REPLICA_MEMBER_DISKLESS;
	if (!core_configuration(replica)->epoch)
		return REPLICA_MEMBER_UNKNOWN;
	if (member_in(core_configuration(replica)->in_sync, member))
		return REPLICA_MEMBER_IN_SYNC;
	if (replica->bringup[member].phase != BRINGUP_NONE ||
	    (member == replica->settings.self && replica->joining.joined && replica->joining.heard))
		return REPLICA_MEMBER_RESYNCING;
	return REPLICA_MEMBER_OUTDATED;
}

void replica_status(const struct replica *replica, struct replica_status *status)
{
	*status = (struct replica_status){
		.configuration = *core_configuration(replica),
		.decided = replica->decision.decided,
		.primary = reign_is_primary(replica),
		.holds_lease = lease_holds(replica),
		.votes = decision_votes(replica, core_configuration(replica)->epoch + 1),
		.seen = reign_seen(replica),
		.waits = replica->reign.waits,
		.blocked = replica->reign.blocked,
		.forces_without = replica->reign.force_without,
	};
	for (int i = 0; i < replica->settings.members; i++)
		status->parted |= replica->peers[i].parted ? member_bit(i) : 0;
	status->serving = replica->reign.role == ROLE_SERVING && status->holds_lease;
	if (status->primary)
		status->under_way = replica->reign.number - replica->reign.complete;
	for (int i = 0; i < replica->settings.members; i++) {
		struct replica_member_status *member = &status->members[i];

		member->connected = i == replica->settings.self || replica->peers[i].greeted;
		member->state = state_of(replica, i);
		member->out_of_sync = UINT64_MAX;
		if (member->state == REPLICA_MEMBER_IN_SYNC)
			member->out_of_sync = 0;
		else if (status->primary && !core_diskless(replica, i))
			member->out_of_sync = maps_missing_bytes(replica, i);
		bringup_status(replica, i, member);
	}
}
