/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * When the primary is gone: whether this member proposes itself, with whom, and what it may not know of; and an
 * operator's order to be primary without the votes of some.
 */
#include "core.h"

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
	       (configuration->processes[member].boot == boot || (propose_flags_of(replica, member) & MESSAGE_CLEAN)) &&
	       !(propose_flags_of(replica, member) & (MESSAGE_EMPTY | MESSAGE_FAILED | MESSAGE_FLUSH_FAILED)) &&
	       propose_sizes_are(replica, member, configuration->sizes);
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
 * Whoever may have kept what this host forgot was waited for long enough, as an operator has said. NULL: not
 * yet, or one of them is seen, and is to be primary; else what is told.
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

void promotion_consider(struct replica *replica)
{
	const struct replica_configuration *configuration = core_configuration(replica);
	struct replica_configuration value = *configuration;
	struct reign *reign = &replica->reign;
	int self = replica->settings.self;
	uint64_t delay = peer_hint(replica, (int)configuration->primary, replica->settings.election_delay);
	const char *lost = NULL;

	if (peer_is_named(replica, (int)configuration->primary, configuration) &&
	    configuration->primary != (uint32_t)self &&
	    !(replica->peers[configuration->primary].flags & MESSAGE_NOT_SAVED))
		return;
	if (!member_in(configuration->in_sync, self) || reign->disk_failed || replica->stopping ||
	    (propose_flags_of(replica, self) & MESSAGE_EMPTY) ||
	    !propose_sizes_are(replica, self, configuration->sizes)) {
		reign_waits(replica, REPLICA_WAITS_IN_SYNC, configuration->in_sync, 1,
			    "the primary is not seen, and this member is not in sync, or not to be one");
		return;
	}
	if (!reign_majority_there(replica)) {
		reign_waits_for_majority(replica, REPLICA_WAITS_MAJORITY, "no majority of the members is seen");
		return;
	}
	if (!memory_kept(replica, self)) {
		lost = all_memory_lost(replica) ? "no member that was in sync has kept what was not flushed"
						: memory_given_up(replica);
		if (!lost)
			return;
	}
	/* One whose process lives has tables that a restarted one lost. */
	if (!reign_names_self(replica, configuration))
		delay *= 3;
	if (!propose_waited(replica, PURPOSE_PROMOTION, delay))
		return;
	for (int i = 0; i < replica->settings.members; i++)
		propose_without(&value, i);
	propose_with(replica, &value, self);
	for (int i = 0; i < replica->settings.members && !lost; i++) {
		if (i != self && memory_kept(replica, i) && !(replica->peers[i].flags & MESSAGE_NOT_SAVED))
			propose_with(replica, &value, i);
	}
	value.primary = (uint32_t)self;
	value.reign = 0;
	if (lost) {
		core_tell(replica, REPLICA_EVENT_LOSS, self, lost);
		propose_new_generation(replica, &value);
	}
	decision_propose(replica, &value);
}

/* An operator's order: this member, whatever it may lack, without the votes of some. */
void promotion_force(struct replica *replica)
{
	struct replica_configuration value = *core_configuration(replica);
	member_set dead = replica->reign.force_without;

	if (replica->decision.decided && reign_is_primary(replica) && (value.dead & dead) == dead) {
		replica->reign.force_without = 0;
		return;
	}
	reign_waits_for_majority(replica, REPLICA_WAITS_FORCE, "an operator's order to be primary is not decided yet");
	replica->reign.waits.members &= (member_set)~dead;
	replica->reign.waits.needed = (unsigned int)member_count(replica->reign.waits.members) / 2 + 1;
	if (!propose_waited(replica, PURPOSE_FORCE, replica->settings.election_delay / 4))
		return;
	for (int i = 0; i < replica->settings.members; i++)
		propose_without(&value, i);
	propose_with(replica, &value, replica->settings.self);
	value.dead |= dead;
	value.primary = (uint32_t)replica->settings.self;
	value.reign = 0;
	propose_new_generation(replica, &value);
	propose_new_fork(replica, &value);
	decision_force(replica, &value);
}

bool promotion_forget_force(struct replica *replica)
{
	member_set without = replica->reign.force_without;
	/* Also where too few have answered in time: what was accepted is settled, whoever wanted it. */
	bool proposed =
		without && (replica->decision.phase == PROPOSAL_PROPOSING ||
			    (!replica->decision.decided && (core_configuration(replica)->dead & without) == without));

	if (replica->reign.force_without && replica->decision.phase == PROPOSAL_COLLECTING)
		decision_give_up(replica);
	replica->reign.force_without = 0;
	replica->consider = true;
	return !proposed;
}

void promotion_seen(struct replica *replica, int member)
{
	if (!member_in(replica->reign.force_without, member))
		return;
	/* Carried out later, when its session is lost again for a while, it would split the set. */
	(void)promotion_forget_force(replica);
	core_tell(replica, REPLICA_EVENT_MEMBER, member,
		  "it is there: the order to be primary without it is forgotten");
}
