/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Members whose configurations do not fit together: it is said, and then not said again at each attempt to connect.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "member_set.h"

#define QUIET_MS 4000 /* there is an attempt every two seconds at least */

static void assert_said_once(int member, const char *text)
{
	struct test_process *rdisk = &set_members[member].rdisk;

	assert_true(test_process_wait_log(rdisk, text, TEST_TIMEOUT_MS));
	if (test_process_wait_log_times(rdisk, text, 2, QUIET_MS))
		fail_msg("\"%s\" is said again and again: %s", text, rdisk->log.text);
}

/*
 * Sessions that come and go are signs of life, at any moment between two of them. reason: what is said of why; "": who
 * is refused before it has heard the other out knows no more than that it was.
 */
static void assert_not_dead(int member, const char *other, const char *reason)
{
	char text[64];

	snprintf(text, sizeof(text), "force-primary: %s is not dead", other);
	for (int i = 0; i < 40; i++) {
		assert_int_equal(MEMBER_ORDER(member, "--json", "force-primary", "--dead", other, "--yes"), 1);
		if (!strstr(member_ctl.output.text, text) || !strstr(member_ctl.output.text, reason))
			fail_msg("\"%s\" is not in: %s", text, member_ctl.output.text);
	}
}

static void test_lease(void **state)
{
	(void)state;
	member_change(MEMBER_B, "lease_ms = 500", "lease_ms = 900");
	member_start(MEMBER_A, NULL);
	member_start(MEMBER_B, NULL);
	assert_said_once(MEMBER_A, "member b is refused: its members, devices or lease_ms are others");
	assert_said_once(MEMBER_A, "connected to b\n");
	assert_said_once(MEMBER_B, "connected to a\n");
	assert_not_dead(MEMBER_A, "b", "lease_ms");
	assert_not_dead(MEMBER_B, "a", "");
	/* It is well again, and that is said at once. */
	test_process_discard(&set_members[MEMBER_B].rdisk);
	member_change(MEMBER_B, "lease_ms = 900", "lease_ms = 500");
	member_start(MEMBER_B, NULL);
	assert_true(test_process_wait_log_times(&set_members[MEMBER_A].rdisk, "set test: connected to b\n", 2,
						TEST_TIMEOUT_MS));
	member_start(MEMBER_C, NULL);
	member_await(MEMBER_A, NULL, "b");
	member_set_end();
}

static void test_key(void **state)
{
	char path[2 * TEST_PATH_SIZE];

	(void)state;
	for (int i = MEMBER_A; i <= MEMBER_B; i++) {
		member_change(i, "insecure = true", "key_file = \"key\"");
		snprintf(path, sizeof(path), "%s/key", set_members[i].folder);
		assert_int_equal(MEMBER_ORDER(i, "keygen", path), 0);
		member_start(i, NULL);
	}
	assert_said_once(MEMBER_A, "it has no key, or another one");
	assert_said_once(MEMBER_B, "it has no key, or another one");
	member_set_end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_lease, member_set_setup, member_set_teardown),
		cmocka_unit_test_setup_teardown(test_key, member_set_setup, member_set_teardown),
	};

	test_directory();
	return cmocka_run_group_tests_name("member misfit", tests, NULL, NULL);
}
