/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a new primary does before it serves. It asks all in-sync members what is unfinished of former reigns; the union
 * of that, its own included, is read from its own image and written to all as entries of its reign. So what was under
 * way when the last primary ended is equal on all before anybody reads it, and owed to who is absent. Its table of done
 * requests goes out first, and becomes that of all when all is equal; only when all have said so it serves.
 *
 * One that was restarted, and has no table, hands over to a member that has one. It would not know of what its own
 * image got before that.
 *
 * The same is used for a range that all members failed to write: recovery_equalise().
 */
#include <errno.h>
#include <stdlib.h>

#include "core.h"

#define EQUALISING_MAX 4 /* ranges at once */

static member_set other_images(const struct replica *replica)
{
	return core_configuration(replica)->in_sync & (member_set)~member_bit(replica->settings.self);
}

void recovery_ask(struct replica *replica)
{
	const struct replica_configuration *configuration = core_configuration(replica);
	struct message news = { .type = MESSAGE_CONFIGURATION, .flags = MESSAGE_DECIDED };
	struct message confirm = { .type = MESSAGE_CONFIRM, .epoch = configuration->epoch };
	member_set others = other_images(replica) & (member_set)~replica->reign.confirmed;

	news.configuration = *configuration;
	news.accepted = replica->durable.now.accepted;
	for (int i = 0; i < replica->settings.members; i++) {
		if (!member_in(others, i))
			continue;
		if (!peer_is_named(replica, i, configuration)) {
			reign_member_failed(replica, i, "its session is gone");
			continue;
		}
		core_send(replica, i, REPLICA_CLASS_STREAM, &news, NULL);
		core_send(replica, i, REPLICA_CLASS_STREAM, &confirm, NULL);
	}
}

void recovery_begin(struct replica *replica)
{
	struct reign *reign = &replica->reign;

	reign->confirmed = member_bit(replica->settings.self);
	if (deliberate_bug(BUG_SERVE_BEFORE_CONFIRMED))
		reign->confirmed = core_configuration(replica)->in_sync;
	reign->confirm_deadline = replica->now + replica->settings.replica_timeout;
	reign->equalising = 0;
	reign->rewrite_failed = reign->rewrite_told = false;
	reign->sent = 0;
	reign->told = false;
	reign->reconciled = 0;
	core_wake_at(replica, reign->confirm_deadline);
	recovery_ask(replica);
	recovery_go_on(replica);
}

void recovery_report(struct replica *replica, int member, const struct message *message, const void *data)
{
	struct reign *reign = &replica->reign;

	/* Of this reign, also of an epoch before others were removed. */
	if (reign->role != ROLE_CONFIRMING || message->epoch < reign->reign || message->epoch > reign->epoch ||
	    !peer_is_named(replica, member, core_configuration(replica)))
		return;
	for (uint32_t i = 0; i < message->data_size / MESSAGE_RANGE_SIZE; i++) {
		struct byte_range range = message_get_range(data, i);

		if (maps_range_ok(replica, message->device, range.position, range.length))
			maps_owe(replica, message->device, range.position, range.length);
	}
	if (message->flags & MESSAGE_LAST)
		reign->confirmed |= member_bit(member);
	if ((message->flags & MESSAGE_LAST) && !(message->flags & MESSAGE_EMPTY) && !reign->knows &&
	    !replica->peers[member].failed && !(replica->peers[member].flags & (MESSAGE_STOPPING | MESSAGE_FAILED))) {
		reign->successor = member;
		replica->consider = true;
	}
	recovery_go_on(replica);
}

bool recovery_send_done_table(struct replica *replica, int member, struct sending_table *sending)
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

/* Its table, to all; false: some of it has to wait for room in a queue. */
static bool send_tables(struct replica *replica)
{
	struct reign *reign = &replica->reign;
	member_set others = other_images(replica) & (member_set)~reign->sent;

	for (int i = 0; i < replica->settings.members; i++) {
		uint64_t before = reign->sending[i].number;

		if (!member_in(others, i) || !replica->peers[i].greeted || replica->peers[i].failed)
			continue;
		if (recovery_send_done_table(replica, i, &reign->sending[i]))
			reign->sent |= member_bit(i);
		if (reign->sending[i].number != before)
			reign->confirm_deadline = replica->now + replica->settings.replica_timeout;
	}
	return !(others & (member_set)~reign->sent);
}

/* All is equal: its table is that of all from now on. */
static void tell(struct replica *replica)
{
	struct reign *reign = &replica->reign;
	struct message reconciled = { .type = MESSAGE_RECONCILED, .epoch = reign->epoch, .reign = reign->reign };
	member_set others = other_images(replica);

	for (int i = 0; i < replica->settings.members; i++) {
		if (member_in(others, i) && replica->peers[i].greeted)
			core_send(replica, i, REPLICA_CLASS_STREAM, &reconciled, NULL);
	}
	reign->told = true;
	reign->confirm_deadline = replica->now + replica->settings.replica_timeout;
	core_wake_at(replica, reign->confirm_deadline);
}

void recovery_reconciled(struct replica *replica, int member, const struct message *message)
{
	struct reign *reign = &replica->reign;

	if (reign->role != ROLE_EQUALISING || message->reign != reign->reign || !reign->told ||
	    !peer_is_named(replica, member, core_configuration(replica)))
		return;
	reign->reconciled |= member_bit(member);
	recovery_go_on(replica);
}

/* false: there is no memory for it now. */
static bool begin_range(struct replica *replica, uint32_t device, uint64_t position, uint64_t length)
{
	void *memory = malloc(length);
	struct entry *entry;

	if (!memory)
		return false;
	entry = entry_take(replica, ENTRY_OF_RECOVERY, ENTRY_WRITE, device, position, length, memory, memory);
	entry_append(&replica->ordered, entry);
	replica->reign.equalising++;
	entry_begin(replica, entry);
	return true;
}

/* They cannot be made equal: they leave. */
static void fail_all(struct replica *replica, member_set members)
{
	for (int i = 0; i < replica->settings.members; i++) {
		if (!member_in(members, i))
			continue;
		if (replica->bringup[i].phase != BRINGUP_NONE)
			bringup_drop(replica, i, "a range that failed cannot be made equal now");
		else
			reign_member_failed(replica, i, "a range that failed cannot be made equal now");
	}
}

void recovery_equalise(struct replica *replica, uint32_t device, uint64_t position, uint64_t length)
{
	member_set others = reign_receivers(replica);

	/* What the others owe, as they failed, they forget by whole blocks. */
	maps_round(replica, device, &position, &length);
	while (length > 0 && others) {
		uint64_t piece = length < MESSAGE_DATA_MAX ? length : MESSAGE_DATA_MAX;

		if (!entry_room(replica) || !begin_range(replica, device, position, piece)) {
			fail_all(replica, others);
			return;
		}
		position += piece;
		length -= piece;
	}
}

/*
 * Begins with more of the union; false: all of it is under way or done. What there is no room or memory for is tried
 * again when another range ends, or at the next tick.
 */
static bool begin_more(struct replica *replica)
{
	struct reign *reign = &replica->reign;
	uint64_t block = replica->settings.block_size;

	for (int i = 0; i < replica->settings.nr_devices; i++) {
		struct replica_device *device = &replica->devices[i];
		uint64_t first, count, position, length, size = core_configuration(replica)->sizes[i];

		while (block_map_next(&device->owed, reign->cursor[i], replica->settings.copy_size / block, &first,
				      &count)) {
			if (reign->equalising >= EQUALISING_MAX || !entry_room(replica))
				return true;
			position = first * block;
			if (position >= size)
				break;
			length = count * block;
			if (length > size - position)
				length = size - position;
			if (!begin_range(replica, (uint32_t)i, position, length))
				return true;
			reign->cursor[i] = first + count;
		}
	}
	return false;
}

static void serve(struct replica *replica)
{
	maps_forget_owed(replica);
	if (!replica->reign.flush_lost)
		reign_flush_made_good(replica);
	replica->reign.role = ROLE_SERVING;
	opens_serve(replica);
	replica->reign.knows = true;
	replica->next_ask = 0;
	unsure_tick(replica);
	core_tell(replica, REPLICA_EVENT_SERVING, replica->settings.self, NULL);
	replica->consider = true;
	accept_start_queue(replica);
}

static void begin_tables(struct replica *replica)
{
	struct reign *reign = &replica->reign;
	uint64_t generation = core_configuration(replica)->generation.id;

	/* Requests of an older generation are answered an error, whatever was done of them. */
	if (reign->generation != generation)
		done_table_drop_unsure(&replica->done);
	reign->generation = generation;
	/* A primary that has lost its table begins with none. */
	if (!reign->knows)
		done_table_clear(&replica->done);
	for (int i = 0; i < replica->settings.members; i++)
		reign->sending[i] = (struct sending_table){ 0 };
	reign->confirm_deadline = replica->now + replica->settings.replica_timeout;
	core_wake_at(replica, reign->confirm_deadline);
}

void recovery_rewrite_failed(struct replica *replica)
{
	struct reign *reign = &replica->reign;

	if (deliberate_bug(BUG_NOT_REWRITTEN_SERVED))
		return;
	if (!reign->rewrite_told)
		core_tell(replica, REPLICA_EVENT_DISK, replica->settings.self,
			  "what a flush lost cannot be written again: its image fails, or its file system is full");
	reign->rewrite_failed = reign->rewrite_told = true;
	reign->rewrite_at = replica->now + replica->settings.heartbeat;
	core_wake_at(replica, reign->rewrite_at);
	replica->consider = true;
}

/*
 * What is in the page cache alone would be read, and flushed with success, and gone after a loss of power: nobody is
 * served before all of it is written. true: it is tried again, or later.
 */
static bool rewrites_again(struct replica *replica)
{
	struct reign *reign = &replica->reign;

	if (!reign->rewrite_failed)
		return false;
	if (replica->now < reign->rewrite_at) {
		core_wake_at(replica, reign->rewrite_at);
		return true;
	}
	reign->rewrite_failed = false;
	for (int i = 0; i < replica->settings.nr_devices; i++)
		reign->cursor[i] = 0;
	replica->consider = true;
	return begin_more(replica) || reign->equalising > 0;
}

void recovery_go_on(struct replica *replica)
{
	struct reign *reign = &replica->reign;
	member_set missing;
	uint64_t wait;

	if (reign->role == ROLE_CONFIRMING) {
		missing = core_configuration(replica)->in_sync & (member_set)~reign->confirmed;
		wait = lease_forbids(replica, replica->settings.self);
		if (wait)
			core_wake_at(replica, replica->now + wait);
		if (missing || wait || replica->nr_here > 0 || reign->successor != NO_MEMBER)
			return;
		reign->role = ROLE_EQUALISING;
		for (int i = 0; i < replica->settings.nr_devices; i++)
			reign->cursor[i] = 0;
		maps_miss_owed(replica, (member_set)~core_configuration(replica)->in_sync);
		begin_tables(replica);
	}
	/* The table goes before all data, to all. */
	if (reign->role != ROLE_EQUALISING || !send_tables(replica))
		return;
	if ((begin_more(replica) || reign->equalising > 0) && !deliberate_bug(BUG_SERVE_BEFORE_EQUAL))
		return;
	/* A flush failed since: what was written again may be lost again, and stays owed to the next reign. */
	if (rewrites_again(replica) || reign->flush_lost)
		return;
	if (!reign->told)
		tell(replica);
	if (!(other_images(replica) & (member_set)~reign->reconciled))
		serve(replica);
}

void recovery_end_of_entry(struct replica *replica, struct entry *entry)
{
	replica->reign.equalising--;
	entry_free(replica, entry);
	recovery_go_on(replica);
}

void recovery_can_send(struct replica *replica)
{
	if (replica->reign.role == ROLE_EQUALISING)
		recovery_go_on(replica);
}

/* Members whose next step is waited for. */
static member_set waited_for(const struct replica *replica)
{
	const struct reign *reign = &replica->reign;
	member_set all = core_configuration(replica)->in_sync;

	if (reign->role == ROLE_CONFIRMING)
		return (member_set)(all & ~reign->confirmed);
	return other_images(replica) & (member_set) ~(reign->told ? reign->reconciled : reign->sent);
}

void recovery_tick(struct replica *replica)
{
	struct reign *reign = &replica->reign;
	member_set late;

	if (reign->role == ROLE_EQUALISING)
		recovery_go_on(replica);
	if (reign->role != ROLE_CONFIRMING && reign->role != ROLE_EQUALISING)
		return;
	late = waited_for(replica);
	if (!late && reign->role == ROLE_EQUALISING)
		return;
	if (replica->now < reign->confirm_deadline) {
		core_wake_at(replica, reign->confirm_deadline);
	} else {
		for (int i = 0; i < replica->settings.members; i++) {
			if (member_in(late, i))
				reign_member_failed(replica, i, "it does not answer the new primary");
		}
		if (replica->nr_here > 0 && reign->role == ROLE_CONFIRMING)
			reign_own_disk_failed(replica);
	}
	recovery_go_on(replica);
}
