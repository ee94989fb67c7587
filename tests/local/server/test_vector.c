/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * DEV_GATHER and DEV_SCATTER: numbers of elements, how the vector is updated, the end
 * of the device in the middle of an element, bad elements.
 */
#include "server_fixture.h"

#define VECTOR_DEVICE_SIZE MIB(4)

static const struct test_device vector_device = { .name = "VEC", .file = "vec.img", .size = "4M", .buffer = 4096 };

/* Elements of different, mostly odd sizes with gaps between them in `memory`; returns the sum of the sizes. */
static int64_t build_vector(struct rdisk_iovec *vector, int elements, unsigned char *memory)
{
	int64_t total = 0;

	for (int i = 0; i < elements; i++) {
		uint64_t size = (uint64_t)(1 + (i * 1237) % 6000);

		vector[i].iov_addr = test_address(memory) + (uint64_t)(i * 6016);
		vector[i].iov_size = size;
		total += (int64_t)size;
	}
	return total;
}

static void fill_elements(const struct rdisk_iovec *vector, int elements, int64_t position, uint64_t seed)
{
	for (int i = 0; i < elements; i++) {
		test_pattern_fill((void *)(uintptr_t)vector[i].iov_addr, vector[i].iov_size, (uint64_t)position, seed);
		position += (int64_t)vector[i].iov_size;
	}
}

/* Each element holds what belongs there, and the byte behind it is untouched. */
static void check_elements(const struct rdisk_iovec *vector, int elements, int64_t position, uint64_t seed)
{
	for (int i = 0; i < elements; i++) {
		const unsigned char *bytes = (const void *)(uintptr_t)vector[i].iov_addr;

		assert_int_equal(test_pattern_check(bytes, vector[i].iov_size, (uint64_t)position, seed),
				 vector[i].iov_size);
		assert_int_equal(bytes[vector[i].iov_size], 0xee);
		position += (int64_t)vector[i].iov_size;
	}
}

/* Every element was moved whole: nothing left of its size, its address behind it. */
static void check_updated(const struct rdisk_iovec *now, const struct rdisk_iovec *before, int elements, int64_t moved)
{
	for (int i = 0; i < elements; i++) {
		uint64_t part = before[i].iov_size < (uint64_t)moved ? before[i].iov_size : (uint64_t)moved;

		assert_int_equal(now[i].iov_size, before[i].iov_size - part);
		assert_int_equal(now[i].iov_addr, before[i].iov_addr + part);
		moved -= (int64_t)part;
	}
}

static void test_numbers_of_elements(void **state)
{
	static const int numbers[] = { 1, 2, 63, 64, 65, 255, 256 };
	struct rdisk_iovec vector[RDISK_VECTOR_MAX], before[RDISK_VECTOR_MAX];
	unsigned char *memory = fixture_memory(RDISK_VECTOR_MAX * 6016);
	struct test_disk disk;

	(void)state;
	disk = test_disk(fixture_start(&vector_device, 1, ANY), 0);
	assert_int_equal(test_disk_open(&disk, 0), 0);
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		int elements = numbers[i];
		int64_t position = 4096 * (int64_t)i + 13;
		int64_t total = build_vector(before, elements, memory);

		fill_elements(before, elements, position, (uint64_t)elements);
		memcpy(vector, before, sizeof(vector));
		assert_int_equal(test_disk_scatter(&disk, position, vector, elements), total);
		check_updated(vector, before, elements, total);
		memset(memory, 0xee, RDISK_VECTOR_MAX * 6016);
		memcpy(vector, before, sizeof(vector));
		assert_int_equal(test_disk_gather(&disk, position, vector, elements), total);
		check_updated(vector, before, elements, total);
		check_elements(before, elements, position, (uint64_t)elements);
		/* The same by one plain read: a vector's bytes lie one after the other on the device. */
		assert_int_equal(test_disk_read(&disk, position, memory, (int)total), total);
		assert_int_equal(test_pattern_check(memory, (size_t)total, (uint64_t)position, (uint64_t)elements),
				 total);
	}
	fixture_end();
	free(memory);
}

static void test_bad_numbers(void **state)
{
	struct rdisk_iovec *vector = calloc(RDISK_VECTOR_MAX + 1, sizeof(*vector));
	static const int too_many[] = { RDISK_VECTOR_MAX + 1, 1024, INT32_MAX };
	static const int too_few[] = { 0, -1, INT32_MIN };
	unsigned char buffer[512];
	struct test_disk disk;

	(void)state;
	assert_non_null(vector);
	for (int i = 0; i <= RDISK_VECTOR_MAX; i++)
		vector[i] = (struct rdisk_iovec){ test_address(buffer), 1 };
	disk = test_disk(fixture_start(&vector_device, 1, ANY), 0);
	assert_int_equal(test_disk_open(&disk, 0), 0);
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(test_disk_gather(&disk, 0, vector, too_many[i]), EDVS2BIG);
		assert_int_equal(test_disk_scatter(&disk, 0, vector, too_many[i]), EDVS2BIG);
		assert_int_equal(test_disk_gather(&disk, 0, vector, too_few[i]), EDVSINVAL);
		assert_int_equal(test_disk_scatter(&disk, 0, vector, too_few[i]), EDVSINVAL);
	}
	assert_int_equal(vector[0].iov_size, 1);
	fixture_end();
	free(vector);
}

static void test_end_in_an_element(void **state)
{
	struct rdisk_iovec vector[3], before[3];
	unsigned char memory[3 * 1024];
	struct test_disk disk;
	int64_t position = VECTOR_DEVICE_SIZE - 1536;

	(void)state;
	disk = test_disk(fixture_start(&vector_device, 1, ANY), 0);
	assert_int_equal(test_disk_open(&disk, 0), 0);
	for (int i = 0; i < 3; i++)
		before[i] = (struct rdisk_iovec){ test_address(memory) + (uint64_t)i * 1024, 1024 };
	test_pattern_fill(memory, sizeof(memory), (uint64_t)position, 9);
	memcpy(vector, before, sizeof(vector));
	assert_int_equal(test_disk_scatter(&disk, position, vector, 3), 1536);
	check_updated(vector, before, 3, 1536);
	memset(memory, 0x11, sizeof(memory));
	memcpy(vector, before, sizeof(vector));
	assert_int_equal(test_disk_gather(&disk, position, vector, 3), 1536);
	check_updated(vector, before, 3, 1536);
	assert_int_equal(test_pattern_check(memory, 1536, (uint64_t)position, 9), 1536);
	assert_int_equal(test_bytes_check(memory + 1536, 1536, 0x11), 1536);
	memcpy(vector, before, sizeof(vector));
	assert_int_equal(test_disk_gather(&disk, VECTOR_DEVICE_SIZE, vector, 3), 0);
	check_updated(vector, before, 3, 0);
	assert_int_equal(test_image_size("vec.img"), VECTOR_DEVICE_SIZE);
	fixture_end();
}

static void test_bad_elements(void **state)
{
	struct rdisk_iovec vector[3];
	unsigned char memory[2048];
	struct test_disk disk;
	int self;

	(void)state;
	self = fixture_start(&vector_device, 1, ANY);
	disk = test_disk(self, 0);
	assert_int_equal(test_disk_open(&disk, 0), 0);
	assert_int_equal(test_disk_gather(&disk, 0, BAD_ADDRESS, 4), EDVSFAULT);
	assert_int_equal(test_disk_scatter(&disk, 0, HIGH_BAD_ADDRESS, 4), EDVSFAULT);
	for (int type = 0; type < 2; type++) {
		int request = type ? DEV_SCATTER : DEV_GATHER;

		vector[0] = (struct rdisk_iovec){ test_address(memory), 1024 };
		vector[1] = (struct rdisk_iovec){ test_address(BAD_ADDRESS), 512 };
		vector[2] = (struct rdisk_iovec){ test_address(memory) + 1024, 1024 };
		assert_int_equal(test_disk_request(&disk, request, 3, 0, 0, vector), EDVSFAULT);
		/* Sizes whose sum does not fit the status, 64 bits, or anything. */
		vector[0].iov_size = UINT64_MAX;
		vector[1].iov_size = 2;
		assert_int_equal(test_disk_request(&disk, request, 3, 0, 0, vector), EDVSINVAL);
		vector[0].iov_size = INT32_MAX;
		assert_int_equal(test_disk_request(&disk, request, 3, 0, 0, vector), EDVSINVAL);
		vector[0].iov_size = (uint64_t)INT64_MAX + 1;
		assert_int_equal(test_disk_request(&disk, request, 1, 0, 0, vector), EDVSINVAL);
	}
	assert_server_lives(self);
	fixture_end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FIXTURE_TEST(test_numbers_of_elements),
		FIXTURE_TEST(test_bad_numbers),
		FIXTURE_TEST(test_end_in_an_element),
		FIXTURE_TEST(test_bad_elements),
	};

	return cmocka_run_group_tests_name("vector", tests, NULL, NULL);
}
