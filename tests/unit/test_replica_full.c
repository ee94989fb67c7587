/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The core with as much as there can be: requests, clients, tables of several pieces, entries. What is too much waits,
 * is refused with its cause, or ends the session of who sent it; and when there is room again all goes on.
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
#include "replica_stray.h"

/* ---- requests and clients of one host ---- */

/* More than `requests`, of two clients: the others are sent when one is answered. */
static void test_requests_wait(void **state)
{
	static struct cluster_request requests[20];
	struct cluster *cluster = *state;
	uint32_t clients[2];

	cluster_begin(cluster);
	for (int i = 0; i < 2; i++)
		clients[i] = cluster_open(cluster, B);
	memset(cluster->sent, 0, sizeof(cluster->sent));
	cluster->member[A].io_hangs = true;
	for (unsigned int i = 0; i < 20; i++)
		cluster_write(cluster, B, clients[i % 2], &requests[i], i * CLUSTER_BLOCK, CLUSTER_BLOCK,
			      (unsigned char)(i + 1));
	cluster_go(cluster, CLUSTER_HEARTBEAT / 10);
	assert_int_equal(cluster->sent[B][MESSAGE_REQUEST], 16);
	cluster->member[A].io_hangs = false;
	for (unsigned int i = 0; i < 20; i++) {
		assert_int_equal(cluster_answer(cluster, &requests[i]), 0);
		assert_int_equal(cluster->member[C].image[i * CLUSTER_BLOCK], i + 1);
	}
	assert_int_equal(cluster->sent[B][MESSAGE_REQUEST], 20);
}

/* More clients of one host than the set can have are refused there, whether or not anybody serves. */
static void test_clients_of_one_host(void **state)
{
	struct cluster *cluster = *state;
	static struct cluster_request open[9];

	cluster_begin(cluster);
	cluster_cut(cluster, B, true);
	for (int i = 0; i < 9; i++)
		cluster_ask_to_open(cluster, B, &open[i], true, false);
	for (int i = 0; i < 8; i++)
		assert_int_equal(open[i].result, 1);
	assert_int_equal(open[8].result, -EBUSY);
	cluster_cut(cluster, B, false);
	for (int i = 0; i < 8; i++)
		assert_int_equal(cluster_answer(cluster, &open[i]), 0);
}

/* ---- answers ---- */

/* An answer with less than was asked for is none. */
static void test_short_answer(void **state)
{
	struct cluster *cluster = *state;
	struct cluster_request read;
	struct message message;
	uint32_t client;

	cluster_begin(cluster);
	client = cluster_open(cluster, B);
	assert_int_equal(cluster_write_now(cluster, B, client, 0, 7), 0);
	cluster_lose(cluster, MESSAGE_ANSWER, NO_MEMBER);
	cluster_read(cluster, B, client, &read, 0, CLUSTER_BLOCK);
	cluster_go(cluster, CLUSTER_HEARTBEAT / 10);
	message = stray_message(cluster, A, MESSAGE_ANSWER);
	message.client = (struct client_id){ cluster->member[B].incarnation, client };
	message.request = read.request.number;
	message.data_size = CLUSTER_BLOCK / 2;
	assert_true(cluster_send(cluster, A, B, &message, stray_data));
	assert_int_equal(read.result, 1);
	/* It is asked again, and answered. */
	cluster_lose_nothing(cluster);
	cluster_cut(cluster, B, true);
	cluster_cut(cluster, B, false);
	assert_int_equal(cluster_answer(cluster, &read), 0);
	assert_int_equal(read.data[0], 7);
}

/* ---- requests without their client ---- */

static int nr_full;

static bool first_is_full(struct cluster *cluster, int from, int to, enum message_type type)
{
	(void)cluster;
	(void)from;
	(void)to;
	return type == MESSAGE_REQUEST && nr_full > 0 && nr_full--;
}

/* A write that waits for room is not overtaken by the close of its client: it is done. */
static void test_closed_before_it_was_sent(void **state)
{
	struct cluster *cluster = *state;
	struct cluster_request write, close;
	uint32_t client;

	cluster_begin(cluster);
	client = cluster_open(cluster, B);
	cluster->full = first_is_full;
	nr_full = 1;
	cluster_write(cluster, B, client, &write, 0, CLUSTER_BLOCK, 9);
	assert_int_equal(nr_full, 0);
	cluster_close(cluster, B, client, &close);
	assert_int_equal(cluster_answer(cluster, &close), 0);
	assert_int_equal(cluster_answer(cluster, &write), 0);
	for (int i = A; i <= C; i++)
		assert_int_equal(cluster->member[i].image[0], 9);
}

/*
 * A write was sent in vain, there is no room for it when it is sent again, and its client does not wait for it any
 * more: it is done before what that client does next.
 */
static void test_held_back_is_not_overtaken(void **state)
{
	struct cluster *cluster = *state;
	struct cluster_request write, zeroes;
	uint32_t client;

	cluster_begin(cluster);
	client = cluster_open(cluster, B);
	cluster_lose(cluster, MESSAGE_REQUEST, NO_MEMBER);
	cluster_write(cluster, B, client, &write, 0, CLUSTER_BLOCK, 9);
	cluster_go(cluster, CLUSTER_HEARTBEAT / 10);
	cluster_lose_nothing(cluster);
	cluster->no_room = true;
	cluster_cut_link(cluster, A, B, true);
	cluster_go(cluster, CLUSTER_HEARTBEAT / 10);
	cluster_cut_link(cluster, A, B, false);
	while (!cluster->up[A][B] || !write.request.held_back)
		cluster_go(cluster, CLUSTER_HEARTBEAT / 10);
	assert_false(replica_withdraw(cluster->member[B].replica, &write.request));
	zeroes.request = (struct replica_request){ .kind = ENTRY_ZEROES, .client = client, .length = CLUSTER_BLOCK };
	cluster_submit(cluster, B, &zeroes);
	cluster_go(cluster, CLUSTER_HEARTBEAT / 10);
	cluster->no_room = false;
	replica_can_send(cluster->member[B].replica, cluster->now, A);
	assert_int_equal(cluster_answer(cluster, &write), 0);
	assert_int_equal(cluster_answer(cluster, &zeroes), 0);
	for (int i = A; i <= C; i++)
		assert_int_equal(cluster->member[i].image[0], 0);
}

/* What comes behind the close of its client is not done, though the close waits for what came before. */
static void test_behind_its_close(void **state)
{
	struct cluster *cluster = *state;
	struct cluster_request read, close, write;
	uint32_t client;

	cluster_begin(cluster);
	client = cluster_open(cluster, B);
	cluster->member[A].io_hangs = true;
	cluster_read(cluster, B, client, &read, 0, CLUSTER_BLOCK);
	cluster_close(cluster, B, client, &close);
	cluster_write(cluster, B, client, &write, 0, CLUSTER_BLOCK, 9);
	cluster_go(cluster, CLUSTER_HEARTBEAT / 10);
	assert_int_equal(read.result, 1);
	assert_int_equal(close.result, 1);
	assert_int_equal(write.result, -EIO);
	cluster->member[A].io_hangs = false;
	assert_int_equal(cluster_answer(cluster, &read), 0);
	assert_int_equal(cluster_answer(cluster, &close), 0);
	for (int i = A; i <= C; i++)
		assert_int_equal(cluster->member[i].image[0], 0);
}

/* ---- copies that are paused ---- */

/* Nothing is copied, and what is written is sent all the same. */
static void test_paused(void **state)
{
	struct cluster *cluster = *state;
	struct replica *a;
	uint32_t client;

	cluster_begin(cluster);
	client = cluster_open(cluster, A);
	a = cluster->member[A].replica;
	cluster_kill(cluster, C);
	assert_int_equal(cluster_write_now(cluster, A, client, 0, 1), 0);
	replica_pause_resync(a, cluster->now, true);
	cluster_start(cluster, C);
	cluster_go(cluster, 5 * CLUSTER_LEASE);
	assert_int_equal(cluster_status(cluster, A).members[C].state, REPLICA_MEMBER_RESYNCING);
	assert_int_equal(cluster->sent[A][MESSAGE_COPY], 0);
	assert_int_equal(cluster_write_now(cluster, A, client, 3 * CLUSTER_BLOCK, 2), 0);
	assert_int_equal(cluster->member[C].image[0], 0);
	assert_int_equal(cluster->member[C].image[3 * CLUSTER_BLOCK], 2);
	replica_pause_resync(a, cluster->now, false);
	cluster_all_in_sync(cluster);
}

/* ---- room in the queues ---- */

/* A forwarder reads more than the queue to it may hold: the answers come as there is room, and its session stays. */
static void test_answers_wait_for_room(void **state)
{
	static struct cluster_request reads[16];
	struct cluster *cluster = *state;
	uint32_t client;

	cluster_begin(cluster);
	client = cluster_open(cluster, B);
	for (unsigned int i = 0; i < 16; i++)
		assert_int_equal(cluster_write_now(cluster, B, client, i * CLUSTER_BLOCK, (unsigned char)(i + 1)), 0);
	memset(cluster->told, 0, sizeof(cluster->told));
	cluster->bulk = CLUSTER_BLOCK;
	cluster->nr_refused = 0;
	for (unsigned int i = 0; i < 16; i++)
		cluster_read(cluster, B, client, &reads[i], i * CLUSTER_BLOCK, CLUSTER_BLOCK);
	for (unsigned int i = 0; i < 16; i++) {
		assert_int_equal(cluster_answer(cluster, &reads[i]), 0);
		assert_int_equal(reads[i].data[0], i + 1);
	}
	assert_true(cluster->nr_refused > 0);
	assert_int_equal(cluster->told[A][REPLICA_EVENT_REFUSED], 0);
}

/* One that waits for room when its forwarder goes is nobody's any more: the forwarder asks again. */
static void test_answer_of_a_session_that_ends(void **state)
{
	struct cluster *cluster = *state;
	struct cluster_request reads[2], close;
	uint32_t client;

	cluster_begin(cluster);
	client = cluster_open(cluster, B);
	assert_int_equal(cluster_write_now(cluster, B, client, 0, 7), 0);
	cluster->no_room = true;
	for (int i = 0; i < 2; i++)
		cluster_read(cluster, B, client, &reads[i], 0, CLUSTER_BLOCK);
	cluster_go(cluster, CLUSTER_HEARTBEAT / 10);
	assert_int_equal(reads[0].result, 1);
	assert_non_null(cluster->member[A].replica->held.first);
	cluster_cut(cluster, B, true);
	cluster_go(cluster, CLUSTER_HEARTBEAT / 10);
	assert_null(cluster->member[A].replica->held.first);
	cluster->no_room = false;
	cluster_cut(cluster, B, false);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(cluster_answer(cluster, &reads[i]), 0);
		assert_int_equal(reads[i].data[0], 7);
	}
	cluster_close(cluster, B, client, &close);
	assert_int_equal(cluster_answer(cluster, &close), 0);
}

/* Writes of a forwarder leave room in its queue. */
static void test_requests_wait_for_room(void **state)
{
	static struct cluster_request writes[12];
	struct cluster *cluster = *state;
	uint32_t client;

	cluster_begin(cluster);
	client = cluster_open(cluster, B);
	cluster->bulk = CLUSTER_BLOCK;
	cluster->nr_refused = 0;
	for (unsigned int i = 0; i < 12; i++)
		cluster_write(cluster, B, client, &writes[i], i * CLUSTER_BLOCK, CLUSTER_BLOCK, (unsigned char)(i + 1));
	for (unsigned int i = 0; i < 12; i++)
		assert_int_equal(cluster_answer(cluster, &writes[i]), 0);
	assert_true(cluster->nr_refused > 0);
	cluster_assert_equal(cluster);
}

static void small_window(struct cluster *cluster, int member, struct replica_settings *settings)
{
	(void)cluster;
	(void)member;
	settings->window_bytes = 2 * CLUSTER_BLOCK;
}

/* Entries that a backup has not acknowledged have no more data than its queue is large; more wait, in their order. */
static void test_window_of_bytes(void **state)
{
	static struct cluster_request writes[6];
	struct cluster *cluster = *state;
	uint32_t client;

	cluster->adjust = small_window;
	cluster_begin(cluster);
	client = cluster_open(cluster, A);
	assert_int_equal(cluster_write_now(cluster, A, client, 0, 1), 0);
	cluster_go(cluster, CLUSTER_HEARTBEAT);
	memset(cluster->sent, 0, sizeof(cluster->sent));
	cluster->member[B].io_hangs = true;
	for (unsigned int i = 0; i < 2; i++)
		cluster_write(cluster, A, client, &writes[i], i * CLUSTER_BLOCK, CLUSTER_BLOCK, (unsigned char)(i + 1));
	/* More than all that may be under way goes when nothing else is; and what comes later does not overtake it. */
	cluster_write(cluster, A, client, &writes[2], 4 * CLUSTER_BLOCK, 4 * CLUSTER_BLOCK, 3);
	for (unsigned int i = 3; i < 6; i++)
		cluster_write(cluster, A, client, &writes[i], (i + 7) * CLUSTER_BLOCK, CLUSTER_BLOCK / 8,
			      (unsigned char)(i + 1));
	cluster_go(cluster, CLUSTER_HEARTBEAT / 10);
	assert_int_equal(cluster->sent[A][MESSAGE_WRITE], 2 * 2);
	cluster->member[B].io_hangs = false;
	for (unsigned int i = 0; i < 6; i++)
		assert_int_equal(cluster_answer(cluster, &writes[i]), 0);
	assert_int_equal(cluster->member[A].replica->reign.under_way, 0);
	cluster_assert_equal(cluster);
}

/* ---- tables of several pieces ---- */

/* Opens that the primary has and a backup has no place for: it says so, and takes the rest. */
static void test_too_many_clients_at_a_backup(void **state)
{
	struct cluster *cluster = *state;
	struct message message;
	unsigned int places;

	cluster_begin(cluster);
	places = cluster->member[B].replica->done.nr_free;
	assert_int_equal(cluster_write_now(cluster, A, cluster_open(cluster, A), 0, 1), 0);
	memset(cluster->told, 0, sizeof(cluster->told));
	message = stray_message(cluster, A, MESSAGE_WRITE);
	message.kind = ENTRY_OPEN;
	message.data_size = 0;
	message.length = 0;
	message.flags = MESSAGE_SHARED;
	message.generation = 0;
	message.number = 100;
	for (unsigned int i = 0; i < places; i++) {
		message.client = (struct client_id){ 77, i + 1 };
		message.number++;
		assert_true(cluster_send(cluster, A, B, &message, NULL));
	}
	assert_int_equal(cluster->member[B].replica->done.nr_free, 0);
	assert_int_equal(cluster->told[B][REPLICA_EVENT_DISK], 1);
	assert_true(done_table_knows(&cluster->member[B].replica->done, (struct client_id){ 77, 1 }));
	assert_false(done_table_knows(&cluster->member[B].replica->done, (struct client_id){ 77, places }));
}

#define MANY 700

static void many_clients(struct cluster *cluster, int member, struct replica_settings *settings)
{
	(void)cluster;
	(void)member;
	settings->clients = MANY;
}

/* A new primary's table does not fit into one message: all of it comes, in its order, and who was open stays so. */
static void test_table_of_pieces(void **state)
{
	struct cluster *cluster = *state;
	static uint32_t clients[MANY];
	struct message message;

	cluster->adjust = many_clients;
	cluster_begin(cluster);
	for (int i = 0; i < MANY; i++)
		clients[i] = cluster_open(cluster, C);
	assert_int_equal(cluster_write_now(cluster, C, clients[0], 0, 1), 0);
	/* A piece that does not follow another is not looked at. */
	message = stray_message(cluster, A, MESSAGE_DONE_TABLE);
	message.number = 3;
	message.data_size = 8;
	assert_true(cluster_send(cluster, A, B, &message, stray_data));
	memset(cluster->sent, 0, sizeof(cluster->sent));
	cluster_kill(cluster, A);
	while (cluster_primary(cluster) == NO_MEMBER)
		cluster_go(cluster, CLUSTER_HEARTBEAT);
	assert_true(cluster->sent[cluster_primary(cluster)][MESSAGE_DONE_TABLE] > 1);
	cluster_start(cluster, A);
	cluster_all_in_sync(cluster);
	for (int i = 0; i < MANY; i += MANY / 20)
		assert_int_equal(cluster_write_now(cluster, C, clients[i], 0, (unsigned char)i), 0);
	cluster_assert_equal(cluster);
}

/* ---- entries ---- */

/* As many as a member has room for, all of one block, the first of which hangs: the session of who sends more ends. */
static void send_too_many(struct cluster *cluster, int from, int to, struct message message)
{
	while (cluster_send(cluster, from, to, &message, stray_data)) {
		message.number++;
		assert_true(message.number < 3000);
	}
	assert_false(cluster->up[to][from]);
}

/* A backup whose primary sends more than its window. */
static void test_entries_of_a_backup(void **state)
{
	struct cluster *cluster = *state;
	struct message message;

	cluster_begin(cluster);
	message = stray_message(cluster, A, MESSAGE_WRITE);
	message.number = 1000;
	message.position = 3 * CLUSTER_BLOCK;
	message.client = (struct client_id){ 0 };
	message.generation = message.request = message.lowest = 0;
	cluster->member[B].io_hangs = true;
	send_too_many(cluster, A, B, message);
	cluster->member[B].io_hangs = false;
	cluster_all_in_sync(cluster);
}

/* A primary whose forwarder has more requests under way than it may. */
static void test_entries_of_a_primary(void **state)
{
	struct cluster *cluster = *state;
	struct cluster_request own;
	struct message message;
	uint32_t client, on_a;

	cluster_begin(cluster);
	client = cluster_open(cluster, B);
	on_a = cluster_open(cluster, A);
	/* A write that hangs, and reads that wait for it. */
	cluster->member[A].io_hangs = true;
	message = stray_message(cluster, B, MESSAGE_REQUEST);
	memset(stray_data, 0, sizeof(stray_data));
	message.client.client = client;
	message.request = 10;
	assert_true(cluster_send(cluster, B, A, &message, stray_data));
	message.kind = ENTRY_READ;
	message.data_size = 0;
	do {
		message.request++;
		message.lowest = message.request;
		assert_true(message.request < 2000);
	} while (cluster_send(cluster, B, A, &message, stray_data));
	assert_false(cluster->up[A][B]);
	/* The primary's own client waits. */
	cluster_read(cluster, A, on_a, &own, CLUSTER_BLOCK, CLUSTER_BLOCK);
	assert_int_equal(own.result, 1);
	cluster->member[A].io_hangs = false;
	assert_int_equal(cluster_answer(cluster, &own), 0);
	cluster_all_in_sync(cluster);
}

/* A target that is sent more copies, or asked for more hashes, than `copies`. */
static void test_entries_of_a_target(void **state)
{
	static const enum message_type types[] = { MESSAGE_COPY, MESSAGE_HASH };
	struct cluster *cluster = *state;
	uint32_t client;

	cluster_begin(cluster);
	client = cluster_open(cluster, A);
	for (unsigned int i = 0; i < 2; i++) {
		struct message message;

		cluster_kill(cluster, C);
		assert_int_equal(cluster_write_now(cluster, A, client, CLUSTER_BLOCK, (unsigned char)(i + 1)), 0);
		cluster_lose(cluster, MESSAGE_COPY, NO_MEMBER);
		cluster_lose(cluster, MESSAGE_HASH, NO_MEMBER);
		cluster_start(cluster, C);
		cluster_go(cluster, CLUSTER_HEARTBEAT);
		assert_int_equal(cluster_status(cluster, A).members[C].state, REPLICA_MEMBER_RESYNCING);
		cluster->member[C].io_hangs = true;
		for (unsigned int k = 0; k < 2; k++) {
			message = stray_message(cluster, A, types[k ? i : 0]);
			message.number = 1000 + k;
			message.position = CLUSTER_BLOCK;
			if (k == 0)
				assert_true(cluster_send(cluster, A, C, &message, stray_data));
		}
		send_too_many(cluster, A, C, message);
		cluster->member[C].io_hangs = false;
		cluster_lose_nothing(cluster);
		cluster_all_in_sync(cluster);
	}
}

/* ---- ranges ---- */

static void two_pieces(struct cluster *cluster, int member, struct replica_settings *settings)
{
	(void)cluster;
	(void)member;
	settings->devices[0].size = 2 * (uint64_t)REQUEST_RANGE_PIECE;
	settings->block_size = 1u << 16;
	settings->extent_size = 1u << 20;
	settings->copy_size = 1u << 16;
}

/* Zeroes that lie in two pieces of what one request may be are refused, by whoever they come. */
static void test_zeroes_of_two_pieces(void **state)
{
	struct cluster *cluster = *state;
	struct cluster_request zeroes = { .request = { .kind = ENTRY_ZEROES } };
	struct message message;

	cluster->adjust = two_pieces;
	cluster_begin(cluster);
	zeroes.request.client = cluster_open(cluster, B);
	zeroes.request.position = REQUEST_RANGE_PIECE - CLUSTER_BLOCK;
	zeroes.request.length = 2 * (uint64_t)CLUSTER_BLOCK;
	cluster_submit(cluster, B, &zeroes);
	assert_int_equal(zeroes.result, -EINVAL);
	/* A forwarder that sends it all the same gets the same answer. */
	message = stray_message(cluster, B, MESSAGE_REQUEST);
	message.kind = ENTRY_ZEROES;
	message.data_size = 0;
	message.position = zeroes.request.position;
	message.length = zeroes.request.length;
	message.client.client = zeroes.request.client;
	message.request = message.lowest = 5;
	memset(cluster->sent, 0, sizeof(cluster->sent));
	assert_true(cluster_send(cluster, B, A, &message, NULL));
	assert_int_equal(cluster->sent[A][MESSAGE_ANSWER], 1);
	assert_int_equal(cluster->sent[A][MESSAGE_WRITE], 0);
	/* And a backup leaves it alone. */
	message = stray_message(cluster, A, MESSAGE_WRITE);
	message.kind = ENTRY_ZEROES;
	message.data_size = 0;
	message.number = 1000;
	message.position = zeroes.request.position;
	message.length = zeroes.request.length;
	assert_true(cluster_send(cluster, A, B, &message, NULL));
	assert_int_equal(cluster->sent[B][MESSAGE_WRITTEN], 0);
	assert_false(maps_one_piece(0, 0));
	/* Within one piece it is done. */
	zeroes.request.position = 0;
	cluster_submit(cluster, B, &zeroes);
	assert_int_equal(cluster_answer(cluster, &zeroes), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_requests_wait, cluster_setup, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_clients_of_one_host, cluster_setup, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_short_answer, cluster_setup, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_closed_before_it_was_sent, cluster_setup, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_held_back_is_not_overtaken, cluster_setup, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_behind_its_close, cluster_setup, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_paused, cluster_setup, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_too_many_clients_at_a_backup, cluster_setup, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_table_of_pieces, cluster_setup, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_entries_of_a_backup, cluster_setup, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_entries_of_a_primary, cluster_setup, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_entries_of_a_target, cluster_setup, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_zeroes_of_two_pieces, cluster_setup, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_answers_wait_for_room, cluster_setup, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_answer_of_a_session_that_ends, cluster_setup, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_requests_wait_for_room, cluster_setup, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_window_of_bytes, cluster_setup, cluster_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
