/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Opening and closing a group, and the hand-over of views; see group.h. What a service says is its engine's business.
 */
#include "group.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "group_internal.h"

#define STOP_LIMIT_MS 500 /* for the thread to end */

static void group_free(struct group *group)
{
	const int fds[] = { group->fresh_fd, group->stop_fd, group->ended_fd };

	for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++)
		if (fds[i] >= 0)
			(void)close(fds[i]);
	(void)pthread_mutex_destroy(&group->lock);
	free(group);
}

static void group_release(struct group *group)
{
	if (atomic_fetch_sub_explicit(&group->holders, 1, memory_order_acq_rel) == 1)
		group_free(group);
}

static void raise_event(int fd)
{
	const uint64_t one = 1;

	/* It fails only where it has been raised 2^64 times, or not at all. */
	if (write(fd, &one, sizeof(one)) != (ssize_t)sizeof(one))
		assert(errno == EAGAIN);
}

void group_ended(struct group *group)
{
	raise_event(group->ended_fd);
	group_release(group);
}

void group_publish(struct group *group, const struct group_view *view)
{
	(void)pthread_mutex_lock(&group->lock);
	group->view = *view;
	group->fresh = true;
	(void)pthread_mutex_unlock(&group->lock);
	raise_event(group->fresh_fd);
}

bool group_stopping(const struct group *group, int ms)
{
	struct pollfd stop = { .fd = group->stop_fd, .events = POLLIN };

	/* All signals are blocked in the thread: it is not interrupted. */
	return poll(&stop, 1, ms) != 0;
}

/* The thread, with all signals blocked: they are the loop's. 0 or a positive errno. */
static int start_thread(struct group *group)
{
	sigset_t all, before;
	int error;

	(void)sigfillset(&all);
	error = pthread_sigmask(SIG_BLOCK, &all, &before);
	if (error)
		return error;
	atomic_store_explicit(&group->holders, 2, memory_order_relaxed); /* ordered by the thread's creation */
	error = pthread_create(&group->thread, NULL, group_corosync, group);
	if (error)
		atomic_store_explicit(&group->holders, 1, memory_order_relaxed);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	return error;
}

/* Opens what a thread needs. 0 or -errno. */
static int open_events(struct group *group)
{
	int *const fds[] = { &group->fresh_fd, &group->stop_fd, &group->ended_fd };

	for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++) {
		*fds[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		if (*fds[i] < 0)
			return -errno;
	}
	return 0;
}

static int start_corosync(struct group *group, const char *set, struct diagnostic *diagnostic)
{
	int length = snprintf(group->name, sizeof(group->name), "rdisk:%s", set);
	int error;

	if (length < 0 || (size_t)length >= sizeof(group->name))
		return diagnostic_set(
			diagnostic, "the name of the set %s is too long for a group of corosync, %d characters at most",
			set, GROUP_NAME_SIZE - (int)strlen("rdisk:"));
	error = open_events(group);
	if (error)
		return diagnostic_set(diagnostic, "cannot wait for corosync: %s", strerror(-error));
	error = start_thread(group);
	if (error)
		return diagnostic_set(diagnostic, "cannot start a thread for corosync: %s", strerror(error));
	return 0;
}

int group_open(struct group **result, enum group_kind kind, const char *set, const uint32_t nodes[], int members,
	       int self, struct diagnostic *diagnostic)
{
	struct group *group = calloc(1, sizeof(*group));
	int error;

	assert(members >= 1 && members <= MEMBERS_MAX && self >= 0 && self < members);
	if (!group)
		return diagnostic_set(diagnostic, "no memory for the group of the set %s", set);
	error = pthread_mutex_init(&group->lock, NULL);
	if (error) {
		free(group);
		return diagnostic_set(diagnostic, "cannot make a lock for the group of the set %s: %s", set,
				      strerror(error));
	}
	group->kind = kind;
	group->fresh_fd = -1;
	group->stop_fd = -1;
	group->ended_fd = -1;
	group->members = members;
	group->self = self;
	memcpy(group->nodes, nodes, (size_t)members * sizeof(nodes[0]));
	atomic_init(&group->holders, 1);
	if (kind == GROUP_COROSYNC && start_corosync(group, set, diagnostic)) {
		group_free(group);
		return -1;
	}
	*result = group;
	return 0;
}

int group_descriptor(const struct group *group)
{
	return group->fresh_fd;
}

bool group_take(struct group *group, struct group_view *view)
{
	uint64_t count;
	bool fresh;

	if (group->fresh_fd < 0)
		return false;
	/* Before the view: one that comes in between raises the event again. */
	if (read(group->fresh_fd, &count, sizeof(count)) < 0)
		assert(errno == EAGAIN);
	(void)pthread_mutex_lock(&group->lock);
	fresh = group->fresh;
	group->fresh = false;
	*view = group->view;
	(void)pthread_mutex_unlock(&group->lock);
	return fresh;
}

static int64_t now_ms(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Whether the thread has ended, within the limit. Signals that come again and again do not make that longer. */
static bool await_end(const struct group *group)
{
	struct pollfd ended = { .fd = group->ended_fd, .events = POLLIN };
	int64_t end = now_ms() + STOP_LIMIT_MS, left = STOP_LIMIT_MS;

	while (left > 0 && poll(&ended, 1, (int)left) < 0 && errno == EINTR)
		left = end - now_ms();
	return ended.revents != 0;
}

void group_close(struct group *group)
{
	if (!group)
		return;
	if (group->fresh_fd >= 0) {
		raise_event(group->stop_fd);
		/* A library that waits for a daemon that hangs cannot be called back: its thread ends when it can. */
		if (await_end(group))
			(void)pthread_join(group->thread, NULL);
		else
			(void)pthread_detach(group->thread);
	}
	group_release(group);
}
