/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Messages that do not fit: of another epoch, reign or number, of who may not send them, about what is not there, of no
 * sense. Each is ignored, or ends the session that it came on; none of them changes an image, what is decided, or who
 * serves, and the set goes on.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core.h"
#include "replica_cluster.h"

static unsigned char other_data[CLUSTER_BLOCK];

/* Frames of these are not ignored by who gets them from anybody: they are about what is decided (see below). */
static bool is_for_all(enum message_type type)
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

static void settle(struct cluster *cluster)
{
	cluster_lose_nothing(cluster);
	cluster_go(cluster, CLUSTER_HEARTBEAT);
	while (cluster_primary(cluster) == NO_MEMBER)
		cluster_go(cluster, CLUSTER_HEARTBEAT);
	for (int i = 0; i < cluster->members; i++)
		cluster_until(cluster, cluster_in_sync, i);
}

/* The set is what it was, and works. */
static void assert_well(struct cluster *cluster, const struct replica_configuration *before)
{
	static unsigned char byte = 100;
	struct replica_configuration now;
	uint32_t client;
	int primary;

	settle(cluster);
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

static void send(struct cluster *cluster, int from, int to, const struct message *message)
{
	while (!cluster->up[from][to] || !cluster->up[to][from])
		cluster_go(cluster, CLUSTER_HEARTBEAT);
	cluster_send(cluster, from, to, message, other_data);
	cluster_go(cluster, CLUSTER_HEARTBEAT / 100);
}

static void write_one(struct cluster *cluster)
{
	uint32_t client = cluster_open(cluster, A);

	assert_int_equal(cluster_write_now(cluster, A, client, 0, 1), 0);
	/* From then on a request of a client that is not known is not taken for one of a client that was forgotten. */
	cluster_go(cluster, CLUSTER_LEASE * 3);
}

static void spoil_other_data(void)
{
	memset(other_data, 0xee, sizeof(other_data));
}

/* Each type from each to each, of an epoch, a reign or a number that is not now. */
static void test_of_another_time(void **state)
{
	struct cluster *cluster = *state;
	struct replica_configuration before;

	cluster_begin(cluster);
	write_one(cluster);
	before = cluster_status(cluster, A).configuration;
	for (int from = A; from <= C; from++) {
		for (int to = A; to <= C; to++) {
			for (enum message_type type = 1; type < MESSAGE_TYPES && from != to; type++) {
				struct message message;

				if (is_for_all(type))
					continue;
				for (int variant = 0; variant < 4; variant++) {
					spoil_other_data();
					message = cluster_message(cluster, from, type, other_data);
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
					send(cluster, from, to, &message);
				}
			}
			assert_well(cluster, &before);
		}
	}
}

/* Each type as of now, from who is not the one that may send it: a backup to a backup. */
static void test_of_another_member(void **state)
{
	struct cluster *cluster = *state;
	struct replica_configuration before;

	cluster_begin(cluster);
	write_one(cluster);
	before = cluster_status(cluster, A).configuration;
	for (enum message_type type = 1; type < MESSAGE_TYPES; type++) {
		struct message message;

		if (is_for_all(type))
			continue;
		for (int from = B; from <= C; from++) {
			spoil_other_data();
			message = cluster_message(cluster, from, type, other_data);
			send(cluster, from, from == B ? C : B, &message);
		}
	}
	assert_well(cluster, &before);
}

/* What the primary itself would not send: nothing of it is done. */
static void test_nonsense_of_the_primary(void **state)
{
	static const uint64_t beyond[][2] = {
		{ CLUSTER_SIZE, CLUSTER_BLOCK },
		{ CLUSTER_SIZE - 1, CLUSTER_BLOCK },
	};
	struct cluster *cluster = *state;
	struct replica_configuration before;
	struct message message;

	cluster_begin(cluster);
	write_one(cluster);
	before = cluster_status(cluster, A).configuration;
	for (unsigned int i = 0; i < 2; i++) {
		spoil_other_data();
		message = cluster_message(cluster, A, MESSAGE_WRITE, other_data);
		message.number = 1000;
		message.position = beyond[i][0];
		message.length = beyond[i][1];
		send(cluster, A, B, &message);
	}
	message.device = 1;
	message.position = 0;
	send(cluster, A, B, &message);
	/* Zeroes that lie in two pieces of what a request may be. */
	message.device = 0;
	message.kind = ENTRY_ZEROES;
	message.data_size = 0;
	message.position = 0;
	message.length = CLUSTER_SIZE * 2;
	send(cluster, A, B, &message);
	/* An entry that is complete. */
	message = cluster_message(cluster, A, MESSAGE_WRITE, other_data);
	message.number = 1;
	send(cluster, A, B, &message);
	/* A table that is none. */
	message = cluster_message(cluster, A, MESSAGE_DONE_TABLE, other_data);
	message.data_size = 8;
	assert_false(cluster_send(cluster, A, B, &message, other_data));
	settle(cluster);
	/* What only a target is told. */
	for (int i = 0; i < 4; i++) {
		static const enum message_type types[] = { MESSAGE_COPY, MESSAGE_BITS, MESSAGE_HANDED_OVER,
							   MESSAGE_HASH };

		spoil_other_data();
		message = cluster_message(cluster, A, types[i], other_data);
		send(cluster, A, B, &message);
	}
	assert_well(cluster, &before);
}

/* Requests that the forwarder's own core would have refused. */
static void test_nonsense_of_a_forwarder(void **state)
{
	struct cluster *cluster = *state;
	struct replica_configuration before;
	struct message message;

	cluster_begin(cluster);
	write_one(cluster);
	before = cluster_status(cluster, A).configuration;
	spoil_other_data();
	message = cluster_message(cluster, B, MESSAGE_REQUEST, other_data);
	message.position = CLUSTER_SIZE;
	send(cluster, B, A, &message);
	message = cluster_message(cluster, B, MESSAGE_REQUEST, other_data);
	message.request = 2;
	message.device = 3;
	send(cluster, B, A, &message);
	/* Of a client that was never opened. */
	message = cluster_message(cluster, B, MESSAGE_REQUEST, other_data);
	message.request = 3;
	message.client.client = 77;
	cluster_go(cluster, CLUSTER_LEASE * 3);
	send(cluster, B, A, &message);
	/* An answer to nothing, an answer of another process' client. */
	message = cluster_message(cluster, A, MESSAGE_ANSWER, other_data);
	send(cluster, A, B, &message);
	message.client.forwarder = cluster->member[B].incarnation;
	send(cluster, A, B, &message);
	assert_well(cluster, &before);
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
	spoil_other_data();
	message = cluster_message(cluster, B, MESSAGE_REQUEST, other_data);
	message.client.client = client;
	message.request = 2;
	send(cluster, B, A, &message);
	assert_well(cluster, &before);
}

/* A session begins with one HELLO, and nothing else. */
static void test_order_of_hello(void **state)
{
	struct cluster *cluster = *state;
	struct replica_configuration before;
	struct message message;

	cluster_begin(cluster);
	write_one(cluster);
	before = cluster_status(cluster, A).configuration;
	message = cluster_message(cluster, B, MESSAGE_HELLO, other_data);
	assert_false(cluster_send(cluster, B, A, &message, NULL));
	settle(cluster);
	cluster_cut(cluster, B, true);
	cluster_go(cluster, CLUSTER_HEARTBEAT);
	cluster->up[A][B] = cluster->up[B][A] = true;
	replica_connected(cluster->member[A].replica, cluster->now, B);
	message = cluster_message(cluster, B, MESSAGE_STATUS, other_data);
	assert_false(cluster_send(cluster, B, A, &message, NULL));
	cluster->up[B][A] = false;
	cluster_cut(cluster, B, false);
	assert_well(cluster, &before);
	/* On no session at all. */
	cluster_kill(cluster, B);
	cluster->up[A][B] = cluster->up[B][A] = true;
	assert_false(cluster_send(cluster, B, A, &message, NULL));
	cluster->up[A][B] = cluster->up[B][A] = false;
	cluster_start(cluster, B);
	assert_well(cluster, &before);
}

/* What no member of this list can have sent. */
static void test_wrong_names(void **state)
{
	struct cluster *cluster = *state;
	struct replica_configuration before;
	struct message message;

	cluster_begin(cluster);
	write_one(cluster);
	before = cluster_status(cluster, A).configuration;
	message = cluster_message(cluster, B, MESSAGE_STATUS, other_data);
	message.member = 3;
	assert_false(cluster_send(cluster, B, A, &message, NULL));
	settle(cluster);
	message = cluster_message(cluster, B, MESSAGE_COLLECT, other_data);
	message.ballot.member = 3;
	assert_false(cluster_send(cluster, B, A, &message, NULL));
	settle(cluster);
	message = cluster_message(cluster, B, MESSAGE_CONFIGURATION, other_data);
	message.configuration.in_sync = 0xf;
	message.configuration.processes[3] = (struct process_id){ 5, 5 };
	assert_false(cluster_send(cluster, B, A, &message, NULL));
	assert_well(cluster, &before);
}

/* A HELLO that is not of the member of its session, or of another set: no session comes of it. */
static void send_hello(struct cluster *cluster, int variant)
{
	struct message message = cluster_message(cluster, B, MESSAGE_HELLO, other_data);
	struct replica_settings settings;
	struct replica_status status;

	cluster_settings(cluster, B, &settings);
	message_put_device(other_data, 0, (struct message_device){ CLUSTER_SIZE, settings.devices[0].name_checksum });
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
		message_put_device(other_data, 0, (struct message_device){ CLUSTER_SIZE, 1 });
		break;
	case 7:
		message_put_device(other_data, 1, (struct message_device){ CLUSTER_SIZE, 1 });
		message.data_size = 2 * MESSAGE_DEVICE_SIZE;
		break;
	}
	/* Of another line: its session is left alone, so that it hears the same; nothing comes of it. */
	assert_int_equal(cluster_send(cluster, B, A, &message, other_data),
			 variant == 4 || variant == 5 || variant == 8);
	replica_status(cluster->member[A].replica, &status);
	assert_int_equal(member_in(status.parted, B), variant == 4 || variant == 5);
	assert_int_equal(status.members[B].connected, variant == 8);
}

static void test_wrong_hello(void **state)
{
	struct cluster *cluster = *state;
	struct replica_configuration before;

	cluster_begin(cluster);
	write_one(cluster);
	before = cluster_status(cluster, A).configuration;
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
	assert_well(cluster, &before);
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

		if (is_for_all(type) && type != MESSAGE_FETCH)
			continue;
		spoil_other_data();
		message = cluster_message(cluster, B, type, other_data);
		/* What a decoder would not have refused. */
		message.epoch = message.reign = message.generation = 1;
		message.configuration = (struct replica_configuration){ 0 };
		send(cluster, B, A, &message);
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
	write_one(cluster);
	before = cluster_status(cluster, A).configuration;
	assert_int_equal(before.epoch, 1);
	assert_well(cluster, &before);
}

/* ---- opens of before ---- */

/* When all were restarted forwarders tell of the opens that they hold: what is none of those is not taken for one. */
static void test_held_opens(void **state)
{
	struct cluster *cluster = *state;
	struct replica_configuration before;
	struct message message;
	unsigned int free_clients;
	struct replica *a;
	uint32_t client;

	cluster_begin(cluster);
	write_one(cluster);
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

		message = cluster_message(cluster, from, MESSAGE_REQUEST, other_data);
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
				 other_data));
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
	settle(cluster);
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
	assert_well(cluster, &before);
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

	cluster_begin(cluster);
	write_one(cluster);
	before = cluster_status(cluster, A).configuration;
	cluster_kill(cluster, C);
	for (uint64_t at = CLUSTER_BLOCK; at < 4 * CLUSTER_BLOCK; at += CLUSTER_BLOCK)
		assert_int_equal(cluster_write_now(cluster, A, cluster_open(cluster, A), at, 1), 0);
	cluster_lose(cluster, MESSAGE_COPY, NO_MEMBER);
	cluster_start(cluster, C);
	cluster_go(cluster, CLUSTER_HEARTBEAT);
	assert_false(cluster_in_sync(cluster, C));
	/* From who is no primary, or of another reign. */
	for (unsigned int i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		spoil_other_data();
		message = cluster_message(cluster, B, types[i], other_data);
		send(cluster, B, C, &message);
		cluster_lose(cluster, MESSAGE_COPY, NO_MEMBER);
		message = cluster_message(cluster, A, types[i], other_data);
		message.reign += 5;
		send(cluster, A, C, &message);
		message.reign -= 5;
		message.epoch += 5;
		send(cluster, A, C, &message);
	}
	/* From who is, about what is not there. */
	spoil_other_data();
	message = cluster_message(cluster, A, MESSAGE_COPY, other_data);
	message.position = CLUSTER_SIZE;
	send(cluster, A, C, &message);
	message = cluster_message(cluster, A, MESSAGE_BITS, other_data);
	message.device = 1;
	send(cluster, A, C, &message);
	message = cluster_message(cluster, A, MESSAGE_BITS, other_data);
	message.member = MEMBERS_MAX - 1;
	cluster_send(cluster, A, C, &message, other_data);
	cluster_go(cluster, CLUSTER_HEARTBEAT);
	message = cluster_message(cluster, A, MESSAGE_BITS, other_data);
	message_put_range(other_data, 0, (struct byte_range){ CLUSTER_SIZE, CLUSTER_BLOCK });
	send(cluster, A, C, &message);
	/* A hash is longer than what it is of. */
	message = cluster_message(cluster, A, MESSAGE_HASH, other_data);
	message.length = 1;
	send(cluster, A, C, &message);
	/* And what it would not have said. */
	message = cluster_message(cluster, C, MESSAGE_COPIED, other_data);
	message.number = 12345;
	send(cluster, C, A, &message);
	message = cluster_message(cluster, C, MESSAGE_READY, other_data);
	send(cluster, C, A, &message);
	assert_false(cluster_in_sync(cluster, C));
	message = cluster_message(cluster, C, MESSAGE_JOIN, other_data);
	message.flags = MESSAGE_FIRST | MESSAGE_LAST;
	message_put_range(other_data, 0, (struct byte_range){ CLUSTER_SIZE, CLUSTER_BLOCK });
	send(cluster, C, A, &message);
	message.flags = MESSAGE_FIRST | MESSAGE_LAST;
	message.epoch--;
	send(cluster, C, A, &message);
	cluster_cut(cluster, C, true);
	cluster_cut(cluster, C, false);
	assert_well(cluster, &before);
}

/* A new primary waits for what the others have: what is no report of this reign does not stand for one. */
static void test_nonsense_to_a_new_primary(void **state)
{
	struct cluster *cluster = *state;
	struct replica_configuration before;
	struct message message;
	int primary;

	cluster_begin(cluster);
	write_one(cluster);
	before = cluster_status(cluster, A).configuration;
	cluster_lose(cluster, MESSAGE_REPORT, NO_MEMBER);
	cluster_kill(cluster, A);
	do {
		cluster_go(cluster, CLUSTER_HEARTBEAT / 10);
		before = cluster_status(cluster, B).configuration;
	} while (before.primary == A);
	primary = (int)before.primary;
	for (int i = 0; i < 4; i++) {
		int from = primary == B ? C : B;

		message = cluster_message(cluster, from, MESSAGE_REPORT, other_data);
		message.epoch += i == 0 ? 7 : 0;
		message.epoch -= i == 1 ? 1 : 0;
		message.device = i == 2 ? 1 : 0;
		if (i >= 2) {
			message.flags = 0;
			message_put_range(other_data, 0, (struct byte_range){ CLUSTER_SIZE, CLUSTER_BLOCK });
		}
		cluster_send(cluster, from, primary, &message, other_data);
		assert_int_equal(cluster_primary(cluster), NO_MEMBER);
	}
	cluster_lose_nothing(cluster);
	cluster_start(cluster, A);
	assert_well(cluster, &before);
}

/* The session of a candidate ends while it is proposed: it may be admitted by now, and answers still need its word. */
static void test_candidate_leaves(void **state)
{
	struct cluster *cluster = *state;
	struct replica_configuration before;
	struct cluster_request write;
	uint32_t client;

	cluster_begin(cluster);
	write_one(cluster);
	cluster_kill(cluster, C);
	client = cluster_open(cluster, A);
	assert_int_equal(cluster_write_now(cluster, A, client, CLUSTER_BLOCK, 1), 0);
	before = cluster_status(cluster, A).configuration;
	cluster_lose(cluster, MESSAGE_ACCEPTED, B);
	cluster_start(cluster, C);
	cluster_go(cluster, CLUSTER_HEARTBEAT / 2);
	cluster->member[C].io_hangs = true;
	cluster_write(cluster, A, client, &write, 2 * CLUSTER_BLOCK, CLUSTER_BLOCK, 2);
	cluster_go(cluster, CLUSTER_HEARTBEAT / 100);
	cluster_cut(cluster, C, true);
	cluster_go(cluster, CLUSTER_HEARTBEAT);
	cluster_lose_nothing(cluster);
	cluster->member[C].io_hangs = false;
	cluster_go(cluster, CLUSTER_LEASE * 3);
	assert_int_equal(cluster_answer(cluster, &write), 0);
	cluster_cut(cluster, C, false);
	assert_well(cluster, &before);
}

/* The same before anybody has accepted it, the candidate's own primary included. */
static void test_candidate_leaves_early(void **state)
{
	struct cluster *cluster = *state;
	struct replica_configuration before;
	struct cluster_request write, open, zeroes = { .request = { .kind = ENTRY_ZEROES } };
	uint32_t client;

	cluster_begin(cluster);
	write_one(cluster);
	cluster_kill(cluster, C);
	client = cluster_open(cluster, A);
	assert_int_equal(cluster_write_now(cluster, A, client, CLUSTER_BLOCK, 1), 0);
	before = cluster_status(cluster, A).configuration;
	cluster_lose(cluster, MESSAGE_PROMISE, NO_MEMBER);
	cluster_start(cluster, C);
	cluster_go(cluster, CLUSTER_HEARTBEAT / 2);
	assert_int_equal(cluster->member[A].replica->reign.candidate, C);
	assert_int_equal(cluster_status(cluster, A).configuration.epoch, before.epoch);
	cluster->member[C].io_hangs = true;
	cluster_write(cluster, A, client, &write, 2 * CLUSTER_BLOCK, CLUSTER_BLOCK, 2);
	cluster_ask_to_open(cluster, A, &open, true, false);
	zeroes.request.client = client;
	zeroes.request.position = 5 * CLUSTER_BLOCK;
	zeroes.request.length = CLUSTER_BLOCK;
	cluster_submit(cluster, A, &zeroes);
	cluster_go(cluster, CLUSTER_HEARTBEAT / 100);
	assert_int_equal(write.result, 1);
	assert_int_equal(zeroes.result, 1);
	cluster_cut(cluster, C, true);
	/* It may be admitted yet: it lacks what it has not acknowledged, and that is not answered without it. */
	assert_true(cluster_status(cluster, A).members[C].out_of_sync >= 2 * CLUSTER_BLOCK);
	cluster_go(cluster, CLUSTER_HEARTBEAT);
	assert_int_equal(write.result, 1);
	cluster_lose_nothing(cluster);
	cluster->member[C].io_hangs = false;
	cluster_go(cluster, CLUSTER_LEASE * 3);
	assert_int_equal(cluster_answer(cluster, &write), 0);
	assert_int_equal(cluster_answer(cluster, &zeroes), 0);
	assert_int_equal(cluster_answer(cluster, &open), 0);
	cluster_cut(cluster, C, false);
	assert_well(cluster, &before);
}

/* Who is to be primary next goes before that is decided: another one is. */
static void test_successor_leaves(void **state)
{
	struct cluster *cluster = *state;
	struct replica_configuration before;
	const char *why = NULL;

	cluster_begin(cluster);
	write_one(cluster);
	before = cluster_status(cluster, A).configuration;
	cluster_lose(cluster, MESSAGE_PROMISE, NO_MEMBER);
	assert_int_equal(replica_promote(cluster->member[A].replica, cluster->now, B, &why), 0);
	cluster_go(cluster, CLUSTER_HEARTBEAT / 10);
	assert_int_equal(cluster_status(cluster, A).configuration.epoch, before.epoch);
	assert_int_equal(cluster_primary(cluster), NO_MEMBER);
	cluster_kill(cluster, B);
	cluster_lose_nothing(cluster);
	cluster_until(cluster, cluster_serves, C);
	cluster_start(cluster, B);
	assert_well(cluster, &before);
}

/* ---- decisions ---- */

/* A vote is not moved by what it knows better, and what is decided is not replaced. */
static void test_decisions_of_before(void **state)
{
	struct cluster *cluster = *state;
	struct replica_configuration before, now;
	struct message message;

	cluster_begin(cluster);
	write_one(cluster);
	before = cluster_status(cluster, A).configuration;
	/* An older one, another one of the same epoch, in a higher ballot: from who says that it is decided, or not. */
	message = cluster_message(cluster, C, MESSAGE_CONFIGURATION, other_data);
	message.configuration.epoch = message.configuration.reign = 1;
	message.flags = MESSAGE_DECIDED;
	send(cluster, C, B, &message);
	message = cluster_message(cluster, C, MESSAGE_CONFIGURATION, other_data);
	message.configuration.in_sync = member_bit(C);
	message.configuration.primary = C;
	message.configuration.processes[A] = message.configuration.processes[B] = (struct process_id){ 0, 0 };
	message.accepted.counter = 99;
	send(cluster, C, B, &message);
	message.type = MESSAGE_PROPOSE;
	message.ballot = (struct ballot){ 99, C };
	send(cluster, C, B, &message);
	/* A value of another epoch than its proposal. */
	message.configuration.epoch = message.epoch + 1;
	send(cluster, C, B, &message);
	/* A predecessor that is not one: of the epoch that is collected for. */
	message = cluster_message(cluster, C, MESSAGE_COLLECT, other_data);
	message.epoch = message.configuration.epoch = before.epoch + 1;
	message.configuration.in_sync = member_bit(C);
	message.configuration.primary = C;
	message.configuration.processes[A] = message.configuration.processes[B] = (struct process_id){ 0, 0 };
	message.ballot = (struct ballot){ 99, C };
	send(cluster, C, B, &message);
	now = cluster_status(cluster, B).configuration;
	assert_true(replica_configuration_same(&now, &before));
	assert_well(cluster, &before);
}

/* Votes for what nobody proposed, and what was said of it twice. */
static void test_votes_for_nothing(void **state)
{
	static const enum message_type types[] = { MESSAGE_PROMISE, MESSAGE_ACCEPTED, MESSAGE_REFUSE, MESSAGE_LEARNT };
	struct cluster *cluster = *state;
	struct replica_configuration before, now;

	cluster_begin(cluster);
	write_one(cluster);
	before = cluster_status(cluster, A).configuration;
	for (unsigned int i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		for (int repeated = 0; repeated < 2; repeated++) {
			struct message message = cluster_message(cluster, B, types[i], other_data);

			message.epoch = before.epoch + 1;
			message.wait = UINT64_MAX;
			send(cluster, B, A, &message);
		}
	}
	now = cluster_status(cluster, A).configuration;
	assert_true(replica_configuration_same(&now, &before));
	assert_well(cluster, &before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_of_another_time, cluster_setup, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_of_another_member, cluster_setup, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_nonsense_of_the_primary, cluster_setup, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_nonsense_of_a_forwarder, cluster_setup, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_request_of_before, cluster_setup, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_order_of_hello, cluster_setup, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_before_birth, cluster_setup, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_held_opens, cluster_setup, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_candidate_leaves_early, cluster_setup, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_successor_leaves, cluster_setup, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_wrong_names, cluster_setup, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_wrong_hello, cluster_setup, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_nonsense_to_a_target, cluster_setup, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_nonsense_to_a_new_primary, cluster_setup, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_candidate_leaves, cluster_setup, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_decisions_of_before, cluster_setup, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_votes_for_nothing, cluster_setup, cluster_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
