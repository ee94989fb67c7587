/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who a disk is, as clients are told: what is configured, whatever file it is in; else what the server made and keeps
 * with the image, which a copy does not have; and something new at each start for what does not outlive the server. How
 * it is kept is tested in tests/unit/test_store_identity.c.
 */
#include <sys/stat.h>
#include <unistd.h>

#include "server_fixture.h"

static const struct test_device devices[] = {
	{ .name = "CONFIGURED", .file = "configured.img", .size = "1M", .id = "one-and-the-same" },
	{ .name = "KEPT", .file = "kept.img", .size = "1M" },
	{ .name = "MEMORY", .type = "MEMORY_IMAGE", .size = "1M" },
	{ .name = "VOLATILE", .file = "volatile.img", .is_volatile = true },
};

enum { CONFIGURED, KEPT, MEMORY, VOLATILE, COUNT };

/* Starts a server and asks it for all its disks; ends it. */
static void ask(struct rdisk_info infos[COUNT])
{
	int self = fixture_start(devices, COUNT, ANY);

	for (int minor = 0; minor < COUNT; minor++) {
		struct test_disk disk = test_disk(self, minor);

		assert_int_equal(test_disk_info(&disk, &infos[minor]), 0);
		assert_int_equal(infos[minor].id[RDISK_ID_SIZE - 1], '\0');
		assert_true(strlen(infos[minor].id) > 0);
	}
	fixture_end();
}

static bool same_id(const struct rdisk_info *a, const struct rdisk_info *b)
{
	return !memcmp(a->id, b->id, sizeof(a->id));
}

/* The image is a copy of what it was, in another file. */
static void replace(const char *name)
{
	static unsigned char content[1 << 20];
	char path[TEST_PATH_SIZE], old[TEST_PATH_SIZE + 8];

	test_image_read(name, 0, content, sizeof(content));
	/* It stays, so that the new one cannot get its number. */
	test_path(path, name);
	snprintf(old, sizeof(old), "%s.old", path);
	assert_int_equal(rename(path, old), 0);
	test_image_create(name, sizeof(content));
	test_image_write(name, 0, content, sizeof(content));
}

static void test_ids(void **state)
{
	struct rdisk_info first[COUNT], again[COUNT], copied[COUNT];

	(void)state;
	test_image_create("volatile.img", (uint64_t)MIB(1));
	ask(first);
	assert_string_equal(first[CONFIGURED].id, "one-and-the-same");
	for (int a = 0; a < COUNT; a++) {
		for (int b = 0; b < a; b++)
			assert_false(same_id(&first[a], &first[b]));
	}
	ask(again);
	for (int minor = 0; minor < COUNT; minor++)
		assert_int_equal(same_id(&first[minor], &again[minor]), minor == CONFIGURED || minor == KEPT);
	assert_int_equal(first[KEPT].image_id, again[KEPT].image_id);

	replace("kept.img");
	replace("configured.img");
	ask(copied);
	assert_true(same_id(&first[CONFIGURED], &copied[CONFIGURED]));
	assert_int_not_equal(first[CONFIGURED].image_id, copied[CONFIGURED].image_id);
	assert_false(same_id(&first[KEPT], &copied[KEPT]));
	assert_int_not_equal(first[KEPT].image_id, copied[KEPT].image_id);
}

static struct test_process checked;

/* rdisk --check-config with the server's configuration; its exit status. */
static int check(void)
{
	const char *const arguments[] = { RDISK_PROGRAM, "--check-config", "-c", server.config, NULL };

	test_process_start(&checked, arguments, NULL);
	assert_true(test_process_wait_end(&checked, TEST_TIMEOUT_MS));
	return test_process_exit_code(&checked);
}

/* What one has kept, and another is configured with: no guest could tell them apart. */
static void test_two_with_one_id(void **state)
{
	struct test_device both[] = { devices[CONFIGURED], devices[KEPT] };
	struct rdisk_info infos[COUNT];

	(void)state;
	test_image_create("volatile.img", (uint64_t)MIB(1));
	ask(infos);
	both[0].id = infos[KEPT].id;
	test_runtime_new();
	test_server_launch(&server, both, 2, NULL);
	assert_true(test_process_wait_end(&server.process, TEST_TIMEOUT_MS));
	assert_int_equal(test_process_exit_code(&server.process), 1);
	assert_non_null(strstr(server.process.log.text, "device \"KEPT\" has the same id as \"CONFIGURED\""));
	assert_non_null(strstr(server.process.log.text, "give one of them another id"));
	/* Before it is started, too. */
	assert_int_equal(check(), 1);
	assert_non_null(strstr(checked.log.text, "device \"KEPT\" has the same id as \"CONFIGURED\""));
	test_process_discard(&checked);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_ids, fixture_discard),
		cmocka_unit_test_teardown(test_two_with_one_id, fixture_discard),
	};

	return cmocka_run_group_tests_name("identity", tests, NULL, NULL);
}
