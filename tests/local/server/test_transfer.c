/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * DEV_READ and DEV_WRITE: sizes and offsets around every edge that the server has,
 * the end of the device, positions beyond 2 and 4 GiB. What a device holds is compared with a copy in memory, byte by
 * byte, and with the image at the end.
 */
#include "server_fixture.h"

#define DEVICE_SIZE (MIB(4) + 512)
#define GUARD	    64

static const int transfer_sizes[] = { 1,     2,	    7,	   511,	   512,	   513,	    1023,   1024,  1025,
				      4095,  4096,  4097,  16383,  16384,  16385,   61439,  61440, 61441,
				      65535, 65536, 65537, 131072, 262145, 1048575, 1048576 };

/* A device beside what it has to hold. */
struct mirrored {
	struct test_disk disk;
	unsigned char *model;
	unsigned char *buffer; /* 1 MiB and guards on both sides */
	uint64_t seed;
};

static void write_and_mirror(struct mirrored *mirrored, int64_t position, int size)
{
	int64_t room = DEVICE_SIZE - position;
	int64_t expected = room < 0 ? 0 : size < room ? size : room;

	test_pattern_fill(mirrored->buffer, (size_t)size, (uint64_t)position, ++mirrored->seed);
	if (expected > 0)
		memcpy(mirrored->model + position, mirrored->buffer, (size_t)expected);
	assert_int_equal(test_disk_write(&mirrored->disk, position, mirrored->buffer, size), expected);
}

/* Reads and compares; the bytes beside the buffer and beyond what was moved must be as they were. */
static void read_and_compare(struct mirrored *mirrored, int64_t position, int size)
{
	int64_t room = DEVICE_SIZE - position;
	int64_t expected = room < 0 ? 0 : size < room ? size : room;
	unsigned char *buffer = mirrored->buffer + GUARD;

	memset(mirrored->buffer, 0xa5, (size_t)size + 2 * GUARD);
	assert_int_equal(test_disk_read(&mirrored->disk, position, buffer, size), expected);
	if (expected > 0)
		assert_memory_equal(buffer, mirrored->model + position, (size_t)expected);
	assert_int_equal(test_bytes_check(mirrored->buffer, GUARD, 0xa5), GUARD);
	assert_int_equal(test_bytes_check(buffer + expected, (size_t)(size - expected) + GUARD, 0xa5),
			 size - expected + GUARD);
}

static void sweep_edges(struct mirrored *mirrored, int64_t edge)
{
	static const int deltas[] = { -513, -512, -1, 0, 1, 511, 512 };

	for (size_t d = 0; d < sizeof(deltas) / sizeof(deltas[0]); d++) {
		int64_t position = edge + deltas[d];

		if (position < 0)
			continue;
		for (size_t s = 0; s < sizeof(transfer_sizes) / sizeof(transfer_sizes[0]); s++) {
			write_and_mirror(mirrored, position, transfer_sizes[s]);
			read_and_compare(mirrored, position > 3 ? position - 3 : 0, transfer_sizes[s]);
		}
	}
}

static void test_sizes_and_edges(void **state)
{
	static const int buffers[] = { 0, 1024, 4096, 61440, 65536 };
	static const char *const files[] = { "b0.img", "b1.img", "b2.img", "b3.img", "b4.img" };
	struct test_device devices[5] = { 0 };
	struct mirrored mirrored = { 0 };
	unsigned char *image = fixture_memory(DEVICE_SIZE);
	int self;

	(void)state;
	mirrored.model = fixture_memory(DEVICE_SIZE);
	mirrored.buffer = fixture_memory((size_t)MIB(1) + 2 * GUARD);
	for (int i = 0; i < 5; i++) {
		devices[i].name = files[i];
		devices[i].file = files[i];
		devices[i].buffer = buffers[i];
		test_image_create(files[i], DEVICE_SIZE);
	}
	self = fixture_start(devices, 5, ANY);
	for (int i = 0; i < 5; i++) {
		mirrored.disk = test_disk(self, i);
		memset(mirrored.model, 0, DEVICE_SIZE);
		assert_int_equal(test_disk_open(&mirrored.disk, 0), 0);
		sweep_edges(&mirrored, 0);
		sweep_edges(&mirrored, buffers[i] ? buffers[i] : MIB(1));
		sweep_edges(&mirrored, MIB(2));
		sweep_edges(&mirrored, DEVICE_SIZE);
		for (int64_t position = 0; position < DEVICE_SIZE; position += MIB(1))
			read_and_compare(&mirrored, position, (int)MIB(1));
		assert_int_equal(test_disk_flush(&mirrored.disk), 0);
		assert_int_equal(test_image_size(files[i]), DEVICE_SIZE);
		test_image_read(files[i], 0, image, DEVICE_SIZE);
		assert_memory_equal(image, mirrored.model, DEVICE_SIZE);
		assert_int_equal(test_disk_close(&mirrored.disk), 0);
	}
	fixture_end();
	free(image);
	free(mirrored.model);
	free(mirrored.buffer);
}

static void test_end_of_device(void **state)
{
	const struct test_device device = { .name = "END", .file = "end.img" };
	static const int64_t beyond[] = { MIB(1), MIB(1) + 1, GIB(2), GIB(4), INT64_MAX - 1, INT64_MAX };
	unsigned char buffer[1024];
	struct test_disk disk;

	(void)state;
	test_image_create("end.img", (uint64_t)MIB(1));
	disk = test_disk(fixture_start(&device, 1, ANY), 0);
	assert_int_equal(test_disk_open(&disk, 0), 0);
	for (size_t i = 0; i < sizeof(beyond) / sizeof(beyond[0]); i++) {
		memset(buffer, 0x5a, sizeof(buffer));
		assert_int_equal(test_disk_read(&disk, beyond[i], buffer, sizeof(buffer)), 0);
		assert_int_equal(test_bytes_check(buffer, sizeof(buffer), 0x5a), sizeof(buffer));
		assert_int_equal(test_disk_write(&disk, beyond[i], buffer, sizeof(buffer)), 0);
	}
	assert_int_equal(test_disk_write(&disk, MIB(1) - 100, buffer, sizeof(buffer)), 100);
	assert_int_equal(test_disk_read(&disk, MIB(1) - 1, buffer, sizeof(buffer)), 1);
	assert_int_equal(test_disk_read(&disk, MIB(1) - 1, buffer, 1), 1);
	assert_int_equal(test_image_size("end.img"), MIB(1));
	assert_int_equal(test_disk_close(&disk), 0);
	fixture_end();
}

static void test_bad_positions_and_counts(void **state)
{
	const struct test_device device = { .name = "BAD", .file = "bad.img", .size = "1M" };
	static const int64_t negative[] = { -1, -512, INT64_MIN, INT64_MIN + 1, -GIB(4) };
	unsigned char buffer[512] = { 0 };
	struct test_disk disk;
	int self;

	(void)state;
	self = fixture_start(&device, 1, ANY);
	disk = test_disk(self, 0);
	assert_int_equal(test_disk_open(&disk, 0), 0);
	for (size_t i = 0; i < sizeof(negative) / sizeof(negative[0]); i++) {
		assert_int_equal(test_disk_read(&disk, negative[i], buffer, 512), EDVSINVAL);
		assert_int_equal(test_disk_write(&disk, negative[i], buffer, 512), EDVSINVAL);
		assert_int_equal(test_disk_discard(&disk, negative[i], 512), EDVSINVAL);
		assert_int_equal(test_disk_discard(&disk, 0, negative[i]), EDVSINVAL);
		assert_int_equal(test_disk_write_zeroes(&disk, negative[i], 512), EDVSINVAL);
		assert_int_equal(test_disk_write_zeroes(&disk, 0, negative[i]), EDVSINVAL);
	}
	assert_int_equal(test_disk_read(&disk, 0, buffer, -1), EDVSINVAL);
	assert_int_equal(test_disk_write(&disk, 0, buffer, INT32_MIN), EDVSINVAL);
	assert_int_equal(test_disk_read(&disk, 0, buffer, 0), 0);
	assert_int_equal(test_disk_write(&disk, 0, buffer, 0), 0);
	assert_int_equal(test_disk_discard(&disk, MIB(1), 512), EDVSINVAL);
	assert_int_equal(test_disk_discard(&disk, MIB(1) - 512, 1024), EDVSINVAL);
	assert_int_equal(test_disk_discard(&disk, 512, INT64_MAX), EDVSINVAL);
	assert_int_equal(test_disk_write_zeroes(&disk, MIB(1) - 512, 1024), EDVSINVAL);
	assert_int_equal(test_disk_write_zeroes(&disk, INT64_MAX, INT64_MAX), EDVSINVAL);
	assert_int_equal(test_disk_discard(&disk, MIB(1) - 512, 512), 0);
	fixture_end();
}

/* Both sides of a border of 32-bit arithmetic, and the place where a position cut to 32 bits would land. */
static void check_border(struct test_disk *disk, int64_t border, uint64_t seed)
{
	static unsigned char buffer[KIB(256)];
	int64_t position = border - KIB(128) - 1;
	int64_t cut = (border - KIB(128) - 1) & 0x7fffffff;

	test_pattern_fill(buffer, sizeof(buffer), (uint64_t)position, seed);
	assert_int_equal(test_disk_write(disk, position, buffer, sizeof(buffer)), sizeof(buffer));
	memset(buffer, 0, sizeof(buffer));
	assert_int_equal(test_disk_read(disk, position, buffer, sizeof(buffer)), sizeof(buffer));
	assert_int_equal(test_pattern_check(buffer, sizeof(buffer), (uint64_t)position, seed), sizeof(buffer));
	test_image_read("high.img", (uint64_t)position, buffer, sizeof(buffer));
	assert_int_equal(test_pattern_check(buffer, sizeof(buffer), (uint64_t)position, seed), sizeof(buffer));
	if (cut != position) {
		test_image_read("high.img", (uint64_t)cut, buffer, 512);
		assert_int_equal(test_bytes_check(buffer, 512, 0), 512);
	}
}

static void test_high_positions(void **state)
{
	const struct test_device device = { .name = "HIGH", .file = "high.img", .size = "6G" };
	struct test_disk disk;
	struct rdisk_info info;
	struct rdisk_partition partition;
	unsigned char tail[1024];

	(void)state;
	disk = test_disk(fixture_start(&device, 1, ANY), 0);
	assert_int_equal(test_disk_open(&disk, 0), 0);
	assert_int_equal(test_disk_info(&disk, &info), 0);
	assert_int_equal(info.size, GIB(6));
	assert_int_equal(test_disk_request(&disk, DEV_IOCTL, DIOCGETP, 0, 0, &partition), 0);
	assert_int_equal(partition.size, GIB(6));
	check_border(&disk, GIB(4), 4);
	check_border(&disk, GIB(5), 5);
	check_border(&disk, GIB(2), 2);
	memset(tail, 0x77, sizeof(tail));
	assert_int_equal(test_disk_write(&disk, GIB(6) - 512, tail, sizeof(tail)), 512);
	assert_int_equal(test_disk_read(&disk, GIB(6) - 512, tail, sizeof(tail)), 512);
	assert_int_equal(test_disk_read(&disk, GIB(6), tail, sizeof(tail)), 0);
	/* What was written is all that the sparse image takes. */
	assert_true(test_image_allocated("high.img") < (uint64_t)MIB(16));
	/* One request over more than 4 GiB. */
	assert_int_equal(test_disk_discard(&disk, 0, GIB(6)), 0);
	assert_int_equal(test_disk_read(&disk, GIB(6) - 512, tail, 512), 512);
	fixture_end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FIXTURE_TEST(test_sizes_and_edges),
		FIXTURE_TEST(test_end_of_device),
		FIXTURE_TEST(test_bad_positions_and_counts),
		FIXTURE_TEST(test_high_positions),
	};

	return cmocka_run_group_tests_name("transfer", tests, NULL, NULL);
}
