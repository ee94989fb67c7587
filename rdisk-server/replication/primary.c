/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The primary's part: an entry gets its number, goes to every receiver and to the own image, and is complete when all
 * of them have it; flushes of the set. A receiver that fails is told to reign.c; its answer is needed until a
 * configuration without it is decided.
 */
#include <assert.h>
#include <errno.h>

#include "core.h"

static member_set self_bit(const struct replica *replica)
{
	return member_bit(replica->settings.self);
}

/* Sends to a receiver, unless it is one that the configuration names and that is not there (any more). */
static void send_to_receiver(struct replica *replica, int member, struct message *message, const void *data)
{
	if (!replica->peers[member].greeted)
		return;
	if (replica->bringup[member].phase == BRINGUP_NONE &&
	    !peer_is_named(replica, member, core_configuration(replica)))
		return;
	core_send(replica, member, REPLICA_CLASS_STREAM, message, data);
}

static void send_entry(struct replica *replica, struct entry *entry)
{
	struct message write = {
		.type = MESSAGE_WRITE,
		.epoch = replica->reign.epoch,
		.reign = entry->reign,
		.number = entry->number,
		.device = entry->kind == ENTRY_OPEN ? entry->open.device : entry->device,
		.kind = entry->kind,
		.member = entry->open.member,
		.position = entry->request.position,
		.length = entry->request.length,
		.client = entry->client,
		.request = entry->client_request,
		.lowest = entry->lowest,
		.complete = replica->reign.complete,
		.flushed = replica->reign.flushed,
	};

	if (entry->open.shared)
		write.flags |= MESSAGE_SHARED;
	if (entry->open.read_only)
		write.flags |= MESSAGE_READ_ONLY;
	if (version_uses(replica, REPLICA_FEATURE_MADE_UP))
		write.flags |= MESSAGE_MADE_UP;
	if (entry->stable)
		write.flags |= MESSAGE_STABLE;
	if (entry->kind == ENTRY_WRITE) {
		write.data_size = (uint32_t)entry->request.length;
		/* Once for all; that of a forwarded one came with it, and was checked. */
		write.data_checksum = entry->data_checksum;
		if (!write.data_checksum && entry->waits)
			write.data_checksum = message_data_checksum(entry->data, write.data_size);
	}
	for (int i = 0; i < replica->settings.members; i++) {
		if (member_in(entry->waits, i))
			send_to_receiver(replica, i, &write, entry->data);
	}
}

/* ---- the end of an entry ---- */

/* All outcomes are known, and not all are good. */
static void failed(struct replica *replica, struct entry *entry)
{
	/* A target does not count: it is no copy yet. */
	member_set all = replica->reign.in_sync | core_configuration(replica)->in_sync;
	bool here = member_in(entry->failed, replica->settings.self);

	if (here && (all & (member_set)~entry->failed) && reign_own_disk_failed(replica))
		return;
	if (here) {
		bool rewrites = entry->role == ENTRY_OF_RECOVERY && replica->reign.rewrite;
		uint64_t position = entry->request.position, length = entry->request.length;
		uint32_t device = entry->device;

		if (rewrites)
			recovery_rewrite_failed(replica);
		/* The client's error; what is there now may differ, and is made equal before anybody sees it. */
		primary_note_done(replica, entry, entry->error);
		entry_complete(replica, entry, entry->error);
		/* What is to be written again stays owed, and is tried again. */
		if (!rewrites)
			recovery_equalise(replica, device, position, length);
		return;
	}
	for (int i = 0; i < replica->settings.members; i++) {
		if (!member_in(entry->failed, i))
			continue;
		entry->waits |= member_bit(i);
		if (replica->bringup[i].phase != BRINGUP_NONE)
			bringup_drop(replica, i, "its disk failed");
		else
			reign_member_failed(replica, i, "its disk failed");
	}
	entry->failed = 0;
}

static void check(struct replica *replica, struct entry *entry)
{
	if (entry->completed || !entry->number || entry->step != STEP_STORED ||
	    (entry->waits && !deliberate_bug(BUG_ANSWER_BEFORE_ALL)))
		return;
	if (entry->failed)
		failed(replica, entry);
	else
		entry_complete(replica, entry, 0);
}

static void advance_complete(struct replica *replica)
{
	struct reign *reign = &replica->reign;

	while (reign->complete < reign->number) {
		const struct entry *entry = replica->by_number[(reign->complete + 1) % replica->settings.window];

		if (entry && entry->number == reign->complete + 1)
			return;
		reign->complete++;
	}
}

/* Bytes that it takes in the queue to a member. */
static uint64_t data_of(const struct entry *entry)
{
	return entry->kind == ENTRY_WRITE ? entry->request.length : 0;
}

/* All that is under way may still be in a queue: more would be more than that holds, and end its session. */
static bool window_takes(const struct replica *replica, const struct entry *entry)
{
	const struct reign *reign = &replica->reign;

	return reign->number - reign->complete < replica->settings.window &&
	       (!reign->under_way || reign->under_way + data_of(entry) <= replica->settings.window_bytes);
}

static void begin(struct replica *replica, struct entry *entry);

static void window_opens(struct replica *replica)
{
	struct entry *entry;

	while ((entry = replica->window_waiters.first) && window_takes(replica, entry))
		begin(replica, entry);
}

void primary_end(struct replica *replica, struct entry *entry)
{
	if (entry->number && replica->by_number[entry->number % replica->settings.window] == entry)
		replica->by_number[entry->number % replica->settings.window] = NULL;
	if (entry->number)
		replica->reign.under_way -= data_of(entry);
	advance_complete(replica);
	if (entry->role == ENTRY_OF_RECOVERY) {
		recovery_end_of_entry(replica, entry);
	} else {
		entry_remove(entry);
		answering_done(replica, entry);
	}
	window_opens(replica);
}

/* ---- its way ---- */

void primary_begin(struct replica *replica, struct entry *entry)
{
	/* Behind those that wait already, or one with much data would wait for ever. */
	if (!replica->window_waiters.first && window_takes(replica, entry)) {
		begin(replica, entry);
		return;
	}
	entry->step = STEP_WINDOW;
	entry_remove(entry);
	entry_append(&replica->window_waiters, entry);
}

static void begin(struct replica *replica, struct entry *entry)
{
	struct reign *reign = &replica->reign;
	member_set receivers = reign_receivers(replica);

	entry_remove(entry);
	entry->reign = reign->reign;
	entry->number = ++reign->number;
	reign->under_way += data_of(entry);
	entry->began = replica->now;
	entry->waits = receivers;
	replica->by_number[entry->number % replica->settings.window] = entry;
	entry_append(&replica->active, entry);
	core_wake_at(replica, replica->now + replica->settings.replica_timeout);
	send_entry(replica, entry);
	if (entry->kind == ENTRY_OPEN || entry->kind == ENTRY_CLOSE) {
		entry->step = STEP_STORED;
		primary_stored(replica, entry);
		return;
	}
	maps_note_write(replica, entry->device, entry->request.position, entry->request.length,
			(member_set) ~(receivers | self_bit(replica)));
	if (entry->role == ENTRY_OF_RECOVERY && (!reign->rewrite || deliberate_bug(BUG_NOT_WRITTEN_AGAIN))) {
		entry->step = STEP_STORED;
		check(replica, entry);
	} else {
		entry_here(replica, entry);
		entry_write_here(replica, entry);
	}
}

static struct done_range range_of(const struct entry *entry)
{
	if (entry->request.length == 0) /* an OPEN */
		return (struct done_range){ 0 };
	return (struct done_range){
		.position = entry->request.position,
		.length = (uint32_t)entry->request.length,
		.device = entry->device,
	};
}

void primary_note_unsure(struct replica *replica, const struct entry *entry)
{
	const struct done_range range = range_of(entry);

	if (entry->client.forwarder && range.length && done_table_knows(&replica->done, entry->client))
		done_table_add_unsure(&replica->done, entry->client, entry->client_request, entry->lowest, &range);
}

/* What was done for a client, so that it is not done again. The same on all members: see backup.c. */
void primary_note_done(struct replica *replica, const struct entry *entry, int result)
{
	const struct done_range range = range_of(entry);
	int error = 0;

	if (!entry->client.forwarder)
		return;
	if (entry->kind == ENTRY_CLOSE)
		done_table_forget(&replica->done, entry->client);
	else if (entry->kind == ENTRY_OPEN || done_table_knows(&replica->done, entry->client) ||
		 !peer_is_named(replica, replica->settings.self, core_configuration(replica)))
		error = done_table_add_write(&replica->done, entry->client, entry->client_request, entry->lowest,
					     result, &range);
	if (entry->kind == ENTRY_OPEN && !error)
		error = done_table_open(&replica->done, entry->client, &entry->open);
	if (error == -ENOSPC)
		core_tell(replica, REPLICA_EVENT_DISK, replica->settings.self, "too many clients at once");
}

void primary_stored(struct replica *replica, struct entry *entry)
{
	if (entry->kind == ENTRY_READ) {
		/* Others in sync have it: they shall serve. The request is asked again there. */
		if (entry->stored_result == -EIO && reign_own_disk_failed(replica))
			return;
		entry_complete(replica, entry, entry->stored_result);
		return;
	}
	if (!entry->number) { /* RECOVERY: it was read */
		if (entry->stored_result) {
			if (!reign_own_disk_failed(replica))
				entry_complete(replica, entry, entry->stored_result);
			return;
		}
		primary_begin(replica, entry);
		return;
	}
	if (entry->stored_result) {
		entry->failed |= self_bit(replica);
		entry->error = entry->stored_result;
	} else if (entry->role == ENTRY_OF_CLIENT) {
		primary_note_done(replica, entry, 0);
	}
	check(replica, entry);
}

void primary_written(struct replica *replica, int member, const struct message *message)
{
	struct entry *entry = replica->by_number[message->number % replica->settings.window];

	if (!reign_is_primary(replica) || message->reign != replica->reign.reign || !entry ||
	    entry->number != message->number || !member_in(entry->waits, member))
		return;
	entry->waits &= (member_set)~member_bit(member);
	if (message->result) {
		entry->failed |= member_bit(member);
		entry->error = message->result;
	}
	check(replica, entry);
}

/* ---- flushes of the set ---- */

static void end_flush(struct replica *replica)
{
	struct set_flush *flush = &replica->flush;
	struct entry *entry;

	if (!flush->running || flush->waits || flush->nr_pending > 0)
		return;
	/* That of a stable write failed meanwhile: this one says nothing of what that lost. */
	if (replica->durable.now.flush_failed)
		flush->result = -EIO;
	if (flush->result && reign_own_disk_failed(replica))
		return;
	flush->running = false;
	while ((entry = flush->covered.first)) {
		entry_remove(entry);
		entry_append(&replica->active, entry);
		entry_complete(replica, entry, flush->result);
	}
	if (flush->result) {
		reign_flush_failed(replica);
	} else {
		replica->reign.flushed = flush->number;
		flush->quiet -= flush->quiet > 0;
		maps_flush_complete(replica);
		bringup_flush_complete(replica);
		replica->consider = true;
	}
	if (flush->waiting.first || flush->wanted)
		primary_start_flush(replica);
}

void primary_flush_stored(struct replica *replica, int result)
{
	struct set_flush *flush = &replica->flush;

	flush->nr_pending--;
	if (result) {
		flush->result = result;
		/* Until it is over others may still be waited for, and who is to take over may go, too. */
		reign_note_flush_failed(replica);
	}
	if (!flush->abandoned) {
		end_flush(replica);
	} else if (flush->nr_pending == 0) {
		flush->abandoned = false;
		/* An error is reported once, whoever it was asked for by. */
		if (flush->result)
			reign_flush_failed(replica);
		if (flush->waiting.first || flush->wanted)
			primary_start_flush(replica);
	}
}

/* One at a time: all that come meanwhile share the next one. */
void primary_start_flush(struct replica *replica)
{
	struct set_flush *flush = &replica->flush;
	struct message message = { .type = MESSAGE_FLUSH, .flags = MESSAGE_TRACKED, .reign = replica->reign.reign };

	/* After one that failed the next may say yes to what was lost: that is for another generation. */
	if (flush->running || flush->nr_pending > 0 || !reign_is_primary(replica) || replica->reign.flush_lost ||
	    replica->durable.now.flush_failed)
		return;
	flush->running = true;
	flush->nr_pending = replica->settings.nr_devices + 1;
	flush->wanted = false;
	flush->result = 0;
	flush->number++;
	flush->began = replica->now;
	flush->next = replica->now + replica->settings.flush_interval;
	flush->waits = reign_receivers(replica);
	for (struct entry *entry; (entry = flush->waiting.first);) {
		entry_remove(entry);
		entry_append(&flush->covered, entry);
	}
	core_wake_at(replica, replica->now + replica->settings.replica_timeout);
	maps_flush_begins(replica);
	bringup_flush_begins(replica);
	message.epoch = replica->reign.epoch;
	message.number = flush->number;
	message.complete = replica->reign.complete;
	message.flushed = replica->reign.flushed;
	for (int i = 0; i < replica->settings.members; i++) {
		if (member_in(flush->waits, i))
			send_to_receiver(replica, i, &message, NULL);
	}
	for (int i = 0; i < replica->settings.nr_devices; i++) {
		struct core_io *core_io = &flush->io[i];

		*core_io = (struct core_io){ .device = i, .flush = FLUSH_OF_PRIMARY, .io = { .operation = IO_FLUSH } };
		if (replica->world->submit(replica, i, &core_io->io) == IO_DONE)
			primary_flush_stored(replica, core_io->io.result);
	}
	primary_flush_stored(replica, 0);
}

void primary_want_flush(struct replica *replica, struct entry *entry)
{
	entry_append(&replica->flush.waiting, entry);
	primary_start_flush(replica);
}

void primary_flushed(struct replica *replica, int member, const struct message *message)
{
	struct set_flush *flush = &replica->flush;

	if (!reign_is_primary(replica) || message->reign != replica->reign.reign || !flush->running ||
	    message->number != flush->number || !member_in(flush->waits, member))
		return;
	if (message->result) {
		/* It stays awaited until it is removed. */
		if (replica->bringup[member].phase != BRINGUP_NONE)
			bringup_drop(replica, member, "its disk failed to flush");
		else
			reign_member_failed(replica, member, "its disk failed to flush");
		return;
	}
	flush->waits &= (member_set)~member_bit(member);
	end_flush(replica);
}

/* ---- who leaves ---- */

void primary_without(struct replica *replica, member_set members)
{
	for (struct entry *entry = replica->active.first; entry; entry = entry->next) {
		member_set gone = (entry->waits | entry->failed) & members;

		if (!gone)
			continue;
		entry->waits &= (member_set)~gone;
		entry->failed &= (member_set)~gone;
		if (entry->kind == ENTRY_WRITE || entry->kind == ENTRY_ZEROES)
			maps_miss(replica, gone, entry->device, entry->request.position, entry->request.length);
		check(replica, entry);
	}
	replica->flush.waits &= (member_set)~members;
	end_flush(replica);
}

/* Its reign is over: what is not complete is unfinished, and nobody is answered by this member. */
void primary_reset(struct replica *replica)
{
	struct entry_list *idle[] = { &replica->held,		&replica->queue,	 &replica->opens,
				      &replica->unsure_waiters, &replica->flush.waiting, &replica->flush.covered };
	struct entry_list *begun[] = { &replica->active, &replica->ordered, &replica->window_waiters };
	struct entry *entry;

	for (unsigned int i = 0; i < sizeof(idle) / sizeof(idle[0]); i++) {
		while ((entry = idle[i]->first))
			entry_free(replica, entry);
	}
	for (unsigned int i = 0; i < sizeof(begun) / sizeof(begun[0]); i++) {
		while ((entry = begun[i]->first)) {
			/* A range that all failed to write is complete, and not equal, before its entry has a number.
			 */
			if ((entry->number || entry->role == ENTRY_OF_RECOVERY) &&
			    (entry->kind == ENTRY_WRITE || entry->kind == ENTRY_ZEROES))
				maps_owe(replica, entry->device, entry->request.position, entry->request.length);
			entry_orphan(replica, entry);
		}
	}
	for (unsigned int i = 0; i < replica->settings.window; i++)
		replica->by_number[i] = NULL;
	replica->flush.running = false;
	replica->flush.waits = 0;
	replica->flush.wanted = false;
	replica->flush.abandoned = replica->flush.nr_pending > 0;
}

/* ---- time ---- */

static void too_late(struct replica *replica, member_set late, uint64_t began)
{
	for (int i = 0; i < replica->settings.members; i++) {
		bool target = replica->bringup[i].phase != BRINGUP_NONE;

		if (!member_in(late, i))
			continue;
		if (target && began + bringup_patience(replica) > replica->now) {
			core_wake_at(replica, began + bringup_patience(replica));
			continue;
		}
		if (target)
			bringup_drop_for_a_while(replica, i, "it does not keep up");
		else if (!replica->settings.slow_replica_waits || !replica->peers[i].greeted)
			reign_member_failed(replica, i, "it does not keep up");
	}
}

void primary_tick(struct replica *replica)
{
	uint64_t timeout = replica->settings.replica_timeout;
	struct set_flush *flush = &replica->flush;
	struct entry *next;

	if (!reign_is_primary(replica))
		return;
	for (struct entry *entry = replica->ordered.first; entry; entry = entry->next) {
		if (entry->step != STEP_READ)
			continue;
		if (entry->began + timeout <= replica->now)
			reign_own_disk_failed(replica);
		else
			core_wake_at(replica, entry->began + timeout);
	}
	for (struct entry *entry = replica->active.first; entry; entry = next) {
		next = entry->next;
		if (!entry->number)
			continue;
		if (entry->began + timeout > replica->now) {
			core_wake_at(replica, entry->began + timeout);
			break; /* they are in the order of their numbers */
		}
		too_late(replica, entry->waits, entry->began);
		if (entry->step != STEP_STORED)
			reign_own_disk_failed(replica);
	}
	/* One of an earlier reign that hangs here keeps all others from beginning. */
	if ((flush->running || flush->abandoned) && flush->began + timeout <= replica->now) {
		too_late(replica, flush->waits, flush->began);
		if (flush->nr_pending > 0)
			reign_own_disk_failed(replica);
	} else if (flush->running || flush->abandoned) {
		core_wake_at(replica, flush->began + timeout);
	} else if (replica->reign.role == ROLE_SERVING && (maps_any_unflushed(replica) || !maps_clean(replica) ||
							   bringup_waits_for_flush(replica) || flush->quiet > 0)) {
		if (flush->next <= replica->now)
			primary_start_flush(replica);
		else
			core_wake_at(replica, flush->next);
	}
}
