/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the node sends to a client: at once, or from a queue when the client, or the kernel, cannot take it yet. Nothing
 * here waits. While anything is queued the client is not listened to, so that its own answers cannot pile up.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "node_internal.h"

/* Until what failed for want of memory is tried again. */
#define RETRY_NS 50000000LL

enum sending {
	SENT,
	SEND_FULL,    /* the client has to read first */
	SEND_STALLED, /* the kernel lacks memory, or this user has too many descriptors under way */
	SEND_NEVER,
};

static enum sending send_now(int fd, const struct dvk_node_packet *packet, const int *fds, int nr_fds)
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
	if (sent >= 0)
		return sent == (ssize_t)sizeof(*packet) ? SENT : SEND_NEVER;
	switch (errno) {
	case EAGAIN:
		return SEND_FULL;
	case ENOMEM:
	case ENOBUFS:
	case ETOOMANYREFS:
		return SEND_STALLED;
	default:
		return SEND_NEVER;
	}
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

bool node_client_paused(const struct node_client *client)
{
	return client->helper || client->postponed;
}

/* Listens to who has taken all it was sent, and whose descriptors are closed: so what one makes the node keep is
 * bounded. */
void node_client_watch(struct dvk_node *node, struct node_client *client)
{
	struct epoll_event event = { .data.ptr = &client->watch };

	if (STAILQ_EMPTY(&client->queue) && !node_client_paused(client))
		event.events = EPOLLIN;
	else if (!STAILQ_EMPTY(&client->queue) && !client->stalled)
		event.events = EPOLLOUT;
	if (client->fd < 0 || client->watched == event.events)
		return;
	client->watched = event.events;
	epoll_ctl(node->epoll_fd, EPOLL_CTL_MOD, client->fd, &event);
}

void node_try_again(struct dvk_node *node)
{
	if (node->retry_again == INT64_MAX)
		node->retry_again = node_now() + RETRY_NS;
}

static void stall(struct dvk_node *node, struct node_client *client)
{
	client->stalled = true;
	node_try_again(node);
}

void node_queue_clear(struct node_client *client)
{
	struct node_packet *packet;

	while ((packet = STAILQ_FIRST(&client->queue))) {
		STAILQ_REMOVE_HEAD(&client->queue, link);
		packet_free(packet);
	}
	client->queued = 0;
}

bool node_client_unsend_peer(struct node_client *client, int endpoint)
{
	struct node_packet *packet, *next;
	bool found = false;

	for (packet = STAILQ_FIRST(&client->queue); packet; packet = next) {
		const struct dvk_node_packet *wire = &packet->wire;

		next = STAILQ_NEXT(packet, link);
		if (wire->endpoint != endpoint || (wire->kind != DVK_EVENT_PEER && wire->kind != DVK_EVENT_GRANT))
			continue;
		if (wire->kind == DVK_EVENT_PEER)
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
		enum sending sending = send_now(client->fd, packet, fds, nr_fds);

		if (sending == SENT && page)
			node_page_ring(page);
		if (sending == SEND_NEVER)
			node_client_doom(node, client, NULL);
		if (sending == SEND_STALLED)
			stall(node, client);
		if (sending == SENT || sending == SEND_NEVER)
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
	node_client_watch(node, client);
}

void node_client_writable(struct dvk_node *node, struct node_client *client)
{
	enum sending sending = SENT;
	struct node_packet *packet;

	client->stalled = false;
	while (!client->doomed && (packet = STAILQ_FIRST(&client->queue))) {
		sending = send_now(client->fd, &packet->wire, packet->fds, packet->nr_fds);
		if (sending != SENT)
			break;
		if (packet->page)
			node_page_ring(packet->page);
		STAILQ_REMOVE_HEAD(&client->queue, link);
		client->queued--;
		packet_free(packet);
	}
	if (sending == SEND_NEVER)
		node_client_doom(node, client, NULL);
	if (sending == SEND_STALLED)
		stall(node, client);
	node_client_watch(node, client);
}
