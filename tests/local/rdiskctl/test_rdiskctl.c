/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rdiskctl against the server's control socket: what is asked, what is printed, how it ends. What it does without a
 * server is in test_rdiskctl_alone.c.
 */
#include "rdiskctl_fixture.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include <cJSON.h>

#include "coarse_clock.h"

static void test_status(void **state)
{
	struct control_status *status = &shared->status;

	(void)state;
	assert_int_equal(ASK("status"), 0);
	assert_output("set main, epoch 12, generation 1, 00000000-");
	assert_output("primary b, serving\n");
	assert_output("a                    1  backup    in-sync    this host     nothing\n");
	assert_output("c                    3  diskless  -          connected     -\n");
	assert_output("    0  disk             1.5 GiB     id-1\n");
	assert_no_output("to do");

	status->members[1].connected = false;
	status->members[0].state = CONTROL_STATE_RESYNCING;
	status->members[0].out_of_sync = 600ull << 20;
	status->members[0].resync =
		(struct control_resync){ CONTROL_RESYNC_BITMAP, 424ull << 20, 1ull << 30, 90ull << 20, 150 };
	assert_int_equal(ASK("status"), 4);
	assert_output("600 MiB  424 MiB of 1.0 GiB, 90.0 MiB/s, 2 min left (bitmap)\n");
	assert_output("NOT THERE");
	assert_output("- not there: b. Start rdisk there");
	status->members[1].seen_by = 4;
	status->force_without = 6;
	assert_int_equal(ASK("status"), 4);
	assert_output("LINK DOWN");
	assert_output("- the connection between a and b is down, and no more than that: b is there, and seen by c.");
	assert_no_output("Start rdisk there");
	assert_output("ordered: force-primary --dead b,c, given here");
	status->members[1].seen_by = status->force_without = 0;
	status->members[1].connected = true;
	assert_int_equal(ASK("status"), 4);
	assert_output("- nothing: who is not in sync is brought up");
	status->resync_paused = true;
	assert_int_equal(ASK("status"), 4);
	assert_output("- bringing up is paused: rdiskctl resume-resync");
	status->members[0].state = CONTROL_STATE_EXCLUDED;
	assert_int_equal(ASK("status"), 4);
	assert_output("- excluded: a.");
}

static void test_status_not_serving(void **state)
{
	struct control_status *status = &shared->status;

	(void)state;
	status->serving = status->quorate = false;
	status->primary = REPLICATION_NO_MEMBER;
	status->members[1].connected = status->members[2].connected = false;
	snprintf(status->blocked, sizeof(status->blocked),
		 "2 of 3 members must be seen to know the newest configuration; seen: a");
	snprintf(status->members[1].link, sizeof(status->members[1].link), "it refuses the key");
	assert_int_equal(ASK("status"), 5);
	assert_output("  b: it refuses the key\n");
	status->members[1].answers = true;
	assert_int_equal(ASK("status"), 5);
	assert_output("REFUSED");
	assert_output("- b is there, and does not get on with this member: it refuses the key. Mend that;");
	assert_output("not seen: c. Start rdisk there");
	assert_output("rdiskctl force-primary --dead c --yes");
	status->members[1].answers = false;
	status->members[1].link[0] = '\0';
	/* Of five, say: who is seen by one that is seen is neither started nor given up. */
	status->members[1].seen_by = 1;
	assert_int_equal(ASK("status"), 5);
	assert_output("rdiskctl force-primary --dead c --yes");
	status->members[1].seen_by = 0;
	assert_int_equal(ASK("status"), 5);
	assert_output("primary none, NOT SERVING\n");
	assert_output("waits: 2 of 3 members must be seen to know the newest configuration; seen: a\n");
	assert_output("- 2 of 3 members must be seen to serve; seen: a; not seen: b, c. Start rdisk there");
	assert_output("rdiskctl force-primary --dead b,c --yes");
	/* Before a set has begun nobody has a copy that could be taken. */
	status->epoch = 0;
	assert_int_equal(ASK("status"), 5);
	assert_no_output("force-primary");
	status->epoch = 1;
	/* The diskless one is no reason to wait for. */
	status->quorate = status->serving = true;
	status->members[1].connected = true;
	status->primary = 1;
	assert_int_equal(ASK("status"), 4);
	assert_output("- not there: c.");

	status->born = status->serving = false;
	status->blocked[0] = '\0';
	assert_int_equal(ASK("status"), 5);
	assert_output("set main: not born, or not known here yet\n");
}

static void test_status_json(void **state)
{
	cJSON *object;

	(void)state;
	assert_int_equal(ASK_JSON("status"), 0);
	object = cJSON_Parse(process.output.text);
	assert_string_equal(cJSON_GetStringValue(cJSON_GetObjectItem(object, "primary")), "b");
	assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(object, "members")), 3);
	cJSON_Delete(object);
	shared->status.members[1].state = CONTROL_STATE_OUTDATED;
	assert_int_equal(ASK_JSON("status"), 4);
	shared->status.serving = false;
	assert_int_equal(ASK_JSON("status"), 5);
}

/* It looks again and again, says that the server is gone, and goes on with the next one. */
static void test_watch(void **state)
{
	const char *const arguments[] = { "/bin/sh", "-c",	  "exec \"$@\" >&2", "sh",	RDISKCTL_PROGRAM,
					  "-s",	     socket_path, "status",	     "--watch", NULL };

	(void)state;
	test_process_start(&process, arguments, NULL);
	assert_true(test_process_wait_log_times(&process, "primary b, serving", 2, TEST_TIMEOUT_MS));
	stop_server();
	assert_true(test_process_wait_log(&process, "rdiskctl: error: ", TEST_TIMEOUT_MS));
	shared->status.epoch = 13;
	start_server();
	assert_true(test_process_wait_log(&process, "epoch 13", TEST_TIMEOUT_MS));
	assert_int_equal(test_process_stop(&process, SIGTERM), 128 + SIGTERM);
}

/* ---- orders ---- */

static void test_orders(void **state)
{
	(void)state;
	assert_int_equal(ASK("force-primary", "--dead", "b,3", "--yes"), 0);
	assert_string_equal(shared->what, "force 6");
	assert_string_equal(process.output.text, "");
	assert_int_equal(ASK("invalidate", "--yes", "b"), 0);
	assert_string_equal(shared->what, "invalidate 1");
	assert_int_equal(ASK("init", "--from", "a"), 0);
	assert_string_equal(shared->what, "init 0");
	assert_int_equal(ASK("pause-resync"), 0);
	assert_string_equal(shared->what, "pause");
	assert_int_equal(ASK_JSON("resume-resync"), 0);
	assert_string_equal(shared->what, "resume");
	assert_string_equal(process.output.text, "{\"result\":\"done\"}\n");

	shared->code = -EAGAIN;
	snprintf(shared->why, sizeof(shared->why), "give it to the primary, b");
	assert_int_equal(ASK("promote", "a"), 1);
	assert_complaint("give it to the primary, b");
	assert_int_equal(ASK_JSON("promote", "a"), 1);
	assert_json_error("not-now", "give it to the primary, b");
	assert_int_equal(ASK_JSON("promote", "d"), 1);
	assert_json_error("bad-request", "\"d\"");
	assert_int_equal(ASK("force-primary", "--dead", ",", "--yes"), 1);
	assert_complaint("which members are dead");
	for (int i = 0; i < 7; i++)
		await_server('o');
}

static void test_promote_waits(void **state)
{
	(void)state;
	shared->code = CONTROL_LATER;
	start((const char *const[]){ "-s", socket_path, "promote", "b", NULL });
	await_server('o');
	assert_string_equal(shared->what, "promote 1");
	tell_server("a");
	assert_true(test_process_wait_end(&process, TEST_TIMEOUT_MS));
	assert_int_equal(test_process_exit_code(&process), 0);
	assert_string_equal(process.output.text, "b serves\n");

	/* The server dies meanwhile. */
	start((const char *const[]){ "-s", socket_path, "promote", "b", NULL });
	await_server('o');
	stop_server();
	assert_true(test_process_wait_end(&process, TEST_TIMEOUT_MS));
	assert_int_equal(test_process_exit_code(&process), 3);
	assert_complaint("has ended the connection");
}

/* The order says how long it may take, and what it waits for is said when it takes longer. */
static void test_timeout(void **state)
{
	(void)state;
	shared->code = CONTROL_LATER;
	start((const char *const[]){ "-s", socket_path, "--json", "promote", "--timeout", "5", "b", NULL });
	await_server('o');
	assert_int_equal(shared->timeout, 5 * NS_PER_SECOND);
	tell_server("l");
	assert_true(test_process_wait_end(&process, TEST_TIMEOUT_MS));
	assert_int_equal(test_process_exit_code(&process), 1);
	assert_json_error("timeout", "b does not serve after 5 s: a is still the primary");

	shared->code = 0;
	assert_int_equal(ASK("force-primary", "--dead", "b", "--yes"), 0);
	assert_int_equal(shared->timeout, 60 * NS_PER_SECOND);
	assert_int_equal(ASK("force-primary", "--dead", "b", "--yes", "-t", "0"), 0);
	assert_int_equal(shared->timeout, 0);
	assert_int_equal(ASK("invalidate", "-t", "7", "b", "--yes"), 0);
	assert_int_equal(ASK("init", "-t", "7", "--from", "a"), 0);
}

static void test_events(void **state)
{
	const char *const arguments[] = { "/bin/sh", "-c",	  "exec \"$@\" >&2", "sh", RDISKCTL_PROGRAM,
					  "-s",	     socket_path, "events",	     NULL };

	(void)state;
	test_process_start(&process, arguments, NULL);
	/* Until it has subscribed nobody hears them. */
	for (int i = 0; !strstr(process.log.text, "\"event\":\"epoch\""); i++) {
		assert_true(i < TEST_TIMEOUT_MS / 10);
		tell_server("e");
		(void)test_process_wait_log(&process, "\"event\":\"epoch\"", 10);
	}
	assert_non_null(strstr(process.log.text, "\"epoch\":7,\"node\":2,\"name\":\"b\",\"text\":\"text\"}\n"));
	assert_null(strstr(process.log.text, "subscribed"));
	stop_server();
	assert_true(test_process_wait_end(&process, TEST_TIMEOUT_MS));
	assert_int_equal(test_process_exit_code(&process), 3);
}

static void test_no_server(void **state)
{
	(void)state;
	stop_server();
	/* It was killed: its socket is there. */
	assert_int_equal(ASK("status"), 3);
	assert_complaint("no server listens at ");
	assert_int_equal(ASK_JSON("promote", "b"), 3);
	assert_json_error("no-server", "no server listens at ");
	assert_int_equal(RUN("-s", "/nowhere", "events"), 3);
	assert_complaint("-s SOCKET or -c FILE");
}

/* One that is stopped accepts nobody, and there can be no more who wait for that. */
static void test_server_accepts_nobody(void **state)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), waiting[2], count = 0;
	char path[TEST_PATH_SIZE];

	(void)state;
	test_path(path, "silent");
	if (snprintf(address.sun_path, sizeof(address.sun_path), "%s", path) >= (int)sizeof(address.sun_path))
		test_fatal("%s: too long", path);
	assert_true(listener >= 0);
	assert_int_equal(bind(listener, (const struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(listener, 0), 0);
	do {
		assert_in_range(count, 0, 1);
		waiting[count] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		assert_true(waiting[count] >= 0);
	} while (!connect(waiting[count++], (const struct sockaddr *)&address, sizeof(address)));
	assert_int_equal(errno, EAGAIN);
	assert_int_equal(RUN("-s", path, "status"), 3);
	assert_complaint("does not answer");
	while (count > 0)
		close(waiting[--count]);
	close(listener);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_status, rdiskctl_setup, rdiskctl_teardown),
		cmocka_unit_test_setup_teardown(test_status_not_serving, rdiskctl_setup, rdiskctl_teardown),
		cmocka_unit_test_setup_teardown(test_status_json, rdiskctl_setup, rdiskctl_teardown),
		cmocka_unit_test_setup_teardown(test_watch, rdiskctl_setup, rdiskctl_teardown),
		cmocka_unit_test_setup_teardown(test_orders, rdiskctl_setup, rdiskctl_teardown),
		cmocka_unit_test_setup_teardown(test_promote_waits, rdiskctl_setup, rdiskctl_teardown),
		cmocka_unit_test_setup_teardown(test_timeout, rdiskctl_setup, rdiskctl_teardown),
		cmocka_unit_test_setup_teardown(test_events, rdiskctl_setup, rdiskctl_teardown),
		cmocka_unit_test_setup_teardown(test_no_server, rdiskctl_setup, rdiskctl_teardown),
		cmocka_unit_test_setup_teardown(test_server_accepts_nobody, rdiskctl_setup, rdiskctl_teardown),
	};

	rdiskctl_begin();
	return cmocka_run_group_tests_name("rdiskctl", tests, NULL, NULL);
}
