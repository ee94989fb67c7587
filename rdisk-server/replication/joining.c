/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A target's part: it asks the primary to be brought up and says what it may have that others do not, answers what it
 * is copied and asked, and learns what a member in sync knows. Entries and flushes it takes as a backup does
 * (backup.c).
 */
#include <errno.h>
#include <stdlib.h>

#include "block_hash.h"
#include "core.h"

bool joining_is_target(const struct replica *replica, int member)
{
	const struct joining *joining = &replica->joining;

	return joining->joined && joining->reign == core_configuration(replica)->reign &&
	       joining->session == replica->sessions[member];
}

bool joining_was_ready(const struct replica *replica)
{
	const struct joining *joining = &replica->joining;

	return joining->ready && joining->ready == core_configuration(replica)->reign;
}

static bool from_source(const struct replica *replica, int member, const struct message *message)
{
	const struct replica_configuration *configuration = core_configuration(replica);

	return joining_is_target(replica, member) && configuration->primary == (uint32_t)member &&
	       configuration->reign == message->reign && message->epoch >= message->reign &&
	       message->epoch <= configuration->epoch && peer_is_named(replica, member, configuration);
}

/* ---- what it says ---- */

static void begin_join(struct replica *replica)
{
	struct joining *joining = &replica->joining;

	joining->saying = true;
	joining->epoch = core_configuration(replica)->epoch;
	joining->said = false;
	joining->device = deliberate_bug(BUG_OWN_LOG_IGNORED) ? replica->settings.nr_devices : 0;
	joining->map = 0;
	joining->cursor = 0;
	joining->whole = false;
	done_table_clear(&replica->done);
	backup_reign_ends(replica);
}

/* The nth map of what this member may have and nobody else knows of; NULL: there are no more. */
static const struct block_map *joining_map(const struct replica *replica, int primary)
{
	const struct replica_device *device = &replica->devices[replica->joining.device];
	const struct block_map *maps[] = { &device->owed, &device->unflushed, &device->unflushed_before,
					   &device->missing[primary] };

	return replica->joining.map < (deliberate_bug(BUG_JOIN_WITHOUT_BITS) ? 3 : 4) ? maps[replica->joining.map]
										      : NULL;
}

static bool say(struct replica *replica, int primary, uint32_t flags, const void *data, uint32_t size)
{
	struct joining *joining = &replica->joining;
	struct message join = {
		.type = MESSAGE_JOIN,
		.flags = flags,
		.epoch = joining->epoch,
		.device = joining->device < replica->settings.nr_devices ? (uint32_t)joining->device : 0,
		.data_size = size,
	};

	if (!joining->said)
		join.flags |= MESSAGE_FIRST;
	if (!core_try_send(replica, primary, REPLICA_CLASS_BULK, &join, data))
		return false;
	joining->said = true;
	return true;
}

/* What is to be given to it of the whole device, if its image is not to be trusted; 0: it is. */
static uint32_t wish_of(const struct replica *replica, int device)
{
	if (!(replica->durable.now.wants_all >> device & 1))
		return 0;
	/* Nothing but zeroes is as far from what it must be as anything, and not worth a comparison. */
	return replica->settings.devices[device].image == REPLICA_IMAGE_NEW && !replica->devices[device].written
		       ? MESSAGE_EMPTY
		       : MESSAGE_UNKNOWN;
}

/* What is to be said of one device; false: the queue is full. */
static bool say_device(struct replica *replica, int primary)
{
	struct joining *joining = &replica->joining;
	uint32_t wish = wish_of(replica, joining->device);
	unsigned char data[MAPS_RANGES_SIZE];
	const struct block_map *map;

	if (wish)
		return say(replica, primary, wish, NULL, 0);
	while ((map = joining_map(replica, primary))) {
		uint64_t cursor = joining->cursor;
		uint32_t size =
			maps_ranges(replica, (uint32_t)joining->device, map, &cursor, data, maps_ranges_size(replica));

		if (size && !say(replica, primary, 0, data, size))
			return false;
		joining->cursor = size ? cursor : 0;
		joining->map += size == 0;
	}
	return true;
}

static bool has_heard_all(const struct replica *replica, int primary)
{
	const struct joining *joining = &replica->joining;

	return joining->told == joining->reign && joining->told_to == replica->peers[primary].process.incarnation;
}

/*
 * Asks, with all that it may have and nobody else knows of: what is unfinished, and what others may have lost since, as
 * it was not flushed on all. It takes as long as the queue has no room. What this member is sent meanwhile is nothing
 * that the primary would have to be told: it sends entries as to a target only after it has heard all of this, and
 * those of before, of its own reign, it knows.
 *
 * So nothing is to be said to who has heard it before, in the same reign, from this process, unless its disk failed
 * since: that primary still has the bits of all that it did not copy, and a bringing up that was interrupted goes on.
 */
static void say_more(struct replica *replica, int primary)
{
	struct joining *joining = &replica->joining;

	for (; !has_heard_all(replica, primary) && joining->device < replica->settings.nr_devices; joining->device++) {
		if (!say_device(replica, primary))
			return;
		joining->map = 0;
	}
	if (!say(replica, primary, MESSAGE_LAST, NULL, 0))
		return;
	joining->saying = false;
	joining->next = replica->now + replica->settings.replica_timeout;
}

void joining_heard(struct replica *replica)
{
	struct joining *joining = &replica->joining;

	if (!joining->heard)
		core_tell(replica, REPLICA_EVENT_MEMBER, replica->settings.self, "it is being brought up");
	/* One that is still being said is not answered by that: it heard an older one. */
	joining->heard = true;
	joining->saying = false;
	joining->ready = 0;
	joining->told = joining->reign;
	joining->told_to = replica->peers[core_configuration(replica)->primary].process.incarnation;
}

void joining_disk_failed(struct replica *replica)
{
	/* What was under way fails all at once. */
	if (replica->now >= replica->joining.not_before)
		core_tell(replica, REPLICA_EVENT_DISK, replica->settings.self,
			  "its image fails: it is not in sync before it was brought up again, which is tried again and "
			  "again");
	replica->joining.not_before = replica->now + 4 * replica->settings.replica_timeout;
	replica->joining.told = 0;
}

/* ---- what it is given ---- */

void joining_copy(struct replica *replica, int member, const struct message *message, void *frame, const void *data)
{
	struct entry *entry;

	if (!from_source(replica, member, message) || !maps_message_ok(replica, message)) {
		free(frame);
		return;
	}
	if (!entry_room(replica)) {
		free(frame);
		peer_refuse(replica, member, "too much of what it sent before is still on its way to the disk");
		return;
	}
	entry = entry_take(replica, ENTRY_COPIED, message->kind, message->device, message->position, message->length,
			   frame, (void *)(uintptr_t)data);
	entry->reign = message->reign;
	entry->number = message->number;
	entry->origin = member;
	entry->session = replica->sessions[member];
	/* Of a line that another may part from: the others of that do not have it. */
	maps_note_write(
		replica, message->device, message->position, message->length,
		deliberate_bug(BUG_ADMITTED_WITHOUT_BITMAPS) ? 0 : (member_set)~core_configuration(replica)->in_sync);
	entry_begin(replica, entry);
}

void joining_stored(struct replica *replica, struct entry *entry)
{
	struct message copied = { .type = MESSAGE_COPIED, .number = entry->number, .result = entry->stored_result };

	if (entry->stored_result)
		joining_disk_failed(replica);
	if (replica->peers[entry->origin].greeted && replica->sessions[entry->origin] == entry->session)
		core_send(replica, entry->origin, REPLICA_CLASS_CONTROL, &copied, NULL);
	entry_complete(replica, entry, entry->stored_result);
}

/*
 * The primary does not know of all that differs between it and a member of another line: some of that only the member
 * would tell it, and nobody else. What was written over this copy by the primary may differ from theirs, too, and stays
 * noted for all who are not in sync.
 */
static bool may_be_parted(const struct replica *replica)
{
	return (core_configuration(replica)->forks[0].number || replica->durable.now.given_up.epoch) &&
	       !deliberate_bug(BUG_LEFT_LINE_FORGOTTEN);
}

void joining_bits(struct replica *replica, int member, const struct message *message, const void *data)
{
	bool own = message->member == (uint32_t)replica->settings.self;

	/* replica_frame() has seen to it that the member is in the list. */
	if (!from_source(replica, member, message) || message->device >= (uint32_t)replica->settings.nr_devices)
		return;
	/* It is as the primary is now: what others lack is what the primary says. But see may_be_parted(). */
	if (message->number == 0 && !own && !may_be_parted(replica))
		maps_unmiss(replica, (int)message->member, message->device, 0,
			    replica->devices[message->device].blocks);
	for (uint32_t i = 0; i < message->data_size / MESSAGE_RANGE_SIZE; i++) {
		struct byte_range range = message_get_range(data, i);

		if (!maps_range_ok(replica, message->device, range.position, range.length))
			continue;
		maps_heat(replica, message->device, range.position, range.length);
		if (own)
			maps_note_write(replica, message->device, range.position, range.length, 0);
		else
			maps_miss(replica, member_bit((int)message->member), message->device, range.position,
				  range.length);
	}
}

/* What it was told of absent members must outlive its host: it answers when the activity log covers it. */
void joining_log_saved(struct replica *replica)
{
	const struct replica_configuration *configuration = core_configuration(replica);
	struct message ready = { .type = MESSAGE_READY, .epoch = configuration->epoch, .reign = configuration->reign };

	ready.number = replica->joining.handed_over;
	if (!replica->joining.handed_over || !joining_is_target(replica, (int)configuration->primary) ||
	    !maps_log_is_stable(replica))
		return;
	replica->joining.handed_over = 0;
	replica->joining.ready = configuration->reign;
	replica->joining.whole = true;
	core_send(replica, (int)configuration->primary, REPLICA_CLASS_CONTROL, &ready, NULL);
}

void joining_handed_over(struct replica *replica, int member, const struct message *message)
{
	if (!from_source(replica, member, message))
		return;
	replica->joining.handed_over = message->number;
	joining_log_saved(replica);
}

/* ---- hashes ---- */

void joining_hash(struct replica *replica, int member, const struct message *message)
{
	struct entry *entry;
	unsigned char *memory;
	uint64_t first, count;

	if (!from_source(replica, member, message) ||
	    !maps_range_ok(replica, message->device, message->position, message->length))
		return;
	maps_blocks(replica, message->position, message->length, &first, &count);
	if (message->length > MESSAGE_DATA_MAX || count > MESSAGE_DATA_MAX / MESSAGE_HASH_SIZE ||
	    !entry_room(replica)) {
		peer_refuse(replica, member, "it asks for more hashes than can be told now");
		return;
	}
	/* Its hashes come into the same memory. Without any it cannot tell, and is copied all of it. */
	memory = malloc(message->length > count * MESSAGE_HASH_SIZE ? message->length : count * MESSAGE_HASH_SIZE);
	entry = entry_take(replica, ENTRY_COMPARED, ENTRY_READ, message->device, message->position, message->length,
			   memory, memory);
	entry->reign = message->reign;
	entry->number = message->number;
	entry->seed = message->seed;
	entry->origin = member;
	entry->session = replica->sessions[member];
	entry_append(&replica->compared, entry);
	entry_begin(replica, entry);
}

static void send_hashes(struct replica *replica, struct entry *entry)
{
	struct message hashes = {
		.type = MESSAGE_HASHES,
		.epoch = core_configuration(replica)->epoch,
		.reign = entry->reign,
		.number = entry->number,
		.result = entry->stored_result,
		.data_size = (uint32_t)entry->sent,
	};

	if (core_try_send(replica, entry->origin, REPLICA_CLASS_BULK, &hashes, entry->data))
		entry_complete(replica, entry, 0);
}

/* It was read, from the disk: nothing that overlaps comes before the primary has the answer. */
void joining_read(struct replica *replica, struct entry *entry)
{
	/*
	 * After a flush that failed the disk has one thing and its cache another, which it takes for stable: what is
	 * equal on the disk is read otherwise. All of it is written anew.
	 */
	if (!entry->stored_result && replica->durable.now.flush_failed && !deliberate_bug(BUG_COMPARED_IN_CACHE))
		entry->stored_result = -EIO;
	if (!entry->stored_result)
		entry->sent = block_hashes(entry->data, entry->request.length, replica->settings.block_size,
					   entry->seed, entry->data);
	send_hashes(replica, entry);
}

/* Those that wait for a session that is gone do so in vain. */
void joining_session_ended(struct replica *replica, int member)
{
	struct entry *next;

	for (struct entry *entry = replica->compared.first; entry; entry = next) {
		next = entry->next;
		if (entry->origin == member)
			entry_orphan(replica, entry);
	}
}

/* ---- when it asks ---- */

/* Whether this member should be brought up, and by whom. */
static int source_of(const struct replica *replica)
{
	const struct replica_configuration *configuration = core_configuration(replica);
	int primary = (int)configuration->primary;

	if (!configuration->epoch || core_diskless(replica, replica->settings.self) || replica->stopping ||
	    member_in(configuration->in_sync, replica->settings.self) ||
	    !peer_is_named(replica, primary, configuration))
		return NO_MEMBER;
	return primary;
}

/* What is written to an image from now on is not in the one that was there before: that is not to be taken for this. */
static bool images_are_noted(struct replica *replica)
{
	struct durable *durable = &replica->durable;

	if (replica->other_images) {
		durable_note_images(replica);
		durable_changed(replica);
	}
	return durable->stable.wants_all == durable->now.wants_all;
}

void joining_tick(struct replica *replica)
{
	struct joining *joining = &replica->joining;
	int source = source_of(replica);

	/* Before a decision is known it neither begins nor gives up. */
	if (source == NO_MEMBER || !replica->decision.decided)
		return;
	if (replica->now < joining->not_before) {
		core_wake_at(replica, joining->not_before);
		return;
	}
	if (!joining_is_target(replica, source) && replica->nr_here > 0)
		return;
	if (!images_are_noted(replica))
		return;
	if (!joining_is_target(replica, source)) {
		/* What its disk may have lost before is among what it says that it lacks. */
		replica->reign.disk_failed = false;
		joining->joined = true;
		joining->heard = false;
		joining->saying = false;
		joining->handed_over = 0;
		joining->reign = core_configuration(replica)->reign;
		joining->session = replica->sessions[source];
		joining->next = replica->now;
	}
	if (joining->heard)
		return;
	/* What was asked for under another epoch is not heard. */
	if (joining->saying ? joining->epoch != core_configuration(replica)->epoch : joining->next <= replica->now)
		begin_join(replica);
	if (joining->saying)
		say_more(replica, source);
	if (!joining->saying)
		core_wake_at(replica, joining->next);
}

void joining_can_send(struct replica *replica, int member)
{
	struct entry *next;

	for (struct entry *entry = replica->compared.first; entry; entry = next) {
		next = entry->next;
		if (entry->origin == member && entry->step == STEP_STORED && !entry->completed)
			send_hashes(replica, entry);
	}
	if (replica->joining.saying && source_of(replica) == member)
		joining_tick(replica);
}
