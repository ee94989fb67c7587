/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A host: has power or not, runs one process or none. What a script does to hosts and their processes is done here; to
 * call none of it from within a core is the caller's business.
 */
#ifndef RDISK_SIM_HOST_H
#define RDISK_SIM_HOST_H

#include "sim_world.h"

extern const struct sim_network_user sim_host_network_user;

void sim_host_init(struct sim_world *world, int member);
void sim_host_free(struct sim_host *host);

/* Power, if it has none, and a process, if there is none, as soon as its files are free. */
void sim_host_start(struct sim_host *host);

void sim_host_kill(struct sim_host *host);
void sim_host_terminate(struct sim_host *host); /* hands over, then ends; not while stopped */
void sim_host_stop(struct sim_host *host);
void sim_host_continue(struct sim_host *host);
void sim_host_power_cut(struct sim_host *host);

/* After each event of its process: whether that is at its end. */
void sim_host_look(struct sim_host *host);

/* ---- sim_view.c ---- */

/* Who is there has changed: the group service of each host will say so, as well as it can. */
void sim_views_change(struct sim_world *world);
void sim_view_init(struct sim_host *host);

#endif
