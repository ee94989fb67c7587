/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Leases. The primary answers only while a majority of the members have granted it one, itself included. It counts from
 * when it sent the request that the grant names, the grantor from when it grants, each with the bound on how wrong its
 * clock runs on its own side, so that the grantor's time is over last. A grantor neither promises to nor accepts for
 * another before that; and after its start it cannot know what it granted, so it waits for one whole lease.
 */
#include "core.h"

/* How wrong a clock that is within the bound may be by the end of a lease, in ns: not less. */
static uint64_t lease_margin(const struct replica *replica)
{
	uint64_t lease = replica->settings.lease, drift = replica->settings.drift;

	return lease / 1000000 * drift + (lease % 1000000 * drift + 999999) / 1000000;
}

/* The shortest and the longest that a lease takes by a clock that is within the bound. */
static uint64_t lease_shortest(const struct replica *replica)
{
	return replica->settings.lease - lease_margin(replica) - 1;
}

uint64_t lease_longest(const struct replica *replica)
{
	return replica->settings.lease + lease_margin(replica) + 1;
}

void lease_reset(struct replica *replica)
{
	struct lease *lease = &replica->lease;

	for (int i = 0; i < MEMBERS_MAX; i++)
		lease->until[i] = 0;
	/* Grants that name a round of before are of another reign. */
	lease->round += PAST_ROUNDS;
	for (int i = 0; i < PAST_ROUNDS; i++)
		lease->sent[i] = 0;
	lease->released = false;
	lease->next_round = replica->now;
	core_wake_at(replica, lease->next_round);
}

static void send_round(struct replica *replica)
{
	struct lease *lease = &replica->lease;
	struct message renew = { .type = MESSAGE_RENEW, .epoch = core_configuration(replica)->epoch };

	renew.number = ++lease->round;
	renew.reign = replica->reign.reign;
	renew.complete = replica->reign.complete;
	renew.flushed = replica->reign.flushed;
	lease->sent[lease->round % PAST_ROUNDS] = replica->now;
	for (int i = 0; i < replica->settings.members; i++) {
		if (i != replica->settings.self && replica->peers[i].greeted)
			core_send(replica, i, REPLICA_CLASS_CONTROL, &renew, NULL);
	}
}

void lease_tick(struct replica *replica)
{
	struct lease *lease = &replica->lease;

	if (!reign_is_primary(replica) || lease->released)
		return;
	/* Others may have a primary that can keep what it decides. If there are none, it is primary still. */
	if (replica->durable.hangs && reign_choose_successor(replica) != NO_MEMBER)
		return;
	if (lease->next_round <= replica->now) {
		send_round(replica);
		lease->next_round = replica->now + replica->settings.lease / 4;
	}
	core_wake_at(replica, lease->next_round);
}

void lease_tell(struct replica *replica)
{
	replica->lease.next_round = replica->now;
	lease_tick(replica);
}

/* Who is named primary by what was accepted, and is this process of it there. */
void lease_renew(struct replica *replica, int member, const struct message *message)
{
	const struct replica_configuration *configuration = core_configuration(replica);
	const struct replica_configuration *stable = &replica->durable.stable.configuration;
	struct lease *lease = &replica->lease;
	struct message grant = { .type = MESSAGE_GRANT, .epoch = message->epoch, .number = message->number };

	/* Of an older epoch: only if the same process is still primary. Of a newer one: it has to be known first. */
	if (message->epoch > configuration->epoch || configuration->primary != (uint32_t)member ||
	    message->epoch < configuration->reign || !peer_is_named(replica, member, configuration))
		return;
	backup_settled(replica, message);
	/*
	 * Durably: after a restart this member must not take another for the one that it may have granted to. And one
	 * that has no vote may have accepted more than it remembers.
	 */
	if (stable->reign != configuration->reign || !decision_votes(replica, configuration->epoch))
		return;
	if (lease->holder != NO_MEMBER && lease->holder != member && replica->now < lease->granted_until)
		return;
	lease->holder = member;
	lease->granted_until = replica->now + lease_longest(replica);
	core_send(replica, member, REPLICA_CLASS_CONTROL, &grant, NULL);
}

void lease_grant(struct replica *replica, int member, const struct message *message)
{
	struct lease *lease = &replica->lease;
	uint64_t until;

	if (!reign_is_primary(replica) || message->number > lease->round ||
	    lease->round - message->number >= PAST_ROUNDS || message->epoch < core_configuration(replica)->reign)
		return;
	if (!lease->sent[message->number % PAST_ROUNDS])
		return;
	until = lease->sent[message->number % PAST_ROUNDS] + lease_shortest(replica);
	if (deliberate_bug(BUG_LEASE_FROM_ARRIVAL))
		until = replica->now + lease_shortest(replica);
	if (until > lease->until[member])
		lease->until[member] = until;
	answering_go_on(replica);
}

void lease_give_up(struct replica *replica)
{
	struct message release = { .type = MESSAGE_RELEASE, .epoch = core_configuration(replica)->epoch };

	if (replica->lease.released)
		return;
	replica->lease.released = true;
	for (int i = 0; i < replica->settings.members; i++) {
		if (i != replica->settings.self && replica->peers[i].greeted)
			core_send(replica, i, REPLICA_CLASS_CONTROL, &release, NULL);
	}
}

/*
 * The holder's word that it answers nothing any more. No older RENEW of it comes after this, and this comes after none
 * of a later reign: they are of one class, and so in order.
 */
void lease_release(struct replica *replica, int member, const struct message *message)
{
	struct lease *lease = &replica->lease;

	(void)message;
	if (lease->holder != member)
		return;
	lease->holder = NO_MEMBER;
	lease->granted_until = 0;
}

uint64_t lease_end(const struct replica *replica)
{
	const struct lease *lease = &replica->lease;
	uint64_t ends[MEMBERS_MAX];
	member_set voters = core_voters(replica, core_configuration(replica)->dead);
	int nr = 0, missing = member_count(voters) / 2;

	if (!reign_is_primary(replica) || lease->released)
		return 0;
	if (missing == 0)
		return REPLICA_NEVER;
	for (int i = 0; i < replica->settings.members; i++) {
		int at;

		if (i == replica->settings.self || !member_in(voters, i))
			continue;
		for (at = nr++; at > 0 && ends[at - 1] < lease->until[i]; at--)
			ends[at] = ends[at - 1];
		ends[at] = lease->until[i];
	}
	return ends[missing - 1];
}

bool lease_holds(const struct replica *replica)
{
	return !replica->failed && replica->now < lease_end(replica);
}

uint64_t lease_forbids(const struct replica *replica, int member)
{
	const struct lease *lease = &replica->lease;
	uint64_t until = 0;

	if (lease->holder != NO_MEMBER && lease->holder != member)
		until = lease->granted_until;
	/* It may have granted to any before its start, but hardly to another than who it knows as primary. */
	if (replica->now < lease->held_off_until && lease->held_off_until > until &&
	    !(core_configuration(replica)->epoch && core_configuration(replica)->primary == (uint32_t)member &&
	      peer_is_named(replica, member, core_configuration(replica))))
		until = lease->held_off_until;
	return until > replica->now ? until - replica->now : 0;
}
