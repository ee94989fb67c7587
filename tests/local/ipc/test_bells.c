// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What a peer can do to the bell that it rings a server by, or is rung by itself; and a server that has no descriptor
 * left for a bell.
 */
#include "descriptor_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

#include "dvk_runtime.h"

#define RINGER 3 /* another endpoint of the test's */

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
		cmocka_unit_test_setup_teardown(test_spoiled_bell, descriptor_setup, descriptor_teardown),
		cmocka_unit_test_setup_teardown(test_deaf_receiver, descriptor_setup, descriptor_teardown),
		cmocka_unit_test_setup_teardown(test_out_of_descriptors, descriptor_setup, descriptor_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
