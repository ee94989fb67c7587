// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Pinned grants: what they need, and that they stay where they are, and whose they were, whatever becomes of the peer,
 * the node or the connection.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include "dvk_client.h"
#include "ipc_fixture.h"

#define PAGE  4096UL
#define PAGES 16UL

/* A party's memory; mapped at the same address in the test, because it forks off it. */
static char *area;
static int area_fd;

static int setup(void **state)
{
	area_fd = memfd_create("area", MFD_CLOEXEC);
	assert_true(area_fd >= 0);
	assert_int_equal(ftruncate(area_fd, PAGES * PAGE), 0);
	area = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, area_fd, 0);
	assert_ptr_not_equal(area, MAP_FAILED);
	return ipc_setup(state);
}

static int teardown(void **state)
{
	munmap(area, PAGES * PAGE);
	close(area_fd);
	return ipc_teardown(state);
}

/* The byte there as a system call finds it, or -errno. */
static int byte_at(const void *address)
{
	unsigned char byte;
	int ends[2], rc;

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	rc = write(ends[1], address, 1) == 1 ? 0 : -errno;
	if (!rc)
		assert_int_equal(read(ends[0], &byte, 1), 1);
	close(ends[0]);
	close(ends[1]);
	return rc ? rc : byte;
}

/* What a granter does. */
struct granter {
	unsigned int grants; /* of so many pages each, side by side */
	size_t pages;
	char fill;
	bool own_file; /* not the area's, whose bytes the one before has left */
};

static void granter(void *argument)
{
	const struct granter *how = argument;
	message msg = { 0 };
	int fd = area_fd;

	if (how->own_file) {
		fd = memfd_create("own", MFD_CLOEXEC);
		EXPECT(fd >= 0 && ftruncate(fd, PAGES * PAGE) == 0);
		EXPECT(mmap(area, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0) == area);
	}
	for (unsigned long i = 0; i < PAGES * PAGE; i++)
		area[i] = how->fill;
	for (unsigned int i = 0; i < how->grants; i++) {
		size_t bytes = how->pages * PAGE;

		EXPECT_RC(dvk_grant(TESTER, fd, i * bytes, area + i * bytes, bytes), 0);
	}
	for (;;)
		EXPECT_RC(dvk_sendrec_T(TESTER, &msg, LONG_MS), 0);
}

/* A process on PARTY that grants and is blocked. */
static int start_granter(struct granter *how)
{
	message msg;
	int party = party_start(PARTY, granter, how);

	assert_int_equal(dvk_receive_T(ANY, &msg, LONG_MS), 0);
	assert_int_equal(msg.m_source, PARTY);
	return party;
}

/* Kills the process on PARTY; the library knows it afterwards. */
static void end_granter(int party)
{
	message msg;

	party_kill(party);
	while (dvk_peer_incarnation(PARTY) != EDVSNOTBIND) {
		int rc = dvk_receive_T(ANY, &msg, TIMEOUT_NOWAIT);

		assert_true(rc == EDVSAGAIN || rc == 0); /* a request that it left */
		sched_yield();
	}
}

static struct dvk_range range_of(size_t first_page, size_t pages)
{
	return (struct dvk_range){ (uintptr_t)area + first_page * PAGE, pages * PAGE };
}

/* Where the area's first byte is, if that page is granted. */
static char *pin_first(struct dvk_pin *pin)
{
	struct dvk_range range = range_of(0, 1);

	assert_int_equal(dvk_pin(PARTY, &range, 1, pin), 0);
	return (char *)(uintptr_t)((uintptr_t)area + pin->to_local);
}

static void test_what_a_pin_needs(void **state)
{
	struct granter how = { .grants = 2, .pages = 4, .fill = 'a' };
	const struct dvk_range both[] = { range_of(1, 2), range_of(5, 2) };
	const struct dvk_range one[] = { range_of(4, 1), { (uintptr_t)area + 5 * PAGE + 7, 3 }, range_of(8, 0) };
	const struct dvk_range wrapped[] = { range_of(4, 1), { UINT64_MAX - 1, 4 } };
	const struct dvk_range endless[] = { range_of(4, 1), { (uintptr_t)area + 4 * PAGE, UINT64_MAX } };
	const struct dvk_range across = range_of(3, 2), beyond = range_of(8, 1);
	struct dvk_pin pin;
	message msg = { 0 };
	int party;

	(void)state;
	assert_int_equal(dvk_pin(PARTY, one, 3, &pin), EDVSNOTBIND);
	assert_int_equal(dvk_pin(TESTER, one, 3, &pin), EDVSENDPOINT);
	assert_int_equal(dvk_pin(ANY, one, 3, &pin), EDVSENDPOINT);
	party = start_granter(&how);
	assert_int_equal(dvk_pin(PARTY, one, 0, &pin), EDVSINVAL);
	assert_int_equal(dvk_pin(PARTY, one, -1, &pin), EDVSINVAL);
	assert_int_equal(dvk_pin(PARTY, both, 2, &pin), EDVSFAULT);
	assert_int_equal(dvk_pin(PARTY, &across, 1, &pin), EDVSFAULT);
	assert_int_equal(dvk_pin(PARTY, &beyond, 1, &pin), EDVSFAULT);
	assert_int_equal(dvk_pin(PARTY, wrapped, 2, &pin), EDVSFAULT);
	assert_int_equal(dvk_pin(PARTY, endless, 2, &pin), EDVSFAULT);
	assert_int_equal(dvk_pin(PARTY, one, 3, &pin), 0);
	assert_false(pin.sealed);
	for (int i = 0; i < 2; i++)
		assert_int_equal(byte_at((char *)(uintptr_t)(one[i].address + pin.to_local)), 'a');
	dvk_unpin(&pin);
	/* Nobody pinned it any more, and it is granted still. */
	assert_int_equal(byte_at((char *)(uintptr_t)(one[0].address + pin.to_local)), 'a');
	/* Answered, and running for a while, or with a new request that was not taken: not blocked. */
	assert_int_equal(dvk_reply(PARTY, &msg), 0);
	assert_int_equal(dvk_pin(PARTY, one, 3, &pin), EDVSPROCSTS);
	end_granter(party);
	assert_int_equal(dvk_pin(PARTY, one, 3, &pin), EDVSNOTBIND);
}

static void test_sealed(void **state)
{
	struct granter how = { .grants = 1, .pages = PAGES, .fill = 'a' };
	struct dvk_pin pin;
	int party, sealed;

	close(area_fd);
	munmap(area, PAGES * PAGE);
	area_fd = sealed = memfd_create("sealed", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	assert_true(sealed >= 0);
	assert_int_equal(ftruncate(sealed, PAGES * PAGE), 0);
	assert_int_equal(fcntl(sealed, F_ADD_SEALS, F_SEAL_SHRINK), 0);
	area = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, sealed, 0);
	assert_ptr_not_equal(area, MAP_FAILED);
	(void)state;
	party = start_granter(&how);
	assert_int_equal(*pin_first(&pin), 'a');
	assert_true(pin.sealed);
	end_granter(party);
	assert_int_equal(*(char *)(uintptr_t)((uintptr_t)area + pin.to_local), 'a');
	dvk_unpin(&pin);
}

/* A pinned mapping outlives its granter by as many pins as there are; a successor's is another. */
static void test_death(void **state)
{
	struct granter first = { .grants = 1, .pages = PAGES, .fill = 'a' };
	struct granter second = { .grants = 1, .pages = PAGES, .fill = 'b', .own_file = true };
	struct dvk_pin pins[2], next, again;
	struct dvk_range range = range_of(0, 1);
	char *local, *other;
	int party;

	(void)state;
	party = start_granter(&first);
	local = pin_first(&pins[0]);
	assert_ptr_equal(pin_first(&pins[1]), local);
	end_granter(party);
	assert_int_equal(dvk_pin(PARTY, &range, 1, &again), EDVSNOTBIND);
	assert_int_equal(byte_at(local), 'a');

	party = start_granter(&second);
	other = pin_first(&next);
	assert_ptr_not_equal(other, local);
	assert_int_equal(byte_at(other), 'b');
	assert_int_equal(byte_at(local), 'a');
	dvk_unpin(&pins[1]);
	assert_int_equal(byte_at(local), 'a');
	dvk_unpin(&pins[0]);
	assert_int_equal(byte_at(local), -EFAULT);
	assert_int_equal(byte_at(other), 'b');

	/* Not pinned any more when it dies. */
	dvk_unpin(&next);
	assert_int_equal(byte_at(other), 'b');
	end_granter(party);
	assert_int_equal(byte_at(other), -EFAULT);
}

/* A pinned mapping is still its owner's to cut: an error, no signal. */
static void test_truncated(void **state)
{
	struct granter how = { .grants = 1, .pages = PAGES, .fill = 'a' };
	struct dvk_pin pin;
	char *local;
	int party;

	(void)state;
	party = start_granter(&how);
	local = pin_first(&pin);
	assert_int_equal(ftruncate(area_fd, 0), 0);
	assert_int_equal(byte_at(local), -EFAULT);
	end_granter(party);
	assert_int_equal(byte_at(local), -EFAULT);
	dvk_unpin(&pin);
}

/* The node dies, the connection is closed, another node is there, and one on the same endpoint. */
static void test_node_loss(void **state)
{
	struct granter first = { .grants = 1, .pages = PAGES, .fill = 'a' };
	struct granter second = { .grants = 1, .pages = PAGES, .fill = 'b', .own_file = true };
	struct dvk_range range = range_of(0, 1);
	struct dvk_pin pin, next;
	char *local, *other;
	message msg;
	int party;

	party = start_granter(&first);
	local = pin_first(&pin);
	assert_int_equal(kill(ipc_node_pid(), SIGKILL), 0);
	assert_int_equal(dvk_receive_T(ANY, &msg, LONG_MS), EDVSDVSINIT);
	assert_int_equal(byte_at(local), 'a');
	assert_int_equal(dvk_pin(PARTY, &range, 1, &next), EDVSDVSINIT);
	party_kill(party);
	assert_int_equal(ipc_teardown(state), 0);
	assert_int_equal(byte_at(local), 'a');

	assert_int_equal(ipc_setup(state), 0);
	party = start_granter(&second);
	other = pin_first(&next);
	assert_int_equal(byte_at(other), 'b');
	assert_int_equal(byte_at(local), 'a');
	dvk_unpin(&pin);
	assert_int_equal(byte_at(local), -EFAULT);
	assert_int_equal(byte_at(other), 'b');

	/* The other way round: given back when nothing is open. */
	assert_int_equal(dvk_close(), 0);
	assert_int_equal(byte_at(other), 'b');
	dvk_unpin(&next);
	assert_int_equal(byte_at(other), -EFAULT);
	party_kill(party);
}

/* Pinned mappings of those who were there count for who is: the rest of its grants is ignored. */
static void test_no_room(void **state)
{
	struct granter all = { .grants = DVK_GRANTS_PER_PEER, .pages = 1, .fill = 'a' };
	struct granter second = { .grants = 2, .pages = 1, .fill = 'b', .own_file = true };
	struct dvk_range range = range_of(0, 1), next_page = range_of(1, 1);
	struct dvk_pin pins[DVK_GRANTS_PER_PEER], pin;
	char *local[DVK_GRANTS_PER_PEER];
	char byte = 0;
	int party;

	(void)state;
	party = start_granter(&all);
	for (unsigned int i = 0; i < DVK_GRANTS_PER_PEER; i++) {
		struct dvk_range page = range_of(i, 1);

		assert_int_equal(dvk_pin(PARTY, &page, 1, &pins[i]), 0);
		local[i] = (char *)(uintptr_t)(page.address + pins[i].to_local);
	}
	end_granter(party);

	for (unsigned int times = 0; times < 3; times++) {
		party = start_granter(&second);
		assert_int_equal(dvk_pin(PARTY, &range, 1, &pin), EDVSFAULT);
		assert_int_equal(dvk_vcopy(PARTY, area, SELF, &byte, 1), 1);
		assert_int_equal(byte, 'b');
		end_granter(party);
	}
	dvk_unpin(&pins[0]);
	assert_int_equal(byte_at(local[0]), -EFAULT);
	party = start_granter(&second);
	assert_int_equal(byte_at(pin_first(&pin)), 'b');
	assert_int_equal(dvk_pin(PARTY, &next_page, 1, &pin), EDVSFAULT);
	end_granter(party);
	for (unsigned int i = 1; i < DVK_GRANTS_PER_PEER; i++) {
		assert_int_equal(byte_at(local[i]), 'a');
		dvk_unpin(&pins[i]);
		assert_int_equal(byte_at(local[i]), -EFAULT);
	}
	party = start_granter(&all);
	dvk_unpin(&pin); /* of one that went: nobody else's is given back */
	assert_int_equal(byte_at(pin_first(&pin)), 'a');
	dvk_unpin(&pin);
	end_granter(party);
}

static const char *inherited;

static void child_of_pinner(void *argument)
{
	EXPECT(byte_at(inherited) == -EFAULT);
	dvk_unpin(argument);
}

static void test_fork(void **state)
{
	struct granter how = { .grants = 1, .pages = PAGES, .fill = 'a' };
	struct dvk_pin pins[2];
	int party;

	(void)state;
	party = start_granter(&how);
	inherited = pin_first(&pins[0]);
	party_join(party_start(NONE, child_of_pinner, &pins[0]));
	end_granter(party);
	/* Of one that has gone, too. */
	party_join(party_start(NONE, child_of_pinner, &pins[0]));
	assert_int_equal(byte_at(inherited), 'a');
	dvk_unpin(&pins[0]);
	assert_int_equal(byte_at(inherited), -EFAULT);
}

#define OTHER_ENDPOINT (PARTY + 1)

static void grants_to_other(void *argument)
{
	message msg = { 0 };

	(void)argument;
	area[0] = 'a';
	EXPECT_RC(dvk_wait4bindep_T(OTHER_ENDPOINT, LONG_MS), OTHER_ENDPOINT);
	EXPECT_RC(dvk_grant(OTHER_ENDPOINT, area_fd, 0, area, PAGES * PAGE), 0);
	EXPECT_RC(dvk_sendrec_T(OTHER_ENDPOINT, &msg, LONG_MS), 0);
}

/* Pins with an endpoint of its own and ends without giving it back. */
static void *careless_thread(void *argument)
{
	message msg;

	assert_int_equal(dvk_tbind(DC, OTHER_ENDPOINT), OTHER_ENDPOINT);
	assert_int_equal(dvk_receive_T(ANY, &msg, LONG_MS), 0);
	pin_first(argument);
	assert_int_equal(dvk_reply(PARTY, &msg), 0);
	return NULL;
}

static void test_thread_endpoint(void **state)
{
	struct dvk_pin pin;
	pthread_t thread;
	int party;

	(void)state;
	party = party_start(PARTY, grants_to_other, NULL);
	assert_int_equal(pthread_create(&thread, NULL, careless_thread, &pin), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	party_join(party);
	assert_int_equal(byte_at((char *)(uintptr_t)((uintptr_t)area + pin.to_local)), 'a');
	dvk_unpin(&pin); /* on another client: nothing happens */
	assert_int_equal(byte_at((char *)(uintptr_t)((uintptr_t)area + pin.to_local)), 'a');
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define PIN_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		PIN_TEST(test_what_a_pin_needs),
		PIN_TEST(test_sealed),
		PIN_TEST(test_death),
		PIN_TEST(test_truncated),
		PIN_TEST(test_node_loss),
		PIN_TEST(test_no_room),
		PIN_TEST(test_fork),
		PIN_TEST(test_thread_endpoint),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
