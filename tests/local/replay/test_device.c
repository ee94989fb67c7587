/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Replay against a block device, a loop device on a file of the test's own. Only root can make one;
 * test-replay-device.sh does the same in a guest.
 */
#include "replay_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/loop.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define SKIPPED 77

static struct {
	char path[32];
	int fd; /* the device lasts until this and all others of it are closed */
} loop = { .fd = -1 };

/* Opens the device on that image. 0, or an errno. */
static int attach(int number, int image, uint32_t sector, bool read_only)
{
	struct loop_config configuration = {
		.fd = (unsigned int)image,
		.block_size = sector,
		.info.lo_flags = LO_FLAGS_AUTOCLEAR | (read_only ? LO_FLAGS_READ_ONLY : 0),
	};
	int error;

	(void)snprintf(loop.path, sizeof(loop.path), "/dev/loop%d", number);
	loop.fd = open(loop.path, O_RDWR | O_CLOEXEC);
	if (loop.fd >= 0 && !ioctl(loop.fd, LOOP_CONFIGURE, &configuration))
		return 0;
	error = errno;
	if (loop.fd >= 0)
		(void)close(loop.fd);
	loop.fd = -1;
	return error;
}

/* Makes loop.path of an image in the test's directory. 0, or an errno. */
static int make_loop(const char *image, uint32_t sector, bool read_only)
{
	int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
	int fd = open(path_of(image), O_RDWR | O_CLOEXEC);
	int error = control < 0 || fd < 0 ? errno : EBUSY;

	/* Somebody else may have been faster. */
	while (control >= 0 && fd >= 0 && error == EBUSY) {
		int number = ioctl(control, LOOP_CTL_GET_FREE);

		error = number < 0 ? errno : attach(number, fd, sector, read_only);
	}
	if (control >= 0)
		(void)close(control);
	if (fd >= 0)
		(void)close(fd);
	return error;
}

static void need_loop(const char *image, uint32_t sector, bool read_only)
{
	int error = make_loop(image, sector, read_only);

	if (error)
		fail_msg("no loop device: %s", strerror(error));
}

static int discard(void **state)
{
	(void)replay_discard(state);
	if (loop.fd >= 0)
		(void)close(loop.fd);
	loop.fd = -1;
	return 0;
}

#define DEVICE_TEST(function) cmocka_unit_test_teardown(function, discard)

/* What no trace of fio has: write-zeroes and FUA. */
static const char *make_other_trace(void)
{
	return make_file("other", "  8,0 1 1 0.000000000 1 Q WF 0 + 64 [x]\n  8,0 1 2 0.000000001 1 Q WZ 7 + 9 [x]\n"
				  "  8,0 1 3 0.000000002 1 Q WZ 24 + 24 [x]\n  8,0 1 4 0.000000003 1 Q WF 30 + 1 [x]\n"
				  "  8,0 1 5 0.000000004 1 Q FN [x]\n  8,0 1 6 0.000000005 1 Q R 0 + 64 [x]\n");
}

/* The same trace gives the same bytes as on a file, however it is done. */
static void test_same_as_file(void **state)
{
	(void)state;
	test_image_create("a.img", MIB(4));
	need_loop("a.img", 512, false);
	for (size_t i = 0; i < 8; i++) {
		const char *trace = i < 4 ? make_mixed_trace("t", 2000, MIB(4), 21) : make_other_trace();
		const char *depth = i & 1 ? "32" : "1";
		uint64_t whole[2] = { 0, MIB(4) };

		test_image_create("b.img", MIB(4));
		assert_run(
			RUN("--device", path_of("b.img"), "--speed", "max", "--writes", "real", "--seed", "3", trace),
			0, NULL);
		assert_int_equal(ioctl(loop.fd, BLKDISCARD, whole), 0);
		/* A second --quiet says nothing. */
		assert_run(RUN("--device", loop.path, "--speed", "max", "--depth", depth,
			       i & 2 ? "--direct" : "--quiet", "--writes", "real", "--verify", "--seed", "3", "--json",
			       "-", trace),
			   0, NULL);
		assert_true(json_number("target_bytes") == (double)MIB(4));
		assert_true(json_number("errors") == 0);
		assert_true(json_number("widened") == 0);
		assert_int_equal(fsync(loop.fd), 0);
		assert_true(same_images("a.img", "b.img"));
	}
}

/* Sectors of 4096 bytes: what is not whole ones is widened, a discard too. */
static void test_large_sectors(void **state)
{
	static const char *const ways[] = { "--quiet", "--direct" };
	const char *trace = make_mixed_trace("t", 500, MIB(4), 22);

	(void)state;
	test_image_create("a.img", MIB(4));
	need_loop("a.img", 4096, false);
	for (size_t i = 0; i < 2; i++) {
		(void)unlink(path_of("j"));
		assert_run(RUN("--device", loop.path, ways[i], "--speed", "max", "--writes", "real", "--verify",
			       "--journal", path_of("j"), "--json", "-", trace),
			   0, NULL);
		assert_true(json_number("widened") > 300);
		assert_true(json_number("verify.blocks_wrong") == 0);
		assert_run(RUN("--verify-only", ways[i], "--journal", path_of("j"), "--device", loop.path), 0, NULL);
	}
}

/* A discard arrives: the image gets its blocks back. */
static void test_discard(void **state)
{
	(void)state;
	test_image_create("a.img", MIB(4));
	need_loop("a.img", 512, false);
	assert_run(RUN("--device", loop.path, "--speed", "max", "--depth", "1", "--writes", "real",
		       make_trace("t", "0 d write 0 4194304\n1 d datasync 0 0\n")),
		   0, NULL);
	assert_true(test_image_allocated("a.img") >= MIB(4));
	assert_run(RUN("--device", loop.path, "--speed", "max", "--depth", "1", "--writes", "real",
		       make_trace("t", "0 d trim 0 3145728\n")),
		   0, NULL);
	assert_true(test_image_allocated("a.img") < MIB(2));
}

/* One that is mounted, or otherwise somebody's own, is read but not written. */
static void test_in_use(void **state)
{
	const char *trace = make_trace("t", "0 d read 0 4096\n1 d write 0 4096\n");
	int owner;

	(void)state;
	test_image_create("a.img", MIB(1));
	need_loop("a.img", 512, false);
	owner = open(loop.path, O_RDWR | O_EXCL | O_CLOEXEC);
	assert_true(owner >= 0);
	assert_run(RUN("--device", loop.path, "--writes", "real", trace), 2, "is in use (mounted?): it is not written");
	assert_run(RUN("--device", loop.path, "--writes", "discard", trace), 0, NULL);
	(void)close(owner);
	assert_run(RUN("--device", loop.path, "--writes", "real", trace), 0, NULL);
}

static void test_read_only(void **state)
{
	const char *trace = make_trace("t", "0 d read 0 4096\n1 d write 0 4096\n");

	(void)state;
	test_image_create("a.img", MIB(1));
	need_loop("a.img", 512, true);
	assert_run(RUN("--device", loop.path, "--writes", "real", trace), 2, "--writes discard");
	assert_string_equal(replay.output.text, "");
	assert_run(RUN("--device", loop.path, "--writes", "discard", "--json", "-", trace), 0, NULL);
	assert_true(json_number("kinds.read.operations") == 1);
	assert_true(json_number("discarded") == 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		DEVICE_TEST(test_same_as_file), DEVICE_TEST(test_large_sectors), DEVICE_TEST(test_discard),
		DEVICE_TEST(test_in_use),	DEVICE_TEST(test_read_only),
	};
	int error;

	test_runtime_new();
	test_image_create("a.img", MIB(1));
	error = make_loop("a.img", 512, false);
	if (error) {
		printf("skipped: no loop device: %s\n", strerror(error));
		return SKIPPED;
	}
	(void)discard(NULL);
	return cmocka_run_group_tests_name("device", tests, NULL, NULL);
}
