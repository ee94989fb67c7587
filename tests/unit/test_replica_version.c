/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Members of two versions in one set. The newer one is made up (settings.made_up): it speaks wire version 2 as well,
 * has a feature that shows in each WRITE, and reads metadata of version 2.
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

#define SECOND CLUSTER_LEASE

static member_set newer;				     /* who is started as that version */
static unsigned int wires[CLUSTER_MEMBERS][CLUSTER_MEMBERS]; /* version of the last frame but HELLO */
static unsigned int made_up;				     /* WRITEs that had the feature */
static void (*change)(struct replica_settings *settings);    /* of B */

static void adjust(struct cluster *cluster, int member, struct replica_settings *settings)
{
	(void)cluster;
	settings->made_up = member_in(newer, member);
	if (change && member == B)
		change(settings);
}

/* Loses nothing, and looks at all. */
static bool looks(struct cluster *cluster, int from, int to, enum message_type type)
{
	const unsigned char *bytes = cluster->delivered;
	struct message message;
	const void *data;

	if (type == MESSAGE_HELLO)
		return false;
	wires[from][to] = bytes[3];
	assert_null(message_decode(bytes, cluster->delivered_size, &message, &data));
	made_up += (message.flags & MESSAGE_MADE_UP) != 0;
	return false;
}

static int setup(void **state)
{
	int error = cluster_setup(state);
	struct cluster *cluster = *state;

	cluster->adjust = adjust;
	cluster->loses = looks;
	newer = 0;
	made_up = 0;
	change = NULL;
	return error;
}

static void all_in_sync(struct cluster *cluster)
{
	for (int i = 0; i < cluster->members; i++)
		cluster_until(cluster, cluster_in_sync, i);
}

static void restart(struct cluster *cluster, int member, bool as_newer)
{
	cluster_kill(cluster, member);
	cluster_go(cluster, SECOND);
	newer = (member_set)(as_newer ? newer | member_bit(member) : newer & ~member_bit(member));
	cluster_start(cluster, member);
	all_in_sync(cluster);
}

static void write_one(struct cluster *cluster, unsigned char byte)
{
	int primary = cluster_primary(cluster);
	uint32_t client = cluster_open(cluster, primary);

	made_up = 0;
	assert_int_equal(cluster_write_now(cluster, primary, client, 0, byte), 0);
	for (int i = 0; i < cluster->members; i++)
		assert_int_equal(cluster->member[i].image[0], byte);
}

static unsigned int written_as(struct cluster *cluster, int member)
{
	return metadata_version(cluster->member[member].slots[0], METADATA_SLOT_SIZE);
}

/* One after the other is updated; one of them goes back before all are. */
static void test_up_and_down_again(void **state)
{
	struct cluster *cluster = *state;

	cluster_start_all(cluster);
	all_in_sync(cluster);
	write_one(cluster, 1);
	restart(cluster, B, true);
	restart(cluster, C, true);
	assert_int_equal(wires[A][B], 1);
	assert_int_equal(wires[B][C], 2);
	/* The primary has it, too: A does not. */
	cluster_kill(cluster, A);
	cluster_go(cluster, 5 * SECOND);
	cluster_start(cluster, A);
	all_in_sync(cluster);
	assert_int_not_equal(cluster_primary(cluster), A);
	write_one(cluster, 2);
	assert_int_equal(made_up, 0);
	for (int i = 0; i < 3; i++)
		assert_int_equal(written_as(cluster, i), 1);
	restart(cluster, B, false);
	write_one(cluster, 3);
	assert_int_equal(wires[B][C], 1);
	/* Now all. */
	restart(cluster, B, true);
	restart(cluster, A, true);
	write_one(cluster, 4);
	assert_true(made_up > 0);
	cluster_go(cluster, 5 * SECOND);
	for (int i = 0; i < 3; i++)
		assert_int_equal(written_as(cluster, i), 2);
}

/* What one that is away can is remembered, also over a restart; one that was never seen can nothing. */
static void test_remembered(void **state)
{
	struct cluster *cluster = *state;

	newer = member_bit(A) | member_bit(B);
	cluster_start_all(cluster);
	all_in_sync(cluster);
	cluster_kill(cluster, C);
	cluster_kill(cluster, B);
	cluster_go(cluster, SECOND);
	cluster_start(cluster, B);
	cluster_until(cluster, cluster_in_sync, B);
	assert_int_equal(cluster_write_now(cluster, A, cluster_open(cluster, A), 0, 1), 0);
	assert_int_equal(made_up, 0);
	/* C is updated, and goes again: the feature is used without it. */
	newer |= member_bit(C);
	cluster_start(cluster, C);
	all_in_sync(cluster);
	cluster_kill(cluster, C);
	cluster_kill(cluster, A);
	cluster_kill(cluster, B);
	cluster_start(cluster, A);
	cluster_start(cluster, B);
	cluster_until(cluster, cluster_in_sync, A);
	made_up = 0;
	assert_int_equal(cluster_write_now(cluster, A, cluster_open(cluster, A), 0, 2), 0);
	assert_true(made_up > 0);
}

/* It is not started by the older version any more, and nothing is overwritten. */
static void test_no_way_back(void **state)
{
	struct cluster *cluster = *state;
	struct replica_settings settings;
	struct replica *replica;
	static const struct replica_world none;

	newer = member_bit(A) | member_bit(B) | member_bit(C);
	cluster_start_all(cluster);
	all_in_sync(cluster);
	write_one(cluster, 1);
	assert_true(made_up > 0);
	cluster_go(cluster, 5 * SECOND);
	cluster_kill(cluster, B);
	newer = member_bit(A) | member_bit(C);
	cluster_settings(cluster, B, &settings);
	settings.process = (struct process_id){ 99, 2 };
	assert_int_equal(replica_create(&replica, &settings, &none, NULL), 0);
	assert_non_null(replica_load_slot(replica, 0, cluster->member[B].slots[0], METADATA_SLOT_SIZE));
	replica_destroy(replica);
	newer |= member_bit(B);
	cluster_start(cluster, B);
	all_in_sync(cluster);
}

static void another_window(struct replica_settings *settings)
{
	settings->window *= 2;
}

static void other_requests(struct replica_settings *settings)
{
	settings->requests++;
}

static void other_clients(struct replica_settings *settings)
{
	settings->clients++;
}

static void other_blocks(struct replica_settings *settings)
{
	settings->block_size /= 2;
}

static void other_extents(struct replica_settings *settings)
{
	settings->extent_size *= 2;
}

/* Members that would keep other things in mind do not talk to each other. */
static void test_settings_differ(void **state)
{
	static void (*const changes[])(struct replica_settings *) = { another_window, other_requests, other_clients,
								      other_blocks, other_extents };
	struct cluster *cluster = *state;

	for (unsigned int i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		struct replica_status status;

		cluster_start_all(cluster);
		all_in_sync(cluster);
		cluster_kill(cluster, B);
		change = changes[i];
		cluster_start(cluster, B);
		cluster_go(cluster, 3 * SECOND);
		replica_status(cluster->member[B].replica, &status);
		assert_int_equal(status.seen, member_bit(B));
		assert_true(cluster->told[A][REPLICA_EVENT_REFUSED] > 0);
		cluster_kill(cluster, B);
		change = NULL;
		cluster_start(cluster, B);
		all_in_sync(cluster);
		cluster_end(cluster);
		cluster_init(cluster, 3, 0);
		cluster->adjust = adjust;
	}
}

/* The highest that both speak, or none. */
static void test_agree(void **state)
{
	struct cluster *cluster = *state;
	const struct replica *replica;

	newer = member_bit(B);
	cluster_start_all(cluster);
	replica = cluster->member[A].replica;
	assert_int_equal(version_agree(replica, 1, 1), 1);
	assert_int_equal(version_agree(replica, 1, 9), 1);
	assert_int_equal(version_agree(replica, 2, 9), 0);
	assert_int_equal(version_agree(replica, 0, 0), 0);
	replica = cluster->member[B].replica;
	assert_int_equal(version_agree(replica, 1, 1), 1);
	assert_int_equal(version_agree(replica, 1, 9), 2);
	assert_int_equal(version_agree(replica, 3, 9), 0);
}

/* What is no piece of metadata by its size is left to who decodes it. */
static void test_read(void **state)
{
	static unsigned char bytes[METADATA_SLOT_SIZE + 1], copy[METADATA_SLOT_SIZE];
	struct cluster *cluster = *state;
	const struct replica *replica;

	newer = member_bit(A) | member_bit(B) | member_bit(C);
	cluster_start_all(cluster);
	all_in_sync(cluster);
	cluster_go(cluster, 5 * SECOND);
	replica = cluster->member[A].replica;
	memcpy(bytes, cluster->member[A].slots[0], METADATA_SLOT_SIZE);
	assert_ptr_equal(version_read(replica, bytes, sizeof(bytes), copy), bytes);
	assert_ptr_equal(version_read(replica, bytes, 16, copy), bytes);
	assert_ptr_equal(version_read(replica, bytes, METADATA_SLOT_SIZE, copy), copy);
	assert_int_equal(metadata_version(copy, METADATA_SLOT_SIZE), METADATA_VERSION);
}

/* A frame of another wire version than the session's, or with what only a newer version has, ends the session. */
static void test_other_frames(void **state)
{
	struct cluster *cluster = *state;
	static unsigned char data[CLUSTER_BLOCK];
	struct message message;

	newer = member_bit(B) | member_bit(C);
	cluster_start_all(cluster);
	all_in_sync(cluster);
	message = cluster_message(cluster, B, MESSAGE_STATUS, data);
	message.wire = 1;
	assert_false(cluster_send(cluster, B, C, &message, NULL));
	all_in_sync(cluster);
	message = cluster_message(cluster, B, MESSAGE_STATUS, data);
	message.wire = 1;
	message.flags = MESSAGE_MADE_UP;
	assert_false(cluster_send(cluster, B, A, &message, NULL));
	cluster_go(cluster, SECOND);
	all_in_sync(cluster);
	write_one(cluster, 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_agree, setup, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_read, setup, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_other_frames, setup, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_up_and_down_again, setup, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_remembered, setup, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_no_way_back, setup, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_settings_differ, setup, cluster_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
