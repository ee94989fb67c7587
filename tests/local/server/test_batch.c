/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * DEV_BATCH: many requests under one message. Each has a result of its own, and a
 * bad one does not harm its neighbours.
 */
#include "server_fixture.h"

#define BLOCK 4096

static const struct test_device batch_devices[] = {
	{ .name = "FILE", .file = "file.img", .size = "4M" },
	{ .name = "RO", .file = "ro.img", .read_only = true },
	{ .name = "CLOSED", .file = "closed.img", .size = "1M" },
};

static int start_batch_devices(void)
{
	test_image_create("ro.img", (uint64_t)MIB(1));
	return fixture_start(batch_devices, 3, ANY);
}

static struct rdisk_request build(uint32_t operation, uint64_t position, struct rdisk_iovec *vector, uint32_t elements)
{
	struct rdisk_request request = { .operation = operation,
					 .position = position,
					 .nr_segments = elements,
					 .vector = test_address(vector),
					 .result = RDISK_RESULT_NONE };

	for (uint32_t i = 0; i < elements; i++)
		request.length += vector[i].iov_size;
	request.cookie = 0xc00c1e00u ^ position;
	return request;
}

static void test_full_batches(void **state)
{
	static struct rdisk_iovec vectors[RDISK_BATCH_MAX][4];
	static struct rdisk_request requests[RDISK_BATCH_MAX], before[RDISK_BATCH_MAX];
	unsigned char *memory = fixture_memory((size_t)RDISK_BATCH_MAX * 4 * BLOCK);
	struct test_disk disk;

	(void)state;
	disk = test_disk(start_batch_devices(), 0);
	assert_int_equal(test_disk_open(&disk, 0), 0);
	for (uint32_t operation = RDISK_OP_WRITE; operation >= RDISK_OP_READ; operation--) {
		for (int i = 0; i < RDISK_BATCH_MAX; i++) {
			uint64_t position = (uint64_t)(RDISK_BATCH_MAX - 1 - i) * 4 * BLOCK;

			for (int s = 0; s < 4; s++) {
				unsigned char *segment = memory + (4 * i + s) * BLOCK;

				vectors[i][s] = (struct rdisk_iovec){ test_address(segment), BLOCK };
				if (operation == RDISK_OP_WRITE)
					test_pattern_fill(segment, BLOCK, position + (uint64_t)s * BLOCK, 1);
				else
					memset(segment, 0, BLOCK);
			}
			requests[i] = build(operation, position, vectors[i], 1 + (uint32_t)i % 4);
			if (i % 3 == 0 && operation == RDISK_OP_WRITE)
				requests[i].flags = RDISK_REQUEST_FUA;
		}
		memcpy(before, requests, sizeof(requests));
		assert_int_equal(test_disk_batch(&disk, requests, RDISK_BATCH_MAX), RDISK_BATCH_MAX);
		for (int i = 0; i < RDISK_BATCH_MAX; i++) {
			assert_int_equal(requests[i].result, requests[i].length);
			before[i].result = requests[i].result;
			/* Vectors are left as they were. */
			for (uint64_t s = 0; s < requests[i].nr_segments; s++) {
				const void *segment = (const void *)(uintptr_t)vectors[i][s].iov_addr;

				assert_int_equal(vectors[i][s].iov_size, BLOCK);
				assert_int_equal(
					test_pattern_check(segment, BLOCK, requests[i].position + s * BLOCK, 1), BLOCK);
			}
		}
		/* The result is all that the server writes. */
		assert_memory_equal(before, requests, sizeof(requests));
	}
	fixture_end();
	free(memory);
}

static void test_bad_in_the_midst(void **state)
{
	static unsigned char memory[4][BLOCK];
	struct rdisk_iovec good[1] = { { test_address(memory[0]), BLOCK } };
	struct rdisk_iovec read_back[1] = { { test_address(memory[1]), BLOCK } };
	struct rdisk_iovec bad_segment[2] = { { test_address(memory[2]), 512 }, { test_address(BAD_ADDRESS), 512 } };
	struct rdisk_iovec huge[2] = { { test_address(memory[2]), UINT64_MAX }, { test_address(memory[2]), 2 } };
	struct rdisk_request requests[20];
	struct test_disk disk;
	int n = 0, self;

	(void)state;
	self = start_batch_devices();
	disk = test_disk(self, 1);
	assert_int_equal(test_disk_open(&disk, RDISK_OPEN_READ), 0);
	disk.minor = 0;
	assert_int_equal(test_disk_open(&disk, 0), 0);
	test_pattern_fill(memory[0], BLOCK, 0, 1);
	memset(memory[2], 0x22, BLOCK);

	requests[n++] = build(RDISK_OP_WRITE, 0, good, 1);
	requests[n] = build(RDISK_OP_READ, 0, read_back, 1);
	requests[n++].minor = 99;
	requests[n] = build(RDISK_OP_READ, 0, read_back, 1);
	requests[n++].minor = -1;
	requests[n] = build(RDISK_OP_READ, 0, read_back, 1);
	requests[n++].minor = 2; /* not open */
	requests[n] = build(RDISK_OP_WRITE, 0, good, 1);
	requests[n++].minor = 1; /* read-only */
	requests[n++] = build(0, 0, good, 1);
	requests[n++] = build(77, 0, good, 1);
	requests[n] = build(RDISK_OP_READ, 0, read_back, 1);
	requests[n++].nr_segments = 0;
	requests[n] = build(RDISK_OP_READ, 0, read_back, 1);
	requests[n++].nr_segments = RDISK_VECTOR_MAX + 1;
	requests[n] = build(RDISK_OP_READ, 0, read_back, 1);
	requests[n++].nr_segments = UINT32_MAX;
	requests[n] = build(RDISK_OP_READ, 0, read_back, 1);
	requests[n++].vector = test_address(BAD_ADDRESS);
	requests[n++] = build(RDISK_OP_READ, 8192, bad_segment, 2);
	requests[n] = build(RDISK_OP_READ, 0, read_back, 1);
	requests[n++].length = 512; /* not the sum */
	requests[n++] = build(RDISK_OP_WRITE, 8192, huge, 2);
	requests[n++] = build(RDISK_OP_READ, UINT64_MAX, read_back, 1);
	requests[n] = build(RDISK_OP_DISCARD, (uint64_t)MIB(4), NULL, 0);
	requests[n++].length = 512;
	requests[n] = build(RDISK_OP_WRITE_ZEROES, 512, NULL, 0);
	requests[n++].length = UINT64_MAX;
	requests[n++] = build(RDISK_OP_FLUSH, 0, NULL, 0);
	requests[n++] = build(RDISK_OP_WRITE, BLOCK, good, 1);

	assert_int_equal(test_disk_batch(&disk, requests, n), n);
	assert_int_equal(requests[0].result, BLOCK);
	for (int i = 1; i < n - 2; i++) {
		if (requests[i].result >= 0 || requests[i].result == RDISK_RESULT_NONE)
			fail_msg("request %d of the batch: result %lld", i, (long long)requests[i].result);
	}
	assert_int_equal(requests[1].result, EDVSNXIO);
	assert_int_equal(requests[3].result, EDVSNXIO);
	assert_int_equal(requests[4].result, EDVSROFS);
	assert_int_equal(requests[7].result, EDVSINVAL);
	assert_int_equal(requests[8].result, EDVS2BIG);
	assert_int_equal(requests[10].result, EDVSFAULT);
	assert_int_equal(requests[11].result, EDVSFAULT);
	assert_int_equal(requests[n - 2].result, 0);
	assert_int_equal(requests[n - 1].result, BLOCK);

	assert_int_equal(test_disk_read(&disk, 0, memory[1], BLOCK), BLOCK);
	assert_int_equal(test_pattern_check(memory[1], BLOCK, 0, 1), BLOCK);
	assert_int_equal(test_disk_read(&disk, BLOCK, memory[1], BLOCK), BLOCK);
	assert_int_equal(test_pattern_check(memory[1], BLOCK, 0, 1), BLOCK);
	assert_server_lives(self);
	fixture_end();
}

static void test_operations(void **state)
{
	static unsigned char memory[2 * BLOCK];
	struct rdisk_iovec vector[1] = { { test_address(memory), sizeof(memory) } };
	struct rdisk_request requests[3];
	struct test_disk disk;

	(void)state;
	disk = test_disk(start_batch_devices(), 0);
	assert_int_equal(test_disk_open(&disk, 0), 0);
	memset(memory, 0xff, sizeof(memory));
	assert_int_equal(test_disk_write(&disk, 0, memory, sizeof(memory)), sizeof(memory));
	assert_int_equal(test_disk_write(&disk, MIB(1), memory, sizeof(memory)), sizeof(memory));
	requests[0] = build(RDISK_OP_WRITE_ZEROES, 1, NULL, 0);
	requests[0].length = BLOCK;
	requests[0].flags = RDISK_REQUEST_FUA;
	requests[1] = build(RDISK_OP_DISCARD, (uint64_t)MIB(1), NULL, 0);
	requests[1].length = 2 * BLOCK;
	requests[2] = build(RDISK_OP_FLUSH, 0, NULL, 0);
	assert_int_equal(test_disk_batch(&disk, requests, 3), 3);
	for (int i = 0; i < 3; i++)
		assert_int_equal(requests[i].result, 0);
	assert_int_equal(test_disk_read(&disk, 0, memory, sizeof(memory)), sizeof(memory));
	assert_int_equal(memory[0], 0xff);
	assert_int_equal(test_bytes_check(memory + 1, BLOCK, 0), BLOCK);
	assert_int_equal(test_bytes_check(memory + 1 + BLOCK, BLOCK - 1, 0xff), BLOCK - 1);
	/* The end of the device: cut, then nothing. */
	requests[0] = build(RDISK_OP_READ, (uint64_t)MIB(4) - BLOCK, vector, 1);
	requests[1] = build(RDISK_OP_WRITE, (uint64_t)MIB(4), vector, 1);
	assert_int_equal(test_disk_batch(&disk, requests, 2), 2);
	assert_int_equal(requests[0].result, BLOCK);
	assert_int_equal(requests[1].result, 0);
	assert_int_equal(test_image_size("file.img"), MIB(4));
	fixture_end();
}

static void test_bad_batches(void **state)
{
	static struct rdisk_request requests[RDISK_BATCH_MAX + 1];
	struct test_disk disk;
	int self;

	(void)state;
	self = start_batch_devices();
	disk = test_disk(self, 0);
	assert_int_equal(test_disk_open(&disk, 0), 0);
	assert_int_equal(test_disk_batch(&disk, requests, 0), EDVSINVAL);
	assert_int_equal(test_disk_batch(&disk, requests, -1), EDVSINVAL);
	assert_int_equal(test_disk_batch(&disk, requests, RDISK_BATCH_MAX + 1), EDVS2BIG);
	assert_int_equal(test_disk_batch(&disk, requests, INT32_MAX), EDVS2BIG);
	assert_int_equal(test_disk_batch(&disk, BAD_ADDRESS, 1), EDVSFAULT);
	assert_int_equal(test_disk_batch(&disk, HIGH_BAD_ADDRESS, RDISK_BATCH_MAX), EDVSFAULT);
	assert_server_lives(self);
	fixture_end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FIXTURE_TEST(test_full_batches),
		FIXTURE_TEST(test_bad_in_the_midst),
		FIXTURE_TEST(test_operations),
		FIXTURE_TEST(test_bad_batches),
	};

	return cmocka_run_group_tests_name("batch", tests, NULL, NULL);
}
