/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Clients that die while nobody can serve them, with as much under way as the server takes: others have their room, and
 * are served when there is a majority again.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "member_set.h"
#include "test_disk.h"

#define FULL	2048 /* requests of batches, to disks of a set, that a server takes at a time */
#define CLIENTS (FULL / RDISK_SUSPENDED_MAX)
#define SECTOR	512

struct ring {
	struct rdisk_request requests[RDISK_BATCH_MAX];
	struct rdisk_iovec vectors[RDISK_BATCH_MAX];
	struct rdisk_completion completions[RDISK_BATCH_MAX];
	char data[SECTOR];
};

static struct test_peer dead[CLIENTS];

static int setup(void **state)
{
	(void)state;
	member_set_make();
	for (int i = 0; i < MEMBERS; i++)
		member_change(i, "replicated = true; }", "replicated = true; shared = true; }");
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	for (int i = 0; i < CLIENTS; i++)
		test_peer_stop(&dead[i]);
	member_set_discard();
	return 0;
}

/* Writes of a sector each, which may be suspended, from block `first` on. */
static void fill(struct ring *ring, int first)
{
	for (int i = 0; i < RDISK_BATCH_MAX; i++) {
		ring->vectors[i] = (struct rdisk_iovec){ test_address(ring->data), SECTOR };
		ring->requests[i] = (struct rdisk_request){
			.operation = RDISK_OP_WRITE,
			.flags = RDISK_REQUEST_MAY_SUSPEND,
			.nr_segments = 1,
			.position = (uint64_t)(first + i) * SECTOR,
			.length = SECTOR,
			.vector = test_address(&ring->vectors[i]),
			.cookie = (uint64_t)i,
			.result = RDISK_RESULT_NONE,
		};
	}
}

/* Waits for all that is suspended, and looks whether it was written. */
static void collect(struct test_disk *disk, struct ring *ring)
{
	for (int left = RDISK_BATCH_MAX; left > 0;) {
		struct rdisk_request *request = &ring->requests[0];

		*request = (struct rdisk_request){
			.operation = RDISK_OP_COLLECT,
			.flags = RDISK_REQUEST_WAIT,
			.nr_segments = RDISK_BATCH_MAX,
			.vector = test_address(ring->completions),
			.result = RDISK_RESULT_NONE,
		};
		assert_int_equal(test_disk_batch(disk, request, 1), 1);
		assert_true(request->result > 0 && request->result <= left);
		for (int i = 0; i < request->result; i++)
			assert_int_equal(ring->completions[i].result, SECTOR);
		left -= (int)request->result;
	}
}

/* All that one client may have under way. */
static void fill_client(int index, struct ring *ring)
{
	struct test_disk disk = test_disk(0, 0);

	for (int first = 0; first < RDISK_SUSPENDED_MAX; first += RDISK_BATCH_MAX) {
		fill(ring, index * RDISK_SUSPENDED_MAX + first);
		assert_int_equal(
			test_peer_request(&dead[index], &disk, DEV_BATCH, RDISK_BATCH_MAX, 0, 0, ring->requests),
			RDISK_BATCH_MAX);
		for (int i = 0; i < RDISK_BATCH_MAX; i++)
			assert_int_equal(ring->requests[i].result, SUSPEND);
	}
}

static void test_dead_clients(void **state)
{
	struct ring *others = test_shared_memory(sizeof(*others)), *own = test_shared_memory(sizeof(*own));
	struct test_disk disk, of_dead = test_disk(0, 0);
	char back[SECTOR];

	(void)state;
	member_set_start();
	assert_int_equal(setenv("DVK_RUNTIME_DIR", set_members[MEMBER_A].runtime, 1), 0);
	for (int i = 0; i < CLIENTS; i++)
		test_peer_start(&dead[i], ANY);
	disk = test_disk(test_bind(ANY), 0);
	assert_int_equal(test_disk_open(&disk, 0), 0);
	for (int i = 0; i < CLIENTS; i++)
		assert_int_equal(test_peer_request(&dead[i], &of_dead, DEV_OPEN, 0, 0, 0, NULL), 0);

	/* What is written waits for b from now on, and is refused by nobody. */
	test_process_discard(&set_members[MEMBER_B].rdisk);
	test_process_discard(&set_members[MEMBER_C].rdisk);
	memset(others->data, 'x', SECTOR);
	for (int i = 0; i < CLIENTS; i++)
		fill_client(i, others);
	/* There is no room for any more, */
	memset(own->data, 'y', SECTOR);
	fill(own, FULL);
	disk.timeout_ms = 1000;
	assert_int_equal(test_disk_batch(&disk, own->requests, RDISK_BATCH_MAX), TEST_DISK_NO_ANSWER);
	/* until the others are gone, though nobody can serve. */
	for (int i = 0; i < CLIENTS; i++)
		test_peer_kill(&dead[i], SIGKILL);
	disk.timeout_ms = TEST_TIMEOUT_MS;
	fill(own, FULL);
	assert_int_equal(test_disk_batch(&disk, own->requests, RDISK_BATCH_MAX), RDISK_BATCH_MAX);
	for (int i = 0; i < RDISK_BATCH_MAX; i++)
		assert_int_equal(own->requests[i].result, SUSPEND);

	member_start(MEMBER_B, NULL);
	member_start(MEMBER_C, NULL);
	collect(&disk, own);
	assert_int_equal(test_disk_read(&disk, FULL * SECTOR, back, SECTOR), SECTOR);
	assert_memory_equal(back, own->data, SECTOR);
	assert_int_equal(test_disk_close(&disk), 0);
	member_await(MEMBER_A, NULL, "b");
	member_set_end();
	dvk_close();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_dead_clients, setup, teardown),
	};

	test_directory();
	return cmocka_run_group_tests_name("member withdraw", tests, NULL, NULL);
}
