/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the programs share that hold up the server's worker threads (tests/fault/fault_hold.h): a server on a slow disk,
 * another client's requests to it, and suspended ones of our own. Included once a program.
 */
#ifndef HOLD_FIXTURE_H
#define HOLD_FIXTURE_H

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "fault_environment.h"
#include "server_fixture.h"

#define BLOCK	     4096
#define TEST_SKIPPED 77 /* exit status */

/* Both of the test's two devices; the first is the slow one, and has the pattern of seed 1. */
static const struct test_device slow_devices[] = {
	{ .name = "SLOW", .file = "slow.img", .size = "4M", .shared = true },
	{ .name = "OTHER", .file = "other.img", .size = "1M" },
};
static const struct test_device exclusive_devices[] = {
	{ .name = "SLOW", .file = "slow.img", .size = "4M" },
	{ .name = "OTHER", .file = "other.img", .size = "1M" },
};
static char hold_path[TEST_PATH_SIZE];
static int gate = -1; /* open: nothing is held up any more */

/* Nothing waits for a disk where files are in memory; says so. */
static inline bool hold_possible(void)
{
	struct statfs status;

	if (statfs(test_directory(), &status) ||
	    (status.f_type != TMPFS_MAGIC && (unsigned long)status.f_type != RAMFS_MAGIC))
		return true;
	fprintf(stderr, "skipped: %s is in memory, so that the server never waits for a disk\n", test_directory());
	return false;
}

/*
 * A server that meets a fault, and whose workers are held up in "read", "write", ... (NULL: everything), the first
 * `count` times (0: always), until let_go(). Nobody is bound.
 */
static inline void start_server_held(const struct test_device devices[2], const char *fault, const char *only,
				     int count)
{
	struct fault_environment environment;
	unsigned char *pattern = fixture_memory((size_t)MIB(4));

	test_image_create("slow.img", (uint64_t)MIB(4));
	test_pattern_fill(pattern, (size_t)MIB(4), 0, 1);
	test_image_write("slow.img", 0, pattern, (size_t)MIB(4));
	free(pattern);
	test_path(hold_path, "hold");
	(void)unlink(hold_path);
	assert_int_equal(mkfifo(hold_path, 0600), 0);
	fault_environment_set(&environment, fault);
	fault_environment_hold(&environment, hold_path);
	if (only)
		fault_environment_hold_only(&environment, only, count);
	test_server_start(&server, devices, 2, environment.variables);
}

/* The same with slow_devices and a node of its own. Returns our endpoint. */
static inline int start_held(const char *fault, const char *only, int count)
{
	test_runtime_new();
	start_server_held(slow_devices, fault, only, count);
	return test_bind(ANY);
}

static inline int start_slow(const char *fault)
{
	return start_held(fault, NULL, 0);
}

/* Waits until something is held up, and lets it go on, and all that comes later. */
static inline void let_go(void)
{
	gate = open(hold_path, O_WRONLY | O_CLOEXEC);
	assert_true(gate >= 0);
}

/* A worker is held up, in this. */
static inline void await_held(const char *what)
{
	char line[64];

	snprintf(line, sizeof(line), FAULT_HELD "%s", what);
	assert_true(test_process_wait_log(&server.process, line, TEST_TIMEOUT_MS));
}

/* The server has met the miss that it was started with: the request is suspended. */
static inline void await_miss(void)
{
	assert_true(test_process_wait_log(&server.process, FAULT_MET, TEST_TIMEOUT_MS));
}

static inline int hold_setup(void **state)
{
	(void)state;
	if (gate >= 0)
		(void)close(gate);
	gate = -1;
	return 0;
}

static inline message build_read(const struct test_peer *peer, int64_t position, void *buffer)
{
	message msg = { .m_type = DEV_READ };

	msg.IO_ENDPT = peer->endpoint;
	msg.COUNT = BLOCK;
	msg.POSITION = position;
	msg.ADDRESS = buffer;
	return msg;
}

static inline void open_by_peer(struct test_peer *peer)
{
	struct test_disk disk = test_disk(0, 0);

	assert_int_equal(test_peer_request(peer, &disk, DEV_OPEN, 0, 0, 0, NULL), 0);
}

static inline struct rdisk_request build(uint32_t operation, uint64_t position, struct rdisk_iovec *vector,
					 uint64_t cookie)
{
	struct rdisk_request request = { .operation = operation,
					 .position = position,
					 .cookie = cookie,
					 .result = RDISK_RESULT_NONE,
					 .vector = test_address(vector),
					 .flags = RDISK_REQUEST_MAY_SUSPEND };

	if (vector) {
		request.nr_segments = 1;
		request.length = vector->iov_size;
	}
	return request;
}

static inline struct rdisk_request build_collect(struct rdisk_completion *completions, uint32_t count, uint32_t flags)
{
	return (struct rdisk_request){ .operation = RDISK_OP_COLLECT,
				       .flags = flags,
				       .nr_segments = count,
				       .vector = test_address(completions),
				       .result = RDISK_RESULT_NONE };
}

#endif
