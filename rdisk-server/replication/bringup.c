/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Bringing a member up that is not in sync: a target. It asks (JOIN) and says what it may have that others do not; from
 * then on it gets all new entries, and copies of the blocks that its bits at the primary name. A bit goes when a flush
 * of the set that began after the copy was acknowledged is complete, and nobody set it again. When none are left the
 * target gets the tables that a member in sync has, and is proposed for admission (reign.c).
 *
 * The source is always the primary. A target is never one, and never serves.
 */
#include <stdlib.h>
#include <string.h>

#include "core.h"

#define RANGES_SIZE (256 * MESSAGE_RANGE_SIZE) /* bytes of the ranges in one message, at most */

/* Bytes of the ranges in one message: no more than a copy has. */
static size_t ranges_size(const struct replica *replica)
{
	return replica->settings.copy_size < RANGES_SIZE ? replica->settings.copy_size : RANGES_SIZE;
}

/* ---- the primary: who is a target ---- */

void bringup_drop(struct replica *replica, int member, const char *why)
{
	struct bringup *bringup = &replica->bringup[member];

	bringup->asking = false;
	if (bringup->phase == BRINGUP_NONE)
		return;
	for (struct entry *entry = replica->copies.first, *next; entry; entry = next) {
		next = entry->next;
		if (entry->target == member)
			entry_orphan(replica, entry);
	}
	bringup->phase = BRINGUP_NONE;
	bringup->copies = 0;
	/* What it was sent and has not acknowledged it does not have. A candidate's word stays needed. */
	if (deliberate_bug(BUG_CANDIDATE_NOT_AWAITED) && replica->reign.candidate == member)
		primary_without(replica, member_bit(member));
	else if (reign_is_primary(replica) && !member_in(core_configuration(replica)->in_sync, member)) {
		if (replica->reign.candidate == member)
			maps_miss_active(replica, member);
		else
			primary_without(replica, member_bit(member));
	}
	if (why) {
		core_tell(replica, REPLICA_EVENT_MEMBER, member, why);
		if (replica->peers[member].connected) {
			replica->world->hang_up(replica, member);
			peer_disconnected(replica, member);
		}
	}
	replica->consider = true;
}

static bool may_join(const struct replica *replica, int member)
{
	/* While it is not known whether it is in sync its answers may be awaited: those of another session than this.
	 */
	return replica->reign.role == ROLE_SERVING && !core_diskless(replica, member) && replica->decision.decided &&
	       replica->reign.epoch == core_configuration(replica)->epoch &&
	       !member_in(core_configuration(replica)->in_sync, member) && replica->reign.candidate != member;
}

void bringup_join(struct replica *replica, int member, const struct message *message, const void *data)
{
	struct bringup *bringup = &replica->bringup[member];
	const struct replica_configuration *configuration = core_configuration(replica);
	struct message taken = { .type = MESSAGE_JOIN, .flags = MESSAGE_LAST, .epoch = configuration->epoch };

	if (bringup_is_target(replica, member) && (int)configuration->primary == member) {
		/* The answer to its own. One that is still being said is not: it heard an older one. */
		replica->joining.heard = true;
		replica->joining.saying = false;
		return;
	}
	/* All of its messages, or none: a bit that was not heard of would be missing. */
	if (message->flags & MESSAGE_FIRST)
		bringup->asking = reign_is_primary(replica);
	if (!bringup->asking || member_in(reign_receivers(replica) & configuration->in_sync, member))
		return;
	for (int i = 0; i < replica->settings.nr_devices; i++) {
		if (replica->peers[member].sizes[i] < configuration->sizes[i]) {
			core_tell(replica, REPLICA_EVENT_REFUSED, member, "its image is smaller than the set's");
			return;
		}
	}
	if (message->flags & MESSAGE_EMPTY)
		maps_owe_all(replica, member_bit(member));
	for (uint32_t i = 0; i < message->data_size / MESSAGE_RANGE_SIZE; i++) {
		struct byte_range range = message_get_range(data, i);

		if (maps_range_ok(replica, message->device, range.position, range.length))
			maps_miss(replica, member_bit(member), message->device, range.position, range.length);
	}
	if (!(message->flags & MESSAGE_LAST))
		return;
	bringup->asking = false;
	if (!may_join(replica, member) || message->epoch != configuration->epoch)
		return;
	/* Whoever asks again has forgotten what it was given. */
	bringup_drop(replica, member, NULL);
	if (deliberate_bug(BUG_BIT_CLEARED_BY_RULE) &&
	    maps_missing_bytes(replica, member) <= 4 * (uint64_t)replica->settings.block_size)
		maps_forget_missing(replica, member);
	bringup->phase = BRINGUP_COPYING;
	bringup->in_flush = false;
	bringup->flushed = false;
	bringup->copies = 0;
	for (int i = 0; i < replica->settings.nr_devices; i++) {
		bringup->cursor[i] = 0;
		if (deliberate_bug(BUG_LATE_ACKNOWLEDGEMENT))
			continue;
		block_map_clear(&bringup->copied[i]);
		block_map_clear(&bringup->flushing[i]);
	}
	core_tell(replica, REPLICA_EVENT_MEMBER, member, "it is being brought up");
	core_send(replica, member, REPLICA_CLASS_STREAM, &taken, NULL);
	bringup_go_on(replica);
}

/* ---- the primary: copies ---- */

/* false: there is no memory for it now. */
static bool begin_copy(struct replica *replica, int member, uint32_t device, uint64_t first, uint64_t count)
{
	uint64_t block = replica->settings.block_size;
	uint64_t position = first * block, length = count * block;
	uint64_t size = core_configuration(replica)->sizes[device];
	struct entry *entry;
	void *memory;

	if (length > size - position)
		length = size - position;
	memory = malloc(length);
	if (!memory)
		return false;
	entry = entry_take(replica, ENTRY_OF_COPY, ENTRY_WRITE, device, position, length, memory, memory);
	entry->target = member;
	entry->origin = member;
	entry->session = replica->sessions[member];
	replica->bringup[member].copies++;
	entry_append(&replica->copies, entry);
	entry_begin(replica, entry);
	return true;
}

/* The next blocks that are to be copied; false: none is left that is not under way or waits for a flush. */
static bool next_blocks(struct replica *replica, int member, uint32_t *device, uint64_t *first, uint64_t *count)
{
	struct bringup *bringup = &replica->bringup[member];
	uint64_t most = replica->settings.copy_size / replica->settings.block_size;
	uint64_t piece = REQUEST_RANGE_PIECE / replica->settings.block_size;

	for (int i = 0; i < replica->settings.nr_devices; i++) {
		const struct block_map *missing = &replica->devices[i].missing[member];

		while (block_map_next(missing, bringup->cursor[i], most, first, count)) {
			uint64_t take = 0;

			/* Zeroes of it are one piece for request/. */
			if (*count > piece - *first % piece)
				*count = piece - *first % piece;
			while (take < *count && !block_map_has(&bringup->copied[i], *first + take) &&
			       !block_map_has(&bringup->flushing[i], *first + take))
				take++;
			bringup->cursor[i] = *first + (take ? take : 1);
			/* An image may be larger than what was decided: that part is nobody's. */
			if (*first * replica->settings.block_size >= core_configuration(replica)->sizes[i]) {
				maps_unmiss(replica, member, (uint32_t)i, *first, *count);
				continue;
			}
			if (!take)
				continue;
			*count = take;
			*device = (uint32_t)i;
			return true;
		}
	}
	return false;
}

/* All that are left wait for a flush: false; or some are left because they were set again: from the beginning. */
static bool start_again(struct replica *replica, int member)
{
	struct bringup *bringup = &replica->bringup[member];

	for (int i = 0; i < replica->settings.nr_devices; i++) {
		uint64_t waiting = bringup->copied[i].count + bringup->flushing[i].count;

		if (replica->devices[i].missing[member].count > waiting) {
			bringup->cursor[i] = 0;
			return true;
		}
	}
	return false;
}

static bool waits_for_flush(const struct replica *replica, int member)
{
	const struct bringup *bringup = &replica->bringup[member];
	uint64_t count = 0;

	for (int i = 0; i < replica->settings.nr_devices; i++)
		count += bringup->copied[i].count + bringup->flushing[i].count;
	return count > 0;
}

/* Members whose bits a target is told: who is absent. And itself, which stands for what is unflushed. */
static bool is_told_of(const struct replica *replica, int member, int who)
{
	if (who == member)
		return true;
	return who != replica->settings.self && !core_diskless(replica, who) &&
	       !member_in(core_configuration(replica)->in_sync, who) && !deliberate_bug(BUG_ADMITTED_WITHOUT_BITMAPS);
}

/* The nth map of what a target is told; NULL: there are no more. */
static const struct block_map *told_map(const struct replica *replica, int member, const struct handing *handing)
{
	const struct replica_device *device = &replica->devices[handing->device];

	if (handing->who != member)
		return handing->map == 0 ? &device->missing[handing->who] : NULL;
	/* In this order: what is unflushed when a flush begins is in the other map from then on. */
	return handing->map == 0 ? &device->unflushed : handing->map == 1 ? &device->unflushed_before : NULL;
}

/* false: the queue is full, it goes on later. */
static bool hand_bits(struct replica *replica, int member)
{
	struct handing *handing = &replica->bringup[member].handing;
	const struct block_map *map;
	struct message message = {
		.type = MESSAGE_BITS,
		.epoch = replica->reign.epoch,
		.reign = replica->reign.reign,
		.member = (uint32_t)handing->who,
		.device = (uint32_t)handing->device,
	};
	unsigned char data[RANGES_SIZE];

	/* The first one, without data, empties what the target has for it. */
	if (!handing->number && !core_try_send(replica, member, REPLICA_CLASS_BULK, &message, NULL))
		return false;
	if (!handing->number)
		handing->number = 1;
	while ((map = told_map(replica, member, handing))) {
		uint64_t cursor = handing->cursor;

		message.number = handing->number;
		message.data_size = maps_ranges(replica, message.device, map, &cursor, data, ranges_size(replica));
		if (!message.data_size) {
			handing->map++;
			handing->cursor = 0;
			continue;
		}
		if (!core_try_send(replica, member, REPLICA_CLASS_BULK, &message, data))
			return false;
		handing->number++;
		handing->cursor = cursor;
	}
	return true;
}

/*
 * What a member in sync knows goes to the target, as its queue has room. Entries go between: of each that comes later
 * the target knows what it sets, for who is absent and as unflushed, by itself, as all in sync do. So it does not
 * matter on which side of the cursor it is. Nothing else sets a bit: another target's JOIN does, which that one will
 * say again to the next primary; and another configuration, after which all of this begins anew.
 */
static void hand_more(struct replica *replica, int member)
{
	struct bringup *bringup = &replica->bringup[member];
	struct handing *handing = &bringup->handing;
	struct message message = {
		.type = MESSAGE_HANDED_OVER,
		.epoch = replica->reign.epoch,
		.reign = replica->reign.reign,
		.number = replica->copy_number + 1,
	};

	if (!handing->table_sent)
		handing->table_sent = primary_send_done_table(replica, member, &handing->table);
	if (!handing->table_sent)
		return;
	for (; handing->who < replica->settings.members; handing->who++) {
		if (!is_told_of(replica, member, handing->who))
			continue;
		while (handing->device < replica->settings.nr_devices) {
			if (!hand_bits(replica, member))
				return;
			*handing = (struct handing){ .under_way = true,
						     .table_sent = true,
						     .who = handing->who,
						     .device = handing->device + 1 };
		}
		handing->device = 0;
	}
	if (!core_try_send(replica, member, REPLICA_CLASS_BULK, &message, NULL))
		return;
	handing->under_way = false;
	bringup->handed_over = ++replica->copy_number;
}

static void go_on(struct replica *replica, int member)
{
	struct bringup *bringup = &replica->bringup[member];
	uint64_t first, count;
	uint32_t device;

	while (bringup->phase == BRINGUP_COPYING && bringup->copies < replica->settings.copies &&
	       !replica->peers[member].full && entry_room(replica)) {
		if (next_blocks(replica, member, &device, &first, &count)) {
			if (begin_copy(replica, member, device, first, count))
				continue;
			core_wake_at(replica, replica->now + replica->settings.heartbeat);
			return;
		}
		if (bringup->copies > 0)
			return;
		if (start_again(replica, member))
			continue;
		/* Also when there is nothing to copy: a flush of before could be answered without this member's. */
		if (waits_for_flush(replica, member) || !bringup->flushed) {
			replica->flush.wanted = true;
			primary_start_flush(replica);
			return;
		}
		bringup->phase = BRINGUP_HANDING;
		bringup->handing =
			(struct handing){ .under_way = true, .table_sent = deliberate_bug(BUG_NO_TABLE_TO_TARGET) };
	}
	if (bringup->phase == BRINGUP_HANDING && bringup->handing.under_way)
		hand_more(replica, member);
}

void bringup_go_on(struct replica *replica)
{
	for (int i = 0; i < replica->settings.members; i++) {
		if (replica->bringup[i].phase != BRINGUP_NONE)
			go_on(replica, i);
	}
}

static bool is_zero(const unsigned char *bytes, size_t size)
{
	return !bytes[0] && !memcmp(bytes, bytes + 1, size - 1);
}

/* Bytes of what was read, from `from` on, that are one message: blocks with nothing but zeroes in them, or others. */
static uint64_t piece_of(const struct replica *replica, const struct entry *entry, uint64_t from, bool *zeroes)
{
	const unsigned char *bytes = (const unsigned char *)entry->data + from;
	uint64_t left = entry->request.length - from, length = 0;

	do {
		uint64_t block = replica->settings.block_size;
		bool zero;

		if (block > left - length)
			block = left - length;
		zero = is_zero(bytes + length, block);
		if (length == 0)
			*zeroes = zero;
		else if (zero != *zeroes)
			break;
		length += block;
	} while (length < left);
	return length;
}

static void copy_is_over(struct replica *replica, struct entry *entry)
{
	uint64_t first, count;

	maps_blocks(replica, entry->request.position, entry->request.length, &first, &count);
	if (deliberate_bug(BUG_BIT_BEFORE_FLUSH))
		maps_unmiss(replica, entry->target, entry->device, first, count);
	else
		block_map_add(&replica->bringup[entry->target].copied[entry->device], first, count);
	entry_complete(replica, entry, 0);
}

/*
 * Sends what was read, as the queue has room; zeroes without their bytes. Entries may go between: none that overlaps,
 * as it has kept its place in the order since before it was read.
 */
static void send_copy(struct replica *replica, struct entry *entry)
{
	while (entry->sent < entry->request.length) {
		bool zeroes;
		uint64_t length = piece_of(replica, entry, entry->sent, &zeroes);
		struct message copy = {
			.type = MESSAGE_COPY,
			.epoch = replica->reign.epoch,
			.reign = replica->reign.reign,
			.device = entry->device,
			.kind = zeroes ? ENTRY_ZEROES : ENTRY_WRITE,
			.position = entry->request.position + entry->sent,
			.length = length,
			.number = entry->number ? entry->number : replica->copy_number + 1,
			.data_size = zeroes ? 0 : (uint32_t)length,
		};

		if (zeroes && deliberate_bug(BUG_ZEROES_NOT_COPIED)) {
			entry->sent += length;
			continue;
		}
		if (!core_try_send(replica, entry->target, REPLICA_CLASS_BULK, &copy,
				   (const unsigned char *)entry->data + entry->sent))
			return;
		entry->sent += length;
		entry->pieces++;
		if (!entry->number)
			entry->number = ++replica->copy_number;
	}
	if (!entry->pieces)
		copy_is_over(replica, entry);
}

/* The own image was read for a copy. */
void bringup_read(struct replica *replica, struct entry *entry)
{
	int member = entry->target;

	if (entry->stored_result) {
		if (!reign_own_disk_failed(replica)) {
			entry_complete(replica, entry, entry->stored_result);
			bringup_drop(replica, member, "a block for it cannot be read");
		}
		return;
	}
	entry->began = replica->now;
	core_wake_at(replica, replica->now + replica->settings.replica_timeout);
	send_copy(replica, entry);
}

void bringup_copied(struct replica *replica, int member, const struct message *message)
{
	for (struct entry *entry = replica->copies.first; entry; entry = entry->next) {
		if (entry->target != member || !entry->pieces || entry->number != message->number || entry->completed ||
		    entry->session != replica->sessions[member])
			continue;
		if (message->result) {
			bringup_drop(replica, member, "its disk failed");
			return;
		}
		entry->pieces--;
		if (!entry->pieces && entry->sent == entry->request.length)
			copy_is_over(replica, entry);
		return;
	}
}

void bringup_end_of_entry(struct replica *replica, struct entry *entry)
{
	int member = entry->target;

	entry_free(replica, entry);
	if (replica->bringup[member].phase == BRINGUP_NONE)
		return;
	replica->bringup[member].copies--;
	go_on(replica, member);
}

void bringup_flush_begins(struct replica *replica)
{
	for (int i = 0; i < replica->settings.members; i++) {
		struct bringup *bringup = &replica->bringup[i];

		if (bringup->phase == BRINGUP_NONE)
			continue;
		bringup->in_flush = true;
		for (int k = 0; k < replica->settings.nr_devices; k++) {
			block_map_unite(&bringup->flushing[k], &bringup->copied[k]);
			block_map_clear(&bringup->copied[k]);
		}
	}
}

void bringup_flush_complete(struct replica *replica)
{
	for (int i = 0; i < replica->settings.members; i++) {
		struct bringup *bringup = &replica->bringup[i];

		if (bringup->phase == BRINGUP_NONE)
			continue;
		bringup->flushed = bringup->in_flush;
		for (int k = 0; k < replica->settings.nr_devices; k++) {
			uint64_t first, count, from = 0;

			while (block_map_next(&bringup->flushing[k], from, UINT64_MAX, &first, &count)) {
				maps_unmiss(replica, i, (uint32_t)k, first, count);
				from = first + count;
			}
			block_map_clear(&bringup->flushing[k]);
		}
		go_on(replica, i);
	}
}

void bringup_ready(struct replica *replica, int member, const struct message *message)
{
	struct bringup *bringup = &replica->bringup[member];

	if (bringup->phase != BRINGUP_HANDING || bringup->handing.under_way || message->reign != replica->reign.reign ||
	    message->number != bringup->handed_over)
		return;
	bringup->phase = BRINGUP_READY;
	replica->consider = true;
}

/* ---- the target ---- */

bool bringup_is_target(const struct replica *replica, int member)
{
	const struct joining *joining = &replica->joining;

	return joining->joined && joining->reign == core_configuration(replica)->reign &&
	       joining->session == replica->sessions[member];
}

static bool from_source(const struct replica *replica, int member, const struct message *message)
{
	const struct replica_configuration *configuration = core_configuration(replica);

	return bringup_is_target(replica, member) && configuration->primary == (uint32_t)member &&
	       configuration->reign == message->reign && peer_is_named(replica, member, configuration);
}

static void begin_join(struct replica *replica)
{
	struct joining *joining = &replica->joining;

	joining->saying = true;
	joining->epoch = core_configuration(replica)->epoch;
	joining->said = false;
	joining->device = deliberate_bug(BUG_OWN_LOG_IGNORED) ? replica->settings.nr_devices : 0;
	joining->map = 0;
	joining->cursor = 0;
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

	if (replica->durable.now.wants_all)
		join.flags |= MESSAGE_EMPTY;
	if (!joining->said)
		join.flags |= MESSAGE_FIRST;
	if (!core_try_send(replica, primary, REPLICA_CLASS_BULK, &join, data))
		return false;
	joining->said = true;
	return true;
}

/*
 * Asks, with all that it may have and nobody else knows of: what is unfinished, and what others may have lost since, as
 * it was not flushed on all. It takes as long as the queue has no room. What this member is sent meanwhile is nothing
 * that the primary would have to be told: it sends entries as to a target only after it has heard all of this, and
 * those of before, of its own reign, it knows.
 */
static void say_more(struct replica *replica, int primary)
{
	struct joining *joining = &replica->joining;
	unsigned char data[RANGES_SIZE];

	for (; joining->device < replica->settings.nr_devices; joining->device++) {
		const struct block_map *map;

		while ((map = joining_map(replica, primary))) {
			uint64_t cursor = joining->cursor;
			uint32_t size = maps_ranges(replica, (uint32_t)joining->device, map, &cursor, data,
						    ranges_size(replica));

			if (size && !say(replica, primary, 0, data, size))
				return;
			joining->cursor = size ? cursor : 0;
			joining->map += size == 0;
		}
		joining->map = 0;
	}
	if (!say(replica, primary, MESSAGE_LAST, NULL, 0))
		return;
	joining->saying = false;
	joining->next = replica->now + replica->settings.replica_timeout;
}

void bringup_copy(struct replica *replica, int member, const struct message *message, void *frame, const void *data)
{
	struct entry *entry;

	if (!from_source(replica, member, message) ||
	    !maps_range_ok(replica, message->device, message->position, message->length) ||
	    (message->kind == ENTRY_ZEROES && !maps_one_piece(message->position, message->length))) {
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

void bringup_target_stored(struct replica *replica, struct entry *entry)
{
	struct message copied = { .type = MESSAGE_COPIED, .number = entry->number, .result = entry->stored_result };

	if (entry->stored_result)
		replica->joining.not_before = replica->now + 4 * replica->settings.replica_timeout;
	if (replica->peers[entry->origin].greeted && replica->sessions[entry->origin] == entry->session)
		core_send(replica, entry->origin, REPLICA_CLASS_CONTROL, &copied, NULL);
	entry_complete(replica, entry, entry->stored_result);
}

void bringup_bits(struct replica *replica, int member, const struct message *message, const void *data)
{
	bool own = message->member == (uint32_t)replica->settings.self;

	if (!from_source(replica, member, message) || message->member >= (uint32_t)replica->settings.members ||
	    message->device >= (uint32_t)replica->settings.nr_devices)
		return;
	if (message->number == 0 && !own)
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
void bringup_log_saved(struct replica *replica)
{
	const struct replica_configuration *configuration = core_configuration(replica);
	struct message ready = { .type = MESSAGE_READY, .epoch = configuration->epoch, .reign = configuration->reign };

	ready.number = replica->joining.handed_over;
	if (!replica->joining.handed_over || !bringup_is_target(replica, (int)configuration->primary) ||
	    !maps_log_is_stable(replica))
		return;
	replica->joining.handed_over = 0;
	core_send(replica, (int)configuration->primary, REPLICA_CLASS_CONTROL, &ready, NULL);
}

void bringup_handed_over(struct replica *replica, int member, const struct message *message)
{
	if (!from_source(replica, member, message))
		return;
	replica->joining.handed_over = message->number;
	bringup_log_saved(replica);
}

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

static void look_for_late_copies(struct replica *replica)
{
	for (struct entry *entry = replica->copies.first; entry; entry = entry->next) {
		uint64_t late = entry->began + replica->settings.replica_timeout;

		if (entry->step != STEP_STORED || entry->completed)
			continue;
		if (late <= replica->now) {
			bringup_drop(replica, entry->target, "it does not keep up");
			return; /* the list is another now */
		}
		core_wake_at(replica, late);
	}
}

void bringup_tick(struct replica *replica)
{
	struct joining *joining = &replica->joining;
	int source = source_of(replica);

	look_for_late_copies(replica);
	bringup_go_on(replica);
	/* Before a decision is known it neither begins nor gives up. */
	if (source == NO_MEMBER || !replica->decision.decided)
		return;
	if (replica->now < joining->not_before) {
		core_wake_at(replica, joining->not_before);
		return;
	}
	if (!bringup_is_target(replica, source) && replica->nr_here > 0)
		return;
	if (!bringup_is_target(replica, source)) {
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

void bringup_can_send(struct replica *replica, int member)
{
	for (struct entry *entry = replica->copies.first; entry; entry = entry->next) {
		if (entry->target == member && entry->step == STEP_STORED && entry->sent < entry->request.length)
			send_copy(replica, entry);
	}
	if (replica->bringup[member].phase != BRINGUP_NONE)
		go_on(replica, member);
	if (replica->joining.saying && source_of(replica) == member)
		bringup_tick(replica);
}
