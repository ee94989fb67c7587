/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Forms that messages and metadata share; see encoding.h.
 */
#include "encoding.h"

#include <assert.h>
#include <string.h>

#include <xxhash.h>

#include "little_endian.h"

enum {
	AT_SET = 0,
	AT_EPOCH = 16,
	AT_REIGN = 24,
	AT_GENERATION_ID = 32,
	AT_GENERATION_PARENT = 40,
	AT_GENERATION_NUMBER = 48,
	AT_PRIMARY = 52,
	AT_IN_SYNC = 56,
	AT_DEAD = 60,
	AT_DIGEST = 64,
	AT_PROCESSES = 72,
	AT_SIZES = AT_PROCESSES + 16 * MEMBERS_MAX,
	AT_FORKS = AT_SIZES + 8 * REPLICA_DEVICES_MAX,
	AT_END = AT_FORKS + 24 * FORKS_KEPT,
};

_Static_assert(AT_END == REPLICA_CONFIGURATION_BYTES, "the layout fills a configuration's bytes");

void replica_configuration_encode(const struct replica_configuration *configuration,
				  unsigned char bytes[static REPLICA_CONFIGURATION_BYTES])
{
	memset(bytes, 0, REPLICA_CONFIGURATION_BYTES);
	if (configuration->epoch == 0)
		return;
	memcpy(bytes + AT_SET, configuration->set.bytes, sizeof(configuration->set.bytes));
	put_u64(bytes + AT_EPOCH, configuration->epoch);
	put_u64(bytes + AT_REIGN, configuration->reign);
	put_u64(bytes + AT_GENERATION_ID, configuration->generation.id);
	put_u64(bytes + AT_GENERATION_PARENT, configuration->generation.parent);
	put_u32(bytes + AT_GENERATION_NUMBER, configuration->generation.number);
	put_u32(bytes + AT_PRIMARY, configuration->primary);
	put_u32(bytes + AT_IN_SYNC, configuration->in_sync);
	put_u32(bytes + AT_DEAD, configuration->dead);
	put_u64(bytes + AT_DIGEST, configuration->digest);
	for (size_t member = 0; member < MEMBERS_MAX; member++) {
		put_u64(bytes + AT_PROCESSES + 16 * member, configuration->processes[member].incarnation);
		put_u64(bytes + AT_PROCESSES + 16 * member + 8, configuration->processes[member].boot);
	}
	for (size_t device = 0; device < REPLICA_DEVICES_MAX; device++)
		put_u64(bytes + AT_SIZES + 8 * device, configuration->sizes[device]);
	for (size_t i = 0; i < FORKS_KEPT; i++) {
		put_u32(bytes + AT_FORKS + 24 * i, configuration->forks[i].number);
		put_u64(bytes + AT_FORKS + 24 * i + 8, configuration->forks[i].id);
		put_u64(bytes + AT_FORKS + 24 * i + 16, configuration->forks[i].epoch);
	}
}

const char *replica_configuration_decode(const unsigned char bytes[static REPLICA_CONFIGURATION_BYTES],
					 struct replica_configuration *configuration)
{
	uint32_t in_sync = get_u32(bytes + AT_IN_SYNC);
	int devices = 0;

	memset(configuration, 0, sizeof(*configuration));
	configuration->epoch = get_u64(bytes + AT_EPOCH);
	if (configuration->epoch == 0)
		return bytes_are_zero(bytes, REPLICA_CONFIGURATION_BYTES) ? NULL : "no epoch";
	if (in_sync >> MEMBERS_MAX)
		return "more members in sync than there are";
	if (get_u32(bytes + AT_DEAD) >> MEMBERS_MAX)
		return "more dead members than there are";
	memcpy(configuration->set.bytes, bytes + AT_SET, sizeof(configuration->set.bytes));
	configuration->reign = get_u64(bytes + AT_REIGN);
	configuration->generation.id = get_u64(bytes + AT_GENERATION_ID);
	configuration->generation.parent = get_u64(bytes + AT_GENERATION_PARENT);
	configuration->generation.number = get_u32(bytes + AT_GENERATION_NUMBER);
	configuration->primary = get_u32(bytes + AT_PRIMARY);
	configuration->in_sync = (member_set)in_sync;
	configuration->dead = (member_set)get_u32(bytes + AT_DEAD);
	configuration->digest = get_u64(bytes + AT_DIGEST);
	for (size_t member = 0; member < MEMBERS_MAX; member++) {
		configuration->processes[member].incarnation = get_u64(bytes + AT_PROCESSES + 16 * member);
		configuration->processes[member].boot = get_u64(bytes + AT_PROCESSES + 16 * member + 8);
	}
	for (size_t device = 0; device < REPLICA_DEVICES_MAX; device++)
		configuration->sizes[device] = get_u64(bytes + AT_SIZES + 8 * device);
	for (size_t i = 0; i < FORKS_KEPT; i++) {
		configuration->forks[i].number = get_u32(bytes + AT_FORKS + 24 * i);
		configuration->forks[i].id = get_u64(bytes + AT_FORKS + 24 * i + 8);
		configuration->forks[i].epoch = get_u64(bytes + AT_FORKS + 24 * i + 16);
		if (get_u32(bytes + AT_FORKS + 24 * i + 4))
			return "a fork that is none of its line";
	}
	while (devices < REPLICA_DEVICES_MAX && configuration->sizes[devices] != 0)
		devices++;
	return replica_configuration_wrong(configuration, MEMBERS_MAX, devices);
}

uint64_t checksum_around(const unsigned char *bytes, size_t size, size_t at)
{
	unsigned char copy[CHECKSUM_AROUND_MAX];

	assert(size <= sizeof(copy) && at + 8 <= size);
	memcpy(copy, bytes, size);
	put_u64(copy + at, 0);
	return XXH3_64bits(copy, size);
}

bool bytes_are_zero(const unsigned char *bytes, size_t size)
{
	while (size > 0)
		if (bytes[--size] != 0)
			return false;
	return true;
}
