/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See place_fixture.h. */
#include "place_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "dvk_node.h"

char base[64], above[80], cause[DVK_NODE_CAUSE_SIZE];

static char output[4096];

const char *in_directory(const char *name)
{
	static char path[128];

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	return path;
}

int place_setup(void **state)
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

int64_t patience_ends(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec + PATIENCE_MS / 1000;
}

void give_way(int64_t end, const char *what)
{
	struct timespec now;

	sched_yield();
	clock_gettime(CLOCK_MONOTONIC, &now);
	if (now.tv_sec > end)
		fail_msg("%s", what);
}

pid_t process_behind(int fd)
{
	struct ucred peer;
	socklen_t size = sizeof(peer);

	assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size), 0);
	return peer.pid;
}

void name_socket(struct sockaddr_un *address, const char *path)
{
	assert_true(strlen(path) < sizeof(address->sun_path));
	memcpy(address->sun_path, path, strlen(path) + 1);
}

int connect_by_name(void)
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
static bool has_lock(pid_t pid)
{
	char line[256], process[32], file[32];
	struct stat status;
	bool found = false;
	FILE *locks;

	if (stat(in_directory("node.lock"), &status))
		return false;
	locks = fopen("/proc/locks", "re");
	assert_non_null(locks);
	snprintf(process, sizeof(process), " %d ", (int)pid);
	snprintf(file, sizeof(file), ":%lu ", (unsigned long)status.st_ino);
	while (!found && fgets(line, sizeof(line), locks))
		found = strstr(line, "FLOCK") && strstr(line, process) && strstr(line, file);
	fclose(locks);
	return found;
}

void wait_until_found(pid_t process)
{
	int64_t end = patience_ends();
	int fd;

	while ((fd = connect_by_name()) < 0)
		give_way(end, "the node is not found again");
	assert_int_equal(process_behind(fd), process);
	close(fd);
	while (!has_lock(process))
		give_way(end, "the node has no lock again");
}

bool log_has(const char *path, const char *text)
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

void wait_for_log(const char *text)
{
	int64_t end = patience_ends();

	while (!log_has(in_directory("node.log"), text))
		give_way(end, text);
}

void remove_file(const char *name)
{
	assert_int_equal(unlink(in_directory(name)), 0);
}

void make_file(const char *name)
{
	int fd = open(in_directory(name), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	close(fd);
}

void lock_removed(void)
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

void socket_removed(void)
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

void both_removed(void)
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

void directory_removed(void)
{
	remove_tree(directory);
}

void directory_renamed(void)
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

const struct damage damages[DAMAGES] = {
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

struct raw server;
pid_t node;

void start_server(void)
{
	node = spawn_node(NULL);
	raw_open(&server);
	raw_start_dc(&server, 0);
	assert_int_equal(raw_bind(&server, 0, 3, NULL), 3);
}

void expect_server_reached(void)
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

void end_server(void)
{
	raw_close(&server);
	assert_int_equal(end_process(node, SIGTERM), 0);
	node = 0;
	assert_int_equal(access(in_directory("node.lock"), F_OK), -1);
	assert_int_equal(access(in_directory(DVK_NODE_SOCKET), F_OK), -1);
}

void clean(void)
{
	remove_tree(above);
	assert_int_equal(mkdir(above, 0700), 0);
	assert_int_equal(mkdir(directory, 0700), 0);
	snprintf(output, sizeof(output), "%s/moved", base);
	remove_tree(output);
	snprintf(output, sizeof(output), "%s/other", base);
	remove_tree(output);
}

pid_t start_second(int *fd)
{
	int ends[2];
	pid_t pid;

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	pid = spawn_program((const char *[]){ DVKD_PATH, NULL }, ends[1]);
	close(ends[1]);
	*fd = ends[0];
	return pid;
}

void expect_refused(pid_t pid, int fd, const char *text)
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

int hold_node(void)
{
	int hold;
	int rc = dvk_node_ensure(&hold, cause, sizeof(cause));

	if (rc)
		fail_msg("%d: %s", rc, cause);
	node = process_behind(hold);
	return hold;
}

void end_held_node(int hold)
{
	struct pollfd ended = { .fd = pidfd_open(node, 0), .events = POLLIN };

	assert_true(ended.fd >= 0);
	close(hold);
	assert_int_equal(poll(&ended, 1, PATIENCE_MS), 1);
	close(ended.fd);
	node = 0;
}

void release_node(int hold)
{
	end_held_node(hold);
	clean();
}

int listen_by_name(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	name_socket(&address, in_directory(DVK_NODE_SOCKET));
	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(fd, 8), 0);
	return fd;
}

int place_teardown(void **state)
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
