/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dvk_node_ensure(): a node when it is needed, one of them, and none when it is not needed any more. */
#include "node_fixture.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "dvk_node.h"

static char cause[DVK_NODE_CAUSE_SIZE];

static int ensure(void)
{
	int hold;
	int rc = dvk_node_ensure(&hold, cause, sizeof(cause));

	if (rc)
		fail_msg("%d: %s", rc, cause);
	assert_true(hold >= 0);
	return hold;
}

/* Process at the other end of a connection. */
static pid_t node_behind(int fd)
{
	struct ucred peer;
	socklen_t size = sizeof(peer);

	assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size), 0);
	return peer.pid;
}

static void wait_for_end(int pidfd)
{
	struct pollfd ended = { .fd = pidfd, .events = POLLIN };

	assert_int_equal(poll(&ended, 1, PATIENCE_MS), 1);
	close(pidfd);
}

static int watch(pid_t pid)
{
	int pidfd = pidfd_open(pid, 0);

	assert_true(pidfd >= 0);
	return pidfd;
}

static int file_exists(const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	return access(path, F_OK) == 0;
}

/* A node that ends unlinks what it made. */
static void assert_no_node(void)
{
	assert_false(file_exists(DVK_NODE_SOCKET));
	assert_false(file_exists("node.lock"));
	assert_false(file_exists("start.lock"));
}

static void starts_and_ends_by_itself(void **state)
{
	int hold = ensure();
	pid_t pid = node_behind(hold);
	int pidfd = watch(pid);
	struct raw raw;

	(void)state;
	assert_int_not_equal(pid, getpid());
	raw_open(&raw);
	raw_start_dc(&raw, 0);
	close(hold);
	assert_int_equal(raw_bind(&raw, 0, 3, NULL), 3);
	raw_close(&raw);
	wait_for_end(pidfd);
	assert_no_node();
}

static void hold_alone_keeps_it(void **state)
{
	int hold = ensure();
	pid_t pid = node_behind(hold);
	int pidfd = watch(pid);
	struct raw raw;

	(void)state;
	for (int i = 0; i < 20; i++) {
		raw_open(&raw);
		assert_int_equal(node_behind(raw.fd), pid);
		raw_close(&raw);
	}
	close(hold);
	wait_for_end(pidfd);
	assert_no_node();
}

static void finds_the_one_that_runs(void **state)
{
	pid_t daemon = spawn_node(NULL);
	int hold = ensure();
	struct raw raw;

	(void)state;
	assert_int_equal(node_behind(hold), daemon);
	close(hold);
	/* A daemon stays. */
	raw_open(&raw);
	raw_close(&raw);
	assert_int_equal(end_process(daemon, SIGTERM), 0);
	assert_no_node();
}

static void starts_anew_after_a_kill(void **state)
{
	int hold = ensure();
	pid_t pid = node_behind(hold);
	int pidfd = watch(pid);

	(void)state;
	assert_int_equal(kill(pid, SIGKILL), 0);
	close(hold);
	/* Not waited for: it may be dying still. */
	hold = ensure();
	assert_int_not_equal(node_behind(hold), pid);
	wait_for_end(pidfd);
	pidfd = watch(node_behind(hold));
	close(hold);
	wait_for_end(pidfd);
	assert_no_node();
}

static void keeps_nothing_of_the_starter(void **state)
{
	char name[128], link[512], target[512];
	const struct dirent *entry;
	int hold, lock, pidfd, count = 0;
	ssize_t length;
	DIR *fds;

	(void)state;
	snprintf(name, sizeof(name), "%s/image", directory);
	lock = open(name, O_RDWR | O_CREAT, 0600);
	assert_int_equal(flock(lock, LOCK_EX), 0);
	assert_int_equal(dup2(lock, 200), 200);
	hold = ensure();
	snprintf(name, sizeof(name), "/proc/%d/fd", (int)node_behind(hold));
	fds = opendir(name);
	assert_non_null(fds);
	while ((entry = readdir(fds))) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(link, sizeof(link), "%s/%s", name, entry->d_name);
		length = readlink(link, target, sizeof(target) - 1);
		/* The node closes its end of the starter's pipe when it sees that the starter has closed the other. */
		if (length < 0 && errno == ENOENT)
			continue;
		assert_true(length > 0);
		target[length] = '\0';
		assert_null(strstr(target, "/image"));
		count++;
		if (atoi(entry->d_name) < 2)
			assert_string_equal(target, "/dev/null");
	}
	closedir(fds);
	assert_true(count < 20);
	/* Its own session, its signals. */
	assert_int_equal(getsid(node_behind(hold)), node_behind(hold));
	assert_int_equal(kill(node_behind(hold), SIGINT), 0);
	assert_int_equal(kill(node_behind(hold), SIGHUP), 0);
	close(ensure());
	close(lock);
	close(200);
	pidfd = watch(node_behind(hold));
	assert_int_equal(kill(node_behind(hold), SIGTERM), 0);
	wait_for_end(pidfd);
	assert_no_node();
	close(hold);
}

static void reports_why_not(void **state)
{
	int hold = 0;

	(void)state;
	assert_int_equal(setenv("DVK_RUNTIME_DIR", "/proc/none", 1), 0);
	assert_int_equal(dvk_node_ensure(&hold, cause, sizeof(cause)), EDVSNOENT);
	assert_int_equal(hold, -1);
	assert_non_null(strstr(cause, "/proc/none"));
	assert_int_equal(setenv("DVK_RUNTIME_DIR", "/dev/null", 1), 0);
	assert_int_equal(dvk_node_ensure(&hold, cause, sizeof(cause)), EDVSACCES);
	assert_non_null(strstr(cause, "/dev/null"));
	assert_int_equal(setenv("DVK_RUNTIME_DIR", directory, 1), 0);
}

/* In a child: what a program does. Exit status 0, and the node's pid down the pipe. */
static _Noreturn void use_node(int pipe_fd, int times)
{
	for (int i = 0; i < times; i++) {
		struct raw raw;
		pid_t pid;
		int hold;
		int rc = dvk_node_ensure(&hold, cause, sizeof(cause));

		if (rc) {
			fprintf(stderr, "ensure: %d %s\n", rc, cause);
			_exit(1);
		}
		raw_open(&raw);
		if (node_behind(raw.fd) != node_behind(hold))
			_exit(2);
		pid = node_behind(hold);
		close(hold);
		if (pipe_fd >= 0) {
			/* The end of the pipe: everybody has said which node he found. */
			if (write(pipe_fd, &pid, sizeof(pid)) != sizeof(pid))
				_exit(3);
			pause();
		}
		raw_close(&raw);
	}
	_exit(0);
}

static void twenty_starters(void **state)
{
	enum { STARTERS = 20 };
	pid_t starters[STARTERS], nodes[STARTERS];
	int ends[2], pidfd;

	(void)state;
	assert_int_equal(pipe(ends), 0);
	for (int i = 0; i < STARTERS; i++) {
		starters[i] = fork();
		assert_true(starters[i] >= 0);
		if (starters[i] == 0)
			use_node(ends[1], 1);
	}
	for (int i = 0; i < STARTERS; i++)
		assert_int_equal(read(ends[0], &nodes[i], sizeof(nodes[i])), sizeof(nodes[i]));
	pidfd = watch(nodes[0]);
	for (int i = 0; i < STARTERS; i++) {
		assert_int_equal(nodes[i], nodes[0]);
		assert_int_equal(end_process(starters[i], SIGKILL), 128 + SIGKILL);
	}
	close(ends[0]);
	close(ends[1]);
	wait_for_end(pidfd);
	assert_no_node();
}

/* Returns when no node is left: its lock can be had, or its file is gone. */
static void wait_until_no_node(void)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "%s/node.lock", directory);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0) {
		assert_int_equal(errno, ENOENT);
		return;
	}
	alarm(PATIENCE_MS / 1000);
	assert_int_equal(flock(fd, LOCK_EX), 0);
	alarm(0);
	close(fd);
}

/* Nodes start and end all the time; nobody is ever left without one. */
static void starts_and_ends_race(void **state)
{
	enum { USERS = 6, TIMES = 40 };
	pid_t users[USERS];

	(void)state;
	for (int i = 0; i < USERS; i++) {
		users[i] = fork();
		assert_true(users[i] >= 0);
		if (users[i] == 0)
			use_node(-1, TIMES);
	}
	for (int i = 0; i < USERS; i++)
		assert_int_equal(wait_process(users[i]), 0);
	wait_until_no_node();
}

/* Killed anywhere on the way: no node lingers, and the next starter gets one. */
static void starter_dies(void **state)
{
	enum { KILLS = 60 };

	(void)state;
	for (int i = 0; i < KILLS; i++) {
		struct timespec moment = { .tv_nsec = i * 50000L };
		pid_t starter = fork();

		assert_true(starter >= 0);
		if (starter == 0)
			use_node(-1, 1);
		nanosleep(&moment, NULL);
		assert_int_equal(kill(starter, SIGKILL), 0);
		wait_process(starter);
		if (i % 2)
			close(ensure());
		wait_until_no_node();
	}
	close(ensure());
	wait_until_no_node();
}

/* Holds start.lock, as a starter does. */
static int hold_start_lock(void)
{
	struct stat status = { 0 };
	char path[128];
	int fd = -1;

	snprintf(path, sizeof(path), "%s/start.lock", directory);
	/* A node that ends may have it still, and unlinks it. */
	while (!status.st_nlink) {
		if (fd >= 0)
			close(fd);
		fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
		assert_true(fd >= 0);
		assert_int_equal(flock(fd, LOCK_EX), 0);
		assert_int_equal(fstat(fd, &status), 0);
	}
	return fd;
}

/* True if that process waits for the lock on that file. */
static bool waits_for(pid_t pid, ino_t inode)
{
	char line[256], process[32], file[32];
	FILE *locks = fopen("/proc/locks", "re");
	bool found = false;

	assert_non_null(locks);
	snprintf(process, sizeof(process), " %d ", (int)pid);
	snprintf(file, sizeof(file), ":%lu ", (unsigned long)inode);
	while (!found && fgets(line, sizeof(line), locks))
		found = strstr(line, "->") && strstr(line, process) && strstr(line, file);
	fclose(locks);
	return found;
}

static void wait_for_waiter(pid_t pid, int fd)
{
	struct timespec now, end;
	struct stat status;

	assert_int_equal(fstat(fd, &status), 0);
	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_sec += PATIENCE_MS / 1000;
	while (!waits_for(pid, status.st_ino)) {
		sched_yield();
		clock_gettime(CLOCK_MONOTONIC, &now);
		if (now.tv_sec > end.tv_sec)
			fail_msg("process %d does not wait for start.lock", (int)pid);
	}
}

/* A starter waits for another, and for the next one, whose lock is another file. */
static void starters_wait_for_each_other(void **state)
{
	int held = hold_start_lock(), next;
	char path[128];
	pid_t starter;

	(void)state;
	snprintf(path, sizeof(path), "%s/start.lock", directory);
	starter = fork();
	assert_true(starter >= 0);
	if (starter == 0) {
		close(held);
		use_node(-1, 1);
	}
	wait_for_waiter(starter, held);
	assert_false(file_exists(DVK_NODE_SOCKET));
	/* As one who is through. */
	assert_int_equal(unlink(path), 0);
	next = hold_start_lock();
	close(held);
	wait_for_waiter(starter, next);
	assert_false(file_exists(DVK_NODE_SOCKET));
	assert_int_equal(unlink(path), 0);
	close(next);
	assert_int_equal(wait_process(starter), 0);
	wait_until_no_node();
}

/* Who removes the directory of a node that nobody uses does not keep it from ending. */
static void directory_is_removed(void **state)
{
	char name[80], path[128];
	struct raw raw = { .fd = -1 };
	int hold, pidfd;
	pid_t pid;

	(void)state;
	snprintf(name, sizeof(name), "%s/gone", directory);
	assert_int_equal(setenv("DVK_RUNTIME_DIR", name, 1), 0);
	hold = ensure();
	pid = node_behind(hold);
	pidfd = watch(pid);
	/* So that it makes none of them anew before it finds itself unused: it has looked at them when it serves again.
	 */
	raw.fd = dup(hold);
	for (int i = 0; i < 2; i++)
		assert_int_equal(raw_call(&raw, REQUEST(GET_DVS_INFO)), 0);
	raw_close(&raw);
	stop_process(pid);
	snprintf(path, sizeof(path), "%s/" DVK_NODE_SOCKET, name);
	assert_int_equal(unlink(path), 0);
	snprintf(path, sizeof(path), "%s/node.lock", name);
	assert_int_equal(unlink(path), 0);
	snprintf(path, sizeof(path), "%s/node.log", name);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(name), 0);
	close(hold);
	assert_int_equal(kill(pid, SIGCONT), 0);
	wait_for_end(pidfd);
	/* Nor does it make a directory only to end in it. */
	assert_int_equal(access(name, F_OK), -1);
	assert_int_equal(setenv("DVK_RUNTIME_DIR", directory, 1), 0);
}

/* Number before that text in the log, summed over all lines that have it; *lines: how many lines there are. */
static unsigned long sum_in_log(const char *text, int *lines)
{
	unsigned long sum = 0;
	char line[512];
	FILE *log;

	*lines = 0;
	snprintf(line, sizeof(line), "%s/node.log", directory);
	log = fopen(line, "re");
	assert_non_null(log);
	while (fgets(line, sizeof(line), log)) {
		const char *at = strstr(line, text);

		++*lines;
		if (at)
			sum += strtoul(at + strlen(text), NULL, 10);
	}
	fclose(log);
	return sum;
}

/* However often clients misbehave, the log stays short, and tells what it does not say. */
static void log_stays_short(void **state)
{
	enum { TIMES = 1000, SAID = 50, OTHERS = 10 };
	int hold = ensure(), lines;
	int pidfd = watch(node_behind(hold));
	struct raw raw;

	(void)state;
	for (int i = 0; i < TIMES; i++) {
		raw_connect(&raw);
		assert_int_equal(raw_send(&raw, "?", 1, NULL, 0), 1);
		raw_expect_end(&raw);
		raw_close(&raw);
	}
	close(hold);
	wait_for_end(pidfd);
	assert_in_range(sum_in_log("left out ", &lines), TIMES - SAID - OTHERS, TIMES - SAID);
	assert_in_range(lines, SAID, SAID + OTHERS);
}

/* Somebody has the lock and does not serve: no second node, but a message. */
static void lock_is_held_by_somebody(void **state)
{
	char path[128];
	int fd, hold;

	(void)state;
	snprintf(path, sizeof(path), "%s/node.lock", directory);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert_int_equal(flock(fd, LOCK_EX), 0);
	assert_int_equal(dvk_node_ensure(&hold, cause, sizeof(cause)), EDVSBUSY);
	assert_non_null(strstr(cause, directory));
	close(fd);
	close(ensure());
	wait_until_no_node();
}

/* In a child without those standard descriptors: starts a node, and sees it end. 0 if all that went well. */
static int start_without(int closed)
{
	struct ucred peer;
	socklen_t size = sizeof(peer);
	struct pollfd ended = { .events = POLLIN };
	int hold;

	for (int i = 0; i < 3; i++)
		if (closed >> i & 1)
			close(i);
	if (dvk_node_ensure(&hold, cause, sizeof(cause)) || getsockopt(hold, SOL_SOCKET, SO_PEERCRED, &peer, &size))
		return 1;
	ended.fd = pidfd_open(peer.pid, 0);
	close(hold);
	return ended.fd < 0 || poll(&ended, 1, PATIENCE_MS) != 1;
}

/* The node has a log, whichever of the standard descriptors its starter was run without. */
static void starter_without_descriptors(void **state)
{
	char name[128], text[512];

	(void)state;
	snprintf(name, sizeof(name), "%s/node.log", directory);
	for (int closed = 1; closed < 8; closed++) {
		pid_t pid = fork();
		ssize_t length;
		int fd;

		assert_true(pid >= 0);
		if (pid == 0)
			_exit(start_without(closed));
		assert_int_equal(wait_process(pid), 0);
		fd = open(name, O_RDONLY | O_CLOEXEC);
		assert_true(fd >= 0);
		length = read(fd, text, sizeof(text) - 1);
		close(fd);
		assert_true(length >= 0);
		text[length] = '\0';
		if (!strstr(text, "started in"))
			fail_msg("without descriptors %d the log is \"%s\"", closed, text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(starts_and_ends_by_itself),
		cmocka_unit_test(hold_alone_keeps_it),
		cmocka_unit_test(finds_the_one_that_runs),
		cmocka_unit_test(starts_anew_after_a_kill),
		cmocka_unit_test(keeps_nothing_of_the_starter),
		cmocka_unit_test(starter_without_descriptors),
		cmocka_unit_test(reports_why_not),
		cmocka_unit_test(twenty_starters),
		cmocka_unit_test(starts_and_ends_race),
		cmocka_unit_test(starter_dies),
		cmocka_unit_test(lock_is_held_by_somebody),
		cmocka_unit_test(starters_wait_for_each_other),
		cmocka_unit_test(directory_is_removed),
		cmocka_unit_test(log_stays_short),
	};

	return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
