/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What becomes of a node when its files are removed, renamed or replaced under it: it stays the only one, and is found
 * again, or says why not. What needs other users or networks is skipped unless root runs it.
 */
#include "node_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <grp.h>
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
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "dvk_node.h"

#define OTHER_USER 23456

static char base[64], above[80], output[4096], cause[DVK_NODE_CAUSE_SIZE];

static const char *in_directory(const char *name)
{
	static char path[128];

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	return path;
}

/* The runtime directory is two below one of the test's own, so that the one above it can be replaced, too. */
static int setup(void **state)
{
	if (make_directory(state))
		return -1;
	snprintf(base, sizeof(base), "%s", directory);
	snprintf(above, sizeof(above), "%s/above", base);
	if (snprintf(directory, sizeof(directory), "%s/run", above) >= (int)sizeof(directory) || mkdir(above, 0700) ||
	    mkdir(directory, 0700))
		return -1;
	return setenv("DVK_RUNTIME_DIR", directory, 1);
}

/* ---- waiting ---- */

static int64_t patience_ends(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec + PATIENCE_MS / 1000;
}

static void give_way(int64_t end, const char *what)
{
	struct timespec now;

	sched_yield();
	clock_gettime(CLOCK_MONOTONIC, &now);
	if (now.tv_sec > end)
		fail_msg("%s", what);
}

static pid_t process_behind(int fd)
{
	struct ucred peer;
	socklen_t size = sizeof(peer);

	assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size), 0);
	return peer.pid;
}

/* Connection to whoever listens at the socket's name; -1: nobody. */
static void name_socket(struct sockaddr_un *address, const char *path)
{
	assert_true(strlen(path) < sizeof(address->sun_path));
	memcpy(address->sun_path, path, strlen(path) + 1);
}

static int connect_by_name(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	name_socket(&address, in_directory(DVK_NODE_SOCKET));
	if (!connect(fd, (const struct sockaddr *)&address, sizeof(address)))
		return fd;
	close(fd);
	return -1;
}

/* True if that process has the file that is named node.lock now locked. */
static bool has_lock(pid_t node)
{
	char line[256], process[32], file[32];
	struct stat status;
	bool found = false;
	FILE *locks;

	if (stat(in_directory("node.lock"), &status))
		return false;
	locks = fopen("/proc/locks", "re");
	assert_non_null(locks);
	snprintf(process, sizeof(process), " %d ", (int)node);
	snprintf(file, sizeof(file), ":%lu ", (unsigned long)status.st_ino);
	while (!found && fgets(line, sizeof(line), locks))
		found = strstr(line, "FLOCK") && strstr(line, process) && strstr(line, file);
	fclose(locks);
	return found;
}

/* Until the node is found by its name and has its lock, without anybody who asks it to be. */
static void wait_until_found(pid_t node)
{
	int64_t end = patience_ends();
	int fd;

	while ((fd = connect_by_name()) < 0)
		give_way(end, "the node is not found again");
	assert_int_equal(process_behind(fd), node);
	close(fd);
	while (!has_lock(node))
		give_way(end, "the node has no lock again");
}

static bool log_has(const char *path, const char *text)
{
	FILE *file = fopen(path, "re");
	bool found = false;
	char line[600];

	while (file && !found && fgets(line, sizeof(line), file))
		found = strstr(line, text);
	if (file)
		fclose(file);
	return found;
}

static void wait_for_log(const char *text)
{
	int64_t end = patience_ends();

	while (!log_has(in_directory("node.log"), text))
		give_way(end, text);
}

/* ---- what others do to the files ---- */

static void remove_file(const char *name)
{
	assert_int_equal(unlink(in_directory(name)), 0);
}

static void make_file(const char *name)
{
	int fd = open(in_directory(name), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	close(fd);
}

static void lock_removed(void)
{
	remove_file("node.lock");
}

static void lock_replaced(void)
{
	char other[128];

	make_file("other");
	snprintf(other, sizeof(other), "%s", in_directory("other"));
	assert_int_equal(rename(other, in_directory("node.lock")), 0);
}

static void socket_removed(void)
{
	remove_file(DVK_NODE_SOCKET);
}

/* A socket that nobody has: what a killed node leaves. */
static void socket_replaced(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	name_socket(&address, in_directory("other"));
	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
	close(fd);
	assert_int_equal(rename(address.sun_path, in_directory(DVK_NODE_SOCKET)), 0);
}

static void both_removed(void)
{
	lock_removed();
	socket_removed();
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *place)
{
	(void)status;
	(void)type;
	(void)place;
	return remove(path);
}

/* Like rm -r; what a node makes anew meanwhile is removed again, or stays. */
static void remove_tree(const char *path)
{
	nftw(path, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void directory_removed(void)
{
	remove_tree(directory);
}

static void directory_renamed(void)
{
	char moved[128];

	snprintf(moved, sizeof(moved), "%s/moved", base);
	assert_int_equal(rename(directory, moved), 0);
}

/* In one step: there is a directory of that name all the time. */
static void directory_replaced(void)
{
	char other[128];

	snprintf(other, sizeof(other), "%s/other", base);
	assert_int_equal(mkdir(other, 0700), 0);
	assert_int_equal(renameat2(AT_FDCWD, other, AT_FDCWD, directory, RENAME_EXCHANGE), 0);
}

/* As of a user who logs out, and comes again: nobody tells the node of that. */
static void above_replaced(void)
{
	char other[128];

	snprintf(other, sizeof(other), "%s/moved", base);
	assert_int_equal(rename(above, other), 0);
	assert_int_equal(mkdir(above, 0700), 0);
}

static const struct damage {
	const char *name;
	void (*done)(void);
	bool told; /* the node hears of it */
} damages[] = {
	{ "lock removed", lock_removed, true },
	{ "lock replaced", lock_replaced, true },
	{ "socket removed", socket_removed, true },
	{ "socket replaced", socket_replaced, true },
	{ "lock and socket removed", both_removed, true },
	{ "directory removed", directory_removed, true },
	{ "directory renamed", directory_renamed, true },
	{ "directory replaced", directory_replaced, true },
	{ "directory above replaced", above_replaced, false },
};

/* ---- a node with a server, and one who comes later ---- */

static struct raw server;
static pid_t node;

static void start_server(void)
{
	node = spawn_node(NULL);
	raw_open(&server);
	raw_start_dc(&server, 0);
	assert_int_equal(raw_bind(&server, 0, 3, NULL), 3);
}

/* A client that comes now is introduced to the server, and no file is missing. */
static void expect_server_reached(void)
{
	struct raw client;

	assert_true(has_lock(node));
	raw_open(&client);
	assert_int_equal(process_behind(client.fd), node);
	assert_int_equal(raw_bind(&client, 0, 40, NULL), 40);
	raw_introduce(&client, &server, 3);
	raw_close(&client);
	assert_int_equal(raw_event(&server, DVK_EVENT_PEER_GONE).packet.endpoint, 40);
}

static void end_server(void)
{
	raw_close(&server);
	assert_int_equal(end_process(node, SIGTERM), 0);
	node = 0;
	assert_int_equal(access(in_directory("node.lock"), F_OK), -1);
	assert_int_equal(access(in_directory(DVK_NODE_SOCKET), F_OK), -1);
}

static void clean(void)
{
	remove_tree(above);
	assert_int_equal(mkdir(above, 0700), 0);
	assert_int_equal(mkdir(directory, 0700), 0);
	snprintf(output, sizeof(output), "%s/moved", base);
	remove_tree(output);
	snprintf(output, sizeof(output), "%s/other", base);
	remove_tree(output);
}

static pid_t start_second(int *fd)
{
	int ends[2];
	pid_t pid;

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	pid = spawn_program((const char *[]){ DVKD_PATH, NULL }, ends[1]);
	close(ends[1]);
	*fd = ends[0];
	return pid;
}

/* It ends, and says that. */
static void expect_refused(pid_t pid, int fd, const char *text)
{
	size_t length = 0;
	ssize_t got;

	output[0] = '\0';
	while (!strstr(output, "ready") && (got = read(fd, output + length, sizeof(output) - 1 - length)) > 0) {
		length += (size_t)got;
		output[length] = '\0';
	}
	close(fd);
	if (strstr(output, "ready")) {
		end_process(pid, SIGTERM);
		fail_msg("a second node has taken the first one's place");
	}
	if (wait_process(pid) != 1 || !strstr(output, text))
		fail_msg("no \"%s\" in: %s", text, output);
}

/* Nobody has to ask. */
static void node_is_found_again(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(damages) / sizeof(damages[0]); i++) {
		if (!damages[i].told)
			continue;
		print_message("%s\n", damages[i].name);
		start_server();
		damages[i].done();
		wait_until_found(node);
		end_server();
		clean();
	}
}

static void second_daemon_is_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(damages) / sizeof(damages[0]); i++) {
		pid_t second;
		int fd;

		print_message("%s\n", damages[i].name);
		start_server();
		damages[i].done();
		second = start_second(&fd);
		expect_refused(second, fd, "another node is running");
		expect_server_reached();
		end_server();
		clean();
	}
}

/* The node has no chance to make its files anew before the second one starts. */
static void second_daemon_at_a_stopped_node(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(damages) / sizeof(damages[0]); i++) {
		pid_t second;
		int fd;

		print_message("%s\n", damages[i].name);
		start_server();
		stop_process(node);
		damages[i].done();
		second = start_second(&fd);
		assert_int_equal(kill(node, SIGCONT), 0);
		expect_refused(second, fd, "another node is running");
		expect_server_reached();
		end_server();
		clean();
	}
}

/* It does not answer at all, so nobody can tell more; but it lives. */
static void second_daemon_at_a_node_that_hangs(void **state)
{
	pid_t second;
	int fd;

	(void)state;
	start_server();
	stop_process(node);
	directory_removed();
	second = start_second(&fd);
	expect_refused(second, fd, "does not answer");
	assert_int_equal(kill(node, SIGCONT), 0);
	wait_until_found(node);
	expect_server_reached();
	end_server();
	clean();
}

/* What a server does that starts: it finds the node, in whose place it would have started another. */
static void starter_finds_the_node(void **state)
{
	(void)state;
	for (size_t i = 0; i < 2 * sizeof(damages) / sizeof(damages[0]); i++) {
		pid_t starter;
		int hold;

		start_server();
		if (i % 2)
			stop_process(node);
		damages[i / 2].done();
		starter = fork();
		assert_true(starter >= 0);
		if (starter == 0) {
			if (dvk_node_ensure(&hold, cause, sizeof(cause))) {
				fprintf(stderr, "%s: %s\n", damages[i / 2].name, cause);
				_exit(1);
			}
			_exit(process_behind(hold) == node ? 0 : 2);
		}
		if (i % 2)
			assert_int_equal(kill(node, SIGCONT), 0);
		assert_int_equal(wait_process(starter), 0);
		expect_server_reached();
		end_server();
		clean();
	}
}

/* Who has connected to the socket that was removed, and was not accepted yet. */
static void those_who_wait_come_in(void **state)
{
	enum { WAITING = 60 };
	struct raw raws[WAITING];

	(void)state;
	start_server();
	stop_process(node);
	for (int i = 0; i < WAITING; i++)
		raw_connect(&raws[i]);
	socket_removed();
	assert_int_equal(kill(node, SIGCONT), 0);
	for (int i = 0; i < WAITING; i++) {
		assert_int_equal(raw_call(&raws[i], REQUEST(GET_DVS_INFO)), 0);
		raw_close(&raws[i]);
	}
	wait_until_found(node);
	end_server();
}

/* ---- the node that servers start, and its log ---- */

static int hold_node(void)
{
	int hold;
	int rc = dvk_node_ensure(&hold, cause, sizeof(cause));

	if (rc)
		fail_msg("%d: %s", rc, cause);
	node = process_behind(hold);
	return hold;
}

static void end_held_node(int hold)
{
	struct pollfd ended = { .fd = pidfd_open(node, 0), .events = POLLIN };

	assert_true(ended.fd >= 0);
	close(hold);
	assert_int_equal(poll(&ended, 1, PATIENCE_MS), 1);
	close(ended.fd);
	node = 0;
}

static void release_node(int hold)
{
	end_held_node(hold);
	clean();
}

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

static int listen_by_name(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	name_socket(&address, in_directory(DVK_NODE_SOCKET));
	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(fd, 8), 0);
	return fd;
}

/* A node that ends takes its own socket away, and no other. */
static void end_leaves_what_is_anothers(void **state)
{
	int fd;

	(void)state;
	start_server();
	stop_process(node);
	socket_removed();
	fd = listen_by_name();
	assert_int_equal(kill(node, SIGTERM), 0);
	assert_int_equal(kill(node, SIGCONT), 0);
	assert_int_equal(wait_process(node), 0);
	node = 0;
	raw_close(&server);
	assert_int_equal(access(in_directory(DVK_NODE_SOCKET), F_OK), 0);
	close(fd);
	clean();
}

/* Somebody has node.lock and listens, the way another node would: it is left alone, and that is said. */
static void place_is_taken(void **state)
{
	int hold = hold_node(), lock, fd, again = -1;

	(void)state;
	stop_process(node);
	both_removed();
	lock = open(in_directory("node.lock"), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert_int_equal(flock(lock, LOCK_EX), 0);
	assert_int_equal(kill(node, SIGCONT), 0);
	wait_for_log("clients do not find this node");
	assert_int_equal(dvk_node_ensure(&again, cause, sizeof(cause)), EDVSBUSY);
	assert_non_null(strstr(cause, "cannot be reached there: another node"));
	assert_int_equal(again, -1);

	fd = listen_by_name();
	/* A lock alone does not make it take the socket. */
	lock_removed();
	close(lock);
	wait_for_log("another process listens");
	assert_int_equal(connect_by_name() >= 0, 1);

	close(fd);
	remove_file(DVK_NODE_SOCKET);
	wait_for_log("clients find this node again");
	wait_until_found(node);
	release_node(hold);
}

/* A directory that cannot be had is said to be one, and nothing is done to it. */
static void directory_is_not_to_be_trusted(void **state)
{
	int hold = hold_node(), again;
	int64_t end = patience_ends();
	char moved[128];

	(void)state;
	snprintf(moved, sizeof(moved), "%s/moved/node.log", base);
	stop_process(node);
	directory_renamed();
	assert_int_equal(mkdir(directory, 0), 0);
	assert_int_equal(chmod(directory, 0777), 0);
	assert_int_equal(kill(node, SIGCONT), 0);
	while (!log_has(moved, "is not to be trusted"))
		give_way(end, "the node does not say that it cannot be found");
	assert_int_equal(dvk_node_ensure(&again, cause, sizeof(cause)), EDVSACCES);
	assert_non_null(strstr(cause, "not to be trusted"));
	assert_int_equal(rmdir(directory), 0);
	assert_int_equal(dvk_node_ensure(&again, cause, sizeof(cause)), 0);
	assert_int_equal(process_behind(again), node);
	close(again);
	release_node(hold);
}

/* A path that is relative, and too long for a socket's address from the root. */
static void relative_directory(void **state)
{
	char part[100];
	pid_t first;
	int hold;

	(void)state;
	memset(part, 'x', sizeof(part));
	part[sizeof(part) - 1] = '\0';
	assert_int_equal(chdir(above), 0);
	assert_int_equal(mkdir(part, 0700), 0);
	assert_int_equal(chdir(part), 0);
	assert_int_equal(setenv("DVK_RUNTIME_DIR", "short", 1), 0);
	hold = hold_node();
	first = node;
	assert_int_equal(unlink("short/" DVK_NODE_SOCKET), 0);
	assert_int_equal(unlink("short/node.lock"), 0);
	close(hold_node());
	assert_int_equal(node, first);
	assert_int_equal(access("short/node.lock", F_OK), 0);
	assert_int_equal(setenv("DVK_RUNTIME_DIR", directory, 1), 0);
	assert_int_equal(chdir("/"), 0);
	release_node(hold);
}

/* ---- age ---- */

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

/* ---- the name in the kernel ---- */

/* Name of the node that runs, from /proc/net/unix. */
static void find_name(struct sockaddr_un *address, socklen_t *size)
{
	FILE *sockets = fopen("/proc/net/unix", "re");
	char line[512], inode[32], link[64], target[64];
	const char *at = NULL;

	assert_non_null(sockets);
	while (!at && fgets(line, sizeof(line), sockets)) {
		at = strstr(line, "@dvk-node-");
		if (!at || sscanf(line, "%*s %*s %*s %*s %*s %*s %31s", inode) != 1)
			continue;
		/* Another node may run on this host: it is the one that has this socket open. */
		snprintf(target, sizeof(target), "socket:[%s]", inode);
		for (int fd = 0; fd < 64; fd++) {
			char path[64];
			ssize_t length;

			snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)node, fd);
			length = readlink(path, link, sizeof(link) - 1);
			link[length < 0 ? 0 : length] = '\0';
			if (!strcmp(link, target))
				break;
		}
		if (strcmp(link, target))
			at = NULL;
	}
	fclose(sockets);
	assert_non_null(at);
	memset(address, 0, sizeof(*address));
	address->sun_family = AF_UNIX;
	*size = (socklen_t)strcspn(at, "\n");
	memcpy(address->sun_path + 1, at + 1, *size - 1);
	*size += (socklen_t)offsetof(struct sockaddr_un, sun_path);
}

/* Somebody who has the name, and may not even listen, holds nobody up; the locks do without it. */
static void name_is_taken(void **state)
{
	struct sockaddr_un address;
	socklen_t size;
	pid_t second;
	int squatter, fd;

	(void)state;
	start_server();
	find_name(&address, &size);
	end_server();
	squatter = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(squatter, (const struct sockaddr *)&address, size), 0);
	start_server();
	second = start_second(&fd);
	expect_refused(second, fd, "another node is running");
	/* The bound socket is asked then. */
	stop_process(node);
	lock_removed();
	second = start_second(&fd);
	expect_refused(second, fd, "does not answer");
	assert_int_equal(kill(node, SIGCONT), 0);
	wait_until_found(node);
	expect_server_reached();
	close(squatter);
	end_server();
	clean();
}

static void become_other_user(void)
{
	if (setgroups(0, NULL) || setresgid(OTHER_USER, OTHER_USER, OTHER_USER) ||
	    setresuid(OTHER_USER, OTHER_USER, OTHER_USER))
		_exit(99);
}

static bool is_root(void)
{
	if (geteuid() == 0)
		return true;
	print_message("skipped: needs root\n");
	return false;
}

/* Another user listens at the name, and gives whoever connects a descriptor that he does not want. */
static _Noreturn void squat(const struct sockaddr_un *address, socklen_t size, int ready)
{
	int listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	struct raw raw = { .fd = -1 };

	become_other_user();
	if (bind(listener, (const struct sockaddr *)address, size) || listen(listener, 8) || write(ready, "", 1) != 1)
		_exit(1);
	for (;;) {
		raw.fd = accept(listener, NULL, NULL);
		raw_send(&raw, "?", 1, &listener, 1);
	}
}

static void name_is_another_users(void **state)
{
	struct sockaddr_un address;
	socklen_t size;
	pid_t squatter, second;
	int ready[2], fd;
	char byte;

	(void)state;
	if (!is_root())
		skip();
	start_server();
	find_name(&address, &size);
	end_server();
	assert_int_equal(pipe(ready), 0);
	squatter = fork();
	assert_true(squatter >= 0);
	if (squatter == 0)
		squat(&address, size, ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	start_server();
	second = start_second(&fd);
	expect_refused(second, fd, "another node is running");
	socket_removed();
	wait_until_found(node);
	expect_server_reached();
	end_server();
	assert_int_equal(end_process(squatter, SIGKILL), 128 + SIGKILL);
	close(ready[0]);
	close(ready[1]);
	clean();
}

/* Whoever is no user of the node gets no answer there, and cannot keep those who are from theirs. */
static void strangers_ask(void **state)
{
	enum { TIMES = 100 };
	struct sockaddr_un address;
	socklen_t size;
	pid_t stranger, second;
	int fd;

	(void)state;
	if (!is_root())
		skip();
	start_server();
	find_name(&address, &size);
	stranger = fork();
	assert_true(stranger >= 0);
	if (stranger == 0) {
		become_other_user();
		for (int i = 0; i < TIMES; i++) {
			struct raw raw = { .fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0) };
			int passed = memfd_create("passed", MFD_CLOEXEC);
			char bytes[64];

			if (passed < 0 || connect(raw.fd, (const struct sockaddr *)&address, size))
				_exit(1);
			/* It may be closed by now. */
			raw_send(&raw, "?", 1, &passed, i % 2);
			if (recv(raw.fd, bytes, sizeof(bytes), 0) > 0)
				_exit(2);
			close(raw.fd);
			close(passed);
		}
		_exit(0);
	}
	assert_int_equal(wait_process(stranger), 0);
	lock_removed();
	second = start_second(&fd);
	expect_refused(second, fd, "another node is running");
	expect_server_reached();
	end_server();
	clean();
}

/* Of another network, so that it does not see the name. */
static void second_in_another_network(void **state)
{
	pid_t second;
	int fd, own;

	(void)state;
	if (!is_root())
		skip();
	own = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	start_server();
	for (int socket_too = 0; socket_too < 2; socket_too++) {
		stop_process(node);
		lock_removed();
		if (socket_too)
			socket_removed();
		assert_int_equal(unshare(CLONE_NEWNET), 0);
		if (!socket_too) {
			second = start_second(&fd);
			expect_refused(second, fd, "does not answer");
			assert_int_equal(setns(own, CLONE_NEWNET), 0);
			assert_int_equal(kill(node, SIGCONT), 0);
			wait_until_found(node);
			expect_server_reached();
			continue;
		}
		/* Nothing tells that one of the first. Once it has ended, the first has its place again. */
		second = spawn_node(NULL);
		assert_int_equal(setns(own, CLONE_NEWNET), 0);
		assert_int_equal(kill(node, SIGCONT), 0);
		fd = connect_by_name();
		assert_int_equal(process_behind(fd), second);
		close(fd);
		assert_int_equal(end_process(second, SIGTERM), 0);
		wait_until_found(node);
		expect_server_reached();
	}
	close(own);
	end_server();
	clean();
}

/* A test that fails leaves nothing to the next one. */
static int teardown(void **state)
{
	(void)state;
	if (!node)
		return 0;
	kill(node, SIGKILL);
	waitpid(node, NULL, 0);
	node = 0;
	clean();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define PLACE_TEST(name) cmocka_unit_test_teardown(name, teardown)
		PLACE_TEST(node_is_found_again),
		PLACE_TEST(second_daemon_is_refused),
		PLACE_TEST(second_daemon_at_a_stopped_node),
		PLACE_TEST(second_daemon_at_a_node_that_hangs),
		PLACE_TEST(starter_finds_the_node),
		PLACE_TEST(those_who_wait_come_in),
		PLACE_TEST(log_goes_on),
		PLACE_TEST(log_is_no_file),
		PLACE_TEST(end_leaves_what_is_anothers),
		PLACE_TEST(place_is_taken),
		PLACE_TEST(directory_is_not_to_be_trusted),
		PLACE_TEST(relative_directory),
		PLACE_TEST(files_do_not_age),
		PLACE_TEST(name_is_taken),
		PLACE_TEST(name_is_another_users),
		PLACE_TEST(strangers_ask),
		PLACE_TEST(second_in_another_network),
	};

	return cmocka_run_group_tests(tests, setup, remove_directory);
}
