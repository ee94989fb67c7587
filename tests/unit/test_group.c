/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who is there, as a group service says (group.h), over a daemon of corosync that does what the test says.
 */
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/time.h>

#include <cmocka.h>

#include "fake_corosync.h"
#include "group.h"

#define CALLS 32 /* more than it takes to connect and to read a view */

static const uint32_t nodes[] = { 1, 2, 7 };
static const uint32_t all[] = { 1, 2, 7, 0 };
static struct group *group;

static int set_up(void **state)
{
	struct diagnostic diagnostic;

	(void)state;
	fake_corosync_start(2);
	return group_open(&group, GROUP_COROSYNC, "disks", nodes, 3, 1, &diagnostic);
}

static int tear_down(void **state)
{
	(void)state;
	group_close(group);
	fake_corosync_await_end();
	return 0;
}

static void assert_no_view(void)
{
	struct group_view view;

	assert_false(group_take(group, &view));
}

static struct group_view next_view(void)
{
	struct pollfd wait = { .fd = group_descriptor(group), .events = POLLIN };
	struct group_view view;

	do
		assert_int_equal(poll(&wait, 1, -1), 1);
	while (!group_take(group, &view));
	return view;
}

/* Views until this one, as the last. */
static void await_view(bool known, bool quorate, member_set present)
{
	struct group_view view;

	do
		view = next_view();
	while (view.known != known || (known && (view.quorate != quorate || view.present != present)));
}

/* This is the next one. */
static void assert_next_view(bool quorate, member_set present)
{
	struct group_view view = next_view();

	assert_true(view.known);
	assert_int_equal(view.quorate, quorate);
	assert_int_equal(view.present, present);
}

static void know_all(void)
{
	fake_corosync_ring(all);
	fake_corosync_group(all);
	fake_corosync_quorum(true);
}

static void test_beacons_have_no_views(void **state)
{
	struct diagnostic diagnostic;
	struct group *beacons;
	struct group_view view;

	(void)state;
	assert_int_equal(group_open(&beacons, GROUP_BEACONS, "disks", nodes, 3, 0, &diagnostic), 0);
	assert_int_equal(group_descriptor(beacons), -1);
	assert_false(group_take(beacons, &view));
	group_close(beacons);
	group_close(NULL);
}

static void test_a_name_that_is_too_long_is_refused(void **state)
{
	struct diagnostic diagnostic = { { 0 } };
	struct group *refused;
	char name[124];

	(void)state;
	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	assert_int_equal(group_open(&refused, GROUP_COROSYNC, name, nodes, 3, 0, &diagnostic), -1);
	assert_non_null(strstr(diagnostic.text, "122 characters at most"));
}

static void test_the_group_is_that_of_the_set(void **state)
{
	(void)state;
	fake_corosync_await_complete(1);
	assert_string_equal(fake_corosync_name(), "rdisk:disks");
}

/* Each of the three in turn comes last: there is no view before it. */
static void test_a_view_needs_all_three_in_any_order(void **state)
{
	static const int orders[6][3] = {
		{ 0, 1, 2 }, { 0, 2, 1 }, { 1, 0, 2 }, { 1, 2, 0 }, { 2, 0, 1 }, { 2, 1, 0 }
	};

	(void)state;
	for (unsigned int order = 0; order < 6; order++) {
		fake_corosync_await_complete(order + 1);
		for (int i = 0; i < 3; i++) {
			assert_no_view();
			if (orders[order][i] == 0)
				fake_corosync_ring(all);
			else if (orders[order][i] == 1)
				fake_corosync_group(all);
			else
				fake_corosync_quorum(true);
		}
		assert_next_view(true, 0x7);
		fake_corosync_stop();
		await_view(false, false, 0);
		fake_corosync_return();
	}
}

static void test_members_come_and_go(void **state)
{
	(void)state;
	know_all();
	await_view(true, true, 0x7);
	fake_corosync_group((const uint32_t[]){ 2, 7, 0 });
	await_view(true, true, 0x6);
	fake_corosync_ring((const uint32_t[]){ 2, 0 });
	await_view(true, true, 0x2);
	fake_corosync_quorum(false);
	await_view(true, false, 0x2);
	know_all();
	await_view(true, true, 0x7);
}

/* Corosync goes on to name a process whose host has left. */
static void test_a_ghost_is_not_there(void **state)
{
	(void)state;
	fake_corosync_group(all);
	fake_corosync_ring((const uint32_t[]){ 1, 2, 0 });
	fake_corosync_quorum(true);
	assert_next_view(true, 0x3);
}

static void test_nodes_that_are_no_members_are_nobody(void **state)
{
	(void)state;
	fake_corosync_group((const uint32_t[]){ 3, 2, 4294967295u, 0 });
	fake_corosync_ring((const uint32_t[]){ 3, 2, 4294967295u, 0 });
	fake_corosync_quorum(true);
	assert_next_view(true, 0x2);
}

/* Others may be told of before oneself. */
static void test_there_is_no_view_without_this_member(void **state)
{
	(void)state;
	know_all();
	await_view(true, true, 0x7);
	fake_corosync_group((const uint32_t[]){ 1, 0 });
	await_view(false, false, 0);
}

static void test_only_the_newest_view_counts(void **state)
{
	struct group_view view;

	(void)state;
	know_all();
	await_view(true, true, 0x7);
	for (int i = 0; i < 40; i++) {
		fake_corosync_quorum(false);
		fake_corosync_quorum(true);
	}
	fake_corosync_group((const uint32_t[]){ 2, 0 });
	await_view(true, true, 0x2);
	assert_false(group_take(group, &view));
}

static void test_the_daemon_goes_and_returns(void **state)
{
	(void)state;
	for (unsigned int i = 1; i <= 3; i++) {
		fake_corosync_await_complete(i);
		know_all();
		await_view(true, true, 0x7);
		fake_corosync_stop();
		await_view(false, false, 0);
		fake_corosync_return();
	}
}

static void test_another_node_s_daemon_is_not_listened_to(void **state)
{
	struct diagnostic diagnostic;

	(void)state;
	fake_corosync_start(1);
	know_all();
	assert_int_equal(group_open(&group, GROUP_COROSYNC, "disks", nodes, 3, 1, &diagnostic), 0);
	fake_corosync_await_begun(3);
	assert_no_view();
	group_close(group);
	fake_corosync_await_end();
}

/* Whichever call fails, the connection is closed and made anew. */
static void test_every_call_may_fail_once(void **state)
{
	struct diagnostic diagnostic;
	unsigned int nth = 0;
	bool failed;

	(void)state;
	do {
		fake_corosync_start(2);
		know_all();
		fake_corosync_fail(++nth);
		assert_int_equal(group_open(&group, GROUP_COROSYNC, "disks", nodes, 3, 1, &diagnostic), 0);
		await_view(true, true, 0x7);
		failed = fake_corosync_failed();
		group_close(group);
		fake_corosync_await_end();
	} while (failed && nth < CALLS);
	assert_in_range(nth, 9, CALLS - 1);
}

static void test_a_daemon_that_hangs_is_not_waited_for(void **state)
{
	struct diagnostic diagnostic;

	(void)state;
	fake_corosync_start(2);
	fake_corosync_hold();
	assert_int_equal(group_open(&group, GROUP_COROSYNC, "disks", nodes, 3, 1, &diagnostic), 0);
	fake_corosync_await_begun(1);
	group_close(group);
	fake_corosync_release();
	fake_corosync_await_end();
}

static void on_alarm(int number)
{
	(void)number;
}

/* As when the process is asked to end a second time (termination.h). */
static void test_signals_do_not_make_it_wait_longer(void **state)
{
	const struct sigaction action = { .sa_handler = on_alarm };
	const struct itimerval often = { { 0, 10000 }, { 0, 10000 } }, never = { 0 };
	struct sigaction before;

	(void)state;
	assert_int_equal(sigaction(SIGALRM, &action, &before), 0);
	assert_int_equal(setitimer(ITIMER_REAL, &often, NULL), 0);
	test_a_daemon_that_hangs_is_not_waited_for(NULL);
	assert_int_equal(setitimer(ITIMER_REAL, &never, NULL), 0);
	assert_int_equal(sigaction(SIGALRM, &before, NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_beacons_have_no_views),
		cmocka_unit_test(test_a_name_that_is_too_long_is_refused),
		cmocka_unit_test_setup_teardown(test_the_group_is_that_of_the_set, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_a_view_needs_all_three_in_any_order, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_members_come_and_go, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_a_ghost_is_not_there, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_nodes_that_are_no_members_are_nobody, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_there_is_no_view_without_this_member, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_only_the_newest_view_counts, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_the_daemon_goes_and_returns, set_up, tear_down),
		cmocka_unit_test(test_another_node_s_daemon_is_not_listened_to),
		cmocka_unit_test(test_every_call_may_fail_once),
		cmocka_unit_test(test_a_daemon_that_hangs_is_not_waited_for),
		cmocka_unit_test(test_signals_do_not_make_it_wait_longer),
	};

	return cmocka_run_group_tests_name("group", tests, NULL, NULL);
}
