/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A member whose node dies and is back late: it takes part in the set meanwhile, as primary too.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "member_set.h"

/* The process of a member's node. */
static pid_t node_of(int member)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	struct ucred peer;
	socklen_t size = sizeof(peer);

	if (snprintf(address.sun_path, sizeof(address.sun_path), "%s/node.sock", set_members[member].runtime) >=
	    (int)sizeof(address.sun_path))
		test_fatal("%s: too long", set_members[member].runtime);
	if (fd < 0 || connect(fd, (const struct sockaddr *)&address, sizeof(address)) ||
	    getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size))
		test_fatal("%s: %s", address.sun_path, strerror(errno));
	close(fd);
	return peer.pid;
}

/* No node can be started for a member until the descriptor that is returned is closed. */
static int hold_starts(int member)
{
	char path[2 * TEST_PATH_SIZE];
	int fd;

	snprintf(path, sizeof(path), "%s/start.lock", set_members[member].runtime);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0 || flock(fd, LOCK_EX))
		test_fatal("%s: %s", path, strerror(errno));
	return fd;
}

/* Its node is killed, and none can be started. */
static int lose_node(int member)
{
	int held = hold_starts(member);

	assert_int_equal(kill(node_of(member), SIGKILL), 0);
	assert_true(test_process_wait_log(&set_members[member].rdisk, "the node is gone", TEST_TIMEOUT_MS));
	return held;
}

static void find_node(int member, int held)
{
	close(held);
	assert_true(test_process_wait_log_times(&set_members[member].rdisk, "rdisk: ready", 2, TEST_TIMEOUT_MS));
}

static void test_primary(void **state)
{
	double epoch;
	int held;

	(void)state;
	member_set_start();
	epoch = member_epoch(MEMBER_B);
	held = lose_node(MEMBER_A);
	/* It answers its operator, renews its lease, hands over, and serves again. */
	member_await(MEMBER_A, "a", "b");
	/* Nobody takes over: that would be told, once the lease and the time-out of a member are over. */
	assert_false(test_process_wait_log(&set_members[MEMBER_B].rdisk, "not connected to a", 4000));
	assert_true(member_epoch(MEMBER_B) == epoch);
	assert_int_equal(MEMBER_ORDER(MEMBER_A, "promote", "b"), 0);
	member_await(MEMBER_B, "b", "a");
	member_promote(MEMBER_A, "a");
	find_node(MEMBER_A, held);
	member_await(MEMBER_B, "a", "b");
	member_set_end();
}

static void test_backup(void **state)
{
	double epoch;
	int held;

	(void)state;
	member_set_start();
	epoch = member_epoch(MEMBER_A);
	held = lose_node(MEMBER_B);
	assert_false(test_process_wait_log(&set_members[MEMBER_A].rdisk, "not connected to b", 4000));
	member_await(MEMBER_A, "a", "b");
	assert_true(member_epoch(MEMBER_A) == epoch);
	find_node(MEMBER_B, held);
	member_await(MEMBER_B, "a", "b");
	assert_true(member_epoch(MEMBER_A) == epoch);
	member_set_end();
}

/* A signal ends it also then. */
static void test_end(void **state)
{
	int held;

	(void)state;
	member_set_start();
	held = lose_node(MEMBER_A);
	assert_int_equal(kill(set_members[MEMBER_A].rdisk.pid, SIGTERM), 0);
	close(held);
	assert_true(test_process_wait_end(&set_members[MEMBER_A].rdisk, TEST_TIMEOUT_MS));
	assert_int_equal(test_process_exit_code(&set_members[MEMBER_A].rdisk), 0);
	set_members[MEMBER_A].rdisk.pid = 0;
	member_await(MEMBER_B, "b", NULL);
	member_set_end();
}

/* It cannot keep what is decided meanwhile: it ends at once, and does not wait for the node first. */
static void test_state_is_lost(void **state)
{
	const struct rlimit nothing = { 0, 0 };
	int held;

	(void)state;
	member_set_start();
	held = lose_node(MEMBER_A);
	/* As where its file system is full or broken: what is written next to a file fails. */
	assert_int_equal(prlimit(set_members[MEMBER_A].rdisk.pid, RLIMIT_FSIZE, &nothing, NULL), 0);
	test_process_discard(&set_members[MEMBER_B].rdisk);
	assert_true(test_process_wait_end(&set_members[MEMBER_A].rdisk, TEST_TIMEOUT_MS));
	assert_int_equal(test_process_exit_code(&set_members[MEMBER_A].rdisk), 2);
	assert_non_null(strstr(set_members[MEMBER_A].rdisk.log.text, "cannot be written: File too large"));
	if (strstr(set_members[MEMBER_A].rdisk.log.text, "no node to connect to"))
		fail_msg("it has waited for the node: %s", set_members[MEMBER_A].rdisk.log.text);
	set_members[MEMBER_A].rdisk.pid = 0;
	close(held);
	member_set_discard();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_primary, member_set_setup, member_set_teardown),
		cmocka_unit_test_setup_teardown(test_backup, member_set_setup, member_set_teardown),
		cmocka_unit_test_setup_teardown(test_end, member_set_setup, member_set_teardown),
		cmocka_unit_test_setup_teardown(test_state_is_lost, member_set_setup, member_set_teardown),
	};

	test_directory();
	return cmocka_run_group_tests_name("member node", tests, NULL, NULL);
}
