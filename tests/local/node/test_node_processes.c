/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Processes that come and go: binding of others, threads, deaths at every point. */
#include "node_fixture.h"

#include <errno.h>
#include <linux/sched.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static int local_bind(pid_t pid, int endpoint)
{
	return raw_call(&admin, REQUEST(BIND, .endpoint = endpoint, .argument = LCL_BIND, .pid = pid));
}

static void assert_free(int endpoint)
{
	struct received answer = raw_call_full(&admin, REQUEST(GET_PROC_INFO, .endpoint = endpoint), -1);

	assert_int_equal(answer.packet.result, 0);
	assert_int_equal(answer.packet.proc.p_rts_flags, SLOT_FREE);
}

/* The admin is bound for this: WAIT_UNBIND is about the caller's DC. */
static void wait_until_free(int endpoint)
{
	assert_int_equal(raw_call(&admin, REQUEST(WAIT_UNBIND, .endpoint = endpoint, .timeout = -1)), 0);
}

static void local_bind_of_connected(void **state)
{
	struct dvk_process_page *page;
	struct received event, answer;
	struct puppet puppet;
	uint32_t serial;

	(void)state;
	puppet_open(&puppet);
	serial = raw_ask(&puppet.raw, REQUEST(WAIT_BIND, .endpoint = SELF, .timeout = -1), -1);
	answer = raw_call_full(&admin, REQUEST(BIND, .endpoint = 3, .argument = LCL_BIND, .pid = puppet.pid), -1);
	assert_int_equal(answer.packet.result, 0);
	assert_int_equal(answer.packet.endpoint, 3);
	assert_int_equal(answer.packet.pid, puppet.pid);
	assert_int_equal(answer.nr_fds, 0);
	answer = raw_answer(&puppet.raw, serial);
	assert_int_equal(answer.packet.result, 0);
	assert_int_equal(answer.packet.endpoint, 3);
	event = raw_event(&puppet.raw, DVK_EVENT_BOUND);
	assert_int_equal(event.packet.endpoint, 3);
	assert_int_equal(event.packet.dcid, 0);
	assert_int_equal(event.packet.nr_tasks, DC_TASKS_DEFAULT);
	assert_int_equal(event.packet.nr_sysprocs, NR_SYS_PROCS);
	assert_int_equal(event.nr_fds, 1);
	page = map_page(event.fds[0], PROT_READ | PROT_WRITE);
	assert_int_equal(page->getfrom, NONE);
	unmap_page(page);
	close_received(&event);
	assert_int_equal(local_bind(puppet.pid, 4), EDVSSLOTUSED);
	puppet_end(&puppet);
}

/* Who was introduced to it before it connects, and says that it sleeps in epoll, has no bell of it. */
static void local_bind_of_one_that_sleeps_in_epoll(void **state)
{
	struct received answer, event;
	struct puppet puppet;
	struct raw peer;

	(void)state;
	puppet_start(&puppet);
	assert_int_equal(local_bind(puppet.pid, 3), 0);
	raw_open(&peer);
	assert_int_equal(raw_bind(&peer, 0, 30, NULL), 30);
	answer = raw_call_full(&peer, REQUEST(CONNECT, .endpoint = 3), -1);
	assert_int_equal(answer.packet.result, 0);
	assert_int_equal(answer.packet.bells, 0);
	close_received(&answer);

	answer = raw_call_full(&puppet.raw, REQUEST(HELLO, .pid = puppet.pid, .argument = DVK_HELLO_DESCRIPTORS), -1);
	assert_int_equal(answer.packet.result, 0);
	assert_int_equal(answer.packet.endpoint, 3);
	close_received(&answer);
	raw_no_event(&puppet.raw);
	event = raw_event(&peer, DVK_EVENT_PEER_GONE);
	assert_int_equal(event.packet.endpoint, 3);
	assert_int_equal(event.packet.result, EDVSNOTBIND);
	answer = raw_call_full(&peer, REQUEST(CONNECT, .endpoint = 3), -1);
	assert_int_equal(answer.packet.bells, DVK_BELL_RING);
	assert_int_equal(answer.nr_fds, 3);
	close_received(&answer);
	event = raw_event(&puppet.raw, DVK_EVENT_PEER);
	assert_int_equal(event.packet.bells, DVK_BELL_OWN);
	close_received(&event);
	raw_close(&peer);
	puppet_end(&puppet);
}

static void local_bind_before_it_connects(void **state)
{
	struct received answer, event;
	struct puppet puppet;
	struct raw peers[2];

	(void)state;
	puppet_start(&puppet); /* connected, but who it is the node has not been told */
	assert_int_equal(local_bind(puppet.pid, 3), 0);
	assert_int_equal(local_bind(puppet.pid, 4), EDVSSLOTUSED);
	/* Two are introduced to it, and one leaves, before it can take note. */
	for (int i = 0; i < 2; i++) {
		raw_open(&peers[i]);
		assert_int_equal(raw_bind(&peers[i], 0, 30 + i, NULL), 30 + i);
		answer = raw_call_full(&peers[i], REQUEST(CONNECT, .endpoint = 3), -1);
		assert_int_equal(answer.packet.result, 0);
		assert_int_equal(answer.nr_fds, 2);
		close_received(&answer);
	}
	assert_int_equal(raw_call(&peers[0], REQUEST(UNBIND, .endpoint = SELF)), 0);
	raw_close(&peers[0]);

	answer = raw_call_full(&puppet.raw, REQUEST(HELLO, .pid = puppet.pid), -1);
	assert_int_equal(answer.packet.result, 0);
	assert_int_equal(answer.packet.endpoint, 3);
	assert_int_equal(answer.packet.nr_tasks, DC_TASKS_DEFAULT);
	assert_int_equal(answer.nr_fds, 1);
	unmap_page(map_page(answer.fds[0], PROT_READ | PROT_WRITE));
	close_received(&answer);
	event = raw_event(&puppet.raw, DVK_EVENT_PEER);
	assert_int_equal(event.packet.endpoint, 31);
	assert_int_equal(event.packet.argument, 1);
	assert_int_equal(event.nr_fds, 2);
	close_received(&event);
	raw_close(&peers[1]);
	event = raw_event(&puppet.raw, DVK_EVENT_PEER_GONE);
	assert_int_equal(event.packet.endpoint, 31);
	assert_int_equal(raw_bind(&puppet.raw, 0, 5, NULL), EDVSSLOTUSED);
	puppet_end(&puppet);
}

static void local_bind_codes(void **state)
{
	pid_t pid = sleeper_start();

	(void)state;
	assert_int_equal(local_bind(0, 3), EDVSBADPID);
	assert_int_equal(local_bind(-1, 3), EDVSBADPID);
	assert_int_equal(local_bind(INT32_MAX, 3), EDVSBADPID);
	assert_int_equal(local_bind(pid, 300), EDVSENDPOINT);
	assert_int_equal(local_bind(pid, 3), 0);
	assert_int_equal(local_bind(getpid(), 3), EDVSSLOTUSED);
	assert_int_equal(end_process(pid, SIGKILL), 128 + SIGKILL);
	assert_int_equal(local_bind(pid, 4), EDVSBADPID);
}

/* A process that never connects is watched all the same. */
static void local_bound_process_dies(void **state)
{
	pid_t pid = sleeper_start();

	(void)state;
	assert_int_equal(raw_bind(&admin, 0, 20, NULL), 20);
	assert_int_equal(local_bind(pid, 3), 0);
	assert_int_equal(end_process(pid, SIGKILL), 128 + SIGKILL);
	wait_until_free(3);
	assert_free(3);
}

static void local_bound_process_is_unbound(void **state)
{
	pid_t pid = sleeper_start();

	(void)state;
	assert_int_equal(local_bind(pid, 3), 0);
	assert_int_equal(raw_call(&admin, REQUEST(UNBIND, .endpoint = 3, .timeout = -1)), 0);
	assert_int_equal(wait_process(pid), 128 + SIGTERM);
	assert_free(3);

	/* The end of the DC sets it free, and it can be bound anew. */
	pid = sleeper_start();
	assert_int_equal(local_bind(pid, 3), 0);
	assert_int_equal(raw_call(&admin, REQUEST(DC_END)), 0);
	raw_start_dc(&admin, 0);
	assert_int_equal(local_bind(pid, 4), 0);
	assert_int_equal(end_process(pid, SIGKILL), 128 + SIGKILL);
}

static void *thread_main(void *argument)
{
	struct raw *raw = argument;
	pid_t own = gettid();
	struct received answer;

	raw_connect(raw);
	assert_int_equal(raw_call(raw, REQUEST(HELLO, .pid = own)), 0);
	/* Without an endpoint of its own it shares the main thread's. */
	answer = raw_call_full(raw, REQUEST(GETEP, .pid = own), -1);
	assert_int_equal(answer.packet.result, 0);
	assert_int_equal(answer.packet.endpoint, 20);
	assert_int_equal(raw_bind(raw, 0, 21, NULL), 21);
	answer = raw_call_full(raw, REQUEST(GETEP, .pid = own), -1);
	assert_int_equal(answer.packet.endpoint, 21);
	answer = raw_call_full(raw, REQUEST(GET_PROC_INFO, .endpoint = 21), -1);
	assert_int_equal(answer.packet.proc.p_lpid, own);
	assert_int_equal(answer.packet.proc.p_misc_flags, 0);
	return NULL;
}

static void threads_have_endpoints(void **state)
{
	struct received answer;
	pthread_t thread;
	struct raw raw;

	(void)state;
	assert_int_equal(raw_bind(&admin, 0, 20, NULL), 20);
	assert_int_equal(pthread_create(&thread, NULL, thread_main, &raw), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	answer = raw_call_full(&admin, REQUEST(GETEP, .pid = getpid()), -1);
	assert_int_equal(answer.packet.endpoint, 20);
	raw_close(&raw);
	wait_until_free(21);
}

/* ---- numbers that are used again ---- */

/* A process with that number, once it is free. Returns 0 in the child; -1, and says so, where that is not allowed. */
static pid_t fork_with_number(pid_t number)
{
	const struct clone_args arguments = { .exit_signal = SIGCHLD,
					      .set_tid = (uintptr_t)&number,
					      .set_tid_size = 1 };
	long pid;

	do {
		pid = syscall(SYS_clone3, &arguments, sizeof(arguments));
	} while (pid < 0 && errno == EEXIST);
	if (pid < 0 && errno == EPERM) {
		print_message("skipped: needs the right to choose a process's number\n");
		return -1;
	}
	assert_true(pid >= 0);
	if (pid == 0)
		prctl(PR_SET_PDEATHSIG, SIGKILL);
	return (pid_t)pid;
}

static void *hello_of_thread(void *argument)
{
	struct raw *raw = argument;
	pid_t own = gettid();

	raw_connect(raw);
	assert_int_equal(raw_call(raw, REQUEST(HELLO, .pid = own)), 0);
	return (void *)(intptr_t)own;
}

/* A connection that was a thread's is not that of the process that has the thread's number now. */
static void number_of_an_ended_thread(void **state)
{
	struct received answer;
	pthread_t thread;
	struct raw raw;
	pid_t pid;
	void *number;

	(void)state;
	assert_int_equal(raw_bind(&admin, 0, 20, NULL), 20);
	assert_int_equal(pthread_create(&thread, NULL, hello_of_thread, &raw), 0);
	assert_int_equal(pthread_join(thread, &number), 0);
	pid = fork_with_number((pid_t)(intptr_t)number);
	if (pid < 0) {
		raw_close(&raw);
		skip();
	}
	if (pid == 0)
		for (;;)
			pause();
	assert_int_equal(raw_bind(&raw, 0, 30, NULL), 30);
	assert_int_equal(raw_call(&admin, REQUEST(GETEP, .pid = pid)), EDVSNOTBIND);
	assert_int_equal(raw_call(&raw, REQUEST(UNBIND, .endpoint = SELF)), 0);
	assert_int_equal(local_bind(pid, 3), 0);
	raw_no_event(&raw);
	answer = raw_call_full(&admin, REQUEST(GET_PROC_INFO, .endpoint = 3), -1);
	assert_int_equal(answer.packet.proc.p_misc_flags, MISC_GRPLEADER);
	assert_int_equal(end_process(pid, SIGKILL), 128 + SIGKILL);
	wait_until_free(3);
	raw_close(&raw);
}

static void *wait_for_byte(void *argument)
{
	const int *fds = argument;
	pid_t own = gettid();
	char byte;

	assert_int_equal(write(fds[1], &own, sizeof(own)), sizeof(own));
	assert_int_equal(read(fds[0], &byte, 1), 1);
	return NULL;
}

/* Nor is what was bound for the thread. */
static void endpoint_of_an_ended_thread(void **state)
{
	int there[2], back[2], fds[2];
	pthread_t thread;
	pid_t number, pid;

	(void)state;
	assert_int_equal(pipe(there), 0);
	assert_int_equal(pipe(back), 0);
	fds[0] = there[0];
	fds[1] = back[1];
	assert_int_equal(pthread_create(&thread, NULL, wait_for_byte, fds), 0);
	assert_int_equal(read(back[0], &number, sizeof(number)), sizeof(number));
	assert_int_equal(local_bind(number, 3), 0);
	assert_int_equal(write(there[1], "", 1), 1);
	assert_int_equal(pthread_join(thread, NULL), 0);
	pid = fork_with_number(number);
	if (pid == 0) {
		struct raw raw;

		raw_connect(&raw);
		_exit(raw_call_full(&raw, REQUEST(HELLO, .pid = number), -1).packet.endpoint == NONE ? 0 : 1);
	}
	if (pid > 0)
		assert_int_equal(wait_process(pid), 0);
	for (int i = 0; i < 2; i++) {
		close(there[i]);
		close(back[i]);
	}
	if (pid < 0)
		skip();
}

/* kill -9 while a wait is open; the other waiters go on. */
static void death_of_a_waiter(void **state)
{
	struct puppet puppet, third;
	uint32_t serial;

	(void)state;
	assert_int_equal(raw_bind(&admin, 0, 20, NULL), 20);
	puppet_open(&puppet);
	assert_int_equal(raw_bind(&puppet.raw, 0, 3, NULL), 3);
	raw_ask(&puppet.raw, REQUEST(WAIT_BIND, .endpoint = 4, .timeout = -1), -1);
	serial = raw_ask(&admin, REQUEST(WAIT_BIND, .endpoint = 4, .timeout = -1), -1);
	puppet_end(&puppet);
	puppet_open(&third);
	assert_int_equal(raw_bind(&third.raw, 0, 4, NULL), 4);
	assert_int_equal(raw_answer(&admin, serial).packet.result, 0);
	wait_until_free(3);

	/* Of one that waits for an UNBIND. */
	puppet_open(&puppet);
	assert_int_equal(kill(third.pid, SIGSTOP), 0);
	assert_int_equal(waitpid(third.pid, NULL, WUNTRACED), third.pid);
	raw_ask(&puppet.raw, REQUEST(UNBIND, .endpoint = 4, .timeout = -1), -1);
	puppet_end(&puppet);
	puppet_end(&third);
	wait_until_free(4);
}

/* What it asked for last is done: the peers hear of an unbind, not of a death. */
static void last_request_counts(void **state)
{
	struct received event;
	struct puppet puppet;
	struct raw server;

	(void)state;
	raw_open(&server);
	assert_int_equal(raw_bind(&server, 0, 3, NULL), 3);
	puppet_open(&puppet);
	assert_int_equal(raw_bind(&puppet.raw, 0, 30, NULL), 30);
	raw_introduce(&puppet.raw, &server, 3);
	assert_int_equal(kill(node_pid, SIGSTOP), 0);
	raw_ask(&puppet.raw, REQUEST(UNBIND, .endpoint = SELF), -1);
	assert_int_equal(end_process(puppet.pid, SIGKILL), 128 + SIGKILL);
	raw_close(&puppet.raw);
	assert_int_equal(kill(node_pid, SIGCONT), 0);
	event = raw_event(&server, DVK_EVENT_PEER_GONE);
	assert_int_equal(event.packet.result, EDVSNOTBIND);
	raw_close(&server);
}

/* In a child: binds, tells, and is killed wherever it is. */
static _Noreturn void bind_and_tell(int pipe_fd)
{
	struct raw raw;
	int endpoint;

	raw_open(&raw);
	endpoint = raw_bind(&raw, 0, ANY, NULL);
	raw_ask(&raw, REQUEST(CONNECT, .endpoint = 3), -1);
	if (write(pipe_fd, &endpoint, sizeof(endpoint)) != sizeof(endpoint))
		_exit(1);
	for (;;)
		pause();
}

static void count_events(struct raw *server, int *introduced, int *gone)
{
	struct received event;

	assert_int_equal(raw_call(server, REQUEST(GET_DVS_INFO)), 0);
	while (server->nr_kept) {
		event = raw_event(server, (enum dvk_packet_kind)server->kept[0].packet.kind);
		*introduced += event.packet.kind == DVK_EVENT_PEER;
		*gone += event.packet.kind == DVK_EVENT_PEER_GONE;
		close_received(&event);
	}
}

static void thousand_deaths(void **state)
{
	enum { BATCHES = 10, BATCH = 100 };
	int introduced = 0, gone = 0;
	struct raw server;
	int ends[2];

	(void)state;
	assert_int_equal(raw_bind(&admin, 0, 20, NULL), 20);
	raw_open(&server);
	assert_int_equal(raw_bind(&server, 0, 3, NULL), 3);
	assert_int_equal(pipe(ends), 0);
	for (int batch = 0; batch < BATCHES; batch++) {
		pid_t pids[BATCH];
		int endpoints[BATCH];

		for (int i = 0; i < BATCH; i++) {
			pids[i] = fork();
			assert_true(pids[i] >= 0);
			if (pids[i] == 0)
				bind_and_tell(ends[1]);
		}
		for (int i = 0; i < BATCH; i++) {
			assert_int_equal(read(ends[0], &endpoints[i], sizeof(int)), sizeof(int));
			assert_true(endpoints[i] >= 30 && endpoints[i] < NR_PROCS);
		}
		for (int i = 0; i < BATCH; i++)
			assert_int_equal(kill(pids[i], SIGKILL), 0);
		for (int i = 0; i < BATCH; i++)
			assert_int_equal(wait_process(pids[i]), 128 + SIGKILL);
		for (int i = 0; i < BATCH; i++)
			wait_until_free(endpoints[i]);
		count_events(&server, &introduced, &gone);
	}
	close(ends[0]);
	close(ends[1]);
	assert_int_equal(gone, introduced);
	assert_true(introduced > 0);
	for (int endpoint = -34; endpoint < NR_PROCS; endpoint++)
		if (endpoint != 3 && endpoint != 20)
			assert_free(endpoint);
	raw_close(&server);
}

static int open_descriptors(pid_t pid)
{
	char command[64], output[64];

	/* An answer may come before the node has closed what it sent with it; the next one comes after. */
	assert_int_equal(raw_call(&admin, REQUEST(GET_DVS_INFO)), 0);
	snprintf(command, sizeof(command), "ls /proc/%d/fd | wc -l", (int)pid);
	assert_int_equal(run_program((const char *[]){ "/bin/sh", "-c", command, NULL }, output, sizeof(output)), 0);
	return atoi(output);
}

/* Nothing that a client made the node open outlives it. */
static void no_descriptor_is_left(void **state)
{
	int before = open_descriptors(node_pid);

	thousand_deaths(state);
	assert_int_equal(raw_call(&admin, REQUEST(UNBIND, .endpoint = SELF)), 0);
	local_bound_process_dies(state);
	assert_int_equal(raw_call(&admin, REQUEST(UNBIND, .endpoint = SELF)), 0);
	assert_int_equal(open_descriptors(node_pid), before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(local_bind_of_connected, open_admin, close_admin),
		cmocka_unit_test_setup_teardown(local_bind_before_it_connects, open_admin, close_admin),
		cmocka_unit_test_setup_teardown(local_bind_of_one_that_sleeps_in_epoll, open_admin, close_admin),
		cmocka_unit_test_setup_teardown(local_bind_codes, open_admin, close_admin),
		cmocka_unit_test_setup_teardown(local_bound_process_dies, open_admin, close_admin),
		cmocka_unit_test_setup_teardown(local_bound_process_is_unbound, open_admin, close_admin),
		cmocka_unit_test_setup_teardown(threads_have_endpoints, open_admin, close_admin),
		cmocka_unit_test_setup_teardown(number_of_an_ended_thread, open_admin, close_admin),
		cmocka_unit_test_setup_teardown(endpoint_of_an_ended_thread, open_admin, close_admin),
		cmocka_unit_test_setup_teardown(death_of_a_waiter, open_admin, close_admin),
		cmocka_unit_test_setup_teardown(last_request_counts, open_admin, close_admin),
		cmocka_unit_test_setup_teardown(no_descriptor_is_left, open_admin, close_admin),
	};

	return cmocka_run_group_tests(tests, start_node, stop_node);
}
