// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What wakes a server that waits for its peers and for descriptors of its own. Who is served when is in test_turns.c,
 * what a peer can do to its bell in test_bells.c. All else that messages do is tested in the same manner by the other
 * files here, which CMakeLists.txt runs a second time with every process asleep in epoll.
 */
#include "descriptor_fixture.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void writes_when_asleep(void *argument)
{
	(void)argument;
	watch_server(PARTY);
	EXPECT(write(other, "x", 1) == 1);
}

static void test_own_descriptor_wakes(void **state)
{
	int party = party_start(NONE, writes_when_asleep, NULL);
	message msg;
	char byte;

	(void)state;
	meet(PARTY);
	assert_int_equal(dvk_receive_T(ANY, &msg, LONG_MS), EDVSREADY);
	/* Until it is read. */
	assert_int_equal(dvk_rcvrqst_T(&msg, LONG_MS), EDVSREADY);
	assert_int_equal(dvk_receive_T(ANY, &msg, TIMEOUT_NOWAIT), EDVSREADY);
	assert_int_equal(read(own, &byte, 1), 1);
	assert_int_equal(dvk_receive_T(ANY, &msg, TIMEOUT_NOWAIT), EDVSAGAIN);
	assert_int_equal(dvk_receive_T(ANY, &msg, 1), EDVSTIMEDOUT);
	party_join(party);
}

static void ends_when_asleep(void *argument)
{
	(void)argument;
	watch_server(PARTY);
	EXPECT(shutdown(other, SHUT_RDWR) == 0);
}

static void test_end_of_own_descriptor_wakes(void **state)
{
	int party = party_start(NONE, ends_when_asleep, NULL);
	message msg;

	(void)state;
	meet(PARTY);
	assert_int_equal(dvk_receive_T(ANY, &msg, LONG_MS), EDVSREADY);
	party_join(party);
}

/* Found while it spins, too, and in the last moment. */
static void test_own_descriptor_and_spinning(void **state)
{
	message msg;

	(void)state;
	dvk_set_spin(INT64_C(1000000000) * LONG_MS / 1000);
	assert_int_equal(write(other, "x", 1), 1);
	assert_int_equal(dvk_receive_T(ANY, &msg, LONG_MS), EDVSREADY);
	dvk_set_spin(0);
}

static void sends_when_asleep(void *argument)
{
	message msg = { .m_type = 7 };
	struct dvk_client *client = watch_server(PARTY);

	(void)argument;
	EXPECT_RC(dvk_client_send(client, TESTER, &msg, LONG_MS), 0);
	EXPECT_RC(dvk_client_sendrec(client, TESTER, &msg, LONG_MS), 0);
	while (!atomic_load(&server_of(client)->page->asleep))
		sched_yield();
	EXPECT_RC(dvk_client_notify(client, TESTER, 8), 0);
	EXPECT_RC(dvk_client_receive(client, TESTER, &msg, LONG_MS), 0);
	while (!atomic_load(&server_of(client)->page->asleep))
		sched_yield();
	/* Its death is the last thing that wakes. */
}

static void test_messages_wake(void **state)
{
	int party = party_start(NONE, sends_when_asleep, NULL);
	message msg;

	(void)state;
	meet(PARTY);
	assert_int_equal(dvk_receive_T(ANY, &msg, LONG_MS), 0);
	assert_int_equal(msg.m_type, 7);
	assert_int_equal(dvk_receive_T(ANY, &msg, LONG_MS), 0);
	assert_int_equal(dvk_reply(PARTY, &msg), 0);
	assert_int_equal(dvk_receive_T(ANY, &msg, LONG_MS), 0);
	assert_true(dvk_notified());
	assert_int_equal(msg.m9_l1, 8);
	assert_int_equal(dvk_send_T(PARTY, &msg, LONG_MS), 0);
	/* Nobody else is there: only the interrupt of the timeout ends it, but the death is taken on the way. */
	while (dvk_peer_incarnation(PARTY) != EDVSNOTBIND)
		assert_int_equal(dvk_receive_T(ANY, &msg, 10), EDVSTIMEDOUT);
	party_join(party);
}

/* A signal without dvk_interrupt() ends only a wait that has begun: that takes the kernel's word for it. */
static void await_asleep_in_kernel(struct dvk_client *client)
{
	char path[32], line[256], *name_end;
	FILE *file;

	await_asleep(client);
	EXPECT(snprintf(path, sizeof(path), "/proc/%d/stat", (int)getppid()) < (int)sizeof(path));
	do {
		file = fopen(path, "re");
		EXPECT(file && fgets(line, sizeof(line), file));
		EXPECT(fclose(file) == 0);
		/* "1234 (name) S ..." */
		name_end = strrchr(line, ')');
		EXPECT(name_end);
	} while (name_end[2] != 'S' && sched_yield() == 0);
}

static void signals_when_asleep(void *argument)
{
	struct dvk_client *client = watch_server(PARTY);
	message msg = { 0 };
	char byte;

	(void)argument;
	await_asleep_in_kernel(client);
	EXPECT(kill(getppid(), SIGUSR1) == 0);
	/* A message that is there when it wakes counts more. */
	EXPECT(fcntl(other, F_SETFL, 0) == 0 && read(other, &byte, 1) == 1);
	EXPECT_RC(dvk_client_sendrec(client, TESTER, &msg, LONG_MS), 0);
	while (!atomic_load(&server_of(client)->page->asleep))
		sched_yield();
	EXPECT(kill(getppid(), SIGUSR2) == 0);
}

static void ignore_signal(int signal)
{
	(void)signal;
}

static void interrupt_by_signal(int signal)
{
	(void)signal;
	dvk_interrupt();
}

static void test_signals(void **state)
{
	struct sigaction plain = { .sa_handler = ignore_signal };
	struct sigaction interrupting = { .sa_handler = interrupt_by_signal };
	message msg;
	int party;

	(void)state;
	assert_int_equal(sigaction(SIGUSR1, &plain, NULL), 0);
	assert_int_equal(sigaction(SIGUSR2, &interrupting, NULL), 0);
	party = party_start(NONE, signals_when_asleep, NULL);
	meet(PARTY);
	assert_int_equal(dvk_receive_T(ANY, &msg, LONG_MS), EDVSINTR);
	assert_int_equal(write(own, "x", 1), 1);
	meet(PARTY);
	assert_int_equal(dvk_receive_T(ANY, &msg, LONG_MS), EDVSINTR);
	party_join(party);
}

static void *interrupts(void *argument)
{
	while (!atomic_load((atomic_bool *)argument))
		dvk_interrupt();
	return NULL;
}

/* From another thread, also while the connection is closed and opened anew. */
static void test_interrupts(void **state)
{
	atomic_bool enough = false;
	pthread_t thread;
	message msg;

	(void)state;
	assert_int_equal(pthread_create(&thread, NULL, interrupts, &enough), 0);
	for (int i = 0; i < 200; i++)
		assert_int_equal(dvk_receive_T(ANY, &msg, LONG_MS), EDVSINTR);
	for (int i = 0; i < 50; i++) {
		assert_int_equal(dvk_close(), 0);
		assert_int_equal(dvk_use_descriptors(i % 2 ? own : -1), 0);
		assert_int_equal(dvk_bind(DC, TESTER), TESTER);
		assert_int_equal(dvk_receive_T(ANY, &msg, LONG_MS), EDVSINTR);
	}
	atomic_store(&enough, true);
	pthread_join(thread, NULL);
}

static void kills_node_when_asleep(void *argument)
{
	(void)argument;
	watch_server(PARTY);
	EXPECT(kill(ipc_node_pid(), SIGKILL) == 0);
}

static void test_node_loss(void **state)
{
	int party = party_start(NONE, kills_node_when_asleep, NULL);
	message msg;

	(void)state;
	meet(PARTY);
	assert_int_equal(dvk_receive_T(ANY, &msg, LONG_MS), EDVSDVSINIT);
	party_join(party);
	assert_int_equal(dvk_use_descriptors(own), EDVSPROCSTS);
	assert_int_equal(ipc_teardown(state), 0);
	/* With the next node it is as before. */
	assert_int_equal(ipc_setup(state), 0);
	party = party_start(NONE, writes_when_asleep, NULL);
	meet(PARTY);
	assert_int_equal(dvk_receive_T(ANY, &msg, LONG_MS), EDVSREADY);
	party_join(party);
}

static void test_bad_descriptors(void **state)
{
	int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

	(void)state;
	assert_true(file >= 0);
	assert_int_equal(dvk_use_descriptors(own), EDVSPROCSTS);
	assert_int_equal(dvk_close(), 0);
	assert_int_equal(dvk_use_descriptors(file), EDVSINVAL); /* nothing to wait for in a file */
	close(file);
	assert_int_equal(dvk_use_descriptors(file), EDVSINVAL);
	assert_int_equal(dvk_use_descriptors(own), 0);
	assert_int_equal(dvk_use_descriptors(own), 0);
	assert_int_equal(dvk_bind(DC, TESTER), TESTER);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_own_descriptor_wakes, descriptor_setup, descriptor_teardown),
		cmocka_unit_test_setup_teardown(test_end_of_own_descriptor_wakes, descriptor_setup,
						descriptor_teardown),
		cmocka_unit_test_setup_teardown(test_own_descriptor_and_spinning, descriptor_setup,
						descriptor_teardown),
		cmocka_unit_test_setup_teardown(test_messages_wake, descriptor_setup, descriptor_teardown),
		cmocka_unit_test_setup_teardown(test_signals, descriptor_setup, descriptor_teardown),
		cmocka_unit_test_setup_teardown(test_interrupts, descriptor_setup, descriptor_teardown),
		cmocka_unit_test_setup_teardown(test_node_loss, descriptor_setup, descriptor_teardown),
		cmocka_unit_test_setup_teardown(test_bad_descriptors, descriptor_setup, descriptor_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
