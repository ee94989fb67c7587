/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who a disk is: what is configured, what is kept with an image and with which not, and what copies are.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cmocka.h>

#include "device_identity.h"
#include "fake_disk.h"
#include "image_identity.h"
#include "store_test.h"

#define ATTRIBUTE "user.rdisk.id"

static const struct store_settings file = { .name = "F", .path = image_path };
static const struct store_settings read_only = { .name = "R", .path = image_path, .read_only = true };

/* What is kept needs a file system that can keep it. */
static int reset(void **state)
{
	(void)state;
	fake_reset();
	make_image(IMAGE_BYTES);
	return 0;
}

static bool keeps_attributes(void)
{
	return !setxattr(image_path, "user.test", "", 0, 0) && !removexattr(image_path, "user.test");
}

#define NEED_ATTRIBUTES()                                                                                              \
	do {                                                                                                           \
		if (!keeps_attributes()) {                                                                             \
			print_message("skip: the file system has no attributes\n");                                    \
			skip();                                                                                        \
		}                                                                                                      \
	} while (0)

/* Opens and closes a store; its id. */
static void get_id(const struct store_settings *settings, char id[STORE_ID_SIZE])
{
	struct store store;

	assert_opens(&store, settings);
	memcpy(id, store.id, STORE_ID_SIZE);
	store_close(&store);
}

static void assert_uuid(const char *id, char version)
{
	assert_int_equal(strlen(id), 36);
	for (int i = 0; i < 36; i++) {
		if (i == 8 || i == 13 || i == 18 || i == 23)
			assert_int_equal(id[i], '-');
		else
			assert_non_null(strchr("0123456789abcdef", id[i]));
	}
	assert_int_equal(id[14], version);
	assert_non_null(strchr("89ab", id[19]));
}

/* Another file in the image's place, with its content and attribute. */
static void restore_copy(void)
{
	char kept[128];
	ssize_t bytes = getxattr(image_path, ATTRIBUTE, kept, sizeof(kept));

	assert_true(bytes > 0);
	make_image(IMAGE_BYTES);
	assert_int_equal(setxattr(image_path, ATTRIBUTE, kept, (size_t)bytes, 0), 0);
}

static void test_kept(void **state)
{
	char first[STORE_ID_SIZE], second[STORE_ID_SIZE];

	(void)state;
	NEED_ATTRIBUTES();
	get_id(&file, first);
	assert_uuid(first, '4');
	assert_int_equal(fake_calls(FAKE_FSYNC), 1);
	get_id(&file, second);
	assert_string_equal(first, second);
	get_id(&read_only, second);
	assert_string_equal(first, second);
	assert_int_equal(fake_calls(FAKE_SET), 1);
	assert_int_equal(fake_log_lines(), 0);
	/* Another file by the same name is another disk. */
	make_image(IMAGE_BYTES);
	get_id(&file, second);
	assert_string_not_equal(first, second);
}

static void test_copy(void **state)
{
	char first[STORE_ID_SIZE], second[STORE_ID_SIZE], third[STORE_ID_SIZE];
	struct diagnostic diagnostic;
	struct store_found found;

	(void)state;
	NEED_ATTRIBUTES();
	get_id(&file, first);
	assert_int_equal(store_check(&file, &found, &diagnostic), 0);
	assert_string_equal(found.id, first);
	assert_string_equal(found.copy_of, "");
	restore_copy();
	/* Looking changes nothing, and says nothing by itself. */
	for (int i = 0; i < 2; i++) {
		assert_int_equal(store_check(&file, &found, &diagnostic), 0);
		assert_string_equal(found.id, "");
		assert_string_equal(found.copy_of, first);
	}
	assert_int_equal(fake_calls(FAKE_SET), 1);
	assert_int_equal(fake_log_lines(), 0);
	/* Whoever may not write says so each time. */
	for (int i = 1; i <= 2; i++) {
		get_id(&read_only, second);
		assert_uuid(second, '8');
		assert_int_equal(fake_log_lines(), i);
	}
	get_id(&file, second);
	assert_uuid(second, '4');
	assert_string_not_equal(first, second);
	assert_int_equal(fake_log_lines(), 3);
	assert_non_null(strstr(fake_log_last(), "is a copy"));
	assert_non_null(strstr(fake_log_last(), first));
	assert_non_null(strstr(fake_log_last(), "set id = "));
	get_id(&file, third);
	assert_string_equal(second, third);
	assert_int_equal(fake_log_lines(), 3);
}

/* What nobody can have written here is neither believed nor overwritten. */
static void test_strange_attribute(void **state)
{
	static const char *const strange[] = {
		"",
		"x",
		"01234567-89ab-4cde-8f01-23456789abcd",
		"01234567-89ab-4cde-8f01-23456789abcD 0123456789abcdef",
		"01234567-89ab-4cde-8f01023456789abcd 0123456789abcdef",
		"01234567-89ab-4cde-8f01-23456789abcd_0123456789abcdef",
		"01234567-89ab-4cde-8f01-23456789abcd 0123456789abcdef0",
		"01234567-89ab-4cde-8f01-23456789abcd 0123456789abcdef and much more",
	};
	struct store_settings named = file;
	struct diagnostic diagnostic;
	struct store_found found;
	char id[STORE_ID_SIZE], kept[128];

	(void)state;
	NEED_ATTRIBUTES();
	named.id = "its.name";
	for (size_t i = 0; i < sizeof(strange) / sizeof(strange[0]); i++) {
		size_t length = strlen(strange[i]);

		assert_int_equal(setxattr(image_path, ATTRIBUTE, strange[i], length, 0), 0);
		assert_not_opened(&file, "set an id for it, or take it away (setfattr -x user.rdisk.id ");
		assert_not_opened(&read_only, "is not one of this version");
		assert_int_equal(store_check(&file, &found, &diagnostic), -1);
		get_id(&named, id);
		assert_string_equal(id, "its.name");
		assert_int_equal(getxattr(image_path, ATTRIBUTE, kept, sizeof(kept)), length);
		assert_memory_equal(kept, strange[i], length);
	}
}

/* Where nothing can be kept, it is made from the file. */
static void test_not_kept(void **state)
{
	static const int errors[] = { EOPNOTSUPP, EPERM, EACCES, EROFS, ENOSYS };
	char first[STORE_ID_SIZE], second[STORE_ID_SIZE];

	(void)state;
	fake_fail(FAKE_GET, ENODATA);
	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		fake_fail(FAKE_SET, errors[i]);
		get_id(&file, first);
		assert_uuid(first, '8');
		get_id(&file, second);
		assert_string_equal(first, second);
	}
	get_id(&read_only, second);
	assert_string_equal(first, second);
	assert_int_equal(fake_log_lines(), 0);
	assert_int_equal(fake_calls(FAKE_FSYNC), 0);
	fake_fail(FAKE_SET, ENOSPC);
	get_id(&file, second);
	assert_string_equal(first, second);
	assert_non_null(strstr(fake_log_last(), "cannot keep an id"));
	fake_fail(FAKE_GET, EOPNOTSUPP);
	get_id(&file, second);
	assert_string_equal(first, second);
	make_image(IMAGE_BYTES);
	get_id(&file, second);
	assert_string_not_equal(first, second);
	fake_fail(FAKE_GET, EIO);
	assert_not_opened(&file, "cannot read the attribute user.rdisk.id of image");
}

static void test_not_stable(void **state)
{
	(void)state;
	NEED_ATTRIBUTES();
	fake_fail(FAKE_FSYNC, EIO);
	assert_not_opened(&file, "stable: Input/output error");
}

static void test_configured(void **state)
{
	static const char *const good[] = { "a", "Ab-0_9.z:", "123456789012345678901234567890123456789" };
	static const char *const bad[] = { "", "a b", "a/b", "\xc3\xa4", "1234567890123456789012345678901234567890" };
	struct store_settings settings = file;
	struct diagnostic diagnostic;
	struct store first, second;
	char id[STORE_ID_SIZE];
	struct store_found found;

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		settings.id = good[i];
		assert_int_equal(store_check(&settings, &found, &diagnostic), 0);
		get_id(&settings, id);
		assert_string_equal(id, good[i]);
	}
	assert_int_equal(fake_calls(FAKE_GET) + fake_calls(FAKE_SET), 0);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		settings.id = bad[i];
		assert_not_opened(&settings, "is no id");
		assert_int_equal(store_check(&settings, &found, &diagnostic), -1);
	}
	settings.id = good[0];
	settings.read_only = true;
	assert_opens(&first, &settings);
	assert_opens(&second, &settings);
	assert_true(store_same_id(&first, &second));
	store_close(&second);
	settings.id = good[1];
	assert_opens(&second, &settings);
	assert_false(store_same_id(&first, &second));
	store_close(&second);
	store_close(&first);
}

/* What does not outlive the server is another disk each time. */
static void test_not_lasting(void **state)
{
	struct store_settings settings[] = {
		{ .name = "M", .kind = STORE_MEMORY, .size = IMAGE_BYTES },
		{ .name = "L", .kind = STORE_MEMORY, .size = IMAGE_BYTES, .path = image_path },
		{ .name = "V", .path = image_path, .is_volatile = true },
	};
	char first[STORE_ID_SIZE], second[STORE_ID_SIZE];
	struct diagnostic diagnostic;
	struct store_found found;

	(void)state;
	for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
		get_id(&settings[i], first);
		get_id(&settings[i], second);
		assert_uuid(first, '4');
		assert_string_not_equal(first, second);
		settings[i].id = "name";
		assert_not_opened(&settings[i], "does not outlive the server");
		assert_int_equal(store_check(&settings[i], &found, &diagnostic), -1);
	}
	assert_int_equal(fake_calls(FAKE_GET) + fake_calls(FAKE_SET), 0);
}

/* The file's identity says which file it is, whatever the disk is called. */
static void test_file_identity(void **state)
{
	struct store_settings settings = file;
	struct store store, memory;
	uint64_t identity;

	(void)state;
	settings.id = "name";
	assert_opens(&store, &settings);
	identity = store.file_identity;
	store_close(&store);
	assert_opens(&store, &file);
	assert_int_equal(store.file_identity, identity);
	store_close(&store);
	make_image(IMAGE_BYTES);
	assert_opens(&store, &settings);
	assert_int_not_equal(store.file_identity, identity);
	store_close(&store);
	settings = (struct store_settings){ .name = "M", .kind = STORE_MEMORY, .size = 512 };
	assert_opens(&memory, &settings);
	assert_int_equal(memory.file_identity, 0);
	store_close(&memory);
}

/* A host gives its devices other numbers when it starts again: each mounting of some file systems does. */
static void test_other_device_number(void **state)
{
	struct stat status;
	int fd = open(image_path, O_RDONLY | O_CLOEXEC);
	uint64_t identity;
	struct statx birth;

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &status), 0);
	identity = image_file_identity(fd, &status);
	status.st_dev++;
	if (!statx(fd, "", AT_EMPTY_PATH, STATX_BTIME, &birth) && birth.stx_mask & STATX_BTIME)
		assert_int_equal(image_file_identity(fd, &status), identity);
	else
		assert_int_not_equal(image_file_identity(fd, &status), identity);
	status.st_ino++;
	assert_int_not_equal(image_file_identity(fd, &status), identity);
	close(fd);
}

static char sysfs[TEST_PATH_SIZE];

static void make_sysfs(const char *name, const char *text)
{
	char path[TEST_PATH_SIZE + 64];
	FILE *made;

	(void)snprintf(path, sizeof(path), "%s/%s", sysfs, name);
	if (!text) {
		assert_int_equal(mkdir(path, 0700), 0);
		return;
	}
	made = fopen(path, "w");
	assert_non_null(made);
	assert_true(fputs(text, made) >= 0);
	assert_int_equal(fclose(made), 0);
}

static uint64_t device(const char *name)
{
	char path[TEST_PATH_SIZE + 64];

	(void)snprintf(path, sizeof(path), "%s/%s", sysfs, name);
	return device_identity_in(path);
}

/* A disk is who its maker says, wherever it is found at the next start; a partition is one of it. */
static void test_device(void **state)
{
	uint64_t disk, first;

	(void)state;
	test_path(sysfs, "sysfs");
	assert_int_equal(mkdir(sysfs, 0700), 0);
	make_sysfs("sda", NULL);
	make_sysfs("sda/device", NULL);
	make_sysfs("sda/sda1", NULL);
	make_sysfs("sda/sda1/partition", "1\n");
	make_sysfs("sda/sda1/start", "2048\n");
	make_sysfs("sda/sda2", NULL);
	make_sysfs("sda/sda2/partition", "2\n");
	make_sysfs("sda/sda2/start", "4096\n");
	/* Nothing names it, or with nothing. */
	make_sysfs("sda/device/wwid", "  \n");
	assert_int_equal(device("sda"), 0);
	assert_int_equal(device("sda/sda1"), 0);
	make_sysfs("sda/device/wwid", "naa.1\n");
	disk = device("sda");
	first = device("sda/sda1");
	assert_int_not_equal(disk, 0);
	assert_int_not_equal(first, disk);
	assert_int_not_equal(first, device("sda/sda2"));
	/* Another one is there now, and this one by another name. */
	make_sysfs("sda/device/wwid", "naa.2\n");
	assert_int_not_equal(device("sda"), disk);
	assert_int_not_equal(device("sda/sda1"), first);
	make_sysfs("sdb", NULL);
	make_sysfs("sdb/device", NULL);
	make_sysfs("sdb/device/wwid", "naa.1\n");
	make_sysfs("sdb/sdb1", NULL);
	make_sysfs("sdb/sdb1/partition", "1\n");
	make_sysfs("sdb/sdb1/start", "2048\n");
	assert_int_equal(device("sdb"), disk);
	assert_int_equal(device("sdb/sdb1"), first);
	/* It is no more the same range of it. */
	make_sysfs("sdb/sdb1/start", "4096\n");
	assert_int_not_equal(device("sdb/sdb1"), first);
	/* A mapping has its own. */
	make_sysfs("sdb/dm", NULL);
	make_sysfs("sdb/dm/uuid", "LVM-1\n");
	assert_int_not_equal(device("sdb"), disk);
	assert_int_not_equal(device("sdb"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_kept, reset),
		cmocka_unit_test_setup(test_copy, reset),
		cmocka_unit_test_setup(test_strange_attribute, reset),
		cmocka_unit_test_setup(test_not_kept, reset),
		cmocka_unit_test_setup(test_not_stable, reset),
		cmocka_unit_test_setup(test_configured, reset),
		cmocka_unit_test_setup(test_not_lasting, reset),
		cmocka_unit_test_setup(test_file_identity, reset),
		cmocka_unit_test_setup(test_other_device_number, reset),
		cmocka_unit_test(test_device),
	};

	store_test_setup(NULL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
