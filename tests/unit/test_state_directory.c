/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where a member keeps its state: what was saved is there again at the next start, also as far as it is torn; what
 * cannot be read, written or used is said, and nothing is made over it.
 */
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#include "state_directory.h"
#include "test_directory.h"

#define PIECES_MAX 64

ssize_t __real_pwrite(int fd, const void *buffer, size_t size, off_t position);
ssize_t __wrap_pwrite(int fd, const void *buffer, size_t size, off_t position);
ssize_t __real_pread(int fd, void *buffer, size_t size, off_t position);
ssize_t __wrap_pread(int fd, void *buffer, size_t size, off_t position);
int __real_fdatasync(int fd);
int __wrap_fdatasync(int fd);

/* Errors that the next calls fail with, 0: none; and the most bytes that one moves, 0: all. Threads read them. */
static int write_error, sync_error, read_error;
static size_t most;
/* The file whose bytes from `damaged_at` on, as many as a sector has, cannot be read; NULL: none. */
static const char *damaged;
static off_t damaged_at;

static struct completions saved;
static struct state_directory *directory;
static struct diagnostic diagnostic;
static char path[TEST_PATH_SIZE];
static int number;
static struct state_directory_settings settings = {
	.path = path,
	.set = "set",
	.nr_devices = 2,
	.names = { "disk", "other" },
	.members = 3,
	.nodes = { 1, 2, 7 },
	.saved = &saved,
};

/* What was loaded. */
static struct piece {
	struct metadata_place place;
	size_t size;
	unsigned char bytes[METADATA_SLOT_SIZE];
} pieces[PIECES_MAX];
static int nr_pieces;

ssize_t __wrap_pwrite(int fd, const void *buffer, size_t size, off_t position)
{
	if (write_error) {
		errno = write_error;
		return -1;
	}
	return __real_pwrite(fd, buffer, most && most < size ? most : size, position);
}

static bool is_damaged(int fd, size_t size, off_t position)
{
	char link[64], file[PATH_MAX];
	ssize_t length;

	if (!damaged || position >= damaged_at + (off_t)METADATA_SECTOR || position + (off_t)size <= damaged_at)
		return false;
	(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	length = readlink(link, file, sizeof(file) - 1);
	assert_true(length > 0);
	file[length] = '\0';
	return !strcmp(strrchr(file, '/') + 1, damaged);
}

ssize_t __wrap_pread(int fd, void *buffer, size_t size, off_t position)
{
	if (read_error && (!damaged || is_damaged(fd, size, position))) {
		errno = read_error;
		return -1;
	}
	return __real_pread(fd, buffer, most && most < size ? most : size, position);
}

int __wrap_fdatasync(int fd)
{
	if (sync_error) {
		errno = sync_error;
		return -1;
	}
	return __real_fdatasync(fd);
}

/* A folder of its own for each test, which is not there yet. */
static int set_up(void **state)
{
	char name[32];

	(void)state;
	write_error = sync_error = read_error = 0;
	most = 0;
	damaged = NULL;
	(void)snprintf(name, sizeof(name), "state-%d", number++);
	test_path(path, name);
	memset(&saved, 0, sizeof(saved));
	return completions_init(&saved, NULL);
}

static int tear_down(void **state)
{
	(void)state;
	state_directory_close(directory);
	directory = NULL;
	completions_destroy(&saved);
	return 0;
}

static void begin(void)
{
	if (state_directory_open(&directory, &settings, &diagnostic))
		fail_msg("%s", diagnostic.text);
}

static void end(void)
{
	state_directory_close(directory);
	directory = NULL;
}

static const char *keep(void *context, const struct metadata_place *place, const void *bytes, size_t size)
{
	struct piece *piece = &pieces[nr_pieces++];

	assert_in_range(nr_pieces, 1, PIECES_MAX);
	assert_in_range(size, bytes ? 1 : 0, bytes ? sizeof(piece->bytes) : 0);
	piece->place = *place;
	piece->size = size;
	if (bytes)
		memcpy(piece->bytes, bytes, size);
	return context;
}

static void load(void)
{
	nr_pieces = 0;
	if (state_directory_load(directory, keep, NULL, &diagnostic))
		fail_msg("%s", diagnostic.text);
}

/* Begins anew, as the next process does. */
static void begin_again(void)
{
	end();
	begin();
	load();
}

static struct piece *loaded(enum metadata_kind kind, uint32_t device, uint32_t member, uint32_t index)
{
	for (int i = 0; i < nr_pieces; i++) {
		const struct metadata_place *place = &pieces[i].place;

		if (place->kind == kind && place->index == index &&
		    (kind == METADATA_SLOT || place->device == device) &&
		    (kind != METADATA_BITS || place->member == member))
			return &pieces[i];
	}
	return NULL;
}

/* Saves a piece that is full of one byte. Its result. */
static int save(enum metadata_kind kind, uint32_t device, uint32_t member, uint32_t index, int byte)
{
	unsigned char bytes[METADATA_SLOT_SIZE];
	struct replica_save piece = {
		.place = { .kind = kind, .device = device, .member = member, .index = index },
		.bytes = bytes,
		.size = kind == METADATA_SLOT ? METADATA_SLOT_SIZE : METADATA_SECTOR,
	};
	int result;

	memset(bytes, byte, sizeof(bytes));
	state_directory_save(directory, &piece);
	completions_await(&saved);
	assert_ptr_equal(state_directory_saved(completions_take(&saved), &result), &piece);
	return result;
}

static void assert_full_of(const struct piece *piece, size_t size, int byte)
{
	assert_non_null(piece);
	assert_int_equal(piece->size, size);
	for (size_t i = 0; i < size; i++)
		assert_int_equal(piece->bytes[i], byte);
}

static void file_path(char file[PATH_MAX], const char *name)
{
	assert_true(snprintf(file, PATH_MAX, "%s/set/%s", path, name) < PATH_MAX);
}

/* ---- what was saved ---- */

static void test_nothing(void **state)
{
	struct stat status;

	(void)state;
	begin();
	load();
	assert_int_equal(nr_pieces, 0);
	assert_int_equal(stat(path, &status), 0);
	assert_int_equal(status.st_mode & 0777, 0700);
}

static void test_all_places(void **state)
{
	(void)state;
	begin();
	assert_int_equal(save(METADATA_BITS, 1, 2, 3, 0x61), 0);
	assert_int_equal(save(METADATA_BITS, 1, 0, 0, 0x62), 0);
	assert_int_equal(save(METADATA_LOG, 0, 0, 1, 0x63), 0);
	assert_int_equal(save(METADATA_LOG, 1, 0, 0, 0x64), 0);
	assert_int_equal(save(METADATA_SLOT, 0, 0, 0, 0x65), 0);
	assert_int_equal(save(METADATA_SLOT, 0, 0, 1, 0x66), 0);
	begin_again();
	assert_full_of(loaded(METADATA_BITS, 1, 2, 3), METADATA_SECTOR, 0x61);
	assert_full_of(loaded(METADATA_BITS, 1, 0, 0), METADATA_SECTOR, 0x62);
	assert_full_of(loaded(METADATA_LOG, 0, 0, 1), METADATA_SECTOR, 0x63);
	assert_full_of(loaded(METADATA_LOG, 1, 0, 0), METADATA_SECTOR, 0x64);
	assert_full_of(loaded(METADATA_SLOT, 0, 0, 0), METADATA_SLOT_SIZE, 0x65);
	assert_full_of(loaded(METADATA_SLOT, 0, 0, 1), METADATA_SLOT_SIZE, 0x66);
	/* Both slots first; and what lies before a sector that was saved, and never was itself, is all zeroes. */
	assert_int_equal(pieces[0].place.kind, METADATA_SLOT);
	assert_int_equal(pieces[1].place.kind, METADATA_SLOT);
	for (uint32_t index = 0; index < 3; index++)
		assert_full_of(loaded(METADATA_BITS, 1, 2, index), METADATA_SECTOR, 0);
	assert_full_of(loaded(METADATA_LOG, 0, 0, 0), METADATA_SECTOR, 0);
	assert_int_equal(nr_pieces, 2 + 2 + 1 + 4 + 1);
}

static void test_newest_counts(void **state)
{
	(void)state;
	begin();
	assert_int_equal(save(METADATA_SLOT, 0, 0, 1, 0x41), 0);
	assert_int_equal(save(METADATA_SLOT, 0, 0, 1, 0x42), 0);
	begin_again();
	assert_full_of(loaded(METADATA_SLOT, 0, 0, 1), METADATA_SLOT_SIZE, 0x42);
}

/* The system may move less than it was asked to. */
static void test_short_calls(void **state)
{
	(void)state;
	most = 100;
	begin();
	assert_int_equal(save(METADATA_SLOT, 0, 0, 0, 0x51), 0);
	assert_int_equal(save(METADATA_LOG, 1, 0, 2, 0x52), 0);
	begin_again();
	assert_full_of(loaded(METADATA_SLOT, 0, 0, 0), METADATA_SLOT_SIZE, 0x51);
	assert_full_of(loaded(METADATA_LOG, 1, 0, 2), METADATA_SECTOR, 0x52);
}

/* More sectors than are read at a time: the last ones have the places that they were saved at. */
static const char *count(void *context, const struct metadata_place *place, const void *bytes, size_t size)
{
	const unsigned char *first = bytes;
	uint32_t *next = context;

	assert_int_equal(place->kind, METADATA_BITS);
	assert_int_equal(place->index, (*next)++);
	assert_int_equal(size, METADATA_SECTOR);
	assert_int_equal(*first, place->index == 1500 ? 0x71 : 0);
	return NULL;
}

static void test_many(void **state)
{
	uint32_t next = 0;

	(void)state;
	begin();
	assert_int_equal(save(METADATA_BITS, 0, 1, 1500, 0x71), 0);
	assert_int_equal(state_directory_load(directory, count, &next, &diagnostic), 0);
	assert_int_equal(next, 1501);
}

/* ---- what is wrong with it ---- */

/* A piece that is not whole is given as it is: what that means is not decided here. */
static void test_torn(void **state)
{
	char file[PATH_MAX];

	(void)state;
	begin();
	assert_int_equal(save(METADATA_SLOT, 0, 0, 0, 0x31), 0);
	assert_int_equal(save(METADATA_LOG, 0, 0, 1, 0x32), 0);
	file_path(file, "slot-0");
	assert_int_equal(truncate(file, 10), 0);
	file_path(file, "log-disk");
	assert_int_equal(truncate(file, METADATA_SECTOR + 1), 0);
	begin_again();
	assert_full_of(loaded(METADATA_SLOT, 0, 0, 0), 10, 0x31);
	assert_full_of(loaded(METADATA_LOG, 0, 0, 1), 1, 0x32);
}

/* What stands behind a slot is not of it. */
static void test_long_slot(void **state)
{
	char file[PATH_MAX];

	(void)state;
	begin();
	assert_int_equal(save(METADATA_SLOT, 0, 0, 0, 0x33), 0);
	file_path(file, "slot-0");
	assert_int_equal(truncate(file, 10 * METADATA_SLOT_SIZE), 0);
	begin_again();
	assert_full_of(loaded(METADATA_SLOT, 0, 0, 0), METADATA_SLOT_SIZE, 0x33);
	assert_int_equal(nr_pieces, 1);
}

static void test_not_to_be_used(void **state)
{
	static char why[] = "it is of another set";

	(void)state;
	begin();
	assert_int_equal(save(METADATA_SLOT, 0, 0, 1, 0x34), 0);
	nr_pieces = 0;
	assert_int_equal(state_directory_load(directory, keep, why, &diagnostic), -1);
	assert_int_equal(nr_pieces, 1);
	assert_non_null(strstr(diagnostic.text, path));
	assert_non_null(strstr(diagnostic.text, why));
}

/* What the disk does not give is handed over as that; what is beside it in the same file as it is. */
static void test_damaged(void **state)
{
	static const int errors[] = { EIO, EBADMSG, EUCLEAN };

	(void)state;
	begin();
	assert_int_equal(save(METADATA_SLOT, 0, 0, 0, 0x41), 0);
	assert_int_equal(save(METADATA_SLOT, 0, 0, 1, 0x42), 0);
	for (int index = 0; index < 4; index++)
		assert_int_equal(save(METADATA_BITS, 1, 2, (uint32_t)index, 0x43 + index), 0);
	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		read_error = errors[i];
		damaged = "slot-0";
		damaged_at = 7 * METADATA_SECTOR;
		begin_again();
		assert_int_equal(nr_pieces, 2 + 4);
		assert_int_equal(loaded(METADATA_SLOT, 0, 0, 0)->size, 0);
		assert_full_of(loaded(METADATA_SLOT, 0, 0, 1), METADATA_SLOT_SIZE, 0x42);
		damaged = "bits-other-7";
		damaged_at = 2 * METADATA_SECTOR;
		begin_again();
		assert_int_equal(nr_pieces, 2 + 4);
		for (int index = 0; index < 4; index++) {
			if (index != 2)
				assert_full_of(loaded(METADATA_BITS, 1, 2, (uint32_t)index), METADATA_SECTOR,
					       0x43 + index);
		}
		assert_int_equal(loaded(METADATA_BITS, 1, 2, 2)->size, 0);
		damaged_at = 3 * METADATA_SECTOR;
		begin_again();
		assert_int_equal(nr_pieces, 2 + 4);
		assert_full_of(loaded(METADATA_BITS, 1, 2, 2), METADATA_SECTOR, 0x45);
		assert_int_equal(loaded(METADATA_BITS, 1, 2, 3)->size, 0);
	}
}

static void test_not_to_be_read(void **state)
{
	(void)state;
	begin();
	assert_int_equal(save(METADATA_SLOT, 0, 0, 0, 0x35), 0);
	read_error = ENOMEM;
	nr_pieces = 0;
	assert_int_equal(state_directory_load(directory, keep, NULL, &diagnostic), -1);
	assert_int_equal(nr_pieces, 0);
	assert_non_null(strstr(diagnostic.text, strerror(ENOMEM)));
}

static void test_not_to_be_written(void **state)
{
	(void)state;
	begin();
	assert_int_equal(save(METADATA_SLOT, 0, 0, 0, 0x35), 0);
	write_error = ENOSPC;
	assert_int_equal(save(METADATA_SLOT, 0, 0, 0, 0x36), -ENOSPC);
	write_error = 0;
	sync_error = EIO;
	assert_int_equal(save(METADATA_LOG, 0, 0, 0, 0x37), -EIO);
	sync_error = 0;
	begin_again();
	assert_full_of(loaded(METADATA_SLOT, 0, 0, 0), METADATA_SLOT_SIZE, 0x35);
}

/* ---- where it cannot be ---- */

static void assert_refused(const char *what)
{
	assert_int_equal(state_directory_open(&directory, &settings, &diagnostic), -1);
	directory = NULL;
	assert_non_null(strstr(diagnostic.text, what));
}

static void test_file_for_folder(void **state)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	(void)state;
	assert_true(fd >= 0);
	close(fd);
	assert_refused(path);
}

static void test_missing_parent(void **state)
{
	struct state_directory_settings deeper = settings;
	char below[TEST_PATH_SIZE + 16];

	(void)state;
	(void)snprintf(below, sizeof(below), "%s/missing", path);
	deeper.path = below;
	assert_int_equal(state_directory_open(&directory, &deeper, &diagnostic), -1);
	directory = NULL;
	assert_non_null(strstr(diagnostic.text, strerror(ENOENT)));
}

/* A link could lead to a file of others. */
static void test_link(void **state)
{
	char file[PATH_MAX], target[PATH_MAX];

	(void)state;
	begin();
	assert_int_equal(save(METADATA_SLOT, 0, 0, 1, 0x38), 0);
	end();
	file_path(file, "slot-1");
	file_path(target, "elsewhere");
	assert_int_equal(rename(file, target), 0);
	assert_int_equal(symlink(target, file), 0);
	assert_refused("slot-1");
}

/* Of a folder that cannot be entered, or that is there and not to be used, nothing is changed. */
static void test_dangling_link(void **state)
{
	char folder[PATH_MAX];

	(void)state;
	assert_int_equal(mkdir(path, 0700), 0);
	assert_true(snprintf(folder, sizeof(folder), "%s/set", path) < PATH_MAX);
	assert_int_equal(symlink("nowhere", folder), 0);
	assert_refused("cannot open the folder");
	assert_int_equal(unlink(folder), 0);
	assert_int_equal(rmdir(path), 0);
}

/* ---- what a start leaves that saves nothing ---- */

static bool is_there(const char *name)
{
	char file[PATH_MAX];

	file_path(file, name);
	return !access(file, F_OK);
}

static void test_nothing_left(void **state)
{
	(void)state;
	begin();
	load();
	end();
	assert_int_equal(access(path, F_OK), -1);
	/* A folder that was there stays, with what is in it. */
	assert_int_equal(mkdir(path, 0700), 0);
	begin();
	end();
	assert_int_equal(rmdir(path), 0);
	/* Only what is saved is made. */
	begin();
	assert_int_equal(save(METADATA_BITS, 1, 2, 0, 0x39), 0);
	end();
	assert_true(is_there("lock") && is_there("bits-other-7"));
	assert_false(is_there("slot-0") || is_there("log-disk") || is_there("bits-disk-7"));
	begin();
	end();
	assert_true(is_there("lock") && is_there("bits-other-7"));
	begin_again();
	assert_full_of(loaded(METADATA_BITS, 1, 2, 0), METADATA_SECTOR, 0x39);
}

/* A second one, which waits for the first one. */
static void *begin_second(void *context)
{
	struct state_directory *second = NULL;
	struct diagnostic why;

	(void)context;
	return state_directory_open(&second, &settings, &why) ? NULL : second;
}

/* Whether a thread of this process sleeps in a call that can wait for a lock. */
static bool waits_for_lock(void)
{
	bool waits = false;
	glob_t calls;

	assert_int_equal(glob("/proc/self/task/*/syscall", 0, NULL, &calls), 0);
	for (size_t i = 0; i < calls.gl_pathc; i++) {
		FILE *file = fopen(calls.gl_pathv[i], "re");
		char line[256] = "";

		assert_non_null(file);
		(void)!fgets(line, sizeof(line), file);
		waits |= strtol(line, NULL, 10) == SYS_fcntl;
		(void)fclose(file);
	}
	globfree(&calls);
	return waits;
}

/* The first one removes what it has made, also the lock for which the second one waits: that makes it anew. */
static void test_removed_while_waited_for(void **state)
{
	pthread_t thread;
	void *second;

	(void)state;
	begin();
	assert_int_equal(pthread_create(&thread, NULL, begin_second, NULL), 0);
	while (!waits_for_lock())
		sched_yield();
	end();
	assert_int_equal(pthread_join(thread, &second), 0);
	assert_non_null(second);
	directory = second;
	assert_true(is_there("lock"));
	assert_int_equal(save(METADATA_SLOT, 0, 0, 0, 0x3a), 0);
	begin_again();
	assert_full_of(loaded(METADATA_SLOT, 0, 0, 0), METADATA_SLOT_SIZE, 0x3a);
}

static void test_long_path(void **state)
{
	struct state_directory_settings longer = settings;
	char name[PATH_MAX];

	(void)state;
	memset(name, 'x', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	longer.set = name;
	assert_int_equal(state_directory_open(&directory, &longer, &diagnostic), -1);
	directory = NULL;
	assert_non_null(strstr(diagnostic.text, "too long"));
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

/* Clients have all descriptors: what is made when it is needed first had its own from the beginning. */
static void test_no_descriptors(void **state)
{
	struct rlimit before, small;
	int taken[256], nr_taken = 0;

	(void)state;
	begin();
	assert_int_equal(save(METADATA_SLOT, 0, 0, 0, 1), 0);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	small = (struct rlimit){ sizeof(taken) / sizeof(taken[0]), before.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &small), 0);
	while ((taken[nr_taken] = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0)
		nr_taken++;
	assert_int_equal(errno, EMFILE);
	for (uint32_t device = 0; device < 2; device++) {
		assert_int_equal(save(METADATA_LOG, device, 0, 0, 2), 0);
		for (uint32_t member = 0; member < 3; member++)
			assert_int_equal(save(METADATA_BITS, device, member, 3, 3), 0);
	}
	assert_int_equal(save(METADATA_SLOT, 0, 0, 1, 4), 0);
	/* There is none for another process of the member: it says so. */
	end();
	while ((taken[nr_taken] = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0)
		nr_taken++;
	assert_int_equal(state_directory_open(&directory, &settings, &diagnostic), -1);
	assert_non_null(strstr(diagnostic.text, strerror(EMFILE)));
	while (nr_taken > 0)
		close(taken[--nr_taken]);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	begin();
	load();
	assert_non_null(loaded(METADATA_BITS, 1, 2, 3));
	assert_non_null(loaded(METADATA_SLOT, 0, 0, 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_nothing),
		TEST(test_all_places),
		TEST(test_newest_counts),
		TEST(test_short_calls),
		TEST(test_many),
		TEST(test_torn),
		TEST(test_long_slot),
		TEST(test_not_to_be_used),
		TEST(test_damaged),
		TEST(test_not_to_be_read),
		TEST(test_not_to_be_written),
		TEST(test_file_for_folder),
		TEST(test_missing_parent),
		TEST(test_link),
		TEST(test_long_path),
		TEST(test_dangling_link),
		TEST(test_nothing_left),
		TEST(test_removed_while_waited_for),
		cmocka_unit_test_setup_teardown(test_no_descriptors, set_up, tear_down),
	};

	test_directory();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
