/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How a session begins: with one HELLO, of who is in the list and of the same set, and with nothing else; and what may
 * be said before there is a set. What comes later and does not fit is in test_replica_stray.c.
 */
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

/* A session begins with one HELLO, and nothing else. */
static void test_order_of_hello(void **state)
{
	struct cluster *cluster = *state;
	struct replica_configuration before;
	struct message message;

	before = stray_begin(cluster);
	message = cluster_message(cluster, B, MESSAGE_HELLO, stray_data);
	assert_false(cluster_send(cluster, B, A, &message, NULL));
	stray_settle(cluster);
	cluster_cut(cluster, B, true);
	cluster_go(cluster, CLUSTER_HEARTBEAT);
	cluster->up[A][B] = cluster->up[B][A] = true;
	replica_connected(cluster->member[A].replica, cluster->now, B);
	message = cluster_message(cluster, B, MESSAGE_STATUS, stray_data);
	assert_false(cluster_send(cluster, B, A, &message, NULL));
	cluster->up[B][A] = false;
	cluster_cut(cluster, B, false);
	stray_assert_well(cluster, &before);
	/* On no session at all. */
	cluster_kill(cluster, B);
	cluster->up[A][B] = cluster->up[B][A] = true;
	assert_false(cluster_send(cluster, B, A, &message, NULL));
	cluster->up[A][B] = cluster->up[B][A] = false;
	cluster_start(cluster, B);
	stray_assert_well(cluster, &before);
}

/* What no member of this list can have sent. */
static void test_wrong_names(void **state)
{
	struct cluster *cluster = *state;
	struct replica_configuration before;
	struct message message;

	before = stray_begin(cluster);
	message = cluster_message(cluster, B, MESSAGE_STATUS, stray_data);
	message.member = 3;
	assert_false(cluster_send(cluster, B, A, &message, NULL));
	stray_settle(cluster);
	message = cluster_message(cluster, B, MESSAGE_COLLECT, stray_data);
	message.ballot.member = 3;
	assert_false(cluster_send(cluster, B, A, &message, NULL));
	stray_settle(cluster);
	message = cluster_message(cluster, B, MESSAGE_CONFIGURATION, stray_data);
	message.configuration.in_sync = 0xf;
	message.configuration.processes[3] = (struct process_id){ 5, 5 };
	assert_false(cluster_send(cluster, B, A, &message, NULL));
	stray_assert_well(cluster, &before);
}

/* A HELLO that is not of the member of its session, or of another set: no session comes of it. */
static void send_hello(struct cluster *cluster, int variant)
{
	struct message message = cluster_message(cluster, B, MESSAGE_HELLO, stray_data);
	struct replica_settings settings;
	struct replica_status status;

	cluster_settings(cluster, B, &settings);
	message_put_device(stray_data, 0, (struct message_device){ CLUSTER_SIZE, settings.devices[0].name_checksum });
	message.data_size = MESSAGE_DEVICE_SIZE;
	message.process = settings.process;
	message.oldest = message.newest = 1;
	message.settings = (struct message_settings){ settings.window, settings.requests, settings.clients,
						      settings.block_size, settings.extent_size };
	message.set = message.configuration.set;
	message.digest = common_digest(message.configuration.digest, settings.lease, settings.nr_devices);
	switch (variant) {
	case 9:
		message.oldest = message.newest = MESSAGE_WIRE_NEWEST + 1;
		break;
	case 10:
		message.oldest = message.newest = 0;
		break;
	case 0:
		message.member = C;
		break;
	case 1:
		message.digest ^= 1;
		break;
	case 2:
		message.process.incarnation = 0;
		break;
	case 3:
		message.set.bytes[0] ^= 1;
		message.configuration.set.bytes[0] ^= 1;
		break;
	case 4:
		message.flags |= MESSAGE_DECIDED;
		message.configuration.generation.id ^= 2;
		message.configuration.forks[0] =
			(struct fork){ message.configuration.generation.number, message.configuration.generation.id,
				       message.configuration.epoch };
		break;
	case 5:
		message.configuration.generation.id ^= 2;
		message.configuration.generation.number++;
		message.configuration.forks[0] =
			(struct fork){ message.configuration.generation.number, message.configuration.generation.id,
				       message.configuration.epoch };
		message.configuration.dead = member_bit(A);
		message.configuration.in_sync = member_bit(B);
		message.configuration.primary = B;
		message.configuration.processes[A] = message.configuration.processes[C] = (struct process_id){ 0, 0 };
		break;
	case 6:
		message_put_device(stray_data, 0, (struct message_device){ CLUSTER_SIZE, 1 });
		break;
	case 7:
		message_put_device(stray_data, 1, (struct message_device){ CLUSTER_SIZE, 1 });
		message.data_size = 2 * MESSAGE_DEVICE_SIZE;
		break;
	}
	/* Of another line: its session is left alone, so that it hears the same; nothing comes of it. */
	assert_int_equal(cluster_send(cluster, B, A, &message, stray_data),
			 variant == 4 || variant == 5 || variant == 8);
	replica_status(cluster->member[A].replica, &status);
	assert_int_equal(member_in(status.parted, B), variant == 4 || variant == 5);
	assert_int_equal(status.members[B].connected, variant == 8);
}

static void test_wrong_hello(void **state)
{
	struct cluster *cluster = *state;
	struct replica_configuration before;

	before = stray_begin(cluster);
	for (int variant = 0; variant <= 10; variant++) {
		cluster_cut(cluster, B, true);
		cluster->up[A][B] = cluster->up[B][A] = true;
		replica_connected(cluster->member[A].replica, cluster->now, B);
		send_hello(cluster, variant);
		if (cluster->up[A][B])
			replica_disconnected(cluster->member[A].replica, cluster->now, B);
		cluster->up[A][B] = cluster->up[B][A] = false;
		cluster_cut(cluster, B, false);
		cluster_go(cluster, CLUSTER_HEARTBEAT);
	}
	stray_assert_well(cluster, &before);
}

/* Before there is a set: none of it makes one, or is kept in mind by the one that begins then. */
static void test_before_birth(void **state)
{
	struct cluster *cluster = *state;
	struct replica_configuration before;

	cluster_start(cluster, A);
	cluster_start(cluster, B);
	for (enum message_type type = 1; type < MESSAGE_TYPES; type++) {
		struct message message;

		if (stray_is_for_all(type) && type != MESSAGE_FETCH)
			continue;
		message = stray_message(cluster, B, type);
		/* What a decoder would not have refused. */
		message.epoch = message.reign = message.generation = 1;
		message.configuration = (struct replica_configuration){ 0 };
		stray_send(cluster, B, A, &message);
	}
	assert_int_equal(cluster->sent[A][MESSAGE_CONFIGURATION], 0);
	for (int i = A; i <= B; i++) {
		assert_int_equal(cluster_status(cluster, i).configuration.epoch, 0);
		assert_int_equal(cluster_primary(cluster), NO_MEMBER);
	}
	cluster_start(cluster, C);
	cluster_until(cluster, cluster_serves, A);
	for (int i = B; i <= C; i++)
		cluster_until(cluster, cluster_in_sync, i);
	stray_write(cluster);
	before = cluster_status(cluster, A).configuration;
	assert_int_equal(before.epoch, 1);
	stray_assert_well(cluster, &before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_order_of_hello, cluster_setup, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_wrong_names, cluster_setup, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_wrong_hello, cluster_setup, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_before_birth, cluster_setup, cluster_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
