/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The runtime directory, and the locks and the log in it. The socket is node_socket.c's, and what becomes of all that
 * while the node runs node_place.c's.
 *
 * Two files are locks (flock): node.lock is held by the node for its life, start.lock for the moment in which a node
 * starts or ends: under that one either a node listens, or none does and none is about to. Who has held a lock unlinks
 * the file before he lets it go, so that nothing is left of it. Whoever gets a lock looks therefore whether the file
 * that he locked still has that name.
 *
 * Nobody but the directory's owner and root can make a file there, and nobody else can open those two, so nobody else
 * can hold a node up. The directory itself is not locked: whoever may read it could.
 *
 * A file can be removed by those who clean up. So the node also holds a name that cannot (node_abstract.c), and before
 * it takes the socket's place it asks whether somebody still listens there.
 */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dvk_runtime.h"
#include "node_internal.h"

#define START_LOCK "start.lock"

/*
 * The directory's name from the root, so that it means the same wherever this process goes, and what links above it
 * are made to mean later changes nothing. It need not exist, but for those above it. 0 or an errno value.
 */
static int make_absolute(const char *given, char path[PATH_MAX])
{
	char above[PATH_MAX], last[PATH_MAX], real[PATH_MAX];
	const char *folder, *name;

	if (snprintf(above, sizeof(above), "%s", given) >= (int)sizeof(above) ||
	    snprintf(last, sizeof(last), "%s", given) >= (int)sizeof(last))
		return ENAMETOOLONG;
	folder = dirname(above);
	name = basename(last);
	if (!strcmp(name, "/") || !strcmp(name, ".") || !strcmp(name, ".."))
		return realpath(given, path) ? 0 : errno;
	if (!realpath(folder, real))
		return errno;
	return snprintf(path, PATH_MAX, "%s%s%s", real, real[1] ? "/" : "", name) >= PATH_MAX ? ENAMETOOLONG : 0;
}

int node_runtime_directory(const char *path, char *cause, size_t size)
{
	int fd, rc;

	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		return node_fail(cause, size, node_error_of(errno), "cannot make the runtime directory %s: %s", path,
				 strerror(errno));
	rc = dvk_runtime_check(path);
	if (rc)
		return node_fail(
			cause, size, rc,
			"the runtime directory %s is not to be trusted: it must be a directory that belongs to "
			"root or this user and that others cannot write to",
			path);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return node_fail(cause, size, node_error_of(errno), "cannot open the runtime directory %s: %s", path,
				 strerror(errno));
	return fd;
}

int node_runtime_open(struct node_runtime *runtime, char *cause, size_t size)
{
	char given[PATH_MAX];
	int rc;

	*runtime = (struct node_runtime){ .directory_fd = -1, .start_fd = -1, .lock_fd = -1, .name_fd = -1 };
	rc = dvk_runtime_directory(given, sizeof(given));
	if (rc)
		return node_fail(cause, size, rc, "the runtime directory's name is too long for a socket's address");
	rc = make_absolute(given, runtime->path);
	if (rc)
		return node_fail(cause, size, node_error_of(rc), "cannot make the runtime directory %s: %s", given,
				 strerror(rc));
	rc = node_runtime_directory(runtime->path, cause, size);
	if (rc < 0)
		return rc;
	runtime->directory_fd = rc;
	return 0;
}

/* ---- locks ---- */

/*
 * Asks those who clean up to leave a file alone: the sticky bit, by the XDG Base Directory Specification and
 * systemd-tmpfiles. No more than that, so a file system that does not have the bit is no failure.
 */
static void protect(int fd)
{
	struct stat status;

	if (!fstat(fd, &status) && !(status.st_mode & S_ISVTX))
		fchmod(fd, (status.st_mode & 07777) | S_ISVTX);
}

/* True when others can hold a lock on that file, or when it is none of ours or root's. */
static bool others_can_lock(int fd)
{
	struct stat status;

	return fstat(fd, &status) || !S_ISREG(status.st_mode) || (status.st_uid != 0 && status.st_uid != geteuid()) ||
	       (status.st_mode & (S_IRWXG | S_IRWXO));
}

bool node_runtime_names(const struct node_runtime *runtime, const char *name, int fd)
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
			if (node_runtime_names(runtime, name, fd))
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
	if (*fd >= 0 && node_runtime_names(runtime, name, *fd))
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

int node_runtime_lock(struct node_runtime *runtime, bool wait, char *cause, size_t size)
{
	int fd = take_lock(runtime, NODE_LOCK, wait, cause, size);

	if (fd < 0)
		return fd;
	protect(fd);
	node_close(&runtime->lock_fd);
	runtime->lock_fd = fd;
	return 0;
}

int node_runtime_claim(struct node_runtime *runtime, bool wait, char *cause, size_t size)
{
	int rc = node_abstract_take(runtime, cause, size);

	if (rc)
		return rc;
	rc = node_runtime_lock(runtime, wait, cause, size);
	if (rc == EDVSBUSY)
		return node_fail(cause, size, rc, "another node is running in %s", runtime->path);
	/* One whose lock was removed may still be there, where its name cannot be seen. */
	return rc ? rc : node_socket_ask(runtime, cause, size);
}

void node_runtime_close(struct node_runtime *runtime)
{
	node_abstract_drop(runtime);
	/* In this order: who gets the second may become the node. */
	drop_lock(runtime, NODE_LOCK, &runtime->lock_fd);
	node_runtime_leave(runtime);
	node_close(&runtime->directory_fd);
}

/* ---- the log ---- */

int node_runtime_open_log(const struct node_runtime *runtime)
{
	/* Not to wait for a reader, should it be a pipe. */
	int fd = openat(runtime->directory_fd, NODE_LOG,
			O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
	struct stat status;

	if (fd < 0)
		return -1;
	if (fstat(fd, &status) || !S_ISREG(status.st_mode)) {
		close(fd);
		errno = EINVAL;
		return -1;
	}
	protect(fd);
	return fd;
}

void node_runtime_release_log(int fd)
{
	struct stat status;

	if (!fstat(fd, &status) && S_ISREG(status.st_mode))
		fchmod(fd, status.st_mode & 07777 & ~(mode_t)S_ISVTX);
}
