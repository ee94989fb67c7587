/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The runtime directory: its locks and the socket in it.
 *
 * Two files are locks (flock): node.lock is held by the node for its life, start.lock for the moment in which a node
 * starts or ends: under that one either a node listens, or none does and none is about to. Who has held a lock unlinks
 * the file before he lets it go, so that nothing is left of it. Whoever gets a lock looks therefore whether the file
 * that he locked still has that name.
 *
 * Nobody but the directory's owner and root can make a file there, and nobody else can open those two, so nobody else
 * can hold a node up. The directory itself is not locked: whoever may read it could.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "dvk_runtime.h"
#include "node_internal.h"

#define NODE_LOCK  "node.lock"
#define START_LOCK "start.lock"

int node_runtime_open(struct node_runtime *runtime, char *cause, size_t size)
{
	int rc;

	runtime->directory_fd = -1;
	runtime->start_fd = -1;
	runtime->lock_fd = -1;
	rc = dvk_runtime_directory(runtime->path, sizeof(runtime->path));
	if (rc)
		return node_fail(cause, size, rc, "the runtime directory's name is too long for a socket's address");
	if (mkdir(runtime->path, 0700) < 0 && errno != EEXIST)
		return node_fail(cause, size, node_error_of(errno), "cannot make the runtime directory %s: %s",
				 runtime->path, strerror(errno));
	rc = dvk_runtime_check(runtime->path);
	if (rc)
		return node_fail(
			cause, size, rc,
			"the runtime directory %s is not to be trusted: it must be a directory that belongs to "
			"root or this user and that others cannot write to",
			runtime->path);
	runtime->directory_fd = open(runtime->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (runtime->directory_fd < 0)
		return node_fail(cause, size, node_error_of(errno), "cannot open the runtime directory %s: %s",
				 runtime->path, strerror(errno));
	return 0;
}

/* ---- locks ---- */

/* True when others can hold a lock on that file, or when it is none of ours or root's. */
static bool others_can_lock(int fd)
{
	struct stat status;

	return fstat(fd, &status) || !S_ISREG(status.st_mode) || (status.st_uid != 0 && status.st_uid != geteuid()) ||
	       (status.st_mode & (S_IRWXG | S_IRWXO));
}

/* True when fd is the file that now bears the lock's name. */
static bool lock_is_current(const struct node_runtime *runtime, const char *name, int fd)
{
	struct stat held, named;

	return !fstat(fd, &held) && !fstatat(runtime->directory_fd, name, &named, AT_SYMLINK_NOFOLLOW) &&
	       held.st_dev == named.st_dev && held.st_ino == named.st_ino;
}

/* Descriptor that holds the lock, or a code: EDVSBUSY (not if wait), EDVSACCES (not to be trusted), ... */
static int take_lock(const struct node_runtime *runtime, const char *name, bool wait, char *cause, size_t size)
{
	for (;;) {
		int fd = openat(runtime->directory_fd, name, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
		int error;

		if (fd >= 0 && others_can_lock(fd)) {
			close(fd);
			return node_fail(cause, size, EDVSACCES,
					 "%s/%s is not to be trusted: it must be a regular file that belongs to root "
					 "or this user and that others cannot open",
					 runtime->path, name);
		}
		if (fd >= 0 && !flock(fd, LOCK_EX | (wait ? 0 : LOCK_NB))) {
			if (lock_is_current(runtime, name, fd))
				return fd;
			close(fd);
			continue;
		}
		error = errno;
		node_close(&fd);
		return node_fail(cause, size, error == EWOULDBLOCK ? EDVSBUSY : node_error_of(error),
				 "cannot lock %s/%s: %s", runtime->path, name, strerror(error));
	}
}

static void drop_lock(const struct node_runtime *runtime, const char *name, int *fd)
{
	if (*fd >= 0 && lock_is_current(runtime, name, *fd))
		unlinkat(runtime->directory_fd, name, 0);
	/* At once, also if a process that was forked meanwhile has the descriptor for a moment. */
	if (*fd >= 0)
		flock(*fd, LOCK_UN);
	node_close(fd);
}

int node_runtime_enter(struct node_runtime *runtime, bool wait, char *cause, size_t size)
{
	int fd;

	if (runtime->start_fd >= 0)
		return 0;
	fd = take_lock(runtime, START_LOCK, wait, cause, size);
	if (fd < 0)
		return fd;
	runtime->start_fd = fd;
	return 0;
}

void node_runtime_leave(struct node_runtime *runtime)
{
	drop_lock(runtime, START_LOCK, &runtime->start_fd);
}

int node_runtime_claim(struct node_runtime *runtime, bool wait, char *cause, size_t size)
{
	int fd = take_lock(runtime, NODE_LOCK, wait, cause, size);

	if (fd == EDVSBUSY)
		return node_fail(cause, size, EDVSBUSY, "another node is running in %s", runtime->path);
	if (fd < 0)
		return fd;
	runtime->lock_fd = fd;
	return 0;
}

void node_runtime_close(struct node_runtime *runtime)
{
	/* In this order: who gets the second may become the node. */
	drop_lock(runtime, NODE_LOCK, &runtime->lock_fd);
	node_runtime_leave(runtime);
	node_close(&runtime->directory_fd);
}

/* ---- the socket ---- */

/* Lets the members of a group reach the socket. */
static int admit_group(struct node_runtime *runtime, gid_t group)
{
	struct stat status;

	if (fchownat(runtime->directory_fd, DVK_NODE_SOCKET, (uid_t)-1, group, AT_SYMLINK_NOFOLLOW) < 0 ||
	    fchmodat(runtime->directory_fd, DVK_NODE_SOCKET, 0660, 0) < 0 || fstat(runtime->directory_fd, &status) < 0)
		return -1;
	if (status.st_mode & S_IXOTH || (status.st_gid == group && status.st_mode & S_IXGRP))
		return 0;
	if (fchown(runtime->directory_fd, (uid_t)-1, group) < 0)
		return -1;
	/* To search it, and no more: what the group before might do was not for this one. */
	return fchmod(runtime->directory_fd, (status.st_mode & 07777 & ~(mode_t)S_IRWXG) | S_IXGRP);
}

int node_runtime_listen(struct node_runtime *runtime, gid_t group, char *cause, size_t size)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	char path[PATH_MAX];
	int fd, error;

	if (dvk_runtime_socket(path, sizeof(path)) || strlen(path) >= sizeof(address.sun_path))
		return node_fail(cause, size, EDVSNAMETOOLONG, "the socket's name in %s is too long", runtime->path);
	memcpy(address.sun_path, path, strlen(path));
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return node_fail(cause, size, node_error_of(errno), "cannot make a socket: %s", strerror(errno));
	/* The socket of a node that was killed: the lock says that there is none now. The mode is set
	 * before the name exists, so that nobody can come in through it earlier. */
	if ((unlinkat(runtime->directory_fd, DVK_NODE_SOCKET, 0) < 0 && errno != ENOENT) || fchmod(fd, 0600) < 0 ||
	    bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
		goto fail;
	if ((group != (gid_t)-1 && admit_group(runtime, group)) || listen(fd, NODE_BACKLOG) < 0) {
		error = errno;
		unlinkat(runtime->directory_fd, DVK_NODE_SOCKET, 0);
		errno = error;
		goto fail;
	}
	return fd;
fail:
	error = errno;
	close(fd);
	return node_fail(cause, size, node_error_of(error), "cannot listen on %s: %s", path, strerror(error));
}
