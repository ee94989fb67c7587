/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An image on a file system that gets full: the client is told so, what was answered
 * stays, nothing is torn, and the server goes on. Needs a small tmpfs, and so a mount
 * namespace of its own: by root's right, or in a user namespace. Without either it is skipped (status 77).
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "server_fixture.h"

#define TMPFS_OPTIONS "size=2m"
#define BLOCK	      ((int)KIB(64))
#define NR_BLOCKS     128 /* 8 MiB: four times what fits */

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		test_fatal("%s: %s", path, strerror(errno));
	(void)close(fd);
}

/* A mount namespace in which this process may mount. False if the host allows none. */
static bool enter_namespace(void)
{
	unsigned int uid = geteuid(), gid = getegid();
	char map[64];

	if (unshare(CLONE_NEWNS) == 0)
		return mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;
	if (unshare(CLONE_NEWUSER | CLONE_NEWNS))
		return false;
	write_file("/proc/self/setgroups", "deny");
	snprintf(map, sizeof(map), "0 %u 1", uid);
	write_file("/proc/self/uid_map", map);
	snprintf(map, sizeof(map), "0 %u 1", gid);
	write_file("/proc/self/gid_map", map);
	/*
	 * The server must be able to copy from this process: it needs as many rights as this one got here, which root
	 * (0) keeps across exec, and this one must be dumpable, which getting them ended.
	 */
	if (prctl(PR_SET_DUMPABLE, 1))
		test_fatal("prctl: %s", strerror(errno));
	return true;
}

static bool mount_small_tmpfs(void)
{
	char path[TEST_PATH_SIZE];

	test_path(path, "small");
	if (mkdir(path, 0700))
		test_fatal("%s: %s", path, strerror(errno));
	return mount("tmpfs", path, "tmpfs", MS_NOSUID | MS_NODEV, TMPFS_OPTIONS) == 0;
}

static void unmount_small_tmpfs(void)
{
	char path[TEST_PATH_SIZE];

	test_path(path, "small");
	(void)umount2(path, MNT_DETACH);
}

/* A block that was refused: every sector of it is as it was (zeros) or as it should have become. */
static void check_not_torn(const unsigned char *block, uint64_t position)
{
	for (int sector = 0; sector < BLOCK; sector += 512) {
		if (test_bytes_check(block + sector, 512, 0) == 512)
			continue;
		assert_int_equal(test_pattern_check(block + sector, 512, position + (uint64_t)sector, 1), 512);
	}
}

/* Writes block after block until one is refused; returns its number. */
static int fill_up(struct test_disk *disk, unsigned char *buffer)
{
	for (int block = 0; block < NR_BLOCKS; block++) {
		int64_t position = (int64_t)block * BLOCK;
		int status;

		test_pattern_fill(buffer, (size_t)BLOCK, (uint64_t)position, 1);
		status = test_disk_write(disk, position, buffer, BLOCK);
		if (status == EDVSNOSPC)
			return block;
		assert_int_equal(status, BLOCK);
	}
	fail_msg("8 MiB went into a file system of 2 MiB");
	return -1;
}

static void check_contents(struct test_disk *disk, unsigned char *buffer, int full)
{
	for (int block = 0; block <= full; block++) {
		int64_t position = (int64_t)block * BLOCK;

		assert_int_equal(test_disk_read(disk, position, buffer, BLOCK), BLOCK);
		if (block < full)
			assert_int_equal(test_pattern_check(buffer, (size_t)BLOCK, (uint64_t)position, 1), BLOCK);
		else
			check_not_torn(buffer, (uint64_t)position);
	}
}

static void test_no_space_left(void **state)
{
	const struct test_device device = { .name = "FULL", .file = "small/full.img", .size = "8M" };
	unsigned char *buffer = fixture_memory((size_t)BLOCK);
	struct rdisk_iovec element[1] = { { test_address(buffer), (uint64_t)BLOCK } };
	struct rdisk_request request = { .operation = RDISK_OP_WRITE,
					 .nr_segments = 1,
					 .length = (uint64_t)BLOCK,
					 .vector = test_address(element),
					 .result = RDISK_RESULT_NONE };
	struct test_disk disk;
	int full;

	(void)state;
	disk = test_disk(fixture_start(&device, 1, ANY), 0);
	assert_int_equal(test_disk_open(&disk, 0), 0);
	full = fill_up(&disk, buffer);
	assert_true(full >= 16);
	/* Over and over, in every form; and what was answered stays. */
	for (int i = 0; i < 3; i++) {
		struct rdisk_iovec vector[1] = { element[0] };

		test_pattern_fill(buffer, (size_t)BLOCK, (uint64_t)full * BLOCK, 1);
		assert_int_equal(test_disk_write(&disk, (int64_t)full * BLOCK, buffer, BLOCK), EDVSNOSPC);
		assert_int_equal(test_disk_scatter(&disk, (int64_t)full * BLOCK, vector, 1), EDVSNOSPC);
		request.position = (uint64_t)full * (uint64_t)BLOCK;
		assert_int_equal(test_disk_batch(&disk, &request, 1), 1);
		assert_int_equal(request.result, EDVSNOSPC);
		check_contents(&disk, buffer, full);
	}
	/* What has its place can still be written, and flushed. */
	test_pattern_fill(buffer, (size_t)BLOCK, 0, 1);
	assert_int_equal(test_disk_write(&disk, 0, buffer, BLOCK), BLOCK);
	assert_int_equal(test_disk_flush(&disk), 0);
	/* Discard makes room again. */
	assert_int_equal(test_disk_discard(&disk, 0, 4 * BLOCK), 0);
	test_pattern_fill(buffer, (size_t)BLOCK, (uint64_t)full * (uint64_t)BLOCK, 1);
	assert_int_equal(test_disk_write(&disk, (int64_t)full * BLOCK, buffer, BLOCK), BLOCK);
	assert_int_equal(test_disk_flush(&disk), 0);
	fixture_end();
	test_image_read("small/full.img", (uint64_t)full * (uint64_t)BLOCK, buffer, (size_t)BLOCK);
	assert_int_equal(test_pattern_check(buffer, (size_t)BLOCK, (uint64_t)full * (uint64_t)BLOCK, 1), BLOCK);
	free(buffer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FIXTURE_TEST(test_no_space_left),
	};
	int status;

	if (!enter_namespace()) {
		fprintf(stderr, "skipped: no mount namespace (neither root nor user namespaces)\n");
		return 77;
	}
	(void)test_directory();
	if (!mount_small_tmpfs()) {
		fprintf(stderr, "skipped: cannot mount a tmpfs: %s\n", strerror(errno));
		return 77;
	}
	status = cmocka_run_group_tests_name("full disk", tests, NULL, NULL);
	unmount_small_tmpfs();
	return status;
}
