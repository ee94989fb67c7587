// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * dvk_vcopy() and grants: every combination of means, the state rules, bad addresses,
 * and memory that its owner takes away.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "ipc_fixture.h"

#define AREA (2 * MAXCOPYLEN)

enum memory { PRIVATE, SHARED, SEALED };

/* A party's memory; mapped at the same address in the test, because it forks off it. */
static char *area;
static int area_fd;

#define GUARD 4096 /* behind the area nothing is mapped */

static void make_area(enum memory memory)
{
	int flags = MAP_PRIVATE | MAP_ANONYMOUS;

	area_fd = -1;
	if (memory != PRIVATE) {
		area_fd = memfd_create("area", MFD_CLOEXEC | MFD_ALLOW_SEALING);
		assert_true(area_fd >= 0);
		assert_int_equal(ftruncate(area_fd, AREA), 0);
		if (memory == SEALED)
			assert_int_equal(fcntl(area_fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL), 0);
		flags = MAP_SHARED;
	}
	area = mmap(NULL, AREA + GUARD, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	assert_ptr_not_equal(area, MAP_FAILED);
	assert_ptr_equal(mmap(area, AREA, PROT_READ | PROT_WRITE, flags | MAP_FIXED, area_fd, 0), area);
}

static void drop_area(void)
{
	munmap(area, AREA + GUARD);
	if (area_fd >= 0)
		close(area_fd);
}

static char pattern(size_t i)
{
	return (char)(i * 131 + (i >> 8) * 17 + 1);
}

/* Fills its memory, grants it if it is shareable, and waits until the tester is done with it. */
static void owner(void *argument)
{
	message msg = { .m1_p1 = area };

	(void)argument;
	for (size_t i = 0; i < AREA; i++)
		area[i] = pattern(i);
	if (area_fd >= 0)
		EXPECT_RC(dvk_grant(TESTER, area_fd, 0, area, AREA), 0);
	EXPECT_RC(dvk_sendrec_T(TESTER, &msg, LONG_MS), 0);
	/* The tester has written the complement of [1000, 1000 + m1_i1). */
	for (size_t i = 0; i < AREA; i++) {
		bool changed = i >= 1000 && i < 1000 + (size_t)msg.m1_i1;

		EXPECT(area[i] == (changed ? (char)~pattern(i) : pattern(i)));
	}
}

static void check_copies(enum memory memory)
{
	static const long sizes[] = { 0, 1, 7, 4095, 4096, 65536, 65537, MAXCOPYLEN };
	char *buffer = malloc(MAXCOPYLEN);
	message msg;
	int party;

	assert_non_null(buffer);
	make_area(memory);
	party = party_start(PARTY, owner, NULL);
	assert_int_equal(dvk_receive_T(ANY, &msg, LONG_MS), 0);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		memset(buffer, 0, MAXCOPYLEN);
		assert_int_equal(dvk_vcopy(PARTY, area + 1000, SELF, buffer, sizes[i]), sizes[i]);
		for (long j = 0; j < sizes[i]; j++)
			assert_int_equal(buffer[j], pattern(1000 + (size_t)j));
	}
	for (size_t j = 0; j < MAXCOPYLEN; j++)
		buffer[j] = (char)~buffer[j];
	assert_int_equal(dvk_vcopy(SELF, buffer, PARTY, area + 1000, MAXCOPYLEN), MAXCOPYLEN);
	msg.m1_i1 = MAXCOPYLEN;
	assert_int_equal(dvk_reply(PARTY, &msg), 0);
	party_join(party);
	drop_area();
	free(buffer);
}

static void test_private_memory(void **state)
{
	(void)state;
	check_copies(PRIVATE);
}

static void test_granted_memory(void **state)
{
	(void)state;
	check_copies(SHARED);
}

static void test_sealed_memory(void **state)
{
	(void)state;
	check_copies(SEALED);
}

static void plain_owner(void *argument)
{
	message msg = { 0 };

	(void)argument;
	memset(area, 'a', AREA);
	EXPECT_RC(dvk_sendrec_T(TESTER, &msg, LONG_MS), 0);
	for (size_t i = 0; i < 10000; i++)
		EXPECT(area[i] == (char)msg.m1_i1);
}

/* The tester copies from one party to another. */
static void test_third_party(void **state)
{
	message msg;
	int source, destination;

	(void)state;
	make_area(PRIVATE);
	source = party_start(PARTY, plain_owner, NULL);
	destination = party_start(PARTY + 1, plain_owner, NULL);
	for (int i = 0; i < 2; i++)
		assert_int_equal(dvk_receive_T(ANY, &msg, LONG_MS), 0);
	memset(area, 'z', AREA);
	assert_int_equal(dvk_vcopy(SELF, area, PARTY, area, 10000), 10000);
	assert_int_equal(dvk_vcopy(PARTY, area, PARTY + 1, area, 10000), 10000);
	msg.m1_i1 = 'z';
	assert_int_equal(dvk_reply(PARTY, &msg), 0);
	assert_int_equal(dvk_reply(PARTY + 1, &msg), 0);
	party_join(source);
	party_join(destination);
	drop_area();
}

static void running(void *argument)
{
	message msg = { 0 };
	const int *gate = argument;

	close(gate[1]);
	EXPECT_RC(dvk_sendrec_T(TESTER, &msg, LONG_MS), 0);
	/* Not blocked: it waits for its pipe's end, outside DVK. */
	EXPECT(read(gate[0], &msg, 1) == 0);
}

static void test_rules(void **state)
{
	char byte = 0;
	message msg;
	int gate[2];
	int party;

	(void)state;
	assert_int_equal(pipe2(gate, O_CLOEXEC), 0);
	make_area(PRIVATE);
	party = party_start(PARTY, running, gate);
	close(gate[0]);
	wait_blocked(PARTY, SENDING | RECEIVING);
	/* Its request is not taken yet. */
	assert_int_equal(dvk_vcopy(PARTY, area, SELF, &byte, 1), EDVSPROCSTS);
	assert_int_equal(dvk_receive_T(ANY, &msg, LONG_MS), 0);
	assert_int_equal(dvk_vcopy(PARTY, area, SELF, &byte, 1), 1);
	assert_int_equal(dvk_vcopy(PARTY, area, SELF, &byte, -1), EDVSRANGE);
	assert_int_equal(dvk_vcopy(PARTY, area, SELF, &byte, MAXCOPYLEN + 1L), EDVSRANGE);
	assert_int_equal(dvk_vcopy(PARTY, NULL, SELF, &byte, 1), EDVSFAULT);
	assert_int_equal(dvk_vcopy(PARTY, area + AREA - 1, SELF, area, 100000), EDVSFAULT);
	assert_int_equal(dvk_vcopy(SELF, &byte, PARTY, NULL, 1), EDVSFAULT);
	assert_int_equal(dvk_vcopy(SELF, area, TESTER, &byte, 1), EDVSENDPOINT);
	assert_int_equal(dvk_vcopy(ANY, area, SELF, &byte, 1), EDVSENDPOINT);
	assert_int_equal(dvk_vcopy(SELF, area, NONE, &byte, 1), EDVSENDPOINT);
	assert_int_equal(dvk_vcopy(PARTY + 1, area, SELF, &byte, 1), EDVSNOTBIND);
	assert_int_equal(dvk_reply(PARTY, &msg), 0);
	assert_int_equal(dvk_vcopy(PARTY, area, SELF, &byte, 1), EDVSPROCSTS);
	close(gate[1]);
	party_join(party);
	drop_area();
}

static void truncator(void *argument)
{
	message msg = { 0 };

	(void)argument;
	EXPECT_RC(dvk_grant(TESTER, area_fd, 0, area, AREA), 0);
	EXPECT_RC(dvk_sendrec_T(TESTER, &msg, LONG_MS), 0);
	EXPECT(ftruncate(area_fd, 4096) == 0);
	EXPECT_RC(dvk_sendrec_T(TESTER, &msg, LONG_MS), 0);
}

/* A mapping whose file was cut gives an error, not a SIGBUS. */
static void test_truncated_grant(void **state)
{
	char buffer[16384];
	message msg;
	void *local;
	bool sealed;
	int party;

	(void)state;
	make_area(SHARED);
	party = party_start(PARTY, truncator, NULL);
	assert_int_equal(dvk_receive_T(ANY, &msg, LONG_MS), 0);
	assert_int_equal(dvk_granted(PARTY, (uintptr_t)area, AREA, &local, &sealed), 0);
	assert_false(sealed);
	assert_int_equal(dvk_granted(PARTY, (uintptr_t)area + 1, AREA, &local, &sealed), EDVSFAULT);
	assert_int_equal(dvk_granted(PARTY, UINT64_MAX, 2, &local, &sealed), EDVSFAULT);
	assert_int_equal(dvk_granted(PARTY, (uintptr_t)area, UINT64_MAX, &local, &sealed), EDVSFAULT);
	assert_int_equal(dvk_vcopy(PARTY, area, SELF, buffer, sizeof(buffer)), sizeof(buffer));
	assert_int_equal(dvk_reply(PARTY, &msg), 0);
	assert_int_equal(dvk_receive_T(ANY, &msg, LONG_MS), 0);
	assert_int_equal(dvk_vcopy(PARTY, area, SELF, buffer, sizeof(buffer)), EDVSFAULT);
	assert_int_equal(dvk_vcopy(SELF, buffer, PARTY, area + 8192, 100), EDVSFAULT);
	assert_int_equal(dvk_vcopy(PARTY, area, SELF, buffer, 4096), 4096);
	assert_int_equal(dvk_reply(PARTY, &msg), 0);
	party_join(party);
	drop_area();
}

/* The number of no open descriptor. */
#define NOT_OPEN 987654

static void bad_granter(void *argument)
{
	message msg = { 0 };

	(void)argument;
	EXPECT_RC(dvk_grant(TESTER, area_fd, 0, area + 1, 4096), EDVSINVAL);
	EXPECT_RC(dvk_grant(TESTER, area_fd, 1, area, 4096), EDVSINVAL);
	EXPECT_RC(dvk_grant(TESTER, area_fd, 0, area, 0), EDVSINVAL);
	EXPECT_RC(dvk_grant(TESTER, -1, 0, area, 4096), EDVSINVAL);
	EXPECT_RC(dvk_grant(TESTER, NOT_OPEN, 0, area, 4096), EDVSINVAL);
	EXPECT_RC(dvk_grant(PARTY, area_fd, 0, area, 4096), EDVSENDPOINT);
	EXPECT_RC(dvk_grant(PARTY + 1, area_fd, 0, area, 4096), EDVSNOTBIND);
	/* Says more than there is: nothing of it is believed. */
	EXPECT_RC(dvk_grant(TESTER, area_fd, 4096, area, AREA), 0);
	EXPECT_RC(dvk_sendrec_T(TESTER, &msg, LONG_MS), 0);
}

static void test_bad_grants(void **state)
{
	message msg;
	void *local;
	bool sealed;
	int party;

	(void)state;
	make_area(SEALED);
	party = party_start(PARTY, bad_granter, NULL);
	assert_int_equal(dvk_receive_T(ANY, &msg, LONG_MS), 0);
	assert_int_equal(dvk_granted(PARTY, (uintptr_t)area, 4096, &local, &sealed), EDVSFAULT);
	assert_int_equal(dvk_reply(PARTY, &msg), 0);
	party_join(party);
	drop_area();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define IPC_TEST(name) cmocka_unit_test_setup_teardown(name, ipc_setup, ipc_teardown)
		IPC_TEST(test_private_memory), IPC_TEST(test_granted_memory), IPC_TEST(test_sealed_memory),
		IPC_TEST(test_third_party),    IPC_TEST(test_rules),	      IPC_TEST(test_truncated_grant),
		IPC_TEST(test_bad_grants),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
