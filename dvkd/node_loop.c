/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The node's life: create, the loop over epoll, timers, and the end. An embedded node ends
 * by itself when nobody uses it any more.
 */
#include <errno.h>
#include <grp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "node_internal.h"

#define EVENTS	     64
#define MS_NS	     1000000LL

/* How long to wait before trying again to end, when somebody is just starting or ending a node. */
#define END_PAUSE_NS (100 * MS_NS)

int node_watch_add(struct dvk_node *node, int fd, uint32_t events, struct node_watch *watch)
{
	struct epoll_event event = { .events = events, .data.ptr = watch };

	return epoll_ctl(node->epoll_fd, EPOLL_CTL_ADD, fd, &event);
}

/* ---- creating ---- */

static void raise_descriptor_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		return;
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit))
		node_log("warning", "cannot raise the limit of open files: %s", strerror(errno));
}

static int take_options(struct dvk_node *node, const struct dvk_node_options *options, char *cause, size_t size)
{
	const char *name = options->name ? options->name : "DVS";
	const struct group *group;

	if (options->nodeid < 0 || options->nodeid >= NR_NODES)
		return node_fail(cause, size, EDVSBADNODEID, "node number %d is not in 0 .. %d", options->nodeid,
				 NR_NODES - 1);
	if (!*name || strlen(name) >= sizeof(node->name))
		return node_fail(cause, size, EDVSNAMESIZE, "name \"%s\" must have 1 to %zu characters", name,
				 sizeof(node->name) - 1);
	node->nodeid = options->nodeid;
	memcpy(node->name, name, strlen(name));
	node->uid = geteuid();
	node->gid = getegid();
	node->group = (gid_t)-1;
	if (options->group) {
		errno = 0;
		group = getgrnam(options->group);
		if (!group)
			return node_fail(cause, size, EDVSNOENT, "no group \"%s\": %s", options->group,
					 errno ? strerror(errno) : "not in the group database");
		node->group = group->gr_gid;
	}
	return 0;
}

static int block_signals(struct dvk_node *node, sigset_t *taken)
{
	const struct sigaction child = { .sa_handler = SIG_DFL };
	struct sigaction interrupt;

	sigemptyset(taken);
	sigaddset(taken, SIGTERM);
	/* Ignored, it would not come. */
	sigaddset(taken, SIGCHLD);
	if (sigaction(SIGCHLD, &child, &node->old_child))
		return -1;
	/* An ignored SIGINT stays ignored: an embedded node outlives its terminal's ^C. */
	if (!sigaction(SIGINT, NULL, &interrupt) && interrupt.sa_handler != SIG_IGN)
		sigaddset(taken, SIGINT);
	if (sigprocmask(SIG_BLOCK, taken, &node->old_signals))
		return -1;
	node->signals_blocked = true;
	return 0;
}

static int open_watches(struct dvk_node *node)
{
	sigset_t taken;

	if (block_signals(node, &taken))
		return -1;
	node->signal_fd = signalfd(-1, &taken, SFD_CLOEXEC | SFD_NONBLOCK);
	node->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	node->deaths_fd = epoll_create1(EPOLL_CLOEXEC);
	if (node->signal_fd < 0 || node->epoll_fd < 0 || node->deaths_fd < 0)
		return -1;
	node->signal_watch.kind = NODE_WATCH_SIGNAL;
	node->listen_watch.kind = NODE_WATCH_LISTEN;
	node->starter_watch.kind = NODE_WATCH_STARTER;
	node->name_watch.kind = NODE_WATCH_NAME;
	node->files_watch.kind = NODE_WATCH_FILES;
	node->deaths_watch.kind = NODE_WATCH_DEATHS;
	if (node_watch_add(node, node->deaths_fd, EPOLLIN, &node->deaths_watch))
		return -1;
	return node_watch_add(node, node->signal_fd, EPOLLIN, &node->signal_watch);
}

int node_create_in(struct node_runtime *runtime, const struct dvk_node_options *options, struct dvk_node **result,
		   char *cause, size_t size)
{
	struct dvk_node *node = calloc(1, sizeof(*node));
	int rc;

	if (!node) {
		node_runtime_close(runtime);
		return node_fail(cause, size, EDVSNOMEM, "out of memory");
	}
	node->runtime = *runtime;
	node->epoll_fd = -1;
	node->deaths_fd = -1;
	node->listen_fd = -1;
	node->spare_fd = -1;
	node->signal_fd = -1;
	node->starter_fd = -1;
	node->files_fd = -1;
	node->accept_again = INT64_MAX;
	node->end_again = INT64_MAX;
	node->retry_again = INT64_MAX;
	TAILQ_INIT(&node->clients);
	TAILQ_INIT(&node->lingering);
	TAILQ_INIT(&node->departed);
	TAILQ_INIT(&node->waiting);
	STAILQ_INIT(&node->doomed);
	rc = take_options(node, options, cause, size);
	if (rc)
		goto fail;
	raise_descriptor_limit();
	if (open_watches(node)) {
		rc = node_fail(cause, size, node_error_of(errno), "cannot set up the event loop: %s", strerror(errno));
		goto fail;
	}
	node->listen_fd = node_socket_listen(&node->runtime, node->group, cause, size);
	if (node->listen_fd < 0) {
		rc = node->listen_fd;
		node->listen_fd = -1;
		goto fail;
	}
	node_accept_anew(node);
	if (node->accept_again != INT64_MAX) {
		rc = node_fail(cause, size, node_error_of(errno), "cannot watch the socket: %s", strerror(errno));
		goto fail;
	}
	node_abstract_watch(node);
	node_place_watch(node);
	*result = node;
	return 0;
fail:
	dvk_node_destroy(node);
	return rc;
}

int dvk_node_create(const struct dvk_node_options *options, struct dvk_node **node, char *cause, size_t size)
{
	struct node_runtime runtime;
	int rc = node_runtime_open(&runtime, cause, size);

	if (rc)
		return rc;
	rc = node_runtime_enter(&runtime, true, cause, size);
	if (!rc)
		rc = node_runtime_claim(&runtime, false, cause, size);
	if (rc) {
		node_runtime_close(&runtime);
		return rc;
	}
	rc = node_create_in(&runtime, options, node, cause, size);
	if (rc)
		return rc;
	node_runtime_leave(&(*node)->runtime);
	return 0;
}

/* ---- the loop ---- */

/* True if the lock for starting and ending may be had later. */
static bool is_passing(int error)
{
	return error == EDVSBUSY || error == EDVSNOMEM || error == EDVSMFILE || error == EDVSINTR;
}

/*
 * Ends an embedded node that nobody uses. A starter that has the lock for that is about to
 * connect: then it is too early. Under the lock, whoever is in the backlog is served; who
 * connects later finds no socket, or a connection that is closed at once, and starts anew.
 * Where the lock cannot be had at all, since the directory is gone for one, nobody starts a node either.
 */
static void end_if_unused(struct dvk_node *node)
{
	int rc;

	node->end_again = INT64_MAX;
	if (!node->embedded || node->starter_fd >= 0 || !TAILQ_EMPTY(&node->clients))
		return;
	rc = node_runtime_enter(&node->runtime, false, NULL, 0);
	if (is_passing(rc)) {
		node->end_again = node_now() + END_PAUSE_NS;
		return;
	}
	node_accept(node);
	node_clients_reap(node);
	if (TAILQ_EMPTY(&node->clients))
		node->ending = true; /* the lock is kept to the end */
	else
		node_runtime_leave(&node->runtime);
}

static void take_signal(struct dvk_node *node)
{
	struct signalfd_siginfo info;

	if (read(node->signal_fd, &info, sizeof(info)) != (ssize_t)sizeof(info))
		return;
	if (info.ssi_signo == SIGCHLD) {
		node_helpers_reap(node);
		return;
	}
	node_log("info", "ends: %s", strsignal((int)info.ssi_signo));
	node->ending = true;
}

static void handle(struct dvk_node *node, const struct node_watch *watch, uint32_t events)
{
	switch (watch->kind) {
	case NODE_WATCH_LISTEN:
		node_accept(node);
		return;
	case NODE_WATCH_SIGNAL:
		take_signal(node);
		return;
	case NODE_WATCH_STARTER:
		/* Connections that it has made come first. */
		node_accept(node);
		node_close(&node->starter_fd);
		return;
	case NODE_WATCH_DEATHS:
		node_take_deaths(node);
		return;
	case NODE_WATCH_NAME:
		node_abstract_answer(node);
		return;
	case NODE_WATCH_FILES:
		node_place_changed(node);
		return;
	case NODE_WATCH_SOCKET:
		node_take_deaths(node);
		if (events & EPOLLOUT && !watch->client->doomed)
			node_client_writable(node, watch->client);
		/* Not what was reported before the client was not to be listened to any more. */
		if (events & watch->client->watched & EPOLLIN && !watch->client->doomed)
			node_client_read(node, watch->client);
		return;
	}
}

/* Milliseconds until the next thing is due; -1: never. */
static int time_left(const struct dvk_node *node)
{
	int64_t due = node_wait_next(node);
	int64_t now, left;

	if (node_log_next(node) < due)
		due = node_log_next(node);
	if (node->accept_again < due)
		due = node->accept_again;
	if (node->end_again < due)
		due = node->end_again;
	if (node->retry_again < due)
		due = node->retry_again;
	if (node->look_again < due)
		due = node->look_again;
	if (node->answer_again < due)
		due = node->answer_again;
	if (due == INT64_MAX)
		return -1;
	now = node_now();
	left = due <= now ? 0 : (due - now + MS_NS - 1) / MS_NS;
	return left > INT_MAX ? INT_MAX : (int)left;
}

int dvk_node_run(struct dvk_node *node)
{
	struct epoll_event events[EVENTS];

	end_if_unused(node);
	while (!node->ending) {
		int count = epoll_wait(node->epoll_fd, events, EVENTS, time_left(node));

		if (count < 0 && errno != EINTR) {
			node_log("error", "epoll_wait: %s", strerror(errno));
			return node_error_of(errno);
		}
		for (int i = 0; i < count; i++) {
			handle(node, events[i].data.ptr, events[i].events);
			/* At once, so that what comes later in this batch sees what came before it. */
			node_clients_reap(node);
		}
		node_clients_forget(node);
		node_wait_expire(node, node_now());
		node_log_left_out(node, node_now());
		if (node->retry_again <= node_now())
			node_clients_retry(node);
		node_clients_reap(node);
		if (node->accept_again <= node_now())
			node_accept_anew(node);
		if (node->answer_again <= node_now())
			node_abstract_watch(node);
		end_if_unused(node);
		/* Not before: whoever removes the files of a node that is not needed any more means to. */
		if (!node->ending && node->look_again <= node_now())
			node_place_look(node);
	}
	return 0;
}

/* ---- the end ---- */

void dvk_node_destroy(struct dvk_node *node)
{
	if (!node)
		return;
	/* A starter that holds the lock now will find no node, and wait for node.lock. */
	node_runtime_enter(&node->runtime, false, NULL, 0);
	node_abstract_drop(&node->runtime);
	node_socket_unlink(&node->runtime);
	/*
	 * Those in the backlog come to an end like all others: what they have sent may be odd, too. The kernel keeps
	 * one more than it was told to.
	 */
	if (node->listen_fd >= 0) {
		shutdown(node->listen_fd, SHUT_RDWR);
		node->accept_again = INT64_MAX;
		for (int accepted = 0; accepted < NODE_BACKLOG + 1; accepted += NODE_ACCEPT_BATCH)
			node_accept(node);
	}
	node_close(&node->listen_fd);
	node_clients_close_all(node);
	node_log_end(node);
	if (node->embedded)
		node_runtime_release_log(STDERR_FILENO);
	for (int dcid = 0; dcid < NR_DCS; dcid++)
		free(node->dcs[dcid]);
	node_close(&node->spare_fd);
	node_close(&node->starter_fd);
	node_close(&node->signal_fd);
	node_close(&node->files_fd);
	node_close(&node->deaths_fd);
	node_close(&node->epoll_fd);
	node_runtime_close(&node->runtime);
	if (node->signals_blocked) {
		sigaction(SIGCHLD, &node->old_child, NULL);
		sigprocmask(SIG_SETMASK, &node->old_signals, NULL);
	}
	free(node);
}
