/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A running node's place: the runtime directory, and lock, socket and log in it. Whatever of them is removed, renamed
 * or replaced, the node makes it anew, as clients know it by its name alone. If it cannot, it says so in its log, and
 * to who starts a node (node_abstract.c); and it tries again.
 *
 * It looks when the directory changes (inotify), when it is asked, and once a minute, since of what happens above the
 * directory nobody tells. So that those who clean up by age find no reason to, it sets the times of its files now and
 * then; the sticky bit, which some of them heed, was set when they were made.
 *
 * A place that another node has taken after all is not taken from it: both serve whom they have, and the place is this
 * one's again when the other has ended.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "node_internal.h"

#define LOOK_PAUSE_NS  (60 * 1000000000LL)

/* The XDG Base Directory Specification has files touched every six hours. */
#define OLD_S	       3600

/* How often to begin anew because something went away meanwhile. */
#define RESTORE_TRIES  5

#define WATCHED_EVENTS (IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_DELETE_SELF | IN_MOVE_SELF | IN_UNMOUNT)

static const char *const watched_names[] = { NODE_LOCK, DVK_NODE_SOCKET, NODE_LOG };

/* ---- looking ---- */

/* Looks at the directory that is open now. Failure leaves the look once a minute. */
static void watch_directory(struct dvk_node *node)
{
	char path[64];

	if (node->files_fd < 0)
		return;
	if (node->files_wd >= 0)
		inotify_rm_watch(node->files_fd, node->files_wd);
	/* By the descriptor: another directory may have the name by now. */
	snprintf(path, sizeof(path), "/proc/self/fd/%d", node->runtime.directory_fd);
	node->files_wd = inotify_add_watch(node->files_fd, path, WATCHED_EVENTS | IN_ONLYDIR);
	if (node->files_wd < 0)
		node_log("warning", "cannot watch the files in %s: %s; looks after them once a minute",
			 node->runtime.path, strerror(errno));
}

void node_place_watch(struct dvk_node *node)
{
	node->files_wd = -1;
	node->files_fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (node->files_fd < 0 || node_watch_add(node, node->files_fd, EPOLLIN, &node->files_watch)) {
		node_log("warning", "cannot watch the files in %s: %s; looks after them once a minute",
			 node->runtime.path, strerror(errno));
		node_close(&node->files_fd);
	}
	watch_directory(node);
	/* What happened until now was not told. */
	node->look_again = 0;
}

static bool is_watched(const struct inotify_event *event)
{
	if (!event->len)
		return !(event->mask & IN_IGNORED);
	for (size_t i = 0; i < sizeof(watched_names) / sizeof(watched_names[0]); i++)
		if (!strcmp(event->name, watched_names[i]))
			return true;
	return false;
}

void node_place_changed(struct dvk_node *node)
{
	_Alignas(struct inotify_event) char events[4096];
	ssize_t length;

	while ((length = read(node->files_fd, events, sizeof(events))) > 0) {
		const struct inotify_event *event;

		for (ssize_t at = 0; at < length; at += (ssize_t)(sizeof(*event) + event->len)) {
			event = (const void *)(events + at);
			if (is_watched(event))
				node->look_again = 0;
		}
	}
}

/* ---- making anew ---- */

/* Goes over to the directory that has the name now, made if there is none. Nothing of ours is left in the other. */
static int restore_directory(struct dvk_node *node, bool *moved, char *cause, size_t size)
{
	struct node_runtime *runtime = &node->runtime;
	struct stat held, named;
	int fd;

	if (!fstat(runtime->directory_fd, &held) && !lstat(runtime->path, &named) && held.st_dev == named.st_dev &&
	    held.st_ino == named.st_ino)
		return 0;
	fd = node_runtime_directory(runtime->path, cause, size);
	if (fd < 0)
		return fd;
	node_socket_unlink(runtime);
	if (runtime->lock_fd >= 0 && node_runtime_names(runtime, NODE_LOCK, runtime->lock_fd))
		unlinkat(runtime->directory_fd, NODE_LOCK, 0);
	close(runtime->directory_fd);
	runtime->directory_fd = fd;
	watch_directory(node);
	*moved = true;
	return 0;
}

/* The log of a node that dvk_node_ensure() started: what it has to say from now on is to be found. */
static void restore_log(struct dvk_node *node)
{
	int fd;

	if (!node->embedded || node_runtime_names(&node->runtime, NODE_LOG, STDERR_FILENO))
		return;
	fd = node_runtime_open_log(&node->runtime);
	if (fd < 0)
		return;
	dup2(fd, STDERR_FILENO);
	close(fd);
	node_log("warning", NODE_LOG " was removed from %s, or renamed; this one is new", node->runtime.path);
}

static int restore_lock(struct node_runtime *runtime, char *cause, size_t size)
{
	int rc;

	if (node_runtime_names(runtime, NODE_LOCK, runtime->lock_fd))
		return 0;
	rc = node_runtime_lock(runtime, false, cause, size);
	if (rc == EDVSBUSY)
		return node_fail(cause, size, rc, "another node, or one that starts, has %s/" NODE_LOCK, runtime->path);
	if (rc)
		return rc;
	node_log("warning", NODE_LOCK " was removed from %s, or replaced; it is there again", runtime->path);
	return 0;
}

/* Whoever has connected to the old socket comes in: what he has sent may be odd, so it cannot just be closed. */
static int accept_the_last(struct dvk_node *node, char *cause, size_t size)
{
	for (int accepted = 0; accepted < NODE_BACKLOG + 1; accepted += NODE_ACCEPT_BATCH)
		node_accept(node);
	if (node->accept_again != INT64_MAX)
		return node_fail(cause, size, EDVSMFILE, "no descriptors or memory for those who wait to connect");
	return 0;
}

static int restore_socket(struct dvk_node *node, char *cause, size_t size)
{
	struct node_runtime *runtime = &node->runtime;
	int rc;

	if (node_socket_is_ours(runtime))
		return 0;
	rc = accept_the_last(node, cause, size);
	if (!rc)
		rc = node_socket_look(runtime, cause, size);
	if (rc)
		return rc;
	rc = node_socket_listen(runtime, node->group, cause, size);
	if (rc < 0)
		return rc;
	epoll_ctl(node->epoll_fd, EPOLL_CTL_DEL, node->listen_fd, NULL);
	close(node->listen_fd);
	node->listen_fd = rc;
	node_accept_anew(node);
	node_log("warning", DVK_NODE_SOCKET " was removed from %s, or replaced; it is there again", runtime->path);
	return 0;
}

static int restore(struct dvk_node *node, char *cause, size_t size)
{
	bool moved = false;
	int rc = restore_directory(node, &moved, cause, size);

	if (rc)
		return rc;
	/* First, as it is told what there is to tell. */
	restore_log(node);
	if (moved)
		node_log("warning", "%s was removed or renamed; goes on in the one that has the name now",
			 node->runtime.path);
	rc = restore_lock(&node->runtime, cause, size);
	return rc ? rc : restore_socket(node, cause, size);
}

/* Says what is wrong once, and when it is not any more. */
static void tell(struct dvk_node *node, int rc, const char *cause)
{
	if (rc && strcmp(cause, node->place_cause))
		node_log("error", "clients do not find this node, process %d, any more: %s", (int)getpid(), cause);
	else if (!rc && *node->place_cause)
		node_log("info", "clients find this node again");
	snprintf(node->place_cause, sizeof(node->place_cause), "%s", rc ? cause : "");
}

int node_place_restore(struct dvk_node *node, char *cause, size_t size)
{
	int rc = EDVSNOENT;

	/* EDVSNOENT: the directory was removed after it was opened, or what is above it is missing. */
	for (int tries = 0; rc == EDVSNOENT && tries < RESTORE_TRIES; tries++)
		rc = restore(node, cause, size);
	tell(node, rc, cause);
	return rc;
}

/* ---- age ---- */

static void touch(struct node_runtime *runtime, const char *name, time_t now)
{
	struct stat status;

	if (!fstatat(runtime->directory_fd, name, &status, AT_SYMLINK_NOFOLLOW) && status.st_mtime + OLD_S <= now)
		utimensat(runtime->directory_fd, name, NULL, AT_SYMLINK_NOFOLLOW);
}

void node_place_look(struct dvk_node *node)
{
	char cause[DVK_NODE_CAUSE_SIZE] = "";

	if (!node_place_restore(node, cause, sizeof(cause)))
		for (size_t i = 0; i < sizeof(watched_names) / sizeof(watched_names[0]); i++)
			touch(&node->runtime, watched_names[i], time(NULL));
	node->look_again = node_now() + LOOK_PAUSE_NS;
}
