/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Messages that were right once: of a process that was restarted since, of a round or a proposal that is over, said
 * twice, or by who has lost what it says. None of them counts.
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

static void write_one(struct cluster *cluster, int member)
{
	uint32_t client = cluster_open(cluster, member);

	assert_int_equal(cluster_write_now(cluster, member, client, 0, 1), 0);
	replica_forget_client(cluster->member[member].replica, cluster->now, client);
	cluster_go(cluster, CLUSTER_HEARTBEAT / 10);
}

/* All are in sync again, equal, and hold what write_one() wrote. */
static void assert_well(struct cluster *cluster)
{
	cluster_lose_nothing(cluster);
	cluster_all_in_sync(cluster);
	assert_int_equal(cluster->member[A].image[0], 1);
}

static bool sees(struct cluster *cluster, int member, int other)
{
	return member_in(cluster_status(cluster, member).seen, other);
}

static void restart(struct cluster *cluster, int member)
{
	cluster_kill(cluster, member);
	cluster_start(cluster, member);
	for (int i = 0; i < cluster->members; i++) {
		while (cluster->member[i].replica && (!sees(cluster, i, member) || !sees(cluster, member, i)))
			cluster_go(cluster, CLUSTER_HEARTBEAT / 1000);
	}
}

/* ---- processes that are others now ---- */

/* A's new process is not who is named primary, whatever it sends of the reign. */
static void test_restarted_primary(void **state)
{
	static const struct {
		enum message_type message, answer;
	} types[] = {
		{ MESSAGE_RENEW, MESSAGE_GRANT },	    { MESSAGE_WRITE, MESSAGE_WRITTEN },
		{ MESSAGE_FLUSH, MESSAGE_FLUSHED },	    { MESSAGE_CONFIRM, MESSAGE_REPORT },
		{ MESSAGE_RECONCILED, MESSAGE_RECONCILED },
	};
	struct cluster *cluster = *state;

	cluster_begin(cluster);
	write_one(cluster, A);
	cluster_lose(cluster, MESSAGE_COLLECT, NO_MEMBER);
	restart(cluster, A);
	for (unsigned int i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		struct message message = stray_message(cluster, B, types[i].message);
		unsigned int before = cluster->sent[B][types[i].answer];

		message.number = 1000;
		assert_int_equal(message.configuration.primary, A);
		assert_true(cluster_send(cluster, A, B, &message, stray_data));
		assert_int_equal(cluster->sent[B][types[i].answer], before);
	}
	assert_int_equal(cluster->member[B].image[0], 1);
	assert_well(cluster);
}

/* A target whose primary was restarted is told nothing by that one. */
static void test_restarted_source(void **state)
{
	static const enum message_type types[] = { MESSAGE_COPY, MESSAGE_HASH, MESSAGE_HANDED_OVER, MESSAGE_WRITE };
	static const enum message_type answers[] = { MESSAGE_COPIED, MESSAGE_HASHES, MESSAGE_READY, MESSAGE_WRITTEN };
	struct cluster *cluster = *state;

	cluster_begin(cluster);
	cluster_kill(cluster, C);
	write_one(cluster, A);
	cluster_lose(cluster, MESSAGE_COPY, NO_MEMBER);
	cluster_lose(cluster, MESSAGE_HASH, NO_MEMBER);
	cluster_start(cluster, C);
	cluster_go(cluster, CLUSTER_HEARTBEAT);
	assert_int_equal(cluster_status(cluster, A).members[C].state, REPLICA_MEMBER_RESYNCING);
	cluster_lose(cluster, MESSAGE_COLLECT, NO_MEMBER);
	restart(cluster, A);
	for (unsigned int i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		struct message message = stray_message(cluster, C, types[i]);
		unsigned int before = cluster->sent[C][answers[i]];

		assert_true(cluster_send(cluster, A, C, &message, stray_data));
		assert_int_equal(cluster->sent[C][answers[i]], before);
	}
	assert_int_equal(cluster->member[C].image[0], 0);
	assert_well(cluster);
}

static bool is_primary(struct cluster *cluster, int member)
{
	return cluster_status(cluster, member).primary;
}

/* The new primary of two waits for the report of a process that is not there any more: another's is not for it. */
static void test_restarted_reporter(void **state)
{
	struct cluster *cluster = *state;
	struct message message;

	cluster_begin(cluster);
	write_one(cluster, A);
	cluster_lose(cluster, MESSAGE_REPORT, NO_MEMBER);
	cluster_lose(cluster, MESSAGE_COLLECT, C);
	cluster_kill(cluster, A);
	cluster_until(cluster, is_primary, B);
	/* It is not removed meanwhile. */
	cluster_lose(cluster, MESSAGE_COLLECT, NO_MEMBER);
	cluster_lose(cluster, MESSAGE_PROPOSE, NO_MEMBER);
	restart(cluster, C);
	assert_int_equal(cluster->member[B].replica->reign.role, ROLE_CONFIRMING);
	message = stray_message(cluster, B, MESSAGE_REPORT);
	message.data_size = 0;
	assert_true(cluster_send(cluster, C, B, &message, stray_data));
	assert_false(member_in(cluster->member[B].replica->reign.confirmed, C));
	assert_int_equal(cluster->member[B].replica->reign.role, ROLE_CONFIRMING);
	cluster_start(cluster, A);
	assert_well(cluster);
}

/* That all have the table is believed of nobody before the table went out, and of the processes that are named only. */
static void test_early_reconciled(void **state)
{
	struct cluster *cluster = *state;
	struct replica *b;
	struct message message;

	cluster_begin(cluster);
	write_one(cluster, A);
	cluster_lose(cluster, MESSAGE_COLLECT, C);
	cluster_lose(cluster, MESSAGE_RECONCILED, C);
	cluster_kill(cluster, A);
	/* The table does not get into the queue. */
	cluster->no_room = true;
	cluster_lose(cluster, MESSAGE_REPORT, NO_MEMBER);
	cluster_until(cluster, is_primary, B);
	b = cluster->member[B].replica;
	message = stray_message(cluster, B, MESSAGE_REPORT);
	message.data_size = 0;
	assert_true(cluster_send(cluster, C, B, &message, stray_data));
	while (b->reign.role == ROLE_CONFIRMING)
		cluster_go(cluster, CLUSTER_HEARTBEAT / 10);
	assert_int_equal(b->reign.role, ROLE_EQUALISING);
	assert_false(b->reign.told);
	message = stray_message(cluster, B, MESSAGE_RECONCILED);
	assert_true(cluster_send(cluster, C, B, &message, NULL));
	assert_int_equal(b->reign.reconciled, 0);
	cluster->no_room = false;
	for (int i = 0; !b->reign.told; i++) {
		assert_true(i < 100);
		replica_can_send(b, cluster->now, C);
		cluster_go(cluster, CLUSTER_HEARTBEAT / 10);
	}
	/* Of the reign before, and by another process. */
	message = stray_message(cluster, B, MESSAGE_RECONCILED);
	message.reign--;
	assert_true(cluster_send(cluster, C, B, &message, NULL));
	assert_int_equal(b->reign.reconciled, 0);
	cluster_lose(cluster, MESSAGE_COLLECT, NO_MEMBER);
	cluster_lose(cluster, MESSAGE_PROPOSE, NO_MEMBER);
	assert_false(cluster_serves(cluster, B));
	restart(cluster, C);
	message.reign++;
	assert_int_equal(b->reign.role, ROLE_EQUALISING);
	assert_true(cluster_send(cluster, C, B, &message, NULL));
	assert_int_equal(b->reign.reconciled, 0);
	cluster_start(cluster, A);
	assert_well(cluster);
}

/* The table of a new primary is stuck, and one that waits for it goes: it is not waited for. */
static void test_gone_before_the_table(void **state)
{
	struct cluster *cluster = *state;
	struct message message;

	cluster_begin(cluster);
	write_one(cluster, A);
	cluster_lose(cluster, MESSAGE_COLLECT, C);
	cluster_kill(cluster, A);
	cluster->no_room = true;
	cluster_until(cluster, is_primary, B);
	message = stray_message(cluster, B, MESSAGE_REPORT);
	message.data_size = 0;
	assert_true(cluster_send(cluster, C, B, &message, stray_data));
	while (cluster->member[B].replica->reign.role == ROLE_CONFIRMING)
		cluster_go(cluster, CLUSTER_HEARTBEAT / 10);
	cluster_lose(cluster, MESSAGE_COLLECT, NO_MEMBER);
	cluster_cut(cluster, C, true);
	cluster_go(cluster, CLUSTER_LEASE);
	assert_int_equal(cluster->member[B].replica->reign.role, ROLE_EQUALISING);
	assert_false(cluster->member[B].replica->reign.told);
	cluster_lose_nothing(cluster);
	cluster->no_room = false;
	cluster_until(cluster, cluster_serves, B);
	assert_int_equal(cluster_status(cluster, B).configuration.in_sync, member_bit(B));
	cluster_cut(cluster, C, false);
	cluster_start(cluster, A);
	assert_well(cluster);
}

/* A table goes by one session from its beginning to its end, and what follows it by the same. */
static void test_another_session(void **state)
{
	struct cluster *cluster = *state;
	struct message message;

	cluster_begin(cluster);
	write_one(cluster, A);
	cluster_lose(cluster, MESSAGE_COLLECT, NO_MEMBER);
	cluster_cut_link(cluster, A, B, true);
	cluster_cut_link(cluster, A, B, false);
	while (!sees(cluster, A, B) || !sees(cluster, B, A))
		cluster_go(cluster, CLUSTER_HEARTBEAT / 1000);
	memset(cluster->sent, 0, sizeof(cluster->sent));
	message = stray_message(cluster, A, MESSAGE_DONE_TABLE);
	message.number = 1;
	message.data_size = 8; /* which is no table */
	assert_true(cluster_send(cluster, A, B, &message, stray_data));
	message = stray_message(cluster, A, MESSAGE_RECONCILED);
	assert_true(cluster_send(cluster, A, B, &message, NULL));
	assert_int_equal(cluster->sent[B][MESSAGE_RECONCILED], 0);
	message = stray_message(cluster, A, MESSAGE_WRITE);
	message.number = 1000;
	assert_true(cluster_send(cluster, A, B, &message, stray_data));
	assert_int_equal(cluster->sent[B][MESSAGE_WRITTEN], 0);
	assert_int_equal(cluster->member[B].image[0], 1);
	assert_well(cluster);
}

/* A target is asked nothing that only who is in sync can say; and asks for nothing that is not there. */
static void test_target_is_no_backup(void **state)
{
	struct cluster *cluster = *state;
	const char *why = NULL;
	struct message message;

	cluster_begin(cluster);
	cluster_kill(cluster, C);
	write_one(cluster, A);
	cluster_replace(cluster, C, 0);
	cluster_lose(cluster, MESSAGE_COPY, NO_MEMBER);
	cluster_start(cluster, C);
	cluster_go(cluster, CLUSTER_HEARTBEAT);
	assert_int_equal(cluster_status(cluster, A).members[C].state, REPLICA_MEMBER_RESYNCING);
	memset(cluster->sent[C], 0, sizeof(cluster->sent[C]));
	message = stray_message(cluster, A, MESSAGE_CONFIRM);
	assert_true(cluster_send(cluster, A, C, &message, NULL));
	assert_int_equal(cluster->sent[C][MESSAGE_REPORT], 0);
	message = stray_message(cluster, A, MESSAGE_RECONCILED);
	assert_true(cluster_send(cluster, A, C, &message, NULL));
	assert_int_equal(cluster->sent[C][MESSAGE_RECONCILED], 0);
	message = stray_message(cluster, A, MESSAGE_HASH);
	message.position = CLUSTER_SIZE;
	assert_true(cluster_send(cluster, A, C, &message, NULL));
	assert_int_equal(cluster->sent[C][MESSAGE_HASHES], 0);
	/* Its image is not to be trusted: it is not made primary by force. */
	assert_int_equal(replica_force(cluster->member[C].replica, cluster->now, member_bit(A), &why), -EINVAL);
	assert_non_null(why);
	message = stray_message(cluster, C, MESSAGE_JOIN);
	message.flags = MESSAGE_FIRST;
	message.device = 1;
	assert_true(cluster_send(cluster, C, A, &message, stray_data));
	assert_well(cluster);
}

/* ---- acknowledgements ---- */

/* What is said of another entry or flush, or twice, does not stand for who has not said it yet. */
static void test_acknowledged_for_another(void **state)
{
	struct cluster *cluster = *state;
	struct cluster_request write, flush;
	struct message message;
	struct replica *a;
	uint32_t client;

	cluster_begin(cluster);
	client = cluster_open(cluster, A);
	a = cluster->member[A].replica;
	cluster->member[B].io_hangs = true;
	cluster_write(cluster, A, client, &write, 0, CLUSTER_BLOCK, 1);
	cluster_flush(cluster, A, client, &flush);
	cluster_go(cluster, CLUSTER_HEARTBEAT / 10);
	message = stray_message(cluster, B, MESSAGE_WRITTEN);
	message.number = a->reign.number + a->settings.window;
	assert_true(cluster_send(cluster, B, A, &message, NULL));
	message.number = a->reign.number;
	for (int i = 0; i < 2; i++)
		assert_true(cluster_send(cluster, C, A, &message, NULL));
	assert_int_equal(write.result, 1);
	message = stray_message(cluster, B, MESSAGE_FLUSHED);
	message.number = a->flush.number + 1;
	assert_true(cluster_send(cluster, B, A, &message, NULL));
	message.number = a->flush.number;
	for (int i = 0; i < 2; i++)
		assert_true(cluster_send(cluster, C, A, &message, NULL));
	assert_int_equal(flush.result, 1);
	/* An answer to what the forwarder never asked of itself. */
	message = stray_message(cluster, A, MESSAGE_ANSWER);
	message.client = (struct client_id){ cluster->member[C].incarnation, 0 };
	message.request = 12345;
	message.data_size = 0;
	assert_true(cluster_send(cluster, A, C, &message, NULL));
	assert_int_equal(cluster->member[C].replica->forward.confirmed, 0);
	cluster->member[B].io_hangs = false;
	assert_int_equal(cluster_answer(cluster, &write), 0);
	assert_int_equal(cluster_answer(cluster, &flush), 0);
	assert_well(cluster);
}

/* Flushes that a backup is asked for while one hangs are answered by one that begins after them. */
static void test_flushes_of_a_backup(void **state)
{
	struct cluster *cluster = *state;
	struct message message;

	cluster_begin(cluster);
	write_one(cluster, A);
	cluster_go(cluster, 5 * CLUSTER_LEASE);
	message = stray_message(cluster, A, MESSAGE_FLUSH);
	message.number = 1000;
	message.flags = 0; /* nothing is tracked by it */
	memset(cluster->sent, 0, sizeof(cluster->sent));
	cluster->member[B].io_hangs = true;
	for (int i = 0; i < 3; i++) {
		message.number++;
		assert_true(cluster_send(cluster, A, B, &message, NULL));
	}
	assert_int_equal(cluster->member[B].nr_hung, 1);
	assert_int_equal(cluster->member[B].replica->backup.tracked, 0);
	cluster->member[B].io_hangs = false;
	cluster_go(cluster, CLUSTER_HEARTBEAT / 10);
	assert_int_equal(cluster->sent[B][MESSAGE_FLUSHED], 2);
	assert_well(cluster);
}

/* ---- processes that are about to end ---- */

/* They are not made primary, neither by order nor as the next one. */
static void test_stopping(void **state)
{
	struct cluster *cluster = *state;
	const char *why = NULL;

	cluster_begin(cluster);
	write_one(cluster, A);
	cluster_lose(cluster, MESSAGE_PROMISE, NO_MEMBER);
	replica_stop(cluster->member[B].replica, cluster->now);
	cluster_go(cluster, CLUSTER_HEARTBEAT / 10);
	assert_true(cluster_serves(cluster, A));
	assert_int_equal(replica_promote(cluster->member[A].replica, cluster->now, B, &why), -EAGAIN);
	assert_non_null(why);
	assert_true(cluster_serves(cluster, A));
	replica_stop(cluster->member[A].replica, cluster->now);
	cluster_go(cluster, CLUSTER_HEARTBEAT / 10);
	cluster_lose_nothing(cluster);
	cluster_until(cluster, cluster_serves, C);
	assert_int_equal(cluster->told[B][REPLICA_EVENT_SERVING], 0);
	cluster_go(cluster, 20 * CLUSTER_LEASE);
	assert_true(replica_stopped(cluster->member[A].replica));
	assert_true(replica_stopped(cluster->member[B].replica));
	restart(cluster, A);
	restart(cluster, B);
	assert_well(cluster);
}

/* ---- room that nobody waits for ---- */

static void test_room_without_session(void **state)
{
	struct cluster *cluster = *state;

	cluster_begin(cluster);
	write_one(cluster, A);
	cluster_cut(cluster, C, true);
	memset(cluster->sent[A], 0, sizeof(cluster->sent[A]));
	replica_can_send(cluster->member[A].replica, cluster->now, C);
	for (unsigned int type = 0; type < MESSAGE_TYPES; type++)
		assert_int_equal(cluster->sent[A][type], 0);
	cluster_cut(cluster, C, false);
	cluster_go(cluster, CLUSTER_LEASE);
	assert_well(cluster);
}

/* ---- leases ---- */

/* A grant of an older round, or of one that was never sent in this reign, makes a lease no longer. */
static void test_grants(void **state)
{
	struct cluster *cluster = *state;
	struct replica *a;
	struct message message;
	uint64_t end;

	cluster_begin(cluster);
	write_one(cluster, A);
	cluster_go(cluster, 2 * CLUSTER_LEASE);
	a = cluster->member[A].replica;
	end = lease_end(a);
	assert_true(end > cluster->now);
	message = stray_message(cluster, B, MESSAGE_GRANT);
	for (uint64_t back = 1; back < 5; back++) {
		message.number = a->lease.round - back;
		assert_true(cluster_send(cluster, B, A, &message, NULL));
		assert_true(cluster_send(cluster, C, A, &message, NULL));
		assert_int_equal(lease_end(a), end);
	}
	message.number = a->lease.round;
	message.epoch = 0;
	assert_true(cluster_send(cluster, B, A, &message, NULL));
	assert_true(cluster_send(cluster, C, A, &message, NULL));
	assert_int_equal(lease_end(a), end);
	/* Another reign: rounds of before it are none. */
	restart(cluster, B);
	cluster_until(cluster, cluster_in_sync, B);
	assert_int_equal(replica_promote(a, cluster->now, B, &(const char *){ NULL }), 0);
	cluster_lose(cluster, MESSAGE_GRANT, NO_MEMBER);
	cluster_until(cluster, is_primary, B);
	message = stray_message(cluster, B, MESSAGE_GRANT);
	message.number = cluster->member[B].replica->lease.round - PAST_ROUNDS / 2;
	assert_true(cluster_send(cluster, A, B, &message, NULL));
	assert_true(cluster_send(cluster, C, B, &message, NULL));
	assert_false(lease_holds(cluster->member[B].replica));
	assert_well(cluster);
}

/* ---- proposals ---- */

static struct message collected; /* the last COLLECT */

static bool looks_at_collect(struct cluster *cluster, int from, int to, enum message_type type)
{
	const void *none;

	(void)to;
	if (type == MESSAGE_COLLECT && from == B)
		assert_null(message_decode(cluster->delivered, cluster->delivered_size, &collected, &none));
	return type == MESSAGE_PROMISE || type == MESSAGE_REFUSE || (type == MESSAGE_COLLECT && from != B);
}

/* And has its own promise. */
static bool collects(struct cluster *cluster, int member)
{
	const struct decision *decision = &cluster->member[member].replica->decision;

	return decision->phase == PROPOSAL_COLLECTING && member_in(decision->answers, member) && collected.type;
}

/* Two promises of one member are not those of two. */
static void test_promised_twice(void **state)
{
	struct cluster *cluster = *state;
	struct message message;
	unsigned int proposals;
	uint64_t not_before;

	cluster_begin(cluster);
	write_one(cluster, A);
	memset(&collected, 0, sizeof(collected));
	cluster->loses = looks_at_collect;
	cluster_kill(cluster, A);
	cluster_until(cluster, collects, B);
	proposals = cluster->sent[B][MESSAGE_PROPOSE];
	message = stray_message(cluster, C, MESSAGE_PROMISE);
	message.epoch = collected.epoch;
	message.ballot = collected.ballot;
	message.configuration = (struct replica_configuration){ 0 };
	for (int i = 0; i < 3; i++)
		assert_true(cluster_send(cluster, C, B, &message, NULL));
	cluster_go(cluster, CLUSTER_HEARTBEAT / 100);
	assert_int_equal(cluster->sent[B][MESSAGE_PROPOSE], proposals);
	/* That another proposal of its has to wait for a lease is not said of this one. */
	message = stray_message(cluster, C, MESSAGE_REFUSE);
	message.wait = CLUSTER_LEASE;
	not_before = cluster->member[B].replica->reign.not_before;
	message.epoch = collected.epoch + 1;
	message.ballot = collected.ballot;
	assert_true(cluster_send(cluster, C, B, &message, NULL));
	assert_int_equal(cluster->member[B].replica->reign.not_before, not_before);
	/* A third one is enough. */
	message = stray_message(cluster, D, MESSAGE_PROMISE);
	message.epoch = collected.epoch;
	message.ballot = collected.ballot;
	message.configuration = (struct replica_configuration){ 0 };
	assert_true(cluster_send(cluster, D, B, &message, NULL));
	cluster_go(cluster, CLUSTER_HEARTBEAT / 100);
	assert_true(cluster->sent[B][MESSAGE_PROPOSE] > proposals);
	cluster_start(cluster, A);
	assert_well(cluster);
}

/* With the highest ballot that there is nobody can propose any more, and says so. */
static void test_last_ballot(void **state)
{
	struct cluster *cluster = *state;
	struct message message;

	cluster_begin(cluster);
	write_one(cluster, A);
	message = stray_message(cluster, C, MESSAGE_REFUSE);
	message.kind = REFUSED_BALLOT;
	message.accepted = (struct ballot){ BALLOT_COUNT_MAX, C };
	assert_true(cluster_send(cluster, C, B, &message, NULL));
	cluster_lose(cluster, MESSAGE_COLLECT, C);
	cluster_kill(cluster, A);
	cluster_go(cluster, 5 * CLUSTER_LEASE);
	assert_int_equal(cluster_status(cluster, B).waits.what, REPLICA_WAITS_FOR_EVER);
	assert_int_equal(cluster->sent[B][MESSAGE_COLLECT], 0);
	cluster_lose_nothing(cluster);
	cluster_until(cluster, cluster_serves, C);
	cluster_start(cluster, A);
	assert_well(cluster);
}

/* The same with the last epoch. */
static void test_last_epoch(void **state)
{
	struct cluster *cluster = *state;
	struct message message;

	cluster_begin(cluster);
	write_one(cluster, A);
	message = stray_message(cluster, C, MESSAGE_CONFIGURATION);
	message.configuration.epoch = EPOCH_MAX;
	message.flags = MESSAGE_DECIDED;
	assert_true(cluster_send(cluster, C, A, &message, NULL));
	cluster_go(cluster, CLUSTER_LEASE);
	for (int i = 0; i < 3; i++)
		assert_int_equal(cluster_status(cluster, i).configuration.epoch, EPOCH_MAX);
	cluster_until(cluster, cluster_serves, A);
	cluster_kill(cluster, A);
	cluster_go(cluster, 5 * CLUSTER_LEASE);
	assert_int_equal(cluster_primary(cluster), NO_MEMBER);
	for (int i = B; i <= C; i++) {
		assert_int_equal(cluster_status(cluster, i).waits.what, REPLICA_WAITS_FOR_EVER);
		assert_int_equal(cluster_status(cluster, i).configuration.epoch, EPOCH_MAX);
	}
}

/* ---- who has lost what it knew ---- */

static bool votes(struct cluster *cluster, int member)
{
	return cluster_status(cluster, member).votes;
}

/* One that learns tells nothing to another that does; what it is told counts as far as it goes. */
static void test_learning(void **state)
{
	struct cluster *cluster = *state;
	struct message message;
	uint64_t epoch;

	cluster_begin(cluster);
	write_one(cluster, A);
	cluster_kill(cluster, C);
	memset(cluster->member[C].saved_slots, 0, sizeof(cluster->member[C].saved_slots));
	cluster_lose(cluster, MESSAGE_LEARNT, NO_MEMBER);
	cluster_start(cluster, C);
	cluster_go(cluster, CLUSTER_HEARTBEAT);
	assert_true(cluster->member[C].replica->decision.learning);
	message = stray_message(cluster, B, MESSAGE_LEARN);
	memset(cluster->sent[C], 0, sizeof(cluster->sent[C]));
	assert_true(cluster_send(cluster, B, C, &message, NULL));
	assert_int_equal(cluster->sent[C][MESSAGE_LEARNT], 0);
	/* B has learnt of more than it has accepted. */
	epoch = cluster_status(cluster, A).configuration.epoch;
	message = stray_message(cluster, B, MESSAGE_LEARNT);
	message.epoch = epoch + 3;
	message.flags = 0;
	assert_true(cluster_send(cluster, B, C, &message, NULL));
	assert_true(cluster->member[C].replica->decision.learning);
	message = stray_message(cluster, A, MESSAGE_LEARNT);
	message.epoch = 0;
	message.flags = 0;
	assert_true(cluster_send(cluster, A, C, &message, NULL));
	assert_false(cluster->member[C].replica->decision.learning);
	assert_int_equal(cluster->member[C].replica->durable.now.votes_from, epoch + 5);
	assert_false(votes(cluster, C));
	cluster_lose_nothing(cluster);
	cluster_until(cluster, votes, C);
	assert_well(cluster);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_restarted_primary, cluster_setup, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_restarted_source, cluster_setup, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_restarted_reporter, cluster_setup, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_early_reconciled, cluster_setup, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_gone_before_the_table, cluster_setup_five, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_another_session, cluster_setup, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_target_is_no_backup, cluster_setup, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_acknowledged_for_another, cluster_setup, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_flushes_of_a_backup, cluster_setup, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_stopping, cluster_setup, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_room_without_session, cluster_setup, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_grants, cluster_setup, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_promised_twice, cluster_setup_five, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_last_ballot, cluster_setup, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_last_epoch, cluster_setup, cluster_teardown),
		cmocka_unit_test_setup_teardown(test_learning, cluster_setup, cluster_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
