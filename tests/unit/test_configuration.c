/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The configuration reader: what a good file becomes, and for each way in which one can be bad
 * the line and the cause that it is refused with.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "configuration.h"
#include "size_text.h"
#include "test_directory.h"

static char path[TEST_PATH_SIZE];

static void write_file(const char *name, const char *text, size_t length)
{
	FILE *file;

	test_path(path, name);
	file = fopen(path, "w");
	if (!file || fwrite(text, 1, length, file) != length || fclose(file))
		test_fatal("cannot write %s", path);
}

static void assert_reads(struct configuration *configuration, const char *text)
{
	struct diagnostic diagnostic = { "" };

	write_file("good.cfg", text, strlen(text));
	if (configuration_read(configuration, path, &diagnostic))
		fail_msg("refused: %s", diagnostic.text);
}

/* Refused at that line, with a cause that holds the text. */
static void assert_refused_bytes(const char *text, size_t length, int line, const char *cause)
{
	static struct configuration configuration;
	struct diagnostic diagnostic = { "" };
	char start[TEST_PATH_SIZE + 16];

	write_file("bad.cfg", text, length);
	assert_int_equal(configuration_read(&configuration, path, &diagnostic), -1);
	snprintf(start, sizeof(start), "%s:%d: ", path, line);
	if (strncmp(diagnostic.text, start, strlen(start)) || !strstr(diagnostic.text, cause))
		fail_msg("\"%s\" is not %s...%s", diagnostic.text, start, cause);
	assert_int_equal(configuration.nr_devices, 0);
	configuration_free(&configuration);
}

static void assert_refused(const char *text, int line, const char *cause)
{
	assert_refused_bytes(text, strlen(text), line, cause);
}

/* The same for one bad setting, in line 3, of a device that is good without it. */
static void assert_setting_refused(const char *setting, const char *cause)
{
	char text[512];

	snprintf(text, sizeof(text), "devices = (\n{ name = \"A\"; image_file = \"a\";\n%s\n} );\n", setting);
	assert_refused(text, 3, cause);
}

static void test_all_settings(void **state)
{
	static struct configuration configuration;
	char expected[TEST_PATH_SIZE];
	const struct device_configuration *device = configuration.devices;

	(void)state;
	assert_reads(&configuration,
		     "devices = (\n"
		     "{ name = \"ALL\"; image_type = \"FILE_IMAGE\"; image_file = \"all.img\";\n"
		     "  size = \"1G\"; buffer = 4096; read_only = true; volatile = true; shared = true;\n"
		     "  replicated = false; compression = false; },\n"
		     "{ name = \"FEW\"; image_file = \"/few.img\"; },\n"
		     "{ name = \"MEMORY\"; image_type = \"MEMORY_IMAGE\"; size = 1048576L; },\n"
		     "{ name = \"LARGE\"; image_file = \"l\"; size = 6442450944L; } );\n");
	assert_int_equal(configuration.nr_devices, 4);
	assert_string_equal(device->name, "ALL");
	assert_int_equal(device->type, FILE_IMAGE);
	test_path(expected, "all.img");
	assert_string_equal(device->image_file, expected);
	assert_int_equal(device->size, 1ull << 30);
	assert_int_equal(device->buffer, 4096);
	assert_true(device->read_only && device->is_volatile && device->shared);
	assert_int_equal(device->line, 2);
	device++;
	assert_string_equal(device->image_file, "/few.img");
	assert_int_equal(device->size, 0);
	assert_int_equal(device->buffer, BUFFER_DEFAULT);
	assert_false(device->read_only || device->is_volatile || device->shared);
	device++;
	assert_int_equal(device->type, MEMORY_IMAGE);
	assert_null(device->image_file);
	assert_int_equal(device->size, 1048576);
	device++;
	assert_int_equal(device->size, 6ull << 30);
	configuration_free(&configuration);
}

static void test_include(void **state)
{
	static struct configuration configuration;
	static const char part[] = "{ name = \"B\"; image_file = \"b\"; }";

	(void)state;
	write_file("part.cfg", part, strlen(part));
	assert_reads(&configuration, "devices = (\n@include \"part.cfg\"\n);\n");
	assert_string_equal(configuration.devices[0].name, "B");
	configuration_free(&configuration);
}

static void test_settings_refused(void **state)
{
	(void)state;
	assert_setting_refused("colour = 1;", "unknown setting \"colour\"");
	assert_setting_refused("buffer = \"x\";", "buffer must be a whole number");
	assert_setting_refused("buffer = 511;", "buffer 511");
	assert_setting_refused("buffer = 513;", "buffer 513");
	assert_setting_refused("buffer = 16777728;", "buffer 16777728");
	assert_setting_refused("buffer = -512;", "buffer -512");
	assert_setting_refused("read_only = 1;", "read_only must be true or false");
	assert_setting_refused("volatile = \"yes\";", "volatile must be true or false");
	assert_setting_refused("shared = (1);", "shared must be true or false");
	assert_setting_refused("replicated = true;", "there is no group replication");
	assert_setting_refused("compression = true;", "compression = true is not available");
	assert_setting_refused("image_type = \"NBD_IMAGE\";", "image_type \"NBD_IMAGE\"");
	assert_setting_refused("image_type = 1;", "image_type must be a string");
	/* libconfig would make 1 GiB of this one */
	assert_setting_refused("size = 5368709120;", "size must be a string");
	assert_setting_refused("size = 1000L;", "size 1000");
	assert_setting_refused("size = 0L;", "size 0");
	assert_setting_refused("size = -512L;", "size -512");
	assert_setting_refused("size = \"12Q\";", "size \"12Q\"");
	assert_setting_refused("size = \"\";", "size \"\"");
	assert_setting_refused("size = \"-1M\";", "size \"-1M\"");
	assert_setting_refused("size = \"8388608T\";", "size \"8388608T\"");
	assert_setting_refused("size = 1.5;", "size must be a whole number");
	assert_setting_refused("name = \"A\";", "duplicate");
	assert_setting_refused("buffer = ;", "syntax error");
}

static void test_files_refused(void **state)
{
	(void)state;
	assert_refused("", 1, "no list \"devices\"");
	assert_refused("devices = ();\n", 1, "is empty");
	assert_refused("\ndevices = \"x\";\n", 2, "must be a list");
	assert_refused("devices = ( 1 );\n", 1, "must be a group");
	assert_refused("\n\nother = 1;\n", 3, "unknown setting \"other\"");
	assert_refused("devices = (\n\n{ image_file = \"a\"; } );\n", 3, "no name");
	assert_refused("devices = ( { name = \"\"; image_file = \"a\"; } );\n", 1, "name \"\"");
	assert_refused("devices = ( { name = \"sixteen-letters.\"; image_file = \"a\"; } );\n", 1, "1 to 15");
	assert_refused("devices = ( { name = \"a b\"; image_file = \"a\"; } );\n", 1, "letters");
	assert_refused("devices = ( { name = \"A\"; image_file = \"\"; } );\n", 1, "image_file is empty");
	assert_refused("devices = ( { name = \"A\"; } );\n", 1, "no image_file");
	assert_refused("devices = ( { name = \"A\"; image_type = \"MEMORY_IMAGE\"; } );\n", 1, "without size");
	assert_refused(
		"devices = (\n{ name = \"A\"; image_file = \"a\"; },\n{ name = \"A\"; image_file = \"b\"; } );\n", 3,
		"the device in line 2");
	assert_refused("devices = (\n{ name = \"A\"\nimage_file = \n", 4, "syntax error");
	assert_refused_bytes("devices = (\n\0 );", 15, 2, "zero byte");
}

static void test_too_many_devices(void **state)
{
	char text[8192] = "devices = (\n";
	size_t used = strlen(text);

	(void)state;
	for (int i = 0; i <= DEVICES_MAX; i++)
		used += (size_t)snprintf(text + used, sizeof(text) - used,
					 "{ name = \"D%d\"; image_file = \"d%d\"; }%s\n", i, i,
					 i < DEVICES_MAX ? "," : " );");
	assert_refused(text, DEVICES_MAX + 2, "more than 64 devices");
}

static void test_missing_file(void **state)
{
	static struct configuration configuration;
	struct diagnostic diagnostic = { "" };

	(void)state;
	test_path(path, "none.cfg");
	assert_int_equal(configuration_read(&configuration, path, &diagnostic), -1);
	assert_non_null(strstr(diagnostic.text, "none.cfg: cannot open"));
	assert_int_equal(configuration_read(&configuration, test_directory(), &diagnostic), -1);
	assert_non_null(strstr(diagnostic.text, "directory"));
}

static void test_sizes(void **state)
{
	static const struct {
		const char *text;
		uint64_t bytes;
	} good[] = { { "0", 0 },
		     { "512", 512 },
		     { "1K", 1024 },
		     { "512M", 512ull << 20 },
		     { "6G", 6ull << 30 },
		     { "2T", 2ull << 40 },
		     { "1000", 1000 },
		     { "1536K", 1536ull << 10 },
		     { "8388607T", 8388607ull << 40 } };
	static const char *const bad[] = { "", "M", " 1", "+1", "1.5M", "1MB", "1m", "99999999999999999999", "8E" };
	char text[SIZE_TEXT];
	uint64_t bytes;

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_int_equal(size_parse(good[i].text, &bytes), 0);
		assert_int_equal(bytes, good[i].bytes);
		assert_string_equal(size_format(bytes, text), good[i].text);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(size_parse(bad[i], &bytes), -1);
	assert_string_equal(size_format(INT64_MAX, text), "9223372036854775807");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_settings),
		cmocka_unit_test(test_include),
		cmocka_unit_test(test_settings_refused),
		cmocka_unit_test(test_files_refused),
		cmocka_unit_test(test_too_many_devices),
		cmocka_unit_test(test_missing_file),
		cmocka_unit_test(test_sizes),
	};

	test_directory();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
