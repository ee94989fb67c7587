/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Clients: connections, and how they begin and end. What they send is node_receive.c's business,
 * what they are sent node_send.c's.
 *
 * A client may be hostile. Nothing here waits for it, the memory and the descriptors
 * that it can make the node hold are bounded, and whatever it does ends its own connection at worst.
 *
 * A client that is found dead, or cut off, is only marked (doomed) by whoever finds it:
 * tables are never changed under somebody who walks them. node_clients_reap() does the rest after each event.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "node_internal.h"

/* Not in every libc's headers yet. */
#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77
#endif

/* Requests still taken from a process that has ended; more than a client that waits for answers can leave. */
#define LAST_REQUESTS	64

/* Ends taken from epoll at one time. */
#define DEATHS		64

#define ACCEPT_PAUSE_NS 1000000000LL

/* ---- making ---- */

static struct node_client *client_create(struct dvk_node *node)
{
	struct node_client *client = calloc(1, sizeof(*client));

	if (!client)
		return NULL;
	client->fd = -1;
	client->pidfd = -1;
	client->leftover_fd = -1;
	client->endpoint = NONE;
	client->watch = (struct node_watch){ NODE_WATCH_SOCKET, client };
	STAILQ_INIT(&client->queue);
	TAILQ_INSERT_TAIL(&node->clients, client, link);
	return client;
}

/* Takes a client that has no connection and that nobody knows yet back. */
static void client_destroy(struct dvk_node *node, struct node_client *client)
{
	TAILQ_REMOVE(&node->clients, client, link);
	node_close(&client->pidfd);
	free(client);
}

/* Descriptor for the end of whoever connected fd, or -errno. */
static int watch_peer(int fd, pid_t pid)
{
	int pidfd;
	socklen_t size = sizeof(pidfd);

	/* Exact even when the number has been given to another process meanwhile; Linux 6.5. */
	if (!getsockopt(fd, SOL_SOCKET, SO_PEERPIDFD, &pidfd, &size))
		return pidfd;
	return errno == ENOPROTOOPT ? node_process_watch(pid) : -errno;
}

/* The process's end, and the connection's, which a process that closes it brings about. */
static int watch_end(struct dvk_node *node, struct node_client *client)
{
	struct epoll_event ended = { .events = EPOLLIN, .data.ptr = client };
	struct epoll_event closed = { .events = EPOLLRDHUP, .data.ptr = client };

	if (epoll_ctl(node->deaths_fd, EPOLL_CTL_ADD, client->pidfd, &ended))
		return -1;
	return client->fd < 0 ? 0 : epoll_ctl(node->deaths_fd, EPOLL_CTL_ADD, client->fd, &closed);
}

/* Stops accepting until a connection ends, or for a while: asking again at once would only spin. */
static void pause_accepting(struct dvk_node *node)
{
	epoll_ctl(node->epoll_fd, EPOLL_CTL_DEL, node->listen_fd, NULL);
	node->accept_again = node_now() + ACCEPT_PAUSE_NS;
}

void node_accept_anew(struct dvk_node *node)
{
	if (node->spare_fd < 0)
		node->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (node->spare_fd < 0 || node_watch_add(node, node->listen_fd, EPOLLIN, &node->listen_watch))
		node->accept_again = node_now() + ACCEPT_PAUSE_NS;
	else
		node->accept_again = INT64_MAX;
}

/* True if a user who is neither root nor the node's own may not have another connection. */
static bool too_many_guests(const struct dvk_node *node, uid_t uid)
{
	const struct node_client *other;
	unsigned int own = 0;

	for (other = TAILQ_FIRST(&node->clients); other; other = TAILQ_NEXT(other, link))
		own += other->guest && other->uid == uid;
	for (other = TAILQ_FIRST(&node->lingering); other; other = TAILQ_NEXT(other, link))
		own += other->guest && other->uid == uid;
	return own >= NODE_GUESTS_PER_USER || node->nr_guests >= NODE_GUESTS_MAX;
}

/* Looks who connected, and begins to serve him. -1: that cannot be. */
static int client_admit(struct dvk_node *node, struct node_client *client)
{
	struct ucred peer;
	socklen_t size = sizeof(peer);
	const int on = 1, room = NODE_GUEST_ROOM;

	if (getsockopt(client->fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) || peer.pid <= 0 ||
	    setsockopt(client->fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)))
		return -1;
	client->pid = peer.pid;
	client->tid = peer.pid;
	client->uid = peer.uid;
	client->access = node_access_of(node, client->fd, peer.uid, peer.gid);
	if (client->access != NODE_ACCESS_FULL) {
		if (too_many_guests(node, client->uid) ||
		    setsockopt(client->fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof(room)))
			return -1;
		client->guest = true;
		node->nr_guests++;
	}
	client->pidfd = watch_peer(client->fd, peer.pid);
	if ((client->pidfd == -EMFILE || client->pidfd == -ENFILE) && node->spare_fd >= 0) {
		/* It was the last descriptor that the connection itself got. */
		node_close(&node->spare_fd);
		pause_accepting(node);
		client->pidfd = watch_peer(client->fd, peer.pid);
	}
	if (client->pidfd < 0) {
		client->pidfd = -1;
		return -1;
	}
	if (watch_end(node, client))
		return -1;
	client->watched = EPOLLIN;
	return node_watch_add(node, client->fd, client->watched, &client->watch);
}

void node_accept(struct dvk_node *node)
{
	for (int i = 0; i < NODE_ACCEPT_BATCH && node->accept_again == INT64_MAX; i++) {
		/* First, since a connection, once accepted, cannot just be closed: see close_socket(). */
		struct node_client *client = client_create(node);
		int error;

		if (client)
			client->fd = accept4(node->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (client && client->fd >= 0) {
			if (client_admit(node, client))
				node_client_doom(node, client, NULL);
			continue;
		}
		error = client ? errno : ENOMEM;
		if (client)
			client_destroy(node, client);
		switch (error) {
		case EAGAIN:
		case EINVAL: /* the node ends and the socket is shut down */
			return;
		case EINTR:
		case ECONNABORTED:
			continue;
		default:
			/* No descriptors or memory: the connection stays in the backlog. */
			node_log_client(node, node->nr_guests > 0, "warning", "cannot accept connections: %s",
					strerror(error));
			pause_accepting(node);
			return;
		}
	}
}

struct node_client *node_accept_question(struct dvk_node *node)
{
	struct node_client *client = client_create(node);
	const int on = 1;
	int error;

	if (!client) {
		errno = ENOMEM;
		return NULL;
	}
	client->asks = true;
	client->fd = accept4(node->runtime.name_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	/* As close_socket() wants it; there is no reason for it to fail. */
	if (client->fd >= 0 && !setsockopt(client->fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)))
		return client;
	error = errno;
	node_close(&client->fd);
	client_destroy(node, client);
	errno = error;
	return NULL;
}

struct node_client *node_client_detached(struct dvk_node *node, pid_t id, int *error)
{
	pid_t process = node_process_of(id);
	struct node_client *client;
	uid_t uid;
	int pidfd;

	*error = EDVSBADPID;
	if (process <= 0)
		return NULL;
	pidfd = node_process_watch(process);
	if (pidfd < 0) {
		if (pidfd != -ESRCH && pidfd != -EINVAL)
			*error = EDVSALLOCMEM;
		return NULL;
	}
	/* Between the two the number may have changed hands. */
	if (node_process_user(id, &uid) || node_process_of(id) != process) {
		close(pidfd);
		return NULL;
	}
	client = client_create(node);
	if (!client) {
		close(pidfd);
		*error = EDVSALLOCMEM;
		return NULL;
	}
	client->pidfd = pidfd;
	client->pid = process;
	client->tid = id;
	client->uid = uid;
	client->access = NODE_ACCESS_FULL;
	if (watch_end(node, client)) {
		client_destroy(node, client);
		*error = EDVSALLOCMEM;
		return NULL;
	}
	return client;
}

/* ---- becoming another ---- */

void node_client_attach(struct dvk_node *node, struct node_client *detached, struct node_client *client)
{
	if (client->uid != detached->uid || client->descriptors) {
		/* Its peers were told another user, or got no bells. */
		node_part_from_peers(node, node_client_dc(node, detached), detached->endpoint, EDVSNOTBIND);
		node_queue_clear(detached);
	}
	client->dcid = detached->dcid;
	client->endpoint = detached->endpoint;
	node_client_binding(node, client)->client = client;
	detached->endpoint = NONE;
	node_client_doom(node, detached, NULL);
}

void node_client_inherit(struct dvk_node *node, struct node_client *detached, struct node_client *client)
{
	STAILQ_CONCAT(&client->queue, &detached->queue);
	client->queued += detached->queued;
	detached->queued = 0;
	if (!client->doomed)
		node_client_writable(node, client);
}

/* ---- ending ---- */

void node_take_deaths(struct dvk_node *node)
{
	struct epoll_event events[DEATHS];
	int count;

	while ((count = epoll_wait(node->deaths_fd, events, DEATHS, 0)) > 0) {
		for (int i = 0; i < count; i++) {
			struct node_client *client = events[i].data.ptr;

			/* What it asked for with its last breath counts: an UNBIND is not a death. */
			for (int j = 0; !client->doomed && client->fd >= 0 && j < LAST_REQUESTS; j++)
				if (node_client_paused(client) || !node_client_read(node, client))
					break;
			node_client_doom(node, client, NULL);
		}
		node_clients_reap(node);
	}
}

void node_client_doom(struct dvk_node *node, struct node_client *client, const char *why)
{
	if (client->doomed)
		return;
	if (why)
		node_log_client(node, client->access != NODE_ACCESS_FULL, "warning",
				"process %d (uid %u) %s: disconnected", (int)client->pid, client->uid, why);
	client->doomed = true;
	STAILQ_INSERT_TAIL(&node->doomed, client, doomed_link);
}

/* Before a descriptor is closed. Closing alone would not do: a helper may still have it, and epoll still report it. */
static void stop_watching(struct dvk_node *node, int fd)
{
	if (fd < 0)
		return;
	epoll_ctl(node->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
	epoll_ctl(node->deaths_fd, EPOLL_CTL_DEL, fd, NULL);
}

/* A socket in which descriptors are left is closed by a helper. */
static void close_socket(struct dvk_node *node, struct node_client *client)
{
	if (client->fd < 0)
		return;
	stop_watching(node, client->fd);
	if (!node_socket_empty(client->fd)) {
		client->leftover_fd = client->fd;
		client->fd = -1;
		node_leftover_close(node, client);
	}
	node_close(&client->fd);
}

/* A client of which nothing is left but the memory. */
static void client_depart(struct dvk_node *node, struct node_client *client)
{
	if (client->guest)
		node->nr_guests--;
	TAILQ_INSERT_TAIL(&node->departed, client, link);
}

static bool is_lingering(const struct node_client *client)
{
	return client->helper || client->leftover_fd >= 0;
}

static void client_drop(struct dvk_node *node, struct node_client *client)
{
	node_wait_drop(node, client);
	if (client->endpoint != NONE)
		node_unbind(node, client, EDVSDSTDIED, 0);
	node_queue_clear(client);
	close_socket(node, client);
	stop_watching(node, client->pidfd);
	node_close(&client->pidfd);
	TAILQ_REMOVE(&node->clients, client, link);
	if (is_lingering(client))
		TAILQ_INSERT_TAIL(&node->lingering, client, link);
	else
		client_depart(node, client);
	if (node->accept_again != INT64_MAX)
		node->accept_again = 0;
}

/* Goes on with those who are gone and whose descriptors are closed, or could not be handed to a helper before. */
static void go_on_closing(struct dvk_node *node)
{
	struct node_client *client, *next;

	for (client = TAILQ_FIRST(&node->lingering); client; client = next) {
		next = TAILQ_NEXT(client, link);
		node_leftover_close(node, client);
		if (is_lingering(client))
			continue;
		TAILQ_REMOVE(&node->lingering, client, link);
		client_depart(node, client);
	}
}

void node_helpers_reap(struct dvk_node *node)
{
	struct node_client *client;

	for (client = TAILQ_FIRST(&node->clients); client; client = TAILQ_NEXT(client, link))
		if (node_helper_ended(client))
			node_client_watch(node, client);
	for (client = TAILQ_FIRST(&node->lingering); client; client = TAILQ_NEXT(client, link))
		node_helper_ended(client);
	go_on_closing(node);
}

void node_clients_retry(struct dvk_node *node)
{
	struct node_client *client;

	node->retry_again = INT64_MAX;
	for (client = TAILQ_FIRST(&node->clients); client; client = TAILQ_NEXT(client, link)) {
		client->postponed = false;
		if (client->stalled && !client->doomed)
			node_client_writable(node, client);
		else
			node_client_watch(node, client);
	}
	go_on_closing(node);
}

void node_clients_reap(struct dvk_node *node)
{
	struct node_client *client;

	while ((client = STAILQ_FIRST(&node->doomed))) {
		STAILQ_REMOVE_HEAD(&node->doomed, doomed_link);
		client_drop(node, client);
	}
}

void node_clients_forget(struct dvk_node *node)
{
	struct node_client *client;

	while ((client = TAILQ_FIRST(&node->departed))) {
		TAILQ_REMOVE(&node->departed, client, link);
		free(client);
	}
}

/* Helpers go on without the node; what none could be started for is closed with the process. */
static void forget_lingering(struct dvk_node *node)
{
	struct node_client *client;

	while ((client = TAILQ_FIRST(&node->lingering))) {
		TAILQ_REMOVE(&node->lingering, client, link);
		client_depart(node, client);
	}
}

void node_clients_close_all(struct dvk_node *node)
{
	struct node_client *client;

	/* First all sockets, then the bells: who is woken finds the node gone. */
	for (client = TAILQ_FIRST(&node->clients); client; client = TAILQ_NEXT(client, link)) {
		if (client->fd >= 0)
			shutdown(client->fd, SHUT_RDWR);
		node_client_doom(node, client, NULL);
	}
	for (client = TAILQ_FIRST(&node->clients); client; client = TAILQ_NEXT(client, link))
		if (client->endpoint != NONE)
			node_page_ring(node_client_binding(node, client)->page);
	node_clients_reap(node);
	forget_lingering(node);
	node_clients_forget(node);
}
