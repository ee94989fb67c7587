// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The waits of a caller that must not sleep for long (a guest's kernel), where others want the processors: they sleep
 * for a moment instead of spinning. When that is so is decided in dvk_spin.c, and tested in unit/test_spin.c.
 */
#include <string.h>
#include <unistd.h>

#include "dvk_client.h"
#include "dvk_runtime.h"
#include "ipc_fixture.h"

#define SPIN_NS 1000

static struct dvk_client client;

/* Connects `client` beside the test's own endpoint, in a crowd that does not end. */
static void open_client(void)
{
	char path[108];

	dvk_client_init(&client);
	assert_int_equal(dvk_runtime_socket(path, sizeof(path)), 0);
	assert_int_equal(dvk_client_open(&client, path), 0);
	assert_int_equal(dvk_client_bind(&client, USERMODE_BIND, DC, 0, USER), USER);
	client.spin.crowd_end = INT64_MAX;
}

/* Takes a request, waits until TESTER says so, and answers. */
static void answer_when_told(void *argument)
{
	message request, told;

	(void)argument;
	EXPECT_RC(dvk_wait4bindep_T(USER, LONG_MS), USER);
	EXPECT_RC(dvk_receive_T(USER, &request, LONG_MS), 0);
	EXPECT_RC(dvk_receive_T(TESTER, &told, LONG_MS), 0);
	request.m_type++;
	EXPECT_RC(dvk_reply(USER, &request), 0);
}

/* Takes a request and dies of what TESTER sends. */
static void die_when_told(void *argument)
{
	message request, told;

	(void)argument;
	EXPECT_RC(dvk_wait4bindep_T(USER, LONG_MS), USER);
	EXPECT_RC(dvk_receive_T(USER, &request, LONG_MS), 0);
	EXPECT_RC(dvk_receive_T(TESTER, &told, LONG_MS), 0);
	_exit(0);
}

/* The result of a request that the party answers, or not, once it has been waited for in vain. */
static int ask_and_tell(message *answer)
{
	message msg = { .m_type = 40 };
	int rc;

	assert_int_equal(dvk_wait4bindep_T(PARTY, LONG_MS), PARTY);
	assert_int_equal(dvk_client_sendrec_begin(&client, PARTY, &msg), 0);
	for (int i = 0; i < 10; i++)
		assert_int_equal(dvk_client_sendrec_finish(&client, answer, SPIN_NS, TIMEOUT_NOWAIT), EDVSAGAIN);
	assert_int_equal(dvk_send_T(PARTY, &msg, LONG_MS), 0);
	do {
		rc = dvk_client_sendrec_finish(&client, answer, SPIN_NS, TIMEOUT_NOWAIT);
	} while (rc == EDVSAGAIN);
	return rc;
}

static void test_answer(void **state)
{
	int party = party_start(PARTY, answer_when_told, NULL);
	message answer;

	(void)state;
	open_client();
	assert_int_equal(ask_and_tell(&answer), 0);
	assert_int_equal(answer.m_type, 41);
	assert_int_equal(answer.m_source, PARTY);
	party_join(party);
	dvk_client_close(&client);
}

static void test_death(void **state)
{
	int party = party_start(PARTY, die_when_told, NULL);
	message answer;

	(void)state;
	open_client();
	assert_int_equal(ask_and_tell(&answer), EDVSDEADSRCDST);
	party_join(party);
	dvk_client_close(&client);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_answer, ipc_setup, ipc_teardown),
		cmocka_unit_test_setup_teardown(test_death, ipc_setup, ipc_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
