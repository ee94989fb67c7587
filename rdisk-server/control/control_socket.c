/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The socket's file: made so that nobody else can open it at any time, and removed only if it is ours.
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "control_internal.h"

#define BACKLOG	    16
#define SOCKET_MODE (S_IRUSR | S_IWUSR)

static int address_of(const char *path, struct sockaddr_un *address, struct diagnostic *diagnostic)
{
	*address = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if (strlen(path) >= sizeof(address->sun_path))
		return diagnostic_set(diagnostic,
				      "control socket %s: the path is longer than %zu bytes: choose a shorter one",
				      path, sizeof(address->sun_path) - 1);
	memcpy(address->sun_path, path, strlen(path));
	return 0;
}

/* Removes a socket at which nobody listens any more. 0: there is none; -1 and *diagnostic. */
static int remove_stale(const char *path, const struct sockaddr_un *address, struct diagnostic *diagnostic)
{
	struct stat status;
	int fd, error = 0;

	if (lstat(path, &status))
		return errno == ENOENT ? 0
				       : diagnostic_set(diagnostic, "cannot look at control socket %s: %s", path,
							strerror(errno));
	if (!S_ISSOCK(status.st_mode))
		return diagnostic_set(
			diagnostic,
			"cannot make control socket %s: there is a file that is no socket; remove it, or set "
			"another path with control = \"PATH\"",
			path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return diagnostic_set(diagnostic, "cannot make a socket: %s", strerror(errno));
	if (connect(fd, (const struct sockaddr *)address, sizeof(*address)))
		error = errno;
	close(fd);
	/* EAGAIN: somebody listens who has not accepted others yet. */
	if (error == 0 || error == EAGAIN)
		return diagnostic_set(diagnostic,
				      "another server listens at control socket %s: end it, or set another path with "
				      "control = \"PATH\"",
				      path);
	if (error != ECONNREFUSED)
		return error == ENOENT ? 0
				       : diagnostic_set(diagnostic,
							"cannot tell whether a server listens at control socket %s: %s",
							path, strerror(error));
	if (unlink(path) && errno != ENOENT)
		return diagnostic_set(diagnostic, "cannot remove the control socket %s of a server that is gone: %s",
				      path, strerror(errno));
	return 0;
}

int control_socket_listen(const char *path, dev_t *device, ino_t *inode, struct diagnostic *diagnostic)
{
	struct sockaddr_un address;
	struct stat status;
	int fd, error;

	if (address_of(path, &address, diagnostic) || remove_stale(path, &address, diagnostic))
		return -1;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return diagnostic_set(diagnostic, "cannot make a socket: %s", strerror(errno));
	/* The mode is set before there is a file, so that nobody comes in earlier. */
	if (fchmod(fd, SOCKET_MODE) || bind(fd, (const struct sockaddr *)&address, sizeof(address)))
		goto fail;
	if (listen(fd, BACKLOG) || lstat(path, &status)) {
		error = errno;
		unlink(path);
		errno = error;
		goto fail;
	}
	*device = status.st_dev;
	*inode = status.st_ino;
	return fd;
fail:
	diagnostic_set(diagnostic, "cannot make control socket %s: %s", path, strerror(errno));
	close(fd);
	return -1;
}

/* The file's number is not given to another one while the socket is open. */
void control_socket_remove(const char *path, dev_t device, ino_t inode)
{
	struct stat status;

	if (!lstat(path, &status) && status.st_dev == device && status.st_ino == inode)
		unlink(path);
}
