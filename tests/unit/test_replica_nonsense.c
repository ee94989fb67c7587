/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Members that send anything: messages of a right form on their sessions, whose fields are what they should not be.
 * What they say may be believed, and the set be of no use any more; but no member's process ends, nor touches memory
 * that is not its own (which the sanitizers see). Schedules are random, from seeds that stay.
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
#include "little_endian.h"
#include "replica_cluster.h"

#define ROUNDS	 200
#define MESSAGES 80 /* in a round */

static unsigned char data[MESSAGE_DATA_MAX];
static uint64_t random_state;

static uint64_t any(void)
{
	random_state += UINT64_C(0x9e3779b97f4a7c15);
	uint64_t z = random_state;

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

static uint64_t below(uint64_t n)
{
	return any() % n;
}

static bool chance(uint64_t one_in)
{
	return below(one_in) == 0;
}

/* One near what it is, near an end, or any. */
static uint64_t other_number(uint64_t number)
{
	switch (below(8)) {
	case 0:
		return 0;
	case 1:
		return number - 1;
	case 2:
		return UINT64_MAX - below(3);
	case 3:
		return any();
	case 4:
		return number + below(300);
	default:
		return number + 1;
	}
}

static uint64_t other_epoch(uint64_t epoch)
{
	uint64_t number = chance(8) ? EPOCH_MAX - below(2) : epoch + below(4) - 1;

	return number > EPOCH_MAX ? 0 : number;
}

static uint64_t other_position(void)
{
	switch (below(4)) {
	case 0:
		return below(CLUSTER_SIZE);
	case 1:
		return CLUSTER_SIZE - below(3) * 256;
	case 2:
		return UINT64_MAX - below(CLUSTER_SIZE);
	default:
		return below(CLUSTER_SIZE / CLUSTER_BLOCK) * CLUSTER_BLOCK;
	}
}

static uint64_t other_length(void)
{
	static const uint64_t lengths[] = { 0, 1, 15, 512, CLUSTER_BLOCK, 2 * 4096, CLUSTER_SIZE, MESSAGE_DATA_MAX };

	return chance(8) ? any() : lengths[below(8)];
}

static void spoil_configuration(struct replica_configuration *configuration)
{
	member_set all = (1u << 5) - 1;

	switch (below(8)) {
	case 0:
		configuration->epoch = other_epoch(configuration->epoch);
		break;
	case 1:
		configuration->reign = other_epoch(configuration->reign);
		break;
	case 2:
		configuration->primary = (uint32_t)below(5);
		break;
	case 3:
		configuration->in_sync = (member_set)any() & all;
		for (int i = 0; i < MEMBERS_MAX; i++)
			configuration->processes[i] = member_in(configuration->in_sync, i)
							      ? (struct process_id){ 100 + (uint64_t)i, 7 }
							      : (struct process_id){ 0 };
		break;
	case 4:
		configuration->dead = (member_set)any() & all;
		break;
	case 5:
		configuration->sizes[0] = 1 + below(2 * CLUSTER_SIZE);
		break;
	case 6:
		configuration->generation.id = any() | 1;
		configuration->generation.number += (uint32_t)below(2);
		break;
	default:
		configuration->processes[below(3)].incarnation = 1 + below(5);
	}
}

/* A configuration that has all members in sync, by the processes that they are. */
static void name_all(struct cluster *cluster, struct replica_configuration *configuration)
{
	configuration->epoch++;
	configuration->in_sync = 0;
	for (int i = 0; i < cluster->members; i++) {
		configuration->in_sync |= member_bit(i);
		configuration->processes[i] =
			(struct process_id){ cluster->member[i].incarnation, cluster->member[i].boot };
	}
	configuration->primary = (uint32_t)below((uint64_t)cluster->members);
	configuration->reign = chance(2) ? configuration->epoch : configuration->reign;
}

static void spoil(struct cluster *cluster, struct message *message)
{
	switch (below(16)) {
	case 0:
		message->flags = 1u << below(19) | (chance(2) ? MESSAGE_DECIDED : 0);
		break;
	case 1:
		message->epoch = other_epoch(message->epoch);
		break;
	case 2:
		message->reign = other_epoch(message->reign);
		break;
	case 3:
		message->number = other_number(message->number);
		break;
	case 4:
		message->device = (uint32_t)below(REPLICA_DEVICES_MAX);
		break;
	case 5:
		message->position = other_position();
		break;
	case 6:
		message->length = other_length();
		break;
	case 7:
		message->kind = (uint32_t)below(ENTRY_KINDS);
		if (message->kind >= ENTRY_FLUSH)
			message->position = message->length = 0;
		break;
	case 8:
		message->result = -(int32_t)below(4096);
		break;
	case 9:
		message->client.client = (uint32_t)(chance(4) ? any() : below(4));
		break;
	case 10:
		message->client.forwarder = chance(4) ? any() : cluster->member[below(3)].incarnation;
		break;
	case 11:
		message->request = other_number(message->request);
		message->lowest = chance(2) ? message->request : other_number(message->lowest);
		break;
	case 12:
		message->complete = other_number(message->number);
		message->flushed = other_number(message->number);
		break;
	case 13:
		message->member = (uint32_t)below(MEMBERS_MAX);
		message->ballot = (struct ballot){ (uint32_t)below(9), (uint32_t)below(3) };
		message->wait = any();
		break;
	case 14:
		if (message->configuration.epoch)
			spoil_configuration(&message->configuration);
		message->accepted = (struct ballot){ (uint32_t)below(9), (uint32_t)below(3) };
		break;
	default:
		if (message->configuration.epoch)
			name_all(cluster, &message->configuration);
		message->epoch = message->configuration.epoch + below(2);
		message->flags |= MESSAGE_DECIDED;
		message->ballot.counter = message->accepted.counter = (uint32_t)below(99);
	}
}

/* Saved clients, with requests that may be theirs. Returns the bytes. */
static uint32_t make_table(const struct cluster *cluster)
{
	unsigned char *at = data;

	for (uint64_t clients = below(4); clients > 0; clients--) {
		uint32_t count = (uint32_t)below(4);
		uint64_t lowest = chance(3) ? other_number(3) : 1 + below(5), request = lowest;

		put_u64(at, chance(3) ? any() : cluster->member[below(3)].incarnation);
		put_u32(at + 8, (uint32_t)below(4));
		put_u32(at + 12, count);
		put_u64(at + 16, lowest);
		put_u32(at + 24, chance(4) ? (uint32_t)below(17) : 0);
		put_u32(at + 28, chance(8) ? (uint32_t)any() : 1u | (uint32_t)below(4) << 1 | (uint32_t)below(8) << 8);
		for (at += 32; count > 0; count--, at += 32) {
			bool unsure = chance(2);

			put_u64(at, chance(8) ? any() : request++);
			put_u32(at + 8, unsure ? 0 : (uint32_t) - (int32_t)below(40));
			put_u32(at + 12, CLUSTER_BLOCK);
			put_u64(at + 16, chance(8) ? other_position() : below(64) * CLUSTER_BLOCK);
			put_u32(at + 24, chance(8) ? (uint32_t)below(18) : 0);
			put_u32(at + 28, unsure);
		}
	}
	return (uint32_t)(at - data);
}

static void make_data(struct cluster *cluster, struct message *message)
{
	uint64_t ranges = below(4);

	message->data_size = 0;
	switch (message->type) {
	case MESSAGE_WRITE:
	case MESSAGE_COPY:
	case MESSAGE_REQUEST:
		if (message->kind == ENTRY_WRITE && message->length <= MESSAGE_DATA_MAX)
			message->data_size = (uint32_t)message->length;
		break;
	case MESSAGE_REPORT:
	case MESSAGE_JOIN:
	case MESSAGE_BITS:
		for (uint64_t i = 0; i < ranges; i++)
			message_put_range(data, (unsigned int)i,
					  (struct byte_range){ other_position(), chance(2) ? 512 : other_length() });
		message->data_size = (uint32_t)ranges * MESSAGE_RANGE_SIZE;
		break;
	case MESSAGE_HASHES:
		message->data_size = message->result ? 0 : (uint32_t)below(5) * MESSAGE_HASH_SIZE;
		break;
	case MESSAGE_DONE_TABLE:
		message->data_size = make_table(cluster);
		break;
	case MESSAGE_ANSWER:
		message->data_size = message->result ? 0 : (uint32_t)below(2 * CLUSTER_BLOCK);
		break;
	default:
		break;
	}
}

static void send_any(struct cluster *cluster)
{
	int from = (int)below((uint64_t)cluster->members), to = (int)below((uint64_t)cluster->members);
	struct replica_status status;
	struct message message;

	/* Most is looked at only if it is the primary's. */
	if (cluster->member[to].replica && chance(2)) {
		replica_status(cluster->member[to].replica, &status);
		from = (int)status.configuration.primary;
	}
	if (from == to || !cluster->member[from].replica || !cluster->member[to].replica || !cluster->up[from][to] ||
	    !cluster->up[to][from])
		return;
	message = cluster_message(cluster, from, MESSAGE_HELLO + 1 + (enum message_type)below(MESSAGE_TYPES - 2), data);
	message.number = replica_user(cluster->member[to].replica) ? below(40) : 0;
	if (chance(2))
		message.flags = 0;
	for (uint64_t i = below(4); i > 0; i--)
		spoil(cluster, &message);
	make_data(cluster, &message);
	(void)cluster_send(cluster, from, to, &message, data);
}

/* Something is going on in the set: nothing, a member is brought up, another is to be primary. */
static void make_busy(struct cluster *cluster)
{
	uint32_t client = cluster_open(cluster, B);

	assert_int_equal(cluster_write_now(cluster, B, client, 0, 1), 0);
	switch (below(4)) {
	case 0:
		cluster_kill(cluster, B);
		assert_int_equal(cluster_write_now(cluster, A, cluster_open(cluster, A), CLUSTER_BLOCK, 1), 0);
		if (chance(2))
			cluster_replace(cluster, B, 7);
		cluster_lose(cluster, MESSAGE_COPY, NO_MEMBER);
		cluster_lose(cluster, MESSAGE_HASHES, NO_MEMBER);
		cluster_lose(cluster, MESSAGE_REPORT, NO_MEMBER);
		cluster_start(cluster, B);
		break;
	case 1:
		cluster_lose(cluster, MESSAGE_COPY, NO_MEMBER);
		cluster_lose(cluster, MESSAGE_HASHES, NO_MEMBER);
		cluster_lose(cluster, MESSAGE_REPORT, NO_MEMBER);
		cluster_kill(cluster, A);
		cluster_start(cluster, A);
		break;
	case 2:
		cluster_kill(cluster, C);
		memset(cluster->member[C].saved_slots, 0, sizeof(cluster->member[C].saved_slots));
		cluster_start(cluster, C);
		break;
	default:
		break;
	}
	cluster_go(cluster, below(2 * CLUSTER_LEASE));
}

static void test_any_messages(void **state)
{
	struct cluster *cluster = *state;

	for (uint64_t round = 1; round <= ROUNDS; round++) {
		random_state = round * 1000;
		cluster_begin_other(cluster, 3, chance(2) ? member_bit(C) : 0);
		make_busy(cluster);
		/* Who believes in epochs far away decides until they are reached. */
		cluster->steps = 2000;
		for (int i = 0; i < MESSAGES; i++) {
			static struct cluster_request requests[MESSAGES];
			int member = (int)below(3);

			send_any(cluster);
			if (chance(16))
				cluster_write(cluster, member, 1, &requests[i], below(64) * CLUSTER_BLOCK,
					      CLUSTER_BLOCK, 3);
			if (chance(4))
				cluster_go(cluster, below(CLUSTER_HEARTBEAT));
			if (chance(40))
				cluster_lose_nothing(cluster);
		}
		cluster_lose_nothing(cluster);
		cluster_go(cluster, 3 * CLUSTER_LEASE);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_any_messages, cluster_setup, cluster_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
