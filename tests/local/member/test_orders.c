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

/* Who serves with this member is not lost: its data would be given up, now or when it is cut off some day. */
static void test_force_refused(void **state)
{
	(void)state;
	member_set_start();
	assert_int_equal(MEMBER_ORDER(MEMBER_B, "--json", "force-primary", "--dead", "a,c", "--yes", "--timeout", "1"),
			 1);
	assert_said("{\"error\":\"not-now\",\"message\":\"a is connected, and not dead");
	/* Nothing of it stands. */
	assert_int_equal(kill(set_members[MEMBER_A].rdisk.pid, SIGSTOP), 0);
	member_await(MEMBER_C, "b", NULL);
	assert_int_equal(kill(set_members[MEMBER_A].rdisk.pid, SIGCONT), 0);
	member_await(MEMBER_C, "b", "a");
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
	assert_said("{\"error\":\"timeout\",\"message\":\"a does not serve after 1 s; the order stands");
	assert_said("to decide the forced primary; seen: a\"}");
	/* It stands, and a that is primary with the lease of before is not what was meant. */
	member_start(MEMBER_C, NULL);
	member_await(MEMBER_A, "a", NULL);
	if (MEMBER_ORDER(MEMBER_A, "promote", "a", "--timeout", "0"))
		fail_msg("promote: %s", member_ctl.output.text);
	member_set_end();
}

/* Who is taken for dead comes back while the order waits: it would split the set some day. */
static void test_force_is_forgotten(void **state)
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

	(void)state;
	member_set_start();
	test_process_discard(&set_members[MEMBER_B].rdisk);
	test_process_discard(&set_members[MEMBER_C].rdisk);
	member_await_blocked(MEMBER_A, "2 of a, b, c must be seen to decide who serves; seen: a");
	test_process_start(&listener, force, NULL);
	member_await_blocked(MEMBER_A, "2 of a, c must be seen to decide the forced primary; seen: a");
	member_start(MEMBER_B, NULL);
	assert_true(test_process_wait_end(&listener, TEST_TIMEOUT_MS));
	if (!strstr(listener.output.text, "the order is forgotten"))
		fail_msg("force-primary: %s", listener.output.text);
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
		cmocka_unit_test_setup_teardown(test_force_waits, member_set_setup, teardown),
		cmocka_unit_test_setup_teardown(test_force_is_forgotten, member_set_setup, teardown),
		cmocka_unit_test_setup_teardown(test_promote_waits, member_set_setup, teardown),
		cmocka_unit_test_setup_teardown(test_copies_are_missing, member_set_setup, teardown),
		cmocka_unit_test_setup_teardown(test_resync_events, member_set_setup, teardown),
		cmocka_unit_test_setup_teardown(test_quorum_events, member_set_setup, teardown),
	};

	test_directory();
	return cmocka_run_group_tests_name("member orders", tests, NULL, NULL);
}
