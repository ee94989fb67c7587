/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The name in the kernel that a node has beside its files: who else may have it, and who asks there. What needs other
 * users or networks is skipped unless root runs it.
 */
#include "place_fixture.h"

#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define OTHER_USER 23456

/* Name of the node that runs, from /proc/net/unix. */
static void find_name(struct sockaddr_un *address, socklen_t *size)
{
	FILE *sockets = fopen("/proc/net/unix", "re");
	char line[512], inode[32], link[64], target[64];
	const char *at = NULL;

	assert_non_null(sockets);
	while (!at && fgets(line, sizeof(line), sockets)) {
		at = strstr(line, "@dvk-node-");
		if (!at || sscanf(line, "%*s %*s %*s %*s %*s %*s %31s", inode) != 1)
			continue;
		/* Another node may run on this host: it is the one that has this socket open. */
		snprintf(target, sizeof(target), "socket:[%s]", inode);
		for (int fd = 0; fd < 64; fd++) {
			char path[64];
			ssize_t length;

			snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)node, fd);
			length = readlink(path, link, sizeof(link) - 1);
			link[length < 0 ? 0 : length] = '\0';
			if (!strcmp(link, target))
				break;
		}
		if (strcmp(link, target))
			at = NULL;
	}
	fclose(sockets);
	assert_non_null(at);
	memset(address, 0, sizeof(*address));
	address->sun_family = AF_UNIX;
	*size = (socklen_t)strcspn(at, "\n");
	memcpy(address->sun_path + 1, at + 1, *size - 1);
	*size += (socklen_t)offsetof(struct sockaddr_un, sun_path);
}

/* Somebody who has the name, and may not even listen, holds nobody up; the locks do without it. */
static void name_is_taken(void **state)
{
	struct sockaddr_un address;
	socklen_t size;
	pid_t second;
	int squatter, fd;

	(void)state;
	start_server();
	find_name(&address, &size);
	end_server();
	squatter = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(squatter, (const struct sockaddr *)&address, size), 0);
	start_server();
	second = start_second(&fd);
	expect_refused(second, fd, "another node is running");
	/* The bound socket is asked then. */
	stop_process(node);
	lock_removed();
	second = start_second(&fd);
	expect_refused(second, fd, "does not answer");
	assert_int_equal(kill(node, SIGCONT), 0);
	wait_until_found(node);
	expect_server_reached();
	close(squatter);
	end_server();
	clean();
}

static void become_other_user(void)
{
	if (setgroups(0, NULL) || setresgid(OTHER_USER, OTHER_USER, OTHER_USER) ||
	    setresuid(OTHER_USER, OTHER_USER, OTHER_USER))
		_exit(99);
}

static bool is_root(void)
{
	if (geteuid() == 0)
		return true;
	print_message("skipped: needs root\n");
	return false;
}

/* Another user listens at the name, and gives whoever connects a descriptor that he does not want. */
static _Noreturn void squat(const struct sockaddr_un *address, socklen_t size, int ready)
{
	int listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	struct raw raw = { .fd = -1 };

	become_other_user();
	if (bind(listener, (const struct sockaddr *)address, size) || listen(listener, 8) || write(ready, "", 1) != 1)
		_exit(1);
	for (;;) {
		raw.fd = accept(listener, NULL, NULL);
		raw_send(&raw, "?", 1, &listener, 1);
	}
}

static void name_is_another_users(void **state)
{
	struct sockaddr_un address;
	socklen_t size;
	pid_t squatter, second;
	int ready[2], fd;
	char byte;

	(void)state;
	if (!is_root())
		skip();
	start_server();
	find_name(&address, &size);
	end_server();
	assert_int_equal(pipe(ready), 0);
	squatter = fork();
	assert_true(squatter >= 0);
	if (squatter == 0)
		squat(&address, size, ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	start_server();
	second = start_second(&fd);
	expect_refused(second, fd, "another node is running");
	socket_removed();
	wait_until_found(node);
	expect_server_reached();
	end_server();
	assert_int_equal(end_process(squatter, SIGKILL), 128 + SIGKILL);
	close(ready[0]);
	close(ready[1]);
	clean();
}

/* Whoever is no user of the node gets no answer there, and cannot keep those who are from theirs. */
static void strangers_ask(void **state)
{
	enum { TIMES = 100 };
	struct sockaddr_un address;
	socklen_t size;
	pid_t stranger, second;
	int fd;

	(void)state;
	if (!is_root())
		skip();
	start_server();
	find_name(&address, &size);
	stranger = fork();
	assert_true(stranger >= 0);
	if (stranger == 0) {
		become_other_user();
		for (int i = 0; i < TIMES; i++) {
			struct raw raw = { .fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0) };
			int passed = memfd_create("passed", MFD_CLOEXEC);
			char bytes[64];

			if (passed < 0 || connect(raw.fd, (const struct sockaddr *)&address, size))
				_exit(1);
			/* It may be closed by now. */
			raw_send(&raw, "?", 1, &passed, i % 2);
			if (recv(raw.fd, bytes, sizeof(bytes), 0) > 0)
				_exit(2);
			close(raw.fd);
			close(passed);
		}
		_exit(0);
	}
	assert_int_equal(wait_process(stranger), 0);
	lock_removed();
	second = start_second(&fd);
	expect_refused(second, fd, "another node is running");
	expect_server_reached();
	end_server();
	clean();
}

/* Of another network, so that it does not see the name. */
static void second_in_another_network(void **state)
{
	pid_t second;
	int fd, own;

	(void)state;
	if (!is_root())
		skip();
	own = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	start_server();
	for (int socket_too = 0; socket_too < 2; socket_too++) {
		stop_process(node);
		lock_removed();
		if (socket_too)
			socket_removed();
		assert_int_equal(unshare(CLONE_NEWNET), 0);
		if (!socket_too) {
			second = start_second(&fd);
			expect_refused(second, fd, "does not answer");
			assert_int_equal(setns(own, CLONE_NEWNET), 0);
			assert_int_equal(kill(node, SIGCONT), 0);
			wait_until_found(node);
			expect_server_reached();
			continue;
		}
		/* Nothing tells that one of the first. Once it has ended, the first has its place again. */
		second = spawn_node(NULL);
		assert_int_equal(setns(own, CLONE_NEWNET), 0);
		assert_int_equal(kill(node, SIGCONT), 0);
		fd = connect_by_name();
		assert_int_equal(process_behind(fd), second);
		close(fd);
		assert_int_equal(end_process(second, SIGTERM), 0);
		wait_until_found(node);
		expect_server_reached();
	}
	close(own);
	end_server();
	clean();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(name_is_taken, place_teardown),
		cmocka_unit_test_teardown(name_is_another_users, place_teardown),
		cmocka_unit_test_teardown(strangers_ask, place_teardown),
		cmocka_unit_test_teardown(second_in_another_network, place_teardown),
	};

	return cmocka_run_group_tests(tests, place_setup, remove_directory);
}
