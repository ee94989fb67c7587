// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * See ipc_fixture.h.
 */
#include "ipc_fixture.h"

#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "dvk_node.h"
#include "test_directory.h"

static pid_t node_pid;

int ipc_node_pid(void)
{
	return node_pid;
}

/* Forks a child that dies with the test. Returns 0 in the child. */
static pid_t fork_child(void)
{
	pid_t parent = getpid();
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0 && (prctl(PR_SET_PDEATHSIG, SIGKILL) || getppid() != parent))
		_exit(3);
	return pid;
}

static void run_node(int ready, const char *group)
{
	struct dvk_node_options options = { .group = group };
	char cause[DVK_NODE_CAUSE_SIZE];
	struct dvk_node *node;

	if (dvk_node_create(&options, &node, cause, sizeof(cause))) {
		fprintf(stderr, "node: %s\n", cause);
		_exit(1);
	}
	if (write(ready, "", 1) != 1)
		_exit(1);
	close(ready);
	if (dvk_node_run(node))
		_exit(1);
	dvk_node_destroy(node);
	_exit(0);
}

/* The whole test, parties too, with sleeps in epoll: set by CMakeLists.txt for a second run of the same tests. */
static bool wants_descriptors(void)
{
	return getenv("IPC_TEST_DESCRIPTORS") != NULL;
}

int ipc_setup_group(const char *group)
{
	dc_usr_t dc = { .dc_dcid = DC };
	int ready[2];
	char byte;

	test_runtime_new();
	assert_int_equal(pipe(ready), 0);
	node_pid = fork_child();
	if (node_pid == 0)
		run_node(ready[1], group);
	close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	if (wants_descriptors())
		assert_int_equal(dvk_use_descriptors(-1), 0);
	assert_int_equal(dvk_open(), 0);
	assert_true(dvk_dc_init(&dc) >= 0);
	assert_int_equal(dvk_bind(DC, TESTER), TESTER);
	return 0;
}

int ipc_setup(void **state)
{
	(void)state;
	return ipc_setup_group(NULL);
}

int ipc_teardown(void **state)
{
	int status;

	(void)state;
	dvk_close();
	if (node_pid > 0) {
		kill(node_pid, SIGTERM);
		waitpid(node_pid, &status, 0);
		node_pid = 0;
	}
	return 0;
}

void party_fail(const char *file, int line, const char *what, long got)
{
	fprintf(stderr, "%s:%d: party %d: %s: got %ld (%s)\n", file, line, getpid(), what, got, dvk_strerror((int)got));
	_exit(1);
}

int party_start(int endpoint, void (*body)(void *argument), void *argument)
{
	pid_t pid = fork_child();

	if (pid)
		return pid;
	if (wants_descriptors())
		EXPECT_RC(dvk_use_descriptors(-1), 0);
	if (endpoint != NONE)
		EXPECT_RC(dvk_bind(DC, endpoint), endpoint);
	body(argument);
	dvk_close();
	_exit(0);
}

void party_join(int pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

void party_kill(int pid)
{
	int status;

	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
}

void wait_blocked(int endpoint, unsigned long rts_flags)
{
	proc_usr_t proc;

	assert_int_equal(dvk_wait4bindep_T(endpoint, LONG_MS), endpoint);
	do {
		sched_yield();
		assert_int_equal(dvk_getprocinfo(DC, endpoint, &proc), 0);
	} while (proc.p_rts_flags != rts_flags);
}
