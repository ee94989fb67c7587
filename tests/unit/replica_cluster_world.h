/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What replica_cluster.c needs of the world that its cores are in. */
#ifndef REPLICA_CLUSTER_WORLD_H
#define REPLICA_CLUSTER_WORLD_H

#include "replica_cluster.h"

/* What replica_user() of a core is. */
struct cluster_process {
	struct cluster *cluster;
	int member;
};

extern const struct replica_world cluster_world;

/* Bytes of frames that were not delivered yet. */
size_t cluster_under_way(const struct cluster *cluster, int from, int to);
/* Does it, on the member's image. Its result. */
int cluster_carry_out(struct cluster_member *member, struct io *io);

#endif
