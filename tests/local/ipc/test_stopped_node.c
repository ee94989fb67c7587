// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A node that does not answer: calls end by their time-outs, by signals, or by the bound for all, and what the node
 * answers later is not taken for something else.
 */
#include <errno.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "dvk_runtime.h"
#include "ipc_fixture.h"

#define SHORT_MS 20

static void on_alarm(int number)
{
	(void)number;
}

/* A signal that keeps coming, from now on; so that none comes too early to count. */
static void start_alarms(void)
{
	const struct itimerval often = { { 0, 50000 }, { 0, 50000 } };
	struct sigaction action = { .sa_handler = on_alarm };

	assert_int_equal(sigaction(SIGALRM, &action, NULL), 0);
	assert_int_equal(setitimer(ITIMER_REAL, &often, NULL), 0);
}

static void stop_alarms(void)
{
	const struct itimerval never = { 0 };

	assert_int_equal(setitimer(ITIMER_REAL, &never, NULL), 0);
	signal(SIGALRM, SIG_DFL);
}

static void signal_node(int number)
{
	assert_int_equal(kill(ipc_node_pid(), number), 0);
}

static int teardown(void **state)
{
	stop_alarms();
	kill(ipc_node_pid(), SIGCONT);
	return ipc_teardown(state);
}

/* Answers one request. */
static void server(void *argument)
{
	message msg;

	(void)argument;
	EXPECT_RC(dvk_receive_T(ANY, &msg, LONG_MS), 0);
	msg.m_type++;
	EXPECT_RC(dvk_reply(msg.m_source, &msg), 0);
}

/* It knows us when all is well again, whatever the answers that came late were to. */
static void expect_served(int pid)
{
	message msg = { .m_type = 1 };

	assert_int_equal(dvk_sendrec_T(PARTY, &msg, LONG_MS), 0);
	assert_int_equal(msg.m_type, 2);
	party_join(pid);
}

static void test_time_outs(void **state)
{
	int pid = party_start(PARTY, server, NULL);
	message msg = { .m_type = 1 };

	(void)state;
	wait_blocked(PARTY, RECEIVING);
	signal_node(SIGSTOP);
	assert_int_equal(dvk_send_T(PARTY, &msg, SHORT_MS), EDVSTIMEDOUT);
	assert_int_equal(dvk_receive_T(PARTY, &msg, SHORT_MS), EDVSTIMEDOUT);
	assert_int_equal(dvk_sendrec_T(PARTY, &msg, SHORT_MS), EDVSTIMEDOUT);
	assert_int_equal(dvk_send_T(PARTY, &msg, 0), EDVSAGAIN);
	signal_node(SIGCONT);
	expect_served(pid);
}

/* Waits that the node itself is to end. */
static void test_wait_time_out(void **state)
{
	int pid = party_start(PARTY, server, NULL);

	(void)state;
	wait_blocked(PARTY, RECEIVING);
	signal_node(SIGSTOP);
	assert_int_equal(dvk_wait4bindep_T(PARTY, SHORT_MS), EDVSTIMEDOUT);
	signal_node(SIGCONT);
	assert_int_equal(dvk_getep(pid), PARTY);
	expect_served(pid);
}

static void test_signals(void **state)
{
	int pid = party_start(PARTY, server, NULL), task = party_start(EDVSINTR, server, NULL);
	message msg = { .m_type = 1 };

	(void)state;
	wait_blocked(PARTY, RECEIVING);
	wait_blocked(EDVSINTR, RECEIVING);
	signal_node(SIGSTOP);
	start_alarms();
	assert_int_equal(dvk_send(PARTY, &msg), EDVSINTR);
	assert_int_equal(dvk_receive(PARTY, &msg), EDVSINTR);
	assert_int_equal(dvk_sendrec(PARTY, &msg), EDVSINTR);
	assert_int_equal(dvk_wait4bindep(PARTY + 1), EDVSINTR);
	/* Not that the task with this number is gone. */
	assert_int_equal(dvk_wait4unbind(EDVSINTR), EDVSINTR);
	stop_alarms();
	signal_node(SIGCONT);
	expect_served(pid);
	party_kill(task);
}

/* More questions than the socket takes: no call waits for room beyond its time, and none is lost when there is some. */
static void test_many_given_up(void **state)
{
	enum { QUESTIONS = 600 };
	int pid = party_start(PARTY, server, NULL);
	message msg = { .m_type = 1 };

	(void)state;
	wait_blocked(PARTY, RECEIVING);
	signal_node(SIGSTOP);
	for (int i = 0; i < QUESTIONS; i++)
		assert_int_equal(dvk_send_T(PARTY, &msg, 1), EDVSTIMEDOUT);
	signal_node(SIGCONT);
	expect_served(pid);
}

/* A question whose answer must not be missed: the node is given up, soon after a signal. */
static void test_node_given_up(void **state)
{
	(void)state;
	signal_node(SIGSTOP);
	start_alarms();
	assert_int_equal(dvk_getep(ipc_node_pid()), EDVSDVSINIT);
	stop_alarms();
	assert_int_equal(dvk_getep(ipc_node_pid()), EDVSDVSINIT);
	signal_node(SIGCONT);
	assert_int_equal(dvk_getep(ipc_node_pid()), EDVSDVSINIT);
	assert_int_equal(dvk_open(), 0);
	assert_int_equal(dvk_bind(DC, TESTER), TESTER);
}

/* A node that does not even accept: the signal that ends the wait is no endpoint. */
static void test_signal_before_it_accepts(void **state)
{
	enum { AT_MOST = 1000 };
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fds[AT_MOST], count = 0;

	(void)state;
	assert_int_equal(dvk_runtime_socket(address.sun_path, sizeof(address.sun_path)), 0);
	assert_int_equal(dvk_close(), 0);
	signal_node(SIGSTOP);
	/* As many as wait to be accepted, and one that does not any more. */
	do {
		assert_true(count < AT_MOST);
		fds[count] = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		assert_true(fds[count] >= 0);
	} while (!connect(fds[count++], (const struct sockaddr *)&address, sizeof(address)));
	assert_int_equal(errno, EAGAIN);
	start_alarms();
	assert_int_equal(dvk_open(), EDVSINTR);
	assert_true(dvk_bind(DC, TESTER) < EDVSERRCODE);
	assert_true(dvk_tbind(DC, TESTER) < EDVSERRCODE);
	assert_true(dvk_getep(ipc_node_pid()) < EDVSERRCODE);
	assert_true(dvk_wait4bindep(PARTY) < EDVSERRCODE);
	stop_alarms();
	while (count)
		close(fds[--count]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define STOPPED_TEST(name) cmocka_unit_test_setup_teardown(name, ipc_setup, teardown)
		STOPPED_TEST(test_time_outs),	  STOPPED_TEST(test_wait_time_out),
		STOPPED_TEST(test_signals),	  STOPPED_TEST(test_many_given_up),
		STOPPED_TEST(test_node_given_up), STOPPED_TEST(test_signal_before_it_accepts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
