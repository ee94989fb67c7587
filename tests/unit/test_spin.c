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
	assert_int_equal(dvk_spin_budget(&spin, 0), MAX_NS);
	dvk_spin_slept(&spin, AWAKE_NS * 10, true);
	assert_int_equal(dvk_spin_budget(&spin, 0), MAX_NS / 2);
	for (int i = 0; i < 20; i++)
		dvk_spin_slept(&spin, AWAKE_NS * 10, i % 2);
	assert_int_equal(dvk_spin_budget(&spin, 0), 0);
	dvk_spin_slept(&spin, MAX_NS, true);
	assert_int_equal(dvk_spin_budget(&spin, 0), MAX_NS);
	wait_often(&spin, 20, AWAKE_NS * 10);
	dvk_spin_was_over(&spin);
	assert_int_equal(dvk_spin_budget(&spin, 0), MAX_NS);
}

/* Waits of a ms, as a file system has them: they halve the short budget, and earn the long one. */
static void test_stays_awake(void **state)
{
	struct dvk_spin spin;
	int needed = 0;

	(void)state;
	dvk_spin_set(&spin, MAX_NS, AWAKE_NS);
	while (dvk_spin_budget(&spin, 0) < AWAKE_NS) {
		dvk_spin_slept(&spin, AWAKE_NS / 2, true);
		assert_true(++needed < 100);
	}
	assert_in_range(needed, 4, 16); /* neither by chance nor after ages */
	/* Waits that are over while it spins keep it. */
	for (int i = 0; i < 1000; i++)
		dvk_spin_was_over(&spin);
	assert_int_equal(dvk_spin_budget(&spin, 0), AWAKE_NS);
}

static void test_idle_ends_staying_awake(void **state)
{
	struct dvk_spin spin;
	int in_vain = 0;

	(void)state;
	dvk_spin_set(&spin, MAX_NS, AWAKE_NS);
	wait_often(&spin, 1000000, AWAKE_NS / 2);
	assert_int_equal(dvk_spin_budget(&spin, 0), AWAKE_NS);
	while (dvk_spin_budget(&spin, 0) == AWAKE_NS) {
		dvk_spin_slept(&spin, 1000 * (int64_t)AWAKE_NS, in_vain % 2);
		assert_true(++in_vain < 10);
	}
	wait_often(&spin, 20, 1000 * (int64_t)AWAKE_NS);
	assert_int_equal(dvk_spin_budget(&spin, 0), 0);
}

/* Bursts: half of the waits are long. Staying awake would be in vain each time. */
static void test_bursts_do_not_keep_awake(void **state)
{
	struct dvk_spin spin;

	(void)state;
	dvk_spin_set(&spin, MAX_NS, AWAKE_NS);
	for (int i = 0; i < 1000; i++) {
		dvk_spin_slept(&spin, i % 2 ? AWAKE_NS * 3 : AWAKE_NS / 2, true);
		assert_true(dvk_spin_budget(&spin, 0) <= MAX_NS);
	}
}

/* Clients, and servers on one processor. */
static void test_without_staying_awake(void **state)
{
	struct dvk_spin spin;

	(void)state;
	dvk_spin_set(&spin, MAX_NS, 0);
	wait_often(&spin, 1000, MAX_NS + 1);
	assert_int_equal(dvk_spin_budget(&spin, 0), MAX_NS);
	wait_often(&spin, 1000, MAX_NS * 3);
	assert_int_equal(dvk_spin_budget(&spin, 0), 0);
	dvk_spin_set(&spin, 0, 0);
	dvk_spin_slept(&spin, 0, true);
	dvk_spin_was_over(&spin);
	assert_int_equal(dvk_spin_budget(&spin, 0), 0);
}

#define SLICE_NS 3000000 /* for which a scheduler lets another process run */

/* When the crowd that begins at `now` ends. */
static int64_t crowd_end(struct dvk_spin *spin, int64_t now)
{
	int64_t end = now;

	assert_true(dvk_spin_was_away(spin, SLICE_NS, now));
	while (dvk_spin_crowded(spin, end)) {
		assert_int_equal(dvk_spin_budget(spin, end), 0);
		end += 1000000;
	}
	assert_int_equal(dvk_spin_budget(spin, end), MAX_NS);
	return end;
}

/* Others compute: nobody spins for a while, and for longer and longer as long as that goes on. */
static void test_crowd(void **state)
{
	struct dvk_spin spin;
	int64_t now = 5000000000, first, last;

	(void)state;
	dvk_spin_set(&spin, MAX_NS, AWAKE_NS);
	assert_false(dvk_spin_crowded(&spin, now));
	first = crowd_end(&spin, now) - now;
	assert_in_range(first, SLICE_NS, 100 * SLICE_NS);
	now += first;
	last = first;
	for (int i = 0; i < 20; i++) {
		int64_t lasts = crowd_end(&spin, now) - now;

		assert_true(lasts >= last);
		now += lasts;
		last = lasts;
	}
	assert_int_equal(last, 1000000000);
	/* One that begins after a long time without is a new one. */
	assert_int_equal(crowd_end(&spin, now + 3 * last) - (now + 3 * last), first);
}

/* Interrupts and short waits for a processor, of the partner's for one, are none. */
static void test_no_crowd(void **state)
{
	struct dvk_spin spin;

	(void)state;
	dvk_spin_set(&spin, MAX_NS, AWAKE_NS);
	for (int64_t now = 1000; now < 100000000; now += 100000)
		assert_false(dvk_spin_was_away(&spin, 100000, now));
	assert_int_equal(dvk_spin_budget(&spin, 100000000), MAX_NS);
}

/* A client on the host that waits for a busy server, which others keep busy, is in no crowd. */
static void test_clients_see_no_crowd(void **state)
{
	struct dvk_spin spin;

	(void)state;
	dvk_spin_set(&spin, MAX_NS, 0);
	assert_false(dvk_spin_was_away(&spin, SLICE_NS, 5000000000));
	assert_int_equal(dvk_spin_budget(&spin, 5000000000), MAX_NS);
}

/* A budget without end must not overflow. */
static void test_spins_for_ever(void **state)
{
	struct dvk_spin spin;

	(void)state;
	dvk_spin_set(&spin, INT64_MAX, 0);
	dvk_spin_slept(&spin, SLICE_NS, true);
	assert_int_equal(dvk_spin_budget(&spin, 0), INT64_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_idle_ends_spinning),
		cmocka_unit_test(test_stays_awake),
		cmocka_unit_test(test_idle_ends_staying_awake),
		cmocka_unit_test(test_bursts_do_not_keep_awake),
		cmocka_unit_test(test_without_staying_awake),
		cmocka_unit_test(test_crowd),
		cmocka_unit_test(test_no_crowd),
		cmocka_unit_test(test_spins_for_ever),
		cmocka_unit_test(test_clients_see_no_crowd),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
