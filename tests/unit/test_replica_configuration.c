/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Ballots, processes, configurations: what is the same, what is higher, what could not have been decided.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "replica_values.h"

static void test_ballots(void **state)
{
	static const struct ballot ascending[] = { { 0, 0 }, { 1, 0 }, { 1, 6 }, { 2, 0 }, { UINT32_MAX, 1 } };
	enum { COUNT = sizeof(ascending) / sizeof(ascending[0]) };

	(void)state;
	for (int i = 0; i < COUNT; i++)
		for (int k = 0; k < COUNT; k++) {
			int order = ballot_compare(ascending[i], ascending[k]);

			assert_int_equal((order > 0) - (order < 0), (i > k) - (i < k));
		}
}

static void test_processes(void **state)
{
	(void)state;
	assert_true(process_same((struct process_id){ 1, 2 }, (struct process_id){ 1, 2 }));
	assert_false(process_same((struct process_id){ 1, 2 }, (struct process_id){ 3, 2 }));
	assert_false(process_same((struct process_id){ 1, 2 }, (struct process_id){ 1, 3 }));
}

static void test_members(void **state)
{
	member_set set = member_bit(0) | member_bit(6);

	(void)state;
	assert_int_equal(member_count(set), 2);
	assert_true(member_in(set, 0) && member_in(set, 6) && !member_in(set, 3));
}

/* Each is changed by one thing only. */
static void change(struct replica_configuration *configuration, int what)
{
	switch (what) {
	case 0:
		configuration->set.bytes[15] ^= 1;
		break;
	case 1:
		configuration->generation.number++;
		break;
	case 2:
		configuration->generation.id++;
		break;
	case 3:
		configuration->generation.parent++;
		break;
	case 4:
		configuration->epoch++;
		break;
	case 5:
		configuration->reign--;
		break;
	case 6:
		configuration->primary = 0;
		break;
	case 7:
		configuration->in_sync ^= member_bit(0);
		break;
	case 8:
		configuration->processes[2].boot++;
		break;
	case 9:
		configuration->processes[0].incarnation++;
		break;
	case 10:
		configuration->sizes[1]++;
		break;
	default:
		configuration->digest++;
		break;
	}
}

static void test_same(void **state)
{
	struct replica_configuration a = replica_values_configuration(), b;

	(void)state;
	for (int what = 0; what < 12; what++) {
		b = a;
		assert_true(replica_configuration_same(&a, &b));
		change(&b, what);
		assert_false(replica_configuration_same(&a, &b));
		assert_false(replica_configuration_same(&b, &a));
	}
	/* Without an epoch there is nothing to compare. */
	a.epoch = b.epoch = 0;
	assert_true(replica_configuration_same(&a, &b));
}

/* What is wrong with a configuration that was changed by a statement. */
#define assert_wrong(change, text)                                                                                     \
	do {                                                                                                           \
		struct replica_configuration c = replica_values_configuration();                                       \
		const char *wrong;                                                                                     \
                                                                                                                       \
		change;                                                                                                \
		wrong = replica_configuration_wrong(&c, 3, 2);                                                         \
		assert_non_null(wrong);                                                                                \
		assert_string_equal(wrong, text);                                                                      \
	} while (0)

static void test_wrong(void **state)
{
	struct replica_configuration good = replica_values_configuration();

	(void)state;
	assert_null(replica_configuration_wrong(&good, 3, 2));
	assert_null(replica_configuration_wrong(&good, MEMBERS_MAX, 2));
	assert_non_null(replica_configuration_wrong(&good, 2, 2));
	assert_non_null(replica_configuration_wrong(&good, 3, 1));
	assert_non_null(replica_configuration_wrong(&good, 3, 3));

	assert_wrong(c.epoch = 0, "no epoch");
	assert_wrong(memset(&c.set, 0, sizeof(c.set)), "no set");
	assert_wrong(c.generation.id = 0, "no generation of its own");
	assert_wrong(c.generation.parent = c.generation.id, "no generation of its own");
	assert_wrong(c.reign = 0, "a reign that begins in another epoch than one up to its own");
	assert_wrong(c.reign = c.epoch + 1, "a reign that begins in another epoch than one up to its own");
	assert_wrong(c.in_sync |= member_bit(3), "more members in sync than there are");
	assert_wrong(c.in_sync |= 0x80, "more members in sync than there are");
	assert_wrong(c.in_sync = 0, "a primary that is not in sync");
	assert_wrong(c.primary = 1, "a primary that is not in sync");
	assert_wrong(c.primary = 3, "a primary that is not in sync");
	assert_wrong(c.primary = UINT32_MAX, "a primary that is not in sync");
	assert_wrong(c.digest = 0, "no digest of the list");
	assert_wrong(c.sizes[1] = 0, "a device's size");
	assert_wrong(c.sizes[2] = 4096, "a device's size");
	assert_wrong(c.sizes[15] = 4096, "a device's size");
	assert_wrong(c.sizes[0] = (uint64_t)INT64_MAX + 1, "a device's size");
	assert_wrong(c.processes[1].boot = 1, "a process of a member that is not in sync");
	assert_wrong(c.processes[6].incarnation = 1, "a process of a member that is not in sync");
	assert_wrong(c.processes[0].incarnation = 0, "a member in sync without a process");
	assert_wrong(c.processes[0].boot = 0, "a member in sync without a process");
	assert_wrong(c.processes[0].incarnation = c.processes[2].incarnation, "one process for two members");
}

static void test_digest(void **state)
{
	const struct listed_member list[] = { { 1, false }, { 2, false }, { 9, true } };
	struct listed_member other[] = { { 1, false }, { 2, false }, { 9, true } };
	uint64_t digest = member_list_digest(list, 3, 3000000000, 2);

	(void)state;
	/* It is in what members have stored: it must not change. */
	assert_true(digest == UINT64_C(0xac7a4280cccb0e6a));
	assert_true(member_list_digest(other, 3, 3000000000, 2) == digest);
	assert_true(member_list_digest(list, 2, 3000000000, 2) != digest);
	assert_true(member_list_digest(list, 3, 3000000001, 2) != digest);
	assert_true(member_list_digest(list, 3, 3000000000, 3) != digest);
	other[2].diskless = false;
	assert_true(member_list_digest(other, 3, 3000000000, 2) != digest);
	other[2] = (struct listed_member){ 8, true };
	assert_true(member_list_digest(other, 3, 3000000000, 2) != digest);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ballots), cmocka_unit_test(test_processes), cmocka_unit_test(test_members),
		cmocka_unit_test(test_same),	cmocka_unit_test(test_wrong),	  cmocka_unit_test(test_digest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
