/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where a client's data may lie: its own memory, memory that it has granted and
 * sealed, memory that it has granted and can take away again while the server works on it,
 * and addresses where nothing is. The server must live on.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "server_fixture.h"

#define REGION_SIZE ((size_t)MIB(1))

static const struct test_device memory_devices[] = {
	{ .name = "FILE", .file = "file.img", .size = "4M", .buffer = 4096 },
	{ .name = "MEMORY", .type = "MEMORY_IMAGE", .size = "4M" },
	{ .name = "VOLATILE", .file = "volatile.img", .is_volatile = true },
};

#define NR_MEMORY_DEVICES 3

/* Shares a new memfd with the server; returns where it is mapped here. Behind it no memory can be used. */
static unsigned char *grant_region(bool sealed, int *fd)
{
	void *reserved, *base;

	*fd = memfd_create("region", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	assert_true(*fd >= 0);
	assert_int_equal(ftruncate(*fd, (off_t)REGION_SIZE), 0);
	if (sealed)
		assert_int_equal(fcntl(*fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL), 0);
	reserved = mmap(NULL, REGION_SIZE + 65536, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(reserved, MAP_FAILED);
	base = mmap(reserved, REGION_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, *fd, 0);
	assert_ptr_equal(base, reserved);
	assert_int_equal(dvk_grant(TEST_SERVER_ENDPOINT, *fd, 0, base, REGION_SIZE), 0);
	return base;
}

static int start_memory_devices(void)
{
	test_image_create("volatile.img", (uint64_t)MIB(4));
	return fixture_start(memory_devices, NR_MEMORY_DEVICES, ANY);
}

/* Transfers from and to `region`, plain and by vector. */
static void exercise(struct test_disk *disk, unsigned char *region)
{
	struct rdisk_iovec vector[4];

	for (int64_t position = 0; position < MIB(2); position += 300007) {
		int length = 200001;

		test_pattern_fill(region + 17, (size_t)length, (uint64_t)position, 5);
		assert_int_equal(test_disk_write(disk, position, region + 17, length), length);
		memset(region, 0, REGION_SIZE);
		assert_int_equal(test_disk_read(disk, position, region + 4095, length), length);
		assert_int_equal(test_pattern_check(region + 4095, (size_t)length, (uint64_t)position, 5), length);
		assert_int_equal(region[4094], 0);
		assert_int_equal(region[4095 + length], 0);
	}
	for (int i = 0; i < 4; i++) {
		vector[i] = (struct rdisk_iovec){ test_address(region) + (uint64_t)(3 - i) * 100000, 50000 };
		test_pattern_fill(region + (3 - i) * 100000, 50000, (uint64_t)i * 50000, 8);
	}
	assert_int_equal(test_disk_scatter(disk, MIB(3), vector, 4), 200000);
	assert_int_equal(test_disk_read(disk, MIB(3), region, 200000), 200000);
	assert_int_equal(test_pattern_check(region, 200000, 0, 8), 200000);
}

static void test_own_memory(void **state)
{
	unsigned char *region = fixture_memory(REGION_SIZE);
	int self;

	(void)state;
	self = start_memory_devices();
	for (int minor = 0; minor < NR_MEMORY_DEVICES; minor++) {
		struct test_disk disk = test_disk(self, minor);

		assert_int_equal(test_disk_open(&disk, 0), 0);
		exercise(&disk, region);
	}
	fixture_end();
	free(region);
}

static void test_granted_memory(void **state)
{
	int self;

	(void)state;
	self = start_memory_devices();
	for (int sealed = 0; sealed < 2; sealed++) {
		int fd;
		unsigned char *region = grant_region(sealed, &fd);

		for (int minor = 0; minor < NR_MEMORY_DEVICES; minor++) {
			struct test_disk disk = test_disk(self, minor);

			assert_int_equal(test_disk_open(&disk, 0), 0);
			exercise(&disk, region);
		}
		/* It stays mapped: another region must get another address. */
		(void)close(fd);
	}
	fixture_end();
}

/*
 * With granted memory alone: where the host forbids the server to reach into its
 * client (as it does for the guest's), all must go through what was granted.
 */
static void test_granted_without_access(void **state)
{
	struct test_disk disk;
	struct rdisk_iovec *vector;
	unsigned char *region;
	int fd;

	(void)state;
	disk = test_disk(start_memory_devices(), 0);
	region = grant_region(true, &fd);
	vector = (struct rdisk_iovec *)(void *)(region + 8192);
	assert_int_equal(prctl(PR_SET_DUMPABLE, 0), 0);
	assert_int_equal(test_disk_open(&disk, 0), 0);
	test_pattern_fill(region, 4096, 0, 1);
	vector[0] = (struct rdisk_iovec){ test_address(region), 4096 };
	assert_int_equal(test_disk_scatter(&disk, 0, vector, 1), 4096);
	assert_int_equal(vector[0].iov_size, 0);
	assert_int_equal(test_disk_read(&disk, 0, region + 4096, 4096), 4096);
	assert_int_equal(test_pattern_check(region + 4096, 4096, 0, 1), 4096);
	assert_int_equal(prctl(PR_SET_DUMPABLE, 1), 0);
	fixture_end();
}

static void test_bad_addresses(void **state)
{
	struct test_disk disk;
	unsigned char *pages;
	int self;

	(void)state;
	pages = mmap(NULL, 3 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(pages, MAP_FAILED);
	assert_int_equal(mprotect(pages + 4096, 4096, PROT_NONE), 0);
	assert_int_equal(mprotect(pages + 8192, 4096, PROT_READ), 0);
	self = start_memory_devices();
	for (int minor = 0; minor < NR_MEMORY_DEVICES; minor++) {
		disk = test_disk(self, minor);
		assert_int_equal(test_disk_open(&disk, 0), 0);
		assert_int_equal(test_disk_read(&disk, 0, NULL, 512), EDVSFAULT);
		assert_int_equal(test_disk_read(&disk, 0, BAD_ADDRESS, 512), EDVSFAULT);
		assert_int_equal(test_disk_write(&disk, 0, HIGH_BAD_ADDRESS, 512), EDVSFAULT);
		assert_int_equal(test_disk_read(&disk, 0, (void *)UINTPTR_MAX, 512), EDVSFAULT);
		/* Begins well and runs into a page that cannot be used. */
		assert_int_equal(test_disk_read(&disk, 0, pages + 3584, 1024), EDVSFAULT);
		assert_int_equal(test_disk_write(&disk, 0, pages + 3584, 1024), EDVSFAULT);
		/* Read-only memory cannot be read into. */
		assert_int_equal(test_disk_read(&disk, 0, pages + 8192, 512), EDVSFAULT);
		assert_int_equal(test_disk_write(&disk, 0, pages + 8192, 512), 512);
	}
	assert_server_lives(self);
	fixture_end();
}

/* Across the end of a grant into nothing. */
static void test_border_of_a_grant(void **state)
{
	unsigned char *region;
	struct test_disk disk;
	int fd, self;

	(void)state;
	self = start_memory_devices();
	disk = test_disk(self, 0);
	region = grant_region(true, &fd);
	assert_int_equal(test_disk_open(&disk, 0), 0);
	assert_int_equal(test_disk_read(&disk, 0, region + REGION_SIZE - 512, 1024), EDVSFAULT);
	assert_int_equal(test_disk_write(&disk, 0, region + REGION_SIZE - 512, 1024), EDVSFAULT);
	assert_int_equal(test_disk_read(&disk, 0, region + REGION_SIZE, 512), EDVSFAULT);
	assert_int_equal(test_disk_read(&disk, 0, region + REGION_SIZE - 512, 512), 512);
	assert_server_lives(self);
	fixture_end();
}

/* The client cuts its memory off: the server finds nothing there, says so, and lives. */
static void test_memory_taken_away(void **state)
{
	int self;

	(void)state;
	self = start_memory_devices();
	for (int minor = 0; minor < NR_MEMORY_DEVICES; minor++) {
		struct test_disk disk = test_disk(self, minor);
		int fd;
		unsigned char *region = grant_region(false, &fd);
		struct rdisk_iovec *vector = (struct rdisk_iovec *)(void *)(region + 8192);

		assert_int_equal(test_disk_open(&disk, 0), 0);
		vector[0] = (struct rdisk_iovec){ test_address(region), 512 };
		assert_int_equal(ftruncate(fd, 0), 0);
		assert_int_equal(test_disk_write(&disk, 0, region, 65536), EDVSFAULT);
		assert_int_equal(test_disk_read(&disk, 0, region, 65536), EDVSFAULT);
		assert_int_equal(test_disk_gather(&disk, 0, vector, 1), EDVSFAULT);
		assert_int_equal(test_disk_request(&disk, DEV_BATCH, 1, 0, 0, region), EDVSFAULT);
		assert_int_equal(test_disk_request(&disk, DEV_IOCTL, RDISK_IOC_INFO, 0, 0, region), EDVSFAULT);
		assert_int_equal(ftruncate(fd, 4096), 0);
		assert_int_equal(test_disk_write(&disk, 0, region, 4096), 4096);
		assert_int_equal(test_disk_write(&disk, 0, region, 8192), EDVSFAULT);
		assert_int_equal(ftruncate(fd, (off_t)REGION_SIZE), 0);
		exercise(&disk, region);
		(void)close(fd);
	}
	assert_server_lives(self);
	fixture_end();
}

/* Cuts the memory off and gives it back as fast as it can, until it is killed. */
static pid_t start_shaker(int fd)
{
	pid_t parent = getpid();
	pid_t child = fork();

	assert_true(child >= 0);
	if (child)
		return child;
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) || getppid() != parent)
		_exit(1);
	for (;;) {
		if (ftruncate(fd, 0) || ftruncate(fd, (off_t)REGION_SIZE))
			_exit(1);
		(void)sched_yield();
	}
}

static void test_memory_taken_away_meanwhile(void **state)
{
	unsigned char *region;
	struct test_disk disk;
	int fd, self;
	pid_t shaker;

	(void)state;
	self = start_memory_devices();
	region = grant_region(false, &fd);
	shaker = start_shaker(fd);
	for (int round = 0; round < 1500; round++) {
		int type = round & 1 ? DEV_READ : DEV_WRITE;
		int status;

		disk = test_disk(self, round / 500);
		if (round % 500 == 0)
			assert_int_equal(test_disk_open(&disk, 0), 0);
		status = test_disk_request(&disk, type, (int)REGION_SIZE, 0, 0, region);
		if (status != (int)REGION_SIZE)
			assert_int_equal(status, EDVSFAULT);
	}
	assert_int_equal(kill(shaker, SIGKILL), 0);
	assert_int_equal(waitpid(shaker, NULL, 0), shaker);
	assert_server_lives(self);
	(void)close(fd);
	fixture_end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FIXTURE_TEST(test_own_memory),
		FIXTURE_TEST(test_granted_memory),
		FIXTURE_TEST(test_granted_without_access),
		FIXTURE_TEST(test_bad_addresses),
		FIXTURE_TEST(test_border_of_a_grant),
		FIXTURE_TEST(test_memory_taken_away),
		FIXTURE_TEST(test_memory_taken_away_meanwhile),
	};

	return cmocka_run_group_tests_name("memory", tests, NULL, NULL);
}
