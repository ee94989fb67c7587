/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A client grants a file of a file system that it serves itself, and answers no question about it any more: whoever
 * closes the file, or asks for its status, waits. That must not be the node. Skipped where FUSE cannot be mounted.
 */
#include "node_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define FILE_NODE     2
#define NOT_AVAILABLE 77

static struct raw admin, witness;
/* The file system's server lives until the test closes [1], however that comes about. */
static int life[2] = { -1, -1 };

static int setup(void **state)
{
	if (start_node(state))
		return -1;
	raw_open(&admin);
	raw_start_dc(&admin, 0);
	raw_open(&witness);
	assert_int_equal(raw_bind(&witness, 0, 7, NULL), 7);
	return 0;
}

static int teardown(void **state)
{
	close(life[1]);
	raw_close(&witness);
	raw_close(&admin);
	return stop_node(state);
}

static struct fuse_attr attributes(uint64_t node)
{
	return (struct fuse_attr){
		.ino = node, .size = 4096, .nlink = 1, .mode = node == FILE_NODE ? S_IFREG | 0600 : S_IFDIR | 0700
	};
}

static void reply(int fuse, const struct fuse_in_header *request, const void *data, size_t size)
{
	char answer[256];
	struct fuse_out_header header = { .len = (uint32_t)(sizeof(header) + size), .unique = request->unique };

	memcpy(answer, &header, sizeof(header));
	memcpy(answer + sizeof(header), data, size);
	if (write(fuse, answer, header.len) != (ssize_t)header.len)
		_exit(1);
}

/* One directory with one file, whose opening is the last that is answered. */
static _Noreturn void serve(int fuse)
{
	static char buffer[FUSE_MIN_READ_BUFFER * 4];
	const struct fuse_in_header *request = (const struct fuse_in_header *)buffer;
	struct fuse_init_out init = { .major = FUSE_KERNEL_VERSION, .minor = 31, .max_write = 4096 };
	struct fuse_entry_out entry = { .nodeid = FILE_NODE };
	struct fuse_attr_out attr = { 0 };
	struct fuse_open_out opened = { .fh = 1 };
	struct pollfd ready[2] = { { .fd = fuse, .events = POLLIN }, { .fd = life[0] } };

	while (poll(ready, 2, -1) > 0 && !ready[1].revents && read(fuse, buffer, sizeof(buffer)) > 0) {
		switch (request->opcode) {
		case FUSE_INIT:
			reply(fuse, request, &init, sizeof(init));
			break;
		case FUSE_LOOKUP:
			entry.attr = attributes(FILE_NODE);
			reply(fuse, request, &entry, sizeof(entry));
			break;
		case FUSE_GETATTR:
			attr.attr = attributes(request->nodeid);
			if (request->nodeid != FILE_NODE)
				reply(fuse, request, &attr, sizeof(attr));
			break;
		case FUSE_OPEN:
			reply(fuse, request, &opened, sizeof(opened));
			break;
		default:
			break;
		}
	}
	_exit(0);
}

/* Starts the file system in a mount namespace of its own, which is also that of the caller then. 0 or NOT_AVAILABLE. */
static int mount_own(void)
{
	pid_t server;
	char options[128];
	int fuse = open("/dev/fuse", O_RDWR | O_CLOEXEC);

	snprintf(options, sizeof(options), "fd=%d,rootmode=40000,user_id=%u,group_id=%u", fuse, geteuid(), getegid());
	if (fuse < 0 || unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("test", "/mnt", "fuse", MS_NOSUID | MS_NODEV, options))
		return NOT_AVAILABLE;
	server = fork();
	if (server == 0)
		serve(fuse);
	close(fuse);
	return server < 0 ? NOT_AVAILABLE : 0;
}

/* Grants the file; what it closes itself it closes in vain. The test is told that there is a file system. */
static _Noreturn void grant_file(const struct raw *raw, int tell)
{
	struct dvk_node_request request = REQUEST(GRANT, .endpoint = 7, .length = 4096);
	int fd, code;

	close(life[1]);
	code = mount_own();
	if (code)
		_exit(code);
	if (write(tell, "", 1) != 1)
		_exit(1);
	close(tell);
	request.magic = DVK_WIRE_MAGIC;
	request.version = DVK_WIRE_VERSION;
	fd = open("/mnt/file", O_RDWR | O_CLOEXEC);
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
		cmocka_unit_test_setup_teardown(file_of_the_client, setup, teardown),
		cmocka_unit_test_setup_teardown(client_that_leaves, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
