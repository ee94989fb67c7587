/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What clients ask for next, and when: bursts with pauses between them, spread over the run; most of it in a small part
 * of the device, so that much overlaps.
 */
#ifndef RDISK_SIM_LOAD_H
#define RDISK_SIM_LOAD_H

#include "sim_client.h"

/* A place for a client on a host: one after another has it. */
struct sim_slot {
	struct sim_host *host;
	struct sim_event think;
	struct sim_client *client; /* NULL: none */
	bool scripted;
	struct sim_wish *wishes; /* the scripted one's */
	uint64_t burst;		 /* requests until the next pause */
};

enum sim_load {
	SIM_LOAD_WISH,
	SIM_LOAD_CLOSE,
	SIM_LOAD_DIE,
	SIM_LOAD_PAUSE,	  /* for sim_load_pause() */
	SIM_LOAD_NOTHING, /* until there is a wish */
};

/* WISH: *wish is to be done. */
enum sim_load sim_load_next(struct sim_slot *slot, struct sim_wish *wish);

uint64_t sim_load_pause(struct sim_world *world); /* ns */

/* The scripted clients of all members read all of all devices. */
void sim_load_read_all(struct sim_world *world);

#endif
