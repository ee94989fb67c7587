// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * send, receive, sendrec, reply, rcvrqst and notify between processes that live: good
 * paths, order, time-outs and refusals. Death is test_death.c's.
 */
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "dvk_client.h"
#include "dvk_internal.h"
#include "dvk_runtime.h"
#include "ipc_fixture.h"

static void send_one(void *argument)
{
	message msg = { .m_type = *(int *)argument, .m1_i1 = 77 };

	EXPECT_RC(dvk_send(TESTER, &msg), 0);
}

static void sendrec_one(void *argument)
{
	message msg = { .m_type = *(int *)argument, .m2_l1 = 0x123456789abcdef };

	EXPECT_RC(dvk_sendrec_T(TESTER, &msg, LONG_MS), 0);
	EXPECT(msg.m_source == TESTER);
	EXPECT(msg.m_type == *(int *)argument + 1);
	EXPECT(msg.m2_l1 == 0x123456789abcdef + 1);
}

static void test_send_receive(void **state)
{
	int type = 10;
	int party = party_start(PARTY, send_one, &type);
	message msg;

	(void)state;
	memset(&msg, 0xff, sizeof(msg));
	assert_int_equal(dvk_receive_T(ANY, &msg, LONG_MS), 0);
	assert_int_equal(msg.m_source, PARTY);
	assert_int_equal(msg.m_type, 10);
	assert_int_equal(msg.m1_i1, 77);
	party_join(party);
}

static void test_sendrec_reply(void **state)
{
	int type = 20;
	int party = party_start(USER, sendrec_one, &type);
	message msg;

	(void)state;
	assert_int_equal(dvk_receive_T(ANY, &msg, LONG_MS), 0);
	assert_int_equal(msg.m_source, USER);
	msg.m_type++;
	msg.m2_l1++;
	assert_int_equal(dvk_reply(USER, &msg), 0);
	party_join(party);
}

static void test_sendrec_answered_by_send(void **state)
{
	int type = 30;
	int party = party_start(PARTY, sendrec_one, &type);
	message msg;

	(void)state;
	assert_int_equal(dvk_wait4bindep_T(PARTY, LONG_MS), PARTY);
	assert_int_equal(dvk_receive_T(PARTY, &msg, LONG_MS), 0);
	msg.m_type++;
	msg.m2_l1++;
	assert_int_equal(dvk_send_T(PARTY, &msg, LONG_MS), 0);
	party_join(party);
}

static void receive_from_tester(void *argument)
{
	message msg;

	EXPECT_RC(dvk_receive_T(TESTER, &msg, LONG_MS), 0);
	EXPECT(msg.m_type == *(int *)argument);
}

static void test_reply_to_receive(void **state)
{
	message msg = { .m_type = 40 };
	int type = 40;
	int party = party_start(PARTY, receive_from_tester, &type);

	(void)state;
	wait_blocked(PARTY, RECEIVING);
	assert_int_equal(dvk_reply(PARTY, &msg), 0);
	party_join(party);
}

static void receive_two(void *argument)
{
	message msg;

	(void)argument;
	dvk_set_spin(0);
	msg.m_type = 1;
	EXPECT_RC(dvk_sendrec_T(TESTER, &msg, LONG_MS), 0);
	EXPECT(msg.m_type == 2);
	EXPECT_RC(dvk_receive_T(TESTER, &msg, LONG_MS), 0);
	EXPECT(msg.m_type == 3);
}

/* A reply that was not read yet is not overwritten by the message that follows it. */
static void test_reply_then_send(void **state)
{
	message msg;
	int party;

	(void)state;
	for (int round = 0; round < 50; round++) {
		party = party_start(PARTY, receive_two, NULL);
		assert_int_equal(dvk_receive_T(ANY, &msg, LONG_MS), 0);
		msg.m_type = 2;
		assert_int_equal(dvk_reply(PARTY, &msg), 0);
		msg.m_type = 3;
		assert_int_equal(dvk_send_T(PARTY, &msg, LONG_MS), 0);
		party_join(party);
	}
}

static void test_receive_picks_source(void **state)
{
	int first = 1, second = 2;
	int parties[2] = { party_start(PARTY, send_one, &first), party_start(PARTY + 1, send_one, &second) };
	message msg;

	(void)state;
	wait_blocked(PARTY, SENDING);
	wait_blocked(PARTY + 1, SENDING);
	assert_int_equal(dvk_receive_T(PARTY + 1, &msg, LONG_MS), 0);
	assert_int_equal(msg.m_source, PARTY + 1);
	assert_int_equal(dvk_receive_T(PARTY, &msg, LONG_MS), 0);
	assert_int_equal(msg.m_source, PARTY);
	party_join(parties[0]);
	party_join(parties[1]);
}

static void notify_twice(void *argument)
{
	message msg = { 0 };

	(void)argument;
	EXPECT_RC(dvk_ntfy_value(SELF, TESTER, 4711), 0);
	EXPECT_RC(dvk_notify(TESTER), EDVSOVERRUN);
	EXPECT_RC(dvk_sendrec_T(TESTER, &msg, LONG_MS), 0);
	EXPECT_RC(dvk_notify(TESTER), 0);
}

static void test_notify_before_messages(void **state)
{
	int type = 50;
	int sender = party_start(PARTY, send_one, &type);
	int notifier;
	message msg;

	(void)state;
	wait_blocked(PARTY, SENDING);
	notifier = party_start(PARTY + 1, notify_twice, NULL);
	wait_blocked(PARTY + 1, SENDING | RECEIVING);
	assert_int_equal(dvk_receive_T(ANY, &msg, LONG_MS), 0);
	assert_int_equal(msg.m_type, NOTIFY_FROM(PARTY + 1));
	assert_int_equal(msg.m_source, PARTY + 1);
	assert_int_equal(msg.m9_l1, 4711);
	assert_true(msg.m9_t1.tv_sec > 0);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(dvk_receive_T(ANY, &msg, LONG_MS), 0);
		assert_in_range(msg.m_source, PARTY, PARTY + 1);
		if (msg.m_source == PARTY + 1)
			assert_int_equal(dvk_reply(PARTY + 1, &msg), 0);
	}
	/* What a process left is delivered after its end, too. */
	party_join(notifier);
	party_join(sender);
	assert_int_equal(dvk_receive_T(ANY, &msg, LONG_MS), 0);
	assert_int_equal(msg.m_type, NOTIFY_FROM(PARTY + 1));
}

static void pretend_notification(void *argument)
{
	message msg = { .m_type = NOTIFY_FROM(PARTY) };

	(void)argument;
	EXPECT_RC(dvk_sendrec_T(TESTER, &msg, LONG_MS), 0);
	EXPECT(msg.m_type == 5);
	EXPECT_RC(dvk_notify(TESTER), 0);
}

/* A request may have any type: who sends that of a notification is still to be answered. */
static void test_notification_or_request(void **state)
{
	int party = party_start(PARTY, pretend_notification, NULL);
	message msg;

	(void)state;
	assert_int_equal(dvk_receive_T(ANY, &msg, LONG_MS), 0);
	assert_int_equal(msg.m_type, NOTIFY_FROM(PARTY));
	assert_false(dvk_notified());
	msg.m_type = 5;
	assert_int_equal(dvk_reply(PARTY, &msg), 0);
	/* Also when the sender is gone by now. */
	party_join(party);
	assert_int_equal(dvk_receive_T(ANY, &msg, LONG_MS), 0);
	assert_int_equal(msg.m_type, NOTIFY_FROM(PARTY));
	assert_true(dvk_notified());
}

static void test_rcvrqst_passes_notifications_over(void **state)
{
	int notifier = party_start(PARTY + 1, notify_twice, NULL);
	message msg;

	(void)state;
	wait_blocked(PARTY + 1, SENDING | RECEIVING);
	assert_int_equal(dvk_rcvrqst_T(&msg, LONG_MS), 0);
	assert_int_equal(msg.m_type, 0);
	assert_int_equal(dvk_rcvrqst_T(&msg, 0), EDVSAGAIN);
	assert_int_equal(dvk_receive_T(PARTY + 1, &msg, LONG_MS), 0);
	assert_int_equal(msg.m_type, NOTIFY_FROM(PARTY + 1));
	msg.m_type = 0;
	assert_int_equal(dvk_reply(PARTY + 1, &msg), 0);
	party_join(notifier);
}

static void send_many(void *argument)
{
	message msg = { 0 };

	for (int i = 0; i < *(int *)argument; i++)
		EXPECT_RC(dvk_send_T(TESTER, &msg, LONG_MS), 0);
}

/*
 * Of senders that all wait, each is served once before one is served again. New senders in each round: only of
 * one that was never served does SENDING say that its message is there.
 */
static void test_receive_any_is_fair(void **state)
{
	enum { PARTIES = 4, ROUNDS = 5, MESSAGES = 2 };
	int parties[PARTIES], count = MESSAGES;
	message msg;

	(void)state;
	for (int round = 0; round < ROUNDS; round++) {
		unsigned int seen = 0;

		for (int i = 0; i < PARTIES; i++)
			parties[i] = party_start(PARTY + i, send_many, &count);
		for (int i = 0; i < PARTIES; i++)
			wait_blocked(PARTY + i, SENDING);
		for (int i = 0; i < PARTIES; i++) {
			assert_int_equal(dvk_receive_T(ANY, &msg, LONG_MS), 0);
			seen |= 1u << (msg.m_source - PARTY);
		}
		assert_int_equal(seen, (1u << PARTIES) - 1);
		for (int i = 0; i < PARTIES * (MESSAGES - 1); i++)
			assert_int_equal(dvk_receive_T(ANY, &msg, LONG_MS), 0);
		for (int i = 0; i < PARTIES; i++)
			party_join(parties[i]);
	}
}

/* Takes from PARTY + 1 alone, until that has ended; then there must be nothing from the tester. */
static void deaf_to_tester(void *argument)
{
	message msg;

	(void)argument;
	EXPECT_RC(dvk_receive_T(PARTY + 1, &msg, LONG_MS), 0);
	EXPECT_RC(dvk_receive_T(TESTER, &msg, 0), EDVSAGAIN);
}

static void receive_then_release(void *argument)
{
	message msg;

	EXPECT_RC(dvk_receive_T(TESTER, &msg, LONG_MS), 0);
	EXPECT(msg.m_type == *(int *)argument);
	EXPECT_RC(dvk_send_T(PARTY, &msg, LONG_MS), 0);
}

static void test_time_outs(void **state)
{
	int release = 60;
	message msg = { .m_type = 99 };
	int other, party;

	(void)state;
	assert_int_equal(dvk_receive_T(ANY, &msg, 0), EDVSAGAIN);
	assert_int_equal(dvk_receive_T(ANY, &msg, 20), EDVSTIMEDOUT);
	other = party_start(PARTY + 1, receive_then_release, &release);
	wait_blocked(PARTY + 1, RECEIVING);
	assert_int_equal(dvk_receive_T(PARTY + 1, &msg, 20), EDVSTIMEDOUT);
	party = party_start(PARTY, deaf_to_tester, NULL);
	wait_blocked(PARTY, RECEIVING);
	/* PARTY does not receive from us, and must never see what we took back. */
	assert_int_equal(dvk_send_T(PARTY, &msg, 0), EDVSAGAIN);
	assert_int_equal(dvk_send_T(PARTY, &msg, 20), EDVSTIMEDOUT);
	assert_int_equal(dvk_sendrec_T(PARTY, &msg, 0), EDVSAGAIN);
	assert_int_equal(dvk_sendrec_T(PARTY, &msg, 20), EDVSTIMEDOUT);
	assert_int_equal(dvk_reply(PARTY, &msg), EDVSPROCSTS);
	/* PARTY + 1 does: a send that may not wait is taken. */
	msg.m_type = release;
	assert_int_equal(dvk_send_T(PARTY + 1, &msg, 0), 0);
	party_join(other);
	party_join(party);
}

static void sendrec_timed(void *argument)
{
	message msg = { 0 };

	(void)argument;
	EXPECT_RC(dvk_sendrec_T(TESTER, &msg, 50), EDVSTIMEDOUT);
	msg.m_type = 5;
	EXPECT_RC(dvk_sendrec_T(TESTER, &msg, LONG_MS), 0);
	EXPECT(msg.m_type == 6);
}

/* A reply to somebody who has given up is refused, and does not turn up later. */
static void test_reply_after_time_out(void **state)
{
	message msg, late = { .m_type = 1000 };
	int party = party_start(PARTY, sendrec_timed, NULL);

	(void)state;
	assert_int_equal(dvk_receive_T(ANY, &msg, LONG_MS), 0);
	assert_int_equal(msg.m_type, 0);
	assert_int_equal(dvk_receive_T(ANY, &msg, LONG_MS), 0);
	assert_int_equal(msg.m_type, 5);
	msg.m_type = 6;
	assert_int_equal(dvk_reply(PARTY, &msg), 0);
	assert_true(dvk_reply(PARTY, &late) < 0);
	party_join(party);
}

enum { HASTY_REQUESTS = 300 };

/* Asks again and again, gives up after 1 ms, and wants the answer to what it asked last. */
static void hasty(void *argument)
{
	message msg;

	(void)argument;
	for (int i = 1; i <= HASTY_REQUESTS; i++) {
		int rc;

		msg.m_type = i;
		rc = dvk_sendrec_T(TESTER, &msg, 1);
		EXPECT(rc == EDVSTIMEDOUT || (rc == 0 && msg.m_type == i));
	}
}

static struct timespec now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time;
}

static long elapsed_us(struct timespec from)
{
	struct timespec to = now();

	return (to.tv_sec - from.tv_sec) * 1000000 + (to.tv_nsec - from.tv_nsec) / 1000;
}

/* A reply that comes too late is not taken for the answer to the next request. */
static void test_late_replies(void **state)
{
	int party = party_start(USER, hasty, NULL);
	proc_usr_t proc;
	message msg;

	(void)state;
	for (;;) {
		int rc = dvk_receive_T(ANY, &msg, 100);

		if (rc == EDVSTIMEDOUT) {
			assert_int_equal(dvk_getprocinfo(DC, USER, &proc), 0);
			if (proc.p_rts_flags == SLOT_FREE && proc.p_lpid != party)
				break;
			continue;
		}
		assert_int_equal(rc, 0);
		/* Late: from just before it gives this request up until it has made the next. */
		for (struct timespec from = now(); elapsed_us(from) < 900;)
			;
		for (int i = 0; i < 50000 && dvk_reply(USER, &msg) == EDVSPROCSTS; i++)
			;
		for (int i = 0; i < 20000; i++)
			if (dvk_reply(USER, &msg) == 0)
				fail_msg("a second reply to one request was delivered");
	}
	party_join(party);
}

static void test_bad_endpoints(void **state)
{
	static const int bad[] = { TESTER, ANY, NONE, SELF, -NR_TASKS - 1, NR_PROCS, 1 << 30, INT32_MIN };
	message msg = { 0 };

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(dvk_send_T(bad[i], &msg, LONG_MS), EDVSENDPOINT);
		assert_int_equal(dvk_sendrec_T(bad[i], &msg, LONG_MS), EDVSENDPOINT);
		assert_int_equal(dvk_reply(bad[i], &msg), EDVSENDPOINT);
		assert_int_equal(dvk_notify(bad[i]), EDVSENDPOINT);
		if (bad[i] != ANY)
			assert_int_equal(dvk_receive_T(bad[i], &msg, LONG_MS), EDVSENDPOINT);
	}
	assert_int_equal(dvk_ntfy_value(HARDWARE, PARTY, 0), EDVSENDPOINT);
}

static void test_nobody_bound(void **state)
{
	message msg = { 0 };

	(void)state;
	assert_int_equal(dvk_send_T(PARTY, &msg, LONG_MS), EDVSNOTBIND);
	assert_int_equal(dvk_receive_T(PARTY, &msg, LONG_MS), EDVSNOTBIND);
	assert_int_equal(dvk_sendrec_T(PARTY, &msg, LONG_MS), EDVSNOTBIND);
	assert_int_equal(dvk_reply(PARTY, &msg), EDVSNOTBIND);
	assert_int_equal(dvk_notify(PARTY), EDVSNOTBIND);
	assert_int_equal(dvk_unbind(DC, SELF), 0);
	assert_int_equal(dvk_send_T(PARTY, &msg, LONG_MS), EDVSNOTBIND);
	assert_int_equal(dvk_receive_T(ANY, &msg, LONG_MS), EDVSNOTBIND);
	assert_int_equal(dvk_rcvrqst_T(&msg, LONG_MS), EDVSNOTBIND);
	assert_int_equal(dvk_sendrec_T(PARTY, &msg, LONG_MS), EDVSNOTBIND);
	assert_int_equal(dvk_reply(PARTY, &msg), EDVSNOTBIND);
	assert_int_equal(dvk_notify(PARTY), EDVSNOTBIND);
}

static void user_refused(void *argument)
{
	message msg = { 0 };

	(void)argument;
	EXPECT_RC(dvk_send_T(TESTER, &msg, LONG_MS), EDVSBADCALL);
	EXPECT_RC(dvk_receive_T(TESTER, &msg, LONG_MS), EDVSBADCALL);
	EXPECT_RC(dvk_reply(TESTER, &msg), EDVSBADCALL);
	EXPECT_RC(dvk_notify(TESTER), EDVSBADCALL);
	EXPECT_RC(dvk_rcvrqst_T(&msg, LONG_MS), EDVSTRAPDENIED);
	EXPECT_RC(dvk_vcopy(SELF, &msg, TESTER, &msg, 1), EDVSTRAPDENIED);
	EXPECT_RC(dvk_sendrec_T(USER + 1, &msg, LONG_MS), EDVSTRAPDENIED);
	EXPECT_RC(dvk_sendrec_T(TESTER, &msg, LONG_MS), 0);
}

static void test_privileges(void **state)
{
	int type = 0;
	int other = party_start(USER + 1, sendrec_one, &type);
	int user;
	message msg;

	(void)state;
	assert_int_equal(dvk_receive_T(ANY, &msg, LONG_MS), 0);
	assert_int_equal(dvk_notify(USER + 1), EDVSTRAPDENIED);
	user = party_start(USER, user_refused, NULL);
	assert_int_equal(dvk_wait4bindep_T(USER, LONG_MS), USER);
	assert_int_equal(dvk_receive_T(USER, &msg, LONG_MS), 0);
	assert_int_equal(dvk_reply(USER, &msg), 0);
	party_join(user);
	msg.m_type = 1;
	msg.m2_l1 = 0x123456789abcdef + 1;
	assert_int_equal(dvk_reply(USER + 1, &msg), 0);
	party_join(other);
}

static void on_alarm(int number)
{
	(void)number;
}

static void test_signal_interrupts(void **state)
{
	struct sigaction action = { .sa_handler = on_alarm };
	struct itimerval soon = { .it_value.tv_usec = 1000, .it_interval.tv_usec = 1000 }, never = { 0 };
	message msg;

	(void)state;
	dvk_set_spin(0);
	assert_int_equal(sigaction(SIGALRM, &action, NULL), 0);
	assert_int_equal(setitimer(ITIMER_REAL, &soon, NULL), 0);
	assert_int_equal(dvk_receive(ANY, &msg), EDVSINTR);
	assert_int_equal(dvk_wait4bindep(PARTY), EDVSINTR);
	assert_int_equal(setitimer(ITIMER_REAL, &never, NULL), 0);
	dvk_set_spin(200000);
}

static void ping(void *argument)
{
	message msg = { 0 };

	for (int i = 0; i < *(int *)argument; i++) {
		msg.m1_i1 = i;
		EXPECT_RC(dvk_sendrec_T(TESTER, &msg, LONG_MS), 0);
		EXPECT(msg.m1_i1 == i + 1);
	}
}

/* Many exchanges, spinning and sleeping, from several sides at once. */
static void test_many_exchanges(void **state)
{
	enum { PARTIES = 3, COUNT = 3000 };
	int parties[PARTIES], count = COUNT;
	message msg;

	(void)state;
	for (int i = 0; i < PARTIES; i++)
		parties[i] = party_start(USER + i, ping, &count);
	for (int i = 0; i < PARTIES * COUNT; i++) {
		if (i % 100 == 0)
			dvk_set_spin(i % 200 ? 0 : 200000);
		assert_int_equal(dvk_receive_T(ANY, &msg, LONG_MS), 0);
		msg.m1_i1++;
		assert_int_equal(dvk_reply(msg.m_source, &msg), 0);
	}
	for (int i = 0; i < PARTIES; i++)
		party_join(parties[i]);
}

#define MOMENTS 40000

static bool is_asleep(const struct dvk_peer *peer)
{
	return atomic_load(&peer->page->asleep) || atomic_load(&peer->out->bell) & DVK_BELL_SLEEPER;
}

/* Sends at just the moment at which the receiver goes to sleep, as far as that can be foretold. */
static void ping_at_sleep(void *argument)
{
	static struct dvk_client client;
	const struct dvk_peer *peer = &client.peers[dvk_endpoint_slot(TESTER)];
	uint64_t random = 88172645463325252u;
	message msg = { 0 };
	char path[108];
	int pauses = 0;

	(void)argument;
	EXPECT_RC(dvk_runtime_socket(path, sizeof(path)), 0);
	dvk_client_init(&client);
	EXPECT_RC(dvk_client_open(&client, path), 0);
	EXPECT_RC(dvk_client_bind(&client, SELF_BIND, DC, 0, USER), USER);
	EXPECT_RC(dvk_client_sendrec(&client, TESTER, &msg, LONG_MS), 0);
	for (int i = 1; i < MOMENTS; i++) {
		random ^= random << 13;
		random ^= random >> 7;
		random ^= random << 17;
		for (int j = 0; j < pauses; j++)
			dvk_pause();
		/* A little earlier or later the next time. */
		if (!is_asleep(peer))
			pauses += (int)(random % 8);
		else if (pauses > 0)
			pauses -= (int)(random % 8);
		EXPECT_RC(dvk_client_sendrec(&client, TESTER, &msg, LONG_MS), 0);
	}
	dvk_client_close(&client);
}

/* A receiver that sleeps at once, and a sender that rings just then. */
static void test_no_wake_up_is_lost(void **state)
{
	int party = party_start(NONE, ping_at_sleep, NULL);
	message msg;

	(void)state;
	dvk_set_spin(0);
	for (int i = 0; i < MOMENTS; i++) {
		assert_int_equal(dvk_receive_T(ANY, &msg, LONG_MS), 0);
		assert_int_equal(dvk_reply(msg.m_source, &msg), 0);
	}
	dvk_set_spin(200000);
	party_join(party);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define IPC_TEST(name) cmocka_unit_test_setup_teardown(name, ipc_setup, ipc_teardown)
		IPC_TEST(test_send_receive),
		IPC_TEST(test_sendrec_reply),
		IPC_TEST(test_sendrec_answered_by_send),
		IPC_TEST(test_reply_to_receive),
		IPC_TEST(test_reply_then_send),
		IPC_TEST(test_receive_picks_source),
		IPC_TEST(test_notify_before_messages),
		IPC_TEST(test_notification_or_request),
		IPC_TEST(test_rcvrqst_passes_notifications_over),
		IPC_TEST(test_receive_any_is_fair),
		IPC_TEST(test_time_outs),
		IPC_TEST(test_reply_after_time_out),
		IPC_TEST(test_late_replies),
		IPC_TEST(test_bad_endpoints),
		IPC_TEST(test_nobody_bound),
		IPC_TEST(test_privileges),
		IPC_TEST(test_signal_interrupts),
		IPC_TEST(test_many_exchanges),
		IPC_TEST(test_no_wake_up_is_lost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
