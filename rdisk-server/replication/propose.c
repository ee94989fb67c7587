/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What this member proposes, and when: what was accepted and is not known to be decided, who leaves and who comes as
 * the primary sees it, a successor. The birth of a set is in birth.c, another primary in promotion.c. Whether it is
 * decided is decision.c's business, and a majority's.
 */
#include "core.h"

#define VOTE_WAIT 8 /* times election_delay */

static uint64_t random_delay(struct replica *replica, uint64_t least)
{
	return least + replica->world->random(replica) % (least + 1);
}

/*
 * A proposer needs its own promise. Without a vote for what comes next it only gets in the way of those who could bring
 * that about: its ballots would be higher than theirs, again and again.
 */
static bool has_vote(const struct replica *replica, enum purpose purpose)
{
	return decision_votes(replica, core_configuration(replica)->epoch + (purpose != PURPOSE_SETTLING));
}

/* Waits for a random time before a proposal, so that not all make theirs at once. true: it is over. */
bool propose_waited(struct replica *replica, enum purpose purpose, uint64_t least)
{
	struct reign *reign = &replica->reign;
	uint64_t *until = &reign->waits_until[purpose];

	if (!has_vote(replica, purpose))
		return false;
	reign->called_for |= 1u << purpose;
	if (!*until)
		*until = replica->now + random_delay(replica, decision_patience(replica, least));
	if (replica->now < reign->not_before)
		core_wake_at(replica, reign->not_before);
	if (replica->now < *until)
		core_wake_at(replica, *until);
	if (replica->now < *until || replica->now < reign->not_before)
		return false;
	*until = 0;
	return true;
}

void propose_with(struct replica *replica, struct replica_configuration *value, int member)
{
	value->in_sync |= member_bit(member);
	value->processes[member] =
		member == replica->settings.self ? replica->settings.process : replica->peers[member].process;
}

void propose_without(struct replica_configuration *value, int member)
{
	value->in_sync &= (member_set)~member_bit(member);
	value->processes[member] = (struct process_id){ 0 };
}

uint32_t propose_flags_of(const struct replica *replica, int member)
{
	return member == replica->settings.self ? peer_own_flags(replica) : replica->peers[member].flags;
}

bool propose_sizes_are(const struct replica *replica, int member, const uint64_t *sizes)
{
	for (int i = 0; i < replica->settings.nr_devices; i++) {
		uint64_t size = member == replica->settings.self ? replica->settings.devices[i].size
								 : replica->peers[member].sizes[i];

		if (size < sizes[i])
			return false;
	}
	return true;
}

/* Something was accepted, and it is not known whether a majority has. */
static void consider_settling(struct replica *replica)
{
	uint64_t delay = replica->settings.election_delay;

	reign_waits_for_majority(replica,
				 reign_majority_there(replica) ? REPLICA_WAITS_SETTLING : REPLICA_WAITS_MAJORITY,
				 "whether the newest configuration was decided is not known before a majority is seen");
	if (reign_names_self(replica, core_configuration(replica)) &&
	    core_configuration(replica)->primary == (uint32_t)replica->settings.self)
		delay /= 4;
	if (reign_majority_there(replica) && propose_waited(replica, PURPOSE_SETTLING, delay))
		decision_settle(replica);
}

static void hand_over(struct replica *replica, int successor)
{
	struct replica_configuration value = *core_configuration(replica);

	if (!has_vote(replica, PURPOSE_HAND_OVER))
		return;
	reign_step_down(replica);
	if (!propose_waited(replica, PURPOSE_HAND_OVER, 0))
		return;
	value.primary = (uint32_t)successor;
	value.reign = 0;
	if (replica->reign.disk_failed)
		propose_without(&value, replica->settings.self);
	for (int i = 0; i < replica->settings.members; i++) {
		if (replica->peers[i].failed)
			propose_without(&value, i);
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
		/*
		 * One at a time, so that any two majorities have a member in common. It is asked in the epoch in which
		 * it can say yes: those who have accepted that its vote counts may be no majority without it.
		 */
		if (member_in(value->dead, i) &&
		    (!(peer->flags & MESSAGE_NO_VOTE) || deliberate_bug(BUG_ASKED_TOO_EARLY))) {
			value->dead &= (member_set)~member_bit(i);
			return true;
		}
	}
	return waits;
}

/* Two lines may part here. */
void propose_new_fork(const struct replica *replica, struct replica_configuration *value)
{
	for (int i = FORKS_KEPT - 1; i > 0; i--)
		value->forks[i] = value->forks[i - 1];
	value->forks[0] =
		(struct fork){ value->generation.number, value->generation.id, core_configuration(replica)->epoch + 1 };
}

void propose_new_generation(struct replica *replica, struct replica_configuration *value)
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
	if (replica->durable.now.flush_failed && !reign->rewrite && reign_choose_successor(replica) == NO_MEMBER)
		reign_lose_unflushed(replica);
	if (!reign_majority_there(replica)) {
		reign_waits_for_majority(replica, REPLICA_WAITS_MAJORITY, "no majority of the members is seen");
		return;
	}
	if (successor != NO_MEMBER && (!peer_is_named(replica, successor, &value) || replica->peers[successor].failed))
		successor = reign->successor = NO_MEMBER;
	if (replica->stopping || reign->disk_failed || reign->role == ROLE_STEPPING_DOWN)
		successor = successor == NO_MEMBER ? reign_choose_successor(replica) : successor;
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
		propose_new_generation(replica, &value);
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
		propose_without(&value, i);
		change = true;
	}
	/* Who was to take over is gone: what waits for that is begun anew, in another reign. */
	if (reign->disk_failed && value.in_sync == member_bit(replica->settings.self)) {
		value.reign = 0;
		change = true;
	}
	for (int i = 0; i < replica->settings.members && reign->role == ROLE_SERVING && !change; i++) {
		/* One at a time; one that was proposed is proposed again until something is decided. */
		if (replica->bringup[i].phase != BRINGUP_READY ||
		    (reign->candidate != NO_MEMBER && reign->candidate != i))
			continue;
		reign->candidate = i;
		propose_with(replica, &value, i);
		change = true;
	}
	if (reign->candidate != NO_MEMBER)
		change = true;
	change |= voter_waits(replica, &value);
	if (!change && reign->role == ROLE_SERVING && member_count(value.in_sync) < (int)replica->settings.min_in_sync)
		reign_waits(replica, REPLICA_WAITS_COPIES, reign_image_members(replica) & (member_set)~value.in_sync,
			    replica->settings.min_in_sync - (unsigned int)member_count(value.in_sync),
			    "fewer members are in sync than min_in_sync");
	if (!change || !propose_waited(replica, PURPOSE_CHANGE, 0))
		return;
	/* Who hears that somebody has left has heard before that all of that is flushed. */
	if (leave)
		lease_tell(replica);
	if (reign->flush_lost)
		core_tell(replica, REPLICA_EVENT_LOSS, replica->settings.self,
			  "the last image in sync failed to flush");
	decision_propose(replica, &value);
}

/* What this member is named for as primary it does not have: its copy was lost, or given up. */
static void consider_untrusted(struct replica *replica)
{
	struct replica_configuration value = *core_configuration(replica);
	int successor = reign_choose_successor(replica);

	if (successor == NO_MEMBER || !reign_majority_there(replica)) {
		reign_waits(replica, REPLICA_WAITS_IN_SYNC,
			    value.in_sync & (member_set)~member_bit(replica->settings.self), 1,
			    "the copy of this member is not to be trusted, and no other in sync is seen");
		return;
	}
	if (!propose_waited(replica, PURPOSE_HAND_OVER, replica->settings.election_delay))
		return;
	propose_without(&value, replica->settings.self);
	value.primary = (uint32_t)successor;
	value.reign = 0;
	decision_propose(replica, &value);
}

/*
 * One in sync that has learnt, but has no vote in the next epoch, can propose nothing: if it is the primary, or the one
 * that is to be, nobody else would, and no epoch would come in which it has one. So any other brings the next epoch
 * about, with what is decided, when the primary has had time for that (voter_waits()).
 */
static bool brings_vote_back(struct replica *replica)
{
	const struct replica_configuration *configuration = core_configuration(replica);
	bool voteless = false;

	if (!configuration->epoch || !replica->decision.decided || deliberate_bug(BUG_VOTELESS_LEFT_ALONE) ||
	    !decision_votes(replica, configuration->epoch + 1) || !reign_majority_there(replica))
		return false;
	for (int i = 0; i < replica->settings.members; i++) {
		const struct peer *peer = &replica->peers[i];

		voteless |= i != replica->settings.self && peer->greeted && peer->decided &&
			    peer->epoch == configuration->epoch && member_in(configuration->in_sync, i) &&
			    (peer->flags & MESSAGE_NO_VOTE) && !(peer->flags & MESSAGE_LEARNING);
	}
	if (!voteless || !propose_waited(replica, PURPOSE_VOTE, VOTE_WAIT * replica->settings.election_delay))
		return false;
	decision_propose(replica, configuration);
	return true;
}

/* Who has no vote in the next epoch proposes nothing, whatever it would propose, and waits for the others. */
static void wait_for_vote(struct replica *replica)
{
	const struct replica_configuration *configuration = core_configuration(replica);
	int primary = (int)configuration->primary, self = replica->settings.self;
	member_set others = core_voters(replica, configuration->dead) & (member_set)~member_bit(self);

	if (!configuration->epoch || decision_votes(replica, configuration->epoch + 1) ||
	    replica->reign.role == ROLE_SERVING || (primary != self && peer_is_named(replica, primary, configuration)))
		return;
	reign_waits(replica, REPLICA_WAITS_VOTES, others, (unsigned int)member_count(others) / 2 + 1,
		    "it has lost its vote: so many of the others have to tell it what was decided, and to decide once "
		    "more");
}

void propose_consider(struct replica *replica)
{
	const struct replica_configuration *configuration = core_configuration(replica);
	struct reign *reign = &replica->reign;

	if (replica->failed || replica->decision.phase != PROPOSAL_NONE)
		return;
	reign_waits(replica, REPLICA_WAITS_NOT, 0, 0, NULL);
	reign->called_for = 0;
	if (!reign_majority_there(replica))
		replica->decision.late = 0;
	if (!replica->durable.hangs && brings_vote_back(replica))
		return;
	/* Its own vote, which is missing, comes with what it saves; and its ballots would be in the way of others'. */
	if (replica->durable.hangs)
		reign_waits(replica, REPLICA_WAITS_DISK, 0, 0,
			    "what this member decides is not saved: the disk of its state_dir does not answer");
	else if (reign->force_without)
		promotion_force(replica);
	else if (!configuration->epoch)
		birth_consider(replica);
	else if (!replica->decision.decided)
		consider_settling(replica);
	else if (configuration->primary == (uint32_t)replica->settings.self &&
		 reign_names_self(replica, configuration) &&
		 (replica->durable.now.wants_all || replica->durable.now.given_up.epoch))
		consider_untrusted(replica);
	else if (configuration->primary == (uint32_t)replica->settings.self && reign_names_self(replica, configuration))
		consider_as_primary(replica);
	else
		promotion_consider(replica);
	if (reign->waits.what == REPLICA_WAITS_NOT)
		wait_for_vote(replica);
	if (reign->rewrite_told && reign->role == ROLE_EQUALISING && reign->waits.what == REPLICA_WAITS_NOT)
		reign_waits(replica, REPLICA_WAITS_DISK, 0, 0,
			    "what a flush lost cannot be written again: mend the disk of the image, or free space on "
			    "it");
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
