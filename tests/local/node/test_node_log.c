/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The log of a node that is removed, renamed or replaced, and its files, which must not age. */
#include "place_fixture.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/* Until the node has looked, since a line of it is in the log. */
static void provoke_line(void)
{
	struct raw raw;

	raw_connect(&raw);
	assert_int_equal(raw_send(&raw, "?", 1, NULL, 0), 1);
	raw_expect_end(&raw);
	raw_close(&raw);
}

static void log_goes_on(void **state)
{
	char rotated[128], other[128];
	int hold = hold_node();

	(void)state;
	remove_file("node.log");
	wait_for_log("is new");
	snprintf(rotated, sizeof(rotated), "%s", in_directory("node.log.1"));
	assert_int_equal(rename(in_directory("node.log"), rotated), 0);
	wait_for_log("is new");
	make_file("other");
	snprintf(other, sizeof(other), "%s", in_directory("other"));
	assert_int_equal(rename(other, in_directory("node.log")), 0);
	wait_for_log("is new");
	directory_removed();
	wait_for_log("is new");
	wait_until_found(node);
	provoke_line();
	wait_for_log("wrong size");
	release_node(hold);
}

/* What bears the log's name and is none is not waited for. */
static void log_is_no_file(void **state)
{
	int hold = hold_node();
	char other[128];

	(void)state;
	snprintf(other, sizeof(other), "%s", in_directory("other"));
	assert_int_equal(mkfifo(other, 0600), 0);
	assert_int_equal(rename(other, in_directory("node.log")), 0);
	socket_removed();
	wait_until_found(node);
	release_node(hold);
}

static const char *const files[] = { "node.lock", DVK_NODE_SOCKET, "node.log" };

/* Those who clean up leave alone what has the sticky bit, or is young. */
static void files_do_not_age(void **state)
{
	const struct timespec old[2] = { { 0 }, { 0 } };
	int64_t end = patience_ends();
	struct stat status;
	int hold = hold_node();

	(void)state;
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		assert_int_equal(stat(in_directory(files[i]), &status), 0);
		assert_int_equal(status.st_mode & 07777, S_ISVTX | 0600);
		assert_int_equal(utimensat(AT_FDCWD, in_directory(files[i]), old, 0), 0);
	}
	/* It looks when one of its files is removed; there are others that were. */
	remove_file("node.log");
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		do {
			give_way(end, files[i]);
		} while (stat(in_directory(files[i]), &status) || !status.st_mtime || !status.st_atime);
		assert_int_equal(status.st_mode & 07777, S_ISVTX | 0600);
	}
	end_held_node(hold);
	/* What is left of it is theirs. */
	assert_int_equal(stat(in_directory("node.log"), &status), 0);
	assert_int_equal(status.st_mode & 07777, 0600);
	clean();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(log_goes_on, place_teardown),
		cmocka_unit_test_teardown(log_is_no_file, place_teardown),
		cmocka_unit_test_teardown(files_do_not_age, place_teardown),
	};

	return cmocka_run_group_tests(tests, place_setup, remove_directory);
}
