/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A core is made and freed: whether its settings make sense, and its memory. What it had kept, and its start, are in
 * start.c.
 */
#include <errno.h>
#include <stdlib.h>

#include "core.h"

static bool is_power_of_two(uint64_t n)
{
	return n && !(n & (n - 1));
}

static bool settings_ok(const struct replica_settings *s)
{
	if (s->members < 1 || s->members > MEMBERS_MAX || s->self < 0 || s->self >= s->members || s->nr_devices < 1 ||
	    s->nr_devices > REPLICA_DEVICES_MAX || !s->process.incarnation)
		return false;
	for (int i = 1; i < s->members; i++) {
		if (s->list[i].node <= s->list[i - 1].node)
			return false;
	}
	return s->list[0].node > 0 && s->lease >= 4 && s->lease <= REPLICA_LEASE_MAX && s->election_delay > 0 &&
	       s->flush_interval > 0 && s->open_grace > 0 && s->process.boot && s->window <= UINT16_MAX &&
	       s->drift < 500000 && s->heartbeat > 0 && s->window > 0 && s->window_bytes > 0 && s->requests > 0 &&
	       DONE_TABLE_CLIENT_MAX(s->requests) <= DONE_TABLE_PIECE && s->clients > 0 && s->copies > 0 &&
	       is_power_of_two(s->block_size) && s->block_size >= REPLICA_BLOCK_MIN &&
	       is_power_of_two(s->extent_size) && s->extent_size >= s->block_size && s->copy_size >= s->block_size &&
	       s->copy_size % s->block_size == 0 && s->copy_size <= MESSAGE_DATA_MAX;
}

static int allocate(struct replica *replica)
{
	const struct replica_settings *settings = &replica->settings;
	unsigned int entries = settings->requests * (unsigned int)settings->members + settings->window * 8 +
			       settings->copies * (unsigned int)settings->members + ENTRIES_SPARE;

	replica->entries = calloc(entries, sizeof(struct entry));
	replica->by_number = calloc(settings->window, sizeof(struct entry *));
	replica->backup.unfinished = calloc(settings->window, sizeof(*replica->backup.unfinished));
	replica->forward.clients = calloc(settings->clients, sizeof(*replica->forward.clients));
	if (!replica->entries || !replica->by_number || !replica->backup.unfinished || !replica->forward.clients)
		return -ENOMEM;
	requests_init(&replica->requests, replica->entries, sizeof(struct entry), entries, NULL);
	/* As many opens as may be under way may find that there is room. */
	replica->forward.spare = settings->requests * (unsigned int)settings->members;
	if (done_table_init(&replica->done, settings->clients + replica->forward.spare, settings->requests) ||
	    done_table_init(&replica->backup.table, settings->clients + replica->forward.spare, settings->requests))
		return -ENOMEM;
	return maps_create(replica);
}

int replica_create(struct replica **made, const struct replica_settings *settings, const struct replica_world *world,
		   void *user)
{
	struct replica *replica;
	int error;

	if (!settings_ok(settings))
		return -EINVAL;
	replica = calloc(1, sizeof(*replica));
	if (!replica)
		return -ENOMEM;
	replica->settings = *settings;
	replica->world = world;
	replica->user = user;
	replica->next_time = REPLICA_NEVER;
	replica->lease.holder = NO_MEMBER;
	replica->reign.candidate = NO_MEMBER;
	replica->reign.successor = NO_MEMBER;
	replica->init_from = NO_MEMBER;
	replica->list_digest = member_list_digest(settings->list, settings->members);
	replica->digest = common_digest(replica->list_digest, settings->lease, settings->nr_devices);
	replica->durable.now.node = settings->list[settings->self].node;
	error = allocate(replica);
	if (error) {
		replica_destroy(replica);
		return error;
	}
	*made = replica;
	return 0;
}

/* Entries keep memory of their own; those at a store must have come back. */
static void free_entries(struct replica *replica)
{
	struct entry *entries = replica->entries;
	unsigned int nr = 0;

	/* Neither, if there was not enough memory for a core. */
	if (!entries || !replica->requests.fresh)
		return;
	nr = (unsigned int)(((char *)replica->requests.fresh - (char *)entries) / (long)sizeof(*entries));
	for (unsigned int i = 0; i < nr; i++) {
		free(entries[i].memory);
		replica_data_release(entries[i].shared);
	}
}

void replica_destroy(struct replica *replica)
{
	if (!replica)
		return;
	free_entries(replica);
	maps_destroy(replica);
	done_table_free(&replica->done);
	done_table_free(&replica->backup.table);
	free(replica->forward.clients);
	free(replica->backup.unfinished);
	free(replica->by_number);
	free(replica->entries);
	free(replica);
}

void *replica_user(const struct replica *replica)
{
	return replica->user;
}
