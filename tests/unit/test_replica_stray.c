/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Messages that do not fit: of another epoch, reign or number, of who may not stray_send them, about what is not there,
 * of no sense. Each is ignored, or ends the session that it came on; none of them changes an image, what is decided, or
 * who serves, and the set goes on.
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

/* Each type from each to each, of an epoch, a reign or a number that is not now. */
static void test_of_another_time(void **state)
{
	struct cluster *cluster = *state;
	struct replica_configuration before;

	before = stray_begin(cluster);
	for (int from = A; from <= C; from++) {
		for (int to = A; to <= C; to++) {
			for (enum message_type type = 1; type < MESSAGE_TYPES && from != to; type++) {
				struct message message;

				if (stray_is_for_all(type))
					continue;
				for (int variant = 0; variant < 4; variant++) {
					message = stray_message(cluster, from, type);
					switch (variant) {
					case 0:
						message.epoch += 100;
						message.reign += 100;
						break;
					case 1:
						message.epoch = 0;
						message.reign = 0;
						message.generation++;
						break;
					case 2:
						message.reign++;
						message.generation++;
						break;
					default:
						message.reign--;
						message.number += UINT64_C(1) << 40;
						message.client.forwarder ^= 1;
					}
					stray_send(cluster, from, to, &message);
				}
			}
			stray_assert_well(cluster, &before);
		}
	}
}

/* Each type as of now, from who is not the one that may stray_send it: a backup to a backup. */
static void test_of_another_member(void **state)
{
	struct cluster *cluster = *state;
	struct replica_configuration before;

	before = stray_begin(cluster);
	for (enum message_type type = 1; type < MESSAGE_TYPES; type++) {
		struct message message;

		if (stray_is_for_all(type))
			continue;
		for (int from = B; from <= C; from++) {
			message = stray_message(cluster, from, type);
			stray_send(cluster, from, from == B ? C : B, &message);
		}
	}
	stray_assert_well(cluster, &before);
}

/* What the primary itself would not stray_send: nothing of it is done. */
static void test_nonsense_of_the_primary(void **state)
{
	static const uint64_t beyond[][2] = {
		{ CLUSTER_SIZE, CLUSTER_BLOCK },
		{ CLUSTER_SIZE - 1, CLUSTER_BLOCK },
	};
	struct cluster *cluster = *state;
	struct replica_configuration before;
	struct message message;

	before = stray_begin(cluster);
	for (unsigned int i = 0; i < 2; i++) {
		message = stray_message(cluster, A, MESSAGE_WRITE);
		message.number = 1000;
		message.position = beyond[i][0];
		message.length = beyond[i][1];
		stray_send(cluster, A, B, &message);
	}
	message.device = 1;
	message.position = 0;
	stray_send(cluster, A, B, &message);
	/* Zeroes that lie in two pieces of what a request may be. */
	message.device = 0;
	message.kind = ENTRY_ZEROES;
	message.data_size = 0;
	message.position = 0;
	message.length = CLUSTER_SIZE * 2;
	stray_send(cluster, A, B, &message);
	/* An entry that is complete. */
	message = cluster_message(cluster, A, MESSAGE_WRITE, stray_data);
	message.number = 1;
	stray_send(cluster, A, B, &message);
	/* A table that is none. */
	message = cluster_message(cluster, A, MESSAGE_DONE_TABLE, stray_data);
	message.data_size = 8;
	assert_false(cluster_send(cluster, A, B, &message, stray_data));
	stray_settle(cluster);
	/* What only a target is told. */
	for (int i = 0; i < 4; i++) {
		static const enum message_type types[] = { MESSAGE_COPY, MESSAGE_BITS, MESSAGE_HANDED_OVER,
							   MESSAGE_HASH };

		message = stray_message(cluster, A, types[i]);
		stray_send(cluster, A, B, &message);
	}
	stray_assert_well(cluster, &before);
}

/* Requests that the forwarder's own core would have refused. */
static void test_nonsense_of_a_forwarder(void **state)
{
	struct cluster *cluster = *state;
	struct replica_configuration before;
	struct message message;

	before = stray_begin(cluster);
	message = stray_message(cluster, B, MESSAGE_REQUEST);
	message.position = CLUSTER_SIZE;
	stray_send(cluster, B, A, &message);
	message = cluster_message(cluster, B, MESSAGE_REQUEST, stray_data);
	message.request = 2;
	message.device = 3;
	stray_send(cluster, B, A, &message);
	/* Of a client that was never opened. */
	message = cluster_message(cluster, B, MESSAGE_REQUEST, stray_data);
	message.request = 3;
	message.client.client = 77;
	cluster_go(cluster, CLUSTER_LEASE * 3);
	stray_send(cluster, B, A, &message);
	/* An answer to nothing, an answer of another process' client. */
	message = cluster_message(cluster, A, MESSAGE_ANSWER, stray_data);
	stray_send(cluster, A, B, &message);
	message.client.forwarder = cluster->member[B].incarnation;
	stray_send(cluster, A, B, &message);
	stray_assert_well(cluster, &before);
}

/* What there is of a request by its number alone: one below the lowest that the client waits for is not done again. */
static void test_request_of_before(void **state)
{
	struct cluster *cluster = *state;
	struct replica_configuration before;
	struct message message;
	uint32_t client;

	cluster_begin(cluster);
	client = cluster_open(cluster, B);
	for (int i = 0; i < 40; i++)
		assert_int_equal(cluster_write_now(cluster, B, client, 0, 1), 0);
	before = cluster_status(cluster, A).configuration;
	message = stray_message(cluster, B, MESSAGE_REQUEST);
	message.client.client = client;
	message.request = 2;
	stray_send(cluster, B, A, &message);
	stray_assert_well(cluster, &before);
}

/* When all were restarted forwarders tell of the opens that they hold: what is none of those is not taken for one. */
static void test_held_opens(void **state)
{
	struct cluster *cluster = *state;
	struct replica_configuration before;
	struct message message;
	unsigned int free_clients;
	struct replica *a;
	uint32_t client;

	stray_begin(cluster);
	cluster_kill(cluster, A);
	cluster_kill(cluster, C);
	cluster_kill(cluster, B);
	cluster_start_all(cluster);
	while (cluster_primary(cluster) == NO_MEMBER)
		cluster_go(cluster, CLUSTER_HEARTBEAT / 10);
	a = cluster->member[cluster_primary(cluster)].replica;
	before = cluster_status(cluster, cluster_primary(cluster)).configuration;
	assert_true(a->reign.adopt_until > cluster->now);
	free_clients = a->done.nr_free;
	for (int variant = 0; variant < 4; variant++) {
		int primary = cluster_primary(cluster), from = primary == B ? C : B;

		message = cluster_message(cluster, from, MESSAGE_REQUEST, stray_data);
		message.kind = ENTRY_OPEN;
		message.data_size = 0;
		message.length = 0;
		message.request = message.lowest = 0;
		message.flags = MESSAGE_HELD;
		message.device = variant == 0 ? 3 : 0;
		message.generation += variant == 1;
		message.flags |= variant == 2 ? MESSAGE_SHARED : 0;
		assert_true(cluster_send(cluster, from, primary, &message, NULL));
		cluster_go(cluster, CLUSTER_HEARTBEAT / 100);
		/* The last one is one. */
		assert_int_equal(a->done.nr_free, free_clients - (variant == 3));
	}
	/* It is told of again, and by then it is known; and another that excludes it is not believed any more. */
	for (uint32_t i = 1; i <= 2; i++) {
		message.client.client = i;
		assert_true(cluster_send(cluster, cluster_primary(cluster) == B ? C : B, cluster_primary(cluster),
					 &message, NULL));
		cluster_go(cluster, CLUSTER_HEARTBEAT / 100);
		assert_int_equal(a->done.nr_free, free_clients - 1);
	}
	/* A write of one that cannot have it open with the other. */
	message.kind = ENTRY_WRITE;
	message.flags = MESSAGE_HELD;
	message.length = message.data_size = CLUSTER_BLOCK;
	message.request = message.lowest = 1;
	assert_true(cluster_send(cluster, cluster_primary(cluster) == B ? C : B, cluster_primary(cluster), &message,
				 stray_data));
	cluster_go(cluster, CLUSTER_HEARTBEAT / 100);
	assert_int_equal(a->done.nr_free, free_clients - 1);
	/* And of a device that is not there. */
	message.kind = ENTRY_FLUSH;
	message.length = message.data_size = 0;
	message.device = 3;
	memset(cluster->sent, 0, sizeof(cluster->sent));
	assert_true(
		cluster_send(cluster, cluster_primary(cluster) == B ? C : B, cluster_primary(cluster), &message, NULL));
	assert_int_equal(cluster->sent[cluster_primary(cluster)][MESSAGE_ANSWER], 1);
	stray_settle(cluster);
	/* Nobody stands behind the one that was taken: its process has a client of that name that closes. */
	message.device = 0;
	message.kind = ENTRY_CLOSE;
	message.client.client = 1;
	message.flags = 0;
	message.request = message.lowest = 7;
	assert_true(
		cluster_send(cluster, cluster_primary(cluster) == B ? C : B, cluster_primary(cluster), &message, NULL));
	cluster_go(cluster, 2 * CLUSTER_GRACE);
	client = cluster_open(cluster, A);
	assert_int_equal(cluster_write_now(cluster, A, client, 0, 1), 0);
	replica_forget_client(cluster->member[A].replica, cluster->now, client);
	stray_assert_well(cluster, &before);
}

/* ---- bringing up, and a new primary ---- */

/* C is a target that waits for a copy: what it is told beside what it is to be told. */
static void test_nonsense_to_a_target(void **state)
{
	static const enum message_type types[] = { MESSAGE_COPY, MESSAGE_BITS, MESSAGE_HANDED_OVER, MESSAGE_WRITE,
						   MESSAGE_FLUSH };
	struct cluster *cluster = *state;
	struct replica_configuration before;
	struct message message;

	before = stray_begin(cluster);
	cluster_kill(cluster, C);
	for (uint64_t at = CLUSTER_BLOCK; at < 4 * CLUSTER_BLOCK; at += CLUSTER_BLOCK)
		assert_int_equal(cluster_write_now(cluster, A, cluster_open(cluster, A), at, 1), 0);
	cluster_lose(cluster, MESSAGE_COPY, NO_MEMBER);
	cluster_start(cluster, C);
	cluster_go(cluster, CLUSTER_HEARTBEAT);
	assert_false(cluster_in_sync(cluster, C));
	/* From who is no primary, or of another reign. */
	for (unsigned int i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		message = stray_message(cluster, B, types[i]);
		stray_send(cluster, B, C, &message);
		cluster_lose(cluster, MESSAGE_COPY, NO_MEMBER);
		message = cluster_message(cluster, A, types[i], stray_data);
		message.reign += 5;
		stray_send(cluster, A, C, &message);
		message.reign -= 5;
		message.epoch += 5;
		stray_send(cluster, A, C, &message);
	}
	/* From who is, about what is not there. */
	message = stray_message(cluster, A, MESSAGE_COPY);
	message.position = CLUSTER_SIZE;
	stray_send(cluster, A, C, &message);
	message = cluster_message(cluster, A, MESSAGE_BITS, stray_data);
	message.device = 1;
	stray_send(cluster, A, C, &message);
	message = cluster_message(cluster, A, MESSAGE_BITS, stray_data);
	message.member = MEMBERS_MAX - 1;
	cluster_send(cluster, A, C, &message, stray_data);
	cluster_go(cluster, CLUSTER_HEARTBEAT);
	message = cluster_message(cluster, A, MESSAGE_BITS, stray_data);
	message_put_range(stray_data, 0, (struct byte_range){ CLUSTER_SIZE, CLUSTER_BLOCK });
	stray_send(cluster, A, C, &message);
	/* A hash is longer than what it is of. */
	message = cluster_message(cluster, A, MESSAGE_HASH, stray_data);
	message.length = 1;
	stray_send(cluster, A, C, &message);
	/* And what it would not have said. */
	message = cluster_message(cluster, C, MESSAGE_COPIED, stray_data);
	message.number = 12345;
	stray_send(cluster, C, A, &message);
	message = cluster_message(cluster, C, MESSAGE_READY, stray_data);
	stray_send(cluster, C, A, &message);
	assert_false(cluster_in_sync(cluster, C));
	message = cluster_message(cluster, C, MESSAGE_JOIN, stray_data);
	message.flags = MESSAGE_FIRST | MESSAGE_LAST;
	message_put_range(stray_data, 0, (struct byte_range){ CLUSTER_SIZE, CLUSTER_BLOCK });
	stray_send(cluster, C, A, &message);
	message.flags = MESSAGE_FIRST | MESSAGE_LAST;
	message.epoch--;
	stray_send(cluster, C, A, &message);
	cluster_cut(cluster, C, true);
	cluster_cut(cluster, C, false);
	stray_assert_well(cluster, &before);
}

/* A new primary waits for what the others have: what is no report of this reign does not stand for one. */
static void test_nonsense_to_a_new_primary(void **state)
{
	struct cluster *cluster = *state;
	struct replica_configuration before;
	struct message message;
	int primary;

	before = stray_begin(cluster);
	cluster_lose(cluster, MESSAGE_REPORT, NO_MEMBER);
	cluster_kill(cluster, A);
	do {
		cluster_go(cluster, CLUSTER_HEARTBEAT / 10);
		before = cluster_status(cluster, B).configuration;
	} while (before.primary == A);
	primary = (int)before.primary;
	for (int i = 0; i < 4; i++) {
		int from = primary == B ? C : B;

		message = cluster_message(cluster, from, MESSAGE_REPORT, stray_data);
		message.epoch += i == 0 ? 7 : 0;
		message.epoch -= i == 1 ? 1 : 0;
		message.device = i == 2 ? 1 : 0;
		if (i >= 2) {
			message.flags = 0;
			message_put_range(stray_data, 0, (struct byte_range){ CLUSTER_SIZE, CLUSTER_BLOCK });
		}
		cluster_send(cluster, from, primary, &message, stray_data);
		assert_int_equal(cluster_primary(cluster), NO_MEMBER);
	}
	cluster_lose_nothing(cluster);
	cluster_start(cluster, A);
	stray_assert_well(cluster, &before);
}

/* ---- decisions ---- */

/* A vote is not moved by what it knows better, and what is decided is not replaced. */
static void test_decisions_of_before(void **state)
{
	struct cluster *cluster = *state;
	struct replica_configuration before, now;
	struct message message;

	before = stray_begin(cluster);
	/* An older one, another one of the same epoch, in a higher ballot: from who says that it is decided, or not. */
	message = cluster_message(cluster, C, MESSAGE_CONFIGURATION, stray_data);
	message.configuration.epoch = message.configuration.reign = 1;
	message.flags = MESSAGE_DECIDED;
	stray_send(cluster, C, B, &message);
	message = cluster_message(cluster, C, MESSAGE_CONFIGURATION, stray_data);
	message.configuration.in_sync = member_bit(C);
	message.configuration.primary = C;
	message.configuration.processes[A] = message.configuration.processes[B] = (struct process_id){ 0, 0 };
	message.accepted.counter = 99;
	stray_send(cluster, C, B, &message);
	message.type = MESSAGE_PROPOSE;
	message.ballot = (struct ballot){ 99, C };
	stray_send(cluster, C, B, &message);
	/* A value of another epoch than its proposal. */
	message.configuration.epoch = message.epoch + 1;
	stray_send(cluster, C, B, &message);
	/* A predecessor that is not one: of the epoch that is collected for. */
	message = cluster_message(cluster, C, MESSAGE_COLLECT, stray_data);
	message.epoch = message.configuration.epoch = before.epoch + 1;
	message.configuration.in_sync = member_bit(C);
	message.configuration.primary = C;
	message.configuration.processes[A] = message.configuration.processes[B] = (struct process_id){ 0, 0 };
	message.ballot = (struct ballot){ 99, C };
	stray_send(cluster, C, B, &message);
	now = cluster_status(cluster, B).configuration;
	assert_true(replica_configuration_same(&now, &before));
	stray_assert_well(cluster, &before);
}

/* Votes for what nobody proposed, and what was said of it twice. */
static void test_votes_for_nothing(void **state)
{
	static const enum message_type types[] = { MESSAGE_PROMISE, MESSAGE_ACCEPTED, MESSAGE_REFUSE, MESSAGE_LEARNT };
	struct cluster *cluster = *state;
	struct replica_configuration before, now;

	before = stray_begin(cluster);
	for (unsigned int i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		for (int repeated = 0; repeated < 2; repeated++) {
			struct message message = cluster_message(cluster, B, types[i], stray_data);

			message.epoch = before.epoch + 1;
			message.wait = UINT64_MAX;
			stray_send(cluster, B, A, &message);
		}
	}
	now = cluster_status(cluster, A).configuration;
	assert_true(replica_configuration_same(&now, &before));
	stray_assert_well(cluster, &before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_of_another_time, cluster_setup, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_of_another_member, cluster_setup, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_nonsense_of_the_primary, cluster_setup, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_nonsense_of_a_forwarder, cluster_setup, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_request_of_before, cluster_setup, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_held_opens, cluster_setup, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_nonsense_to_a_target, cluster_setup, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_nonsense_to_a_new_primary, cluster_setup, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_decisions_of_before, cluster_setup, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_votes_for_nothing, cluster_setup, cluster_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
