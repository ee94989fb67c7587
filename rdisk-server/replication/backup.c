/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A backup's part, and a target's: entries and flushes from the primary. What is not known to be complete on all
 * members is unfinished here: of this reign by number, of former ones as ranges ("owed", see maps.c).
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "core.h"

/* Whether a stream message of the reign `reign`, sent under `epoch`, is from who may send it to this member. */
static bool from_primary(const struct replica *replica, int member, uint64_t epoch, uint64_t reign)
{
	const struct replica_configuration *configuration = core_configuration(replica);

	if (deliberate_bug(BUG_DEAD_SESSION))
		return peer_is_named(replica, replica->settings.self, configuration) ||
		       joining_is_target(replica, member);
	return configuration->epoch && configuration->primary == (uint32_t)member && configuration->reign == reign &&
	       epoch >= reign && epoch <= configuration->epoch && peer_is_named(replica, member, configuration) &&
	       ((peer_is_named(replica, replica->settings.self, configuration) && !replica->durable.now.wants_all &&
		 !replica->reign.disk_failed) ||
		joining_is_target(replica, member));
}

static struct unfinished *unfinished_at(struct replica *replica, uint64_t number)
{
	assert(replica->settings.window > 0);
	return &replica->backup.unfinished[number % replica->settings.window];
}

/* It is on all members. What a primary made equal is, too, whatever was unfinished there before. */
static void settle(struct replica *replica, struct unfinished *at)
{
	at->number = 0;
	if (at->equalises)
		maps_settle(replica, at->device, at->position, at->length);
}

/* Everything up to `complete` is on all members. */
static void take_complete(struct replica *replica, uint64_t complete, uint64_t flushed)
{
	struct backup *backup = &replica->backup;

	if (complete > backup->complete + replica->settings.window)
		backup->complete = complete - replica->settings.window;
	while (backup->complete < complete) {
		struct unfinished *at = unfinished_at(replica, ++backup->complete);

		/* One that does not take entries any more may be far behind. */
		if (at->number && at->number <= backup->complete)
			settle(replica, at);
	}
	/* The primary waits for those in sync: it may have gone on without a member that is being brought up. */
	if (flushed && flushed == backup->tracked &&
	    (flushed == backup->stable || deliberate_bug(BUG_FLUSHED_ELSEWHERE))) {
		maps_flush_complete(replica);
		backup->tracked = 0;
	}
}

void backup_settled(struct replica *replica, const struct message *message)
{
	/* Under a configuration that is not known to be decided yet members may be absent whose bits are not set. */
	if (message->reign == replica->backup.reign && message->epoch <= replica->reign.epoch)
		take_complete(replica, message->complete, message->flushed);
}

void backup_reign_ends(struct replica *replica)
{
	struct backup *backup = &replica->backup;

	for (unsigned int i = 0; i < replica->settings.window; i++) {
		struct unfinished *at = &backup->unfinished[i];

		if (at->number && at->length)
			maps_owe(replica, at->device, at->position, at->length);
		at->number = 0;
	}
	backup->reign = 0;
	backup->complete = 0;
	backup->tracked = 0;
	backup->stable = 0;
}

bool backup_any_unfinished(const struct replica *replica)
{
	for (unsigned int i = 0; i < replica->settings.window; i++) {
		if (replica->backup.unfinished[i].number && replica->backup.unfinished[i].length)
			return true;
	}
	return false;
}

/* The first message of a reign. */
static void take_reign(struct replica *replica, uint64_t reign)
{
	if (replica->backup.reign == reign)
		return;
	backup_reign_ends(replica);
	replica->backup.reign = reign;
}

void backup_absent(struct replica *replica, member_set members)
{
	struct backup *backup = &replica->backup;

	maps_owe_unflushed(replica, members);
	for (unsigned int i = 0; i < replica->settings.window; i++) {
		struct unfinished *at = &backup->unfinished[i];

		if (at->number && at->length)
			maps_miss(replica, members, at->device, at->position, at->length);
	}
}

static void send_written(struct replica *replica, struct entry *entry, enum message_type type, int result)
{
	struct message written = {
		.type = type,
		.epoch = core_configuration(replica)->epoch,
		.reign = entry->reign,
		.number = entry->number,
		.result = result,
	};

	/* Of a session that is gone: who sent it has learnt so, too. */
	if (replica->peers[entry->origin].greeted && replica->sessions[entry->origin] == entry->session)
		core_send(replica, entry->origin, REPLICA_CLASS_CONTROL, &written, NULL);
}

/* Members with images that are neither in sync nor this one. */
static member_set absent(const struct replica *replica)
{
	member_set in_sync = core_configuration(replica)->in_sync;

	return (member_set) ~(in_sync | member_bit(replica->settings.self));
}

/*
 * Before entries of a new primary its table of done requests comes, by the same session. Those of another session may
 * have a gap before them: that member is not in sync any more, and will be told so.
 */
static bool has_table(const struct replica *replica, int member, uint64_t reign)
{
	const struct backup *backup = &replica->backup;

	return (backup->table_reign == reign && backup->table_session == replica->sessions[member] &&
		backup->table_whole) ||
	       joining_is_target(replica, member) || deliberate_bug(BUG_DEAD_SESSION) ||
	       deliberate_bug(BUG_NO_TABLE_TO_TARGET);
}

void backup_write(struct replica *replica, int member, const struct message *message, void *frame, const void *data)
{
	struct backup *backup = &replica->backup;
	struct unfinished *at;
	struct entry *entry;

	if (!from_primary(replica, member, message->epoch, message->reign) ||
	    !has_table(replica, member, message->reign) || !maps_message_ok(replica, message)) {
		free(frame);
		return;
	}
	take_reign(replica, message->reign);
	if (message->number <= backup->complete) {
		free(frame);
		return;
	}
	if (!entry_room(replica)) {
		free(frame);
		peer_refuse(replica, member, "too much of what it sent before is still on its way to the disk");
		return;
	}
	take_complete(replica, message->complete, message->flushed);
	at = unfinished_at(replica, message->number);
	*at = (struct unfinished){
		.number = message->number,
		.device = message->device,
		.position = message->position,
		.length = message->length,
		.equalises = !message->client.forwarder,
	};
	entry = entry_take(replica, ENTRY_OF_PRIMARY, message->kind, message->device, message->position,
			   message->length, frame, (void *)(uintptr_t)data);
	entry->reign = message->reign;
	entry->number = message->number;
	entry->stable = message->flags & MESSAGE_STABLE;
	entry->client = message->client;
	entry->client_request = message->request;
	if (message->kind == ENTRY_OPEN && !deliberate_bug(BUG_EXCLUSIVE_FORGOTTEN))
		entry->open = (struct client_open){ .open = true,
						    .shared = message->flags & MESSAGE_SHARED,
						    .read_only = message->flags & MESSAGE_READ_ONLY,
						    .member = (uint8_t)message->member,
						    .device = message->device };
	entry->lowest = message->lowest;
	entry->origin = member;
	entry->session = replica->sessions[member];
	entry_here(replica, entry);
	if (message->kind == ENTRY_OPEN || message->kind == ENTRY_CLOSE) {
		entry->step = STEP_STORED;
		backup_stored(replica, entry);
		return;
	}
	maps_note_write(replica, message->device, message->position, message->length, absent(replica));
	entry_begin(replica, entry);
}

void backup_stored(struct replica *replica, struct entry *entry)
{
	int result = entry->stored_result;

	if (result) {
		joining_disk_failed(replica);
		/* If all have failed it is complete, and not equal before the primary has made it so. */
		maps_owe(replica, entry->device, entry->request.position, entry->request.length);
	}
	/* A result for the client is the same on all; one that is not makes this member leave. */
	primary_note_done(replica, entry, result);
	send_written(replica, entry, MESSAGE_WRITTEN, result);
	entry_complete(replica, entry, result);
}

/* Says what is unfinished, as the queue has room: nothing of older reigns is on its way to the image any more. */
static void report_more(struct replica *replica, int member)
{
	struct report *report = &replica->backup.report;
	struct message message = { .type = MESSAGE_REPORT, .epoch = report->epoch };
	unsigned char data[RANGES_PIECE];

	if (!report->epoch || report->epoch != core_configuration(replica)->epoch ||
	    report->session != replica->sessions[member])
		return;
	while (report->device < replica->settings.nr_devices) {
		uint64_t cursor = report->cursor;

		message.device = (uint32_t)report->device;
		message.data_size = maps_ranges(replica, message.device, &replica->devices[report->device].owed,
						&cursor, data, sizeof(data));
		if (message.data_size && !core_try_send(replica, member, REPLICA_CLASS_BULK, &message, data))
			return;
		report->device += message.data_size == 0;
		report->cursor = message.data_size ? cursor : 0;
	}
	message.device = 0;
	message.flags = MESSAGE_LAST | (replica->reign.knows ? 0 : MESSAGE_EMPTY);
	if (core_try_send(replica, member, REPLICA_CLASS_BULK, &message, NULL))
		report->epoch = 0;
}

static void report(struct replica *replica, int member)
{
	struct backup *backup = &replica->backup;

	backup->report = (struct report){ .epoch = backup->confirm, .session = replica->sessions[member] };
	backup->confirm = 0;
	report_more(replica, member);
}

void backup_can_send(struct replica *replica, int member)
{
	if (core_configuration(replica)->primary == (uint32_t)member)
		report_more(replica, member);
}

void backup_nothing_here(struct replica *replica)
{
	const struct replica_configuration *configuration = core_configuration(replica);

	if (replica->backup.confirm && replica->backup.confirm == configuration->epoch &&
	    replica->peers[configuration->primary].greeted)
		report(replica, (int)configuration->primary);
	recovery_go_on(replica);
	replica->consider = true;
}

void backup_end(struct replica *replica, struct entry *entry)
{
	entry_free(replica, entry);
}

void backup_confirm(struct replica *replica, int member, const struct message *message)
{
	const struct replica_configuration *configuration = core_configuration(replica);

	if (message->epoch != configuration->epoch || configuration->primary != (uint32_t)member ||
	    !peer_is_named(replica, member, configuration) ||
	    !peer_is_named(replica, replica->settings.self, configuration) || replica->durable.now.wants_all ||
	    replica->reign.disk_failed)
		return;
	if (replica->backup.reign != configuration->reign)
		backup_reign_ends(replica);
	replica->backup.confirm = message->epoch;
	if (replica->nr_here == 0)
		backup_nothing_here(replica);
}

/*
 * All of the table of a new primary is here, and nothing yet of what it makes equal. From now on, whatever comes of
 * that, this member knows of each request whether its image has all or nothing of it, or that it is unsure.
 */
static void look_at_table(struct replica *replica, const struct message *message)
{
	struct backup *backup = &replica->backup;

	/* What a primary without a table may have done, or undo, nobody knows. */
	if (message->flags & MESSAGE_EMPTY)
		replica->reign.knows = false;
	if (!replica->reign.knows || deliberate_bug(BUG_NO_TABLE_AT_REIGN))
		return;
	if (deliberate_bug(BUG_TABLE_BEFORE_DATA)) {
		done_table_swap(&replica->done, &backup->table);
		return;
	}
	done_table_doubt(&replica->done, &backup->table);
	if (deliberate_bug(BUG_UNSURE_FORGOTTEN))
		done_table_drop_unsure(&replica->done);
}

void backup_done_table(struct replica *replica, int member, const struct message *message, const void *data)
{
	struct backup *backup = &replica->backup;
	bool target = !peer_is_named(replica, replica->settings.self, core_configuration(replica));
	const char *wrong;

	if (!from_primary(replica, member, message->epoch, message->reign))
		return;
	if (message->number == 0) {
		done_table_clear(&backup->table);
		backup->table_reign = message->reign;
		backup->table_session = replica->sessions[member];
		backup->table_next = 0;
		backup->table_whole = false;
	} else if (backup->table_reign != message->reign || backup->table_session != replica->sessions[member] ||
		   backup->table_next != message->number) {
		return; /* the beginning went by another session */
	}
	backup->table_next++;
	/* A target has recorded what it stored since it joined, some of which the primary's own image may not have yet.
	 */
	wrong = done_table_load(target ? &replica->done : &backup->table, data, message->data_size);
	if (wrong) {
		peer_refuse(replica, member, wrong);
		return;
	}
	if (!(message->flags & MESSAGE_LAST))
		return;
	backup->table_whole = true;
	if (!target)
		look_at_table(replica, message);
}

void backup_reconciled(struct replica *replica, int member, const struct message *message)
{
	struct message taken = { .type = MESSAGE_RECONCILED, .epoch = message->epoch, .reign = message->reign };

	if (!from_primary(replica, member, message->epoch, message->reign) ||
	    !peer_is_named(replica, replica->settings.self, core_configuration(replica)) ||
	    !has_table(replica, member, message->reign))
		return;
	maps_forget_owed(replica);
	if (!deliberate_bug(BUG_NO_TABLE_AT_REIGN) && !deliberate_bug(BUG_TABLE_BEFORE_DATA))
		done_table_swap(&replica->done, &replica->backup.table);
	replica->reign.knows = true;
	replica->reign.generation = core_configuration(replica)->generation.id;
	core_send(replica, member, REPLICA_CLASS_CONTROL, &taken, NULL);
}

/* ---- flushes ---- */

static void begin_flush(struct replica *replica)
{
	struct backup *backup = &replica->backup;

	backup->flushing = true;
	backup->flush_again = false;
	backup->flush_now = backup->flush_asked;
	backup->result = 0;
	backup->nr_pending = replica->settings.nr_devices + 1;
	for (int i = 0; i < replica->settings.nr_devices; i++) {
		struct core_io *core_io = &backup->io[i];

		*core_io = (struct core_io){ .device = i, .io = { .operation = IO_FLUSH } };
		if (replica->world->submit(replica, i, &core_io->io) == IO_DONE)
			backup_flush_stored(replica, core_io->io.result);
	}
	backup_flush_stored(replica, 0);
}

void backup_flush_stored(struct replica *replica, int result)
{
	struct backup *backup = &replica->backup;
	const struct asked_flush *flush = &backup->flush_now;
	struct message flushed = { .type = MESSAGE_FLUSHED };

	if (result)
		backup->result = result;
	if (--backup->nr_pending > 0)
		return;
	if (backup->result && deliberate_bug(BUG_SECOND_FDATASYNC)) {
		begin_flush(replica);
		return;
	}
	backup->flushing = false;
	/* It trusts nothing since its last good flush, whoever is told of that. */
	if (backup->result)
		reign_flush_failed(replica);
	/* That of a stable write failed meanwhile: this one says nothing of what that lost. */
	else if (replica->reign.disk_failed)
		backup->result = -EIO;
	if (!backup->result && flush->reign == backup->reign)
		backup->stable = flush->number;
	flushed.reign = flush->reign;
	flushed.number = flush->number;
	flushed.result = backup->result;
	flushed.epoch = core_configuration(replica)->epoch;
	if (replica->peers[flush->member].greeted && replica->sessions[flush->member] == flush->session)
		core_send(replica, flush->member, REPLICA_CLASS_CONTROL, &flushed, NULL);
	if (backup->flush_again)
		begin_flush(replica);
}

void backup_flush(struct replica *replica, int member, const struct message *message)
{
	struct backup *backup = &replica->backup;

	if (!from_primary(replica, member, message->epoch, message->reign))
		return;
	take_reign(replica, message->reign);
	take_complete(replica, message->complete, message->flushed);
	if (message->flags & MESSAGE_TRACKED) {
		maps_flush_begins(replica);
		backup->tracked = message->number;
	}
	/* A primary has one under way at a time: what is still being flushed was asked for by another, or in vain. */
	backup->flush_asked =
		(struct asked_flush){ member, replica->sessions[member], message->reign, message->number };
	if (backup->flushing)
		backup->flush_again = true;
	else
		begin_flush(replica);
}
