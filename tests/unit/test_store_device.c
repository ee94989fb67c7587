/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Stores on a block device, a loop device on a file of the test's own. Only root can make one.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "fake_disk.h"
#include "store_holder.h"
#include "store_test.h"

#define SKIPPED 77

static char device_path[32];
static const struct store_settings writer = { .name = "D", .path = device_path };

/* Makes a loop device of an image with known content; the descriptor that it lasts as long as, or -1. */
static int make_device(void)
{
	struct loop_config configuration = { .block_size = 512, .info.lo_flags = LO_FLAGS_AUTOCLEAR };
	int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
	int device = -1;
	int error;

	make_image(IMAGE_BYTES);
	configuration.fd = (unsigned int)open(image_path, O_RDWR | O_CLOEXEC);
	error = control < 0 || (int)configuration.fd < 0 ? errno : EBUSY;
	/* Somebody else may be faster. */
	while (device < 0 && error == EBUSY) {
		snprintf(device_path, sizeof(device_path), "/dev/loop%d", ioctl(control, LOOP_CTL_GET_FREE));
		device = open(device_path, O_RDWR | O_CLOEXEC);
		if (device < 0 || ioctl(device, LOOP_CONFIGURE, &configuration)) {
			error = errno;
			if (device >= 0)
				close(device);
			device = -1;
		}
	}
	close((int)configuration.fd);
	close(control);
	errno = error;
	return device;
}

static int reset(void **state)
{
	(void)state;
	fake_reset();
	return 0;
}

static void test_operations(void **state)
{
	static unsigned char expected[IMAGE_BYTES];
	struct store store;
	uint32_t first, end;

	(void)state;
	memcpy(expected, original, IMAGE_BYTES);
	assert_opens(&store, &writer);
	assert_int_equal(store.size, IMAGE_BYTES);
	assert_content(&store, expected);
	fill(expected + 1000, 50000, 2);
	assert_int_equal(operate(&store, IO_WRITE, 1000, 50000, expected + 1000), 0);
	/* Whole blocks go, what sticks out stays. */
	assert_int_equal(operate(&store, IO_DISCARD, 5000, 12288, NULL), 0);
	first = (5000 + store.physical_block - 1) / store.physical_block * store.physical_block;
	end = 17288 / store.physical_block * store.physical_block;
	if (store.discards)
		memset(expected + first, 0, end - first);
	/* A range that the device cannot take as it is. */
	assert_int_equal(operate(&store, IO_WRITE_ZEROES, 30001, 10000, NULL), 0);
	memset(expected + 30001, 0, 10000);
	assert_content(&store, expected);
	assert_int_equal(operate(&store, IO_FLUSH, 0, 0, NULL), 0);
	assert_int_equal(store_settle(&store), 0);
	store_close(&store);
}

static void test_claim(void **state)
{
	const struct store_settings reader = { .name = "R", .path = device_path, .read_only = true };
	struct diagnostic diagnostic;
	struct store store, other;
	struct store_found found;
	int fd;

	(void)state;
	fd = open(device_path, O_RDONLY | O_EXCL | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_not_opened(&writer, "for writing: Device or resource busy");
	assert_opens(&store, &reader);
	store_close(&store);
	close(fd);
	assert_opens(&store, &writer);
	assert_int_equal(open(device_path, O_RDONLY | O_EXCL | O_CLOEXEC), -1);
	assert_not_opened(&writer, "in use by another server");
	assert_not_opened(&reader, "in use by another server");
	assert_int_equal(store_check(&writer, &found, &diagnostic), 0);
	store_close(&store);
	assert_opens(&store, &reader);
	assert_opens(&other, &reader);
	store_close(&other);
	store_close(&store);
}

/* Both its lock and its claim are waited for. */
static void test_wait_for_killed(void **state)
{
	struct store_settings patient = writer;
	struct store store;

	(void)state;
	patient.lock_wait = STORE_LOCK_WAIT;
	for (int i = 0; i < 20; i++) {
		holder_start(&writer);
		fake_on_log(holder_kill);
		assert_opens(&store, &patient);
		store_close(&store);
		holder_end();
	}
}

static int claim_looks;

static bool let_time_pass(void)
{
	claim_looks++;
	fake_clock_advance(500000000);
	return false;
}

/* Who has a claim without a lock is no server that is just ending: it is not waited for long. */
static void test_foreign_claim(void **state)
{
	struct store_settings patient = writer;
	int fd = open(device_path, O_RDONLY | O_EXCL | O_CLOEXEC);

	(void)state;
	assert_true(fd >= 0);
	patient.lock_wait = STORE_LOCK_WAIT;
	patient.interrupted = let_time_pass;
	assert_not_opened(&patient, "for writing: Device or resource busy");
	assert_int_equal(claim_looks, 2);
	close(fd);
}

static char link_path[TEST_PATH_SIZE];

/* The link to the device becomes one to its file. */
static bool replace_device(void)
{
	fake_clock_advance(500000000);
	return unlink(link_path) || symlink(image_path, link_path);
}

/* What is claimed has to be what was locked, though both go by the path. */
static void test_replaced_before_claim(void **state)
{
	struct store_settings linked = writer;
	int fd = open(device_path, O_RDONLY | O_EXCL | O_CLOEXEC);

	(void)state;
	assert_true(fd >= 0);
	test_path(link_path, "link");
	assert_int_equal(symlink(device_path, link_path), 0);
	linked.path = link_path;
	linked.lock_wait = STORE_LOCK_WAIT;
	linked.interrupted = replace_device;
	assert_not_opened(&linked, "became another device or file while it was opened");
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_operations, reset),
		cmocka_unit_test_setup(test_claim, reset),
		cmocka_unit_test_setup(test_wait_for_killed, reset),
		cmocka_unit_test_setup(test_foreign_claim, reset),
		cmocka_unit_test_setup(test_replaced_before_claim, reset),
	};
	int device, status;

	store_test_setup(NULL);
	device = make_device();
	if (device < 0) {
		printf("skip: no loop device: %s\n", strerror(errno));
		return SKIPPED;
	}
	status = cmocka_run_group_tests(tests, NULL, NULL);
	close(device);
	return status;
}
