/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See rdiskctl_fixture.h. */
#include "rdiskctl_fixture.h"

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <cJSON.h>

struct shared *shared;
char socket_path[TEST_PATH_SIZE];
struct test_process process;

static struct replication_configuration replication;

/* The server's process, and the test's end of a socket to it: a byte in is an order to it, a byte out an order it got.
 */
static pid_t server;
static int to_server = -1;

/* ---- the server ---- */

static int from_test;
static struct control *control;
static uint64_t last_order;

__attribute__((format(printf, 3, 4))) static int take_order(uint64_t order, struct diagnostic *why, const char *format,
							    ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(shared->what, sizeof(shared->what), format, arguments);
	va_end(arguments);
	last_order = order;
	if (shared->why[0])
		diagnostic_set(why, "%s", shared->why);
	if (send(from_test, "o", 1, 0) != 1)
		_exit(1);
	return shared->code;
}

static void tell_status(void *user, uint64_t now, struct control_status *status)
{
	(void)user;
	(void)now;
	*status = shared->status;
}

static int promote(void *user, uint64_t now, uint64_t order, int member, uint64_t timeout, struct diagnostic *why)
{
	(void)user;
	(void)now;
	shared->timeout = timeout;
	return take_order(order, why, "promote %d", member);
}

static int force(void *user, uint64_t now, uint64_t order, unsigned int dead, uint64_t timeout, struct diagnostic *why)
{
	(void)user;
	(void)now;
	shared->timeout = timeout;
	return take_order(order, why, "force %u", dead);
}

static int invalidate(void *user, uint64_t now, uint64_t order, int member, struct diagnostic *why)
{
	(void)user;
	(void)now;
	return take_order(order, why, "invalidate %d", member);
}

static int init(void *user, uint64_t now, uint64_t order, int from, struct diagnostic *why)
{
	(void)user;
	(void)now;
	return take_order(order, why, "init %d", from);
}

static int pause_resync(void *user, uint64_t now, uint64_t order, struct diagnostic *why)
{
	(void)user;
	(void)now;
	return take_order(order, why, "pause");
}

static int resume_resync(void *user, uint64_t now, uint64_t order, struct diagnostic *why)
{
	(void)user;
	(void)now;
	return take_order(order, why, "resume");
}

/* What tell_server() says. */
static void obey_test(void)
{
	char byte;

	if (recv(from_test, &byte, 1, 0) != 1)
		_exit(0);
	if (byte == 'a')
		control_answer(control, last_order, 0, "b serves");
	if (byte == 'l')
		control_answer(control, last_order, -ETIMEDOUT, "b does not serve after 5 s: a is still the primary");
	if (byte == 'e')
		control_event(control, &(struct control_event){ CONTROL_EVENT_EPOCH, 7, 1, NULL, "text", 0 });
}

static _Noreturn void run_server(void)
{
	static const struct control_orders orders = { tell_status, promote,	 force,	       invalidate,
						      init,	   pause_resync, resume_resync };
	struct diagnostic diagnostic = { "" };

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (control_open(&control, &replication, &orders, NULL, &diagnostic))
		test_fatal("%s", diagnostic.text);
	if (send(from_test, "r", 1, 0) != 1)
		_exit(1);
	for (;;) {
		struct pollfd descriptors[2] = { { .fd = control_descriptor(control), .events = POLLIN },
						 { .fd = from_test, .events = POLLIN } };

		(void)poll(descriptors, 2, -1);
		if (descriptors[0].revents)
			control_turn(control, 1);
		if (descriptors[1].revents)
			obey_test();
	}
}

/* ---- the test's side ---- */

void await_server(char expected)
{
	struct pollfd descriptor = { .fd = to_server, .events = POLLIN };
	char byte;

	if (poll(&descriptor, 1, TEST_TIMEOUT_MS) != 1 || recv(to_server, &byte, 1, 0) != 1)
		fail_msg("the server said nothing");
	else
		assert_int_equal(byte, expected);
}

void tell_server(const char *byte)
{
	assert_int_equal(send(to_server, byte, 1, MSG_NOSIGNAL), 1);
}

void start_server(void)
{
	int ends[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	server = fork();
	if (server == 0) {
		close(ends[0]);
		from_test = ends[1];
		run_server();
	}
	assert_true(server > 0);
	close(ends[1]);
	to_server = ends[0];
	await_server('r');
}

void stop_server(void)
{
	if (server <= 0)
		return;
	kill(server, SIGKILL);
	waitpid(server, NULL, 0);
	close(to_server);
	server = 0;
}

int rdiskctl_setup(void **state)
{
	(void)state;
	replication = (struct replication_configuration){ .nr_members = 3, .control = socket_path, .min_in_sync = 1 };
	snprintf(replication.set, sizeof(replication.set), "main");
	memset(shared, 0, sizeof(*shared));
	shared->status = (struct control_status){ .born = true,
						  .generation = 1,
						  .epoch = 12,
						  .primary = 1,
						  .serving = true,
						  .quorate = true,
						  .nr_devices = 1 };
	shared->status.devices[0] = (struct control_device){ 0, "disk", "id-1", 1536ull << 20 };
	for (int i = 0; i < 3; i++) {
		replication.members[i] = (struct replication_member){ .node = i + 1, .diskless = i == 2 };
		replication.members[i].name[0] = (char)('a' + i);
		shared->status.members[i] =
			(struct control_member){ .connected = true, .state = CONTROL_STATE_IN_SYNC };
	}
	shared->status.members[0].role = CONTROL_ROLE_BACKUP;
	shared->status.members[1].role = CONTROL_ROLE_PRIMARY;
	shared->status.members[2].role = CONTROL_ROLE_DISKLESS;
	start_server();
	return 0;
}

int rdiskctl_teardown(void **state)
{
	(void)state;
	test_process_discard(&process);
	stop_server();
	return 0;
}

void start(const char *const arguments[])
{
	const char *all[16] = { RDISKCTL_PROGRAM };

	for (int i = 0; arguments[i]; i++)
		all[i + 1] = arguments[i];
	test_process_start(&process, all, NULL);
}

int run(const char *const arguments[])
{
	start(arguments);
	if (!test_process_wait_end(&process, TEST_TIMEOUT_MS)) {
		test_process_discard(&process);
		fail_msg("it did not end");
	}
	return test_process_exit_code(&process);
}

void assert_output(const char *text)
{
	if (!strstr(process.output.text, text))
		fail_msg("\"%s\" is not in: %s", text, process.output.text);
}

void assert_no_output(const char *text)
{
	if (strstr(process.output.text, text))
		fail_msg("\"%s\" is in: %s", text, process.output.text);
}

void assert_complaint(const char *text)
{
	const char *line = process.log.text;

	assert_int_equal(strncmp(line, "rdiskctl: error: ", 17), 0);
	if (!strstr(line, text) || strchr(line, '\n') != line + strlen(line) - 1)
		fail_msg("\"%s\" is not in: %s", text, line);
}

void assert_json_error(const char *code, const char *cause)
{
	cJSON *object = cJSON_Parse(process.output.text);
	const char *said = cJSON_GetStringValue(cJSON_GetObjectItem(object, "message"));

	assert_string_equal(process.log.text, "");
	assert_string_equal(cJSON_GetStringValue(cJSON_GetObjectItem(object, "error")), code);
	if (!said || !strstr(said, cause))
		fail_msg("\"%s\" is not in: %s", cause, process.output.text);
	cJSON_Delete(object);
}

void rdiskctl_begin(void)
{
	test_directory();
	test_path(socket_path, "socket");
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		test_fatal("no memory");
}
