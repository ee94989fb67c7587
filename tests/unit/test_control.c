/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The control socket over a table of functions that do what the test says: what each line becomes and is answered,
 * answers that come later, clients that are slow, gone, too many or talk nonsense, and the socket's file. The clients
 * are in this process too: what one sends is there when the socket's turn comes.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include <cJSON.h>

#include "coarse_clock.h"
#include "control.h"
#include "test_directory.h"

#define NOW	    4711u
#define ANSWER_SIZE 65536

static char path[TEST_PATH_SIZE];
static struct replication_configuration replication;
static struct control *control;

/* What the table was asked last, and what it says. */
static struct {
	char what[32];
	int member;
	unsigned int dead;
	uint64_t order, now, timeout;
	int code;
	const char *why;
	bool at_once; /* it answers in the call, and returns CONTROL_LATER */
	struct control_status status;
} fake;

static int fake_order(const char *what, uint64_t now, uint64_t order, int member, unsigned int dead,
		      struct diagnostic *why)
{
	snprintf(fake.what, sizeof(fake.what), "%s", what);
	fake.now = now;
	fake.order = order;
	fake.member = member;
	fake.dead = dead;
	if (fake.why)
		diagnostic_set(why, "%s", fake.why);
	if (!fake.at_once)
		return fake.code;
	control_answer(control, order, fake.code, fake.why);
	return CONTROL_LATER;
}

static void fake_status(void *user, uint64_t now, struct control_status *status)
{
	assert_ptr_equal(user, &fake);
	assert_int_equal(now, NOW);
	*status = fake.status;
}

static int fake_promote(void *user, uint64_t now, uint64_t order, int member, uint64_t timeout, struct diagnostic *why)
{
	(void)user;
	fake.timeout = timeout;
	return fake_order("promote", now, order, member, 0, why);
}

static int fake_force(void *user, uint64_t now, uint64_t order, unsigned int dead, uint64_t timeout,
		      struct diagnostic *why)
{
	(void)user;
	fake.timeout = timeout;
	return fake_order("force", now, order, -1, dead, why);
}

static int fake_invalidate(void *user, uint64_t now, uint64_t order, int member, struct diagnostic *why)
{
	(void)user;
	return fake_order("invalidate", now, order, member, 0, why);
}

static int fake_init(void *user, uint64_t now, uint64_t order, int from, struct diagnostic *why)
{
	(void)user;
	return fake_order("init", now, order, from, 0, why);
}

static int fake_pause(void *user, uint64_t now, uint64_t order, struct diagnostic *why)
{
	(void)user;
	return fake_order("pause", now, order, -1, 0, why);
}

static int fake_resume(void *user, uint64_t now, uint64_t order, struct diagnostic *why)
{
	(void)user;
	return fake_order("resume", now, order, -1, 0, why);
}

static const struct control_orders orders = {
	.status = fake_status,
	.promote = fake_promote,
	.force = fake_force,
	.invalidate = fake_invalidate,
	.init = fake_init,
	.pause_resync = fake_pause,
	.resume_resync = fake_resume,
};

/* A set of three, the third diskless; this is the first. */
static int setup(void **state)
{
	struct diagnostic diagnostic = { "" };

	(void)state;
	test_path(path, "control");
	replication =
		(struct replication_configuration){ .nr_members = 3, .self = 0, .control = path, .min_in_sync = 1 };
	snprintf(replication.set, sizeof(replication.set), "main");
	for (int i = 0; i < 3; i++) {
		replication.members[i] = (struct replication_member){ .node = 10 * i + 1, .diskless = i == 2 };
		replication.members[i].name[0] = (char)('a' + i);
	}
	memset(&fake, 0, sizeof(fake));
	fake.status.primary = REPLICATION_NO_MEMBER;
	if (control_open(&control, &replication, &orders, &fake, &diagnostic))
		test_fatal("%s", diagnostic.text);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	control_close(control);
	control = NULL;
	return 0;
}

static struct sockaddr_un address_of_socket(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	if (snprintf(address.sun_path, sizeof(address.sun_path), "%s", path) >= (int)sizeof(address.sun_path))
		test_fatal("%s: too long", path);
	return address;
}

static int connect_client(void)
{
	struct sockaddr_un address = address_of_socket();
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || connect(fd, (const struct sockaddr *)&address, sizeof(address)))
		test_fatal("%s: %s", path, strerror(errno));
	return fd;
}

/* Whether there is something to do. */
static bool ready(void)
{
	struct pollfd descriptor = { .fd = control_descriptor(control), .events = POLLIN };

	return poll(&descriptor, 1, 0) == 1;
}

/* Turns until there is nothing to do any more; it must come to that. */
static void turn(void)
{
	for (int i = 0; ready(); i++) {
		assert_true(i < 100000);
		control_turn(control, NOW);
	}
}

static void say(int fd, const char *text)
{
	assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
	turn();
}

/* What a client has got; NULL: its connection is at its end, and nothing was there. */
static const char *heard(int fd)
{
	static char text[ANSWER_SIZE];
	ssize_t bytes = recv(fd, text, sizeof(text) - 1, MSG_DONTWAIT);

	if (bytes < 0 && errno == EAGAIN)
		bytes = 0;
	else if (bytes <= 0)
		return NULL;
	text[bytes] = '\0';
	return text;
}

static void assert_heard(int fd, const char *expected)
{
	const char *text = heard(fd);

	if (!text)
		fail_msg("the connection has ended");
	else
		assert_string_equal(text, expected);
}

#define DONE "{\"result\":\"done\"}\n"

/* A line is answered with an error of that code, with a text that holds the cause. */
static void assert_error(int fd, const char *line, const char *code, const char *cause)
{
	const char *text;
	cJSON *object;

	say(fd, line);
	text = heard(fd);
	assert_non_null(text);
	object = cJSON_Parse(text);
	if (!object || !cJSON_GetStringValue(cJSON_GetObjectItem(object, "error")) ||
	    strcmp(cJSON_GetStringValue(cJSON_GetObjectItem(object, "error")), code) ||
	    !strstr(cJSON_GetStringValue(cJSON_GetObjectItem(object, "message")), cause))
		fail_msg("%s is not %s, %s", text, code, cause);
	cJSON_Delete(object);
}

/* ---- status ---- */

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
			       { CONTROL_RESYNC_BITMAP, 1, 2, 3, CONTROL_UNKNOWN } },
			     { true, CONTROL_ROLE_PRIMARY, CONTROL_STATE_IN_SYNC, 0, { 0 } },
			     { false, CONTROL_ROLE_DISKLESS, CONTROL_STATE_UNKNOWN, CONTROL_UNKNOWN, { 0 } } },
		.nr_devices = 1,
		.devices = { { 4, "disk", "id-1", 1ull << 40 } },
	};
	say(fd, "{\"command\":\"status\"}\n");
	assert_heard(fd,
		     "{\"version\":1,\"set\":\"main\",\"uuid\":\"00010203-0405-0607-0809-0a0b0c0d0eff\","
		     "\"generation\":2,\"generation_id\":\"00000000000000fe\",\"epoch\":9007199254740993,\"node\":1,"
		     "\"name\":\"a\",\"primary\":\"b\",\"serving\":true,\"quorate\":true,\"blocked\":null,"
		     "\"min_in_sync\":1,\"resync_paused\":false,\"members\":["
		     "{\"name\":\"a\",\"node\":1,\"diskless\":false,\"connected\":true,\"role\":\"backup\","
		     "\"state\":\"resyncing\",\"out_of_sync_bytes\":4096,\"resync\":{\"kind\":\"bitmap\","
		     "\"done_bytes\":1,\"total_bytes\":2,\"bytes_per_s\":3,\"seconds_left\":null}},"
		     "{\"name\":\"b\",\"node\":11,\"diskless\":false,\"connected\":true,\"role\":\"primary\","
		     "\"state\":\"in-sync\",\"out_of_sync_bytes\":0,\"resync\":null},"
		     "{\"name\":\"c\",\"node\":21,\"diskless\":true,\"connected\":false,\"role\":\"diskless\","
		     "\"state\":\"unknown\",\"out_of_sync_bytes\":null,\"resync\":null}],"
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

/* ---- orders ---- */

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

static void test_later(void **state)
{
	int fd = connect_client(), other = connect_client();
	uint64_t order;

	(void)state;
	fake.code = CONTROL_LATER;
	say(fd, "{\"command\":\"promote\",\"node\":\"b\"}\n{\"command\":\"pause-resync\"}\n");
	order = fake.order;
	assert_heard(fd, "");
	assert_string_equal(fake.what, "promote");
	/* Others are served meanwhile. */
	fake.code = 0;
	say(other, "{\"command\":\"resume-resync\"}\n");
	assert_heard(other, DONE);
	/* One that nobody waits for. */
	control_answer(control, order + 100, 0, NULL);
	control_answer(control, 0, 0, NULL);
	assert_heard(fd, "");
	control_answer(control, order, -EAGAIN, "b is gone");
	assert_heard(fd, "{\"error\":\"not-now\",\"message\":\"b is gone\"}\n");
	/* What was sent behind it. */
	turn();
	assert_heard(fd, DONE);
	assert_string_equal(fake.what, "pause");
	/* It is answered once. */
	control_answer(control, order, 0, NULL);
	assert_heard(fd, "");
	close(fd);
	close(other);
}

static void test_clients_that_go(void **state)
{
	int fd = connect_client();

	(void)state;
	/* It says that it has said all, and waits for the answers. */
	fake.code = CONTROL_LATER;
	assert_int_equal(send(fd, "{\"command\":\"promote\",\"node\":\"b\"}\n", 34, 0), 34);
	assert_int_equal(shutdown(fd, SHUT_WR), 0);
	turn();
	assert_heard(fd, "");
	control_answer(control, fake.order, 0, NULL);
	assert_heard(fd, DONE);
	turn();
	assert_null(heard(fd));
	close(fd);

	/* It is gone before its answer. */
	fd = connect_client();
	say(fd, "{\"command\":\"promote\",\"node\":\"b\"}\n");
	assert_true(control_awaited(control, fake.order));
	close(fd);
	turn();
	assert_false(control_awaited(control, fake.order));
	control_answer(control, fake.order, 0, NULL);
	assert_false(ready());

	/* It is gone before it was heard. */
	fake.code = 0;
	fake.what[0] = '\0';
	fd = connect_client();
	assert_int_equal(send(fd, "{\"command\":\"pause-resync\"}\n{\"comma", 35, 0), 35);
	close(fd);
	turn();
	assert_string_equal(fake.what, "pause");
}

/* ---- events ---- */

static void test_events(void **state)
{
	const struct control_member member = { true, CONTROL_ROLE_BACKUP, CONTROL_STATE_IN_SYNC, 0, { 0 } };
	int fd = connect_client(), other = connect_client();
	const char *text;

	(void)state;
	control_event(control, &(struct control_event){ .kind = CONTROL_EVENT_EPOCH, .member = -1 });
	say(fd, "{\"command\":\"events\"}\n");
	assert_heard(fd, "{\"result\":\"subscribed\"}\n");
	turn();
	control_event(control, &(struct control_event){ CONTROL_EVENT_MEMBER, 12, 1, &member, "it is in sync" });
	text = heard(fd);
	assert_int_equal(strncmp(text, "{\"time\":\"20", 11), 0);
	text = strstr(text, "Z\"");
	assert_string_equal(text, "Z\",\"event\":\"member\",\"epoch\":12,\"node\":11,\"name\":\"b\",\"connected\":true,"
				  "\"role\":\"backup\",\"state\":\"in-sync\",\"out_of_sync_bytes\":0,\"resync\":null,"
				  "\"text\":\"it is in sync\"}\n");
	control_event(control, &(struct control_event){ .kind = CONTROL_EVENT_DISK_ERROR, .epoch = 13, .member = -1 });
	assert_non_null(strstr(heard(fd), "\"event\":\"disk-error\",\"epoch\":13,\"node\":1,\"name\":\"a\"}\n"));
	/* What it says is not heard. */
	say(fd, "{\"command\":\"pause-resync\"}\n");
	assert_heard(fd, "");
	assert_string_equal(fake.what, "");
	assert_heard(other, "");
	close(fd);
	turn();
	control_event(control, &(struct control_event){ .kind = CONTROL_EVENT_SPLIT, .member = -1 });
	assert_false(ready());
	close(other);
}

static void test_slow_subscriber(void **state)
{
	static char text[1024];
	int slow = connect_client(), fast = connect_client();
	size_t bytes = 0;
	ssize_t part;

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	say(slow, "{\"command\":\"events\"}\n");
	say(fast, "{\"command\":\"events\"}\n");
	assert_heard(fast, "{\"result\":\"subscribed\"}\n");
	/* Far more than it may keep back, while nobody waits for it. */
	for (int i = 0; i < 4096; i++) {
		control_event(control, &(struct control_event){ CONTROL_EVENT_QUORUM, 1, -1, NULL, text });
		assert_non_null(strstr(heard(fast), "\"quorum\""));
		turn();
	}
	/* It gets what was sent, and then the end. */
	while ((part = recv(slow, text, sizeof(text), 0)) > 0)
		bytes += (size_t)part;
	assert_int_equal(part, 0);
	assert_true(bytes > sizeof(text));
	close(slow);
	close(fast);
}

/* Answers wait for the client; no further line of it is looked at meanwhile. */
static void test_slow_client(void **state)
{
	static const char line[] = "{\"command\":\"status\"}\n";
	int fd = connect_client(), other = connect_client(), lines = 0, answers = 0;
	const char *text;

	(void)state;
	memset(fake.status.blocked, 'x', sizeof(fake.status.blocked) - 1);
	while (send(fd, line, sizeof(line) - 1, MSG_DONTWAIT) == (ssize_t)sizeof(line) - 1)
		lines++;
	turn();
	say(other, "{\"command\":\"pause-resync\"}\n");
	assert_heard(other, DONE);
	assert_true(lines > 100);
	while ((text = heard(fd)) && *text) {
		for (; *text; text++)
			answers += *text == '\n';
		turn();
	}
	assert_non_null(text);
	assert_in_range(answers, lines, lines + 1); /* the last line may have been sent in part */
	close(fd);
	close(other);
}

/* ---- many ---- */

static void test_many_connections(void **state)
{
	int clients[CONTROL_CONNECTIONS_MAX], fd;

	(void)state;
	for (int i = 0; i < CONTROL_CONNECTIONS_MAX; i++) {
		clients[i] = connect_client();
		turn();
	}
	/* The one that was silent for longest makes room. */
	say(clients[0], "{\"command\":\"pause-resync\"}\n");
	assert_heard(clients[0], DONE);
	fd = connect_client();
	turn();
	assert_null(heard(clients[1]));
	close(clients[1]);
	clients[1] = fd;
	/* Nobody does who waits for an answer or for events. */
	fake.code = CONTROL_LATER;
	say(clients[0], "{\"command\":\"promote\",\"node\":\"b\"}\n");
	for (int i = 1; i < CONTROL_CONNECTIONS_MAX; i++) {
		say(clients[i], "{\"command\":\"events\"}\n");
		assert_heard(clients[i], "{\"result\":\"subscribed\"}\n");
	}
	fd = connect_client();
	turn();
	assert_heard(fd, "{\"error\":\"not-now\",\"message\":\"too many others are connected to the control "
			 "socket: end one (rdiskctl status --watch, rdiskctl events), or try again\"}\n");
	assert_null(heard(fd));
	close(fd);
	control_answer(control, fake.order, 0, NULL);
	assert_heard(clients[0], DONE);
	for (int i = 0; i < CONTROL_CONNECTIONS_MAX; i++)
		close(clients[i]);
	turn();
}

/* No descriptor is left: who comes is hung up on, and the loop is not kept busy. */
static void test_no_descriptors(void **state)
{
	struct rlimit before, none;
	int fd = connect_client();

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	none = before;
	none.rlim_cur = (rlim_t)fd + 1;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	turn();
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	assert_null(heard(fd));
	close(fd);
	fd = connect_client();
	say(fd, "{\"command\":\"pause-resync\"}\n");
	assert_heard(fd, DONE);
	close(fd);
}

/* ---- the socket's file ---- */

static void assert_not_opened(const char *cause)
{
	struct diagnostic diagnostic = { "" };
	struct control *second;

	assert_int_equal(control_open(&second, &replication, &orders, &fake, &diagnostic), -1);
	assert_null(second);
	if (!strstr(diagnostic.text, cause))
		fail_msg("\"%s\" has no \"%s\"", diagnostic.text, cause);
}

static void test_file(void **state)
{
	struct sockaddr_un address = address_of_socket();
	struct diagnostic diagnostic = { "" };
	char long_path[200];
	struct stat status;
	int fd;

	(void)state;
	assert_int_equal(stat(path, &status), 0);
	assert_int_equal(status.st_mode, S_IFSOCK | 0600);
	assert_not_opened("another server listens");
	control_close(control);
	control = NULL;
	assert_int_equal(stat(path, &status), -1);

	/* That of a server that was killed. */
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
	close(fd);
	assert_int_equal(control_open(&control, &replication, &orders, &fake, &diagnostic), 0);
	fd = connect_client();
	say(fd, "{\"command\":\"pause-resync\"}\n");
	assert_heard(fd, DONE);
	close(fd);

	/* What is another's by now stays. */
	assert_int_equal(unlink(path), 0);
	fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	close(fd);
	control_close(control);
	control = NULL;
	assert_int_equal(stat(path, &status), 0);
	assert_not_opened("no socket");
	assert_int_equal(stat(path, &status), 0);
	assert_int_equal(unlink(path), 0);

	memset(long_path, 'x', sizeof(long_path));
	long_path[sizeof(long_path) - 1] = '\0';
	replication.control = long_path;
	assert_not_opened("longer than 107 bytes");
	replication.control = "/nowhere/at/all";
	assert_not_opened("No such file");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_status, setup, teardown),
		cmocka_unit_test_setup_teardown(test_status_before_birth, setup, teardown),
		cmocka_unit_test_setup_teardown(test_line_of_status, setup, teardown),
		cmocka_unit_test_setup_teardown(test_orders, setup, teardown),
		cmocka_unit_test_setup_teardown(test_timeout, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bad_lines, setup, teardown),
		cmocka_unit_test_setup_teardown(test_parts_of_lines, setup, teardown),
		cmocka_unit_test_setup_teardown(test_later, setup, teardown),
		cmocka_unit_test_setup_teardown(test_clients_that_go, setup, teardown),
		cmocka_unit_test_setup_teardown(test_events, setup, teardown),
		cmocka_unit_test_setup_teardown(test_slow_subscriber, setup, teardown),
		cmocka_unit_test_setup_teardown(test_slow_client, setup, teardown),
		cmocka_unit_test_setup_teardown(test_many_connections, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_descriptors, setup, teardown),
		cmocka_unit_test_setup_teardown(test_file, setup, teardown),
	};

	test_directory();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
