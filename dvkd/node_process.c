/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the node asks the host's kernel about the processes that it serves. Keeps nothing. */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "node_internal.h"

/* Most groups of a process: NGROUPS_MAX. */
#define GROUPS_MAX  65536

/* First bytes of a status that hold all that is looked for. */
#define STATUS_SIZE 1024

static bool peer_in_group(int fd, gid_t gid, gid_t group)
{
	gid_t *groups = NULL;
	socklen_t size = 0;
	bool found = gid == group;

	if (found)
		return true;
	/* The first call fails with ERANGE and tells the size; a process without groups makes it succeed. */
	if (!getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, NULL, &size) || errno != ERANGE ||
	    size > GROUPS_MAX * sizeof(gid_t))
		return false;
	groups = malloc(size);
	if (!groups)
		return false;
	if (!getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &size))
		for (size_t i = 0; i < size / sizeof(gid_t) && !found; i++)
			found = groups[i] == group;
	free(groups);
	return found;
}

enum node_access node_access_of(const struct dvk_node *node, int fd, uid_t uid, gid_t gid)
{
	if (uid == 0 || uid == node->uid)
		return NODE_ACCESS_FULL;
	if (node->group != (gid_t)-1 && peer_in_group(fd, gid, node->group))
		return NODE_ACCESS_GROUP;
	return NODE_ACCESS_REFUSED;
}

bool node_process_has_thread(pid_t pid, pid_t tid)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/task/%d", (int)pid, (int)tid);
	return access(path, F_OK) == 0;
}

/* First bytes of a file of /proc, as a string. Length or -1. */
static ssize_t read_proc(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t length;

	if (fd < 0)
		return -1;
	length = read(fd, text, size - 1);
	close(fd);
	text[length < 0 ? 0 : length] = '\0';
	return length;
}

/* Where the values of a field begin in the status of a process or thread, or NULL. */
static const char *read_status(pid_t id, const char *field, char text[STATUS_SIZE])
{
	char path[64];
	const char *line;

	if (id <= 0)
		return NULL;
	snprintf(path, sizeof(path), "/proc/%d/status", (int)id);
	if (read_proc(path, text, STATUS_SIZE) <= 0)
		return NULL;
	/* The process's name comes before and cannot hold a newline: the kernel escapes it. */
	line = strstr(text, field);
	return line ? line + strlen(field) : NULL;
}

pid_t node_process_of(pid_t id)
{
	char text[STATUS_SIZE];
	const char *value = read_status(id, "\nTgid:", text);

	return value ? (pid_t)strtol(value, NULL, 10) : -1;
}

int node_process_user(pid_t id, uid_t *uid)
{
	char text[STATUS_SIZE];
	const char *real = read_status(id, "\nUid:", text);
	char *effective, *end;

	if (!real)
		return -1;
	strtoul(real, &effective, 10);
	*uid = (uid_t)strtoul(effective, &end, 10);
	return end == effective ? -1 : 0;
}

void node_process_name(pid_t pid, pid_t tid, char name[MAXPROCNAME])
{
	char path[64], text[64];
	size_t length;

	memset(name, 0, MAXPROCNAME);
	snprintf(path, sizeof(path), "/proc/%d/task/%d/comm", (int)pid, (int)tid);
	if (read_proc(path, text, sizeof(text)) <= 0) {
		name[0] = '?';
		return;
	}
	length = strlen(text);
	if (length && text[length - 1] == '\n')
		length--;
	if (length > MAXPROCNAME - 1)
		length = MAXPROCNAME - 1;
	for (size_t i = 0; i < length; i++)
		name[i] = isprint((unsigned char)text[i]) ? text[i] : '?';
}

int node_process_watch(pid_t pid)
{
	int fd = pidfd_open(pid, 0);

	return fd < 0 ? -errno : fd;
}
