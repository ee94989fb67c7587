/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A start that fails late, when the state of the set was read: it changes nothing, and the others notice nothing.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "member_set.h"

#define STATE_MAX (1 << 20) /* bytes of all files of a state: the set is small */

static char before[STATE_MAX], after[STATE_MAX];

static int by_name(const struct dirent **one, const struct dirent **other)
{
	return strcmp((*one)->d_name, (*other)->d_name);
}

/* All files of a member's state, with their names, one after the other. Their size in bytes. */
static size_t read_state(int member, char *bytes)
{
	char folder[TEST_PATH_SIZE + 16], path[TEST_PATH_SIZE + 300];
	struct dirent **names;
	size_t used = 0;
	int count;

	snprintf(folder, sizeof(folder), "%s/state/test", set_members[member].folder);
	count = scandir(folder, &names, NULL, by_name);
	assert_true(count > 2);
	for (int i = 0; i < count; i++) {
		ssize_t got = 0;
		int fd;

		if (names[i]->d_name[0] != '.') {
			snprintf(path, sizeof(path), "%s/%s", folder, names[i]->d_name);
			fd = open(path, O_RDONLY | O_CLOEXEC);
			assert_true(fd >= 0 && used + sizeof(names[i]->d_name) < STATE_MAX);
			used += (size_t)snprintf(bytes + used, STATE_MAX - used, "%s", names[i]->d_name);
			while ((got = read(fd, bytes + used, STATE_MAX - used)) > 0)
				used += (size_t)got;
			assert_true(got == 0 && used < STATE_MAX);
			close(fd);
		}
		free(names[i]);
	}
	free(names);
	return used;
}

static void assert_start_fails(int member, const char *const arguments[], const char *cause)
{
	struct test_process *rdisk = &set_members[member].rdisk;

	member_launch(member, arguments);
	assert_true(test_process_wait_end(rdisk, TEST_TIMEOUT_MS));
	assert_int_equal(test_process_exit_code(rdisk), 1);
	rdisk->pid = 0;
	if (!strstr(rdisk->log.text, cause) || strstr(rdisk->log.text, "epoch"))
		fail_msg("not only \"%s\" is in: %s", cause, rdisk->log.text);
}

/* Of a member that has not begun: neither its state nor its image. */
static void assert_nothing_left(int member)
{
	static const char *const names[] = { "state", "disk.img" };
	char path[TEST_PATH_SIZE + 16];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", set_members[member].folder, names[i]);
		if (!access(path, F_OK))
			fail_msg("%s was left", path);
	}
}

/* The first start of all. */
static void test_first_start(void **state)
{
	static const char *const record[] = { "--record", "/nowhere/recording", NULL };
	char path[TEST_PATH_SIZE + 16];

	(void)state;
	assert_start_fails(MEMBER_B, record, "/nowhere/recording");
	assert_nothing_left(MEMBER_B);
	/* Where the control socket is to be is something else. */
	snprintf(path, sizeof(path), "%s/control", set_members[MEMBER_B].folder);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_start_fails(MEMBER_B, NULL, "control");
	assert_nothing_left(MEMBER_B);
	assert_int_equal(rmdir(path), 0);
	member_set_start();
	member_set_end();
}

static void test_later_start(void **state)
{
	static const char *const record[] = { "--record", "/nowhere/recording", NULL };
	double epoch;
	size_t size;

	(void)state;
	member_set_start();
	assert_int_equal(test_process_stop(&set_members[MEMBER_B].rdisk, SIGKILL), 128 + SIGKILL);
	set_members[MEMBER_B].rdisk.pid = 0;
	assert_true(test_process_wait_log(&set_members[MEMBER_A].rdisk, "in sync: a\n", TEST_TIMEOUT_MS));
	epoch = member_epoch(MEMBER_A);
	size = read_state(MEMBER_B, before);
	assert_start_fails(MEMBER_B, record, "/nowhere/recording");
	assert_int_equal(read_state(MEMBER_B, after), size);
	assert_memory_equal(before, after, size);
	assert_false(test_process_wait_log_times(&set_members[MEMBER_A].rdisk, "connected to b", 3, 100));
	assert_true(member_epoch(MEMBER_A) == epoch);
	member_start(MEMBER_B, NULL);
	member_await(MEMBER_A, "a", "b");
	member_set_end();
}

/* One without an image says so, and another process with the same state waits for it, and says for what. */
static void test_twice(void **state)
{
	struct set_member first;

	(void)state;
	member_start(MEMBER_C, NULL);
	assert_true(test_process_wait_log(&set_members[MEMBER_C].rdisk,
					  "device disk: minor 0, replicated, no image here\n", TEST_TIMEOUT_MS));
	first = set_members[MEMBER_C];
	/* The other one's node is another one's, too. */
	memcpy(set_members[MEMBER_C].runtime, set_members[MEMBER_B].runtime, TEST_PATH_SIZE);
	member_launch(MEMBER_C, NULL);
	assert_true(test_process_wait_log(&set_members[MEMBER_C].rdisk, "info: the state of the replica set in ",
					  TEST_TIMEOUT_MS));
	assert_true(test_process_wait_log(&set_members[MEMBER_C].rdisk,
					  "/state/test is in use by another server: waiting", TEST_TIMEOUT_MS));
	test_process_discard(&set_members[MEMBER_C].rdisk);
	set_members[MEMBER_C] = first;
	member_set_end();
}

static void image_path(int member, const char *name, char path[TEST_PATH_SIZE])
{
	if (snprintf(path, TEST_PATH_SIZE, "%s/%s", set_members[member].folder, name) >= TEST_PATH_SIZE)
		test_fatal("%s: too long", set_members[member].folder);
}

static void move_image(int member, const char *from, const char *to)
{
	char old[TEST_PATH_SIZE], new[TEST_PATH_SIZE];

	image_path(member, from, old);
	image_path(member, to, new);
	assert_int_equal(rename(old, new), 0);
}

/* As when file systems are not mounted: what is there afterwards is what was there before. */
static void test_image_is_missing(void **state)
{
	static const char *const full[] = { "-U", "FULL", NULL };
	char path[TEST_PATH_SIZE];

	(void)state;
	member_set_start();
	member_set_end();
	for (int i = MEMBER_A; i <= MEMBER_B; i++) {
		move_image(i, "disk.img", "away");
		assert_start_fails(i, NULL, "the image of device \"disk\" is missing");
		image_path(i, "disk.img", path);
		assert_int_equal(access(path, F_OK), -1);
		move_image(i, "away", "disk.img");
	}
	for (int i = 0; i < MEMBERS; i++)
		member_start(i, NULL);
	member_await(MEMBER_C, NULL, "a");
	member_await(MEMBER_C, NULL, "b");
	/* One whose disk was replaced. */
	assert_int_equal(test_process_stop(&set_members[MEMBER_B].rdisk, SIGTERM), 0);
	set_members[MEMBER_B].rdisk.pid = 0;
	image_path(MEMBER_B, "disk.img", path);
	assert_int_equal(unlink(path), 0);
	member_start(MEMBER_B, full);
	member_await(MEMBER_A, "a", "b");
	member_set_end();
}

#define FULL_OF                                                                                                        \
	"the copy of this member is to be discarded (-U FULL), and is not before one that is in sync serves, of "
#define AND_NONE_DOES ": if none does, start rdisk here without -U FULL, to go on with what is there"

/* Each thinks that the other has the copy that it is to be given. Nobody serves, and all say so; nothing is lost. */
static void test_all_copies_are_discarded(void **state)
{
	static const char *const full[] = { "-U", "FULL", NULL };

	(void)state;
	member_set_start();
	member_set_discard();
	member_start(MEMBER_A, full);
	member_start(MEMBER_B, full);
	member_start(MEMBER_C, NULL);
	member_await_blocked(MEMBER_A, FULL_OF "b" AND_NONE_DOES);
	member_await_blocked(MEMBER_B, FULL_OF "a" AND_NONE_DOES);
	member_await_blocked(
		MEMBER_C, "a, b: one that is in sync is to take over; if none does so soon, the status there says why; "
			  "if their copies were lost, replaced or discarded: rdiskctl force-primary takes another one; "
			  "if none is left, the set has to begin anew, with state_dir removed on all");
	assert_int_equal(MEMBER_ORDER(MEMBER_A, "--json", "force-primary", "--dead", "b", "--yes"), 1);
	member_set_discard();
	for (int i = 0; i < MEMBERS; i++)
		member_start(i, NULL);
	member_await(MEMBER_C, NULL, "a");
	member_await(MEMBER_C, NULL, "b");
	member_set_end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_first_start, member_set_setup, member_set_teardown),
		cmocka_unit_test_setup_teardown(test_later_start, member_set_setup, member_set_teardown),
		cmocka_unit_test_setup_teardown(test_twice, member_set_setup, member_set_teardown),
		cmocka_unit_test_setup_teardown(test_image_is_missing, member_set_setup, member_set_teardown),
		cmocka_unit_test_setup_teardown(test_all_copies_are_discarded, member_set_setup, member_set_teardown),
	};

	test_directory();
	return cmocka_run_group_tests_name("member start", tests, NULL, NULL);
}
