/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A client grants a file of a file system that it serves itself, and answers no question about it any more: whoever
 * closes the file, or asks for its status, waits. That must not be the node. Skipped where FUSE cannot be mounted.
 */
#include "node_fixture.h"
#include "test_fuse.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#define NOT_AVAILABLE 77

/* The file system's server lives until the test closes [1], however that comes about. */
static int life[2] = { -1, -1 };

static int teardown(void **state)
{
	close(life[1]);
	return stop_witnessed_node(state);
}

/* Grants the file; what it closes itself it closes in vain. The test is told that there is a file system. */
static _Noreturn void grant_file(const struct raw *raw, int tell)
{
	struct dvk_node_request request = REQUEST(GRANT, .endpoint = 7, .length = 4096);
	int fd;

	close(life[1]);
	if (test_fuse_mount(geteuid(), getegid(), life[0]))
		_exit(NOT_AVAILABLE);
	if (write(tell, "", 1) != 1)
		_exit(1);
	close(tell);
	request.magic = DVK_WIRE_MAGIC;
	request.version = DVK_WIRE_VERSION;
	fd = open(TEST_FUSE_FILE, O_RDWR | O_CLOEXEC);
	if (fd < 0 || raw_send(raw, &request, sizeof(request), &fd, 1) != (ssize_t)sizeof(request))
		_exit(1);
	_exit(0);
}

/* A client of which such a file has come to the node, and the process that sent it. Skips the test if that cannot be.
 */
static pid_t refused_file(struct raw *raw)
{
	int ends[2];
	pid_t pid;
	char byte;

	raw_open(raw);
	assert_int_equal(raw_bind(raw, 0, 30, NULL), 30);
	raw_introduce(raw, &witness, 7);
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	assert_int_equal(pipe2(life, O_CLOEXEC), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		grant_file(raw, ends[1]);
	close(ends[1]);
	close(life[0]);
	if (read(ends[0], &byte, 1) != 1) {
		assert_int_equal(wait_process(pid), NOT_AVAILABLE);
		close(ends[0]);
		raw_close(raw);
		print_message("skipped: FUSE cannot be mounted here\n");
		skip();
	}
	close(ends[0]);
	assert_int_equal(raw_answer(raw, 0).packet.result, EDVSINVAL);
	return pid;
}

static void file_of_the_client(void **state)
{
	struct pollfd ready = { .events = POLLIN };
	struct raw raw;
	pid_t pid = refused_file(&raw);
	uint32_t serial;

	(void)state;
	serial = raw_ask(&raw, REQUEST(GET_DVS_INFO), -1);
	/* Others are served; who sent it waits for itself. */
	raw_no_event(&witness);
	ready.fd = raw.fd;
	assert_int_equal(poll(&ready, 1, 0), 0);
	/* Without its server all who wait go on. */
	close(life[1]);
	life[1] = -1;
	assert_int_equal(wait_process(pid), 0);
	assert_int_equal(raw_answer(&raw, serial).packet.result, 0);
	raw_close(&raw);
}

/* The node ends the connection while the process that closes the file still has a descriptor of it. */
static void client_that_leaves(void **state)
{
	struct raw raw;
	pid_t pid = refused_file(&raw);

	(void)state;
	/* Not close(): the process that sent the file has the connection, too. */
	assert_int_equal(shutdown(raw.fd, SHUT_WR), 0);
	raw_expect_end(&raw);
	raw_event(&witness, DVK_EVENT_PEER_GONE);
	raw_no_event(&witness);
	close(life[1]);
	life[1] = -1;
	assert_int_equal(wait_process(pid), 0);
	raw_close(&raw);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(file_of_the_client, start_witnessed_node, teardown),
		cmocka_unit_test_setup_teardown(client_that_leaves, start_witnessed_node, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
