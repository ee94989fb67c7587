/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Orders of an operator that cannot be carried out: they end when their time is over, and say what they wait for; or
 * they are refused at once. And what the events tell of one that brings members up no further for a while.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "member_set.h"

/* rdiskctl events, in its log. */
static struct test_process listener;

static int teardown(void **state)
{
	(void)state;
	member_set_discard();
	test_process_discard(&listener);
	return 0;
}

static void assert_said(const char *text)
{
	if (!strstr(member_ctl.output.text, text))
		fail_msg("\"%s\" is not in: %s", text, member_ctl.output.text);
}

static bool said(const char *text)
{
	return strstr(member_ctl.output.text, text) != NULL;
}

/* The text of a member's status, as JSON. */
static const char *status_of(int member)
{
	(void)MEMBER_ORDER(member, "--json", "status");
	return member_ctl.output.text;
}

/* Who serves with this member is not lost: its data would be given up, now or when it is cut off some day. */
static void test_force_refused(void **state)
{
	(void)state;
	member_set_start();
	assert_int_equal(MEMBER_ORDER(MEMBER_B, "--json", "force-primary", "--dead", "a,c", "--yes", "--timeout", "1"),
			 1);
	assert_said("{\"error\":\"not-now\",\"message\":\"force-primary: a is connected, and not dead");
	/* Nothing of it stands. */
	assert_int_equal(kill(set_members[MEMBER_A].rdisk.pid, SIGSTOP), 0);
	member_await(MEMBER_C, "b", NULL);
	assert_int_equal(kill(set_members[MEMBER_A].rdisk.pid, SIGCONT), 0);
	member_await(MEMBER_C, "b", "a");
	member_set_end();
}

/* A primary that serves is not replaced by force, whoever else is lost: it would be waited for in vain. */
static void test_force_beside_primary(void **state)
{
	(void)state;
	member_set_start();
	member_await(MEMBER_B, "a", "b");
	test_process_discard(&set_members[MEMBER_C].rdisk);
	do
		assert_int_equal(MEMBER_ORDER(MEMBER_B, "--json", "force-primary", "--dead", "c", "--yes"), 1);
	while (said("c is connected") || said("c is not dead"));
	assert_said("{\"error\":\"not-now\",\"message\":\"force-primary: a is primary and serves (epoch ");
	member_set_end();
}

static void test_force_waits(void **state)
{
	(void)state;
	member_set_start();
	test_process_discard(&set_members[MEMBER_B].rdisk);
	test_process_discard(&set_members[MEMBER_C].rdisk);
	/* Refused until it has seen that b ended. */
	do
		assert_int_equal(
			MEMBER_ORDER(MEMBER_A, "--json", "force-primary", "--dead", "b", "--yes", "--timeout", "1"), 1);
	while (said("b is connected"));
	assert_said("{\"error\":\"timeout\",\"message\":\"a does not serve after 1 s; the order is withdrawn: ");
	assert_said("to decide the forced primary; seen: a\"}");
	/* It is not carried out when it could be. */
	member_start(MEMBER_C, NULL);
	member_await(MEMBER_A, "a", NULL);
	if (!strstr(status_of(MEMBER_A), "\"generation\":1,"))
		fail_msg("the order was carried out: %s", member_ctl.output.text);
	assert_int_equal(MEMBER_ORDER(MEMBER_A, "--json", "force-primary", "--dead", "b", "--yes"), 0);
	if (!strstr(status_of(MEMBER_A), "\"generation\":2,"))
		fail_msg("the order was not carried out: %s", member_ctl.output.text);
	member_set_end();
}

/* A is alone, and listener is an order there to be primary without b, which waits for a vote. */
static void begin_force(void)
{
	const char *const force[] = { RDISKCTL_PROGRAM,
				      "-c",
				      set_members[MEMBER_A].config,
				      "--json",
				      "force-primary",
				      "--dead",
				      "b",
				      "--yes",
				      "--timeout",
				      "0",
				      NULL };

	member_set_start();
	test_process_discard(&set_members[MEMBER_B].rdisk);
	test_process_discard(&set_members[MEMBER_C].rdisk);
	member_await_blocked(MEMBER_A, "2 of a, b, c must be seen to decide who serves; seen: a");
	test_process_start(&listener, force, NULL);
	member_await_blocked(MEMBER_A, "2 of a, c must be seen to decide the forced primary; seen: a");
}

/* An order that waits is told of, and is none any more when nobody waits for it. */
static void test_force_withdrawn(void **state)
{
	(void)state;
	begin_force();
	if (!strstr(status_of(MEMBER_A), "\"force_without\":[\"b\"]"))
		fail_msg("the order is not told of: %s", member_ctl.output.text);
	test_process_discard(&listener);
	member_await_blocked(MEMBER_A, "2 of a, b, c must be seen to decide who serves; seen: a");
	if (strstr(status_of(MEMBER_A), "force_without"))
		fail_msg("the order is not withdrawn: %s", member_ctl.output.text);
	member_set_end();
}

/* Who is taken for dead comes back while the order waits: it would split the set some day. */
static void test_force_is_forgotten(void **state)
{
	(void)state;
	begin_force();
	member_start(MEMBER_B, NULL);
	assert_true(test_process_wait_end(&listener, TEST_TIMEOUT_MS));
	/* By the connection, or by what is said on it. */
	if (!strstr(listener.output.text, "the order is forgotten") &&
	    !strstr(listener.output.text, "b is not dead: something listens at its address (it has just connected)"))
		fail_msg("force-primary: %s", listener.output.text);
	member_set_end();
}

/* What is refused at once says which order, who is in the way, and what there is to do. */
static void test_refused(void **state)
{
	static const struct {
		int to;
		const char *const order[4];
		const char *code, *text;
	} orders[] = {
		{ MEMBER_A,
		  { "promote", "c" },
		  "not-now",
		  "promote c: c has no image (diskless = true) and can only vote; name one of a, b" },
		{ MEMBER_B,
		  { "promote", "c" },
		  "not-now",
		  "promote c: c has no image (diskless = true) and can only vote; name one of a, b" },
		{ MEMBER_A,
		  { "promote", "d" },
		  "bad-request",
		  "promote: no member of set test is \\\"d\\\"; its members: a (1), b (2), c (3)" },
		{ MEMBER_A, { "init", "--from", "a" }, "refused", "init --from a: set test has begun already (epoch " },
		{ MEMBER_A, { "init", "--from", "c" }, "refused", "init --from c: set test has begun already (epoch " },
		{ MEMBER_A,
		  { "invalidate", "a", "--yes" },
		  "not-now",
		  "invalidate a: a has seen no member that went on without it" },
		{ MEMBER_A,
		  { "invalidate", "b", "--yes" },
		  "refused",
		  "invalidate b: a copy is discarded where it is, and this is the host of a: give the order on that of "
		  "b" },
		{ MEMBER_B,
		  { "pause-resync" },
		  "not-now",
		  "pause-resync: b is not the primary, and brings nobody up: give it on the host of a" },
		{ MEMBER_C,
		  { "resume-resync" },
		  "not-now",
		  "resume-resync: c is not the primary, and brings nobody up: give it on the host of a" },
		{ MEMBER_C, { "invalidate", "c", "--yes" }, "not-now", "; seen: a, b, c" },
		{ MEMBER_A,
		  { "force-primary", "--dead", "a", "--yes" },
		  "bad-request",
		  "force-primary: a is the member that gets this order" },
	};
	char begin[64];

	(void)state;
	member_set_start();
	member_await(MEMBER_B, "a", "b");
	member_await(MEMBER_C, "a", "b");
	for (size_t i = 0; i < sizeof(orders) / sizeof(orders[0]); i++) {
		const char *const *order = orders[i].order;

		assert_int_equal(MEMBER_ORDER(orders[i].to, "--json", order[0], order[1], order[2], order[3]), 1);
		snprintf(begin, sizeof(begin), "{\"error\":\"%s\",\"message\":\"%s", orders[i].code, order[0]);
		assert_said(begin);
		assert_said(orders[i].text);
	}
	test_process_discard(&set_members[MEMBER_B].rdisk);
	do
		assert_int_equal(MEMBER_ORDER(MEMBER_A, "--json", "promote", "b", "--timeout", "1"), 1);
	/* As long as c has not noticed it is seen there. */
	while (said("timeout") || said("seen by c"));
	assert_said(
		"promote b: b is not seen: start rdisk there, and look at the network between; in sync and seen: a");
	test_process_discard(&set_members[MEMBER_A].rdisk);
	do
		assert_int_equal(MEMBER_ORDER(MEMBER_C, "--json", "force-primary", "--dead", "a,b", "--yes"), 1);
	while (said("is connected"));
	assert_said("force-primary without a, b: c, which got the order, has no image (diskless = true)");
	member_set_discard();
}

/* The same where the set has not begun yet. */
static void test_refused_unborn(void **state)
{
	(void)state;
	member_start(MEMBER_A, NULL);
	assert_int_equal(MEMBER_ORDER(MEMBER_A, "--json", "promote", "a"), 1);
	assert_said("promote a: the set has not begun, or is not known here yet");
	assert_int_equal(MEMBER_ORDER(MEMBER_A, "--json", "init", "--from", "c"), 1);
	assert_said("init --from c: c has no image (diskless = true); name one of a, b");
	assert_int_equal(MEMBER_ORDER(MEMBER_A, "--json", "init", "--from", "b"), 1);
	assert_said("{\"error\":\"refused\",\"message\":\"init --from b: a set is begun by the member whose images it");
	assert_said("give the order rdiskctl init --from b\"}");
	assert_int_equal(MEMBER_ORDER(MEMBER_A, "init", "--from", "a"), 0);
	assert_said("the set begins with the images of a as soon as all members are seen; seen: a\n");
	assert_int_equal(MEMBER_ORDER(MEMBER_A, "--json", "invalidate", "a", "--yes"), 1);
	assert_said("invalidate a: a has no copy yet that it could discard");
	assert_int_equal(MEMBER_ORDER(MEMBER_A, "--json", "force-primary", "--dead", "b", "--yes"), 1);
	assert_said("force-primary without b: a, which got the order, has never been in sync");
	assert_int_equal(MEMBER_ORDER(MEMBER_A, "status"), 5);
	assert_said("unknown");
	member_set_end();
}

static void test_promote_waits(void **state)
{
	(void)state;
	member_set_start();
	/* Nobody is left with whom b could take over, and a says nothing. */
	test_process_discard(&set_members[MEMBER_C].rdisk);
	assert_int_equal(kill(set_members[MEMBER_A].rdisk.pid, SIGSTOP), 0);
	assert_int_equal(MEMBER_ORDER(MEMBER_B, "--json", "promote", "b", "-t", "1"), 1);
	assert_said("{\"error\":\"timeout\",\"message\":\"b does not serve after 1 s: ");
	assert_int_equal(kill(set_members[MEMBER_A].rdisk.pid, SIGCONT), 0);
	member_start(MEMBER_C, NULL);
	member_promote(MEMBER_B, "b");
	member_set_end();
}

static void await_event(const char *text)
{
	if (!test_process_wait_log(&listener, text, TEST_TIMEOUT_MS))
		fail_msg("no event has %s: %s", text, listener.log.text);
}

static void listen_to(int member)
{
	const char *const events[] = {
		"/bin/sh", "-c", "exec \"$0\" -c \"$1\" events >&2", RDISKCTL_PROGRAM, set_members[member].config, NULL
	};

	test_process_start(&listener, events, NULL);
	/* It listens when it was told something. */
	do {
		member_promote(MEMBER_A, "b");
		member_promote(MEMBER_A, "a");
	} while (!test_process_wait_log(&listener, "\"event\":\"epoch\"", 100));
}

static void test_resync_events(void **state)
{
	(void)state;
	member_set_start();
	listen_to(MEMBER_A);
	assert_int_equal(MEMBER_ORDER(MEMBER_A, "pause-resync"), 0);
	test_process_discard(&set_members[MEMBER_B].rdisk);
	member_start(MEMBER_B, NULL);
	await_event("\"text\":\"bringing up begins\"");
	assert_int_equal(MEMBER_ORDER(MEMBER_A, "resume-resync"), 0);
	await_event("\"text\":\"bringing up goes on\"");
	await_event("\"text\":\"bringing up is done\"");
	if (!strstr(listener.log.text, "\"event\":\"resync\""))
		fail_msg("these are no events of resync: %s", listener.log.text);
	member_set_end();
	/* It ends with its server. */
	assert_true(test_process_wait_end(&listener, TEST_TIMEOUT_MS));
}

/* Where fewer are in sync than is demanded nothing is answered, and every member says so; a primary that was forced is
 * one. */
static void test_copies_are_missing(void **state)
{
	(void)state;
	for (int i = 0; i < MEMBERS; i++)
		member_change(i, "insecure = true;", "insecure = true; min_in_sync = 2;");
	member_set_start();
	test_process_discard(&set_members[MEMBER_B].rdisk);
	member_await_blocked(MEMBER_A, "min_in_sync: 1 more must be in sync: b");
	member_await_blocked(MEMBER_C, "min_in_sync: 1 more must be in sync: b");
	assert_int_equal(MEMBER_ORDER(MEMBER_A, "status"), 5);
	assert_int_equal(MEMBER_ORDER(MEMBER_A, "force-primary", "--dead", "b", "--yes"), 0);
	member_await_blocked(MEMBER_A, "min_in_sync: 1 more must be in sync: b");
	member_set_discard();
}

/* Every member tells what it learns of, also of others, and who serves. */
static void test_events_of_all(void **state)
{
	(void)state;
	member_set_start();
	listen_to(MEMBER_C);
	test_process_discard(&set_members[MEMBER_B].rdisk);
	await_event("\"event\":\"member\",\"epoch\":");
	await_event("\"name\":\"b\",\"connected\":false,");
	await_event("\"text\":\"it is not connected any more: ");
	await_event("\"name\":\"b\",\"connected\":false,\"role\":\"none\",\"state\":\"outdated\"");
	await_event("\"text\":\"primary a, in sync a\"");
	member_start(MEMBER_B, NULL);
	await_event("it is in sync");
	test_process_discard(&listener);
	listen_to(MEMBER_B);
	member_promote(MEMBER_B, "b");
	await_event("\"name\":\"b\",\"connected\":true,\"role\":\"primary\"");
	test_process_discard(&set_members[MEMBER_A].rdisk);
	test_process_discard(&set_members[MEMBER_C].rdisk);
	/* Its lease ends by itself. */
	await_event("\"event\":\"primary\",");
	await_event("\"text\":\"2 of a, b, c must be seen to decide who serves; seen: b\"");
	member_set_discard();
}

/* Who only votes, or follows, learns of the others' end by nothing that the set decides. */
static void test_quorum_events(void **state)
{
	(void)state;
	member_set_start();
	listen_to(MEMBER_C);
	test_process_discard(&set_members[MEMBER_A].rdisk);
	member_await(MEMBER_C, "b", NULL);
	test_process_discard(&set_members[MEMBER_B].rdisk);
	await_event("\"text\":\"no majority of the members is seen\"");
	member_start(MEMBER_B, NULL);
	await_event("\"text\":\"a majority of the members is seen\"");
	member_set_end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_force_refused, member_set_setup, teardown),
		cmocka_unit_test_setup_teardown(test_force_beside_primary, member_set_setup, teardown),
		cmocka_unit_test_setup_teardown(test_force_waits, member_set_setup, teardown),
		cmocka_unit_test_setup_teardown(test_force_withdrawn, member_set_setup, teardown),
		cmocka_unit_test_setup_teardown(test_force_is_forgotten, member_set_setup, teardown),
		cmocka_unit_test_setup_teardown(test_refused, member_set_setup, teardown),
		cmocka_unit_test_setup_teardown(test_refused_unborn, member_set_setup, teardown),
		cmocka_unit_test_setup_teardown(test_promote_waits, member_set_setup, teardown),
		cmocka_unit_test_setup_teardown(test_copies_are_missing, member_set_setup, teardown),
		cmocka_unit_test_setup_teardown(test_resync_events, member_set_setup, teardown),
		cmocka_unit_test_setup_teardown(test_events_of_all, member_set_setup, teardown),
		cmocka_unit_test_setup_teardown(test_quorum_events, member_set_setup, teardown),
	};

	test_directory();
	return cmocka_run_group_tests_name("member orders", tests, NULL, NULL);
}
