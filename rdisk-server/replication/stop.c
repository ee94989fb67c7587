/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A process that is to end, so that nothing is left to be made good: it leaves the set while it is still there, and
 * what it has written is flushed and cools.
 *
 * - The primary hands over, to one that stays; then it is a backup that ends.
 * - A backup says that it is about to end. The primary flushes the set and decides a configuration without it
 * (propose.c); from then on it takes no entries, and the others hold bits for what it lacks. What it has is complete on
 * all when the primary says so.
 * - The last one, or one that sees no majority, answers nothing any more.
 *
 * Then its own image is flushed, and all extents cool in which nothing is unfinished. None of that is waited for longer
 * than a bound: what is not done by then stays hot, and is made good when it is back.
 */
#include <errno.h>

#include "core.h"

static bool is_in_sync(const struct replica *replica)
{
	return peer_is_named(replica, replica->settings.self, core_configuration(replica));
}

void stop_begin(struct replica *replica)
{
	const struct replica_settings *settings = &replica->settings;
	struct stop *stop = &replica->stop;

	if (replica->stopping)
		return;
	replica->stopping = true;
	stop->was_in_sync = is_in_sync(replica);
	stop->leaves_by =
		replica->now + 2 * settings->replica_timeout + 4 * settings->election_delay + lease_longest(replica);
	stop->ends_by = stop->leaves_by + settings->replica_timeout;
	core_wake_at(replica, stop->leaves_by);
	core_wake_at(replica, stop->ends_by);
	replica->consider = true;
	peer_tell_all(replica);
}

/* Whether nobody is to be waited for any more: it has left, it is the last one, or nobody can decide that it leaves. */
static bool has_left(struct replica *replica)
{
	if (replica->now >= replica->stop.leaves_by)
		return true;
	if (reign_is_primary(replica))
		return reign_is_last(replica);
	if (!replica->decision.decided || (is_in_sync(replica) && reign_majority_there(replica)))
		return false;
	return true;
}

/* Whether what it has written is complete, as far as it will be. */
static bool is_settled(const struct replica *replica)
{
	if (replica->nr_here > 0)
		return false;
	if (replica->now >= replica->stop.leaves_by)
		return true;
	if (reign_is_primary(replica))
		return !replica->ordered.first && !replica->window_waiters.first;
	return is_in_sync(replica) || !backup_any_unfinished(replica);
}

static void flush(struct replica *replica)
{
	struct stop *stop = &replica->stop;

	stop->phase = STOP_FLUSHING;
	stop->result = 0;
	stop->nr_pending = replica->settings.nr_devices + 1;
	for (int i = 0; i < replica->settings.nr_devices; i++) {
		struct core_io *core_io = &stop->io[i];

		*core_io = (struct core_io){ .device = i, .flush = FLUSH_OF_STOP, .io = { .operation = IO_FLUSH } };
		if (deliberate_bug(BUG_STOP_WITHOUT_FLUSH))
			stop_flush_stored(replica, 0);
		else if (replica->world->submit(replica, i, &core_io->io) == IO_DONE)
			stop_flush_stored(replica, core_io->io.result);
	}
	stop_flush_stored(replica, 0);
}

void stop_flush_stored(struct replica *replica, int result)
{
	struct stop *stop = &replica->stop;
	bool alone = !(core_configuration(replica)->in_sync & (member_set)~member_bit(replica->settings.self));

	if (result)
		stop->result = result;
	if (--stop->nr_pending > 0 || stop->phase != STOP_FLUSHING)
		return;
	/* Another one failed while this was under way: it says nothing of what that lost. */
	if (replica->durable.now.flush_failed)
		stop->result = -EIO;
	if (stop->result) {
		core_tell(replica, REPLICA_EVENT_DISK, replica->settings.self,
			  "its image cannot be flushed at the end");
		reign_flush_failed(replica);
	}
	stop->phase = STOP_COOLING;
	if (stop->result)
		return;
	backup_reign_ends(replica);
	/* Entries that wait for the word of one that is not in sync are on this image, and perhaps not on its. */
	if (reign_is_primary(replica) && !deliberate_bug(BUG_STOP_FORGETS_OTHERS))
		maps_owe_unflushed(replica, reign_receivers(replica) & (member_set)~replica->reign.in_sync);
	/*
	 * While others are in sync with it they may lose what is not flushed on all, and this one has to know. So they
	 * are, perhaps with less than this image has, as long as it is not known that they were removed.
	 */
	if ((alone || !is_in_sync(replica)) && (replica->decision.decided || deliberate_bug(BUG_STOP_FORGETS_OTHERS)))
		maps_forget_unflushed(replica);
	replica->consider = true;
}

void stop_go_on(struct replica *replica)
{
	struct stop *stop = &replica->stop;

	if (!replica->stopping || stop->phase == STOP_DONE)
		return;
	if (replica->now >= stop->ends_by || replica->failed) {
		stop->phase = STOP_DONE;
		return;
	}
	core_wake_at(replica, replica->now < stop->leaves_by ? stop->leaves_by : stop->ends_by);
	/* What its image holds is not to be trusted, or was never in sync: it is brought up in any case. */
	if (replica->reign.disk_failed || replica->durable.now.wants_all || replica->durable.now.flush_failed)
		stop->was_in_sync = false;
	if (stop->phase == STOP_LEAVING && has_left(replica)) {
		reign_answers_nothing(replica);
		if (!is_settled(replica))
			return;
		if (core_diskless(replica, replica->settings.self) || !stop->was_in_sync)
			stop->phase = STOP_DONE;
		else
			flush(replica);
	}
	/* What is hot stays so if the flush failed, and the next process has to know that it did. */
	if (stop->phase == STOP_COOLING && (stop->result ? !replica->durable.busy : maps_cool_all(replica)))
		stop->phase = STOP_DONE;
}
