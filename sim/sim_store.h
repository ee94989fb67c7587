/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a process asks of its host's disks: when an io or a save ends, what becomes of those under way when the process
 * dies. The contents are sim_disk.h's and sim_state.h's.
 */
#ifndef RDISK_SIM_STORE_H
#define RDISK_SIM_STORE_H

#include "sim_world.h"

/* For struct replica_world. */
enum io_answer sim_store_submit(struct replica *replica, int device, struct io *io);
void sim_store_save(struct replica *replica, struct replica_save *save);

/* The process was told of its end. */
void sim_store_io_told(struct sim_pending_io *pending);
void sim_store_save_told(struct sim_pending_save *pending);

/* The process dies: what was under way was done, or not, or by half. Its core's memory is still there. */
void sim_store_process_dies(struct sim_process *process);

/* When the last of what its kernel is doing for the host's disks ends; its files are locked until then. */
uint64_t sim_store_free_at(const struct sim_host *host);

#endif
