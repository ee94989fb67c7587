/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Requests as they come from a client's socket. What one means is node_calls.c's business.
 *
 * Each datagram is looked at (MSG_PEEK) before it is taken, without its descriptors: those never come into this
 * process but through a helper that knows them to be harmless; see node_descriptors.c. A datagram that has some and
 * should not stays in the socket, which is then closed by a helper.
 */
#include <errno.h>
#include <sys/socket.h>

#include "node_internal.h"

/* A datagram. */
struct arrival {
	struct dvk_node_request request;
	ssize_t length;
	bool too_long;
	bool has_fds; /* none of which was received */
};

/*
 * Receives or looks at the next datagram: 0, or an errno value; ENOTCONN at the end of the connection. Every datagram
 * comes with its sender's credentials (SO_PASSCRED), which tells an empty one from the end; there is room for
 * no more than that, so that descriptors are only reported to be missing.
 */
static int receive(int fd, int flags, struct arrival *arrival)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(struct ucred))];
	} control;
	struct iovec vector = { &arrival->request, sizeof(arrival->request) };
	struct msghdr msg = {
		.msg_iov = &vector, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)
	};

	arrival->length = recvmsg(fd, &msg, flags | MSG_DONTWAIT);
	if (arrival->length < 0)
		return errno;
	arrival->too_long = msg.msg_flags & MSG_TRUNC;
	arrival->has_fds = msg.msg_flags & MSG_CTRUNC;
	return arrival->length || arrival->has_fds || CMSG_FIRSTHDR(&msg) ? 0 : ENOTCONN;
}

/* What is wrong with a datagram's form, or NULL. */
static const char *form_error(const struct arrival *arrival)
{
	const struct dvk_node_request *request = &arrival->request;

	if (arrival->length != sizeof(*request) || arrival->too_long)
		return "sent a datagram of a wrong size";
	if (request->magic != DVK_WIRE_MAGIC || request->version != DVK_WIRE_VERSION)
		return "speaks another protocol or version";
	if (arrival->has_fds && (request->call != DVK_CALL_GRANT || !arrival->length))
		return "sent descriptors that no call takes";
	return NULL;
}

/* A request with descriptors that has been looked at. */
static void take_with_descriptor(struct dvk_node *node, struct node_client *client,
				 const struct dvk_node_request *request)
{
	int descriptor = node_descriptor_take(node, client);

	if (descriptor == NODE_NO_ANSWER)
		return;
	node_dispatch(node, client, request, descriptor);
	if (descriptor >= 0)
		node_close(&descriptor);
	node_client_watch(node, client);
}

bool node_client_read(struct dvk_node *node, struct node_client *client)
{
	struct arrival arrival;
	const char *wrong = NULL;
	int error = receive(client->fd, MSG_PEEK, &arrival);

	if (!error)
		wrong = form_error(&arrival);
	/* Nobody else reads there: it is the same datagram once more. */
	if (!error && !arrival.has_fds)
		error = receive(client->fd, 0, &arrival);
	switch (error) {
	case 0:
		break;
	case EINTR:
	case ECONNRESET: /* once, of a peer that closed with answers unread; what it sent before is still there */
		return true;
	case EAGAIN:
		return false;
	default:
		node_client_doom(node, client, NULL);
		return false;
	}
	if (wrong)
		node_client_doom(node, client, wrong);
	else if (arrival.has_fds)
		take_with_descriptor(node, client, &arrival.request);
	else
		node_dispatch(node, client, &arrival.request, -1);
	return !client->doomed && !node_client_paused(client);
}

bool node_socket_empty(int fd)
{
	struct arrival arrival;
	int error;

	/* Nothing comes any more, and the peer sees the end, also if the socket is closed later. */
	shutdown(fd, SHUT_RDWR);
	for (;;) {
		error = receive(fd, MSG_PEEK, &arrival);
		if (error == ECONNRESET || error == EINTR)
			continue;
		if (error)
			return error == EAGAIN || error == ENOTCONN;
		if (arrival.has_fds || receive(fd, 0, &arrival))
			return false;
	}
}
