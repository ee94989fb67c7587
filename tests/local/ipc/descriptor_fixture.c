// SPDX-License-Identifier: GPL-2.0-or-later
/* See descriptor_fixture.h. */
#include "descriptor_fixture.h"

#include <sched.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <unistd.h>

#include "dvk_runtime.h"

int own, other;

int descriptor_setup(void **state)
{
	message msg;
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends))
		return -1;
	own = ends[0];
	other = ends[1];
	if (dvk_use_descriptors(own))
		return -1;
	dvk_set_spin(0);
	if (ipc_setup(state))
		return -1;
	/* What the test before was interrupted for, too late. */
	while (dvk_receive_T(ANY, &msg, TIMEOUT_NOWAIT) == EDVSINTR)
		;
	return 0;
}

int descriptor_teardown(void **state)
{
	int rc = ipc_teardown(state);

	/* Before it is closed: a process of the first test's may have it open as long as all of them run. */
	if (dvk_use_descriptors(-1))
		rc = -1;
	close(own);
	close(other);
	return rc;
}

struct dvk_client second_client;

struct dvk_client *open_client(int endpoint)
{
	struct dvk_client *client = &second_client;
	char path[108];

	EXPECT_RC(dvk_runtime_socket(path, sizeof(path)), 0);
	dvk_client_init(client);
	EXPECT_RC(dvk_client_open(client, path), 0);
	EXPECT_RC(dvk_client_bind(client, SELF_BIND, DC, 0, endpoint), endpoint);
	return client;
}

struct dvk_peer *server_of(struct dvk_client *client)
{
	return &client->peers[dvk_endpoint_slot(TESTER)];
}

void await_asleep(struct dvk_client *client)
{
	while (!atomic_load(&server_of(client)->page->asleep))
		sched_yield();
}

struct dvk_client *watch_server(int endpoint)
{
	struct dvk_client *client = open_client(endpoint);
	message msg = { 0 };

	EXPECT_RC(dvk_client_sendrec(client, TESTER, &msg, LONG_MS), 0);
	EXPECT(server_of(client)->ring_fd >= 0);
	await_asleep(client);
	return client;
}

void meet(int endpoint)
{
	message msg;

	assert_int_equal(dvk_receive_T(ANY, &msg, LONG_MS), 0);
	assert_int_equal(msg.m_source, endpoint);
	assert_int_equal(dvk_reply(endpoint, &msg), 0);
}

void calls_many_times(void *argument)
{
	message msg = { 0 };

	for (int i = 0; i < *(int *)argument; i++)
		EXPECT_RC(dvk_sendrec_T(TESTER, &msg, LONG_MS), 0);
}

void serve(int requests, int bytes)
{
	message msg;
	char byte;

	while (requests || bytes) {
		int rc = dvk_receive_T(ANY, &msg, LONG_MS);

		if (rc == EDVSREADY) {
			assert_int_equal(read(own, &byte, 1), 1);
			assert_int_equal(write(own, &byte, 1), 1);
			bytes--;
			continue;
		}
		assert_int_equal(rc, 0);
		requests--;
		assert_int_equal(dvk_reply(msg.m_source, &msg), 0);
	}
}

void calls_when_asleep(void *argument)
{
	struct dvk_client *client = watch_server(*(int *)argument);
	message msg = { 0 };

	EXPECT_RC(dvk_client_sendrec(client, TESTER, &msg, LONG_MS), 0);
}

int lowest_free_descriptor(void)
{
	int fd = dup(own);

	assert_true(fd >= 0);
	close(fd);
	return fd;
}
