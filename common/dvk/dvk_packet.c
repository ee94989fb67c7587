// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The control socket's datagrams: one request to the node, one packet from it, with the descriptors that travel along.
 * A connection on which something else comes is given up here. Nothing here waits, or knows what a packet is for: that
 * is in dvk_event.c and dvk_request.c.
 */
#include <errno.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "dvk_control.h"
#include "dvk_system.h"

void dvk_close_received(struct dvk_received *received)
{
	for (int i = 0; i < DVK_WIRE_MAX_FDS; i++) {
		if (received->fds[i] >= 0)
			dvk_system_close(received->fds[i]);
		received->fds[i] = -1;
	}
}

int dvk_lose_node(struct dvk_client *client)
{
	client->node_lost = true;
	return EDVSDVSINIT;
}

int dvk_receive_packet(struct dvk_client *client, struct dvk_received *received)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(received->fds))];
	} control;
	struct iovec vector = { &received->packet, sizeof(received->packet) };
	struct msghdr msg = {
		.msg_iov = &vector,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *cmsg;
	long got;

	for (int i = 0; i < DVK_WIRE_MAX_FDS; i++)
		received->fds[i] = -1;
	got = dvk_system_recvmsg(client->node_fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	if (got == -EAGAIN || got == -EINTR)
		return (int)got;
	if (got <= 0)
		return dvk_lose_node(client);
	for (cmsg = CMSG_FIRSTHDR(&msg); cmsg; cmsg = CMSG_NXTHDR(&msg, cmsg)) {
		if (cmsg->cmsg_level != SOL_SOCKET || cmsg->cmsg_type != SCM_RIGHTS)
			continue;
		if (cmsg->cmsg_len > CMSG_LEN(sizeof(received->fds)))
			continue;
		__builtin_memcpy(received->fds, CMSG_DATA(cmsg), cmsg->cmsg_len - CMSG_LEN(0));
	}
	if (got != sizeof(received->packet) || (msg.msg_flags & (MSG_CTRUNC | MSG_TRUNC)) ||
	    received->packet.magic != DVK_WIRE_MAGIC || received->packet.version != DVK_WIRE_VERSION) {
		dvk_close_received(received);
		return dvk_lose_node(client);
	}
	return 0;
}

int dvk_send_request(struct dvk_client *client, const struct dvk_node_request *request, int fd)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	struct iovec vector = { (void *)(uintptr_t)request, sizeof(*request) };
	struct msghdr msg = { .msg_iov = &vector, .msg_iovlen = 1 };
	long sent;

	if (fd >= 0) {
		msg.msg_control = &control;
		msg.msg_controllen = sizeof(control);
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN(sizeof(int));
		__builtin_memcpy(CMSG_DATA(&control.header), &fd, sizeof(fd));
	}
	sent = dvk_system_sendmsg(client->node_fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
	return sent < 0 ? (int)sent : 0;
}
