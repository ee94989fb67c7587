/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Opening stores: creating, checking and locking their images, and which of them are the same.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "fake_disk.h"
#include "store_holder.h"
#include "store_test.h"

static void test_create(void **state)
{
	char path[TEST_PATH_SIZE];
	struct store_settings settings = { .name = "C", .path = path, .size = 6ull << 30 };
	struct diagnostic diagnostic;
	struct stat status;
	struct store store;
	struct store_found found;

	(void)state;
	test_path(path, "created");
	assert_true(store_missing(&settings));
	assert_int_equal(store_check(&settings, &found, &diagnostic), 0);
	assert_int_equal(found.size, 6ull << 30);
	assert_int_equal(access(path, F_OK), -1);
	assert_opens(&store, &settings);
	assert_false(store_missing(&settings));
	store_close(&store);
	assert_int_equal(stat(path, &status), 0);
	assert_int_equal(status.st_size, 6ull << 30);
	assert_true(status.st_blocks * 512 < 65536); /* the file's attributes at most */
	assert_opens(&store, &settings);
	/* This one it has not made. */
	store_uncreate(&store, &settings);
	store_close(&store);
	store_close(&store);
	settings.size = 512;
	assert_not_opened(&settings, "has 6442450944 bytes, the configured size is 512");
	assert_int_equal(unlink(path), 0);
	settings.size = 0;
	assert_not_opened(&settings, "no size");
	settings.size = 512;
	settings.read_only = true;
	assert_not_opened(&settings, "does not exist");
	settings.read_only = false;
	settings.is_volatile = true;
	assert_not_opened(&settings, "does not exist");
	settings.is_volatile = false;
	assert_opens(&store, &settings);
	store_uncreate(&store, &settings);
	store_close(&store);
	assert_true(store_missing(&settings));
	test_path(path, "no-such-folder/created");
	assert_not_opened(&settings, "cannot create");
}

static void test_bad_files(void **state)
{
	char path[TEST_PATH_SIZE];
	struct store_settings settings = { .name = "B", .path = path };

	(void)state;
	test_path(path, "fifo");
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_not_opened(&settings, "neither a regular file");
	test_path(path, ".");
	assert_not_opened(&settings, "Is a directory");
	test_path(path, "image");
	make_image(1000);
	assert_not_opened(&settings, "1000 bytes, is not a positive multiple");
	make_image(0);
	assert_not_opened(&settings, "0 bytes, is not a positive multiple");
	make_image(1024);
	settings.kind = STORE_MEMORY;
	settings.size = 512;
	assert_not_opened(&settings, "has 1024 bytes, the configured size is 512");
}

static void test_lock(void **state)
{
	const struct store_settings writer = { .name = "W", .path = image_path };
	const struct store_settings reader = { .name = "R", .path = image_path, .read_only = true };
	struct store first, second;

	(void)state;
	make_image(IMAGE_BYTES);
	assert_opens(&first, &writer);
	assert_not_opened(&writer, "in use by another server");
	assert_not_opened(&reader, "in use by another server");
	store_close(&first);
	assert_opens(&first, &reader);
	assert_opens(&second, &reader);
	assert_not_opened(&writer, "in use by another server");
	store_close(&first);
	store_close(&second);
	assert_opens(&first, &writer);
	store_close(&first);
}

/* ---- waiting for a server that ends ---- */

static int looks; /* of is_interrupted() */

static void let_time_pass(const char *text)
{
	(void)text;
	fake_clock_advance((uint64_t)STORE_LOCK_WAIT * 1000000000);
}

/* So that the wait has slept and been woken in between. */
static bool is_interrupted(void)
{
	return ++looks == 3;
}

static void on_alarm(int number)
{
	(void)number;
}

/* The one before is killed while this one waits, and nobody has waited for its end. */
static void test_wait_for_killed(void **state)
{
	struct store_settings settings = { .name = "W", .path = image_path, .lock_wait = STORE_LOCK_WAIT };
	const struct sigaction action = { .sa_handler = on_alarm };
	struct sigaction after;
	sigset_t blocked, mask;
	struct store store;

	(void)state;
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGALRM);
	assert_int_equal(sigaction(SIGALRM, &action, NULL), 0);
	assert_int_equal(sigprocmask(SIG_BLOCK, &blocked, NULL), 0);
	for (int read_only = 0; read_only < 2; read_only++) {
		fake_reset();
		make_image(IMAGE_BYTES);
		settings.read_only = false;
		holder_start(&settings);
		settings.read_only = read_only;
		fake_on_log(holder_kill);
		assert_opens(&store, &settings);
		assert_int_equal(fake_log_lines(), 1);
		assert_non_null(strstr(fake_log_last(), "waiting up to 10 s for it to end"));
		store_close(&store);
		holder_end();
	}
	/* What the wait took over is as it was. */
	assert_int_equal(sigaction(SIGALRM, NULL, &after), 0);
	assert_true(after.sa_handler == on_alarm);
	assert_int_equal(sigprocmask(SIG_UNBLOCK, &blocked, &mask), 0);
	assert_true(sigismember(&mask, SIGALRM));
}

static void test_wait_in_vain(void **state)
{
	struct store_settings settings = { .name = "W", .path = image_path };
	sigset_t blocked;

	(void)state;
	/* As a parent may have left it. */
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGALRM);
	assert_int_equal(sigprocmask(SIG_BLOCK, &blocked, NULL), 0);
	fake_reset();
	make_image(IMAGE_BYTES);
	holder_start(&settings);
	settings.lock_wait = STORE_LOCK_WAIT;
	fake_on_log(let_time_pass);
	assert_not_opened(&settings, "is in use by another server");
	fake_on_log(NULL);
	settings.interrupted = is_interrupted;
	assert_not_opened(&settings, "it was not waited for");
	assert_int_equal(looks, 3);
	assert_int_equal(fake_log_lines(), 2);
	assert_int_equal(sigprocmask(SIG_UNBLOCK, &blocked, NULL), 0);
	holder_end();
}

/* The other has gone, and with it a file that it had created and that its failed start took away again. */
static void replace_image(const char *text)
{
	make_image(IMAGE_BYTES);
	holder_kill(text);
}

static void test_wait_for_another_file(void **state)
{
	struct store_settings settings = { .name = "W", .path = image_path, .lock_wait = STORE_LOCK_WAIT };
	struct stat status, opened;
	struct store store;

	(void)state;
	fake_reset();
	make_image(IMAGE_BYTES);
	holder_start(&settings);
	fake_on_log(replace_image);
	assert_opens(&store, &settings);
	assert_int_equal(stat(image_path, &status), 0);
	assert_int_equal(fstat(store.fd, &opened), 0);
	assert_int_equal(opened.st_ino, status.st_ino);
	store_close(&store);
	holder_end();
}

static void test_same(void **state)
{
	char other[TEST_PATH_SIZE], folder[TEST_PATH_SIZE];
	struct store_settings a = { .path = image_path }, b = { .path = other };
	const struct store_settings none = { .path = NULL };

	(void)state;
	make_image(512);
	assert_true(store_same(&a, &a));
	assert_false(store_same(&none, &none));
	test_path(other, "link");
	assert_int_equal(symlink(image_path, other), 0);
	assert_true(store_same(&a, &b));
	assert_int_equal(unlink(other), 0);
	assert_false(store_same(&a, &b));
	assert_int_equal(link(image_path, other), 0);
	assert_true(store_same(&a, &b));
	assert_int_equal(unlink(other), 0);
	/* two that are still to be created */
	assert_int_equal(unlink(image_path), 0);
	assert_false(store_same(&a, &b));
	test_path(folder, "folder");
	assert_int_equal(mkdir(folder, 0700), 0);
	test_path(other, "folder/../image");
	assert_true(store_same(&a, &b));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_create),	     cmocka_unit_test(test_bad_files),
		cmocka_unit_test(test_lock),	     cmocka_unit_test(test_wait_for_killed),
		cmocka_unit_test(test_wait_in_vain), cmocka_unit_test(test_wait_for_another_file),
		cmocka_unit_test(test_same),
	};

	store_test_setup(NULL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
