/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Values of a replica set: compared, checked, digested.
 */
#include "replica_configuration.h"

#include <assert.h>
#include <string.h>

#include <xxhash.h>

#include "little_endian.h"

int ballot_compare(struct ballot a, struct ballot b)
{
	if (a.counter != b.counter)
		return a.counter < b.counter ? -1 : 1;
	if (a.member != b.member)
		return a.member < b.member ? -1 : 1;
	return 0;
}

bool process_same(struct process_id a, struct process_id b)
{
	return a.incarnation == b.incarnation && a.boot == b.boot;
}

bool replica_configuration_same(const struct replica_configuration *a, const struct replica_configuration *b)
{
	if (a->epoch != b->epoch)
		return false;
	if (a->epoch == 0)
		return true;
	if (memcmp(a->set.bytes, b->set.bytes, sizeof(a->set.bytes)) != 0 ||
	    a->generation.number != b->generation.number || a->generation.id != b->generation.id ||
	    a->generation.parent != b->generation.parent || a->dead != b->dead || a->reign != b->reign ||
	    a->primary != b->primary || a->in_sync != b->in_sync || a->digest != b->digest)
		return false;
	for (int i = 0; i < FORKS_KEPT; i++)
		if (a->forks[i].number != b->forks[i].number || a->forks[i].id != b->forks[i].id ||
		    a->forks[i].epoch != b->forks[i].epoch)
			return false;
	for (int member = 0; member < MEMBERS_MAX; member++)
		if (!process_same(a->processes[member], b->processes[member]))
			return false;
	return memcmp(a->sizes, b->sizes, sizeof(a->sizes)) == 0;
}

static bool knows_fork(const struct replica_configuration *configuration, const struct fork *fork)
{
	const struct fork *last = &configuration->forks[FORKS_KEPT - 1];

	for (int i = 0; i < FORKS_KEPT; i++) {
		if (configuration->forks[i].id == fork->id)
			return true;
	}
	return last->number && fork->number < last->number; /* it was forgotten */
}

bool replica_configuration_forked(const struct replica_configuration *later,
				  const struct replica_configuration *earlier)
{
	for (int i = 0; i < FORKS_KEPT; i++) {
		if (later->forks[i].number && !knows_fork(earlier, &later->forks[i]))
			return true;
	}
	return false;
}

/* Whether `other` went on where a fork of `of` had begun, without it. */
static bool went_on_without(const struct replica_configuration *of, bool of_settled,
			    const struct replica_configuration *other, bool other_settled)
{
	for (int i = 0; i < FORKS_KEPT; i++) {
		const struct fork *fork = &of->forks[i];

		if (!fork->number || knows_fork(other, fork) || (fork->epoch == of->epoch && !of_settled))
			continue;
		/* Whoever proposed it knew what was decided in the epoch before. */
		if (other->epoch > fork->epoch ||
		    (other_settled && (other->epoch == fork->epoch || other->generation.number >= fork->number)))
			return true;
	}
	return false;
}

bool replica_configuration_parted(const struct replica_configuration *a, bool a_settled,
				  const struct replica_configuration *b, bool b_settled)
{
	return a->epoch && b->epoch &&
	       (went_on_without(a, a_settled, b, b_settled) || went_on_without(b, b_settled, a, a_settled));
}

static bool set_is_none(const struct set_id *set)
{
	static const struct set_id none;

	return memcmp(set->bytes, none.bytes, sizeof(none.bytes)) == 0;
}

static const char *processes_wrong(const struct replica_configuration *configuration)
{
	const struct process_id *processes = configuration->processes;

	for (int member = 0; member < MEMBERS_MAX; member++) {
		if (!member_in(configuration->in_sync, member)) {
			if (processes[member].incarnation || processes[member].boot)
				return "a process of a member that is not in sync";
			continue;
		}
		if (!processes[member].incarnation || !processes[member].boot)
			return "a member in sync without a process";
		for (int other = 0; other < member; other++)
			if (processes[other].incarnation == processes[member].incarnation)
				return "one process for two members";
	}
	return NULL;
}

static const char *forks_wrong(const struct replica_configuration *configuration)
{
	uint32_t above = configuration->generation.number;

	for (int i = 0; i < FORKS_KEPT; i++) {
		const struct fork *fork = &configuration->forks[i];

		if (fork->number
			    ? fork->number > above || !fork->id || !fork->epoch || fork->epoch > configuration->epoch
			    : fork->id || fork->epoch)
			return "a fork that is none of its line";
		above = fork->number ? fork->number - 1 : 0;
	}
	return NULL;
}

const char *replica_configuration_wrong(const struct replica_configuration *configuration, int members, int devices)
{
	const struct generation *generation = &configuration->generation;

	assert(members > 0 && members <= MEMBERS_MAX && devices >= 0 && devices <= REPLICA_DEVICES_MAX);
	if (configuration->epoch == 0)
		return "no epoch";
	if (configuration->epoch > EPOCH_MAX)
		return "an epoch that is never reached";
	if (set_is_none(&configuration->set))
		return "no set";
	if (generation->id == 0 || generation->id == generation->parent)
		return "no generation of its own";
	if (configuration->reign == 0 || configuration->reign > configuration->epoch)
		return "a reign that begins in another epoch than one up to its own";
	if (configuration->in_sync >> members)
		return "more members in sync than there are";
	if (configuration->dead >> members)
		return "more dead members than there are";
	if (configuration->primary >= (uint32_t)members ||
	    !member_in(configuration->in_sync, (int)configuration->primary))
		return "a primary that is not in sync";
	if (configuration->digest == 0)
		return "no digest of the list";
	for (int device = 0; device < REPLICA_DEVICES_MAX; device++)
		if ((configuration->sizes[device] != 0) != (device < devices) ||
		    configuration->sizes[device] > INT64_MAX)
			return "a device's size";
	if (forks_wrong(configuration))
		return forks_wrong(configuration);
	return processes_wrong(configuration);
}

uint64_t member_list_digest(const struct listed_member *list, int members)
{
	unsigned char bytes[4 + 2 * MEMBERS_MAX];
	uint64_t digest;

	assert(members > 0 && members <= MEMBERS_MAX);
	put_u32(bytes, (uint32_t)members);
	for (int member = 0; member < members; member++) {
		bytes[4 + 2 * member] = list[member].node;
		bytes[5 + 2 * member] = list[member].diskless;
	}
	digest = XXH64(bytes, 4 + 2 * (size_t)members, 0);
	return digest ? digest : 1;
}

uint64_t common_digest(uint64_t list_digest, uint64_t lease, int devices)
{
	unsigned char bytes[20];
	uint64_t digest;

	assert(devices >= 0 && devices <= REPLICA_DEVICES_MAX);
	put_u64(bytes, list_digest);
	put_u64(bytes + 8, lease);
	put_u32(bytes + 16, (uint32_t)devices);
	digest = XXH64(bytes, sizeof(bytes), 0);
	return digest ? digest : 1;
}
