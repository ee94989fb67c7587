/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See replica_stray.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core.h"
#include "replica_cluster.h"
#include "replica_stray.h"

unsigned char stray_data[CLUSTER_BLOCK];

bool stray_is_for_all(enum message_type type)
{
	switch (type) {
	case MESSAGE_HELLO:
	case MESSAGE_STATUS:
	case MESSAGE_FETCH:
	case MESSAGE_CONFIGURATION:
	case MESSAGE_COLLECT:
	case MESSAGE_PROPOSE:
	case MESSAGE_LEARN:
		return true;
	default:
		return false;
	}
}

void stray_settle(struct cluster *cluster)
{
	cluster_lose_nothing(cluster);
	cluster_go(cluster, CLUSTER_HEARTBEAT);
	cluster_all_in_sync(cluster);
}

void stray_assert_well(struct cluster *cluster, const struct replica_configuration *before)
{
	static unsigned char byte = 100;
	struct replica_configuration now;
	uint32_t client;
	int primary;

	stray_settle(cluster);
	primary = cluster_primary(cluster);
	now = cluster_status(cluster, primary).configuration;
	assert_int_equal(now.generation.id, before->generation.id);
	client = cluster_open(cluster, C);
	assert_int_equal(cluster_write_now(cluster, C, client, CLUSTER_BLOCK, ++byte), 0);
	assert_int_equal(cluster_read_now(cluster, C, client, CLUSTER_BLOCK), byte);
	replica_forget_client(cluster->member[C].replica, cluster->now, client);
	cluster_go(cluster, CLUSTER_HEARTBEAT / 10);
	for (int i = 0; i < cluster->members; i++)
		assert_memory_equal(cluster->member[i].image, cluster->member[primary].image, CLUSTER_SIZE);
	/* Of what was sent nothing is there. */
	for (int i = 0; i < cluster->members; i++)
		assert_int_equal(cluster->member[i].image[0], 1);
}

void stray_send(struct cluster *cluster, int from, int to, const struct message *message)
{
	while (!cluster->up[from][to] || !cluster->up[to][from])
		cluster_go(cluster, CLUSTER_HEARTBEAT);
	cluster_send(cluster, from, to, message, stray_data);
	cluster_go(cluster, CLUSTER_HEARTBEAT / 100);
}

void stray_write(struct cluster *cluster)
{
	uint32_t client = cluster_open(cluster, A);

	assert_int_equal(cluster_write_now(cluster, A, client, 0, 1), 0);
	/* From then on a request of a client that is not known is not taken for one of a client that was forgotten. */
	cluster_go(cluster, CLUSTER_LEASE * 3);
}

struct replica_configuration stray_begin(struct cluster *cluster)
{
	cluster_begin(cluster);
	stray_write(cluster);
	return cluster_status(cluster, A).configuration;
}

struct message stray_message(struct cluster *cluster, int from, enum message_type type)
{
	memset(stray_data, 0xee, sizeof(stray_data));
	return cluster_message(cluster, from, type, stray_data);
}
