/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How long a wait may spin (dvk_spin.c), by what waits before it were worth. No time passes here.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "dvk_spin.h"

#define MAX_NS	 200000
#define AWAKE_NS 2000000

static void wait_often(struct dvk_spin *spin, int times, int64_t waited_ns)
{
	for (int i = 0; i < times; i++)
		dvk_spin_slept(spin, waited_ns, true);
}

static void test_idle_ends_spinning(void **state)
{
	struct dvk_spin spin;

	(void)state;
	dvk_spin_set(&spin, MAX_NS, AWAKE_NS);
	assert_int_equal(dvk_spin_budget(&spin), MAX_NS);
	dvk_spin_slept(&spin, AWAKE_NS * 10, true);
	assert_int_equal(dvk_spin_budget(&spin), MAX_NS / 2);
	for (int i = 0; i < 20; i++)
		dvk_spin_slept(&spin, AWAKE_NS * 10, i % 2);
	assert_int_equal(dvk_spin_budget(&spin), 0);
	dvk_spin_slept(&spin, MAX_NS, true);
	assert_int_equal(dvk_spin_budget(&spin), MAX_NS);
	wait_often(&spin, 20, AWAKE_NS * 10);
	dvk_spin_was_over(&spin);
	assert_int_equal(dvk_spin_budget(&spin), MAX_NS);
}

/* Waits of a ms, as a file system has them: they halve the short budget, and earn the long one. */
static void test_stays_awake(void **state)
{
	struct dvk_spin spin;
	int needed = 0;

	(void)state;
	dvk_spin_set(&spin, MAX_NS, AWAKE_NS);
	while (dvk_spin_budget(&spin) < AWAKE_NS) {
		dvk_spin_slept(&spin, AWAKE_NS / 2, true);
		assert_true(++needed < 100);
	}
	assert_in_range(needed, 4, 16); /* neither by chance nor after ages */
	/* Waits that are over while it spins keep it. */
	for (int i = 0; i < 1000; i++)
		dvk_spin_was_over(&spin);
	assert_int_equal(dvk_spin_budget(&spin), AWAKE_NS);
}

static void test_idle_ends_staying_awake(void **state)
{
	struct dvk_spin spin;
	int in_vain = 0;

	(void)state;
	dvk_spin_set(&spin, MAX_NS, AWAKE_NS);
	wait_often(&spin, 1000000, AWAKE_NS / 2);
	assert_int_equal(dvk_spin_budget(&spin), AWAKE_NS);
	while (dvk_spin_budget(&spin) == AWAKE_NS) {
		dvk_spin_slept(&spin, 1000 * (int64_t)AWAKE_NS, in_vain % 2);
		assert_true(++in_vain < 10);
	}
	wait_often(&spin, 20, 1000 * (int64_t)AWAKE_NS);
	assert_int_equal(dvk_spin_budget(&spin), 0);
}

/* Bursts: half of the waits are long. Staying awake would be in vain each time. */
static void test_bursts_do_not_keep_awake(void **state)
{
	struct dvk_spin spin;

	(void)state;
	dvk_spin_set(&spin, MAX_NS, AWAKE_NS);
	for (int i = 0; i < 1000; i++) {
		dvk_spin_slept(&spin, i % 2 ? AWAKE_NS * 3 : AWAKE_NS / 2, true);
		assert_true(dvk_spin_budget(&spin) <= MAX_NS);
	}
}

/* Clients, and servers on one processor. */
static void test_without_staying_awake(void **state)
{
	struct dvk_spin spin;

	(void)state;
	dvk_spin_set(&spin, MAX_NS, 0);
	wait_often(&spin, 1000, MAX_NS + 1);
	assert_int_equal(dvk_spin_budget(&spin), MAX_NS);
	wait_often(&spin, 1000, MAX_NS * 3);
	assert_int_equal(dvk_spin_budget(&spin), 0);
	dvk_spin_set(&spin, 0, 0);
	dvk_spin_slept(&spin, 0, true);
	dvk_spin_was_over(&spin);
	assert_int_equal(dvk_spin_budget(&spin), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_idle_ends_spinning),	cmocka_unit_test(test_stays_awake),
		cmocka_unit_test(test_idle_ends_staying_awake), cmocka_unit_test(test_bursts_do_not_keep_awake),
		cmocka_unit_test(test_without_staying_awake),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
