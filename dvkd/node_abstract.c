/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The node's name in the kernel: a socket in the abstract namespace, whose name is made from the runtime directory's
 * place. Files can be removed or renamed under a running node, by those who clean up for one; this name lasts for as
 * long as the process that has it, and goes with it.
 *
 *   who starts a node                     node
 *   bind the name: in use
 *   connect, look whose it is ---------->  looks after its files (node_place.c)
 *   read one struct answer    <---------   writes it, closes
 *
 * Anybody on the host can bind such a name, so one that belongs to neither root nor this user counts for nothing: the
 * node does without, as it has its locks. They hold where the name does not, too: it is one of a network namespace.
 *
 * Anybody can connect to it as well, and send descriptors that make whoever closes them wait (node_descriptors.c). So
 * a connection of another user is closed with care on either side, and nothing is ever received from it.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "node_internal.h"

/* How often and how long (ms) to wait for one who has bound the name and does not listen: he is about to, or ending. */
#define BIND_TRIES	200
#define BIND_PAUSE_MS	10

/* Those who start nodes ask one after the other. */
#define BACKLOG		16
#define ACCEPTS_AT_ONCE 16
#define ACCEPT_PAUSE_NS 1000000000LL

#define ANSWER_MAGIC	0x41564444u /* "DDVA" */
#define ANSWER_VERSION	1

struct answer {
	uint32_t magic;
	uint32_t version;
	int32_t code; /* 0: clients find the node; else why not, and cause */
	char cause[DVK_NODE_CAUSE_SIZE];
};

/* ---- the name ---- */

/* FNV-1a */
static uint64_t mix(uint64_t hash, const void *bytes, size_t size)
{
	const unsigned char *byte = bytes;

	for (size_t i = 0; i < size; i++)
		hash = (hash ^ byte[i]) * 0x100000001b3u;
	return hash;
}

static uint64_t mix_file(uint64_t hash, const char *path)
{
	struct stat status = { 0 };

	/* Without /proc all have the same, which is none. */
	if (stat(path, &status))
		return hash;
	hash = mix(hash, &status.st_dev, sizeof(status.st_dev));
	return mix(hash, &status.st_ino, sizeof(status.st_ino));
}

/*
 * From the directory's path, and not from its number: a directory that is made anew, or all those above it, is the same
 * place. One that is reached by the same path among other mounts (a service's own /tmp) or below another root is not.
 */
static socklen_t get_address(const struct node_runtime *runtime, struct sockaddr_un *address)
{
	uint64_t hash = mix(0xcbf29ce484222325u, runtime->path, strlen(runtime->path));
	int length;

	hash = mix_file(hash, "/proc/self/ns/mnt");
	hash = mix_file(hash, "/");
	*address = (struct sockaddr_un){ .sun_family = AF_UNIX };
	/* The first byte stays 0; the name ends where the address does. */
	length = snprintf(address->sun_path + 1, sizeof(address->sun_path) - 1, "dvk-node-%016" PRIx64, hash);
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)length);
}

/* True if the process at the other end was root or this user when it connected or listened. */
static bool is_trusted(int fd, uid_t own, struct ucred *peer)
{
	socklen_t size = sizeof(*peer);

	return !getsockopt(fd, SOL_SOCKET, SO_PEERCRED, peer, &size) && (peer->uid == 0 || peer->uid == own);
}

/* For a process that is about to end or to go on as another: what cannot be closed at once is left to its end. */
static void close_if_empty(int fd)
{
	const int on = 1;

	if (!setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) && node_socket_empty(fd))
		close(fd);
}

/* ---- who starts a node ---- */

static int read_answer(int fd, const struct node_runtime *runtime, pid_t node, char *cause, size_t size)
{
	struct answer answer;
	ssize_t length;

	do {
		length = recv(fd, &answer, sizeof(answer), 0);
	} while (length < 0 && errno == EINTR);
	if (length < 0 && errno == EAGAIN)
		return node_fail(cause, size, EDVSTIMEDOUT, "the node of %s, process %d, does not answer",
				 runtime->path, (int)node);
	if (length <= 0)
		return EDVSDVSINIT;
	if (length != (ssize_t)sizeof(answer) || answer.magic != ANSWER_MAGIC || answer.version != ANSWER_VERSION)
		return node_fail(cause, size, EDVSBADREQUEST,
				 "the node of %s, process %d, speaks another protocol or version", runtime->path,
				 (int)node);
	answer.cause[sizeof(answer.cause) - 1] = '\0';
	if (answer.code)
		return node_fail(cause, size, EDVSBUSY, "the node of %s, process %d, cannot be reached there: %s",
				 runtime->path, (int)node, answer.cause);
	return 0;
}

int node_abstract_ask(const struct node_runtime *runtime, char *cause, size_t size)
{
	struct timeval limit = { .tv_sec = NODE_ANSWER_TIMEOUT_S };
	struct sockaddr_un address;
	socklen_t length = get_address(runtime, &address);
	/* Does not wait to connect: until then nobody can tell whom for. */
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct ucred peer;
	int rc;

	if (fd < 0)
		return node_fail(cause, size, node_error_of(errno), "cannot make a socket: %s", strerror(errno));
	if (connect(fd, (const struct sockaddr *)&address, length) < 0)
		rc = errno == ECONNREFUSED ? EDVSDVSINIT : EDVSACCES;
	else if (!is_trusted(fd, geteuid(), &peer))
		rc = EDVSACCES;
	else if (fcntl(fd, F_SETFL, 0) < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) < 0)
		rc = node_fail(cause, size, node_error_of(errno), "cannot set up a socket: %s", strerror(errno));
	else
		rc = read_answer(fd, runtime, peer.pid, cause, size);
	if (rc == EDVSACCES)
		close_if_empty(fd);
	else
		close(fd);
	return rc;
}

int node_abstract_take(struct node_runtime *runtime, char *cause, size_t size)
{
	struct sockaddr_un address;
	socklen_t length = get_address(runtime, &address);
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int rc = EDVSDVSINIT;

	if (fd < 0)
		return node_fail(cause, size, node_error_of(errno), "cannot make a socket: %s", strerror(errno));
	for (int tries = 0; rc == EDVSDVSINIT && tries < BIND_TRIES; tries++) {
		if (!bind(fd, (const struct sockaddr *)&address, length)) {
			if (listen(fd, BACKLOG) < 0)
				break;
			runtime->name_fd = fd;
			return 0;
		}
		if (errno != EADDRINUSE)
			break;
		rc = node_abstract_ask(runtime, cause, size);
		/* Not once one has ended: the name is free then. Of one who does not listen no event tells. */
		if (rc == EDVSDVSINIT && tries)
			poll(NULL, 0, BIND_PAUSE_MS);
	}
	close(fd);
	if (!rc)
		return node_fail(cause, size, EDVSBUSY, "another node is running in %s", runtime->path);
	if (rc != EDVSDVSINIT && rc != EDVSACCES)
		return rc;
	/* Nobody can hold a node up by that. */
	return 0;
}

/* ---- the node ---- */

/* True while connections of others are still being closed by so many helpers that another one has to wait. */
static bool is_closing_many(const struct dvk_node *node)
{
	const struct node_client *client;
	int count = 0;

	for (client = TAILQ_FIRST(&node->lingering); client; client = TAILQ_NEXT(client, link))
		count += client->asks;
	return count >= ACCEPTS_AT_ONCE;
}

static void answer_one(struct dvk_node *node, int fd)
{
	struct answer answer = { .magic = ANSWER_MAGIC, .version = ANSWER_VERSION };
	struct ucred peer;

	if (!is_trusted(fd, node->uid, &peer))
		return;
	answer.code = node_place_restore(node, answer.cause, sizeof(answer.cause));
	/* It fits into an empty socket; who is gone needs no answer. */
	send(fd, &answer, sizeof(answer), MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void pause_answering(struct dvk_node *node)
{
	epoll_ctl(node->epoll_fd, EPOLL_CTL_DEL, node->runtime.name_fd, NULL);
	node->answer_again = node_now() + ACCEPT_PAUSE_NS;
}

void node_abstract_answer(struct dvk_node *node)
{
	for (int i = 0; i < ACCEPTS_AT_ONCE; i++) {
		struct node_client *client;

		if (is_closing_many(node)) {
			pause_answering(node);
			return;
		}
		client = node_accept_question(node);
		if (client) {
			answer_one(node, client->fd);
			node_client_doom(node, client, NULL);
			node_clients_reap(node);
			continue;
		}
		if (errno == EINTR || errno == ECONNABORTED)
			continue;
		/* For want of descriptors or memory: it waits. */
		if (errno != EAGAIN)
			pause_answering(node);
		return;
	}
}

void node_abstract_watch(struct dvk_node *node)
{
	node->answer_again = INT64_MAX;
	if (node->runtime.name_fd < 0)
		node_log("warning",
			 "cannot have its name in the kernel, which another user may have taken: files that are "
			 "removed from %s while it is stopped do not keep a second node away",
			 node->runtime.path);
	else if (node_watch_add(node, node->runtime.name_fd, EPOLLIN, &node->name_watch))
		node->answer_again = node_now() + ACCEPT_PAUSE_NS;
}

void node_abstract_drop(struct node_runtime *runtime)
{
	int fd;

	if (runtime->name_fd < 0)
		return;
	/* Who asks now finds that nobody listens, and tries to get the name. */
	shutdown(runtime->name_fd, SHUT_RDWR);
	while ((fd = accept4(runtime->name_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)) >= 0)
		close_if_empty(fd);
	node_close(&runtime->name_fd);
}
