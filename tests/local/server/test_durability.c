/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Flush and FUA, an fdatasync that fails, discard and write-zeroes. Faults are
 * injected by the library of tests/fault. What a power cut leaves is not tested here.
 */
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include "fault_environment.h"
#include "server_fixture.h"

#define EXIT_NOT_FLUSHED 2 /* exit status of rdisk, see rdisk(8) */

static const struct test_device durable_device = { .name = "DURABLE", .file = "durable.img", .size = "8M" };

/* A server that meets a fault (fault_environment_set()). Returns our endpoint. */
static int start_faulty(const struct test_device *device, const char *fault)
{
	struct fault_environment environment;

	fault_environment_set(&environment, fault);
	test_runtime_new();
	test_server_start(&server, device, 1, environment.variables);
	return test_bind(ANY);
}

static void test_flush_and_fua(void **state)
{
	unsigned char buffer[4096];
	struct rdisk_iovec vector[2];
	struct test_disk disk;

	(void)state;
	disk = test_disk(fixture_start(&durable_device, 1, ANY), 0);
	assert_int_equal(test_disk_open(&disk, 0), 0);
	assert_int_equal(test_disk_flush(&disk), 0);
	test_pattern_fill(buffer, 4096, 0, 1);
	assert_int_equal(test_disk_request(&disk, DEV_WRITE_FUA, 4096, 0, 0, buffer), 4096);
	vector[0] = (struct rdisk_iovec){ test_address(buffer), 1000 };
	vector[1] = (struct rdisk_iovec){ test_address(buffer) + 1000, 3096 };
	assert_int_equal(test_disk_request(&disk, DEV_SCATTER_FUA, 2, 4096, 0, vector), 4096);
	assert_int_equal(vector[1].iov_size, 0);
	assert_int_equal(test_disk_flush(&disk), 0);
	memset(buffer, 0, sizeof(buffer));
	test_image_read("durable.img", 4096, buffer, 4096);
	assert_int_equal(test_pattern_check(buffer, 4096, 0, 1), 4096);
	fixture_end();
}

/*
 * The second sync call fails, later ones would succeed: the kernel reports lost pages once. So
 * the server must not believe them, but fail flushes until it is started again.
 */
static void test_failing_flush(void **state)
{
	unsigned char buffer[512] = { 7 };
	struct test_disk disk;

	(void)state;
	disk = test_disk(start_faulty(&durable_device, "fdatasync:2"), 0);
	assert_int_equal(test_disk_open(&disk, 0), 0);
	assert_int_equal(test_disk_write(&disk, 0, buffer, 512), 512);
	assert_int_equal(test_disk_flush(&disk), 0);
	assert_int_equal(test_disk_write(&disk, 0, buffer, 512), 512);
	assert_int_equal(test_disk_flush(&disk), EDVSIO);
	for (int i = 0; i < 5; i++) {
		assert_int_equal(test_disk_flush(&disk), EDVSIO);
		assert_int_equal(test_disk_request(&disk, DEV_WRITE_FUA, 512, 4096, 0, buffer), EDVSIO);
	}
	/* What needs no promise still works. */
	assert_int_equal(test_disk_write(&disk, 512, buffer, 512), 512);
	assert_int_equal(test_disk_read(&disk, 512, buffer, 512), 512);
	assert_int_equal(test_disk_close(&disk), 0);
	assert_int_equal(test_disk_open(&disk, 0), 0);
	assert_int_equal(test_disk_flush(&disk), EDVSIO);
	(void)dvk_close();
	/* A last flush that cannot be trusted is no clean end. */
	assert_int_equal(test_process_stop(&server.process, SIGTERM), EXIT_NOT_FLUSHED);
	disk = test_disk(fixture_start(&durable_device, 1, ANY), 0);
	assert_int_equal(test_disk_open(&disk, 0), 0);
	assert_int_equal(test_disk_flush(&disk), 0);
	fixture_end();
}

/* The same for a FUA write: it fails, and so does every later flush. */
static void test_failing_fua(void **state)
{
	unsigned char buffer[512] = { 9 };
	struct test_disk disk;

	(void)state;
	disk = test_disk(start_faulty(&durable_device, "fdatasync:1"), 0);
	assert_int_equal(test_disk_open(&disk, 0), 0);
	assert_int_equal(test_disk_request(&disk, DEV_WRITE_FUA, 512, 0, 0, buffer), EDVSIO);
	assert_int_equal(test_disk_flush(&disk), EDVSIO);
	assert_int_equal(test_disk_request(&disk, DEV_WRITE_FUA, 512, 0, 0, buffer), EDVSIO);
	(void)dvk_close();
	assert_int_equal(test_process_stop(&server.process, SIGTERM), EXIT_NOT_FLUSHED);
}

/* What was written and never flushed is put on stable storage at the end: where that fails the end is no clean one. */
static void test_failing_end(void **state)
{
	unsigned char buffer[512] = { 3 };
	struct test_disk disk;

	(void)state;
	disk = test_disk(start_faulty(&durable_device, "syncfs:1"), 0);
	assert_int_equal(test_disk_open(&disk, 0), 0);
	assert_int_equal(test_disk_write(&disk, 0, buffer, 512), 512);
	(void)dvk_close();
	assert_int_equal(test_process_stop(&server.process, SIGTERM), EXIT_NOT_FLUSHED);
}

static void test_failing_transfers(void **state)
{
	static const char *const faults[] = { "pwrite:1", "pread:1" };
	unsigned char buffer[512] = { 9 };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct test_disk disk = test_disk(start_faulty(&durable_device, faults[i]), 0);
		int type = i ? DEV_READ : DEV_WRITE;

		assert_int_equal(test_disk_open(&disk, 0), 0);
		assert_int_equal(test_disk_request(&disk, type, 512, 0, 0, buffer), EDVSIO);
		/* One error is one failed request. */
		assert_int_equal(test_disk_request(&disk, type, 512, 0, 0, buffer), 512);
		assert_int_equal(test_disk_flush(&disk), 0);
		fixture_end();
	}
}

/* The host moves less than it was asked for: the client sees all of it moved. */
static void test_short_transfers(void **state)
{
	static const char *const faults[] = { "pwrite-short:1+", "pread-short:1+" };
	unsigned char *buffer = fixture_memory((size_t)MIB(1));

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct test_disk disk = test_disk(start_faulty(&durable_device, faults[i]), 0);

		assert_int_equal(test_disk_open(&disk, 0), 0);
		test_pattern_fill(buffer, (size_t)MIB(1), 100, i);
		assert_int_equal(test_disk_write(&disk, 100, buffer, (int)MIB(1)), MIB(1));
		memset(buffer, 0, (size_t)MIB(1));
		assert_int_equal(test_disk_read(&disk, 100, buffer, (int)MIB(1)), MIB(1));
		assert_int_equal(test_pattern_check(buffer, (size_t)MIB(1), 100, i), MIB(1));
		fixture_end();
	}
	free(buffer);
}

static bool holes_can_be_punched(void)
{
	char path[TEST_PATH_SIZE];
	int fd, result;

	test_image_create("probe.img", 65536);
	test_path(path, "probe.img");
	fd = open(path, O_RDWR | O_CLOEXEC);
	assert_true(fd >= 0);
	result = fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096);
	(void)close(fd);
	return result == 0;
}

static void test_discard(void **state)
{
	unsigned char *buffer = fixture_memory((size_t)MIB(4));
	struct test_disk disk;
	struct rdisk_info info;
	uint64_t before, after;

	(void)state;
	if (!holes_can_be_punched()) {
		free(buffer);
		fprintf(stderr, "skipped: the file system of /tmp cannot punch holes\n");
		skip();
	}
	disk = test_disk(fixture_start(&durable_device, 1, ANY), 0);
	assert_int_equal(test_disk_open(&disk, 0), 0);
	assert_int_equal(test_disk_info(&disk, &info), 0);
	assert_true(info.flags & RDISK_INFO_DISCARD);
	test_pattern_fill(buffer, (size_t)MIB(4), 0, 1);
	for (int i = 0; i < 4; i++)
		assert_int_equal(test_disk_write(&disk, MIB(i), buffer + MIB(i), (int)MIB(1)), MIB(1));
	assert_int_equal(test_disk_flush(&disk), 0);
	before = test_image_allocated("durable.img");
	assert_true(before >= (uint64_t)MIB(4));
	assert_int_equal(test_disk_discard(&disk, MIB(1), MIB(2)), 0);
	assert_int_equal(test_disk_flush(&disk), 0);
	after = test_image_allocated("durable.img");
	assert_true(after + (uint64_t)MIB(2) <= before);
	assert_int_equal(test_image_size("durable.img"), MIB(8));
	/* Not a byte beside the range. */
	memset(buffer, 0, (size_t)MIB(4));
	for (int i = 0; i < 4; i++)
		assert_int_equal(test_disk_read(&disk, MIB(i), buffer + MIB(i), (int)MIB(1)), MIB(1));
	assert_int_equal(test_pattern_check(buffer, (size_t)MIB(1), 0, 1), MIB(1));
	assert_int_equal(test_pattern_check(buffer + MIB(3), (size_t)MIB(1), (uint64_t)MIB(3), 1), MIB(1));
	/* Ranges that cover no block of the host, and nothing at all. */
	assert_int_equal(test_disk_discard(&disk, 100, 200), 0);
	assert_int_equal(test_disk_discard(&disk, 100, 0), 0);
	assert_int_equal(test_disk_read(&disk, 0, buffer, 512), 512);
	assert_int_equal(test_pattern_check(buffer, 100, 0, 1), 100);
	assert_int_equal(test_pattern_check(buffer + 300, 212, 300, 1), 212);
	fixture_end();
	free(buffer);
}

static void test_write_zeroes(void **state)
{
	static const struct {
		int64_t position, length;
	} ranges[] = { { 0, 1 },	 { 511, 2 },	   { 4096, 4096 },
		       { 10000, 10001 }, { 65535, 65538 }, { MIB(1) - 1, MIB(2) + 2 } };
	unsigned char *buffer = fixture_memory((size_t)MIB(4));
	unsigned char *model = fixture_memory((size_t)MIB(4));
	struct test_disk disk;

	(void)state;
	disk = test_disk(fixture_start(&durable_device, 1, ANY), 0);
	assert_int_equal(test_disk_open(&disk, 0), 0);
	test_pattern_fill(model, (size_t)MIB(4), 0, 2);
	assert_int_equal(test_disk_write(&disk, 0, model, (int)MIB(4)), MIB(4));
	for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++) {
		assert_int_equal(test_disk_write_zeroes(&disk, ranges[i].position, ranges[i].length), 0);
		memset(model + ranges[i].position, 0, (size_t)ranges[i].length);
		assert_int_equal(test_disk_read(&disk, 0, buffer, (int)MIB(4)), MIB(4));
		assert_memory_equal(buffer, model, (size_t)MIB(4));
	}
	assert_int_equal(test_disk_write_zeroes(&disk, 5, 0), 0);
	fixture_end();
	test_image_read("durable.img", 0, buffer, (size_t)MIB(4));
	assert_memory_equal(buffer, model, (size_t)MIB(4));
	free(buffer);
	free(model);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FIXTURE_TEST(test_flush_and_fua),     FIXTURE_TEST(test_failing_flush),
		FIXTURE_TEST(test_failing_fua),	      FIXTURE_TEST(test_failing_end),
		FIXTURE_TEST(test_failing_transfers), FIXTURE_TEST(test_short_transfers),
		FIXTURE_TEST(test_discard),	      FIXTURE_TEST(test_write_zeroes),
	};

	return cmocka_run_group_tests_name("durability", tests, NULL, NULL);
}
