/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Clients of the hosts: each opens a device, asks for reads, writes, zeroes and flushes in bursts, several at once,
 * many of them overlapping, closes it or dies; another takes its place. One more on each host does what a script says.
 * All that they ask for and are answered is written to the history.
 */
#ifndef RDISK_SIM_CLIENT_H
#define RDISK_SIM_CLIENT_H

#include "sim_world.h"

/* One operation, as a script or chance wants it. */
struct sim_wish {
	enum entry_kind kind;
	uint32_t device;
	uint64_t position, length; /* bytes */
	bool stable;
	struct sim_wish *next;
};

void sim_clients_init(struct sim_host *host);
void sim_clients_free(struct sim_host *host);

/* A process has started; or it dies, and its core is gone: its clients die with it. */
void sim_clients_start(struct sim_host *host);
void sim_clients_die(struct sim_process *process);

/* The scripted client of the host does it when what it was asked for before is under way. */
void sim_client_wish(struct sim_host *host, const struct sim_wish *wish);

/* One of the host's clients dies, if there is any. */
void sim_client_kill(struct sim_host *host);

/* Something has just happened: some of those that pause go on. */
void sim_clients_wake(struct sim_world *world);

/* No more but what scripts wish: they close their devices. */
void sim_clients_finish(struct sim_world *world);

/* What happens to a process, and what its core answers. */
void sim_client_submits(struct sim_process *process, struct sim_operation *operation);
void sim_client_is_forgotten(struct sim_process *process, struct sim_client *client);
void sim_client_answered(struct sim_process *process, struct replica_request *request);

#endif
