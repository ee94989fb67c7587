/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The runtime directory: its locks and the socket in it.
 *
 * node.lock is held (flock) by the node for its life. A node that ends unlinks the file while it
 * holds it, so whoever gets a lock looks whether the file that he locked still has that name.
 * The directory itself is locked for the moment in which a node starts or ends: under that lock either
 * a node listens, or none does and none is about to.
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

#define LOCK_FILE "node.lock"

/* Whoever can open the directory for reading can hold its lock, and keep nodes from starting and ending by that. */
static int shut_out_others(const struct node_runtime *runtime)
{
	struct stat status;

	if (fstat(runtime->directory_fd, &status))
		return -1;
	/* Who is neither its owner nor root starts no node there. */
	if (!(status.st_mode & (S_IRGRP | S_IROTH)) || (status.st_uid != geteuid() && geteuid() != 0))
		return 0;
	return fchmod(runtime->directory_fd, status.st_mode & 07777 & ~(mode_t)(S_IRGRP | S_IROTH));
}

int node_runtime_open(struct node_runtime *runtime, char *cause, size_t size)
{
	int rc;

	runtime->directory_fd = -1;
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
	if (shut_out_others(runtime)) {
		rc = node_fail(cause, size, node_error_of(errno),
			       "cannot make the runtime directory %s unreadable for others: %s", runtime->path,
			       strerror(errno));
		node_close(&runtime->directory_fd);
		return rc;
	}
	return 0;
}

int node_runtime_enter(struct node_runtime *runtime, bool wait)
{
	if (!flock(runtime->directory_fd, LOCK_EX | (wait ? 0 : LOCK_NB)))
		return 0;
	return errno == EWOULDBLOCK ? EDVSBUSY : node_error_of(errno);
}

void node_runtime_leave(struct node_runtime *runtime)
{
	flock(runtime->directory_fd, LOCK_UN);
}

/* True when fd is the file that now bears the lock's name. */
static bool lock_is_current(const struct node_runtime *runtime, int fd)
{
	struct stat held, named;

	return !fstat(fd, &held) && !fstatat(runtime->directory_fd, LOCK_FILE, &named, AT_SYMLINK_NOFOLLOW) &&
	       held.st_dev == named.st_dev && held.st_ino == named.st_ino;
}

static int claim_failed(const struct node_runtime *runtime, int error, char *cause, size_t size)
{
	if (error == EWOULDBLOCK)
		return node_fail(cause, size, EDVSBUSY, "another node is running in %s", runtime->path);
	return node_fail(cause, size, node_error_of(error), "cannot lock %s/%s: %s", runtime->path, LOCK_FILE,
			 strerror(error));
}

int node_runtime_claim(struct node_runtime *runtime, bool wait, char *cause, size_t size)
{
	for (;;) {
		int fd = openat(runtime->directory_fd, LOCK_FILE, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
		int error;

		if (fd < 0)
			return claim_failed(runtime, errno, cause, size);
		if (flock(fd, LOCK_EX | (wait ? 0 : LOCK_NB)) < 0) {
			error = errno;
			close(fd);
			return claim_failed(runtime, error, cause, size);
		}
		if (lock_is_current(runtime, fd)) {
			runtime->lock_fd = fd;
			return 0;
		}
		close(fd);
	}
}

void node_runtime_release(struct node_runtime *runtime)
{
	if (runtime->lock_fd < 0)
		return;
	unlinkat(runtime->directory_fd, LOCK_FILE, 0);
	node_close(&runtime->lock_fd);
}

void node_runtime_close(struct node_runtime *runtime)
{
	node_runtime_release(runtime);
	node_close(&runtime->directory_fd);
}

/* Lets the members of a group reach the socket. */
static int admit_group(struct node_runtime *runtime, gid_t group)
{
	struct stat status;

	if (fchownat(runtime->directory_fd, DVK_NODE_SOCKET, (uid_t)-1, group, AT_SYMLINK_NOFOLLOW) < 0 ||
	    fchmodat(runtime->directory_fd, DVK_NODE_SOCKET, 0660, 0) < 0 || fstat(runtime->directory_fd, &status) < 0)
		return -1;
	if (status.st_mode & S_IXOTH)
		return 0;
	if (fchown(runtime->directory_fd, (uid_t)-1, group) < 0)
		return -1;
	return fchmod(runtime->directory_fd, (status.st_mode & 07777 & ~(mode_t)S_IWGRP) | S_IXGRP);
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
