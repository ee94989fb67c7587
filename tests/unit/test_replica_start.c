/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a core refuses to begin with: settings that contradict each other, too little memory, metadata that are not its
 * own; and orders of an operator that cannot be carried out.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "replica_cluster.h"
#include "replica_values.h"

/* ---- memory that runs out: the allocation that fails, counted from 1; 0: none does ---- */

static unsigned int fails_at, nr_allocations;

void *__real_calloc(size_t count, size_t size);
void *__real_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_malloc(size_t size);

void *__wrap_calloc(size_t count, size_t size)
{
	return fails_at && ++nr_allocations == fails_at ? NULL : __real_calloc(count, size);
}

void *__wrap_malloc(size_t size)
{
	return fails_at && ++nr_allocations == fails_at ? NULL : __real_malloc(size);
}

static int teardown(void **state)
{
	fails_at = 0;
	return cluster_teardown(state);
}

/* Of the second member of three, with what a process has. */
static struct replica_settings good_settings(struct cluster *cluster)
{
	struct replica_settings settings;

	cluster->member[B].incarnation = 7;
	cluster_settings(cluster, B, &settings);
	return settings;
}

static const struct replica_world no_world;

static int create(const struct replica_settings *settings)
{
	struct replica *replica = NULL;
	int error = replica_create(&replica, settings, &no_world, NULL);

	assert_true(!error == !!replica);
	replica_destroy(replica);
	return error;
}

#define REFUSED(change)                                                                                                \
	do {                                                                                                           \
		struct replica_settings s = good_settings(*state);                                                     \
                                                                                                                       \
		change;                                                                                                \
		assert_int_equal(create(&s), -EINVAL);                                                                 \
	} while (0)

static void test_settings(void **state)
{
	struct replica_settings good = good_settings(*state);

	assert_int_equal(create(&good), 0);
	REFUSED(s.members = 0);
	REFUSED(s.members = MEMBERS_MAX + 1);
	REFUSED(s.self = -1);
	REFUSED(s.self = s.members);
	REFUSED(s.nr_devices = 0);
	REFUSED(s.nr_devices = REPLICA_DEVICES_MAX + 1);
	REFUSED(s.process.incarnation = 0);
	REFUSED(s.process.boot = 0);
	REFUSED(s.list[0].node = 0);
	REFUSED(s.list[2].node = s.list[1].node);
	REFUSED(s.lease = 3);
	REFUSED(s.lease = REPLICA_LEASE_MAX + 1);
	REFUSED(s.drift = 500000);
	REFUSED(s.heartbeat = 0);
	REFUSED(s.election_delay = 0);
	REFUSED(s.flush_interval = 0);
	REFUSED(s.open_grace = 0);
	REFUSED(s.list[0].node = 0);
	REFUSED(s.window = 0);
	REFUSED(s.window = UINT16_MAX + 1);
	REFUSED(s.window_bytes = 0);
	REFUSED(s.requests = 0);
	REFUSED(s.requests = 1u << 20);
	REFUSED(s.clients = 0);
	REFUSED(s.copies = 0);
	REFUSED(s.block_size = 0);
	REFUSED(s.block_size = 3 * 512);
	REFUSED(s.block_size = 256);
	REFUSED(s.extent_size = 0);
	REFUSED(s.extent_size = 3 * CLUSTER_BLOCK);
	REFUSED(s.extent_size = s.block_size / 2);
	REFUSED(s.copy_size = s.block_size / 2);
	REFUSED(s.copy_size = s.block_size + 512);
	REFUSED(s.copy_size = 2 * MESSAGE_DATA_MAX);
}

/* Whichever allocation fails, what was allocated before it is freed (which the sanitizers see). */
static void test_no_memory(void **state)
{
	struct replica_settings settings = good_settings(*state);
	int error = -ENOMEM;

	for (unsigned int i = 1; error; i++) {
		assert_true(i < 100);
		nr_allocations = 0;
		fails_at = i;
		error = create(&settings);
		fails_at = 0;
		assert_true(error == (i <= nr_allocations ? -ENOMEM : 0));
	}
}

/* ---- metadata ---- */

static struct replica_settings fresh_settings(struct cluster *cluster)
{
	struct replica_settings settings = good_settings(cluster);

	settings.list[B].node = REPLICA_VALUES_NODE;
	settings.list[C].node = REPLICA_VALUES_NODE + 1;
	settings.devices[0].name_checksum = replica_values_slot().names[0];
	return settings;
}

/* Of the set that these settings are for. */
static struct metadata_slot fitting_slot(struct cluster *cluster)
{
	struct replica_settings settings = fresh_settings(cluster);
	struct metadata_slot slot = replica_values_slot();

	slot.configuration.digest = member_list_digest(settings.list, settings.members);
	/* Of the one device that there is. */
	slot.configuration.sizes[1] = 0;
	return slot;
}

static struct replica *fresh(struct cluster *cluster, struct replica **replica)
{
	struct replica_settings settings = fresh_settings(cluster);

	assert_int_equal(replica_create(replica, &settings, &no_world, NULL), 0);
	return *replica;
}

static void test_slots(void **state)
{
	struct metadata_slot slot = fitting_slot(*state);
	unsigned char bytes[METADATA_SLOT_SIZE], zeroes[METADATA_SLOT_SIZE] = { 0 };
	struct replica *replica;
	struct replica_status status;

	metadata_encode_slot(&slot, bytes);
	fresh(*state, &replica);
	assert_null(replica_load_slot(replica, 0, zeroes, sizeof(zeroes)));
	replica_status(replica, &status);
	assert_int_equal(status.configuration.epoch, 0);
	assert_null(replica_load_slot(replica, 1, bytes, sizeof(bytes)));
	replica_status(replica, &status);
	assert_int_equal(status.configuration.epoch, slot.configuration.epoch);
	/* An older one does not count, whichever comes first. */
	slot.sequence--;
	slot.promised_epoch++;
	slot.configuration.epoch++;
	metadata_encode_slot(&slot, bytes);
	assert_null(replica_load_slot(replica, 0, bytes, sizeof(bytes)));
	replica_status(replica, &status);
	assert_int_equal(status.configuration.epoch, slot.configuration.epoch - 1);
	replica_destroy(replica);

	/* Another node's, and a newer version's: the process must not start. */
	fresh(*state, &replica);
	slot.node++;
	metadata_encode_slot(&slot, bytes);
	assert_non_null(replica_load_slot(replica, 0, bytes, sizeof(bytes)));
	slot.node--;
	/* Of a device with another name. */
	slot.names[0]++;
	metadata_encode_slot(&slot, bytes);
	assert_non_null(replica_load_slot(replica, 0, bytes, sizeof(bytes)));
	slot.names[0]--;
	/* Of another list of members: nothing would be kept for who is not in this one. */
	slot.configuration.digest++;
	metadata_encode_slot(&slot, bytes);
	assert_non_null(strstr(replica_load_slot(replica, 0, bytes, sizeof(bytes)), "list of members"));
	slot.configuration.digest--;
	metadata_encode_slot(&slot, bytes);
	bytes[4]++; /* its version */
	replica_values_seal_metadata(bytes, sizeof(bytes));
	assert_non_null(replica_load_slot(replica, 0, bytes, sizeof(bytes)));
	replica_destroy(replica);
}

/* The set has more devices than the configuration file, or fewer. */
static void test_other_devices(void **state)
{
	struct metadata_slot slot = fitting_slot(*state);
	unsigned char bytes[METADATA_SLOT_SIZE];
	struct replica *replica;

	fresh(*state, &replica);
	slot.configuration.sizes[1] = 512;
	metadata_encode_slot(&slot, bytes);
	assert_non_null(replica_load_slot(replica, 0, bytes, sizeof(bytes)));
	slot.configuration.sizes[0] = slot.configuration.sizes[1] = 0;
	metadata_encode_slot(&slot, bytes);
	assert_non_null(replica_load_slot(replica, 0, bytes, sizeof(bytes)));
	replica_destroy(replica);
}

static void test_sectors(void **state)
{
	struct metadata_slot slot = fitting_slot(*state);
	uint64_t bits[METADATA_SECTOR_BITS / 64] = { 1 };
	unsigned char bytes[METADATA_SLOT_SIZE];
	struct metadata_place log = { METADATA_LOG, 0, 0, 0 }, of_b = { METADATA_BITS, 0, B, 0 };
	const struct metadata_place nowhere[] = {
		{ METADATA_SLOT, 0, 0, 0 },
		{ METADATA_LOG, 1, 0, 0 },
		{ METADATA_LOG, 0, 0, 1 },
		{ METADATA_BITS, 0, 0, 1 },
		{ METADATA_BITS, 0, MEMBERS_MAX - 1, 0 },
	};
	struct set_id other = { { 1 } };
	struct replica *replica;

	/* Without a slot no sector counts, whatever it is. */
	fresh(*state, &replica);
	metadata_encode_sector(&log, &other, slot.node, bits, bytes);
	assert_null(replica_load_sector(replica, &log, bytes, METADATA_SECTOR));
	replica_destroy(replica);
	metadata_encode_slot(&slot, bytes);
	fresh(*state, &replica);
	assert_null(replica_load_slot(replica, 0, bytes, sizeof(bytes)));
	/* What nobody would have saved is left alone. */
	metadata_encode_sector(&log, &slot.set, slot.node, bits, bytes);
	for (unsigned int i = 0; i < sizeof(nowhere) / sizeof(nowhere[0]); i++)
		assert_null(replica_load_sector(replica, &nowhere[i], bytes, METADATA_SECTOR));
	metadata_encode_sector(&of_b, &slot.set, slot.node, bits, bytes);
	assert_null(replica_load_sector(replica, &of_b, bytes, METADATA_SECTOR));
	/* Of another set, and of a newer version. */
	metadata_encode_sector(&log, &other, slot.node, bits, bytes);
	assert_non_null(replica_load_sector(replica, &log, bytes, METADATA_SECTOR));
	metadata_encode_sector(&log, &slot.set, slot.node, bits, bytes);
	bytes[4]++; /* its version */
	replica_values_seal_metadata(bytes, METADATA_SECTOR);
	assert_non_null(replica_load_sector(replica, &log, bytes, METADATA_SECTOR));
	/* One of zeroes is one that is not there. */
	memset(bytes, 0, sizeof(bytes));
	assert_null(replica_load_sector(replica, &log, bytes, METADATA_SECTOR));
	replica_destroy(replica);
}

/* ---- orders ---- */

static void test_promote_refused(void **state)
{
	struct cluster *cluster = *state;
	struct replica *a, *b;
	const char *why = NULL;

	/* Before there is a set there is nobody who could hand over, and nothing to give up. */
	cluster_start(cluster, B);
	b = cluster->member[B].replica;
	assert_int_equal(replica_promote(b, cluster->now, B, &why), -EAGAIN);
	assert_int_equal(replica_invalidate(b, cluster->now, &why), -EINVAL);
	cluster_start(cluster, A);
	cluster_start(cluster, C);
	a = cluster->member[A].replica;
	cluster_until(cluster, cluster_serves, A);
	cluster_until(cluster, cluster_in_sync, B);
	cluster_until(cluster, cluster_in_sync, C);
	assert_int_equal(replica_promote(b, cluster->now, A, &why), -EAGAIN);
	assert_non_null(why);
	assert_int_equal(replica_promote(a, cluster->now, -1, &why), -EINVAL);
	assert_int_equal(replica_promote(a, cluster->now, 3, &why), -EINVAL);
	assert_int_equal(replica_promote(a, cluster->now, A, &why), -EAGAIN);
	cluster_kill(cluster, C);
	assert_int_equal(replica_promote(a, cluster->now, C, &why), -EAGAIN);
	assert_int_equal(replica_promote(a, cluster->now, B, &why), 0);
	cluster_until(cluster, cluster_serves, B);
}

static void test_force_withdrawn(void **state)
{
	struct cluster *cluster = *state;
	uint64_t generation;
	const char *why;

	cluster_begin(cluster);
	generation = cluster_status(cluster, A).configuration.generation.id;
	cluster_kill(cluster, A);
	cluster_kill(cluster, C);
	cluster_go(cluster, 2 * CLUSTER_LEASE);
	assert_true(replica_withdraw_force(cluster->member[B].replica, cluster->now));
	assert_int_equal(replica_force(cluster->member[B].replica, cluster->now, member_bit(A), &why), 0);
	cluster_go(cluster, 2 * CLUSTER_LEASE);
	assert_int_equal(cluster_status(cluster, B).forces_without, member_bit(A));
	assert_true(replica_withdraw_force(cluster->member[B].replica, cluster->now));
	assert_int_equal(cluster_status(cluster, B).forces_without, 0);
	/* With C it could be carried out. */
	cluster_start(cluster, C);
	cluster_until(cluster, cluster_serves, B);
	cluster_go(cluster, 2 * CLUSTER_LEASE);
	assert_int_equal(cluster_status(cluster, B).configuration.dead, 0);
	assert_int_equal(cluster_status(cluster, B).configuration.generation.id, generation);
}

/* All that B sends once it has accepted that A is dead. */
static bool after_acceptance(struct cluster *cluster, int from, int to, enum message_type type)
{
	(void)to;
	(void)type;
	return from == B && cluster_status(cluster, B).configuration.dead;
}

/* What this member has accepted itself is settled some day: whoever gave the order is told so. */
static void test_force_withdrawn_late(void **state)
{
	struct cluster *cluster = *state;
	const char *why;

	cluster_begin(cluster);
	cluster_kill(cluster, A);
	cluster_kill(cluster, C);
	cluster->loses = after_acceptance;
	cluster_start(cluster, C);
	assert_int_equal(replica_force(cluster->member[B].replica, cluster->now, member_bit(A), &why), 0);
	cluster_go(cluster, 10 * CLUSTER_LEASE);
	assert_int_equal(cluster_status(cluster, B).configuration.dead, member_bit(A));
	assert_false(replica_withdraw_force(cluster->member[B].replica, cluster->now));
	cluster_lose_nothing(cluster);
	cluster_until(cluster, cluster_serves, B);
	assert_int_equal(cluster_status(cluster, B).configuration.dead, member_bit(A));
}

/* A second one takes the place of the first with all that it has proposed. */
static void test_force_corrected(void **state)
{
	const member_set mistaken = member_bit(A) | member_bit(D);
	struct cluster *cluster = *state;
	const char *why;

	cluster_begin(cluster);
	cluster_kill(cluster, A);
	for (int i = C; i <= E; i++)
		cluster_kill(cluster, i);
	cluster_go(cluster, 2 * CLUSTER_LEASE);
	assert_int_equal(replica_force(cluster->member[B].replica, cluster->now, mistaken, &why), 0);
	cluster_go(cluster, CLUSTER_LEASE);
	assert_int_equal(replica_force(cluster->member[B].replica, cluster->now, member_bit(A), &why), 0);
	cluster_start(cluster, E);
	cluster_go(cluster, 5 * CLUSTER_LEASE);
	assert_int_equal(cluster_primary(cluster), NO_MEMBER);
	cluster_start(cluster, C);
	cluster_until(cluster, cluster_serves, B);
	assert_int_equal(cluster_status(cluster, B).configuration.dead, member_bit(A));
}

static void test_force_refused(void **state)
{
	struct cluster *cluster = *state;
	const char *why = NULL;

	cluster_end(cluster);
	cluster_init(cluster, 3, member_bit(C));
	cluster_start(cluster, A);
	/* Nothing was ever decided. */
	assert_int_equal(replica_force(cluster->member[A].replica, cluster->now, member_bit(B), &why), -EINVAL);
	assert_non_null(why);
	cluster_start(cluster, B);
	cluster_start(cluster, C);
	cluster_until(cluster, cluster_serves, A);
	cluster_kill(cluster, A);
	assert_int_equal(replica_force(cluster->member[C].replica, cluster->now, member_bit(A), &why), -EINVAL);
	assert_int_equal(replica_force(cluster->member[B].replica, cluster->now, 0, &why), -EINVAL);
	assert_int_equal(replica_force(cluster->member[B].replica, cluster->now, member_bit(A) | member_bit(B), &why),
			 -EINVAL);
	assert_int_equal(replica_force(cluster->member[B].replica, cluster->now, member_bit(5), &why), -EINVAL);
	assert_int_equal(replica_force(cluster->member[B].replica, cluster->now, member_bit(A), &why), 0);
	cluster_until(cluster, cluster_serves, B);
}

/* Of two images with data the order says which is the set's; nobody chooses by itself. */
static void test_init_from(void **state)
{
	struct cluster *cluster = *state;
	struct replica_status status;
	const char *why = NULL;

	cluster->member[C].diskless = true;
	for (int i = A; i <= B; i++) {
		cluster->member[i].has_data = true;
		memset(cluster->member[i].image, 10 + i, CLUSTER_SIZE);
	}
	cluster_start_all(cluster);
	cluster_go(cluster, CLUSTER_LEASE * 5);
	replica_status(cluster->member[A].replica, &status);
	assert_int_equal(status.configuration.epoch, 0);
	assert_non_null(status.blocked);
	assert_int_equal(replica_init_from(cluster->member[A].replica, cluster->now, -1, &why), -EINVAL);
	assert_int_equal(replica_init_from(cluster->member[A].replica, cluster->now, 3, &why), -EINVAL);
	assert_int_equal(replica_init_from(cluster->member[A].replica, cluster->now, C, &why), -EINVAL);
	assert_non_null(why);
	/* Given to another than who it names it only keeps that one from choosing itself. */
	assert_int_equal(replica_init_from(cluster->member[A].replica, cluster->now, B, &why), 0);
	cluster_go(cluster, CLUSTER_LEASE * 5);
	assert_int_equal(cluster_primary(cluster), NO_MEMBER);
	assert_int_equal(replica_init_from(cluster->member[B].replica, cluster->now, B, &why), 0);
	cluster_until(cluster, cluster_serves, B);
	cluster_until(cluster, cluster_in_sync, A);
	assert_memory_equal(cluster->member[A].image, cluster->member[B].image, CLUSTER_SIZE);
	assert_int_equal(cluster->member[A].image[0], 10 + B);
	assert_int_equal(replica_init_from(cluster->member[B].replica, cluster->now, B, &why), -EINVAL);
}

/* One with data is taken by itself, and the new ones are brought up from it; an image that is too small is not. */
static void test_one_with_data(void **state)
{
	struct cluster *cluster = *state;

	cluster->member[B].has_data = true;
	memset(cluster->member[B].image, 5, CLUSTER_SIZE);
	cluster_start_all(cluster);
	cluster_until(cluster, cluster_serves, B);
	cluster_until(cluster, cluster_in_sync, A);
	cluster_until(cluster, cluster_in_sync, C);
	assert_memory_equal(cluster->member[A].image, cluster->member[B].image, CLUSTER_SIZE);
	assert_memory_equal(cluster->member[C].image, cluster->member[B].image, CLUSTER_SIZE);
}

static void halve_a(struct cluster *cluster, int member, struct replica_settings *settings)
{
	(void)cluster;
	if (member == A)
		settings->devices[0].size = CLUSTER_SIZE / 2;
}

static void test_smaller_image_at_birth(void **state)
{
	struct cluster *cluster = *state;

	cluster->adjust = halve_a;
	cluster->member[B].has_data = true;
	cluster_start_all(cluster);
	cluster_until(cluster, cluster_serves, B);
	cluster_until(cluster, cluster_in_sync, C);
	cluster_go(cluster, CLUSTER_LEASE * 10);
	assert_false(cluster_in_sync(cluster, A));
}

/* The least of all images is the size of a new set. */
static void test_smaller_image_of_blank_set(void **state)
{
	struct cluster *cluster = *state;
	struct replica_status status;
	struct cluster_request write;
	uint32_t client;

	cluster->adjust = halve_a;
	cluster_start_all(cluster);
	while (cluster_primary(cluster) == NO_MEMBER)
		cluster_go(cluster, CLUSTER_HEARTBEAT);
	replica_status(cluster->member[cluster_primary(cluster)].replica, &status);
	client = cluster_open(cluster, B);
	assert_int_equal(cluster_write_now(cluster, B, client, status.configuration.sizes[0] - 4096, 1), 0);
	/* Beyond what was decided, though it is within B's own image. */
	if (status.configuration.sizes[0] < CLUSTER_SIZE) {
		cluster_write(cluster, B, client, &write, status.configuration.sizes[0], 4096, 1);
		cluster_go(cluster, CLUSTER_LEASE);
		assert_int_equal(write.result, -EINVAL);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_settings, cluster_setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_memory, cluster_setup, teardown),
		cmocka_unit_test_setup_teardown(test_slots, cluster_setup, teardown),
		cmocka_unit_test_setup_teardown(test_other_devices, cluster_setup, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_sectors, cluster_setup, teardown),
		cmocka_unit_test_setup_teardown(test_promote_refused, cluster_setup, teardown),
		cmocka_unit_test_setup_teardown(test_force_withdrawn, cluster_setup, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_force_withdrawn_late, cluster_setup, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_force_corrected, cluster_setup_five, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_force_refused, cluster_setup, teardown),
		cmocka_unit_test_setup_teardown(test_init_from, cluster_setup, teardown),
		cmocka_unit_test_setup_teardown(test_one_with_data, cluster_setup, teardown),
		cmocka_unit_test_setup_teardown(test_smaller_image_at_birth, cluster_setup, teardown),
		cmocka_unit_test_setup_teardown(test_smaller_image_of_blank_set, cluster_setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
