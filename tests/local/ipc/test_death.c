// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What a blocked call returns when its partner is killed, is unbound, or when the node
 * dies; and that nothing of a killed caller is left behind.
 */
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "ipc_fixture.h"

enum call { CALL_SEND, CALL_SENDREC, CALL_SENDREC_ANSWER, CALL_RECEIVE };

/* The partner that is to die: bound, or having taken the request, it waits for ever. */
static void partner(void *argument)
{
	message msg;

	if (*(enum call *)argument == CALL_SENDREC_ANSWER)
		EXPECT_RC(dvk_receive_T(TESTER, &msg, LONG_MS), 0);
	/* Waits for PARTY + 2, which never sends. */
	dvk_receive(PARTY + 2, &msg);
	party_fail(__FILE__, __LINE__, "was not killed", 0);
}

static void silent(void *argument)
{
	(void)argument;
	for (;;)
		pause();
}

struct kill_plan {
	int signal_number;
	int victim;
};

/* Waits until the tester is blocked, then kills its partner. */
static void killer(void *argument)
{
	struct kill_plan *plan = argument;
	proc_usr_t proc;

	do {
		EXPECT_RC(dvk_getprocinfo(DC, TESTER, &proc), 0);
	} while (!(proc.p_rts_flags & (SENDING | RECEIVING)) || (proc.p_sendto != PARTY && proc.p_getfrom != PARTY));
	if (plan->signal_number)
		EXPECT_RC(kill(plan->victim, plan->signal_number), 0);
	else
		EXPECT_RC(dvk_unbind_T(DC, PARTY, LONG_MS), 0);
}

static int do_call(enum call call)
{
	message msg = { 0 };

	switch (call) {
	case CALL_SEND:
		return dvk_send_T(PARTY, &msg, LONG_MS);
	case CALL_SENDREC:
	case CALL_SENDREC_ANSWER:
		return dvk_sendrec_T(PARTY, &msg, LONG_MS);
	case CALL_RECEIVE:
		return dvk_receive_T(PARTY, &msg, LONG_MS);
	}
	return 0;
}

static void check_death(enum call call, bool spinning, int expected)
{
	int bystander = party_start(PARTY + 2, silent, NULL);
	struct kill_plan plan = { .signal_number = SIGKILL };
	int hunter;

	assert_int_equal(dvk_wait4bindep_T(PARTY + 2, LONG_MS), PARTY + 2);
	plan.victim = party_start(PARTY, partner, &call);
	assert_int_equal(dvk_wait4bindep_T(PARTY, LONG_MS), PARTY);
	dvk_set_spin(spinning ? INT64_MAX / 2 : 0);
	hunter = party_start(PARTY + 3, killer, &plan);
	assert_int_equal(do_call(call), expected);
	party_join(hunter);
	assert_int_equal(waitpid(plan.victim, NULL, 0), plan.victim);
	party_kill(bystander);
	/* The endpoint is free again, and known to be. */
	assert_int_equal(dvk_wait4unbind_T(PARTY, LONG_MS), 0);
	assert_int_equal(do_call(call), EDVSNOTBIND);
}

static void test_partner_killed(void **state)
{
	static const struct {
		enum call call;
		int expected;
	} cases[] = {
		{ CALL_SEND, EDVSDSTDIED },
		{ CALL_SENDREC, EDVSDEADSRCDST },
		{ CALL_SENDREC_ANSWER, EDVSDEADSRCDST },
		{ CALL_RECEIVE, EDVSSRCDIED },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		check_death(cases[i].call, false, cases[i].expected);
		check_death(cases[i].call, true, cases[i].expected);
	}
}

/* The victim of an unbind by a third party gets SIGTERM and goes. */
static void test_partner_unbound(void **state)
{
	struct kill_plan plan = { 0 };
	int hunter;

	(void)state;
	plan.victim = party_start(PARTY, silent, NULL);
	assert_int_equal(dvk_wait4bindep_T(PARTY, LONG_MS), PARTY);
	hunter = party_start(PARTY + 3, killer, &plan);
	assert_int_equal(do_call(CALL_SEND), EDVSDSTDIED);
	party_join(hunter);
	assert_int_equal(waitpid(plan.victim, NULL, 0), plan.victim);
}

static void unbinds_itself(void *argument)
{
	proc_usr_t proc;

	(void)argument;
	do {
		EXPECT_RC(dvk_getprocinfo(DC, TESTER, &proc), 0);
	} while (proc.p_rts_flags != RECEIVING);
	EXPECT_RC(dvk_unbind(DC, SELF), 0);
	silent(NULL);
}

static void test_partner_unbinds_itself(void **state)
{
	int party = party_start(PARTY, unbinds_itself, NULL);

	(void)state;
	assert_int_equal(dvk_wait4bindep_T(PARTY, LONG_MS), PARTY);
	assert_int_equal(do_call(CALL_RECEIVE), EDVSNOTBIND);
	party_kill(party);
}

static void send_for_ever(void *argument)
{
	message msg = { .m_type = 1 };

	(void)argument;
	dvk_send(TESTER, &msg);
}

static void sendrec_for_ever(void *argument)
{
	message msg = { .m_type = 1 };

	(void)argument;
	dvk_sendrec(TESTER, &msg);
}

/* A message of a process that was killed before it was taken is not delivered. */
static void test_sender_killed(void **state)
{
	message msg;
	int party = party_start(PARTY, send_for_ever, NULL);

	(void)state;
	wait_blocked(PARTY, SENDING);
	party_kill(party);
	assert_int_equal(dvk_wait4unbind_T(PARTY, LONG_MS), 0);
	assert_int_equal(dvk_receive_T(ANY, &msg, 0), EDVSAGAIN);
}

static void test_requester_killed(void **state)
{
	message msg;
	int party = party_start(USER, sendrec_for_ever, NULL);

	(void)state;
	assert_int_equal(dvk_receive_T(ANY, &msg, LONG_MS), 0);
	party_kill(party);
	assert_int_equal(dvk_wait4unbind_T(USER, LONG_MS), 0);
	assert_int_equal(dvk_reply(USER, &msg), EDVSNOTBIND);
}

static void answer_and_die(void *argument)
{
	message msg;

	(void)argument;
	EXPECT_RC(dvk_receive_T(TESTER, &msg, LONG_MS), 0);
	msg.m_type = 12;
	EXPECT_RC(dvk_reply(TESTER, &msg), 0);
	raise(SIGKILL);
}

/* What was answered before the death counts. */
static void test_answer_before_death(void **state)
{
	(void)state;
	for (int round = 0; round < 100; round++) {
		message msg = { 0 };
		int party = party_start(PARTY, answer_and_die, NULL);

		dvk_set_spin(round % 2 ? 0 : 200000);
		assert_int_equal(dvk_wait4bindep_T(PARTY, LONG_MS), PARTY);
		assert_int_equal(dvk_sendrec_T(PARTY, &msg, LONG_MS), 0);
		assert_int_equal(msg.m_type, 12);
		assert_int_equal(waitpid(party, NULL, 0), party);
		assert_int_equal(dvk_wait4unbind_T(PARTY, LONG_MS), 0);
	}
}

static void kill_node(void *argument)
{
	proc_usr_t proc;

	do {
		EXPECT_RC(dvk_getprocinfo(DC, TESTER, &proc), 0);
	} while (proc.p_rts_flags != RECEIVING);
	EXPECT_RC(kill(*(int *)argument, SIGKILL), 0);
	_exit(0);
}

static void test_node_killed(void **state)
{
	int node = ipc_node_pid();
	int party = party_start(PARTY, kill_node, &node);
	message msg;

	(void)state;
	assert_int_equal(dvk_receive_T(ANY, &msg, LONG_MS), EDVSDVSINIT);
	assert_int_equal(dvk_send_T(PARTY, &msg, LONG_MS), EDVSDVSINIT);
	assert_int_equal(dvk_getep(getpid()), EDVSDVSINIT);
	assert_int_equal(dvk_open(), EDVSDVSINIT);
	party_join(party);
}

/* Kills the node, and goes on sending, often. */
static void busy_sender(void *argument)
{
	const struct timespec gap = { .tv_nsec = 5000000 };
	message msg = { 0 };
	int rc;

	EXPECT_RC(dvk_send_T(TESTER, &msg, LONG_MS), 0);
	EXPECT_RC(kill(*(int *)argument, SIGKILL), 0);
	do {
		nanosleep(&gap, NULL);
		rc = dvk_send_T(TESTER, &msg, LONG_MS);
	} while (!rc);
	_exit(0);
}

/* Who is never idle for a second notices as well. */
static void test_node_killed_while_busy(void **state)
{
	int node = ipc_node_pid();
	int party = party_start(PARTY, busy_sender, &node);
	int rc, received = 0;
	message msg;

	(void)state;
	do {
		rc = dvk_receive_T(ANY, &msg, LONG_MS);
		received += !rc;
	} while (!rc && received < 10000);
	assert_int_equal(rc, EDVSDVSINIT);
	party_join(party);
}

static void end_dc(void *argument)
{
	proc_usr_t proc;

	(void)argument;
	do {
		EXPECT_RC(dvk_getprocinfo(DC, TESTER, &proc), 0);
	} while (proc.p_rts_flags != RECEIVING);
	EXPECT_RC(dvk_dc_end(DC), 0);
}

static void test_dc_ended(void **state)
{
	int party = party_start(NONE, end_dc, NULL);
	message msg;
	dc_usr_t dc;

	(void)state;
	assert_int_equal(dvk_receive_T(ANY, &msg, LONG_MS), EDVSNOTBIND);
	party_join(party);
	assert_int_equal(dvk_getdcinfo(DC, &dc), EDVSDCNOTRUN);
	assert_int_equal(dvk_bind(DC, TESTER), EDVSDCNOTRUN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define IPC_TEST(name) cmocka_unit_test_setup_teardown(name, ipc_setup, ipc_teardown)
		IPC_TEST(test_partner_killed),
		IPC_TEST(test_partner_unbound),
		IPC_TEST(test_partner_unbinds_itself),
		IPC_TEST(test_sender_killed),
		IPC_TEST(test_requester_killed),
		IPC_TEST(test_answer_before_death),
		IPC_TEST(test_node_killed),
		IPC_TEST(test_node_killed_while_busy),
		IPC_TEST(test_dc_ended),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
