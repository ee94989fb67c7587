/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What this member is, by the newest configuration, and what it proposes: the birth of a set, itself as primary when
 * the primary is gone, members to be removed and admitted, a successor. Whether that is decided is decision.c's
 * business, and a majority's.
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

static bool names_self(const struct replica *replica, const struct replica_configuration *configuration)
{
	return configuration->epoch && peer_is_named(replica, replica->settings.self, configuration);
}

static member_set image_members(const struct replica *replica)
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

static int choose_successor(const struct replica *replica)
{
	const struct replica_configuration *configuration = core_configuration(replica);

	for (int i = 0; i < replica->settings.members; i++) {
		if (i != replica->settings.self && peer_is_named(replica, i, configuration) &&
		    !replica->peers[i].failed && !(replica->peers[i].flags & MESSAGE_STOPPING))
			return i;
	}
	return NO_MEMBER;
}

bool reign_own_disk_failed(struct replica *replica)
{
	if (choose_successor(replica) == NO_MEMBER)
		return false;
	if (!replica->reign.disk_failed)
		core_tell(replica, REPLICA_EVENT_DISK, replica->settings.self, "its image fails or does not answer");
	replica->reign.disk_failed = true;
	replica->consider = true;
	return true;
}

/* Nobody else has what a flush lost: what was answered before may be gone, and every client is to be told. */
static void lose_unflushed(struct replica *replica)
{
	replica->reign.flush_lost = true;
	/* The system takes what it could not write for written: it is to be written again. */
	replica->reign.rewrite = true;
	maps_owe_own_unflushed(replica);
}

/* What the own image was written since its last good flush is not to be trusted, also by the next process. */
void reign_flush_failed(struct replica *replica)
{
	replica->consider = true;
	if (!replica->durable.now.flush_failed) {
		replica->durable.now.flush_failed = 1;
		durable_changed(replica);
	}
	if (!reign_is_primary(replica)) {
		replica->reign.disk_failed = true;
		joining_disk_failed(replica);
		peer_tell_all(replica);
		return;
	}
	if (!reign_own_disk_failed(replica))
		lose_unflushed(replica);
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
	member_set others = image_members(replica) & (member_set)~configuration->in_sync;
	member_set left = others & (member_set)~reign->absent;

	reign->absent = others;
	for (int i = 0; i < replica->settings.members; i++) {
		if (member_in(configuration->in_sync, i))
			maps_forget_missing(replica, i);
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

static void decided(struct replica *replica)
{
	const struct replica_configuration *configuration = core_configuration(replica);
	struct reign *reign = &replica->reign;
	/* One that has lost its log is in sync by nobody's word: it does not answer, and is removed. */
	bool named = names_self(replica, configuration) &&
		     (!replica->durable.now.wants_all || joining_is_target(replica, (int)configuration->primary));
	bool primary = named && configuration->primary == (uint32_t)replica->settings.self;

	if (reign->epoch == configuration->epoch)
		return;
	reign->epoch = configuration->epoch;
	reign->in_sync = configuration->in_sync;
	core_tell(replica, REPLICA_EVENT_EPOCH, NO_MEMBER, NULL);
	/* Whoever left because its disk failed may come back: what it cannot trust, the others know. */
	if (!member_in(configuration->in_sync, replica->settings.self))
		reign->disk_failed = false;
	if (!named)
		reign->absent = 0;
	/* All that it might have had alone was given to it, or made good. */
	if (named && joining_is_target(replica, (int)configuration->primary)) {
		maps_forget_owed(replica);
		reign_flush_made_good(replica);
		reign->knows = true;
		reign->generation = configuration->generation.id;
	}
	if (named) {
		apply_in_sync(replica);
		if (replica->durable.now.wants_all) {
			replica->durable.now.wants_all = 0;
			durable_changed(replica);
		}
		replica->joining.joined = false;
		replica->joining.told = 0;
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
	if (replica->decision.decided)
		decided(replica);
	replica->consider = true;
}

/* ---- what it proposes ---- */

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

static void waits_for_majority(struct replica *replica, enum replica_wait what, const char *text)
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

static uint64_t random_delay(struct replica *replica, uint64_t least)
{
	return least + replica->world->random(replica) % (least + 1);
}

/* Waits for a random time before a proposal, so that not all make theirs at once. true: it is over. */
static bool waited(struct replica *replica, enum purpose purpose, uint64_t least)
{
	struct reign *reign = &replica->reign;
	uint64_t *until = &reign->waits_until[purpose];

	reign->called_for |= 1u << purpose;
	if (!*until)
		*until = replica->now + random_delay(replica, least);
	if (replica->now < reign->not_before)
		core_wake_at(replica, reign->not_before);
	if (replica->now < *until)
		core_wake_at(replica, *until);
	if (replica->now < *until || replica->now < reign->not_before)
		return false;
	*until = 0;
	return true;
}

static void fill_process(struct replica *replica, struct replica_configuration *value, int member)
{
	value->in_sync |= member_bit(member);
	value->processes[member] =
		member == replica->settings.self ? replica->settings.process : replica->peers[member].process;
}

static void drop_process(struct replica_configuration *value, int member)
{
	value->in_sync &= (member_set)~member_bit(member);
	value->processes[member] = (struct process_id){ 0 };
}

static uint32_t flags_of(const struct replica *replica, int member)
{
	return member == replica->settings.self ? peer_own_flags(replica) : replica->peers[member].flags;
}

static bool sizes_are(const struct replica *replica, int member, const uint64_t *sizes)
{
	for (int i = 0; i < replica->settings.nr_devices; i++) {
		uint64_t size = member == replica->settings.self ? replica->settings.devices[i].size
								 : replica->peers[member].sizes[i];

		if (size < sizes[i])
			return false;
	}
	return true;
}

/* Whose image the set begins with; NO_MEMBER: not to be told, reign.blocked says why. */
static int choose_source(struct replica *replica)
{
	int source = NO_MEMBER, with_data = 0;
	member_set with = 0;

	for (int i = replica->settings.members - 1; i >= 0; i--) {
		if (core_diskless(replica, i) || (flags_of(replica, i) & MESSAGE_EMPTY))
			continue;
		if (flags_of(replica, i) & MESSAGE_HAS_DATA) {
			with |= member_bit(i);
			with_data++;
		}
		if (with_data == 0 || (flags_of(replica, i) & MESSAGE_HAS_DATA))
			source = i;
	}
	if (replica->init_from != NO_MEMBER)
		source = replica->init_from;
	else if (with_data > 1)
		source = NO_MEMBER;
	if (source == NO_MEMBER && with_data > 1)
		reign_waits(replica, REPLICA_WAITS_CHOICE, with, 1,
			    "several members have images with data: choose one, and give the order to that member "
			    "(rdiskctl init --from NODE)");
	else if (source == NO_MEMBER)
		reign_waits(replica, REPLICA_WAITS_IMAGE, image_members(replica), 1, "no member has an image");
	else if (source != replica->settings.self)
		reign_waits(
			replica, REPLICA_WAITS_SOURCE, member_bit(source), 1,
			"the set begins with the image of another member; if there are several with data, that member "
			"itself has to be given the order (rdiskctl init --from NODE)");
	return source;
}

static void consider_birth(struct replica *replica)
{
	struct replica_configuration value = { 0 };
	uint64_t delay = replica->settings.election_delay / 8;
	member_set voters = 0, all = core_voters(replica, 0);
	int self = replica->settings.self;

	if (!replica->decision.learning && replica->durable.now.votes_from == VOTES_UNKNOWN) {
		reign_waits(replica, REPLICA_WAITS_BIRTH, all, (unsigned int)member_count(all),
			    "no configuration yet: a set begins when all of its members are seen");
		return;
	}
	if (replica->decision.learning || replica->durable.now.votes_from) {
		reign_waits(replica, REPLICA_WAITS_LEARNING, all & (member_set)~member_bit(self),
			    (unsigned int)(member_count(all) - 1) / 2 + 1,
			    "it has no configuration, and must learn it from a majority of the others");
		return;
	}
	for (int i = 0; i < replica->settings.members; i++) {
		/* Those that do not know yet that they are at a birth are given time to hear of all others. */
		if (i != self && (replica->peers[i].flags & MESSAGE_NO_VOTE))
			delay = replica->settings.election_delay * 2;
		else
			voters |= member_bit(i);
		if (i != self && (!replica->peers[i].greeted || !(replica->peers[i].flags & MESSAGE_BLANK))) {
			reign_waits(replica, REPLICA_WAITS_BIRTH, all, (unsigned int)member_count(all),
				    "no configuration yet: a set begins when all of its members are seen");
			return;
		}
	}
	if (!core_majority(replica, voters)) {
		reign_waits(replica, REPLICA_WAITS_VOTES, all, (unsigned int)member_count(all),
			    "no configuration yet: the members have to hear of each other");
		return;
	}
	if (choose_source(replica) != self || !waited(replica, PURPOSE_BIRTH, delay))
		return;
	for (unsigned int i = 0; i < sizeof(value.set.bytes); i++)
		value.set.bytes[i] = (unsigned char)replica->world->random(replica);
	value.generation = (struct generation){ .number = 1, .id = replica->world->random(replica) | 1 };
	value.primary = (uint32_t)self;
	for (int i = 0; i < replica->settings.nr_devices; i++)
		value.sizes[i] = replica->settings.devices[i].size;
	fill_process(replica, &value, self);
	for (int i = 0; i < replica->settings.members; i++) {
		if (i != self && !core_diskless(replica, i) &&
		    !((flags_of(replica, self) | flags_of(replica, i)) & (MESSAGE_HAS_DATA | MESSAGE_EMPTY)) &&
		    sizes_are(replica, i, value.sizes))
			fill_process(replica, &value, i);
	}
	decision_propose(replica, &value);
}

/* Something was accepted, and it is not known whether a majority has. */
static void consider_settling(struct replica *replica)
{
	uint64_t delay = replica->settings.election_delay;

	waits_for_majority(replica, reign_majority_there(replica) ? REPLICA_WAITS_SETTLING : REPLICA_WAITS_MAJORITY,
			   "whether the newest configuration was decided is not known before a majority is seen");
	if (names_self(replica, core_configuration(replica)) &&
	    core_configuration(replica)->primary == (uint32_t)replica->settings.self)
		delay /= 4;
	if (reign_majority_there(replica) && waited(replica, PURPOSE_SETTLING, delay))
		decision_settle(replica);
}

/* Answers nothing any more, so that another can be primary at once. */
static void step_down(struct replica *replica)
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
		step_down(replica);
}

static void hand_over(struct replica *replica, int successor)
{
	struct replica_configuration value = *core_configuration(replica);

	step_down(replica);
	if (!waited(replica, PURPOSE_HAND_OVER, 0))
		return;
	value.primary = (uint32_t)successor;
	value.reign = 0;
	if (replica->reign.disk_failed)
		drop_process(&value, replica->settings.self);
	for (int i = 0; i < replica->settings.members; i++) {
		if (replica->peers[i].failed)
			drop_process(&value, i);
	}
	decision_propose(replica, &value);
}

/*
 * A member that has no vote any more waits for an epoch that it cannot have voted in: one, after it has learnt; while
 * it learns none is decided for it, or there would be no end of them. One that was taken for dead, and has given up
 * what it had or was made empty since, is asked for its vote again.
 */
static bool voter_waits(const struct replica *replica, struct replica_configuration *value)
{
	bool waits = false;

	for (int i = 0; i < replica->settings.members; i++) {
		const struct peer *peer = &replica->peers[i];

		if (!peer->greeted || (peer->flags & MESSAGE_LEARNING) || !peer->decided || peer->epoch != value->epoch)
			continue;
		waits |= (peer->flags & MESSAGE_NO_VOTE) != 0;
		/* One at a time, so that any two majorities have a member in common. */
		if (member_in(value->dead, i)) {
			value->dead &= (member_set)~member_bit(i);
			return true;
		}
	}
	return waits;
}

/* Two lines may part here. */
static void new_fork(const struct replica *replica, struct replica_configuration *value)
{
	for (int i = FORKS_KEPT - 1; i > 0; i--)
		value->forks[i] = value->forks[i - 1];
	value->forks[0] =
		(struct fork){ value->generation.number, value->generation.id, core_configuration(replica)->epoch + 1 };
}

static void new_generation(struct replica *replica, struct replica_configuration *value)
{
	value->generation = (struct generation){
		.number = value->generation.number + 1,
		.id = replica->world->random(replica) | 1,
		.parent = value->generation.id,
	};
}

/*
 * One that is to end leaves when a flush of the set is complete that began after it said so: then hardly anything is
 * owed to it, and nothing that it has is lost with it.
 */
static bool leaves(struct replica *replica, int member)
{
	struct peer *peer = &replica->peers[member];

	if (replica->reign.role != ROLE_SERVING || !peer->greeted || !(peer->flags & MESSAGE_STOPPING))
		return false;
	if (!peer->leaves_after) {
		peer->leaves_after = replica->flush.number + 1;
		replica->flush.wanted = true;
		primary_start_flush(replica);
	}
	return replica->reign.flushed >= peer->leaves_after;
}

static void consider_as_primary(struct replica *replica)
{
	struct replica_configuration value = *core_configuration(replica);
	struct reign *reign = &replica->reign;
	int successor = reign->successor;
	bool change = false, leave = false;

	/* Who was to take over after a flush that failed is gone, too. */
	if (replica->durable.now.flush_failed && !reign->rewrite && choose_successor(replica) == NO_MEMBER)
		lose_unflushed(replica);
	if (!reign_majority_there(replica)) {
		waits_for_majority(replica, REPLICA_WAITS_MAJORITY, "no majority of the members is seen");
		return;
	}
	if (successor != NO_MEMBER && (!peer_is_named(replica, successor, &value) || replica->peers[successor].failed))
		successor = reign->successor = NO_MEMBER;
	if (replica->stopping || reign->disk_failed || reign->role == ROLE_STEPPING_DOWN)
		successor = successor == NO_MEMBER ? choose_successor(replica) : successor;
	if (successor != NO_MEMBER) {
		hand_over(replica, successor);
		return;
	}
	/* The last one ends: nobody is to begin another reign. */
	if (replica->stopping && reign->role == ROLE_STEPPING_DOWN)
		return;
	if (reign->role == ROLE_NONE || reign->role == ROLE_BACKUP || reign->role == ROLE_STEPPING_DOWN) {
		/* Its reign has ended, and it is the primary all the same: another one begins. */
		value.reign = 0;
		change = true;
	}
	if (reign->flush_lost) {
		new_generation(replica, &value);
		value.reign = 0;
		change = true;
	}
	for (int i = 0; i < replica->settings.members; i++) {
		if (!member_in(value.in_sync, i) || i == replica->settings.self)
			continue;
		if (!replica->peers[i].failed) {
			if (!leaves(replica, i))
				continue;
			leave = true;
		}
		drop_process(&value, i);
		change = true;
	}
	for (int i = 0; i < replica->settings.members && reign->role == ROLE_SERVING && !change; i++) {
		/* One at a time; one that was proposed is proposed again until something is decided. */
		if (replica->bringup[i].phase != BRINGUP_READY ||
		    (reign->candidate != NO_MEMBER && reign->candidate != i))
			continue;
		reign->candidate = i;
		fill_process(replica, &value, i);
		change = true;
	}
	if (reign->candidate != NO_MEMBER)
		change = true;
	change |= voter_waits(replica, &value);
	if (!change && reign->role == ROLE_SERVING && member_count(value.in_sync) < (int)replica->settings.min_in_sync)
		reign_waits(replica, REPLICA_WAITS_COPIES, image_members(replica) & (member_set)~value.in_sync,
			    replica->settings.min_in_sync - (unsigned int)member_count(value.in_sync),
			    "fewer members are in sync than min_in_sync");
	if (!change || !waited(replica, PURPOSE_CHANGE, 0))
		return;
	/* Who hears that somebody has left has heard before that all of that is flushed. */
	if (leave)
		lease_tell(replica);
	if (reign->flush_lost)
		core_tell(replica, REPLICA_EVENT_LOSS, replica->settings.self,
			  "the last image in sync failed to flush");
	decision_propose(replica, &value);
}

/* Whether a member of the in-sync set has kept its memory, as far as can be told; and is there. */
static bool memory_kept(const struct replica *replica, int member)
{
	const struct replica_configuration *configuration = core_configuration(replica);
	uint64_t boot =
		member == replica->settings.self ? replica->settings.process.boot : replica->peers[member].process.boot;

	if (member != replica->settings.self && !replica->peers[member].greeted)
		return false;
	if (deliberate_bug(BUG_OWN_BOOT_ID))
		boot = configuration->processes[member].boot;
	return member_in(configuration->in_sync, member) &&
	       (configuration->processes[member].boot == boot || (flags_of(replica, member) & MESSAGE_CLEAN)) &&
	       !(flags_of(replica, member) & (MESSAGE_EMPTY | MESSAGE_FAILED | MESSAGE_FLUSH_FAILED)) &&
	       sizes_are(replica, member, configuration->sizes);
}

/* All of the in-sync set are there, and none of them has kept its memory. */
static bool all_memory_lost(const struct replica *replica)
{
	const struct replica_configuration *configuration = core_configuration(replica);

	for (int i = 0; i < replica->settings.members; i++) {
		if (!member_in(configuration->in_sync, i))
			continue;
		if (i != replica->settings.self && !replica->peers[i].greeted)
			return false;
		if (memory_kept(replica, i))
			return false;
	}
	return true;
}

/*
 * Whoever may have kept what this host forgot was waited for long enough, as an operator has said. NULL: not yet, or
 * one of them is seen, and is to be primary; else what is told.
 */
static const char *memory_given_up(struct replica *replica)
{
	const struct replica_configuration *configuration = core_configuration(replica);
	struct reign *reign = &replica->reign;
	uint64_t end = 0;
	member_set kept = 0;

	for (int i = 0; i < replica->settings.members; i++) {
		if (memory_kept(replica, i))
			kept |= member_bit(i);
	}
	if (!reign->memory_since)
		reign->memory_since = replica->now;
	if (replica->settings.memory_wait && !kept)
		end = reign->memory_since + replica->settings.memory_wait;
	reign_waits(replica, REPLICA_WAITS_MEMORY,
		    kept ? kept : configuration->in_sync & (member_set)~reign_seen(replica), 1,
		    "this host was restarted, and another may know of newer writes");
	reign->waits.until = end;
	if (!end)
		return NULL;
	if (replica->now < end) {
		core_wake_at(replica, end);
		return NULL;
	}
	return "members that may have kept what was not flushed were waited for in vain";
}

static void consider_promotion(struct replica *replica)
{
	const struct replica_configuration *configuration = core_configuration(replica);
	struct replica_configuration value = *configuration;
	struct reign *reign = &replica->reign;
	int self = replica->settings.self;
	uint64_t delay = peer_hint(replica, (int)configuration->primary, replica->settings.election_delay);
	const char *lost = NULL;

	if (peer_is_named(replica, (int)configuration->primary, configuration) &&
	    configuration->primary != (uint32_t)self)
		return;
	if (!member_in(configuration->in_sync, self) || reign->disk_failed || replica->stopping ||
	    (flags_of(replica, self) & MESSAGE_EMPTY)) {
		reign_waits(replica, REPLICA_WAITS_IN_SYNC, configuration->in_sync, 1,
			    "the primary is not seen, and this member is not in sync, or not to be one");
		return;
	}
	if (!reign_majority_there(replica)) {
		waits_for_majority(replica, REPLICA_WAITS_MAJORITY, "no majority of the members is seen");
		return;
	}
	if (!memory_kept(replica, self)) {
		lost = all_memory_lost(replica) ? "no member that was in sync has kept what was not flushed"
						: memory_given_up(replica);
		if (!lost)
			return;
	}
	/* One whose process lives has tables that a restarted one lost. */
	if (!names_self(replica, configuration))
		delay *= 3;
	if (!waited(replica, PURPOSE_PROMOTION, delay))
		return;
	for (int i = 0; i < replica->settings.members; i++)
		drop_process(&value, i);
	fill_process(replica, &value, self);
	for (int i = 0; i < replica->settings.members && !lost; i++) {
		if (i != self && memory_kept(replica, i))
			fill_process(replica, &value, i);
	}
	value.primary = (uint32_t)self;
	value.reign = 0;
	if (lost) {
		core_tell(replica, REPLICA_EVENT_LOSS, self, lost);
		new_generation(replica, &value);
	}
	decision_propose(replica, &value);
}

/* An operator's order: this member, whatever it may lack, without the votes of some. */
static void consider_force(struct replica *replica)
{
	struct replica_configuration value = *core_configuration(replica);
	member_set dead = replica->reign.force_without;

	if (replica->decision.decided && reign_is_primary(replica) && (value.dead & dead) == dead) {
		replica->reign.force_without = 0;
		return;
	}
	waits_for_majority(replica, REPLICA_WAITS_FORCE, "an operator's order to be primary is not decided yet");
	replica->reign.waits.members &= (member_set)~dead;
	replica->reign.waits.needed = (unsigned int)member_count(replica->reign.waits.members) / 2 + 1;
	if (!waited(replica, PURPOSE_FORCE, replica->settings.election_delay / 4))
		return;
	for (int i = 0; i < replica->settings.members; i++)
		drop_process(&value, i);
	fill_process(replica, &value, replica->settings.self);
	value.dead |= dead;
	value.primary = (uint32_t)replica->settings.self;
	value.reign = 0;
	new_generation(replica, &value);
	new_fork(replica, &value);
	decision_force(replica, &value);
}

void reign_consider(struct replica *replica)
{
	const struct replica_configuration *configuration = core_configuration(replica);
	struct reign *reign = &replica->reign;

	if (replica->failed || replica->decision.phase != PROPOSAL_NONE)
		return;
	reign_waits(replica, REPLICA_WAITS_NOT, 0, 0, NULL);
	reign->called_for = 0;
	if (reign->force_without)
		consider_force(replica);
	else if (!configuration->epoch)
		consider_birth(replica);
	else if (!replica->decision.decided)
		consider_settling(replica);
	else if (configuration->primary == (uint32_t)replica->settings.self && names_self(replica, configuration))
		consider_as_primary(replica);
	else
		consider_promotion(replica);
	if (reign->called_for && decision_used_up(replica))
		reign_waits(replica, REPLICA_WAITS_FOR_EVER, 0, 0,
			    "all ballots are used up: the set has to be made anew");
	/* Whatever it waited to propose is not called for any more. */
	if (reign->waits.what != REPLICA_WAITS_MEMORY)
		reign->memory_since = 0;
	for (int i = 0; i < PURPOSES; i++) {
		if (!(reign->called_for >> i & 1))
			reign->waits_until[i] = 0;
	}
}
