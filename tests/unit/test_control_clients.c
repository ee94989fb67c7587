/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The control socket and its clients: answers that come later, events, clients that are slow, gone or too many; and the
 * socket's file.
 */
#include "control_test.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

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
	const struct control_member member = {
		.connected = true,
		.role = CONTROL_ROLE_BACKUP,
		.state = CONTROL_STATE_IN_SYNC,
	};
	int fd = connect_client(), other = connect_client();
	const char *text;

	(void)state;
	control_event(control, &(struct control_event){ .kind = CONTROL_EVENT_EPOCH, .member = -1 });
	say(fd, "{\"command\":\"events\"}\n");
	assert_heard(fd, "{\"result\":\"subscribed\"}\n");
	turn();
	control_event(control, &(struct control_event){ CONTROL_EVENT_MEMBER, 12, 1, &member, "it is in sync", 0 });
	text = heard(fd);
	assert_int_equal(strncmp(text, "{\"time\":\"20", 11), 0);
	text = strstr(text, "Z\"");
	assert_string_equal(text, "Z\",\"event\":\"member\",\"epoch\":12,\"node\":11,\"name\":\"b\",\"connected\":true,"
				  "\"role\":\"backup\",\"state\":\"in-sync\",\"out_of_sync_bytes\":0,\"resync\":null,"
				  "\"text\":\"it is in sync\"}\n");
	control_event(control, &(struct control_event){ .kind = CONTROL_EVENT_DISK_ERROR, .epoch = 13, .member = -1 });
	assert_non_null(strstr(heard(fd), "\"event\":\"disk-error\",\"epoch\":13,\"node\":1,\"name\":\"a\"}\n"));
	control_event(control,
		      &(struct control_event){ .kind = CONTROL_EVENT_LOST, .epoch = 13, .member = -1, .lost = 5 });
	assert_non_null(strstr(heard(fd), "\"event\":\"lost\",\"epoch\":13,\"node\":1,\"name\":\"a\",\"lost\":5}\n"));
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
		control_event(control, &(struct control_event){ CONTROL_EVENT_QUORUM, 1, -1, NULL, text, 0 });
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
		cmocka_unit_test_setup_teardown(test_later, control_setup, control_teardown),
		cmocka_unit_test_setup_teardown(test_clients_that_go, control_setup, control_teardown),
		cmocka_unit_test_setup_teardown(test_events, control_setup, control_teardown),
		cmocka_unit_test_setup_teardown(test_slow_subscriber, control_setup, control_teardown),
		cmocka_unit_test_setup_teardown(test_slow_client, control_setup, control_teardown),
		cmocka_unit_test_setup_teardown(test_many_connections, control_setup, control_teardown),
		cmocka_unit_test_setup_teardown(test_no_descriptors, control_setup, control_teardown),
		cmocka_unit_test_setup_teardown(test_file, control_setup, control_teardown),
	};

	test_directory();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
