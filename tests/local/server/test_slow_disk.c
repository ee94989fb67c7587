/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Every operation that may have to wait for the disk, on one that lets it wait: other clients read and write the same
 * device and another meanwhile, and what overlaps waits and then finds what it has to.
 */
#include <signal.h>

#include "hold_fixture.h"

#define PLACE (8 * BLOCK) /* where the slow request is */

enum found {
	OLD, /* the image's */
	NEW, /* what the slow request writes */
	ZERO,
	OURS, /* what we write there while it is held up */
};

struct slow_case {
	const char *name;
	const char *fault; /* that makes it slow */
	const char *held;
	int type;
	bool granted;		      /* its memory is */
	bool read_waits, write_waits; /* those of others at the same place */
	enum found read;	      /* what a read of others there finds */
	enum found own;		      /* of a DEV_READ: what it finds itself */
};

static const struct slow_case cases[] = {
	{ "a miss, granted", "miss:1", "read", DEV_READ, true, false, true, OLD, OLD },
	{ "a miss, copied", "miss:1", "read", DEV_READ, false, false, true, OLD, OLD },
	{ "a flush", "none:1", "flush", DEV_FLUSH, false, false, false, OLD, OLD },
	{ "a FUA write, granted", "none:1", "flush", DEV_WRITE_FUA, true, false, false, NEW, OLD },
	{ "a FUA write, copied", "none:1", "flush", DEV_WRITE_FUA, false, false, false, NEW, OLD },
	{ "a discard", "none:1", "allocate", DEV_DISCARD, false, true, true, ZERO, OLD },
	{ "zeroes", "none:1", "allocate", DEV_WRITE_ZEROES, false, true, true, ZERO, OLD },
	{ "a throttled write, granted", "stall:2+", "write", DEV_WRITE, true, true, true, NEW, OLD },
	{ "a throttled write, copied", "stall:2+", "write", DEV_WRITE, false, true, true, NEW, OLD },
};

static unsigned char *granted; /* a block of the peer's */
static int granted_fd;
static unsigned char *copied;
/* Ours, of what may be suspended. */
static unsigned char read_memory[BLOCK], write_memory[BLOCK];
static struct rdisk_iovec read_vector, write_vector;

static size_t count_of(enum found found, const unsigned char *bytes)
{
	switch (found) {
	case OLD:
		return test_pattern_check(bytes, BLOCK, PLACE, 1);
	case NEW:
		return test_bytes_check(bytes, BLOCK, 0x4e);
	case ZERO:
		return test_bytes_check(bytes, BLOCK, 0);
	case OURS:
		return test_bytes_check(bytes, BLOCK, 0x6f);
	}
	return 0;
}

/* Reads and writes, elsewhere. */
static void assert_served(struct test_disk *disk)
{
	unsigned char bytes[BLOCK], check[BLOCK];

	for (int i = 0; i < 5; i++) {
		const int64_t position = KIB(512) + (int64_t)i * BLOCK;

		memset(bytes, 'a' + i, sizeof(bytes));
		assert_int_equal(test_disk_write(disk, position, bytes, BLOCK), BLOCK);
		assert_int_equal(test_disk_read(disk, position, check, BLOCK), BLOCK);
		assert_memory_equal(bytes, check, BLOCK);
	}
}

/* The peer asks for it, and a worker is held up in it. */
static void begin_slow(struct test_peer *peer, const struct slow_case *slow)
{
	unsigned char *memory = slow->granted ? granted : copied;
	message msg = build_read(peer, PLACE, memory);

	msg.m_type = slow->type;
	msg.LENGTH = BLOCK;
	memset(memory, 0x4e, BLOCK);
	test_peer_begin(peer, TEST_SERVER_ENDPOINT, &msg, TEST_TIMEOUT_MS);
	await_held(slow->held);
}

/* Reads and writes at the same place, each of which is done or waits as it has to. Returns how many are suspended. */
static int begin_ours(struct test_disk *disk, const struct slow_case *slow)
{
	struct rdisk_request requests[2];

	read_vector = (struct rdisk_iovec){ test_address(read_memory), BLOCK };
	write_vector = (struct rdisk_iovec){ test_address(write_memory), BLOCK };
	memset(write_memory, 0x6f, BLOCK);
	requests[0] = build(RDISK_OP_READ, PLACE, &read_vector, 0);
	requests[1] = build(RDISK_OP_WRITE, PLACE, &write_vector, 1);
	assert_int_equal(test_disk_batch(disk, requests, 2), 2);
	assert_int_equal(requests[0].result, slow->read_waits ? SUSPEND : BLOCK);
	assert_int_equal(requests[1].result, slow->write_waits ? SUSPEND : BLOCK);
	return slow->read_waits + slow->write_waits;
}

static void collect_ours(struct test_disk *disk, int suspended)
{
	struct rdisk_completion completions[2];

	while (suspended > 0) {
		struct rdisk_request request = build_collect(completions, 2, RDISK_REQUEST_WAIT);

		assert_int_equal(test_disk_batch(disk, &request, 1), 1);
		assert_in_range(request.result, 1, suspended);
		for (int i = 0; i < request.result; i++, suspended--)
			assert_int_equal(completions[i].result, BLOCK);
	}
}

static void run(const struct slow_case *slow)
{
	int self = start_held(slow->fault, slow->held, 1);
	struct test_disk disk = test_disk(self, 0), other = test_disk(self, 1);
	unsigned char check[BLOCK];
	struct test_peer peer;
	int suspended;
	message msg;

	assert_int_equal(test_disk_open(&disk, 0), 0);
	assert_int_equal(test_disk_open(&other, 0), 0);
	test_peer_start(&peer, ANY);
	open_by_peer(&peer);
	assert_int_equal(test_peer_grant(&peer, TEST_SERVER_ENDPOINT, granted_fd, granted, BLOCK), 0);
	/* With a stall this one takes long. */
	assert_int_equal(test_disk_write(&disk, MIB(3), write_memory, BLOCK), BLOCK);
	begin_slow(&peer, slow);
	assert_served(&disk);
	assert_served(&other);
	suspended = begin_ours(&disk, slow);
	assert_served(&disk);
	assert_false(test_peer_finished(&peer));
	let_go();
	assert_int_equal(test_peer_finish(&peer, &msg), 0);
	assert_int_equal(msg.REP_STATUS,
			 slow->type == DEV_READ || slow->type == DEV_WRITE || slow->type == DEV_WRITE_FUA ? BLOCK : 0);
	collect_ours(&disk, suspended);
	if (slow->type == DEV_READ)
		assert_int_equal(count_of(slow->own, slow->granted ? granted : copied), BLOCK);
	assert_int_equal(count_of(slow->read, read_memory), BLOCK);
	assert_int_equal(test_disk_read(&disk, PLACE, check, BLOCK), BLOCK);
	assert_int_equal(count_of(OURS, check), BLOCK);
	test_peer_stop(&peer);
	fixture_end();
}

static void test_slow(void **state)
{
	run(*state);
}

/* A failure to make something stable reaches who has waited for it. */
static void test_flush_that_fails(void **state)
{
	struct rdisk_request requests[2];
	struct rdisk_completion completions[2];
	struct test_disk disk;
	int left = 2;

	(void)state;
	disk = test_disk(start_held("fdatasync:1", "flush", 0), 0);
	assert_int_equal(test_disk_open(&disk, 0), 0);
	requests[0] = build(RDISK_OP_WRITE_ZEROES, 0, NULL, 0);
	requests[0].length = BLOCK;
	requests[0].flags |= RDISK_REQUEST_FUA;
	write_vector = (struct rdisk_iovec){ test_address(write_memory), BLOCK };
	requests[1] = build(RDISK_OP_WRITE, PLACE, &write_vector, 1);
	requests[1].flags |= RDISK_REQUEST_FUA;
	assert_int_equal(test_disk_batch(&disk, requests, 2), 2);
	assert_int_equal(requests[0].result, SUSPEND);
	assert_int_equal(requests[1].result, SUSPEND);
	let_go();
	while (left > 0) {
		requests[0] = build_collect(completions, 2, RDISK_REQUEST_WAIT);
		assert_int_equal(test_disk_batch(&disk, requests, 1), 1);
		assert_in_range(requests[0].result, 1, left);
		for (int i = 0; i < requests[0].result; i++, left--)
			assert_int_equal(completions[i].result, EDVSIO);
	}
	assert_int_equal(test_disk_flush(&disk), EDVSIO);
	(void)dvk_close();
	assert_int_equal(test_process_stop(&server.process, SIGTERM), 2);
}

#define NR_CASES (sizeof(cases) / sizeof(cases[0]))

int main(void)
{
	struct CMUnitTest tests[NR_CASES + 1];

	if (!hold_possible())
		return TEST_SKIPPED;
	granted = test_grantable_memory(BLOCK, &granted_fd);
	copied = test_shared_memory(BLOCK);
	for (size_t i = 0; i < NR_CASES; i++)
		tests[i] = (struct CMUnitTest){ cases[i].name, test_slow, hold_setup, fixture_discard,
						(void *)(uintptr_t)&cases[i] };
	tests[NR_CASES] =
		(struct CMUnitTest){ "a flush that fails", test_flush_that_fails, hold_setup, fixture_discard, NULL };
	return cmocka_run_group_tests_name("slow_disk", tests, NULL, NULL);
}
