/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the service manager is told, and that one that does not read it holds up nobody.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "service_notify.h"
#include "test_directory.h"

#define TELLS_MAX 100000 /* more than any queue holds */

static int manager;

static int setup(void **state)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	char path[TEST_PATH_SIZE];

	(void)state;
	test_path(path, "notify");
	(void)unlink(path);
	if (snprintf(address.sun_path, sizeof(address.sun_path), "%s", path) >= (int)sizeof(address.sun_path))
		test_fatal("%s: too long", path);
	manager = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (manager < 0 || bind(manager, (const struct sockaddr *)&address, sizeof(address)) ||
	    setenv("NOTIFY_SOCKET", path, 1))
		test_fatal("%s: cannot be made", path);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	close(manager);
	return 0;
}

static void assert_told(const char *expected)
{
	char text[64] = "";

	assert_true(recv(manager, text, sizeof(text) - 1, MSG_DONTWAIT) > 0);
	assert_string_equal(text, expected);
}

static void test_told(void **state)
{
	(void)state;
	assert_true(service_notify("READY=1", 1000));
	assert_told("READY=1");
	assert_true(service_notify("STATUS=well", 0));
	assert_told("STATUS=well");
	/* Nobody is there: that is no want of room. */
	close(manager);
	assert_true(service_notify("STATUS=well", 0));
	assert_int_equal(unsetenv("NOTIFY_SOCKET"), 0);
	assert_true(service_notify("STATUS=well", 0));
	manager = dup(STDIN_FILENO);
}

static void test_manager_does_not_read(void **state)
{
	int told = 0;

	(void)state;
	while (told < TELLS_MAX && service_notify("STATUS=well", 0))
		told++;
	assert_in_range(told, 1, TELLS_MAX - 1);
	/* Not even as long as it may be waited for. */
	assert_false(service_notify("READY=1", 1));
	while (told-- > 0)
		assert_told("STATUS=well");
	assert_true(service_notify("READY=1", 0));
	assert_told("READY=1");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_told, setup, teardown),
		cmocka_unit_test_setup_teardown(test_manager_does_not_read, setup, teardown),
	};

	test_directory();
	return cmocka_run_group_tests_name("service notify", tests, NULL, NULL);
}
