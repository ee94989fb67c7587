/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The birth of a set: all members are seen, none has a configuration, and the one whose image the set begins with
 * proposes the first. See "A set begins" in docs/replication.md.
 */
#include "core.h"

/* Whose image the set begins with; NO_MEMBER: not to be told, reign.blocked says why. */
static int choose_source(struct replica *replica)
{
	int source = NO_MEMBER, with_data = 0;
	member_set with = 0;

	for (int i = replica->settings.members - 1; i >= 0; i--) {
		if (core_diskless(replica, i) || (propose_flags_of(replica, i) & MESSAGE_EMPTY))
			continue;
		if (propose_flags_of(replica, i) & MESSAGE_HAS_DATA) {
			with |= member_bit(i);
			with_data++;
		}
		if (with_data == 0 || (propose_flags_of(replica, i) & MESSAGE_HAS_DATA))
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
		reign_waits(replica, REPLICA_WAITS_IMAGE, reign_image_members(replica), 1, "no member has an image");
	else if (source != replica->settings.self)
		reign_waits(
			replica, REPLICA_WAITS_SOURCE, member_bit(source), 1,
			"the set begins with the image of another member; if there are several with data, that member "
			"itself has to be given the order (rdiskctl init --from NODE)");
	return source;
}

void birth_consider(struct replica *replica)
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
	if (choose_source(replica) != self || !propose_waited(replica, PURPOSE_BIRTH, delay))
		return;
	for (unsigned int i = 0; i < sizeof(value.set.bytes); i++)
		value.set.bytes[i] = (unsigned char)replica->world->random(replica);
	value.generation = (struct generation){ .number = 1, .id = replica->world->random(replica) | 1 };
	value.primary = (uint32_t)self;
	for (int i = 0; i < replica->settings.nr_devices; i++)
		value.sizes[i] = replica->settings.devices[i].size;
	propose_with(replica, &value, self);
	for (int i = 0; i < replica->settings.members; i++) {
		if (i != self && !core_diskless(replica, i) &&
		    !((propose_flags_of(replica, self) | propose_flags_of(replica, i)) &
		      (MESSAGE_HAS_DATA | MESSAGE_EMPTY)) &&
		    propose_sizes_are(replica, i, value.sizes))
			propose_with(replica, &value, i);
	}
	decision_propose(replica, &value);
}
