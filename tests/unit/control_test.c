/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See control_test.h. */
#include "control_test.h"

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include <cJSON.h>

char path[TEST_PATH_SIZE];
struct replication_configuration replication;
struct control *control;

struct fake fake;

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

const struct control_orders orders = {
	.status = fake_status,
	.promote = fake_promote,
	.force = fake_force,
	.invalidate = fake_invalidate,
	.init = fake_init,
	.pause_resync = fake_pause,
	.resume_resync = fake_resume,
};

int control_setup(void **state)
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

int control_teardown(void **state)
{
	(void)state;
	control_close(control);
	control = NULL;
	return 0;
}

struct sockaddr_un address_of_socket(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	if (snprintf(address.sun_path, sizeof(address.sun_path), "%s", path) >= (int)sizeof(address.sun_path))
		test_fatal("%s: too long", path);
	return address;
}

int connect_client(void)
{
	struct sockaddr_un address = address_of_socket();
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || connect(fd, (const struct sockaddr *)&address, sizeof(address)))
		test_fatal("%s: %s", path, strerror(errno));
	return fd;
}

bool ready(void)
{
	struct pollfd descriptor = { .fd = control_descriptor(control), .events = POLLIN };

	return poll(&descriptor, 1, 0) == 1;
}

void turn(void)
{
	for (int i = 0; ready(); i++) {
		assert_true(i < 100000);
		control_turn(control, NOW);
	}
}

void say(int fd, const char *text)
{
	assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
	turn();
}

const char *heard(int fd)
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

void assert_heard(int fd, const char *expected)
{
	const char *text = heard(fd);

	if (!text)
		fail_msg("the connection has ended");
	else
		assert_string_equal(text, expected);
}

void assert_error(int fd, const char *line, const char *code, const char *cause)
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
