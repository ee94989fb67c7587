/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A worker is held up in a write from a client's granted memory, and meanwhile the client dies or gives up, or the
 * server is told to end, or its node dies. What was begun cannot be recalled: the next who opens the device waits until
 * it is over, and holds up nobody.
 */
#include <signal.h>

#include "hold_fixture.h"

#define PLACE (8 * BLOCK)

static unsigned char *granted; /* of whoever grants it */
static int granted_fd;
static unsigned char *shared; /* of all */

/* A peer that has the slow device, whose writes are done by workers from now on, to itself. */
static void start_writer(struct test_peer *peer)
{
	struct test_disk disk = test_disk(0, 0);

	test_peer_start(peer, ANY);
	open_by_peer(peer);
	assert_int_equal(test_peer_grant(peer, TEST_SERVER_ENDPOINT, granted_fd, granted, BLOCK), 0);
	/* The one in place that takes long. */
	assert_int_equal(test_peer_request(peer, &disk, DEV_WRITE, BLOCK, 0, 0, granted), BLOCK);
	memset(granted, 0x77, BLOCK);
}

static message build_write(const struct test_peer *peer)
{
	message msg = build_read(peer, PLACE, granted);

	msg.m_type = DEV_WRITE;
	return msg;
}

/* The same, and it is held up in a write. */
static void start_held_writer(struct test_peer *peer)
{
	message msg;

	start_writer(peer);
	msg = build_write(peer);
	test_peer_begin(peer, TEST_SERVER_ENDPOINT, &msg, TEST_TIMEOUT_MS);
	await_held("write");
}

static int start(void)
{
	test_runtime_new();
	start_server_held(exclusive_devices, "stall:2+", "write", 1);
	return test_bind(ANY);
}

static void begin_open(struct test_peer *peer)
{
	message msg = { .m_type = DEV_OPEN };

	msg.IO_ENDPT = peer->endpoint;
	test_peer_begin(peer, TEST_SERVER_ENDPOINT, &msg, TEST_TIMEOUT_MS);
}

/* Another opens the device that the write is on, which lasts until it is let go; others are served. */
static void assert_open_waits(struct test_peer *opener, struct test_disk *other)
{
	struct test_disk disk = test_disk(0, 0);
	unsigned char bytes[BLOCK];
	message msg;

	begin_open(opener);
	for (int i = 0; i < 20; i++) {
		assert_int_equal(test_disk_write(other, (int64_t)i * BLOCK, bytes, BLOCK), BLOCK);
		assert_int_equal(test_disk_read(other, (int64_t)i * BLOCK, bytes, BLOCK), BLOCK);
	}
	assert_false(test_peer_finished(opener));
	let_go();
	assert_int_equal(test_peer_finish(opener, &msg), 0);
	assert_int_equal(msg.REP_STATUS, 0);
	/* It sees what was written, and that nothing is any more. */
	assert_int_equal(test_peer_request(opener, &disk, DEV_READ, BLOCK, PLACE, 0, shared), BLOCK);
	assert_int_equal(test_bytes_check(shared, BLOCK, 0x77), BLOCK);
}

static void test_death(void **state)
{
	struct test_peer writer, opener;
	struct test_disk other;

	(void)state;
	other = test_disk(start(), 1);
	assert_int_equal(test_disk_open(&other, 0), 0);
	test_peer_start(&opener, ANY);
	start_held_writer(&writer);
	test_peer_kill(&writer, SIGKILL);
	/* Whoever comes to its endpoint is not answered for it. */
	test_peer_start(&writer, writer.endpoint);
	assert_open_waits(&opener, &other);
	test_peer_stop(&writer);
	test_peer_stop(&opener);
	fixture_end();
}

static void test_giving_up(void **state)
{
	struct test_peer writer, opener;
	struct test_disk other, slow = test_disk(0, 0);
	message msg;

	(void)state;
	other = test_disk(start(), 1);
	assert_int_equal(test_disk_open(&other, 0), 0);
	test_peer_start(&opener, ANY);
	start_writer(&writer);
	/* Until one was received and not only taken back. */
	do {
		msg = build_write(&writer);
		test_peer_begin(&writer, TEST_SERVER_ENDPOINT, &msg, 10);
		assert_int_equal(test_peer_finish(&writer, &msg), EDVSTIMEDOUT);
	} while (!test_process_wait_log(&server.process, FAULT_HELD "write", 0));
	assert_int_equal(test_peer_request(&writer, &slow, DEV_CLOSE, 0, 0, 0, NULL), 0);
	assert_open_waits(&opener, &other);
	test_peer_stop(&writer);
	test_peer_stop(&opener);
	fixture_end();
}

/* It is answered before the server ends, which it does in good order. */
static void test_end(void **state)
{
	unsigned char check[BLOCK];
	struct test_peer writer;
	message msg;

	(void)state;
	(void)start();
	start_held_writer(&writer);
	assert_int_equal(kill(server.process.pid, SIGTERM), 0);
	let_go();
	assert_int_equal(test_peer_finish(&writer, &msg), 0);
	assert_int_equal(msg.REP_STATUS, BLOCK);
	test_peer_stop(&writer);
	(void)dvk_close();
	assert_int_equal(test_process_stop(&server.process, 0), 0);
	test_image_read("slow.img", PLACE, check, BLOCK);
	assert_int_equal(test_bytes_check(check, BLOCK, 0x77), BLOCK);
}

/* The same of what a client has left that died. */
static void test_end_after_a_death(void **state)
{
	unsigned char check[BLOCK];
	struct test_peer writer;

	(void)state;
	(void)start();
	start_held_writer(&writer);
	test_peer_kill(&writer, SIGKILL);
	assert_int_equal(kill(server.process.pid, SIGTERM), 0);
	let_go();
	(void)dvk_close();
	assert_int_equal(test_process_stop(&server.process, 0), 0);
	test_image_read("slow.img", PLACE, check, BLOCK);
	assert_int_equal(test_bytes_check(check, BLOCK, 0x77), BLOCK);
}

/* The server goes on with another node, whose clients wait for what those of the last have left. */
static void test_node_killed(void **state)
{
	static const char *const arguments[] = { DVKD_PROGRAM, NULL };
	static struct test_process node;
	struct test_peer writer, opener;
	struct test_disk other;
	message msg;

	(void)state;
	test_runtime_new();
	test_process_start(&node, arguments, NULL);
	assert_true(test_process_wait_log(&node, "ready", TEST_TIMEOUT_MS));
	start_server_held(exclusive_devices, "stall:2+", "write", 1);
	start_held_writer(&writer);
	(void)test_process_stop(&node, SIGKILL);
	assert_int_not_equal(test_peer_finish(&writer, &msg), 0);
	test_peer_stop(&writer);
	assert_true(test_process_wait_log_times(&server.process, "ready", 2, TEST_TIMEOUT_MS));
	other = test_disk(test_bind(ANY), 1);
	assert_int_equal(test_disk_open(&other, 0), 0);
	test_peer_start(&opener, ANY);
	assert_open_waits(&opener, &other);
	test_peer_stop(&opener);
	fixture_end();
}

#define DEATH_TEST(function) cmocka_unit_test_setup_teardown(function, hold_setup, fixture_discard)

int main(void)
{
	const struct CMUnitTest tests[] = {
		DEATH_TEST(test_death),	      DEATH_TEST(test_giving_up),
		DEATH_TEST(test_end),	      DEATH_TEST(test_end_after_a_death),
		DEATH_TEST(test_node_killed),
	};

	if (!hold_possible())
		return TEST_SKIPPED;
	shared = test_shared_memory(BLOCK);
	granted = test_grantable_memory(BLOCK, &granted_fd);
	return cmocka_run_group_tests_name("slow_death", tests, NULL, NULL);
}
