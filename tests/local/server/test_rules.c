/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who may do what: open and close, access, exclusive use by one client process,
 * minors, IO_ENDPT, message types, the kinds of devices, and what DEV_IOCTL tells about them.
 */
#include <signal.h>

#include "server_fixture.h"

#define MANAGER_ENDPOINT 5 /* a system endpoint for this process where it needs more than sendrec */

static const struct test_device plain_device = { .name = "PLAIN", .file = "plain.img", .size = "1M" };

static void test_open_and_close(void **state)
{
	unsigned char buffer[512] = { 1 };
	struct test_disk disk;

	(void)state;
	disk = test_disk(fixture_start(&plain_device, 1, ANY), 0);
	assert_int_equal(test_disk_read(&disk, 0, buffer, 512), EDVSNXIO);
	assert_int_equal(test_disk_write(&disk, 0, buffer, 512), EDVSNXIO);
	assert_int_equal(test_disk_flush(&disk), EDVSNXIO);
	assert_int_equal(test_disk_discard(&disk, 0, 512), EDVSNXIO);
	assert_int_equal(test_disk_write_zeroes(&disk, 0, 512), EDVSNXIO);
	assert_true(test_disk_close(&disk) < 0);
	/* Access 0: for writing, as the device can be written. */
	assert_int_equal(test_disk_open(&disk, 0), 0);
	assert_int_equal(test_disk_write(&disk, 0, buffer, 512), 512);
	assert_int_equal(test_disk_open(&disk, RDISK_OPEN_READ), 0);
	assert_int_equal(test_disk_close(&disk), 0);
	assert_int_equal(test_disk_read(&disk, 0, buffer, 512), 512);
	assert_int_equal(test_disk_close(&disk), 0);
	assert_int_equal(test_disk_read(&disk, 0, buffer, 512), EDVSNXIO);
	assert_true(test_disk_close(&disk) < 0);
	/* For reading only. */
	assert_int_equal(test_disk_open(&disk, RDISK_OPEN_READ), 0);
	assert_int_equal(test_disk_read(&disk, 0, buffer, 512), 512);
	assert_int_equal(test_disk_write(&disk, 0, buffer, 512), EDVSBADOWNER);
	assert_int_equal(test_disk_discard(&disk, 0, 512), EDVSBADOWNER);
	assert_int_equal(test_disk_write_zeroes(&disk, 0, 512), EDVSBADOWNER);
	assert_int_equal(test_disk_close(&disk), 0);
	assert_int_equal(test_disk_open(&disk, RDISK_OPEN_READ | RDISK_OPEN_WRITE), 0);
	assert_int_equal(test_disk_write(&disk, 0, buffer, 512), 512);
	fixture_end();
}

static void test_bad_minors(void **state)
{
	static const int minors[] = { 1, 2, 255, INT32_MAX, -1, INT32_MIN };
	static const int types[] = { DEV_OPEN,	  DEV_CLOSE,	   DEV_READ,  DEV_WRITE,   DEV_WRITE_FUA,   DEV_GATHER,
				     DEV_SCATTER, DEV_SCATTER_FUA, DEV_FLUSH, DEV_DISCARD, DEV_WRITE_ZEROES };
	unsigned char buffer[512] = { 0 };
	struct rdisk_iovec element = { test_address(buffer), sizeof(buffer) };
	int self;

	(void)state;
	self = fixture_start(&plain_device, 1, ANY);
	for (size_t m = 0; m < sizeof(minors) / sizeof(minors[0]); m++) {
		struct test_disk disk = test_disk(self, minors[m]);
		struct rdisk_info info;

		for (size_t t = 0; t < sizeof(types) / sizeof(types[0]); t++)
			assert_int_equal(test_disk_request(&disk, types[t], 1, 0, 512, &element), EDVSNXIO);
		assert_int_equal(test_disk_info(&disk, &info), EDVSNXIO);
	}
	fixture_end();
}

static void test_message_types(void **state)
{
	static const int unknown[] = {
		0, 1, DEV_READ - 1, DEV_GATHER + 1, DEV_BATCH + 1, INT32_MAX, -1, MOLTASK_REPLY
	};
	struct test_disk disk;

	(void)state;
	disk = test_disk(fixture_start(&plain_device, 1, ANY), 0);
	for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++)
		assert_int_equal(test_disk_request(&disk, unknown[i], 0, 0, 0, NULL), EDVSBADREQUEST);
	assert_int_equal(test_disk_request(&disk, CANCEL, 0, 0, 0, NULL), 0);
	fixture_end();
}

static void test_ioctl(void **state)
{
	const struct test_device devices[] = {
		{ .name = "FIRST", .file = "first.img", .size = "1M" },
		{ .name = "FIFTEEN_LETTERS", .type = "MEMORY_IMAGE", .size = "3M" },
		{ .name = "THIRD", .file = "first_ro.img", .read_only = true, .shared = true },
	};
	struct rdisk_partition partition;
	struct rdisk_info info;
	struct test_disk disk;
	uint64_t instance;
	int self;

	(void)state;
	test_image_create("first_ro.img", (uint64_t)MIB(2) + 512);
	self = fixture_start(devices, 3, ANY);
	disk = test_disk(self, 0);
	assert_int_equal(test_disk_info(&disk, &info), 0);
	assert_int_equal(info.size_of, sizeof(info));
	assert_int_equal(info.flags & RDISK_INFO_READ_ONLY, 0);
	assert_int_equal(info.nr_minors, 3);
	assert_int_equal(info.size, MIB(1));
	assert_int_equal(info.max_segments, RDISK_VECTOR_MAX);
	assert_int_equal(info.max_batch, RDISK_BATCH_MAX);
	assert_true(info.max_transfer >= (uint64_t)MIB(1));
	assert_true(info.logical_block >= 512 && info.physical_block >= info.logical_block);
	assert_string_equal(info.name, "FIRST");
	instance = info.instance;
	disk.minor = 1;
	assert_int_equal(test_disk_info(&disk, &info), 0);
	assert_int_equal(info.minor, 1);
	assert_string_equal(info.name, "FIFTEEN_LETTERS");
	assert_true(info.flags & RDISK_INFO_VOLATILE);
	assert_int_equal(info.instance, instance);
	disk.minor = 2;
	assert_int_equal(test_disk_info(&disk, &info), 0);
	assert_int_equal(info.flags & (RDISK_INFO_READ_ONLY | RDISK_INFO_SHARED),
			 RDISK_INFO_READ_ONLY | RDISK_INFO_SHARED);
	/* 2 heads, 32 sectors, cylinders rounded down; the size is exact. */
	assert_int_equal(test_disk_request(&disk, DEV_IOCTL, DIOCGETP, 0, 0, &partition), 0);
	assert_int_equal(partition.base, 0);
	assert_int_equal(partition.size, MIB(2) + 512);
	assert_int_equal(partition.heads, 2);
	assert_int_equal(partition.sectors, 32);
	assert_int_equal(partition.cylinders, 64);
	assert_int_equal(test_disk_request(&disk, DEV_IOCTL, 12345, 0, 0, &partition), EDVSNOTTY);
	assert_int_equal(test_disk_request(&disk, DEV_IOCTL, DIOCGETP, 0, 0, BAD_ADDRESS), EDVSFAULT);
	assert_int_equal(test_disk_request(&disk, DEV_IOCTL, RDISK_IOC_INFO, 0, 0, HIGH_BAD_ADDRESS), EDVSFAULT);
	fixture_end();
	/* A restart shows in `instance`, and the image is still the same one. */
	self = fixture_start(devices, 3, ANY);
	disk = test_disk(self, 2);
	{
		uint64_t image_id = info.image_id;

		assert_int_equal(test_disk_info(&disk, &info), 0);
		assert_int_not_equal(info.instance, instance);
		assert_int_equal(info.image_id, image_id);
	}
	fixture_end();
}

static void test_read_only(void **state)
{
	const struct test_device device = { .name = "RO", .file = "ro.img", .read_only = true };
	unsigned char buffer[1024];
	struct test_disk disk;

	(void)state;
	test_image_create("ro.img", (uint64_t)MIB(1));
	test_pattern_fill(buffer, sizeof(buffer), 0, 3);
	test_image_write("ro.img", 0, buffer, sizeof(buffer));
	disk = test_disk(fixture_start(&device, 1, ANY), 0);
	assert_int_equal(test_disk_open(&disk, RDISK_OPEN_WRITE), EDVSROFS);
	assert_int_equal(test_disk_open(&disk, 0), 0);
	memset(buffer, 0, sizeof(buffer));
	assert_int_equal(test_disk_read(&disk, 0, buffer, sizeof(buffer)), sizeof(buffer));
	assert_int_equal(test_pattern_check(buffer, sizeof(buffer), 0, 3), sizeof(buffer));
	assert_int_equal(test_disk_write(&disk, 0, buffer, 512), EDVSROFS);
	assert_int_equal(test_disk_request(&disk, DEV_WRITE_FUA, 512, 0, 0, buffer), EDVSROFS);
	assert_int_equal(test_disk_discard(&disk, 0, 512), EDVSROFS);
	assert_int_equal(test_disk_write_zeroes(&disk, 0, 512), EDVSROFS);
	assert_int_equal(test_disk_flush(&disk), 0);
	fixture_end();
	test_image_read("ro.img", 0, buffer, sizeof(buffer));
	assert_int_equal(test_pattern_check(buffer, sizeof(buffer), 0, 3), sizeof(buffer));
}

/* Writes with odd borders, so that pages change in part; after each the whole device is compared with the model. */
static void scribble(struct test_disk *disk, unsigned char *model, unsigned char *buffer)
{
	for (int64_t position = 3001; position < MIB(1); position += 70001) {
		test_pattern_fill(model + position, 30011, (uint64_t)position, 2);
		assert_int_equal(test_disk_write(disk, position, model + position, 30011), 30011);
		assert_int_equal(test_disk_read(disk, 0, buffer, (int)MIB(2)), MIB(2));
		assert_memory_equal(buffer, model, (size_t)MIB(2));
	}
	assert_int_equal(test_disk_flush(disk), 0);
	memset(model + 1000, 0, 5000);
	assert_int_equal(test_disk_write_zeroes(disk, 1000, 5000), 0);
	memset(model + MIB(2) - 700, 0, 700);
	assert_int_equal(test_disk_write_zeroes(disk, MIB(2) - 700, 700), 0);
	assert_int_equal(test_disk_read(disk, 0, buffer, (int)MIB(2)), MIB(2));
	assert_memory_equal(buffer, model, (size_t)MIB(2));
}

/* What is written to a volatile or memory device is seen until the server ends, and nowhere else. */
static void test_volatile_and_memory(void **state)
{
	const struct test_device devices[] = {
		{ .name = "VOLATILE", .file = "volatile.img", .is_volatile = true, .buffer = 4096 },
		{ .name = "MEMORY", .type = "MEMORY_IMAGE", .size = "2M" },
	};
	unsigned char *initial = fixture_memory((size_t)MIB(2));
	unsigned char *model = fixture_memory((size_t)MIB(2));
	unsigned char *buffer = fixture_memory((size_t)MIB(2));
	struct test_disk disk;
	int self;

	(void)state;
	test_image_create("volatile.img", (uint64_t)MIB(2));
	test_pattern_fill(initial, (size_t)MIB(2), 0, 1);
	test_image_write("volatile.img", 0, initial, (size_t)MIB(2));
	self = fixture_start(devices, 2, ANY);
	disk = test_disk(self, 0);
	assert_int_equal(test_disk_open(&disk, 0), 0);
	memcpy(model, initial, (size_t)MIB(2));
	scribble(&disk, model, buffer);
	disk.minor = 1;
	assert_int_equal(test_disk_open(&disk, 0), 0);
	memset(model, 0, (size_t)MIB(2));
	scribble(&disk, model, buffer);
	fixture_end();
	test_image_read("volatile.img", 0, buffer, (size_t)MIB(2));
	assert_memory_equal(buffer, initial, (size_t)MIB(2));
	self = fixture_start(devices, 2, ANY);
	disk = test_disk(self, 0);
	assert_int_equal(test_disk_open(&disk, 0), 0);
	assert_int_equal(test_disk_read(&disk, 0, buffer, (int)MIB(2)), MIB(2));
	assert_memory_equal(buffer, initial, (size_t)MIB(2));
	fixture_end();
	free(initial);
	free(model);
	free(buffer);
}

static void test_exclusive_opens(void **state)
{
	const struct test_device devices[] = {
		{ .name = "OWN", .file = "own.img", .size = "1M" },
		{ .name = "SHARED", .file = "shared.img", .size = "1M", .shared = true },
	};
	struct test_disk mine, other;
	struct test_peer peer;
	int self;

	(void)state;
	self = fixture_start(devices, 2, MANAGER_ENDPOINT);
	test_peer_start(&peer, ANY);
	mine = test_disk(self, 0);
	other = test_disk(0, 0);
	/* A writer keeps everybody out. */
	assert_int_equal(test_disk_open(&mine, RDISK_OPEN_WRITE), 0);
	assert_int_equal(test_peer_request(&peer, &other, DEV_OPEN, 0, 0, 0, NULL), EDVSBUSY);
	assert_int_equal(test_peer_request(&peer, &other, DEV_OPEN, RDISK_OPEN_READ, 0, 0, NULL), EDVSBUSY);
	assert_int_equal(test_disk_open(&mine, RDISK_OPEN_WRITE), 0);
	assert_int_equal(test_disk_close(&mine), 0);
	assert_int_equal(test_peer_request(&peer, &other, DEV_OPEN, RDISK_OPEN_READ, 0, 0, NULL), EDVSBUSY);
	assert_int_equal(test_disk_close(&mine), 0);
	/* Readers keep out writers only. */
	assert_int_equal(test_disk_open(&mine, RDISK_OPEN_READ), 0);
	assert_int_equal(test_peer_request(&peer, &other, DEV_OPEN, RDISK_OPEN_WRITE, 0, 0, NULL), EDVSBUSY);
	assert_int_equal(test_peer_request(&peer, &other, DEV_OPEN, RDISK_OPEN_READ, 0, 0, NULL), 0);
	assert_int_equal(test_disk_open(&mine, RDISK_OPEN_WRITE), EDVSBUSY);
	assert_int_equal(test_disk_close(&mine), 0);
	assert_int_equal(test_peer_request(&peer, &other, DEV_CLOSE, 0, 0, 0, NULL), 0);
	/* A shared device takes all. */
	mine.minor = other.minor = 1;
	assert_int_equal(test_disk_open(&mine, RDISK_OPEN_WRITE), 0);
	assert_int_equal(test_peer_request(&peer, &other, DEV_OPEN, RDISK_OPEN_WRITE, 0, 0, NULL), 0);
	test_peer_stop(&peer);
	fixture_end();
}

/* A client that was killed holds nothing any more once its endpoint is free. */
static void test_death_frees(void **state)
{
	struct test_disk mine, other;
	int self;

	(void)state;
	self = fixture_start(&plain_device, 1, MANAGER_ENDPOINT);
	mine = test_disk(self, 0);
	other = test_disk(0, 0);
	for (int round = 0; round < 20; round++) {
		struct test_peer peer;

		test_peer_start(&peer, ANY);
		assert_int_equal(test_peer_request(&peer, &other, DEV_OPEN, RDISK_OPEN_WRITE, 0, 0, NULL), 0);
		assert_int_equal(test_peer_request(&peer, &other, DEV_OPEN, RDISK_OPEN_READ, 0, 0, NULL), 0);
		if (!round)
			assert_int_equal(test_disk_open(&mine, RDISK_OPEN_READ), EDVSBUSY);
		test_peer_kill(&peer, SIGKILL);
		assert_int_equal(dvk_wait4unbind_T(peer.endpoint, TEST_TIMEOUT_MS), 0);
		assert_int_equal(test_disk_open(&mine, RDISK_OPEN_WRITE), 0);
		assert_int_equal(test_disk_close(&mine), 0);
	}
	fixture_end();
}

/* A user endpoint has its own memory only; a system endpoint may name a process that waits for it. */
static void test_io_endpoint(void **state)
{
	unsigned char *shared = test_shared_memory(8192);
	message request = { .m_type = 1 }, msg;
	struct test_disk disk;
	struct test_peer peer;
	int self;

	(void)state;
	self = fixture_start(&plain_device, 1, MANAGER_ENDPOINT);
	test_peer_start(&peer, ANY);
	/* The user asks for I/O to the manager's memory. */
	disk = test_disk(self, 0);
	assert_int_equal(test_peer_request(&peer, &disk, DEV_READ, 512, 0, 0, shared), EDVSPERM);
	disk.self = peer.endpoint;
	assert_int_equal(test_peer_request(&peer, &disk, DEV_OPEN, 0, 0, 0, NULL), 0);
	disk.self = self;
	assert_int_equal(test_peer_request(&peer, &disk, DEV_WRITE, 512, 0, 0, shared), EDVSPERM);
	disk.self = peer.endpoint;
	assert_int_equal(test_peer_request(&peer, &disk, DEV_CLOSE, 0, 0, 0, NULL), 0);
	/* The manager asks for I/O to the user's memory while the user waits for the manager. */
	disk.self = self;
	assert_int_equal(test_disk_open(&disk, 0), 0);
	test_pattern_fill(shared, 8192, 0, 6);
	test_peer_begin(&peer, self, &request, TEST_TIMEOUT_MS);
	assert_int_equal(dvk_receive_T(peer.endpoint, &msg, TEST_TIMEOUT_MS), 0);
	disk.self = peer.endpoint;
	assert_int_equal(test_disk_write(&disk, 4096, shared, 4096), 4096);
	memset(shared, 0, 8192);
	assert_int_equal(test_disk_read(&disk, 4096, shared + 100, 4096), 4096);
	assert_int_equal(test_pattern_check(shared + 100, 4096, 0, 6), 4096);
	assert_int_equal(dvk_reply_T(peer.endpoint, &msg, TEST_TIMEOUT_MS), 0);
	assert_int_equal(test_peer_finish(&peer, &msg), 0);
	/* The user does not wait any more: its memory must be left alone. */
	assert_true(test_disk_read(&disk, 0, shared, 512) < 0);
	/* Nobody there; nonsense. */
	for (size_t i = 0; i < 5; i++) {
		const int endpoints[] = { 60, ANY, NONE, SELF, INT32_MIN };
		int status;

		disk.self = endpoints[i];
		status = test_disk_read(&disk, 0, shared, 512);
		assert_true(status < 0 && status != TEST_DISK_NO_ANSWER);
	}
	test_peer_stop(&peer);
	fixture_end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FIXTURE_TEST(test_open_and_close),  FIXTURE_TEST(test_bad_minors),
		FIXTURE_TEST(test_message_types),   FIXTURE_TEST(test_ioctl),
		FIXTURE_TEST(test_read_only),	    FIXTURE_TEST(test_volatile_and_memory),
		FIXTURE_TEST(test_exclusive_opens), FIXTURE_TEST(test_death_frees),
		FIXTURE_TEST(test_io_endpoint),
	};

	return cmocka_run_group_tests_name("rules", tests, NULL, NULL);
}
