/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Private directories of a test program and their removal. Knows nothing of what
 * is put into them.
 */
#include "test_directory.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char directory[64];
static pid_t owner; /* only this process removes at exit: its forked children inherit the handler */

_Noreturn void test_fatal(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	fprintf(stderr, "test: ");
	vfprintf(stderr, format, arguments);
	fputc('\n', stderr);
	va_end(arguments);
	exit(2);
}

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *where)
{
	(void)status;
	(void)type;
	(void)where;
	/* What cannot be removed (a mount point) must not keep the rest from being removed. */
	(void)remove(path);
	return 0;
}

static void remove_tree(void)
{
	(void)nftw(directory, remove_entry, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}

static void remove_at_exit(void)
{
	if (getpid() == owner)
		remove_tree();
}

/* Waits until nobody holds the other end of the pipe any more: then nobody uses the directory. */
static _Noreturn void janitor(int pipe_end)
{
	int null = open("/dev/null", O_RDWR);
	char byte;

	(void)setsid();
	(void)signal(SIGINT, SIG_IGN);
	(void)signal(SIGTERM, SIG_IGN);
	(void)signal(SIGHUP, SIG_IGN);
	/* Whoever reads the test's output shall not wait for this process. */
	(void)dup2(null, STDIN_FILENO);
	(void)dup2(null, STDOUT_FILENO);
	(void)dup2(null, STDERR_FILENO);
	while (read(pipe_end, &byte, 1) > 0 || errno == EINTR)
		errno = 0;
	remove_tree();
	_exit(0);
}

/*
 * The write end is left open for this process and inherited by all that it starts,
 * across exec too: the janitor's read ends when the last of them is gone.
 */
static void start_janitor(void)
{
	int ends[2];
	pid_t child;

	if (pipe(ends))
		test_fatal("pipe: %s", strerror(errno));
	child = fork();
	if (child < 0)
		test_fatal("fork: %s", strerror(errno));
	if (child == 0) {
		(void)close(ends[1]);
		if (fork() == 0)
			janitor(ends[0]);
		_exit(0);
	}
	(void)close(ends[0]);
	if (waitpid(child, NULL, 0) != child)
		test_fatal("waitpid: %s", strerror(errno));
}

const char *test_directory(void)
{
	if (!directory[0]) {
		snprintf(directory, sizeof(directory), "/tmp/rdisk-test-XXXXXX");
		if (!mkdtemp(directory))
			test_fatal("mkdtemp %s: %s", directory, strerror(errno));
		owner = getpid();
		start_janitor();
		if (atexit(remove_at_exit))
			test_fatal("atexit failed");
	}
	return directory;
}

void test_path(char path[TEST_PATH_SIZE], const char *name)
{
	if (snprintf(path, TEST_PATH_SIZE, "%s/%s", test_directory(), name) >= TEST_PATH_SIZE)
		test_fatal("%s: name too long", name);
}

void test_runtime_new(void)
{
	static int number;
	char name[32];
	char path[TEST_PATH_SIZE];

	snprintf(name, sizeof(name), "dvk-%d", number++);
	test_path(path, name);
	if (mkdir(path, 0700))
		test_fatal("mkdir %s: %s", path, strerror(errno));
	if (setenv("DVK_RUNTIME_DIR", path, 1))
		test_fatal("setenv: %s", strerror(errno));
}
