/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Images: each kind against a plain array that gets the same random operations; creating,
 * checking and locking; and what overlays leave alone.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "dvk_errno.h"
#include "store.h"
#include "test_directory.h"

#define IMAGE_BYTES  (3u * 65536 + 512) /* not a multiple of an overlay's block */
#define ROUNDS	     3000
#define SEGMENTS_MAX 8

static char image_path[TEST_PATH_SIZE];
static unsigned char model[IMAGE_BYTES];
static unsigned char original[IMAGE_BYTES];
static unsigned char buffer[IMAGE_BYTES];

static void fill(unsigned char *bytes, size_t length, unsigned int seed)
{
	for (size_t i = 0; i < length; i++) {
		seed = seed * 1664525 + 1013904223;
		bytes[i] = (unsigned char)(seed >> 24);
	}
}

/* Makes the image file with known content, and the model the same. */
static void make_image(size_t length)
{
	int fd;

	test_path(image_path, "image");
	fd = open(image_path, O_RDWR | O_CREAT | O_TRUNC, 0600);
	fill(original, sizeof(original), 1);
	memset(model, 0, sizeof(model));
	memcpy(model, original, length);
	if (fd < 0 || write(fd, original, length) != (ssize_t)length || close(fd))
		test_fatal("cannot make %s", image_path);
}

static void assert_opens(struct image *image, const struct device_configuration *configuration)
{
	struct diagnostic diagnostic = { "" };

	if (image_open(image, configuration, 12345, &diagnostic))
		fail_msg("%s", diagnostic.text);
}

static void assert_not_opened(const struct device_configuration *configuration, const char *cause)
{
	struct diagnostic diagnostic = { "" };
	struct image image;

	assert_int_equal(image_open(&image, configuration, 12345, &diagnostic), -1);
	if (!strstr(diagnostic.text, cause))
		fail_msg("\"%s\" does not tell of %s", diagnostic.text, cause);
	assert_int_equal(image.fd, -1);
}

/* Splits `length` bytes of the buffer into some segments. */
static int split(struct iovec *vector, size_t length)
{
	unsigned char *at = buffer;
	int count = 0;

	while (length > 0) {
		size_t piece = 1 + (size_t)random() % length;

		if (count == SEGMENTS_MAX - 1)
			piece = length;
		vector[count].iov_base = at;
		vector[count].iov_len = piece;
		at += piece;
		length -= piece;
		count++;
	}
	return count;
}

static void check_all(struct image *image)
{
	struct iovec whole = { buffer, IMAGE_BYTES };

	memset(buffer, 0xee, sizeof(buffer));
	assert_int_equal(image_read(image, &whole, 1, 0), 0);
	assert_memory_equal(buffer, model, IMAGE_BYTES);
}

/* One random operation on image and model. */
static void random_operation(struct image *image, unsigned int round, bool discard_keeps)
{
	struct iovec vector[SEGMENTS_MAX];
	uint64_t position = (uint64_t)random() % IMAGE_BYTES;
	uint64_t length = 1 + (uint64_t)random() % (random() % 4 ? 9000 : IMAGE_BYTES);

	if (random() % 3 == 0)
		position &= ~4095ull;
	if (length > IMAGE_BYTES - position)
		length = IMAGE_BYTES - position;
	switch (random() % 5) {
	case 0:
	case 1:
		fill(buffer, length, round);
		memcpy(model + position, buffer, length);
		assert_int_equal(image_write(image, vector, split(vector, length), position, random() % 16 == 0), 0);
		break;
	case 2:
		memset(buffer, 0xee, length);
		assert_int_equal(image_read(image, vector, split(vector, length), position), 0);
		assert_memory_equal(buffer, model + position, length);
		break;
	case 3:
		assert_int_equal(image_write_zeroes(image, position, length, random() % 16 == 0), 0);
		memset(model + position, 0, length);
		break;
	default:
		assert_int_equal(image_discard(image, position, length, false), 0);
		if (!discard_keeps)
			memset(model + position, 0, length);
		break;
	}
}

static void run_rounds(struct image *image)
{
	/* The start of a file system that cannot punch holes leaves data as it is; probed by one discard. */
	struct iovec one = { buffer, 1 };

	srandom(7);
	assert_int_equal(image_discard(image, 0, 1, false), 0);
	assert_int_equal(image_read(image, &one, 1, 0), 0);
	model[0] = buffer[0];
	for (unsigned int round = 0; round < ROUNDS; round++)
		random_operation(image, round, !image->discards);
	check_all(image);
	assert_int_equal(image_flush(image), 0);
}

static void test_file(void **state)
{
	const struct device_configuration configuration = { .name = "F", .image_file = image_path };
	struct image image;
	uint64_t image_id;

	(void)state;
	make_image(IMAGE_BYTES);
	assert_opens(&image, &configuration);
	assert_int_equal(image.size, IMAGE_BYTES);
	run_rounds(&image);
	image_id = image.image_id;
	image_close(&image);
	assert_opens(&image, &configuration);
	check_all(&image);
	assert_int_equal(image.image_id, image_id);
	image_close(&image);
}

static void test_memory(void **state)
{
	const struct device_configuration empty = { .name = "M", .type = MEMORY_IMAGE, .size = IMAGE_BYTES };
	const struct device_configuration loaded = {
		.name = "M", .type = MEMORY_IMAGE, .size = IMAGE_BYTES, .image_file = image_path
	};
	struct image image;

	(void)state;
	memset(model, 0, sizeof(model));
	assert_opens(&image, &empty);
	check_all(&image);
	run_rounds(&image);
	image_close(&image);

	make_image(70000);
	assert_opens(&image, &loaded);
	check_all(&image);
	run_rounds(&image);
	image_close(&image);
	make_image(70000);
	assert_opens(&image, &loaded);
	check_all(&image);
	image_close(&image);
}

static void test_overlay(void **state)
{
	const struct device_configuration overlay = { .name = "V", .image_file = image_path, .is_volatile = true };
	struct image image, second;
	FILE *file;

	(void)state;
	make_image(IMAGE_BYTES);
	assert_opens(&image, &overlay);
	/* Readers share the image. */
	assert_opens(&second, &overlay);
	image_close(&second);
	check_all(&image);
	run_rounds(&image);
	image_close(&image);
	file = fopen(image_path, "r");
	assert_non_null(file);
	assert_int_equal(fread(buffer, 1, IMAGE_BYTES, file), IMAGE_BYTES);
	assert_memory_equal(buffer, original, IMAGE_BYTES);
	fclose(file);
}

static void test_bad_memory(void **state)
{
	const struct device_configuration configuration = { .name = "F", .image_file = image_path };
	struct iovec vector[2] = { { buffer, 4096 }, { NULL, 4096 } };
	struct image image;

	(void)state;
	vector[1].iov_base = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	make_image(IMAGE_BYTES);
	assert_opens(&image, &configuration);
	for (int stable = 0; stable < 2; stable++) {
		struct iovec again[2] = { vector[0], vector[1] };

		assert_int_equal(image_write(&image, again, 2, 0, stable), EDVSFAULT);
	}
	assert_int_equal(image_read(&image, vector, 2, 0), EDVSFAULT);
	assert_int_equal(image_flush(&image), 0);
	/* Somebody cut the file: that is no end of the device but an error. */
	assert_int_equal(truncate(image_path, 4096), 0);
	vector[0] = (struct iovec){ buffer, 8192 };
	assert_int_equal(image_read(&image, vector, 1, 0), EDVSIO);
	image_close(&image);
}

/* A descriptor that cannot be flushed takes the image's place for one flush. */
static void test_failed_flush_stays(void **state)
{
	const struct device_configuration configuration = { .name = "F", .image_file = image_path };
	struct iovec vector = { buffer, 512 };
	struct image image;
	int ends[2], good;

	(void)state;
	make_image(IMAGE_BYTES);
	assert_opens(&image, &configuration);
	assert_int_equal(image_flush(&image), 0);
	good = dup(image.fd);
	assert_int_equal(pipe(ends), 0);
	assert_true(good >= 0 && dup2(ends[0], image.fd) == image.fd);
	assert_int_equal(image_flush(&image), EDVSIO);
	assert_int_equal(dup2(good, image.fd), image.fd);
	assert_int_equal(image_flush(&image), EDVSIO);
	assert_int_equal(image_write(&image, &vector, 1, 0, true), EDVSIO);
	vector = (struct iovec){ buffer, 512 };
	assert_int_equal(image_write(&image, &vector, 1, 0, false), 0);
	assert_int_equal(image_write_zeroes(&image, 0, 512, true), EDVSIO);
	assert_int_equal(image_write_zeroes(&image, 0, 512, false), 0);
	image_close(&image);
	close(good); /* which holds the lock too */
	assert_opens(&image, &configuration);
	assert_int_equal(image_flush(&image), 0);
	image_close(&image);
	close(ends[0]);
	close(ends[1]);
}

static void test_create(void **state)
{
	char path[TEST_PATH_SIZE];
	struct device_configuration configuration = { .name = "C", .image_file = path, .size = 6ull << 30 };
	struct diagnostic diagnostic;
	struct stat status;
	struct image image;
	uint64_t size;

	(void)state;
	test_path(path, "created");
	assert_int_equal(image_check(&configuration, &size, &diagnostic), 0);
	assert_int_equal(size, 6ull << 30);
	assert_int_equal(access(path, F_OK), -1);
	assert_opens(&image, &configuration);
	image_close(&image);
	assert_int_equal(stat(path, &status), 0);
	assert_int_equal(status.st_size, 6ull << 30);
	assert_int_equal(status.st_blocks, 0);
	assert_opens(&image, &configuration);
	image_close(&image);
	configuration.size = 512;
	assert_not_opened(&configuration, "has 6442450944 bytes, the configured size is 512");
	assert_int_equal(unlink(path), 0);
	configuration.size = 0;
	assert_not_opened(&configuration, "no size");
	configuration.size = 512;
	configuration.read_only = true;
	assert_not_opened(&configuration, "does not exist");
	configuration.read_only = false;
	configuration.is_volatile = true;
	assert_not_opened(&configuration, "does not exist");
	test_path(path, "no-such-folder/created");
	configuration.is_volatile = false;
	assert_not_opened(&configuration, "cannot create");
}

static void test_bad_files(void **state)
{
	char path[TEST_PATH_SIZE];
	struct device_configuration configuration = { .name = "B", .image_file = path };

	(void)state;
	test_path(path, "fifo");
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_not_opened(&configuration, "neither a regular file");
	test_path(path, ".");
	assert_not_opened(&configuration, "Is a directory");
	test_path(path, "image");
	make_image(1000);
	assert_not_opened(&configuration, "1000 bytes, is not a positive multiple");
	make_image(0);
	assert_not_opened(&configuration, "0 bytes, is not a positive multiple");
	make_image(1024);
	configuration.type = MEMORY_IMAGE;
	configuration.size = 512;
	assert_not_opened(&configuration, "has 1024 bytes, the configured size is 512");
}

static void test_lock(void **state)
{
	const struct device_configuration writer = { .name = "W", .image_file = image_path };
	const struct device_configuration reader = { .name = "R", .image_file = image_path, .read_only = true };
	struct image first, second;

	(void)state;
	make_image(IMAGE_BYTES);
	assert_opens(&first, &writer);
	assert_not_opened(&writer, "in use by another server");
	assert_not_opened(&reader, "in use by another server");
	image_close(&first);
	assert_opens(&first, &reader);
	assert_opens(&second, &reader);
	assert_not_opened(&writer, "in use by another server");
	image_close(&first);
	image_close(&second);
	assert_opens(&first, &writer);
	image_close(&first);
}

static void test_same(void **state)
{
	char other[TEST_PATH_SIZE], folder[TEST_PATH_SIZE];
	struct device_configuration a = { .image_file = image_path }, b = { .image_file = other };
	const struct device_configuration none = { .image_file = NULL };

	(void)state;
	make_image(512);
	assert_true(image_same(&a, &a));
	assert_false(image_same(&none, &none));
	test_path(other, "link");
	assert_int_equal(symlink(image_path, other), 0);
	assert_true(image_same(&a, &b));
	assert_int_equal(unlink(other), 0);
	assert_false(image_same(&a, &b));
	assert_int_equal(link(image_path, other), 0);
	assert_true(image_same(&a, &b));
	assert_int_equal(unlink(other), 0);
	/* two that are still to be created */
	assert_int_equal(unlink(image_path), 0);
	assert_false(image_same(&a, &b));
	test_path(folder, "folder");
	assert_int_equal(mkdir(folder, 0700), 0);
	test_path(other, "folder/../image");
	assert_true(image_same(&a, &b));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_file),
		cmocka_unit_test(test_memory),
		cmocka_unit_test(test_overlay),
		cmocka_unit_test(test_bad_memory),
		cmocka_unit_test(test_create),
		cmocka_unit_test(test_bad_files),
		cmocka_unit_test(test_lock),
		cmocka_unit_test(test_same),
		cmocka_unit_test(test_failed_flush_stays),
	};

	test_directory();
	test_path(image_path, "image");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
