/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How a run is set up: the set, the core's settings, the world's. All of it is chosen from the seed, with small
 * windows, tables and leases, so that what is rare happens often; a script may set any of it.
 */
#ifndef RDISK_SIM_SETTINGS_H
#define RDISK_SIM_SETTINGS_H

#include <stdint.h>
#include <stdio.h>

#include "sim_random.h"

enum sim_opens {
	SIM_OPENS_EXCLUSIVE,
	SIM_OPENS_SHARED,
	SIM_OPENS_MIXED, /* each in its own way, some only to read */
};

/* Times in ns, sizes in bytes. All of one type, for the table of names. */
struct sim_settings {
	/* The set: members without an image are the last ones. */
	uint64_t copies, diskless, devices, size;
	/* The core: as in struct replica_settings. */
	uint64_t lease, drift, heartbeat, replica_timeout, election_delay, flush_interval, open_grace;
	uint64_t memory_wait; /* 0: for ever */
	uint64_t min_in_sync, error_on_no_quorum, slow_replica_waits;
	uint64_t window, window_bytes, requests, open_clients, block_size, extent_size, copy_size, parallel_copies,
		resync_rate;
	/* Clients: how many of each member, requests under way of each, how they open devices (enum sim_opens). */
	uint64_t clients, depth, shared;
	uint64_t hot; /* bytes that most requests are for */
	/* The network: see struct sim_network_settings. */
	uint64_t delay, jitter, tail, retry, timeout, queue, bulk;
	/* Disks: of 256 reads or writes how many are done at once; ns of others; of flushes; of saves of metadata. */
	uint64_t cached, disk_delay, flush_delay, save_delay;
	uint64_t timer_delay; /* up to this long a timer is late */
	/* 0: no group service; 1: views are late; 2: they lie, too; 3: one departed member never leaves them */
	uint64_t views;
	uint64_t power_epilogue; /* after the calm phase all hosts lose power, and what was flushed must be there */
	uint64_t calm_limit;	 /* how long the calm phase may last */
	/* What is to be done. */
	uint64_t duration, nr_requests, nr_faults;
};

void sim_settings_choose(struct sim_settings *settings, struct sim_random *random);

/* The setting of this name; NULL: there is none. */
uint64_t *sim_settings_find(struct sim_settings *settings, const char *name);

/* NULL, or why it cannot be run with these. */
const char *sim_settings_wrong(const struct sim_settings *settings);

/* One "set NAME VALUE" a line. */
void sim_settings_print(const struct sim_settings *settings, FILE *out);

#endif
