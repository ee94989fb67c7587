/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Ballots, processes, configurations: what is the same, what is higher, what could not have been decided.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "encoding.h"
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
	case 11:
		configuration->dead ^= member_bit(1);
		break;
	case 12:
		configuration->forks[0].number++;
		break;
	case 13:
		configuration->forks[FORKS_KEPT - 1].id++;
		break;
	case 14:
		configuration->forks[1].epoch++;
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
	for (int what = 0; what < 16; what++) {
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
	uint64_t digest = member_list_digest(list, 3), common = common_digest(digest, 3000000000, 2);

	(void)state;
	/* It is in what members have stored: it must not change. */
	assert_true(digest == UINT64_C(0x2e48feb2d09ccf26));
	assert_true(member_list_digest(other, 3) == digest);
	assert_true(member_list_digest(list, 2) != digest);
	assert_true(common_digest(digest, 3000000000, 2) == common);
	assert_true(common_digest(digest + 1, 3000000000, 2) != common);
	assert_true(common_digest(digest, 3000000001, 2) != common);
	assert_true(common_digest(digest, 3000000000, 3) != common);
	other[2].diskless = false;
	assert_true(member_list_digest(other, 3) != digest);
	other[2] = (struct listed_member){ 8, true };
	assert_true(member_list_digest(other, 3) != digest);
}

/* A configuration of generation `number`, at `epoch`, with forks that began in the epochs of their numbers, times 10.
 */
static struct replica_configuration of_line(uint32_t number, uint64_t id, uint64_t epoch, const struct fork *forks)
{
	struct replica_configuration configuration = replica_values_configuration();

	configuration.generation = (struct generation){ number, id, 0 };
	configuration.epoch = epoch;
	memset(configuration.forks, 0, sizeof(configuration.forks));
	for (int i = 0; forks && i < FORKS_KEPT && forks[i].number; i++)
		configuration.forks[i] = forks[i];
	return configuration;
}

static bool parted(struct replica_configuration a, struct replica_configuration b)
{
	bool is = replica_configuration_parted(&a, true, &b, true);

	assert_true(is == replica_configuration_parted(&b, true, &a, true));
	return is;
}

static void test_lines(void **state)
{
	static const struct fork one[FORKS_KEPT] = { { 2, 0xb2, 20 } }, other[FORKS_KEPT] = { { 2, 0xc2, 20 } },
				 two[FORKS_KEPT] = { { 4, 0xb4, 40 }, { 2, 0xb2, 20 } },
				 full[FORKS_KEPT] = { { 9, 9, 90 }, { 8, 8, 80 }, { 7, 7, 70 }, { 6, 6, 60 } };
	struct replica_configuration before, at;

	(void)state;
	/* Generations that nobody forced are of one line. */
	assert_false(parted(of_line(1, 1, 5, NULL), of_line(7, 7, 30, NULL)));
	/* Who stopped before the fork comes from the same; who went on does not. */
	assert_false(parted(of_line(1, 1, 19, NULL), of_line(2, 0xb2, 20, one)));
	assert_false(parted(of_line(1, 1, 19, NULL), of_line(3, 0xb3, 30, one)));
	assert_true(parted(of_line(1, 1, 21, NULL), of_line(2, 0xb2, 20, one)));
	assert_true(parted(of_line(1, 1, 21, NULL), of_line(5, 0xb5, 99, two)));
	assert_true(parted(of_line(2, 2, 19, NULL), of_line(5, 0xb5, 99, two)));
	assert_false(parted(of_line(3, 0xb3, 30, one), of_line(5, 0xb5, 99, two)));
	assert_true(parted(of_line(3, 0xb3, 41, one), of_line(5, 0xb5, 99, two)));
	/* Two children of one, and theirs. */
	assert_true(parted(of_line(2, 0xc2, 20, other), of_line(2, 0xb2, 20, one)));
	assert_true(parted(of_line(3, 0xc3, 31, other), of_line(5, 0xb5, 99, two)));
	/* In the epoch of the fork it counts whether anything came of it. */
	before = of_line(1, 1, 20, NULL);
	at = of_line(2, 0xb2, 20, one);
	assert_true(replica_configuration_parted(&before, true, &at, true));
	assert_false(replica_configuration_parted(&before, false, &at, true));
	assert_false(replica_configuration_parted(&before, true, &at, false));
	before.epoch++;
	assert_true(replica_configuration_parted(&before, false, &at, true));
	/* Two who proposed a generation at a time, without force: one will be decided. */
	assert_false(replica_configuration_parted(
		&(struct replica_configuration){ .generation = { 2, 5, 1 }, .epoch = 9 }, false,
		&(struct replica_configuration){ .generation = { 2, 6, 1 }, .epoch = 9 }, false));
	/* What is older than all forks that are kept is not known to be another. */
	assert_false(parted(of_line(2, 0xb2, 30, one), of_line(9, 9, 99, full)));
	assert_true(parted(of_line(6, 0xb6, 61, one), of_line(9, 9, 99, full)));
	assert_true(parted(of_line(7, 0xb7, 75, one), of_line(9, 9, 99, full)));
	/* With all that are kept a newer one is not one that was forgotten. */
	before = of_line(9, 9, 99, full);
	at = of_line(10, 10, 100,
		     (const struct fork[FORKS_KEPT]){ { 10, 10, 100 }, { 9, 9, 90 }, { 8, 8, 80 }, { 7, 7, 70 } });
	assert_true(replica_configuration_forked(&at, &before));
	assert_false(replica_configuration_forked(&before, &at));
	/* None at all. */
	before = of_line(1, 1, 20, NULL);
	at = of_line(2, 0xb2, 20, one);
	before.epoch = 0;
	assert_false(replica_configuration_parted(&before, true, &at, true));
	assert_false(replica_configuration_parted(&at, true, &before, true));
	before = of_line(1, 1, 19, NULL);
	assert_true(replica_configuration_forked(&at, &before));
	assert_false(replica_configuration_forked(&before, &at));
}

/* With as many devices as there can be. */
static void test_all_devices(void **state)
{
	struct replica_configuration configuration = replica_values_configuration(), again;
	unsigned char bytes[REPLICA_CONFIGURATION_BYTES];

	(void)state;
	for (uint64_t i = 0; i < REPLICA_DEVICES_MAX; i++)
		configuration.sizes[i] = 512 * (i + 1);
	replica_configuration_encode(&configuration, bytes);
	assert_null(replica_configuration_decode(bytes, &again));
	assert_true(replica_configuration_same(&configuration, &again));
}

static void test_forks_wrong(void **state)
{
	struct replica_configuration configuration = replica_values_configuration();

	(void)state;
	configuration.forks[0] = (struct fork){ 3, 0xb3, 30 };
	configuration.forks[1] = (struct fork){ 1, 0xb1, 10 };
	assert_null(replica_configuration_wrong(&configuration, MEMBERS_MAX, 2));
	configuration.forks[1].number = 3;
	assert_non_null(replica_configuration_wrong(&configuration, MEMBERS_MAX, 2));
	configuration.forks[1] = (struct fork){ 0, 0xb1, 10 };
	assert_non_null(replica_configuration_wrong(&configuration, MEMBERS_MAX, 2));
	configuration.forks[1] = (struct fork){ 0 };
	configuration.forks[0].number = 4;
	assert_non_null(replica_configuration_wrong(&configuration, MEMBERS_MAX, 2));
	configuration.forks[0] = (struct fork){ 3, 0xb3, configuration.epoch + 1 };
	assert_non_null(replica_configuration_wrong(&configuration, MEMBERS_MAX, 2));
	configuration.forks[0] = (struct fork){ 3, 0xb3, 0 };
	assert_non_null(replica_configuration_wrong(&configuration, MEMBERS_MAX, 2));
	configuration.forks[0] = (struct fork){ 0, 0, 30 };
	assert_non_null(replica_configuration_wrong(&configuration, MEMBERS_MAX, 2));
	configuration.forks[0] = (struct fork){ 3, 0, 30 };
	assert_non_null(replica_configuration_wrong(&configuration, MEMBERS_MAX, 2));
	configuration = replica_values_configuration();
	configuration.epoch = EPOCH_MAX + 1;
	assert_non_null(replica_configuration_wrong(&configuration, MEMBERS_MAX, 2));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_devices), cmocka_unit_test(test_lines),
		cmocka_unit_test(test_forks_wrong), cmocka_unit_test(test_ballots),
		cmocka_unit_test(test_processes),   cmocka_unit_test(test_members),
		cmocka_unit_test(test_same),	    cmocka_unit_test(test_wrong),
		cmocka_unit_test(test_digest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
