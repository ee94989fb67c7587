/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The socket that clients connect to, by its name in the runtime directory: making it, knowing it again, and asking
 * whether another process listens there. Whoever does that has node.lock; what comes in is node_clients.c's.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "node_internal.h"

/* The sticky bit keeps those who clean up away, also from a socket that they do not know to be in use. */
#define SOCKET_MODE	  (S_ISVTX | 0600)
#define GROUP_SOCKET_MODE (S_ISVTX | 0660)

/* By the directory's name if that is short enough: systemd-tmpfiles leaves alone what /proc/net/unix names so. */
static void get_address(const struct node_runtime *runtime, struct sockaddr_un *address)
{
	char path[PATH_MAX + sizeof("/" DVK_NODE_SOCKET)];
	int length = snprintf(path, sizeof(path), "%s/" DVK_NODE_SOCKET, runtime->path);

	*address = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if ((size_t)length < sizeof(address->sun_path))
		memcpy(address->sun_path, path, (size_t)length);
	else
		snprintf(address->sun_path, sizeof(address->sun_path), "/proc/self/fd/%d/" DVK_NODE_SOCKET,
			 runtime->directory_fd);
}

/* ---- listening ---- */

/* Lets the members of a group reach the socket. */
static int admit_group(struct node_runtime *runtime, gid_t group)
{
	struct stat status;

	if (fchownat(runtime->directory_fd, DVK_NODE_SOCKET, (uid_t)-1, group, AT_SYMLINK_NOFOLLOW) < 0 ||
	    fchmodat(runtime->directory_fd, DVK_NODE_SOCKET, GROUP_SOCKET_MODE, 0) < 0 ||
	    fstat(runtime->directory_fd, &status) < 0)
		return -1;
	if (status.st_mode & S_IXOTH || (status.st_gid == group && status.st_mode & S_IXGRP))
		return 0;
	if (fchown(runtime->directory_fd, (uid_t)-1, group) < 0)
		return -1;
	/* To search it, and no more: what the group before might do was not for this one. */
	return fchmod(runtime->directory_fd, (status.st_mode & 07777 & ~(mode_t)S_IRWXG) | S_IXGRP);
}

int node_socket_listen(struct node_runtime *runtime, gid_t group, char *cause, size_t size)
{
	struct sockaddr_un address;
	struct stat status;
	int fd, error;

	get_address(runtime, &address);
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return node_fail(cause, size, node_error_of(errno), "cannot make a socket: %s", strerror(errno));
	/* The socket of a node that was killed. The mode is set before the name exists, so that nobody can come in
	 * through it earlier. */
	if ((unlinkat(runtime->directory_fd, DVK_NODE_SOCKET, 0) < 0 && errno != ENOENT) ||
	    fchmod(fd, SOCKET_MODE) < 0 || bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
		goto fail;
	if ((group != (gid_t)-1 && admit_group(runtime, group)) || listen(fd, NODE_BACKLOG) < 0 ||
	    fstatat(runtime->directory_fd, DVK_NODE_SOCKET, &status, AT_SYMLINK_NOFOLLOW) < 0) {
		error = errno;
		unlinkat(runtime->directory_fd, DVK_NODE_SOCKET, 0);
		errno = error;
		goto fail;
	}
	runtime->socket_device = status.st_dev;
	runtime->socket_inode = status.st_ino;
	return fd;
fail:
	error = errno;
	close(fd);
	return node_fail(cause, size, node_error_of(error), "cannot listen on %s/" DVK_NODE_SOCKET ": %s",
			 runtime->path, strerror(error));
}

/* Its number is not given to another file as long as the socket is open. */
bool node_socket_is_ours(const struct node_runtime *runtime)
{
	struct stat status;

	return runtime->socket_inode &&
	       !fstatat(runtime->directory_fd, DVK_NODE_SOCKET, &status, AT_SYMLINK_NOFOLLOW) &&
	       status.st_dev == runtime->socket_device && status.st_ino == runtime->socket_inode;
}

void node_socket_unlink(struct node_runtime *runtime)
{
	if (node_socket_is_ours(runtime))
		unlinkat(runtime->directory_fd, DVK_NODE_SOCKET, 0);
	runtime->socket_inode = 0;
}

/* ---- others who listen there ---- */

int node_socket_ask(const struct node_runtime *runtime, char *cause, size_t size)
{
	struct sockaddr_un address;
	int rc, fd;

	get_address(runtime, &address);
	rc = node_ask(&address, &fd, cause, size);
	if (rc == EDVSDVSINIT)
		return 0;
	if (rc)
		return rc;
	close(fd);
	return node_fail(cause, size, EDVSBUSY, "another node is running in %s", runtime->path);
}

int node_socket_look(const struct node_runtime *runtime, char *cause, size_t size)
{
	struct sockaddr_un address;
	int fd, error = 0;

	get_address(runtime, &address);
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return node_fail(cause, size, node_error_of(errno), "cannot make a socket: %s", strerror(errno));
	if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
		error = errno;
	close(fd);
	if (error == ENOENT || error == ECONNREFUSED)
		return 0;
	return node_fail(cause, size, EDVSBUSY, "another process listens on %s/" DVK_NODE_SOCKET, runtime->path);
}
