/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Settings of a run: see the header.
 */
#include "sim_settings.h"

#include <inttypes.h>
#include <stddef.h>
#include <string.h>

#include "message.h"
#include "sim_disk.h"
#include "sim_engine.h"

#define UNDER_WAY_MAX 24 /* requests of all clients */
#define HOT_MIN	      16384u

struct setting {
	const char *name;
	size_t offset;
};

#define SETTING(field)                                                                                                 \
	{                                                                                                              \
#field, offsetof(struct sim_settings, field)                                                           \
	}

static const struct setting table[] = {
	SETTING(copies),
	SETTING(diskless),
	SETTING(devices),
	SETTING(size),
	SETTING(lease),
	SETTING(drift),
	SETTING(heartbeat),
	SETTING(replica_timeout),
	SETTING(election_delay),
	SETTING(flush_interval),
	SETTING(open_grace),
	SETTING(memory_wait),
	SETTING(min_in_sync),
	SETTING(error_on_no_quorum),
	SETTING(slow_replica_waits),
	SETTING(window),
	SETTING(window_bytes),
	SETTING(requests),
	SETTING(open_clients),
	SETTING(block_size),
	SETTING(extent_size),
	SETTING(copy_size),
	SETTING(parallel_copies),
	SETTING(resync_rate),
	SETTING(clients),
	SETTING(depth),
	SETTING(shared),
	SETTING(hot),
	SETTING(delay),
	SETTING(jitter),
	SETTING(tail),
	SETTING(retry),
	SETTING(timeout),
	SETTING(queue),
	SETTING(bulk),
	SETTING(cached),
	SETTING(disk_delay),
	SETTING(flush_delay),
	SETTING(save_delay),
	SETTING(timer_delay),
	SETTING(views),
	SETTING(power_epilogue),
	SETTING(calm_limit),
	SETTING(duration),
	SETTING(nr_requests),
	SETTING(nr_faults),
};

#define SETTINGS (sizeof(table) / sizeof(table[0]))

uint64_t *sim_settings_find(struct sim_settings *settings, const char *name)
{
	for (size_t i = 0; i < SETTINGS; i++) {
		if (!strcmp(table[i].name, name))
			return (uint64_t *)(void *)((char *)settings + table[i].offset);
	}
	return NULL;
}

void sim_settings_print(const struct sim_settings *settings, FILE *out)
{
	struct sim_settings copy = *settings;

	for (size_t i = 0; i < SETTINGS; i++)
		fprintf(out, "set %s %" PRIu64 "\n", table[i].name, *sim_settings_find(&copy, table[i].name));
}

static void choose_set(struct sim_settings *settings, struct sim_random *random)
{
	static const struct {
		uint64_t copies, diskless;
	} sets[] = { { 3, 0 }, { 3, 0 }, { 2, 1 }, { 2, 1 }, { 5, 0 }, { 2, 0 } };
	uint64_t chosen = sim_below(random, sizeof(sets) / sizeof(sets[0]));

	settings->copies = sets[chosen].copies;
	settings->diskless = sets[chosen].diskless;
	settings->devices = sim_chance(random, 1, 4) ? 2 : 1;
	settings->block_size = UINT64_C(512) << sim_below(random, 4);
	settings->extent_size = settings->block_size << sim_between(random, 1, 4);
	settings->copy_size = settings->block_size * sim_between(random, 1, 4);
	settings->size = settings->block_size * sim_between(random, 32, 160);
	settings->hot = settings->block_size * sim_between(random, 2, 16);
	if (settings->hot < HOT_MIN)
		settings->hot = settings->size < HOT_MIN ? settings->size : HOT_MIN;
}

/* The network's delays are chosen first: all else must leave room for them. */
static void choose_times(struct sim_settings *settings, struct sim_random *random)
{
	static const uint64_t drifts[] = { 200, 10000, 100000 };

	settings->lease = sim_spread(random, 50 * SIM_MILLISECOND, 500 * SIM_MILLISECOND);
	settings->drift = drifts[sim_below(random, 3)];
	settings->delay = sim_spread(random, 30 * SIM_MICROSECOND, settings->lease / 32);
	settings->jitter = sim_chance(random, 1, 4) ? 0 : settings->delay * sim_below(random, 4);
	settings->heartbeat = sim_spread(random, settings->lease / 2, 2 * SIM_SECOND);
	settings->replica_timeout = sim_spread(random, 2 * settings->lease, 2 * SIM_SECOND);
	settings->election_delay = sim_spread(random, settings->lease / 8, settings->lease);
	settings->flush_interval = sim_spread(random, 100 * SIM_MILLISECOND, 5 * SIM_SECOND);
	settings->open_grace = sim_spread(random, 2 * settings->lease, SIM_SECOND + 2 * settings->lease);
	settings->timeout = sim_spread(random, settings->lease, 3 * SIM_SECOND);
	settings->retry = sim_spread(random, SIM_MILLISECOND, 300 * SIM_MILLISECOND);
}

static void choose_limits(struct sim_settings *settings, struct sim_random *random)
{
	settings->clients = sim_between(random, 1, 3);
	settings->depth = sim_spread(random, 1, 8);
	/* With more at once, what may have become of a block after a loss is too much to be searched. */
	while (settings->depth > 1 &&
	       settings->depth * settings->clients * (settings->copies + settings->diskless) > UNDER_WAY_MAX)
		settings->depth--;
	settings->shared = sim_chance(random, 1, 2)   ? SIM_OPENS_SHARED
			   : sim_chance(random, 1, 2) ? SIM_OPENS_MIXED
						      : SIM_OPENS_EXCLUSIVE;
	settings->window = sim_spread(random, 1, 16);
	/* One more each, of a client that has just died and of the next one in its place; and the final readers. */
	settings->requests = 2 * settings->clients * settings->depth + 4;
	settings->open_clients =
		2 * (settings->clients + 1) * (settings->copies + settings->diskless) + sim_below(random, 8);
	settings->parallel_copies = sim_between(random, 1, 4);
	/* Room for some of the largest requests: who never has it is out for ever, rightly. */
	settings->queue = 512 * 1024 + sim_spread(random, 32 * 1024, 1024 * 1024);
	/* Now and then some of the largest requests fill it. */
	settings->window_bytes = settings->queue / (settings->window % 2 ? 4 : 64);
	settings->min_in_sync = settings->copies > 2 && sim_chance(random, 1, 8) ? 2 : 1;
	settings->error_on_no_quorum = sim_chance(random, 1, 8);
	settings->slow_replica_waits = sim_chance(random, 1, 4);
}

void sim_settings_choose(struct sim_settings *settings, struct sim_random *random)
{
	*settings = (struct sim_settings){ 0 };
	choose_set(settings, random);
	choose_times(settings, random);
	choose_limits(settings, random);
	settings->tail = sim_chance(random, 1, 2) ? sim_spread(random, 16, 1024) : 0;
	settings->cached = sim_below(random, 257);
	settings->disk_delay = sim_spread(random, 50 * SIM_MICROSECOND, 10 * SIM_MILLISECOND);
	settings->flush_delay = sim_spread(random, 200 * SIM_MICROSECOND, 20 * SIM_MILLISECOND);
	settings->save_delay = sim_spread(random, 100 * SIM_MICROSECOND, settings->lease / 8);
	settings->timer_delay = sim_chance(random, 1, 2) ? sim_spread(random, 1, settings->lease / 16) : 0;
	settings->views = sim_below(random, 4);
	settings->power_epilogue = sim_chance(random, 1, 3);
	settings->calm_limit = 300 * SIM_SECOND;
	settings->duration = 600 * SIM_SECOND;
	settings->nr_requests = 2000;
	settings->nr_faults = 20;
	settings->resync_rate = sim_chance(random, 2, 3) ? 0 : sim_spread(random, 128 * 1024, 16 * 1024 * 1024);
	/* What can wait does so often: now and then for each single frame. */
	settings->bulk = sim_chance(random, 1, 4) ? 0 : sim_spread(random, 64, 64 * 1024);
}

const char *sim_settings_wrong(const struct sim_settings *settings)
{
	if (!settings->copies || settings->copies > MEMBERS_MAX || settings->diskless > MEMBERS_MAX - settings->copies)
		return "copies and diskless: not 1 to 7 members with at least one copy";
	if (!settings->devices || settings->devices > REPLICA_DEVICES_MAX)
		return "devices: not 1 to 16";
	if (!settings->size || settings->size % SIM_SECTOR || settings->size > UINT64_C(64) << 20)
		return "size: not a multiple of 512 up to 64 MiB";
	if (!settings->hot || settings->hot > settings->size)
		return "hot: not within the device";
	if (settings->copy_size > MESSAGE_DATA_MAX)
		return "copy_size: more than a message has";
	if (settings->drift >= 1000000 || !settings->retry || !settings->duration || !settings->lease)
		return "drift, retry, duration or lease: out of range";
	if (settings->lease > UINT64_C(3600) * SIM_SECOND || settings->duration > UINT64_C(100000) * SIM_SECOND)
		return "lease or duration: too long";
	if (settings->clients > 16 || settings->depth > 64 || (settings->clients && !settings->depth))
		return "clients or depth: out of range";
	return NULL;
}
