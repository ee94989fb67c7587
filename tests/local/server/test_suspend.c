/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A slow disk holds up those who wait for it and nobody else: the fault library makes reads miss the page cache
 * and holds up what the server's workers do until the test lets it go on (tests/fault/fault_hold.h).
 */
#include <signal.h>

#include "hold_fixture.h"

/* Reads and writes of ours while somebody else's request is held up. */
static void assert_others_are_served(struct test_disk *disk)
{
	unsigned char buffer[BLOCK];

	for (int i = 0; i < 10; i++) {
		assert_int_equal(test_disk_read(disk, MIB(1) + (int64_t)i * BLOCK, buffer, BLOCK), BLOCK);
		assert_int_equal(test_pattern_check(buffer, BLOCK, (uint64_t)MIB(1) + (uint64_t)i * BLOCK, 1), BLOCK);
		assert_int_equal(test_disk_write(disk, MIB(2), buffer, BLOCK), BLOCK);
	}
}

static void test_miss_of_another(void **state)
{
	unsigned char *shared = test_shared_memory(BLOCK);
	struct test_peer peer;
	struct test_disk disk;
	message msg;

	(void)state;
	disk = test_disk(start_slow("miss:1"), 0);
	assert_int_equal(test_disk_open(&disk, 0), 0);
	test_peer_start(&peer, ANY);
	open_by_peer(&peer);
	msg = build_read(&peer, 8 * BLOCK, shared);
	test_peer_begin(&peer, TEST_SERVER_ENDPOINT, &msg, TEST_TIMEOUT_MS);
	/* The one miss is to be the peer's. */
	await_miss();
	assert_others_are_served(&disk);
	let_go();
	assert_int_equal(test_peer_finish(&peer, &msg), 0);
	assert_int_equal(msg.REP_STATUS, BLOCK);
	assert_int_equal(test_pattern_check(shared, BLOCK, 8 * BLOCK, 1), BLOCK);
	test_peer_stop(&peer);
	fixture_end();
}

/* What is asked for by one who dies, or gives up, is forgotten; the server lives on. */
static void test_death_while_waiting(void **state)
{
	unsigned char *shared = test_shared_memory(BLOCK);
	struct test_peer peer;
	struct test_disk disk;
	message msg;

	(void)state;
	disk = test_disk(start_slow("miss:1"), 0);
	assert_int_equal(test_disk_open(&disk, 0), 0);
	test_peer_start(&peer, ANY);
	open_by_peer(&peer);
	msg = build_read(&peer, 0, shared);
	test_peer_begin(&peer, TEST_SERVER_ENDPOINT, &msg, TEST_TIMEOUT_MS);
	await_miss();
	test_peer_kill(&peer, SIGKILL);
	assert_others_are_served(&disk);
	let_go();
	assert_others_are_served(&disk);
	/* His successor on the endpoint is not answered what he asked. */
	test_peer_start(&peer, peer.endpoint);
	open_by_peer(&peer);
	test_peer_stop(&peer);
	fixture_end();
}

static void test_giving_up(void **state)
{
	unsigned char buffer[BLOCK], other[BLOCK];
	struct test_disk disk;

	(void)state;
	disk = test_disk(start_slow("miss:1"), 0);
	assert_int_equal(test_disk_open(&disk, 0), 0);
	memset(buffer, 0x77, sizeof(buffer));
	/* Until one was received and not only taken back. */
	disk.timeout_ms = 10;
	do {
		assert_int_equal(test_disk_read(&disk, 0, buffer, BLOCK), TEST_DISK_NO_ANSWER);
		assert_int_equal(disk.transport, EDVSTIMEDOUT);
	} while (!test_process_wait_log(&server.process, FAULT_MET, 0));
	disk.timeout_ms = TEST_TIMEOUT_MS;
	assert_int_equal(test_disk_read(&disk, BLOCK, other, BLOCK), BLOCK);
	let_go();
	assert_int_equal(test_disk_request(&disk, CANCEL, 0, 0, 0, NULL), 0);
	/* It was never answered, and nothing was read for it after it was given up. */
	for (int i = 0; i < 100; i++)
		assert_int_equal(test_disk_read(&disk, BLOCK, other, BLOCK), BLOCK);
	assert_int_equal(test_pattern_check(other, BLOCK, BLOCK, 1), BLOCK);
	assert_int_equal(test_bytes_check(buffer, BLOCK, 0x77), BLOCK);
	fixture_end();
}

/* SIGTERM comes while a request is held up: it is answered before the server ends. */
static void test_end_while_waiting(void **state)
{
	unsigned char *shared = test_shared_memory(BLOCK);
	struct test_peer peer;
	message msg;

	(void)state;
	(void)start_slow("miss:1");
	test_peer_start(&peer, ANY);
	open_by_peer(&peer);
	msg = build_read(&peer, 0, shared);
	test_peer_begin(&peer, TEST_SERVER_ENDPOINT, &msg, TEST_TIMEOUT_MS);
	await_miss();
	assert_int_equal(kill(server.process.pid, SIGTERM), 0);
	let_go();
	assert_int_equal(test_peer_finish(&peer, &msg), 0);
	assert_int_equal(msg.REP_STATUS, BLOCK);
	assert_int_equal(test_pattern_check(shared, BLOCK, 0, 1), BLOCK);
	test_peer_stop(&peer);
	(void)dvk_close();
	assert_int_equal(test_process_stop(&server.process, 0), 0);
}

static void test_collect(void **state)
{
	static unsigned char memory[3][BLOCK];
	struct rdisk_iovec vectors[3];
	struct rdisk_completion completions[4] = { { 0 } };
	struct rdisk_request requests[3];
	struct test_disk disk;

	(void)state;
	disk = test_disk(start_slow("miss:1"), 0);
	assert_int_equal(test_disk_open(&disk, 0), 0);
	for (int i = 0; i < 3; i++)
		vectors[i] = (struct rdisk_iovec){ test_address(memory[i]), BLOCK };
	requests[0] = build(RDISK_OP_READ, 0, &vectors[0], 100); /* misses */
	requests[1] = build(RDISK_OP_READ, BLOCK, &vectors[1], 101);
	requests[2] = build_collect(completions, 4, 0);
	assert_int_equal(test_disk_batch(&disk, requests, 3), 3);
	assert_int_equal(requests[0].result, SUSPEND);
	assert_int_equal(requests[1].result, BLOCK);
	assert_int_equal(requests[2].result, 0);
	assert_int_equal(test_pattern_check(memory[1], BLOCK, BLOCK, 1), BLOCK);
	assert_others_are_served(&disk);
	/* A wait that is given up costs nothing. */
	requests[0] = build_collect(completions, 4, RDISK_REQUEST_WAIT);
	disk.timeout_ms = 10;
	assert_int_equal(test_disk_batch(&disk, requests, 1), TEST_DISK_NO_ANSWER);
	disk.timeout_ms = TEST_TIMEOUT_MS;
	/* A flush joins it; both are collected when they are let go. */
	requests[0] = build(RDISK_OP_FLUSH, 0, NULL, 102);
	assert_int_equal(test_disk_batch(&disk, requests, 1), 1);
	assert_int_equal(requests[0].result, SUSPEND);
	let_go();
	for (unsigned int seen = 0; seen != 3;) {
		requests[0] = build_collect(completions, 1, RDISK_REQUEST_WAIT);
		assert_int_equal(test_disk_batch(&disk, requests, 1), 1);
		assert_int_equal(requests[0].result, 1);
		assert_int_equal(completions[0].result, completions[0].cookie == 100 ? BLOCK : 0);
		seen |= completions[0].cookie == 100 ? 1 : 2;
	}
	assert_int_equal(test_pattern_check(memory[0], BLOCK, 0, 1), BLOCK);
	/* Nothing is left to wait for. */
	requests[0] = build_collect(completions, 4, RDISK_REQUEST_WAIT);
	assert_int_equal(test_disk_batch(&disk, requests, 1), 1);
	assert_int_equal(requests[0].result, 0);
	fixture_end();
}

static struct rdisk_completion completions_room[RDISK_BATCH_MAX];

/* Collects until all of `count` requests with cookies from 0 on were told, each once and with `result`. */
static void collect_all(struct test_disk *disk, bool *done, int count, int left, int64_t result)
{
	while (left > 0) {
		struct rdisk_request request = build_collect(completions_room, RDISK_BATCH_MAX, RDISK_REQUEST_WAIT);

		assert_int_equal(test_disk_batch(disk, &request, 1), 1);
		assert_true(request.result > 0 && request.result <= RDISK_BATCH_MAX);
		for (int i = 0; i < request.result; i++, left--) {
			assert_true(completions_room[i].cookie < (uint64_t)count);
			assert_false(done[completions_room[i].cookie]);
			assert_int_equal(completions_room[i].result, result);
			done[completions_room[i].cookie] = true;
		}
	}
}

/* As many as one client may have suspended; more are refused. Each is told once, with its own data. */
static void test_many(void **state)
{
	enum { BATCHES = 3, IN_BATCH = RDISK_BATCH_MAX };
	static struct rdisk_iovec vectors[BATCHES][IN_BATCH];
	static struct rdisk_request requests[IN_BATCH];
	static bool done[BATCHES * IN_BATCH];
	unsigned char *memory = fixture_memory((size_t)BATCHES * IN_BATCH * 512);
	int suspended = 0;
	struct test_disk disk;

	(void)state;
	memset(done, 0, sizeof(done));
	disk = test_disk(start_slow("miss:1+"), 0);
	assert_int_equal(test_disk_open(&disk, 0), 0);
	for (int b = 0; b < BATCHES; b++) {
		for (int i = 0; i < IN_BATCH; i++) {
			size_t at = ((size_t)b * IN_BATCH + (size_t)i) * 512;

			vectors[b][i] = (struct rdisk_iovec){ test_address(memory + at), 512 };
			requests[i] = build(RDISK_OP_READ, at, &vectors[b][i], at / 512);
		}
		assert_int_equal(test_disk_batch(&disk, requests, IN_BATCH), IN_BATCH);
		for (int i = 0; i < IN_BATCH; i++) {
			if (suspended < RDISK_SUSPENDED_MAX)
				assert_int_equal(requests[i].result, SUSPEND);
			else
				assert_int_equal(requests[i].result, EDVSAGAIN);
			suspended += requests[i].result == SUSPEND;
		}
	}
	assert_int_equal(suspended, RDISK_SUSPENDED_MAX);
	let_go();
	collect_all(&disk, done, BATCHES * IN_BATCH, suspended, 512);
	for (size_t at = 0; at < RDISK_SUSPENDED_MAX; at++)
		assert_int_equal(test_pattern_check(memory + at * 512, 512, at * 512, 1), 512);
	free(memory);
	fixture_end();
}

/* Collecting is given up while the server is at it: what was told to nobody is told again. */
static void test_collecting_given_up(void **state)
{
	enum { COUNT = 60 };
	static struct rdisk_iovec vectors[COUNT];
	static struct rdisk_request requests[COUNT];
	static bool done[COUNT];
	unsigned char *memory = fixture_memory((size_t)COUNT * (size_t)MIB(1));
	int left = COUNT;
	struct test_disk disk;

	(void)state;
	memset(done, 0, sizeof(done));
	disk = test_disk(start_slow("miss:1+"), 0);
	assert_int_equal(test_disk_open(&disk, 0), 0);
	for (int i = 0; i < COUNT; i++) {
		vectors[i] = (struct rdisk_iovec){ test_address(memory + i * MIB(1)), (uint64_t)MIB(1) };
		requests[i] = build(RDISK_OP_READ, (uint64_t)(i % 4) * (uint64_t)MIB(1), &vectors[i], (uint64_t)i);
	}
	assert_int_equal(test_disk_batch(&disk, requests, COUNT), COUNT);
	let_go();
	disk.timeout_ms = 1;
	for (int i = 0; i < 20 && left > 0; i++) {
		struct rdisk_request request = build_collect(completions_room, RDISK_BATCH_MAX, RDISK_REQUEST_WAIT);

		if (test_disk_batch(&disk, &request, 1) != 1)
			continue;
		for (int c = 0; c < request.result; c++, left--) {
			assert_false(done[completions_room[c].cookie]);
			assert_int_equal(completions_room[c].result, MIB(1));
			done[completions_room[c].cookie] = true;
		}
	}
	disk.timeout_ms = TEST_TIMEOUT_MS;
	collect_all(&disk, done, COUNT, left, MIB(1));
	for (int i = 0; i < COUNT; i++)
		assert_int_equal(test_pattern_check(memory + i * MIB(1), (size_t)MIB(1),
						    (uint64_t)(i % 4) * (uint64_t)MIB(1), 1),
				 MIB(1));
	free(memory);
	fixture_end();
}

/* However many flushes of one disk wait, another is not held up. */
static void test_flushes_take_one_worker(void **state)
{
	enum { COUNT = 64 };
	static struct rdisk_request requests[COUNT];
	static unsigned char buffer[BLOCK];
	static bool done[COUNT];
	struct test_disk disk, other;
	int self;

	(void)state;
	memset(done, 0, sizeof(done));
	self = start_held("miss:1", "flush", 0);
	disk = test_disk(self, 0);
	other = test_disk(self, 1);
	assert_int_equal(test_disk_open(&disk, 0), 0);
	assert_int_equal(test_disk_open(&other, 0), 0);
	for (int i = 0; i < COUNT; i++)
		requests[i] = build(RDISK_OP_FLUSH, 0, NULL, (uint64_t)i);
	assert_int_equal(test_disk_batch(&disk, requests, COUNT), COUNT);
	for (int i = 0; i < COUNT; i++)
		assert_int_equal(requests[i].result, SUSPEND);
	/* It misses, and a worker is there for it. */
	assert_int_equal(test_disk_read(&other, 0, buffer, BLOCK), BLOCK);
	await_miss();
	let_go();
	collect_all(&disk, done, COUNT, COUNT, 0);
	fixture_end();
}

/* Without the mark a batch is answered when all of it is done. */
static void test_whole_batch(void **state)
{
	unsigned char *shared = test_shared_memory(2 * BLOCK);
	struct rdisk_request *requests = test_shared_memory(3 * sizeof(*requests));
	struct rdisk_iovec *vectors = test_shared_memory(2 * sizeof(*vectors));
	struct test_peer peer;
	struct test_disk disk;
	message msg = { .m_type = DEV_BATCH };

	(void)state;
	disk = test_disk(start_slow("miss:2"), 0);
	assert_int_equal(test_disk_open(&disk, 0), 0);
	test_peer_start(&peer, ANY);
	open_by_peer(&peer);
	for (int i = 0; i < 2; i++) {
		vectors[i] = (struct rdisk_iovec){ test_address(shared + i * BLOCK), BLOCK };
		requests[i] = build(RDISK_OP_READ, (uint64_t)i * BLOCK, &vectors[i], 0);
		requests[i].flags = 0;
	}
	requests[2] = build(RDISK_OP_READ, (uint64_t)MIB(4), &vectors[0], 0);
	requests[2].flags = 0;
	msg.IO_ENDPT = peer.endpoint;
	msg.COUNT = 3;
	msg.ADDRESS = (char *)requests;
	test_peer_begin(&peer, TEST_SERVER_ENDPOINT, &msg, TEST_TIMEOUT_MS);
	await_miss();
	assert_others_are_served(&disk);
	let_go();
	assert_int_equal(test_peer_finish(&peer, &msg), 0);
	assert_int_equal(msg.REP_STATUS, 3);
	assert_int_equal(requests[0].result, BLOCK);
	assert_int_equal(requests[1].result, BLOCK);
	assert_int_equal(requests[2].result, 0);
	assert_int_equal(test_pattern_check(shared, 2 * BLOCK, 0, 1), 2 * BLOCK);
	test_peer_stop(&peer);
	fixture_end();
}

static void test_bad_collects(void **state)
{
	struct rdisk_completion completions[2];
	struct rdisk_request requests[2];
	struct test_disk disk;
	int self;

	(void)state;
	self = start_slow("none:1");
	disk = test_disk(self, 0);
	assert_int_equal(test_disk_open(&disk, 0), 0);
	requests[0] = build_collect(completions, 2, 0);
	requests[1] = build_collect(completions, RDISK_BATCH_MAX + 1, 0);
	assert_int_equal(test_disk_batch(&disk, requests, 2), 2);
	assert_int_equal(requests[0].result, EDVSBADREQUEST); /* not the last */
	assert_int_equal(requests[1].result, EDVS2BIG);
	requests[0] = build_collect(completions, 0, 0);
	assert_int_equal(test_disk_batch(&disk, requests, 1), 1);
	assert_int_equal(requests[0].result, EDVSINVAL);
	requests[0] = build_collect(completions, 2, RDISK_REQUEST_FUA);
	assert_int_equal(test_disk_batch(&disk, requests, 1), 1);
	assert_int_equal(requests[0].result, EDVSINVAL);
	/* Nowhere to put it: the result stays to be collected. */
	requests[0] = build(RDISK_OP_FLUSH, 0, NULL, 7);
	assert_int_equal(test_disk_batch(&disk, requests, 1), 1);
	assert_int_equal(requests[0].result, SUSPEND);
	let_go();
	requests[0] = build_collect(BAD_ADDRESS, 1, RDISK_REQUEST_WAIT);
	assert_int_equal(test_disk_batch(&disk, requests, 1), 1);
	assert_int_equal(requests[0].result, EDVSFAULT);
	requests[0] = build_collect(completions, 1, RDISK_REQUEST_WAIT);
	assert_int_equal(test_disk_batch(&disk, requests, 1), 1);
	assert_int_equal(requests[0].result, 1);
	assert_int_equal(completions[0].cookie, 7);
	assert_server_lives(self);
	fixture_end();
}

#define SUSPEND_TEST(function) cmocka_unit_test_setup_teardown(function, hold_setup, fixture_discard)

int main(void)
{
	const struct CMUnitTest tests[] = {
		SUSPEND_TEST(test_miss_of_another),
		SUSPEND_TEST(test_death_while_waiting),
		SUSPEND_TEST(test_giving_up),
		SUSPEND_TEST(test_end_while_waiting),
		SUSPEND_TEST(test_collect),
		SUSPEND_TEST(test_many),
		SUSPEND_TEST(test_whole_batch),
		SUSPEND_TEST(test_bad_collects),
		SUSPEND_TEST(test_collecting_given_up),
		SUSPEND_TEST(test_flushes_take_one_worker),
	};

	return hold_possible() ? cmocka_run_group_tests_name("suspend", tests, NULL, NULL) : TEST_SKIPPED;
}
