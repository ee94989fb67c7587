/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What becomes of a node when its files are removed, renamed or replaced under it: it stays the only one, and is found
 * again, or says why not. Its log is in test_node_log.c, its name in the kernel in test_node_name.c.
 */
#include "place_fixture.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* Nobody has to ask. */
static void node_is_found_again(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(damages) / sizeof(damages[0]); i++) {
		if (!damages[i].told)
			continue;
		print_message("%s\n", damages[i].name);
		start_server();
		damages[i].done();
		wait_until_found(node);
		end_server();
		clean();
	}
}

static void second_daemon_is_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(damages) / sizeof(damages[0]); i++) {
		pid_t second;
		int fd;

		print_message("%s\n", damages[i].name);
		start_server();
		damages[i].done();
		second = start_second(&fd);
		expect_refused(second, fd, "another node is running");
		expect_server_reached();
		end_server();
		clean();
	}
}

/* The node has no chance to make its files anew before the second one starts. */
static void second_daemon_at_a_stopped_node(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(damages) / sizeof(damages[0]); i++) {
		pid_t second;
		int fd;

		print_message("%s\n", damages[i].name);
		start_server();
		stop_process(node);
		damages[i].done();
		second = start_second(&fd);
		assert_int_equal(kill(node, SIGCONT), 0);
		expect_refused(second, fd, "another node is running");
		expect_server_reached();
		end_server();
		clean();
	}
}

/* It does not answer at all, so nobody can tell more; but it lives. */
static void second_daemon_at_a_node_that_hangs(void **state)
{
	pid_t second;
	int fd;

	(void)state;
	start_server();
	stop_process(node);
	directory_removed();
	second = start_second(&fd);
	expect_refused(second, fd, "does not answer");
	assert_int_equal(kill(node, SIGCONT), 0);
	wait_until_found(node);
	expect_server_reached();
	end_server();
	clean();
}

/* What a server does that starts: it finds the node, in whose place it would have started another. */
static void starter_finds_the_node(void **state)
{
	(void)state;
	for (size_t i = 0; i < 2 * sizeof(damages) / sizeof(damages[0]); i++) {
		pid_t starter;
		int hold;

		start_server();
		if (i % 2)
			stop_process(node);
		damages[i / 2].done();
		starter = fork();
		assert_true(starter >= 0);
		if (starter == 0) {
			if (dvk_node_ensure(&hold, cause, sizeof(cause))) {
				fprintf(stderr, "%s: %s\n", damages[i / 2].name, cause);
				_exit(1);
			}
			_exit(process_behind(hold) == node ? 0 : 2);
		}
		if (i % 2)
			assert_int_equal(kill(node, SIGCONT), 0);
		assert_int_equal(wait_process(starter), 0);
		expect_server_reached();
		end_server();
		clean();
	}
}

/* Who has connected to the socket that was removed, and was not accepted yet. */
static void those_who_wait_come_in(void **state)
{
	enum { WAITING = 60 };
	struct raw raws[WAITING];

	(void)state;
	start_server();
	stop_process(node);
	for (int i = 0; i < WAITING; i++)
		raw_connect(&raws[i]);
	socket_removed();
	assert_int_equal(kill(node, SIGCONT), 0);
	for (int i = 0; i < WAITING; i++) {
		assert_int_equal(raw_call(&raws[i], REQUEST(GET_DVS_INFO)), 0);
		raw_close(&raws[i]);
	}
	wait_until_found(node);
	end_server();
}

/* A node that ends takes its own socket away, and no other. */
static void end_leaves_what_is_anothers(void **state)
{
	int fd;

	(void)state;
	start_server();
	stop_process(node);
	socket_removed();
	fd = listen_by_name();
	assert_int_equal(kill(node, SIGTERM), 0);
	assert_int_equal(kill(node, SIGCONT), 0);
	assert_int_equal(wait_process(node), 0);
	node = 0;
	raw_close(&server);
	assert_int_equal(access(in_directory(DVK_NODE_SOCKET), F_OK), 0);
	close(fd);
	clean();
}

/* Somebody has node.lock and listens, the way another node would: it is left alone, and that is said. */
static void place_is_taken(void **state)
{
	int hold = hold_node(), lock, fd, again = -1;

	(void)state;
	stop_process(node);
	both_removed();
	lock = open(in_directory("node.lock"), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert_int_equal(flock(lock, LOCK_EX), 0);
	assert_int_equal(kill(node, SIGCONT), 0);
	wait_for_log("clients do not find this node");
	assert_int_equal(dvk_node_ensure(&again, cause, sizeof(cause)), EDVSBUSY);
	assert_non_null(strstr(cause, "cannot be reached there: another node"));
	assert_int_equal(again, -1);

	fd = listen_by_name();
	/* A lock alone does not make it take the socket. */
	lock_removed();
	close(lock);
	wait_for_log("another process listens");
	assert_int_equal(connect_by_name() >= 0, 1);

	close(fd);
	remove_file(DVK_NODE_SOCKET);
	wait_for_log("clients find this node again");
	wait_until_found(node);
	release_node(hold);
}

/* A directory that cannot be had is said to be one, and nothing is done to it. */
static void directory_is_not_to_be_trusted(void **state)
{
	int hold = hold_node(), again;
	int64_t end = patience_ends();
	char moved[128];

	(void)state;
	snprintf(moved, sizeof(moved), "%s/moved/node.log", base);
	stop_process(node);
	directory_renamed();
	assert_int_equal(mkdir(directory, 0), 0);
	assert_int_equal(chmod(directory, 0777), 0);
	assert_int_equal(kill(node, SIGCONT), 0);
	while (!log_has(moved, "is not to be trusted"))
		give_way(end, "the node does not say that it cannot be found");
	assert_int_equal(dvk_node_ensure(&again, cause, sizeof(cause)), EDVSACCES);
	assert_non_null(strstr(cause, "not to be trusted"));
	assert_int_equal(rmdir(directory), 0);
	assert_int_equal(dvk_node_ensure(&again, cause, sizeof(cause)), 0);
	assert_int_equal(process_behind(again), node);
	close(again);
	release_node(hold);
}

/* A path that is relative, and too long for a socket's address from the root. */
static void relative_directory(void **state)
{
	char part[100];
	pid_t first;
	int hold;

	(void)state;
	memset(part, 'x', sizeof(part));
	part[sizeof(part) - 1] = '\0';
	assert_int_equal(chdir(above), 0);
	assert_int_equal(mkdir(part, 0700), 0);
	assert_int_equal(chdir(part), 0);
	assert_int_equal(setenv("DVK_RUNTIME_DIR", "short", 1), 0);
	hold = hold_node();
	first = node;
	assert_int_equal(unlink("short/" DVK_NODE_SOCKET), 0);
	assert_int_equal(unlink("short/node.lock"), 0);
	close(hold_node());
	assert_int_equal(node, first);
	assert_int_equal(access("short/node.lock", F_OK), 0);
	assert_int_equal(setenv("DVK_RUNTIME_DIR", directory, 1), 0);
	assert_int_equal(chdir("/"), 0);
	release_node(hold);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(node_is_found_again, place_teardown),
		cmocka_unit_test_teardown(second_daemon_is_refused, place_teardown),
		cmocka_unit_test_teardown(second_daemon_at_a_stopped_node, place_teardown),
		cmocka_unit_test_teardown(second_daemon_at_a_node_that_hangs, place_teardown),
		cmocka_unit_test_teardown(starter_finds_the_node, place_teardown),
		cmocka_unit_test_teardown(those_who_wait_come_in, place_teardown),
		cmocka_unit_test_teardown(end_leaves_what_is_anothers, place_teardown),
		cmocka_unit_test_teardown(place_is_taken, place_teardown),
		cmocka_unit_test_teardown(directory_is_not_to_be_trusted, place_teardown),
		cmocka_unit_test_teardown(relative_directory, place_teardown),
	};

	return cmocka_run_group_tests(tests, place_setup, remove_directory);
}
