/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The clients' choices: see the header.
 */
#include "sim_load.h"

#include <stdlib.h>

#include "sim_contents.h"

#define BLOCK	    ((uint64_t)SIM_CONTENTS_BLOCK)
#define BURST_MAX   48
#define BURST_MEAN  15 /* of sim_spread(1, BURST_MAX), about */
#define REQUEST_MAX (UINT64_C(64) * 1024)

static void choose_range(struct sim_world *world, struct sim_wish *wish)
{
	struct sim_random *random = &world->client_random;
	uint64_t within = sim_chance(random, 3, 4) ? world->settings.hot : world->settings.size;
	uint64_t most = wish->kind == ENTRY_ZEROES && sim_chance(random, 1, 16) ? world->settings.size : REQUEST_MAX;
	uint64_t blocks = within / BLOCK, first = sim_below(random, blocks), count;

	if (most / BLOCK < blocks)
		blocks = most / BLOCK;
	count = sim_spread(random, 1, blocks);
	if (count > within / BLOCK - first)
		count = within / BLOCK - first;
	wish->position = first * BLOCK;
	wish->length = count * BLOCK;
}

static void choose(struct sim_world *world, struct sim_wish *wish)
{
	uint64_t chosen = sim_below(&world->client_random, 100);

	*wish = (struct sim_wish){ .kind = chosen < 55	 ? ENTRY_WRITE
					   : chosen < 83 ? ENTRY_READ
					   : chosen < 91 ? ENTRY_ZEROES
							 : ENTRY_FLUSH };
	if (wish->kind == ENTRY_FLUSH)
		return;
	choose_range(world, wish);
	wish->stable = wish->kind != ENTRY_READ && sim_chance(&world->client_random, 1, 6);
}

static enum sim_load next_scripted(struct sim_slot *slot, struct sim_wish *wish)
{
	struct sim_wish *first = slot->wishes;

	if (!first)
		return SIM_LOAD_NOTHING;
	*wish = *first;
	slot->wishes = first->next;
	slot->host->world->wishes--;
	free(first);
	return SIM_LOAD_WISH;
}

enum sim_load sim_load_next(struct sim_slot *slot, struct sim_wish *wish)
{
	struct sim_world *world = slot->host->world;

	if (slot->scripted)
		return next_scripted(slot, wish);
	if (!world->requests_left)
		return SIM_LOAD_NOTHING;
	if (!slot->burst) {
		slot->burst = sim_spread(&world->client_random, 1, BURST_MAX);
		switch (sim_below(&world->client_random, 16)) {
		case 0:
			return SIM_LOAD_CLOSE;
		case 1:
			return SIM_LOAD_DIE;
		default:
			return SIM_LOAD_PAUSE;
		}
	}
	slot->burst--;
	world->requests_left--;
	choose(world, wish);
	return SIM_LOAD_WISH;
}

/* So long that what is left is spread over the time that is left. */
uint64_t sim_load_pause(struct sim_world *world)
{
	uint64_t now = world->engine.now, end = world->settings.duration;
	uint64_t left = end > now ? end - now : 0;
	uint64_t clients = world->settings.clients * (uint64_t)world->members;
	uint64_t mean = left / (world->requests_left + 1) * BURST_MEAN * clients;

	if (mean > left)
		mean = left;
	return sim_below(&world->client_random, 2 * mean + 1);
}

void sim_load_read_all(struct sim_world *world)
{
	for (int member = 0; member < world->members; member++) {
		for (uint64_t device = 0; device < world->settings.devices; device++) {
			for (uint64_t at = 0; at < world->settings.size; at += REQUEST_MAX) {
				uint64_t left = world->settings.size - at;
				const struct sim_wish wish = { .kind = ENTRY_READ,
							       .device = (uint32_t)device,
							       .position = at,
							       .length = left < REQUEST_MAX ? left : REQUEST_MAX };

				sim_client_wish(&world->hosts[member], &wish);
			}
		}
	}
}
