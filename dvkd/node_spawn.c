/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dvk_node_ensure(): finds the node that answers, or starts one as a process of its own.
 *
 *   starter                          new node (grandchild)
 *   lock start.lock
 *   ask node.sock, ask the name: nobody
 *   fork, fork  -------------------> own session, own descriptors, shares the starter's lock
 *                                    waits for name and node.lock, listens
 *   read one struct ready  <-------- writes it, leaves start.lock to the starter
 *   connect, ask: an answer          serves
 *   close the pipe    -------------> ends when it has no client from now on
 *   unlock start.lock
 *
 * Twenty starters at once wait for the lock, and all but the first find a node that answers.
 * A starter that dies on the way closes the pipe by that, so the node does not linger.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "dvk_runtime.h"
#include "node_internal.h"

/* How long a node that ends may take to be gone before that counts as broken. */
#define CLAIM_TIMEOUT_S 10

/* What the new node tells its starter; smaller than PIPE_BUF, so written in one piece. */
struct ready {
	int code;
	char cause[DVK_NODE_CAUSE_SIZE];
};

static_assert(sizeof(struct ready) <= PIPE_BUF, "one piece");

/* Asks the node that clients find. 0 and *hold, or as node_ask(). */
static int probe(int *hold, char *cause, size_t size)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	if (dvk_runtime_socket(address.sun_path, sizeof(address.sun_path)))
		return node_fail(cause, size, EDVSNAMETOOLONG,
				 "the runtime directory's name is too long for a socket's address");
	return node_ask(&address, hold, cause, size);
}

/* ---- the new node's side ---- */

static void reset_signals(void)
{
	sigset_t none;

	for (int number = 1; number < NSIG; number++)
		signal(number, SIG_DFL); /* fails for the two that cannot be changed anyway */
	signal(SIGINT, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/* The new node's descriptors beside the standard ones, by number. */
enum { READY_FD = 3, DIRECTORY_FD, INHERITED_FD, FIRST_CLOSED_FD };

/* A copy with a number that no descriptor is to get. */
static int dup_away(int fd)
{
	return fcntl(fd, F_DUPFD_CLOEXEC, FIRST_CLOSED_FD);
}

/* The same for what was just opened, and so may have the number of one that the starter had closed. */
static int away(int fd)
{
	int copy = fd < 0 ? -1 : dup_away(fd);

	node_close(&fd);
	return copy;
}

/*
 * Leaves only the ready pipe, the directory and the starter's lock open: nothing else of the
 * starter's, an image file's lock for one, may live on in the node. The copy of the lock is kept as INHERITED_FD, so
 * that the lock lasts until the node listens, even if the starter dies before.
 */
static int keep_only(int ready_fd, const struct node_runtime *runtime)
{
	int fds[3], null, log;

	fds[0] = dup_away(ready_fd);
	fds[1] = dup_away(runtime->directory_fd);
	fds[2] = dup_away(runtime->start_fd);
	log = away(node_runtime_open_log(runtime));
	null = away(open("/dev/null", O_RDWR | O_CLOEXEC));
	if (fds[0] < 0 || fds[1] < 0 || fds[2] < 0 || null < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0 ||
	    dup2(log < 0 ? null : log, 2) < 0)
		return -1;
	for (int i = 0; i < 3; i++)
		if (dup3(fds[i], READY_FD + i, O_CLOEXEC) < 0)
			return -1;
	return close_range(FIRST_CLOSED_FD, ~0U, 0);
}

/* Becomes the node. 0 and *node, or a code with its cause. */
static int start_embedded(struct node_runtime *runtime, struct dvk_node **node, struct ready *ready)
{
	static const struct dvk_node_options options;
	int rc;

	/* Only a node that ends just now, or one that is dying, holds the lock: who starts one holds
	 * start.lock. If it is held for long after all, the alarm ends this process. */
	alarm(CLAIM_TIMEOUT_S);
	rc = node_runtime_claim(runtime, true, ready->cause, sizeof(ready->cause));
	alarm(0);
	if (rc) {
		node_runtime_close(runtime);
		return rc;
	}
	/* The last node's log; a failure leaves it longer, no more. */
	if (ftruncate(STDERR_FILENO, 0) < 0 && errno != EINVAL)
		node_log("warning", "cannot empty %s: %s", NODE_LOG, strerror(errno));
	return node_create_in(runtime, &options, node, ready->cause, sizeof(ready->cause));
}

/* Ends with the last client from now on. The starter's going away is an event, too: no event mask asks for it. */
static int embed(struct dvk_node *node, struct ready *ready)
{
	node->embedded = true;
	if (node_watch_add(node, READY_FD, 0, &node->starter_watch))
		return node_fail(ready->cause, sizeof(ready->cause), node_error_of(errno), "cannot watch the starter");
	node->starter_fd = READY_FD;
	return 0;
}

static _Noreturn void node_main(struct node_runtime *runtime, int ready_fd)
{
	struct ready ready = { .code = EDVSIO, .cause = "cannot set up the node's descriptors" };
	struct dvk_node *node = NULL;

	setsid();
	reset_signals();
	prctl(PR_SET_NAME, "dvk-node");
	umask(077);
	if (!keep_only(ready_fd, runtime)) {
		ready_fd = READY_FD;
		runtime->directory_fd = DIRECTORY_FD;
		runtime->start_fd = -1; /* the starter's, who gives it back */
		ready.code = start_embedded(runtime, &node, &ready);
	}
	if (node)
		ready.code = embed(node, &ready);
	if (write(ready_fd, &ready, sizeof(ready)) != (ssize_t)sizeof(ready))
		node_log("info", "the starter is gone");
	close(INHERITED_FD);
	if (!ready.code) {
		node_log("info", "started in %s", node->runtime.path);
		/* Only now: the directory's name may be relative. */
		if (chdir("/") < 0)
			node_log("warning", "cannot change to /: %s", strerror(errno));
		dvk_node_run(node);
	}
	dvk_node_destroy(node);
	/* Not exit(): what the starter registered for its end is not ours to run. */
	_exit(ready.code ? 1 : 0);
}

/* ---- the starter's side ---- */

/* Two forks, so that the node is nobody's child: the starter must not have to wait for it. */
static void fork_node(struct node_runtime *runtime, int ready_fd)
{
	struct ready failed = { .code = EDVSNOMEM, .cause = "cannot fork a node" };
	pid_t child = fork();

	if (child > 0) {
		while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
			;
		return;
	}
	if (child == 0) {
		pid_t grandchild = fork();

		if (grandchild == 0)
			node_main(runtime, ready_fd);
		if (grandchild > 0)
			_exit(0);
	}
	/* Shorter than PIPE_BUF into an empty pipe: it fits. */
	if (write(ready_fd, &failed, sizeof(failed)) < 0 && child == 0)
		_exit(1);
	if (child == 0)
		_exit(0);
}

/* Starts a node. The descriptor that keeps it until the caller has connected, or an EDVS code. */
static int start(struct node_runtime *runtime, char *cause, size_t size)
{
	struct ready ready;
	ssize_t length;
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		return node_fail(cause, size, node_error_of(errno), "cannot make a pipe: %s", strerror(errno));
	fork_node(runtime, ends[1]);
	close(ends[1]);
	do {
		length = read(ends[0], &ready, sizeof(ready));
	} while (length < 0 && errno == EINTR);
	if (length == (ssize_t)sizeof(ready) && !ready.code)
		return ends[0];
	close(ends[0]);
	if (length != (ssize_t)sizeof(ready))
		return node_fail(
			cause, size, EDVSBUSY,
			"the new node ended at once: another one holds %s but does not answer, or see " NODE_LOG
			" there",
			runtime->path);
	ready.cause[sizeof(ready.cause) - 1] = '\0';
	return node_fail(cause, size, ready.code, "%s", ready.cause);
}

/* Under start.lock. *keep: as of start(), if this one started the node. */
static int find_or_start(struct node_runtime *runtime, int *keep, int *hold, char *cause, size_t size)
{
	int rc = probe(hold, cause, size);
	int found;

	if (rc != EDVSDVSINIT)
		return rc;
	/* One whose socket was removed makes it anew when it is asked. */
	rc = node_abstract_ask(runtime, cause, size);
	if (rc == EDVSDVSINIT || rc == EDVSACCES) {
		*keep = start(runtime, cause, size);
		rc = *keep < 0 ? *keep : 0;
	}
	/* EDVSBUSY: another starter, whose lock was removed, may have been faster. */
	if (rc && rc != EDVSBUSY)
		return rc;
	found = probe(hold, rc ? NULL : cause, size);
	if (found != EDVSDVSINIT)
		return found && rc ? rc : found;
	return rc ? rc
		  : node_fail(cause, size, EDVSDVSINIT, "the node that was just there is gone; see %s/" NODE_LOG,
			      runtime->path);
}

int dvk_node_ensure(int *hold, char *cause, size_t size)
{
	struct node_runtime runtime;
	int keep = -1;
	int rc;

	*hold = -1;
	/* The usual case, in which a group's member needs no more than the right to connect. */
	rc = dvk_runtime_directory(runtime.path, sizeof(runtime.path));
	if (!rc && !dvk_runtime_check(runtime.path)) {
		rc = probe(hold, cause, size);
		if (rc != EDVSDVSINIT)
			return rc;
	}
	rc = node_runtime_open(&runtime, cause, size);
	if (rc)
		return rc;
	rc = node_runtime_enter(&runtime, true, cause, size);
	if (rc)
		goto out;
	rc = find_or_start(&runtime, &keep, hold, cause, size);
out:
	node_close(&keep);
	node_runtime_close(&runtime);
	return rc;
}
