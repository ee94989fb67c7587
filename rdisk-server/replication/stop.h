/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How a process ends. For the parts of the core alone: core.h.
 */
#ifndef RDISK_REPLICATION_STOP_H
#define RDISK_REPLICATION_STOP_H

#include "entry.h"
#include "replica.h"

enum stop_phase {
	STOP_LEAVING,  /* the others are to go on without it */
	STOP_FLUSHING, /* its own image */
	STOP_COOLING,
	STOP_DONE,
};

struct stop {
	enum stop_phase phase;
	bool was_in_sync;	     /* and its image is to be trusted */
	uint64_t leaves_by, ends_by; /* times */
	struct core_io io[REPLICA_DEVICES_MAX];
	int nr_pending;
	int result;
};

void stop_begin(struct replica *replica);
void stop_flush_stored(struct replica *replica, int result);
void stop_go_on(struct replica *replica);

#endif
