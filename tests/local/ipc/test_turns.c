// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Who is served when by a server that waits for its peers and for a descriptor of its own, however many peers it has.
 */
#include "descriptor_fixture.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "dvk_system.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_neither_starves, descriptor_setup, descriptor_teardown),
		cmocka_unit_test_setup_teardown(test_one_peer, descriptor_setup, descriptor_teardown),
		cmocka_unit_test_setup_teardown(test_eight_peers, descriptor_setup, descriptor_teardown),
		cmocka_unit_test_setup_teardown(test_200_peers, descriptor_setup, descriptor_teardown),
		cmocka_unit_test_setup_teardown(test_each_of_200_wakes, descriptor_setup, descriptor_teardown),
		cmocka_unit_test_setup_teardown(test_descriptors_come_back, descriptor_setup, descriptor_teardown),
		cmocka_unit_test_setup_teardown(test_child, descriptor_setup, descriptor_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
