/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What an operator is told of a member that waits, or that has refused an order: of what the tests with processes do
 * not meet. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "membership_force.h"
#include "membership_primary.h"
#include "membership_refusals.h"
#include "membership_text.h"
#include "membership_waits.h"

enum { A, B, C };

#define BIT_A (1u << A)
#define BIT_B (1u << B)
#define BIT_C (1u << C)
#define ALL   (BIT_A | BIT_B | BIT_C)

/* a and b have images, c has none; this is a. */
static const struct replication_configuration replication = {
	.nr_members = 3,
	.self = A,
	.set = "main",
	.members = { { .node = 1, .name = "a" },
		     { .node = 2, .name = "b", .address = "10.0.0.2" },
		     { .node = 3, .name = "c", .diskless = true } },
};

/* a is primary and serves, with b in sync, and sees all. */
static struct replica_status well(void)
{
	return (struct replica_status){
		.configuration = { .epoch = 5, .primary = A, .in_sync = BIT_A | BIT_B },
		.decided = true,
		.primary = true,
		.serving = true,
		.votes = true,
		.seen = ALL,
	};
}

static void assert_lacks(const struct replica_status *status, int member, const char *expected)
{
	struct diagnostic diagnostic = { "?" };

	assert_int_equal(membership_promotion_lacks(&replication, status, member, &diagnostic), *expected != '\0');
	assert_string_equal(diagnostic.text, expected);
}

static void test_promotion(void **state)
{
	struct replica_status status = well();
	struct diagnostic diagnostic;

	(void)state;
	assert_lacks(&status, B, "");
	membership_refuse_promote(&replication, &status, B, "that is what the core says", &diagnostic);
	assert_string_equal(diagnostic.text, "promote b: that is what the core says");
	status.configuration.in_sync = BIT_A;
	assert_lacks(&status, B, "b is not in sync: wait until it is (rdiskctl status --watch); in sync and seen: a");
	membership_refuse_promote(&replication, &status, B, "unused", &diagnostic);
	assert_string_equal(
		diagnostic.text,
		"promote b: b is not in sync: wait until it is (rdiskctl status --watch); in sync and seen: a");
	status.parted = BIT_B;
	assert_lacks(
		&status, B,
		"b is excluded: its copy has to be discarded first (rdiskctl invalidate b --yes, on that host); in "
		"sync and seen: a");
	status.seen = BIT_A | BIT_C;
	assert_lacks(&status, B,
		     "b is not seen: start rdisk there, and look at the network between; in sync and seen: a");
	assert_lacks(&status, C, "c has no image (diskless = true) and can only vote; name one of a, b");
}

static void test_promotion_by_whom(void **state)
{
	struct replica_status status = well();

	(void)state;
	status.serving = false;
	assert_lacks(&status, B, "a, the primary, does not serve yet: try again when it does (rdiskctl status)");
	status.configuration.primary = B;
	status.primary = false;
	assert_lacks(&status, A, "");
	status.seen = BIT_A | BIT_C;
	assert_lacks(&status, A,
		     "b, the primary, is not seen and cannot hand over: those who see each other choose another by "
		     "themselves (rdiskctl status)");
}

static void test_others(void **state)
{
	struct replica_status status = well();
	struct diagnostic diagnostic;

	(void)state;
	membership_refuse_force(&replication, &status, BIT_B | BIT_C, "its copy was given up", &diagnostic);
	assert_string_equal(diagnostic.text,
			    "force-primary without b, c: a: its copy was given up; if no other member has a copy to go "
			    "on with: stop all, remove the set's part of state_dir on all, start them, and begin anew "
			    "with an image of your choice (rdiskctl init --from NODE)");
	status.parted = BIT_B;
	membership_refuse_invalidate(&replication, &status, "that is what the core says", &diagnostic);
	assert_string_equal(diagnostic.text, "invalidate a: that is what the core says");
	status.parted = 0;
	status.discards = true;
	membership_refuse_force(&replication, &status, BIT_B, "its copy was given up", &diagnostic);
	assert_string_equal(diagnostic.text,
			    "force-primary without b: a was started to have its copy discarded (-U FULL): start it "
			    "without, to go on with what is there");
	status.configuration.epoch = 0;
	membership_refuse_init(&replication, &status, A, "that is what the core says", &diagnostic);
	assert_string_equal(diagnostic.text, "init --from a: that is what the core says");
	membership_refuse_init(&replication, &status, B, NULL, &diagnostic);
	assert_string_equal(diagnostic.text,
			    "init --from b: a set is begun by the member whose images it begins with, and this is the "
			    "host of a: on that of b (10.0.0.2), give the order rdiskctl init --from b");
}

static void assert_waits(const struct replica_status *status, const char *expected)
{
	char text[512];

	membership_waits_text(&replication, status, text, sizeof(text));
	assert_string_equal(text, expected);
	/* What is too long is cut. */
	membership_waits_text(&replication, status, text, 5);
	assert_true(strlen(text) <= 4 && !strncmp(text, expected, strlen(text)));
}

static void test_vote(void **state)
{
	struct replica_status status = well();

	(void)state;
	assert_waits(&status, "");
	status.seen = BIT_A | BIT_C;
	status.blocked = "the core's words";
	status.waits = (struct replica_waits){ REPLICA_WAITS_VOTES, .members = BIT_B | BIT_C, .needed = 2 };
	assert_waits(&status, "2 of b, c must be seen to bring back the vote that this member has lost; seen: c");
	status.configuration.epoch = 0;
	assert_waits(&status, "the core's words");
}

/* b is primary, and cut off from a alone. */
static void test_link(void **state)
{
	struct replica_status status = well();
	struct diagnostic diagnostic;

	(void)state;
	status.primary = status.serving = false;
	status.configuration.primary = B;
	status.configuration.in_sync = BIT_B;
	status.seen = BIT_A | BIT_C;
	status.members[A].connected = status.members[C].connected = true;
	status.members[C].sees = BIT_A | BIT_B;
	status.blocked = "the core's words";
	status.waits = (struct replica_waits){ REPLICA_WAITS_IN_SYNC, .members = BIT_B, .needed = 1 };
	assert_int_equal(membership_seen_by(&replication, &status, B), BIT_C);
	assert_int_equal(membership_seen_by(&replication, &status, C), 0);
	assert_int_equal(membership_seen_by(&replication, &status, A), 0);
	assert_waits(&status, "the primary cannot be reached from here: the connection between a and b is down; b is "
			      "there, and seen by c: mend the network between a and b");
	membership_refuse_promote(&replication, &status, B, NULL, &diagnostic);
	assert_string_equal(diagnostic.text,
			    "promote b: the connection between a and b is down; b is there, and seen by "
			    "c: mend the network between a and b; in sync and seen: none");
	/* c does not see it any more. */
	status.members[C].sees = BIT_A;
	assert_waits(&status, "a member that is in sync must be seen: b; start rdisk there; only if they are lost for "
			      "good: rdiskctl force-primary, which loses what the copy that is taken lacks");
	status.discards = true;
	assert_waits(&status,
		     "the copy of this member is to be discarded (-U FULL), and is not before one that is in sync "
		     "serves, of b: if none does, start rdisk here without -U FULL, to go on with what is there");
}

/* Whether there is one that is not to be replaced by force. */
static void test_primary(void **state)
{
	struct replica_status status = well();
	struct diagnostic diagnostic = { "" };

	(void)state;
	assert_true(membership_has_primary(&replication, &status));
	assert_false(membership_serves_another(&replication, &status, &diagnostic));
	status.primary = status.serving = false;
	status.configuration.primary = B;
	status.members[B].connected = status.primary_there = true;
	assert_true(membership_serves_another(&replication, &status, &diagnostic));
	assert_string_equal(diagnostic.text, "force-primary: b is primary and serves (epoch 5), so there is nothing to "
					     "force: to have a serve, rdiskctl promote a");
	/* Another process of b. */
	status.primary_there = false;
	assert_false(membership_serves_another(&replication, &status, &diagnostic));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_promotion), cmocka_unit_test(test_promotion_by_whom),
		cmocka_unit_test(test_others),	  cmocka_unit_test(test_vote),
		cmocka_unit_test(test_link),	  cmocka_unit_test(test_primary),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
