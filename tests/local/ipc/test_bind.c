// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Binding through libdvk: the bind types, threads, fork, waits for binds, what the info
 * calls tell, and each refusal. The node's own tests speak the raw protocol.
 */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ipc_fixture.h"
#include "test_directory.h"

static void test_bind_errors(void **state)
{
	(void)state;
	assert_int_equal(dvk_bind(DC, PARTY), EDVSSLOTUSED); /* we are bound already */
	assert_int_equal(dvk_unbind(DC, SELF), 0);
	assert_int_equal(dvk_bind(NR_DCS, PARTY), EDVSBADDCID);
	assert_int_equal(dvk_bind(-1, PARTY), EDVSBADDCID);
	assert_int_equal(dvk_bind(DC + 1, PARTY), EDVSDCNOTRUN);
	assert_int_equal(dvk_bind(DC, NR_PROCS), EDVSENDPOINT);
	assert_int_equal(dvk_bind(DC, -NR_TASKS - 1), EDVSENDPOINT);
	assert_int_equal(dvk_bind_X(99, DC, PROC_NO_PID, PARTY, LOCALNODE), EDVSBINDTYPE);
	assert_int_equal(dvk_bind_X(SELF_BIND, DC, PROC_NO_PID, PARTY, 7), EDVSBADNODEID);
	assert_int_equal(dvk_lclbind(DC, 0x3fffffff, PARTY), EDVSBADPID);
	assert_int_equal(dvk_getep(getpid()), EDVSNOTBIND);
	assert_int_equal(dvk_bind(DC, PARTY), PARTY);
	assert_int_equal(dvk_getep(getpid()), PARTY);
}

static void test_first_user_endpoint(void **state)
{
	(void)state;
	assert_int_equal(dvk_unbind(DC, SELF), 0);
	assert_int_equal(dvk_umbind(DC, getpid(), ANY), 30);
}

static void bound_by_another(void *argument)
{
	message msg = { 0 };

	EXPECT_RC(dvk_open(), 0);
	EXPECT(write(*(int *)argument, "", 1) == 1);
	EXPECT_RC(dvk_wait4bind_T(LONG_MS), PARTY);
	EXPECT_RC(dvk_sendrec_T(TESTER, &msg, LONG_MS), 0);
}

static void test_lclbind(void **state)
{
	int ready[2], party;
	message msg;
	char byte;

	(void)state;
	assert_int_equal(pipe(ready), 0);
	party = party_start(NONE, bound_by_another, &ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	assert_int_equal(dvk_lclbind(DC, party, PARTY), PARTY);
	assert_int_equal(dvk_receive_T(ANY, &msg, LONG_MS), 0);
	assert_int_equal(msg.m_source, PARTY);
	assert_int_equal(dvk_reply(PARTY, &msg), 0);
	party_join(party);
	close(ready[0]);
	close(ready[1]);
}

static void *bound_thread(void *argument)
{
	message msg = { 0 };
	long *rc = argument;

	*rc = dvk_tbind(DC, PARTY);
	if (*rc == PARTY)
		*rc = dvk_sendrec_T(TESTER, &msg, LONG_MS);
	return NULL;
}

static void test_thread_bind(void **state)
{
	pthread_t thread;
	message msg;
	long rc = -1;

	(void)state;
	assert_int_equal(pthread_create(&thread, NULL, bound_thread, &rc), 0);
	assert_int_equal(dvk_receive_T(ANY, &msg, LONG_MS), 0);
	assert_int_equal(msg.m_source, PARTY);
	assert_int_equal(dvk_reply(PARTY, &msg), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(rc, 0);
	/* It ended: its endpoint is free. */
	assert_int_equal(dvk_wait4unbind_T(PARTY, LONG_MS), 0);
}

/* A child of fork() starts with nothing, and leaves its parent's binding alone. */
static void forked(void *argument)
{
	message msg;

	(void)argument;
	EXPECT_RC(dvk_receive_T(ANY, &msg, 0), EDVSNOTBIND);
	EXPECT_RC(dvk_bind(DC, PARTY), PARTY);
}

static void test_fork(void **state)
{
	int party = party_start(NONE, forked, NULL);

	(void)state;
	party_join(party);
	assert_int_equal(dvk_wait4unbind_T(PARTY, LONG_MS), 0);
	assert_int_equal(dvk_getep(getpid()), TESTER);
}

static atomic_bool enough;

/* Meets a peer and parts from it, as often as it can. Returns NULL if all went well. */
static void *come_and_go(void *failed)
{
	if (dvk_tbind(DC, PARTY) != PARTY)
		return failed;
	while (!atomic_load(&enough))
		if (dvk_ntfy_value(SELF, TESTER, 0) || dvk_unbind(DC, SELF) || dvk_bind(DC, PARTY) != PARTY)
			return failed;
	return NULL;
}

/* Another thread may be anywhere in a call, or at its end: the child drops what is left of that. */
static void test_fork_during_calls(void **state)
{
	enum { FORKS = 500 };
	pthread_t thread;
	void *failed;
	int status;

	(void)state;
	atomic_store(&enough, false);
	assert_int_equal(pthread_create(&thread, NULL, come_and_go, &status), 0);
	for (int i = 0; i < FORKS; i++) {
		pid_t pid = fork();

		assert_true(pid >= 0);
		if (pid == 0)
			_exit(0);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		if (status)
			fail_msg("fork %d: status %#x", i, (unsigned int)status);
	}
	atomic_store(&enough, true);
	assert_int_equal(pthread_join(thread, &failed), 0);
	assert_null(failed);
}

/* The end of an endpoint is that, also while a child has the descriptors that its parent had. */
static void test_close_after_fork(void **state)
{
	int status;
	pid_t pid = _Fork(); /* no handler of the library's runs in the child */

	(void)state;
	assert_true(pid >= 0);
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			pause();
	}
	assert_int_equal(dvk_close(), 0);
	assert_int_equal(dvk_bind(DC, TESTER), TESTER);
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
}

static void stay(void *argument)
{
	(void)argument;
	for (;;)
		pause();
}

static void test_waits(void **state)
{
	int party;

	(void)state;
	assert_int_equal(dvk_wait4bindep_T(PARTY, 0), EDVSAGAIN);
	assert_int_equal(dvk_wait4bindep_T(PARTY, 20), EDVSTIMEDOUT);
	assert_int_equal(dvk_wait4bindep_T(TESTER, LONG_MS), TESTER);
	assert_int_equal(dvk_wait4bind(), TESTER);
	assert_int_equal(dvk_wait4unbind_T(PARTY, LONG_MS), 0);
	assert_int_equal(dvk_wait4unbind_T(TESTER, 20), EDVSENDPOINT);
	assert_int_equal(dvk_unbind_T(DC, PARTY, LONG_MS), EDVSNOTBIND);
	party = party_start(PARTY, stay, NULL);
	assert_int_equal(dvk_wait4bindep_T(PARTY, LONG_MS), PARTY);
	assert_int_equal(dvk_wait4unbind_T(PARTY, 0), EDVSAGAIN);
	assert_int_equal(dvk_wait4unbind_T(PARTY, 20), EDVSTIMEDOUT);
	party_kill(party);
	assert_int_equal(dvk_wait4unbind_T(PARTY, LONG_MS), 0);
}

/* Errors have the numbers of tasks: that it would have to wait is not that the endpoint is free. */
static void test_wait_for_a_task(void **state)
{
	int party = party_start(EDVSAGAIN, stay, NULL);

	(void)state;
	assert_int_equal(dvk_wait4bindep_T(EDVSAGAIN, LONG_MS), EDVSAGAIN);
	assert_int_equal(dvk_wait4unbind_T(EDVSAGAIN, 0), EDVSAGAIN);
	party_kill(party);
	assert_int_equal(dvk_wait4unbind_T(EDVSAGAIN, LONG_MS), 0);
	/* One's own end cannot be waited for. */
	assert_int_equal(dvk_wait4unbind_T(SELF, 20), EDVSENDPOINT);
}

static void test_information(void **state)
{
	dvs_usr_t dvs;
	dc_usr_t dc = { .dc_dcid = DC };
	proc_usr_t proc;

	(void)state;
	assert_int_equal(dvk_getdvsinfo(&dvs), 0);
	assert_int_equal(dvs.d_nr_dcs, NR_DCS);
	assert_int_equal(dvs.d_max_copylen, MAXCOPYLEN);
	assert_true(dvs.d_flags & DVS_INITIALIZED);
	assert_true(dvk_dc_init(&dc) == EDVSDCRUN);
	assert_int_equal(dvk_getdcinfo(-1, &dc), 0);
	assert_int_equal(dc.dc_dcid, DC);
	assert_int_equal(dc.dc_nr_tasks, DC_TASKS_DEFAULT);
	assert_string_equal(dc.dc_name, "DC0");
	assert_int_equal(dvk_getdcinfo(DC + 1, &dc), EDVSDCNOTRUN);
	assert_int_equal(dvk_getdcinfo(NR_DCS, &dc), EDVSBADDCID);
	assert_int_equal(dvk_getprocinfo(DC, TESTER, &proc), 0);
	assert_int_equal(proc.p_lpid, getpid());
	assert_int_equal(proc.p_rts_flags, 0);
	assert_int_equal(proc.p_getfrom, NONE);
	assert_int_equal(dvk_getprocinfo(DC, PARTY, &proc), 0);
	assert_int_equal(proc.p_rts_flags, SLOT_FREE);
	assert_int_equal(dvk_getprocinfo(DC, NR_PROCS, &proc), EDVSBADPROC);
}

static void test_no_node(void **state)
{
	dvs_usr_t dvs;

	(void)state;
	dvk_close();
	test_runtime_new();
	assert_int_equal(dvk_open(), EDVSDVSINIT);
	assert_int_equal(dvk_getdvsinfo(&dvs), EDVSDVSINIT);
	assert_int_equal(dvk_bind(DC, TESTER), EDVSDVSINIT);
}

/* What cannot be an endpoint says so also where the node is not even asked. */
static void test_error_is_no_endpoint(void **state)
{
	char directory[TEST_PATH_SIZE];

	(void)state;
	dvk_close();
	test_path(directory, "session");
	assert_int_equal(mkdir(directory, 0700), 0);
	assert_int_equal(setenv("XDG_RUNTIME_DIR", directory, 1), 0);
	assert_int_equal(unsetenv("DVK_RUNTIME_DIR"), 0);
	test_path(directory, "session/dvk");
	assert_int_equal(mkdir(directory, 0700), 0);
	assert_int_equal(chmod(directory, 0777), 0);
	assert_int_equal(dvk_open(), EDVSACCES);
	/* An empty one is none, and does not make the other trusted. */
	assert_int_equal(setenv("DVK_RUNTIME_DIR", "", 1), 0);
	assert_int_equal(dvk_open(), EDVSACCES);
	assert_true(dvk_bind(DC, TESTER) < EDVSERRCODE);
	assert_true(dvk_tbind(DC, TESTER) < EDVSERRCODE);
	assert_true(dvk_getep(getpid()) < EDVSERRCODE);
	assert_true(dvk_wait4bindep_T(TESTER, 0) < EDVSERRCODE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define IPC_TEST(name) cmocka_unit_test_setup_teardown(name, ipc_setup, ipc_teardown)
		IPC_TEST(test_bind_errors),
		IPC_TEST(test_first_user_endpoint),
		IPC_TEST(test_lclbind),
		IPC_TEST(test_thread_bind),
		IPC_TEST(test_fork),
		IPC_TEST(test_fork_during_calls),
		IPC_TEST(test_close_after_fork),
		IPC_TEST(test_waits),
		IPC_TEST(test_wait_for_a_task),
		IPC_TEST(test_information),
		IPC_TEST(test_no_node),
		IPC_TEST(test_error_is_no_endpoint),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
