/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is known to be decided stays known: nobody may be left who could decide it again.
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

/* The last epoch that anything is proposed for, and whether B alone hears what is. */
static uint64_t last_epoch;
static bool b_alone;

static bool loses(struct cluster *cluster, int from, int to, enum message_type type)
{
	struct message message;
	const void *none;

	(void)from;
	if (type == MESSAGE_FETCH)
		return true;
	if (type != MESSAGE_COLLECT && type != MESSAGE_PROPOSE)
		return false;
	assert_null(message_decode(cluster->delivered, cluster->delivered_size, &message, &none));
	return message.epoch > last_epoch || (type == MESSAGE_PROPOSE && b_alone && to != B);
}

static const struct metadata_slot *stable_of(struct cluster *cluster, int member)
{
	return &cluster->member[member].replica->durable.stable;
}

static bool knows_last(struct cluster *cluster, int member)
{
	struct replica_status status = cluster_status(cluster, member);

	return status.decided && status.configuration.epoch == last_epoch;
}

static bool has_last(struct cluster *cluster, int member)
{
	return stable_of(cluster, member)->configuration.epoch == last_epoch;
}

static void wipe(struct cluster *cluster, int index)
{
	struct cluster_member *member = &cluster->member[index];

	cluster_kill(cluster, index);
	member->saved_slots[0] = member->saved_slots[1] = member->saved_log = false;
	memset(member->saved_bits, 0, sizeof(member->saved_bits));
}

/*
 * E has lost what it promised, and is told what the others decide in an epoch in which it has no vote. B accepted that
 * under a ballot that came to nobody else, C and D under the next one. Then A loses what it promised, and all are
 * restarted, but for D: of A, B, C and E only two can vote in that epoch, and hold it under two ballots.
 */
static void test_under_two_ballots(void **state)
{
	struct cluster *cluster = *state;

	last_epoch = UINT64_MAX;
	b_alone = false;
	cluster_begin(cluster);
	cluster_go(cluster, 5 * CLUSTER_LEASE);
	wipe(cluster, E);
	last_epoch = cluster_status(cluster, A).configuration.epoch + 1;
	b_alone = true;
	cluster->loses = loses;
	cluster_start(cluster, E);
	cluster_until(cluster, has_last, B);
	cluster_cut(cluster, B, true);
	b_alone = false;
	for (int i = A; i <= E; i++) {
		if (i != B)
			cluster_until(cluster, knows_last, i);
	}
	assert_int_not_equal(ballot_compare(stable_of(cluster, B)->accepted, stable_of(cluster, C)->accepted), 0);
	assert_true(stable_of(cluster, E)->votes_from > last_epoch);
	cluster_until(cluster, has_last, E);
	wipe(cluster, A);
	for (int i = B; i <= E; i++)
		cluster_kill(cluster, i);
	cluster_cut(cluster, B, false);
	cluster->loses = NULL;
	for (int i = A; i <= E; i++) {
		if (i != D)
			cluster_start(cluster, i);
	}
	for (int i = A; i <= C; i++)
		cluster_until(cluster, cluster_in_sync, i);
	assert_int_not_equal(cluster_primary(cluster), NO_MEMBER);
	cluster_assert_equal(cluster);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_under_two_ballots, cluster_setup_five, cluster_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
