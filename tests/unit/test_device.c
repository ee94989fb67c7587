/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who may open and use a device: access rules, opens of the dead, and endpoints that
 * another process has taken over.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "device.h"
#include "fake_dvk.h"

#define FIRST	   30 /* clients */
#define SECOND	   31
#define THIRD	   (-5)

#define READ_WRITE 0
#define READ_ONLY  1
#define SHARED	   2

static struct device_table table;
static struct completions completions;

static void set_incarnation(int endpoint, int incarnation)
{
	fake_dvk.incarnations[dvk_endpoint_slot(endpoint)] = incarnation;
}

static int open_minor(int minor, int endpoint, int access)
{
	return device_open(&table, device_find(&table, minor), endpoint, access);
}

static int setup(void **state)
{
	static const struct configuration configuration = {
		.nr_devices = 3,
		.devices = {
			{ .name = "RW", .type = MEMORY_IMAGE, .size = 1000 * 512, .buffer = 4096, .line = 1 },
			{ .name = "RO", .type = MEMORY_IMAGE, .size = 65536, .buffer = 512, .read_only = true, .line = 2 },
			{ .name = "SHARED", .type = MEMORY_IMAGE, .size = 512, .buffer = 512, .shared = true, .line = 3 },
		},
	};
	struct diagnostic diagnostic;

	(void)state;
	memset(&fake_dvk, 0, sizeof(fake_dvk));
	set_incarnation(FIRST, 100);
	set_incarnation(SECOND, 200);
	set_incarnation(THIRD, 300);
	return device_table_open(&table, &configuration, "test.cfg", &completions, &diagnostic);
}

static int teardown(void **state)
{
	(void)state;
	device_table_close(&table);
	memset(&table, 0, sizeof(table));
	return 0;
}

static void test_minors(void **state)
{
	(void)state;
	assert_non_null(device_find(&table, 0));
	assert_non_null(device_find(&table, 2));
	assert_null(device_find(&table, 3));
	assert_null(device_find(&table, -1));
	assert_null(device_find(&table, INT32_MIN));
}

static void test_access(void **state)
{
	struct device *device = device_find(&table, READ_WRITE);

	(void)state;
	assert_int_equal(device_access(device, FIRST, false), EDVSNXIO);
	assert_int_equal(open_minor(READ_WRITE, FIRST, 1), EDVSINVAL);
	assert_int_equal(open_minor(READ_WRITE, FIRST, -1), EDVSINVAL);
	assert_int_equal(open_minor(READ_WRITE, FIRST, RDISK_OPEN_READ), 0);
	assert_int_equal(device_access(device, FIRST, false), 0);
	assert_int_equal(device_access(device, FIRST, true), EDVSBADOWNER);
	assert_int_equal(device_access(device, SECOND, false), EDVSNXIO);
	assert_int_equal(open_minor(READ_WRITE, FIRST, RDISK_OPEN_READ | RDISK_OPEN_WRITE), 0);
	assert_int_equal(device_access(device, FIRST, true), 0);
	assert_int_equal(device_close(device, FIRST), 0);
	assert_int_equal(device_access(device, FIRST, false), 0);
	assert_int_equal(device_close(device, FIRST), 0);
	assert_int_equal(device_close(device, FIRST), EDVSNXIO);
	assert_int_equal(device_access(device, FIRST, false), EDVSNXIO);
	/* Write access does not outlive the last close. */
	assert_int_equal(open_minor(READ_WRITE, FIRST, RDISK_OPEN_READ), 0);
	assert_int_equal(device_access(device, FIRST, true), EDVSBADOWNER);
}

static void test_default_access(void **state)
{
	(void)state;
	assert_int_equal(open_minor(READ_WRITE, FIRST, 0), 0);
	assert_int_equal(device_access(device_find(&table, READ_WRITE), FIRST, true), 0);
	assert_int_equal(open_minor(READ_ONLY, FIRST, 0), 0);
	assert_int_equal(device_access(device_find(&table, READ_ONLY), FIRST, false), 0);
	assert_int_equal(device_access(device_find(&table, READ_ONLY), FIRST, true), EDVSROFS);
	assert_int_equal(open_minor(READ_ONLY, FIRST, RDISK_OPEN_WRITE), EDVSROFS);
}

static void test_exclusion(void **state)
{
	(void)state;
	assert_int_equal(open_minor(READ_WRITE, FIRST, RDISK_OPEN_READ), 0);
	assert_int_equal(open_minor(READ_WRITE, SECOND, RDISK_OPEN_READ), 0);
	assert_int_equal(open_minor(READ_WRITE, FIRST, RDISK_OPEN_WRITE), EDVSBUSY);
	assert_int_equal(device_close(device_find(&table, READ_WRITE), SECOND), 0);
	assert_int_equal(open_minor(READ_WRITE, FIRST, RDISK_OPEN_WRITE), 0);
	assert_int_equal(open_minor(READ_WRITE, SECOND, RDISK_OPEN_READ), EDVSBUSY);
	assert_int_equal(open_minor(READ_WRITE, THIRD, 0), EDVSBUSY);
	/* The others are not in the way. */
	assert_int_equal(open_minor(READ_ONLY, SECOND, 0), 0);
	assert_int_equal(open_minor(SHARED, FIRST, 0), 0);
	assert_int_equal(open_minor(SHARED, SECOND, 0), 0);
	assert_int_equal(device_access(device_find(&table, SHARED), SECOND, true), 0);
}

static void test_death_frees(void **state)
{
	(void)state;
	assert_int_equal(open_minor(READ_WRITE, FIRST, 0), 0);
	set_incarnation(FIRST, 0);
	assert_int_equal(open_minor(READ_WRITE, FIRST, 0), EDVSNOTBIND);
	assert_int_equal(open_minor(READ_WRITE, SECOND, 0), 0);
	/* The library may know before the node tells. */
	fake_dvk.node_lags = true;
	set_incarnation(SECOND, 0);
	assert_int_equal(open_minor(READ_WRITE, THIRD, 0), 0);
}

static void test_successor_inherits_nothing(void **state)
{
	struct device *device = device_find(&table, READ_WRITE);

	(void)state;
	assert_int_equal(open_minor(READ_WRITE, FIRST, 0), 0);
	set_incarnation(FIRST, 101);
	assert_int_equal(device_access(device, FIRST, false), EDVSNXIO);
	assert_int_equal(device_close(device, FIRST), EDVSNXIO);
	assert_int_equal(open_minor(READ_WRITE, SECOND, 0), 0);
	assert_int_equal(open_minor(READ_WRITE, FIRST, 0), EDVSBUSY);
	device_table_forget_opens(&table);
	assert_int_equal(device_access(device, SECOND, false), EDVSNXIO);
	assert_int_equal(open_minor(READ_WRITE, FIRST, 0), 0);
	/* nor the count of opens */
	assert_int_equal(open_minor(READ_WRITE, FIRST, 0), 0);
	set_incarnation(FIRST, 102);
	assert_int_equal(open_minor(READ_WRITE, FIRST, 0), 0);
	assert_int_equal(device_close(device, FIRST), 0);
	assert_int_equal(device_close(device, FIRST), EDVSNXIO);
}

static void test_info(void **state)
{
	struct rdisk_partition partition;
	struct rdisk_info info, other;

	(void)state;
	device_info(&table, READ_ONLY, &info);
	assert_int_equal(info.size_of, 128);
	assert_int_equal(info.flags, RDISK_INFO_READ_ONLY | RDISK_INFO_VOLATILE | RDISK_INFO_DISCARD);
	assert_int_equal(info.nr_minors, 3);
	assert_int_equal(info.minor, READ_ONLY);
	assert_int_equal(info.size, 65536);
	assert_int_equal(info.logical_block, 512);
	assert_string_equal(info.name, "RO");
	device_info(&table, SHARED, &other);
	assert_true(other.flags & RDISK_INFO_SHARED);
	assert_int_equal(info.instance, other.instance);
	assert_string_not_equal(info.id, other.id);
	device_partition(device_find(&table, READ_WRITE), &partition);
	assert_int_equal(partition.size, 512000);
	assert_int_equal(partition.heads * partition.sectors, 64);
	assert_int_equal(partition.cylinders, 15);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_minors, setup, teardown),
		cmocka_unit_test_setup_teardown(test_access, setup, teardown),
		cmocka_unit_test_setup_teardown(test_default_access, setup, teardown),
		cmocka_unit_test_setup_teardown(test_exclusion, setup, teardown),
		cmocka_unit_test_setup_teardown(test_death_frees, setup, teardown),
		cmocka_unit_test_setup_teardown(test_successor_inherits_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(test_info, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
