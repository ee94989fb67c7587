/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A process: one core, what happens to it, and what it wants done. While it is stopped all that happens to it waits in
 * its inbox; when it goes on, what is of one source comes in order, and between sources in any order.
 */
#ifndef RDISK_SIM_PROCESS_H
#define RDISK_SIM_PROCESS_H

#include "sim_world.h"

/* A new process on a host that has none. NULL: its core would not start; *why. */
struct sim_process *sim_process_start(struct sim_host *host, const char **why);

/* Frees it: its core, what it had under way, what waits for it, its clients. Its sessions are the caller's business. */
void sim_process_die(struct sim_process *process);

void sim_process_stop(struct sim_process *process);
void sim_process_continue(struct sim_process *process);

/* Now, or when it goes on. The item is copied. */
void sim_process_happens(struct sim_process *process, unsigned int source, const struct sim_item *item);

/* What its clock shows. */
uint64_t sim_process_now(const struct sim_process *process);

/* After the core was called from elsewhere (an operator's order): arms its timer, looks at what has changed. */
void sim_process_after(struct sim_process *process);

#endif
