/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Bringing a member up that is not in sync: a target. It asks (JOIN) and says what it may have that others do not; from
 * then on it gets all new entries, and copies of the blocks that its bits at the primary name (copy.c). A bit goes when
 * a flush of the set that began after the copy was acknowledged is complete, and nobody set it again. When none are
 * left the target gets the tables that a member in sync has, and is proposed for admission (propose.c).
 *
 * The source is always the primary. A target is never one, and never serves. Its part is joining.c.
 */
#include "core.h"

#define BURST	      UINT64_C(100000000)  /* ns */
#define RATE_INTERVAL UINT64_C(2000000000) /* ns: over which a rate is measured */
#define PATIENCE      8			   /* times replica_timeout, for a target where slow members are waited for */
#define SLOW_WAIT     4 /* times replica_timeout that a target that was slow is not taken, at first */
#define SLOW_MAX      3 /* times that this doubles */

/* ---- who is a target ---- */

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

/*
 * Entries wait for a target as they do for a member in sync, so that one which does not keep up is dropped; with
 * slow_replica_waits, too, if after a while: it is no copy yet for which clients should wait for ever.
 */
uint64_t bringup_patience(const struct replica *replica)
{
	return replica->settings.replica_timeout * (replica->settings.slow_replica_waits ? PATIENCE : 1);
}

/* It asks again; clients wait for it in a part of the time that gets smaller. */
void bringup_drop_for_a_while(struct replica *replica, int member, const char *why)
{
	struct bringup *bringup = &replica->bringup[member];

	bringup->not_before = replica->now + (bringup_patience(replica) * SLOW_WAIT << bringup->slow);
	if (bringup->slow < SLOW_MAX)
		bringup->slow++;
	bringup_drop(replica, member, why);
}

static bool may_join(const struct replica *replica, int member)
{
	/* While it is not known whether it is in sync its answers may be awaited: those of another session than this.
	 */
	return replica->reign.role == ROLE_SERVING && !core_diskless(replica, member) && replica->decision.decided &&
	       replica->reign.epoch == core_configuration(replica)->epoch &&
	       !member_in(core_configuration(replica)->in_sync, member) && replica->reign.candidate != member &&
	       replica->now >= replica->bringup[member].not_before;
}

/* What a target may have that others do not; or all, of an image that is empty or in which anything may be. */
static void take_wishes(struct replica *replica, int member, const struct message *message, const void *data)
{
	if (message->device >= (uint32_t)replica->settings.nr_devices)
		return;
	if (message->flags & MESSAGE_UNKNOWN)
		maps_doubt_all(replica, member, message->device);
	if (message->flags & MESSAGE_EMPTY)
		maps_miss_all(replica, member, message->device);
	for (uint32_t i = 0; i < message->data_size / MESSAGE_RANGE_SIZE; i++) {
		struct byte_range range = message_get_range(data, i);

		if (maps_range_ok(replica, message->device, range.position, range.length))
			maps_doubt(replica, member, message->device, range.position, range.length);
	}
}

void bringup_join(struct replica *replica, int member, const struct message *message, const void *data)
{
	struct bringup *bringup = &replica->bringup[member];
	const struct replica_configuration *configuration = core_configuration(replica);
	struct message taken = { .type = MESSAGE_JOIN, .flags = MESSAGE_LAST, .epoch = configuration->epoch };

	if (joining_is_target(replica, member) && (int)configuration->primary == member) {
		/* The answer to its own. One that is still being said is not: it heard an older one. */
		joining_heard(replica);
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
	take_wishes(replica, member, message, data);
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
	bringup->rest_until = 0;
	bringup->done = 0;
	bringup->mark = replica->now;
	bringup->mark_done = 0;
	bringup->rate = 0;
	bringup->seed = replica->world->random(replica);
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

/* ---- what is done next ---- */

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

bool bringup_waits_for_flush(const struct replica *replica)
{
	for (int i = 0; i < replica->settings.members; i++) {
		if (replica->bringup[i].phase != BRINGUP_NONE && waits_for_flush(replica, i))
			return true;
	}
	return false;
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
	/*
	 * A flush of the set that begins meanwhile moves the first map into the second: in the other order what was not
	 * told yet of the first would be left out.
	 */
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
	unsigned char data[MAPS_RANGES_SIZE];

	/* The first one, without data, empties what the target has for it. */
	if (!handing->number && !core_try_send(replica, member, REPLICA_CLASS_BULK, &message, NULL))
		return false;
	if (!handing->number)
		handing->number = 1;
	while ((map = told_map(replica, member, handing))) {
		uint64_t cursor = handing->cursor;

		message.number = handing->number;
		message.data_size = maps_ranges(replica, message.device, map, &cursor, data, maps_ranges_size(replica));
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
		handing->table_sent = recovery_send_done_table(replica, member, &handing->table);
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

/* Bytes a second since the mark. */
static uint64_t rate_since(const struct replica *replica, const struct bringup *bringup)
{
	uint64_t lasted = replica->now - bringup->mark;

	return lasted ? (uint64_t)((double)(bringup->done - bringup->mark_done) * 1e9 / (double)lasted) : 0;
}

/* Requests of clients are under way. */
static bool clients_work(const struct replica *replica)
{
	return replica->active.first || replica->ordered.first || replica->window_waiters.first;
}

/*
 * Whether another range may be begun now.
 *
 * By the rate: no more than settings.resync_rate, but for what a tenth of a second is worth, or one range.
 *
 * By the share: while clients work one range is copied at a time, and then for as long as that took none is; so that at
 * least half of the time is theirs, however fast the target is, and about half of it is the target's, however much they
 * do: each range is waited for by nobody else than who overlaps it, gets its turn in the queue (BULK_TURN), and is
 * acknowledged in the time in which entries are.
 */
static bool may_copy(struct replica *replica, int member)
{
	struct bringup *bringup = &replica->bringup[member];

	if (replica->resync_paused || bringup->copies >= replica->settings.copies || !entry_room(replica))
		return false;
	if (bringup->copies > 0 && (replica->peers[member].full || clients_work(replica)))
		return false;
	if (replica->settings.resync_rate && replica->next_copy > replica->now + BURST) {
		core_wake_at(replica, replica->next_copy - BURST);
		return false;
	}
	if (bringup->rest_until > replica->now) {
		core_wake_at(replica, bringup->rest_until);
		return false;
	}
	return true;
}

static void go_on(struct replica *replica, int member)
{
	struct bringup *bringup = &replica->bringup[member];

	while (bringup->phase == BRINGUP_COPYING && may_copy(replica, member)) {
		switch (copy_begin_next(replica, member)) {
		case COPY_BEGUN:
			continue;
		case COPY_NO_MEMORY:
			core_wake_at(replica, replica->now + replica->settings.heartbeat);
			return;
		case COPY_NONE:
			break;
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

void bringup_end_of_entry(struct replica *replica, struct entry *entry)
{
	struct bringup *bringup = &replica->bringup[entry->target];
	int member = entry->target;
	uint64_t took = replica->now - entry->begun;

	entry_free(replica, entry);
	if (bringup->phase == BRINGUP_NONE)
		return;
	bringup->copies--;
	if (!replica->settings.resync_rate && clients_work(replica))
		bringup->rest_until = replica->now + took;
	go_on(replica, member);
}

void bringup_progress(struct replica *replica, int member, uint64_t bytes)
{
	struct bringup *bringup = &replica->bringup[member];
	uint64_t lasted = replica->now - bringup->mark;

	bringup->done += bytes;
	if (lasted < RATE_INTERVAL)
		return;
	bringup->rate = rate_since(replica, bringup);
	bringup->mark = replica->now;
	bringup->mark_done = bringup->done;
}

void bringup_status(const struct replica *replica, int member, struct replica_member_status *status)
{
	const struct bringup *bringup = &replica->bringup[member];
	uint64_t left = 0;

	status->resync_left = UINT64_MAX;
	for (int i = 0; i < replica->settings.nr_devices; i++) {
		status->compares |= bringup->doubted[i].count > 0;
		status->whole |= member_in(replica->devices[i].whole, member);
	}
	if (bringup->phase == BRINGUP_NONE)
		return;
	for (int i = 0; i < replica->settings.nr_devices; i++)
		left += replica->devices[i].missing[member].count - bringup->copied[i].count -
			bringup->flushing[i].count;
	status->resynced = bringup->done;
	status->resync_more = left * replica->settings.block_size;
	status->resync_rate = bringup->rate ? bringup->rate : rate_since(replica, bringup);
	if (status->resync_rate)
		status->resync_left = (uint64_t)((double)status->resync_more * 1e9 / (double)status->resync_rate);
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

/* ---- time ---- */

static void look_for_late_copies(struct replica *replica)
{
	for (struct entry *entry = replica->copies.first; entry; entry = entry->next) {
		uint64_t late = entry->began + bringup_patience(replica);

		if (entry->step != STEP_STORED || entry->completed)
			continue;
		if (late <= replica->now) {
			bringup_drop_for_a_while(replica, entry->target, "it does not keep up");
			return; /* the list is another now */
		}
		core_wake_at(replica, late);
	}
}

void bringup_tick(struct replica *replica)
{
	look_for_late_copies(replica);
	bringup_go_on(replica);
}

void bringup_can_send(struct replica *replica, int member)
{
	copy_can_send(replica, member);
	if (replica->bringup[member].phase != BRINGUP_NONE)
		go_on(replica, member);
}
