/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Does to a world what a schedule says.
 */
#ifndef RDISK_SIM_ACTION_H
#define RDISK_SIM_ACTION_H

#include "sim_schedule.h"
#include "sim_world.h"

/* The next actions of a schedule, each at its time. */
struct sim_player {
	struct sim_world *world;
	const struct sim_schedule *schedule; /* settled */
	size_t next;
	struct sim_event event;
};

/* NULL, or why the schedule cannot be played in this world: it names members that there are not. */
const char *sim_player_start(struct sim_player *player, struct sim_world *world, const struct sim_schedule *schedule);

/* An operator's order: promote, force, invalidate; nothing if no process of that host can take it. */
void sim_order(struct sim_host *host, const struct sim_action *action);

void sim_disks_well(struct sim_host *host);
void sim_images_back(struct sim_host *host); /* a process without its image is started again */

#endif
