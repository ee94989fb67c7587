/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a group service says about who is there: late, one member at a time, contradictory, with a ghost that never
 * leaves, or nothing at all, as the settings have it. In the end it is right.
 */
#include "sim_host.h"
#include "sim_process.h"

enum {
	VIEWS_NONE,
	VIEWS_LATE,
	VIEWS_LYING,
	VIEWS_GHOST,
};

static bool seen(const struct sim_host *host, int member)
{
	const struct sim_network *network = &host->world->network;

	return host->world->hosts[member].process && !network->cut[host->member][member] &&
	       !network->cut[member][host->member];
}

static void show(struct sim_event *event)
{
	struct sim_host *host = SIM_OWNER(event, struct sim_host, view);
	struct sim_world *world = host->world;
	struct sim_item item = { .kind = SIM_ITEM_VIEW, .view = host->ghosts | member_bit(host->member) };

	if (!host->process)
		return;
	for (int member = 0; member < world->members; member++) {
		if (seen(host, member))
			item.view |= member_bit(member);
	}
	if (host->views_left) {
		host->views_left--;
		if (world->settings.views == VIEWS_LYING)
			item.view ^= member_bit((int)sim_below(&world->view_random, (uint64_t)world->members));
		sim_schedule(&world->engine, &host->view,
			     world->engine.now + sim_spread(&world->view_random, SIM_MILLISECOND, SIM_SECOND));
	}
	item.view |= member_bit(host->member);
	item.view &= (member_set)((1u << host->process->members) - 1);
	sim_trace(world, host->member, "view: members %#x", (unsigned int)item.view);
	sim_process_happens(host->process, SIM_SOURCE_VIEW, &item);
}

void sim_view_init(struct sim_host *host)
{
	host->view.fire = show;
}

void sim_views_change(struct sim_world *world)
{
	if (world->settings.views == VIEWS_NONE)
		return;
	for (int member = 0; member < world->members; member++) {
		struct sim_host *host = &world->hosts[member];

		if (!host->process)
			continue;
		if (world->settings.views == VIEWS_GHOST && !world->finishing && !host->ghosts)
			host->ghosts = member_bit((int)sim_below(&world->view_random, (uint64_t)world->members));
		if (world->finishing)
			host->ghosts = 0;
		host->views_left = (unsigned int)sim_below(&world->view_random, 3);
		sim_schedule(&world->engine, &host->view,
			     world->engine.now + sim_spread(&world->view_random, SIM_MILLISECOND, SIM_SECOND));
	}
}
