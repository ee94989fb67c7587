// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A server that waits for its peers and for descriptors of its own: what wakes it, who is served when, and what a
 * peer can do to its bell. All else that messages do is tested in the same manner by the other files here, which
 * CMakeLists.txt runs a second time with every process asleep in epoll.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "dvk_client.h"
#include "dvk_internal.h"
#include "dvk_runtime.h"
#include "dvk_system.h"
#include "ipc_fixture.h"

#define MANY	 200
#define PER_PEER 5 /* requests of each of many */
#define RINGER	 3 /* another endpoint of the test's */

/* The server's own descriptor, and the other end of it. */
static int own, other;

static int setup(void **state)
{
	message msg;
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends))
		return -1;
	own = ends[0];
	other = ends[1];
	if (dvk_use_descriptors(own))
		return -1;
	dvk_set_spin(0);
	if (ipc_setup(state))
		return -1;
	/* What the test before was interrupted for, too late. */
	while (dvk_receive_T(ANY, &msg, TIMEOUT_NOWAIT) == EDVSINTR)
		;
	return 0;
}

static int teardown(void **state)
{
	int rc = ipc_teardown(state);

	close(own);
	close(other);
	return rc || dvk_use_descriptors(-1) ? -1 : 0;
}

/* ---- parties that know whether the server sleeps ---- */

/* A client beside the library's own; each process has one at most. */
static struct dvk_client second_client;

static struct dvk_client *open_client(int endpoint)
{
	struct dvk_client *client = &second_client;
	char path[108];

	EXPECT_RC(dvk_runtime_socket(path, sizeof(path)), 0);
	dvk_client_init(client);
	EXPECT_RC(dvk_client_open(client, path), 0);
	EXPECT_RC(dvk_client_bind(client, SELF_BIND, DC, 0, endpoint), endpoint);
	return client;
}

static struct dvk_peer *server_of(struct dvk_client *client)
{
	return &client->peers[dvk_endpoint_slot(TESTER)];
}

/* The server says it before it calls the kernel. */
static void await_asleep(struct dvk_client *client)
{
	while (!atomic_load(&server_of(client)->page->asleep))
		sched_yield();
}

/* Makes one exchange with the server, so that the two are introduced, and waits until it sleeps after that. */
static struct dvk_client *watch_server(int endpoint)
{
	struct dvk_client *client = open_client(endpoint);
	message msg = { 0 };

	EXPECT_RC(dvk_client_sendrec(client, TESTER, &msg, LONG_MS), 0);
	EXPECT(server_of(client)->ring_fd >= 0);
	await_asleep(client);
	return client;
}

/* Answers the first request of a party of that kind. */
static void meet(int endpoint)
{
	message msg;

	assert_int_equal(dvk_receive_T(ANY, &msg, LONG_MS), 0);
	assert_int_equal(msg.m_source, endpoint);
	assert_int_equal(dvk_reply(endpoint, &msg), 0);
}

/* ---- what wakes ---- */

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

/* ---- who is served when ---- */

static void calls_many_times(void *argument)
{
	message msg = { 0 };

	for (int i = 0; i < *(int *)argument; i++)
		EXPECT_RC(dvk_sendrec_T(TESTER, &msg, LONG_MS), 0);
}

/* The descriptor is ready all the time, and there is nearly always a message. */
static void test_neither_starves(void **state)
{
	enum { CALLS = 500 };
	int parties[3], calls = CALLS, served = 0, ready = 0, in_a_row = 0;
	message msg;

	(void)state;
	assert_int_equal(write(other, "x", 1), 1);
	for (int i = 0; i < 3; i++)
		parties[i] = party_start(USER + i, calls_many_times, &calls);
	while (served < 3 * CALLS) {
		int rc = dvk_receive_T(ANY, &msg, LONG_MS);

		if (rc == EDVSREADY) {
			ready++;
			in_a_row = 0;
			continue;
		}
		assert_int_equal(rc, 0);
		assert_true(++in_a_row <= 16);
		served++;
		assert_int_equal(dvk_reply(msg.m_source, &msg), 0);
	}
	assert_true(ready >= served / 17);
	for (int i = 0; i < 3; i++)
		party_join(parties[i]);
}

static void feeds(void *argument)
{
	for (int i = 0; i < *(int *)argument; i++) {
		EXPECT(write(other, "x", 1) == 1);
		/* The server reads it: one byte at a time is under way. */
		EXPECT(read(other, &(char){ 0 }, 1) == 1);
	}
}

/* Serves until so many requests and so many bytes of its own have come. */
static void serve(int requests, int bytes)
{
	message msg;
	char byte;

	while (requests || bytes) {
		int rc = dvk_receive_T(ANY, &msg, LONG_MS);

		if (rc == EDVSREADY) {
			assert_int_equal(read(own, &byte, 1), 1);
			assert_int_equal(write(own, &byte, 1), 1);
			bytes--;
			continue;
		}
		assert_int_equal(rc, 0);
		requests--;
		assert_int_equal(dvk_reply(msg.m_source, &msg), 0);
	}
}

static void check_peers(int count)
{
	int parties[MANY], calls = PER_PEER, feedings = 100, feeder;

	/* Blocking for the feeder, which waits for the server. */
	assert_int_equal(fcntl(other, F_SETFL, 0), 0);
	feeder = party_start(NONE, feeds, &feedings);
	for (int i = 0; i < count; i++)
		parties[i] = party_start(PARTY + i, calls_many_times, &calls);
	serve(count * PER_PEER, feedings);
	for (int i = 0; i < count; i++)
		party_join(parties[i]);
	party_join(feeder);
}

static void test_one_peer(void **state)
{
	(void)state;
	check_peers(1);
}

static void test_eight_peers(void **state)
{
	(void)state;
	check_peers(8);
}

static void test_200_peers(void **state)
{
	(void)state;
	check_peers(MANY);
}

static void calls_when_asleep(void *argument)
{
	struct dvk_client *client = watch_server(*(int *)argument);
	message msg = { 0 };

	EXPECT_RC(dvk_client_sendrec(client, TESTER, &msg, LONG_MS), 0);
}

/* Whose turn it is to wake the server: PARTY and so many more, in memory that all parties share. */
static _Atomic uint32_t *turn;

#define NOBODYS_TURN UINT32_MAX

static void await_turn(int endpoint)
{
	for (;;) {
		uint32_t now = atomic_load(turn);

		if (now == (uint32_t)(endpoint - PARTY))
			return;
		(void)dvk_system_futex_wait_one(turn, now, INT64_MAX);
	}
}

static void calls_in_turn(void *argument)
{
	int endpoint = *(int *)argument;
	struct dvk_client *client = open_client(endpoint);
	message msg = { 0 };

	EXPECT_RC(dvk_client_sendrec(client, TESTER, &msg, LONG_MS), 0);
	await_turn(endpoint);
	await_asleep(client);
	EXPECT_RC(dvk_client_sendrec(client, TESTER, &msg, LONG_MS), 0);
}

/* All peers stay, and each in turn wakes the server: also those beyond what futex_waitv() would take. */
static void test_each_of_200_wakes(void **state)
{
	int parties[MANY], endpoints[MANY];

	(void)state;
	turn = mmap(NULL, sizeof(*turn), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(turn, MAP_FAILED);
	atomic_store(turn, NOBODYS_TURN);
	for (int i = 0; i < MANY; i++) {
		endpoints[i] = PARTY + i;
		parties[i] = party_start(NONE, calls_in_turn, &endpoints[i]);
		meet(endpoints[i]);
	}
	for (int i = 0; i < MANY; i++) {
		atomic_store(turn, (uint32_t)i);
		dvk_system_futex_wake(turn);
		meet(endpoints[i]);
	}
	for (int i = 0; i < MANY; i++)
		party_join(parties[i]);
	munmap(turn, sizeof(*turn));
}

static int lowest_free_descriptor(void)
{
	int fd = dup(own);

	assert_true(fd >= 0);
	close(fd);
	return fd;
}

/* Each peer takes a descriptor, and gives it back. */
static void test_descriptors_come_back(void **state)
{
	int before = lowest_free_descriptor(), calls = 1;

	(void)state;
	for (int i = 0; i < 20; i++) {
		message msg;
		int party = party_start(USER + i, calls_many_times, &calls);

		serve(1, 0);
		party_join(party);
		while (dvk_peer_incarnation(USER + i) != EDVSNOTBIND)
			assert_int_equal(dvk_receive_T(ANY, &msg, 1), EDVSTIMEDOUT);
	}
	assert_int_equal(lowest_free_descriptor(), before);
}

static void is_unencumbered(void *argument)
{
	int probe = eventfd(0, EFD_CLOEXEC);

	/* What a parent that sleeps in epoll has is not the child's: neither its bells nor its epoll. */
	for (int fd = 0; fd < *(int *)argument; fd++) {
		struct epoll_event event = { 0 };

		EXPECT(epoll_ctl(fd, EPOLL_CTL_ADD, probe, &event) == -1);
	}
	EXPECT_RC(dvk_bind(DC, USER + 5), USER + 5);
	calls_many_times(&(int){ PER_PEER });
}

static void test_child(void **state)
{
	int calls = 1000000, served = 0, party, child, highest;
	message msg;

	(void)state;
	party = party_start(USER, calls_many_times, &calls);
	serve(10, 0);
	highest = lowest_free_descriptor();
	child = party_start(NONE, is_unencumbered, &highest);
	while (served < PER_PEER) {
		assert_int_equal(dvk_receive_T(ANY, &msg, LONG_MS), 0);
		assert_int_equal(dvk_reply(msg.m_source, &msg), 0);
		served += msg.m_source == USER + 5;
	}
	party_join(child);
	/* The parent's own are not touched by what the child closed. */
	serve(100, 0);
	party_kill(party);
}

/* ---- hostile peers ---- */

enum mischief { FILLS, DRAINS, CLOSES, CHANGES_FLAGS, RINGS_ALWAYS, NR_MISCHIEFS };

/* Does what it can with the descriptor that it rings by, until it is killed. */
static void spoils_its_bell(void *argument)
{
	struct dvk_client *client = open_client(PARTY);
	uint64_t number = UINT64_MAX - 1;
	message msg = { 0 };
	int ring;

	EXPECT_RC(dvk_client_sendrec(client, TESTER, &msg, LONG_MS), 0);
	ring = server_of(client)->ring_fd;
	EXPECT(ring >= 0 && server_of(client)->bell_fd < 0);
	switch (*(enum mischief *)argument) {
	case FILLS:
		EXPECT(write(ring, &number, sizeof(number)) == (ssize_t)sizeof(number) || errno == EAGAIN);
		break;
	case CLOSES:
		close(ring);
		break;
	case CHANGES_FLAGS:
		EXPECT(fcntl(ring, F_SETFL, O_ASYNC) == 0);
		number = UINT64_MAX - 1 - 100000;
		EXPECT(write(ring, &number, sizeof(number)) == (ssize_t)sizeof(number));
		break;
	case DRAINS:
	case RINGS_ALWAYS:
	case NR_MISCHIEFS:
		break;
	}
	EXPECT_RC(dvk_client_sendrec_begin(client, TESTER, &msg), 0);
	for (;;) {
		number = 1;
		if (*(enum mischief *)argument == RINGS_ALWAYS)
			EXPECT(write(ring, &number, sizeof(number)) == (ssize_t)sizeof(number));
		else if (*(enum mischief *)argument == DRAINS)
			EXPECT(read(ring, &number, sizeof(number)) > 0 || errno == EAGAIN);
		else
			pause();
	}
}

static void test_spoiled_bell(void **state)
{
	(void)state;
	for (enum mischief mischief = FILLS; mischief < NR_MISCHIEFS; mischief++) {
		int enemy, endpoint = USER, honest, calls = 300, callers;
		message msg;

		enemy = party_start(NONE, spoils_its_bell, &mischief);
		meet(PARTY);
		/* Its second request, for which its bell may be silent: it wakes nobody, or it does. */
		honest = party_start(NONE, calls_when_asleep, &endpoint);
		callers = party_start(USER + 1, calls_many_times, &calls);
		for (int served = 0; served < calls + 2;) {
			int rc = dvk_receive_T(ANY, &msg, LONG_MS);

			assert_int_equal(rc, 0);
			served += msg.m_source != PARTY;
			if (msg.m_source != PARTY)
				assert_int_equal(dvk_reply(msg.m_source, &msg), 0);
		}
		party_join(honest);
		party_join(callers);
		party_kill(enemy);
		while (dvk_peer_incarnation(PARTY) != EDVSNOTBIND)
			dvk_receive_T(ANY, &msg, 1);
	}
}

/* A receiver that says that it sleeps and never takes a ring; does what it can with what it was given. */
static void never_listens(void *argument)
{
	struct dvk_client *client = &second_client;
	struct epoll_event event = { .events = EPOLLIN };
	message msg = { 0 };
	struct dvk_peer *peer;
	char path[108];
	uint64_t number = 1;

	EXPECT_RC(dvk_runtime_socket(path, sizeof(path)), 0);
	dvk_client_init(client);
	EXPECT_RC(dvk_client_use_descriptors(client, -1), 0);
	EXPECT_RC(dvk_client_open(client, path), 0);
	EXPECT_RC(dvk_client_bind(client, SELF_BIND, DC, 0, PARTY), PARTY);
	EXPECT_RC(dvk_client_wait_bind(client, RINGER, LONG_MS), RINGER);
	EXPECT_RC(dvk_client_sendrec(client, RINGER, &msg, LONG_MS), 0);
	peer = &client->peers[dvk_endpoint_slot(RINGER)];
	EXPECT(peer->bell_fd >= 0);
	/* It is no eventfd to it: no counter, and no flag that its peer would share. */
	EXPECT(write(peer->bell_fd, &number, sizeof(number)) < 0 && read(peer->bell_fd, &number, sizeof(number)) < 0);
	EXPECT(fcntl(peer->bell_fd, F_SETFL, 0) == 0);
	EXPECT(epoll_ctl(peer->bell_fd, EPOLL_CTL_DEL, *(int *)argument, NULL) < 0);
	EXPECT(epoll_ctl(peer->bell_fd, EPOLL_CTL_ADD, client->node_fd, &event) == 0);
	atomic_store(&client->page->asleep, 1);
	EXPECT_RC(dvk_client_sendrec_begin(client, RINGER, &msg), 0);
	for (;;)
		pause();
}

static void test_deaf_receiver(void **state)
{
	int enemy = party_start(NONE, never_listens, &own);
	struct dvk_client *ringer = open_client(RINGER);
	message msg;

	(void)state;
	assert_int_equal(dvk_client_receive(ringer, ANY, &msg, LONG_MS), 0);
	assert_int_equal(dvk_client_reply(ringer, PARTY, &msg), 0);
	assert_int_equal(dvk_client_receive(ringer, ANY, &msg, LONG_MS), 0);
	/* More rings than would fill a pipe or a socket. */
	for (int i = 0; i < 300000; i++)
		dvk_ring_peer(&ringer->peers[dvk_endpoint_slot(PARTY)]);
	assert_int_equal(dvk_client_notify(ringer, PARTY, 1), 0);
	assert_int_equal(dvk_client_reply(ringer, PARTY, &msg), 0);
	assert_int_equal(dvk_client_send(ringer, PARTY, &msg, 1), EDVSTIMEDOUT);
	party_kill(enemy);
	dvk_client_close(ringer);
}

/* ---- limits ---- */

/* Calls the server once, whatever comes of it, and stays until the gate is closed. */
static void stays(void *argument)
{
	const int *gate = argument;
	message msg = { 0 };

	close(gate[1]);
	dvk_sendrec_T(TESTER, &msg, LONG_MS);
	EXPECT(read(gate[0], &msg, 1) == 0);
}

/* A peer for whose bell there is no descriptor: the connection is lost, and the next one is as good as new. */
static void test_out_of_descriptors(void **state)
{
	enum { PEERS = 12 };
	int gate[2], peers[PEERS], calls = PER_PEER, party, rc;
	struct rlimit before, low;
	message msg;

	(void)state;
	assert_int_equal(pipe2(gate, O_CLOEXEC), 0);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	low = before;
	low.rlim_cur = (rlim_t)lowest_free_descriptor() + PEERS / 2;
	for (int i = 0; i < PEERS; i++)
		peers[i] = party_start(USER + i, stays, gate);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
	do {
		rc = dvk_receive_T(ANY, &msg, LONG_MS);
		if (!rc)
			dvk_reply(msg.m_source, &msg);
	} while (!rc);
	assert_int_equal(rc, EDVSDVSINIT);
	assert_int_equal(dvk_close(), 0);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	close(gate[1]);
	close(gate[0]);
	for (int i = 0; i < PEERS; i++)
		party_join(peers[i]);

	assert_int_equal(dvk_bind(DC, TESTER), TESTER);
	party = party_start(PARTY, calls_many_times, &calls);
	serve(calls, 0);
	party_join(party);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define DESCRIPTOR_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		DESCRIPTOR_TEST(test_own_descriptor_wakes),
		DESCRIPTOR_TEST(test_end_of_own_descriptor_wakes),
		DESCRIPTOR_TEST(test_own_descriptor_and_spinning),
		DESCRIPTOR_TEST(test_messages_wake),
		DESCRIPTOR_TEST(test_signals),
		DESCRIPTOR_TEST(test_interrupts),
		DESCRIPTOR_TEST(test_node_loss),
		DESCRIPTOR_TEST(test_bad_descriptors),
		DESCRIPTOR_TEST(test_neither_starves),
		DESCRIPTOR_TEST(test_one_peer),
		DESCRIPTOR_TEST(test_eight_peers),
		DESCRIPTOR_TEST(test_200_peers),
		DESCRIPTOR_TEST(test_each_of_200_wakes),
		DESCRIPTOR_TEST(test_descriptors_come_back),
		DESCRIPTOR_TEST(test_child),
		DESCRIPTOR_TEST(test_spoiled_bell),
		DESCRIPTOR_TEST(test_deaf_receiver),
		DESCRIPTOR_TEST(test_out_of_descriptors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
