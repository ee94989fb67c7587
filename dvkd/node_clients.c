/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Clients: connections, what they send, what waits to be sent to them, and how they end.
 * What a request means is node_calls.c's business.
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

/* Connections accepted in one go. */
#define ACCEPT_BATCH	 16
/* Requests still taken from a process that has ended; more than a client that waits for answers can leave. */
#define LAST_REQUESTS	 64

/* Ends taken from epoll at one time. */
#define DEATHS		 64

#define ACCEPT_PAUSE_NS	 1000000000LL

/* Descriptors in one datagram that are received, to be closed again; above that the kernel drops them. */
#define RECEIVED_FDS_MAX 4

/* ---- making ---- */

static struct node_client *client_create(struct dvk_node *node)
{
	struct node_client *client = calloc(1, sizeof(*client));

	if (!client)
		return NULL;
	client->fd = -1;
	client->pidfd = -1;
	client->endpoint = NONE;
	client->watch = (struct node_watch){ NODE_WATCH_SOCKET, client };
	STAILQ_INIT(&client->queue);
	TAILQ_INSERT_TAIL(&node->clients, client, link);
	return client;
}

/* Takes a client that nobody knows yet back. */
static void client_destroy(struct dvk_node *node, struct node_client *client)
{
	TAILQ_REMOVE(&node->clients, client, link);
	node_close(&client->fd);
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

/* Takes over fd. */
static void client_accepted(struct dvk_node *node, int fd)
{
	struct node_client *client;
	struct ucred peer;
	socklen_t size = sizeof(peer);

	client = client_create(node);
	if (!client) {
		close(fd);
		return;
	}
	client->fd = fd;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) || peer.pid <= 0)
		goto fail;
	client->pid = peer.pid;
	client->tid = peer.pid;
	client->uid = peer.uid;
	client->access = node_access_of(node, fd, peer.uid, peer.gid);
	if (client->access != NODE_ACCESS_FULL && node->nr_guests >= NODE_GUESTS_MAX)
		goto fail;
	client->pidfd = watch_peer(fd, peer.pid);
	if ((client->pidfd == -EMFILE || client->pidfd == -ENFILE) && node->spare_fd >= 0) {
		/* It was the last descriptor that the connection itself got. */
		node_close(&node->spare_fd);
		pause_accepting(node);
		client->pidfd = watch_peer(fd, peer.pid);
	}
	if (client->pidfd < 0) {
		client->pidfd = -1;
		goto fail;
	}
	if (watch_end(node, client) || node_watch_add(node, fd, EPOLLIN, &client->watch))
		goto fail;
	if (client->access != NODE_ACCESS_FULL)
		node->nr_guests++;
	return;
fail:
	client_destroy(node, client);
}

void node_accept(struct dvk_node *node)
{
	for (int i = 0; i < ACCEPT_BATCH && node->accept_again == INT64_MAX; i++) {
		int fd = accept4(node->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (fd >= 0) {
			client_accepted(node, fd);
			continue;
		}
		switch (errno) {
		case EAGAIN:
			return;
		case EINTR:
		case ECONNABORTED:
			continue;
		default:
			/* No descriptors or memory: the connection stays in the backlog. */
			node_log("warning", "cannot accept connections: %s", strerror(errno));
			pause_accepting(node);
			return;
		}
	}
}

struct node_client *node_client_detached(struct dvk_node *node, pid_t id, int *error)
{
	pid_t process = node_process_of(id);
	struct node_client *client;
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
	if (node_process_of(id) != process) {
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
	client->access = NODE_ACCESS_FULL;
	if (watch_end(node, client)) {
		client_destroy(node, client);
		*error = EDVSALLOCMEM;
		return NULL;
	}
	return client;
}

/* ---- sending ---- */

/* 0 sent, 1 the socket is full, -1 it cannot be sent to this client. */
static int send_now(int fd, const struct dvk_node_packet *packet, const int *fds, int nr_fds)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int) * DVK_WIRE_MAX_FDS)];
	} control = { 0 };
	struct iovec vector = { (void *)(uintptr_t)packet, sizeof(*packet) };
	struct msghdr msg = { .msg_iov = &vector, .msg_iovlen = 1 };
	ssize_t sent;

	if (nr_fds) {
		msg.msg_control = &control;
		msg.msg_controllen = CMSG_SPACE(sizeof(int) * (size_t)nr_fds);
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN(sizeof(int) * (size_t)nr_fds);
		memcpy(CMSG_DATA(&control.header), fds, sizeof(int) * (size_t)nr_fds);
	}
	do {
		sent = sendmsg(fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
	} while (sent < 0 && errno == EINTR);
	if (sent == (ssize_t)sizeof(*packet))
		return 0;
	return sent < 0 && errno == EAGAIN ? 1 : -1;
}

static void packet_free(struct node_packet *packet)
{
	for (int i = 0; i < packet->nr_fds; i++)
		close(packet->fds[i]);
	node_page_release(packet->page);
	free(packet);
}

/* False: no memory or descriptor for it. */
static bool enqueue(struct node_client *client, const struct dvk_node_packet *wire, const int *fds, int nr_fds,
		    struct node_page *page)
{
	struct node_packet *packet = calloc(1, sizeof(*packet));

	if (!packet)
		return false;
	for (int i = 0; i < nr_fds; i++) {
		packet->fds[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, 0);
		if (packet->fds[i] < 0) {
			packet_free(packet);
			return false;
		}
		packet->nr_fds++;
	}
	packet->wire = *wire;
	packet->page = page;
	if (page)
		page->references++;
	STAILQ_INSERT_TAIL(&client->queue, packet, link);
	client->queued++;
	return true;
}

static void watch_writing(struct dvk_node *node, struct node_client *client, bool wanted)
{
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = &client->watch };

	if (client->fd < 0 || client->wants_write == wanted)
		return;
	client->wants_write = wanted;
	if (wanted)
		event.events |= EPOLLOUT;
	epoll_ctl(node->epoll_fd, EPOLL_CTL_MOD, client->fd, &event);
}

bool node_client_unsend_peer(struct node_client *client, int endpoint)
{
	struct node_packet *packet, *next;
	bool found = false;

	for (packet = STAILQ_FIRST(&client->queue); packet; packet = next) {
		const struct dvk_node_packet *wire = &packet->wire;

		next = STAILQ_NEXT(packet, link);
		if (wire->endpoint != endpoint ||
		    !(wire->kind == DVK_EVENT_PEER || (found && wire->kind == DVK_EVENT_GRANT)))
			continue;
		found = true;
		STAILQ_REMOVE(&client->queue, packet, node_packet, link);
		client->queued--;
		packet_free(packet);
	}
	return found;
}

void node_client_send(struct dvk_node *node, struct node_client *client, const struct dvk_node_packet *packet,
		      const int *fds, int nr_fds, struct node_page *page)
{
	if (client->doomed)
		return;
	if (client->fd >= 0 && STAILQ_EMPTY(&client->queue)) {
		int rc = send_now(client->fd, packet, fds, nr_fds);

		if (rc == 0 && page)
			node_page_ring(page);
		if (rc < 0)
			node_client_doom(node, client, NULL);
		if (rc <= 0)
			return;
	}
	if (client->queued >= NODE_QUEUE_MAX) {
		node_client_doom(node, client, "does not take what it is sent");
		return;
	}
	if (!enqueue(client, packet, fds, nr_fds, page)) {
		node_client_doom(node, client, "has a queue for which there is no memory or descriptor");
		return;
	}
	watch_writing(node, client, true);
}

void node_client_writable(struct dvk_node *node, struct node_client *client)
{
	struct node_packet *packet;
	int rc;

	while (!client->doomed && (packet = STAILQ_FIRST(&client->queue))) {
		rc = send_now(client->fd, &packet->wire, packet->fds, packet->nr_fds);
		if (rc > 0)
			break;
		if (rc < 0) {
			node_client_doom(node, client, NULL);
			return;
		}
		if (packet->page)
			node_page_ring(packet->page);
		STAILQ_REMOVE_HEAD(&client->queue, link);
		client->queued--;
		packet_free(packet);
	}
	watch_writing(node, client, !STAILQ_EMPTY(&client->queue));
}

void node_client_attach(struct dvk_node *node, struct node_client *detached, struct node_client *client)
{
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

/* ---- receiving ---- */

/* Copies the descriptors of a datagram out of its control data; count, at most RECEIVED_FDS_MAX. */
static int take_descriptors(struct msghdr *msg, int *fds)
{
	int count = 0;

	for (struct cmsghdr *header = CMSG_FIRSTHDR(msg); header; header = CMSG_NXTHDR(msg, header)) {
		size_t bytes;

		if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS)
			continue;
		bytes = header->cmsg_len - CMSG_LEN(0);
		for (size_t i = 0; i < bytes / sizeof(int) && count < RECEIVED_FDS_MAX; i++)
			memcpy(&fds[count++], CMSG_DATA(header) + i * sizeof(int), sizeof(int));
	}
	return count;
}

/* What is wrong with a datagram's form, or NULL. */
static const char *form_error(const struct dvk_node_request *request, size_t length, int flags, int nr_fds)
{
	if (length != sizeof(*request) || flags & MSG_TRUNC)
		return "sent a datagram of a wrong size";
	if (request->magic != DVK_WIRE_MAGIC || request->version != DVK_WIRE_VERSION)
		return "speaks another protocol or version";
	if (flags & MSG_CTRUNC || (nr_fds && request->call != DVK_CALL_GRANT))
		return "sent descriptors that no call takes";
	return NULL;
}

/* Takes one request. False: there is none now, or never will be. */
static bool read_one(struct dvk_node *node, struct node_client *client)
{
	struct dvk_node_request request;
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int) * RECEIVED_FDS_MAX)];
	} control;
	struct iovec vector = { &request, sizeof(request) };
	struct msghdr msg = {
		.msg_iov = &vector, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)
	};
	int fds[RECEIVED_FDS_MAX], nr_fds;
	ssize_t length = recvmsg(client->fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	const char *wrong;

	if (length < 0) {
		/* A peer that closed with answers unread leaves ECONNRESET once; what it sent before is still there. */
		if (errno == EINTR || errno == ECONNRESET)
			return true;
		if (errno != EAGAIN)
			node_client_doom(node, client, NULL);
		return false;
	}
	nr_fds = take_descriptors(&msg, fds);
	if (length == 0 && nr_fds == 0) {
		node_client_doom(node, client, NULL);
		return false;
	}
	wrong = form_error(&request, (size_t)length, msg.msg_flags, nr_fds);
	if (wrong)
		node_client_doom(node, client, wrong);
	else
		node_dispatch(node, client, &request, nr_fds == 1 ? fds[0] : -1);
	for (int i = 0; i < nr_fds; i++)
		close(fds[i]);
	return !client->doomed;
}

void node_client_readable(struct dvk_node *node, struct node_client *client)
{
	read_one(node, client);
}

void node_take_deaths(struct dvk_node *node)
{
	struct epoll_event events[DEATHS];
	int count;

	while ((count = epoll_wait(node->deaths_fd, events, DEATHS, 0)) > 0) {
		for (int i = 0; i < count; i++) {
			struct node_client *client = events[i].data.ptr;

			/* What it asked for with its last breath counts: an UNBIND is not a death. */
			for (int j = 0; !client->doomed && client->fd >= 0 && j < LAST_REQUESTS; j++)
				if (!read_one(node, client))
					break;
			node_client_doom(node, client, NULL);
		}
		node_clients_reap(node);
	}
}

/* ---- ending ---- */

void node_client_doom(struct dvk_node *node, struct node_client *client, const char *why)
{
	if (client->doomed)
		return;
	if (why)
		node_log("warning", "process %d (uid %u) %s: disconnected", (int)client->pid, client->uid, why);
	client->doomed = true;
	STAILQ_INSERT_TAIL(&node->doomed, client, doomed_link);
}

static void client_drop(struct dvk_node *node, struct node_client *client)
{
	struct node_packet *packet;

	if (client->fd >= 0 && client->access != NODE_ACCESS_FULL)
		node->nr_guests--;
	node_wait_drop(node, client);
	if (client->endpoint != NONE)
		node_unbind(node, client, EDVSDSTDIED, 0);
	while ((packet = STAILQ_FIRST(&client->queue))) {
		STAILQ_REMOVE_HEAD(&client->queue, link);
		packet_free(packet);
	}
	/* Closing takes them out of epoll's sets: neither was ever duplicated. */
	node_close(&client->fd);
	node_close(&client->pidfd);
	TAILQ_REMOVE(&node->clients, client, link);
	TAILQ_INSERT_TAIL(&node->departed, client, link);
	if (node->accept_again != INT64_MAX)
		node->accept_again = 0;
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

void node_clients_close_all(struct dvk_node *node)
{
	struct node_client *client;

	/* First all sockets, then the bells: who is woken finds the node gone. */
	for (client = TAILQ_FIRST(&node->clients); client; client = TAILQ_NEXT(client, link)) {
		node_close(&client->fd);
		if (!client->doomed)
			node_client_doom(node, client, NULL);
	}
	for (client = TAILQ_FIRST(&node->clients); client; client = TAILQ_NEXT(client, link))
		if (client->endpoint != NONE)
			node_page_ring(node_client_binding(node, client)->page);
	node_clients_reap(node);
	node_clients_forget(node);
}
