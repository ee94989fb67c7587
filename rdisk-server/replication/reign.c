/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What this member is, by the newest configuration, and how it comes to be something else. What it proposes is in
 * propose.c.
 *
 * role            answers   leaves it when
 * NONE            -         a decided configuration names this process
 * BACKUP          -         the same; or not any more
 * CONFIRMING      no        all in-sync members have reported
 * EQUALISING      no        what was unfinished is equal on all
 * SERVING         yes *     a configuration with another reign is accepted; it hands over      (* with a lease)
 * STEPPING_DOWN   no        the same
 */
#include <assert.h>
#include <errno.h>
#include <string.h>

#include "core.h"

static bool is_primary_role(enum role role)
{
	return role == ROLE_CONFIRMING || role == ROLE_EQUALISING || role == ROLE_SERVING || role == ROLE_STEPPING_DOWN;
}

bool reign_is_primary(const struct replica *replica)
{
	return is_primary_role(replica->reign.role);
}

bool reign_names_self(const struct replica *replica, const struct replica_configuration *configuration)
{
	return configuration->epoch && peer_is_named(replica, replica->settings.self, configuration);
}

member_set reign_image_members(const struct replica *replica)
{
	member_set set = 0;

	for (int i = 0; i < replica->settings.members; i++) {
		if (!core_diskless(replica, i))
			set |= member_bit(i);
	}
	return set;
}

member_set reign_receivers(const struct replica *replica)
{
	/* Whoever is in sync by what was decided, and by what may become decided at any moment. */
	member_set set = core_configuration(replica)->in_sync | replica->reign.in_sync;

	if (replica->reign.candidate != NO_MEMBER)
		set |= member_bit(replica->reign.candidate);
	if (deliberate_bug(BUG_CANDIDATE_NOT_AWAITED))
		set = replica->reign.in_sync;
	for (int i = 0; i < replica->settings.members; i++) {
		if (replica->bringup[i].phase != BRINGUP_NONE)
			set |= member_bit(i);
	}
	return set & (member_set)~member_bit(replica->settings.self);
}

void reign_member_failed(struct replica *replica, int member, const char *why)
{
	if (replica->peers[member].failed)
		return;
	replica->peers[member].failed = true;
	core_tell(replica, REPLICA_EVENT_MEMBER, member, why);
	replica->consider = true;
}

int reign_choose_successor(const struct replica *replica)
{
	const struct replica_configuration *configuration = core_configuration(replica);

	for (int i = 0; i < replica->settings.members; i++) {
		if (i != replica->settings.self && peer_is_named(replica, i, configuration) &&
		    !replica->peers[i].failed && !(replica->peers[i].flags & (MESSAGE_STOPPING | MESSAGE_NOT_SAVED)))
			return i;
	}
	return NO_MEMBER;
}

bool reign_own_disk_failed(struct replica *replica)
{
	if (reign_choose_successor(replica) == NO_MEMBER)
		return false;
	if (!replica->reign.disk_failed)
		core_tell(replica, REPLICA_EVENT_DISK, replica->settings.self, "its image fails or does not answer");
	replica->reign.disk_failed = true;
	replica->consider = true;
	return true;
}

void reign_lose_unflushed(struct replica *replica)
{
	replica->reign.flush_lost = true;
	/* The system takes what it could not write for written: it is to be written again. */
	replica->reign.rewrite = true;
	maps_owe_own_unflushed(replica);
}

void reign_note_flush_failed(struct replica *replica)
{
	replica->consider = true;
	if (replica->durable.now.flush_failed)
		return;
	replica->durable.now.flush_failed = 1;
	durable_changed(replica);
}

/* What the own image was written since its last good flush is not to be trusted, also by the next process. */
void reign_flush_failed(struct replica *replica)
{
	reign_note_flush_failed(replica);
	if (!reign_is_primary(replica)) {
		replica->reign.disk_failed = true;
		/* Of one that is being brought up nobody else knows what it has not flushed. */
		if (!deliberate_bug(BUG_FLUSHED_ELSEWHERE))
			maps_owe_own_unflushed(replica);
		joining_disk_failed(replica);
		replica->joining.ready = 0;
		peer_tell_all(replica);
		return;
	}
	if (!reign_own_disk_failed(replica))
		reign_lose_unflushed(replica);
}

int reign_promote(struct replica *replica, int member, const char **why)
{
	if (replica->reign.role != ROLE_SERVING) {
		*why = "this member is not the primary that serves";
		return -EAGAIN;
	}
	if (member == replica->settings.self) {
		*why = "that member is the primary";
		return -EAGAIN;
	}
	if (!peer_is_named(replica, member, core_configuration(replica)) ||
	    (replica->peers[member].flags & MESSAGE_STOPPING)) {
		*why = "that member is not in sync, not seen, or about to end";
		return -EAGAIN;
	}
	if (replica->peers[member].flags & MESSAGE_NOT_SAVED) {
		*why = "the disk with that member's state_dir does not answer";
		return -EAGAIN;
	}
	replica->reign.successor = member;
	replica->consider = true;
	return 0;
}

/* ---- what a configuration makes of this member ---- */

static void end_reign(struct replica *replica)
{
	if (!reign_is_primary(replica))
		return;
	if (replica->reign.role == ROLE_SERVING)
		core_tell(replica, REPLICA_EVENT_PAUSED, replica->settings.self,
			  "another configuration took its place");
	replica->reign.ended = replica->reign.reign;
	replica->reign.role = ROLE_NONE;
	replica->reign.rewrite_failed = false;
	replica->reign.candidate = NO_MEMBER;
	replica->reign.successor = NO_MEMBER;
	primary_reset(replica);
	for (int i = 0; i < replica->settings.members; i++) {
		bringup_drop(replica, i, NULL);
		replica->peers[i].failed = false;
	}
}

static void begin_reign(struct replica *replica)
{
	const struct replica_configuration *configuration = core_configuration(replica);
	struct reign *reign = &replica->reign;

	backup_reign_ends(replica);
	reign->role = ROLE_CONFIRMING;
	reign->reign = configuration->reign;
	reign->number = 0;
	reign->complete = 0;
	reign->under_way = 0;
	reign->flushed = 0;
	reign->candidate = NO_MEMBER;
	reign->successor = NO_MEMBER;
	reign->flush_lost = false;
	/* Before the first reign of all nobody had anything open. */
	reign->adopt_until = reign->knows || reign->reign == 1 ? 0 : replica->now + replica->settings.open_grace;
	opens_reign_begins(replica);
	for (int i = 0; i < replica->settings.members; i++) {
		replica->peers[i].failed = false;
		replica->peers[i].leaves_after = 0;
	}
	lease_reset(replica);
	recovery_begin(replica);
}

/* A decided configuration, seen by a member of its in-sync set: who left and who came since the last one that it saw.
 */
static void apply_in_sync(struct replica *replica)
{
	const struct replica_configuration *configuration = core_configuration(replica);
	struct reign *reign = &replica->reign;
	member_set others = reign_image_members(replica) & (member_set)~configuration->in_sync;
	member_set left = others & (member_set)~reign->absent;

	reign->absent = others;
	for (int i = 0; i < replica->settings.members; i++) {
		if (!member_in(configuration->in_sync, i))
			continue;
		maps_forget_missing(replica, i);
		maps_bits_made_good(replica, i);
	}
	if (configuration->epoch == 1) {
		maps_owe_all(replica, left);
		return;
	}
	backup_absent(replica, left);
}

static void tell_stream(struct replica *replica)
{
	member_set receivers = reign_receivers(replica);
	struct message news = { .type = MESSAGE_CONFIGURATION, .flags = MESSAGE_DECIDED };

	news.configuration = *core_configuration(replica);
	news.accepted = replica->durable.now.accepted;
	for (int i = 0; i < replica->settings.members; i++) {
		if (member_in(receivers, i) && replica->peers[i].greeted)
			core_send(replica, i, REPLICA_CLASS_STREAM, &news, NULL);
	}
}

/* The reign goes on under another epoch. */
static void go_on(struct replica *replica)
{
	const struct replica_configuration *configuration = core_configuration(replica);
	struct reign *reign = &replica->reign;

	for (int i = 0; i < replica->settings.members; i++) {
		bool in = member_in(configuration->in_sync, i);

		if (in && i == reign->candidate && replica->bringup[i].phase == BRINGUP_NONE)
			reign_member_failed(replica, i, "its session was lost before it was admitted");
		if (!in && (replica->bringup[i].phase == BRINGUP_HANDING || replica->bringup[i].phase == BRINGUP_READY))
			replica->bringup[i].phase =
				BRINGUP_COPYING; /* who is absent is another: the state goes again */
		if (in && replica->bringup[i].phase != BRINGUP_NONE) {
			bringup_drop(replica, i, NULL);
			/* All that it was given is hot there until it was not touched for two of them, and one is told.
			 */
			replica->flush.quiet = 4;
		}
		if (in)
			replica->bringup[i].slow = 0;
		if (!in)
			replica->peers[i].failed = false;
		else if (i != replica->settings.self && !peer_is_named(replica, i, configuration))
			reign_member_failed(replica, i, "its session is gone");
	}
	/* From before its admission was proposed until here its word was needed; or another value was decided. */
	reign->candidate = NO_MEMBER;
	tell_stream(replica);
	primary_without(replica, (member_set) ~(configuration->in_sync | reign_receivers(replica)));
	if (reign->role == ROLE_CONFIRMING)
		recovery_ask(replica);
	recovery_go_on(replica);
	bringup_go_on(replica);
}

/* What a flush lost was written again, or brought up from another member's image. */
void reign_flush_made_good(struct replica *replica)
{
	replica->reign.rewrite = false;
	if (!replica->durable.now.flush_failed)
		return;
	replica->durable.now.flush_failed = 0;
	durable_changed(replica);
}

static bool gave_up_copy(const struct replica *replica)
{
	return replica->durable.now.given_up.epoch && !deliberate_bug(BUG_GIVEN_UP_BY_NAME);
}

static void decided(struct replica *replica)
{
	const struct replica_configuration *configuration = core_configuration(replica);
	struct reign *reign = &replica->reign;
	/* Who lost its log, or gave its copy up, is in sync by nobody's word: it does not answer, and is removed. */
	bool admitted = joining_was_ready(replica);
	bool named = reign_names_self(replica, configuration) &&
		     ((!replica->durable.now.wants_all && !gave_up_copy(replica)) || admitted);
	bool primary = named && configuration->primary == (uint32_t)replica->settings.self;

	if (reign->epoch == configuration->epoch)
		return;
	reign->epoch = configuration->epoch;
	reign->in_sync = configuration->in_sync;
	core_tell(replica, REPLICA_EVENT_EPOCH, NO_MEMBER, NULL);
	/*
	 * Whoever left because its disk failed may come back: what it cannot trust, the others know. And where nobody
	 * is left who could have taken over, the last one goes on with what its disk has.
	 */
	if (!member_in(configuration->in_sync, replica->settings.self) ||
	    (primary && configuration->in_sync == member_bit(replica->settings.self)))
		reign->disk_failed = false;
	if (!named)
		reign->absent = 0;
	if (named && admitted)
		reign_flush_made_good(replica);
	/* All that it might have had alone was given to it, or made good. */
	if (named && admitted && replica->joining.whole) {
		maps_forget_owed(replica);
		reign->knows = true;
		reign->generation = configuration->generation.id;
	}
	if (named) {
		apply_in_sync(replica);
		replica->image_missing = false;
		if (replica->durable.now.wants_all || replica->durable.now.given_up.epoch) {
			replica->durable.now.wants_all = 0;
			replica->durable.now.given_up = (struct replica_configuration){ 0 };
			durable_changed(replica);
		}
		replica->joining.joined = false;
		replica->joining.told = 0;
		replica->joining.ready = 0;
	}
	if (primary && reign_is_primary(replica) && reign->reign == configuration->reign) {
		go_on(replica);
	} else {
		end_reign(replica);
		if (primary && reign->ended != configuration->reign)
			begin_reign(replica);
		else
			reign->role = named ? ROLE_BACKUP : ROLE_NONE;
	}
	if (!named)
		reign->knows = false;
	forward_resend(replica);
}

void reign_forget(struct replica *replica)
{
	struct reign *reign = &replica->reign;

	end_reign(replica);
	backup_reign_ends(replica);
	done_table_clear(&replica->done);
	replica->joining.joined = false;
	replica->joining.ready = 0;
	reign->role = ROLE_NONE;
	reign->epoch = 0;
	reign->in_sync = 0;
	reign->absent = 0;
	reign->force_without = 0;
	reign->knows = false;
}

void reign_changed(struct replica *replica)
{
	const struct replica_configuration *configuration = core_configuration(replica);
	struct reign *reign = &replica->reign;

	/* Whoever may have become in sync is not absent, also if that decision is heard of late or never. */
	reign->absent &= (member_set)~configuration->in_sync;
	/* It obeys what it has accepted, decided or not. */
	if (reign_is_primary(replica) &&
	    (configuration->primary != (uint32_t)replica->settings.self || configuration->reign != reign->reign))
		end_reign(replica);
	/* This process gave up what the others had it in sync for, and they have not decided anything since. */
	if (gave_up_copy(replica) && reign_names_self(replica, configuration) && !joining_was_ready(replica)) {
		reign->disk_failed = true;
		peer_tell_all(replica);
	}
	if (replica->decision.decided)
		decided(replica);
	replica->consider = true;
}

/* ---- whom it sees, and what it waits for ---- */

member_set reign_seen(const struct replica *replica)
{
	member_set seen = member_bit(replica->settings.self);

	for (int i = 0; i < replica->settings.members; i++)
		seen |= replica->peers[i].greeted ? member_bit(i) : 0;
	return seen;
}

bool reign_majority_there(const struct replica *replica)
{
	return core_majority(replica, reign_seen(replica));
}

void reign_waits(struct replica *replica, enum replica_wait what, member_set members, unsigned int needed,
		 const char *text)
{
	replica->reign.waits = (struct replica_waits){ .what = what, .members = members, .needed = needed };
	replica->reign.blocked = text;
}

void reign_waits_for_majority(struct replica *replica, enum replica_wait what, const char *text)
{
	member_set voters = core_voters(replica, core_configuration(replica)->dead);

	reign_waits(replica, what, voters, (unsigned int)member_count(voters) / 2 + 1, text);
}

bool reign_is_last(const struct replica *replica)
{
	const struct replica_configuration *configuration = core_configuration(replica);

	if (!reign_majority_there(replica))
		return true;
	return configuration->in_sync == member_bit(replica->settings.self) && replica->decision.decided &&
	       (replica->reign.role == ROLE_SERVING || replica->reign.role == ROLE_STEPPING_DOWN);
}

/* Answers nothing any more, so that another can be primary at once. */
void reign_step_down(struct replica *replica)
{
	if (replica->reign.role == ROLE_STEPPING_DOWN)
		return;
	lease_give_up(replica);
	replica->reign.role = ROLE_STEPPING_DOWN;
	core_tell(replica, REPLICA_EVENT_PAUSED, replica->settings.self, "it hands over");
}

void reign_answers_nothing(struct replica *replica)
{
	if (reign_is_primary(replica))
		reign_step_down(replica);
}
