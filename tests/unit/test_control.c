/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What lines come to over the control socket: the status, orders and what they are answered, lines that are wrong, in
 * parts, or too long. Clients and the socket's file are in test_control_clients.c.
 */
#include "control_test.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "coarse_clock.h"

static void test_status(void **state)
{
	int fd = connect_client();

	(void)state;
	fake.status = (struct control_status){
		.born = true,
		.uuid = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 255 },
		.generation = 2,
		.generation_id = 0xfeu,
		.epoch = 9007199254740993u, /* no double */
		.primary = 1,
		.serving = true,
		.quorate = true,
		.members = { { true,
			       CONTROL_ROLE_BACKUP,
			       CONTROL_STATE_RESYNCING,
			       4096,
			       { CONTROL_RESYNC_BITMAP, 1, 2, 3, CONTROL_UNKNOWN },
			       "",
			       false,
			       0 },
			     { true, CONTROL_ROLE_PRIMARY, CONTROL_STATE_IN_SYNC, 0, { 0 }, "", false, 0 },
			     { false,
			       CONTROL_ROLE_DISKLESS,
			       CONTROL_STATE_UNKNOWN,
			       CONTROL_UNKNOWN,
			       { 0 },
			       "",
			       true,
			       3 } },
		.force_without = 5,
		.state_writes = 77,
		.nr_devices = 1,
		.devices = { { 4, "disk", "id-1", 1ull << 40 } },
	};
	say(fd, "{\"command\":\"status\"}\n");
	assert_heard(fd,
		     "{\"version\":1,\"set\":\"main\",\"uuid\":\"00010203-0405-0607-0809-0a0b0c0d0eff\","
		     "\"generation\":2,\"generation_id\":\"00000000000000fe\",\"epoch\":9007199254740993,\"node\":1,"
		     "\"name\":\"a\",\"primary\":\"b\",\"serving\":true,\"quorate\":true,\"blocked\":null,"
		     "\"min_in_sync\":1,\"resync_paused\":false,\"state_writes\":77,\"force_without\":[\"a\",\"c\"],"
		     "\"members\":["
		     "{\"name\":\"a\",\"node\":1,\"diskless\":false,\"connected\":true,\"role\":\"backup\","
		     "\"state\":\"resyncing\",\"out_of_sync_bytes\":4096,\"resync\":{\"kind\":\"bitmap\","
		     "\"done_bytes\":1,\"total_bytes\":2,\"bytes_per_s\":3,\"seconds_left\":null}},"
		     "{\"name\":\"b\",\"node\":11,\"diskless\":false,\"connected\":true,\"role\":\"primary\","
		     "\"state\":\"in-sync\",\"out_of_sync_bytes\":0,\"resync\":null},"
		     "{\"name\":\"c\",\"node\":21,\"diskless\":true,\"connected\":false,\"role\":\"diskless\","
		     "\"state\":\"unknown\",\"out_of_sync_bytes\":null,\"resync\":null,\"answers\":true,\"seen_by\":["
		     "\"a\",\"b\"]}],"
		     "\"devices\":[{\"minor\":4,\"name\":\"disk\",\"size\":1099511627776,\"id\":\"id-1\"}]}\n");
	close(fd);
}

static void test_status_before_birth(void **state)
{
	int fd = connect_client();
	const char *text;

	(void)state;
	fake.status.epoch = 5; /* does not count */
	snprintf(fake.status.blocked, sizeof(fake.status.blocked), "%s", "2 of 3 \"\xc3\xa9\xff\"\n");
	say(fd, "{\"command\":\"status\"}\n");
	text = heard(fd);
	assert_non_null(strstr(text, "\"uuid\":null,\"generation\":0,"));
	assert_non_null(strstr(text, "\"epoch\":0,"));
	assert_non_null(strstr(text, "\"primary\":null,\"serving\":false,\"quorate\":false,"));
	assert_non_null(strstr(text, "\"blocked\":\"2 of 3 \\\"\xc3\xa9?\\\"\\n\""));
	close(fd);
}

static void test_line_of_status(void **state)
{
	char text[256], cut[8];

	(void)state;
	control_status_line(&replication, &fake.status, text, sizeof(text));
	assert_string_equal(text, "no primary, 0 of 2 in sync, 0 of 3 connected");
	fake.status.born = fake.status.serving = true;
	fake.status.epoch = 7;
	fake.status.primary = 1;
	fake.status.members[1] = (struct control_member){ .connected = true, .state = CONTROL_STATE_IN_SYNC };
	fake.status.members[2] = fake.status.members[1];
	control_status_line(&replication, &fake.status, text, sizeof(text));
	assert_string_equal(text, "primary b, 1 of 2 in sync, 2 of 3 connected, epoch 7");
	fake.status.serving = false;
	snprintf(fake.status.blocked, sizeof(fake.status.blocked), "%s", "why");
	control_status_line(&replication, &fake.status, text, sizeof(text));
	assert_string_equal(text, "primary b does not serve, 1 of 2 in sync, 2 of 3 connected, epoch 7: why");
	control_status_line(&replication, &fake.status, cut, sizeof(cut));
	assert_string_equal(cut, "primary");
}

static void assert_obeyed(int fd, const char *line, const char *what, int member, unsigned int dead)
{
	fake.what[0] = '\0';
	say(fd, line);
	assert_heard(fd, DONE);
	assert_string_equal(fake.what, what);
	assert_int_equal(fake.member, member);
	assert_int_equal(fake.dead, dead);
	assert_int_equal(fake.now, NOW);
}

static void test_orders(void **state)
{
	int fd = connect_client();
	uint64_t order;

	(void)state;
	assert_obeyed(fd, "{\"command\":\"promote\",\"node\":\"b\"}\n", "promote", 1, 0);
	order = fake.order;
	assert_obeyed(fd, "{\"command\":\"promote\",\"node\":21}\n", "promote", 2, 0);
	assert_true(fake.order > order && order > 0);
	assert_obeyed(fd, "{\"command\":\"promote\",\"node\":\"11\"}\n", "promote", 1, 0);
	assert_obeyed(fd, "{\"command\":\"force-primary\",\"dead\":[\"b\",21]}\n", "force", -1, 6);
	assert_obeyed(fd, "{\"command\":\"invalidate\",\"node\":\"a\"}\n", "invalidate", 0, 0);
	assert_obeyed(fd, "{\"command\":\"init\",\"from\":\"a\"}\r\n", "init", 0, 0);
	assert_obeyed(fd, "{\"command\":\"pause-resync\"}\n", "pause", -1, 0);
	assert_obeyed(fd, " { \"command\" : \"resume-resync\", \"more\": 1 } \n", "resume", -1, 0);

	fake.why = "b serves";
	say(fd, "{\"command\":\"promote\",\"node\":\"b\"}\n");
	assert_heard(fd, "{\"result\":\"done\",\"message\":\"b serves\"}\n");
	fake.at_once = true;
	say(fd, "{\"command\":\"promote\",\"node\":\"b\"}\n");
	assert_heard(fd, "{\"result\":\"done\",\"message\":\"b serves\"}\n");
	fake.code = -EINVAL;
	assert_error(fd, "{\"command\":\"pause-resync\"}\n", "refused", "b serves");
	fake.at_once = false;
	fake.why = NULL;
	assert_error(fd, "{\"command\":\"pause-resync\"}\n", "refused", strerror(EINVAL));
	fake.code = -EAGAIN;
	fake.why = "not yet";
	assert_error(fd, "{\"command\":\"pause-resync\"}\n", "not-now", "not yet");
	fake.code = -EIO;
	assert_error(fd, "{\"command\":\"pause-resync\"}\n", "failed", "not yet");
	close(fd);
}

/* How long an order may take: its own time, or what is usual. */
static void test_timeout(void **state)
{
	int fd = connect_client();

	(void)state;
	assert_obeyed(fd, "{\"command\":\"promote\",\"node\":\"b\"}\n", "promote", 1, 0);
	assert_int_equal(fake.timeout, 60 * NS_PER_SECOND);
	assert_obeyed(fd, "{\"command\":\"promote\",\"node\":\"b\",\"timeout\":7}\n", "promote", 1, 0);
	assert_int_equal(fake.timeout, 7 * NS_PER_SECOND);
	assert_obeyed(fd, "{\"command\":\"force-primary\",\"dead\":[\"b\"],\"timeout\":0}\n", "force", -1, 2);
	assert_int_equal(fake.timeout, 0);
	assert_obeyed(fd, "{\"command\":\"force-primary\",\"dead\":[\"b\"],\"timeout\":1000000}\n", "force", -1, 2);
	assert_int_equal(fake.timeout, 1000000 * NS_PER_SECOND);
	fake.code = -ETIMEDOUT;
	fake.why = "b does not serve after 7 s";
	assert_error(fd, "{\"command\":\"promote\",\"node\":\"b\"}\n", "timeout", "b does not serve after 7 s");
	close(fd);
}

static void test_bad_lines(void **state)
{
	static const char *const timeouts[] = { "-1", "0.5", "1000001", "1e99", "\"7\"", "null", "true" };
	char line[128];
	int fd = connect_client();

	(void)state;
	assert_error(fd, "\n", "bad-request", "a JSON object");
	assert_error(fd, "status\n", "bad-request", "a JSON object");
	assert_error(fd, "[\"status\"]\n", "bad-request", "a JSON object");
	assert_error(fd, "{\"command\":1}\n", "bad-request", "a JSON object");
	assert_error(fd, "{\"Command\":\"status\"}\n", "bad-request", "a JSON object");
	assert_error(fd, "{\"command\":\"destroy\"}\n", "bad-request", "unknown command \"destroy\"");
	assert_error(fd, "{\"command\":\"promote\"}\n", "bad-request", "name");
	assert_error(fd, "{\"command\":\"promote\",\"node\":true}\n", "bad-request", "name");
	assert_error(fd, "{\"command\":\"promote\",\"node\":1.5}\n", "bad-request", "the number 1.5");
	assert_error(fd, "{\"command\":\"promote\",\"node\":2}\n", "bad-request",
		     "promote: no member of set main has the number 2; its members: ");
	assert_error(fd, "{\"command\":\"promote\",\"node\":1e99}\n", "bad-request", "the number 1e+99");
	assert_error(fd, "{\"command\":\"promote\",\"node\":\"d\"}\n", "bad-request", "is \"d\"");
	assert_error(fd, "{\"command\":\"promote\",\"node\":\"99999999999999999999\"}\n", "bad-request", "is \"9999");
	assert_error(fd, "{\"command\":\"promote\",\"node\":\"\"}\n", "bad-request", "is \"\"");
	assert_error(fd, "{\"command\":\"force-primary\"}\n", "bad-request", "which members are dead");
	assert_error(fd, "{\"command\":\"force-primary\",\"dead\":[]}\n", "bad-request", "which members are dead");
	assert_error(fd, "{\"command\":\"force-primary\",\"dead\":\"b\"}\n", "bad-request", "which members are dead");
	assert_error(fd, "{\"command\":\"force-primary\",\"dead\":[\"b\",\"d\"]}\n", "bad-request", "is \"d\"");
	assert_error(fd, "{\"command\":\"force-primary\",\"dead\":[\"a\"]}\n", "bad-request", "cannot be dead");
	for (size_t i = 0; i < sizeof(timeouts) / sizeof(timeouts[0]); i++) {
		snprintf(line, sizeof(line), "{\"command\":\"promote\",\"node\":\"b\",\"timeout\":%s}\n", timeouts[i]);
		assert_error(fd, line, "bad-request", "a whole number of seconds from 0 to 1000000");
	}
	assert_string_equal(fake.what, "");
	close(fd);
}

static void test_parts_of_lines(void **state)
{
	static const char line[] = "{\"command\":\"pause-resync\"}\n";
	static char long_line[2 * CONTROL_LINE_MAX];
	int fd = connect_client();

	(void)state;
	for (size_t i = 0; i + 1 < sizeof(line); i++) {
		const char byte[2] = { line[i], '\0' };

		assert_heard(fd, "");
		say(fd, byte);
	}
	assert_heard(fd, DONE);
	/* One and a half. */
	say(fd, "{\"command\":\"pause-resync\"}\n{\"command\":");
	assert_heard(fd, DONE);
	say(fd, "\"resume-resync\"}\n");
	assert_heard(fd, DONE);
	assert_string_equal(fake.what, "resume");
	close(fd);

	/* As long as it may be, and one more. */
	fd = connect_client();
	snprintf(long_line, sizeof(long_line), "%-*s\n", CONTROL_LINE_MAX - 1, "{\"command\":\"pause-resync\"}");
	say(fd, long_line);
	assert_heard(fd, DONE);
	snprintf(long_line, sizeof(long_line), "%-*s\n", CONTROL_LINE_MAX, "{\"command\":\"pause-resync\"}");
	assert_error(fd, long_line, "bad-request", "longer");
	assert_null(heard(fd));
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_status, control_setup, control_teardown),
		cmocka_unit_test_setup_teardown(test_status_before_birth, control_setup, control_teardown),
		cmocka_unit_test_setup_teardown(test_line_of_status, control_setup, control_teardown),
		cmocka_unit_test_setup_teardown(test_orders, control_setup, control_teardown),
		cmocka_unit_test_setup_teardown(test_timeout, control_setup, control_teardown),
		cmocka_unit_test_setup_teardown(test_bad_lines, control_setup, control_teardown),
		cmocka_unit_test_setup_teardown(test_parts_of_lines, control_setup, control_teardown),
	};

	test_directory();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
