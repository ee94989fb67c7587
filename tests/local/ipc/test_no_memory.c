// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A kernel that has no memory for sleeping on several words (futex_waitv), played by a filter of system calls: who
 * waits gets along without for a while, and learns of it when it goes on.
 */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "ipc_fixture.h"

#define SHORT_MS 100

/* From now on this process gets ENOMEM from futex_waitv. */
static void lose_memory(void)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_futex_waitv, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOMEM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { sizeof(filter) / sizeof(filter[0]), filter };

	EXPECT(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	EXPECT(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0);
}

static void served_without(void *argument)
{
	message msg = { .m_type = 1 };

	(void)argument;
	lose_memory();
	EXPECT_RC(dvk_receive_T(ANY, &msg, SHORT_MS), EDVSTIMEDOUT);
	EXPECT_RC(dvk_sendrec_T(TESTER, &msg, LONG_MS), 0);
	EXPECT(msg.m_type == 2);
}

static void test_wait_without_memory(void **state)
{
	int pid = party_start(PARTY, served_without, NULL);
	message msg;

	(void)state;
	assert_int_equal(dvk_receive_T(ANY, &msg, LONG_MS), 0);
	assert_int_equal(msg.m_source, PARTY);
	/* It waits by now, or will: either way it has to notice. */
	wait_blocked(PARTY, SENDING | RECEIVING);
	msg.m_type = 2;
	assert_int_equal(dvk_reply(PARTY, &msg), 0);
	party_join(pid);
}

static void gives_up(void *argument)
{
	message msg;

	(void)argument;
	lose_memory();
	EXPECT_RC(dvk_receive_T(ANY, &msg, LONG_MS), EDVSNOMEM);
}

static void test_no_memory_for_long(void **state)
{
	(void)state;
	party_join(party_start(PARTY, gives_up, NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_wait_without_memory, ipc_setup, ipc_teardown),
		cmocka_unit_test_setup_teardown(test_no_memory_for_long, ipc_setup, ipc_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
