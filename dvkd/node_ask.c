/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Asking whether a node answers at an address. Waits, so it is for those who start a node; a running one does not call
 * this.
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "node_internal.h"

/* Connects: descriptor, or EDVSDVSINIT when nobody listens, or another EDVS code. */
static int connect_node(const struct sockaddr_un *address, char *cause, size_t size)
{
	struct timeval limit = { .tv_sec = NODE_ANSWER_TIMEOUT_S };
	int fd, error;

	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return node_fail(cause, size, node_error_of(errno), "cannot make a socket: %s", strerror(errno));
	/* For connect() too, which waits while the backlog is full. */
	if (!setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) &&
	    !setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) &&
	    !connect(fd, (const struct sockaddr *)address, sizeof(*address)))
		return fd;
	error = errno;
	close(fd);
	switch (error) {
	case ENOENT:
	case ECONNREFUSED:
	case ECONNRESET:
		return EDVSDVSINIT;
	case EAGAIN:
		return node_fail(cause, size, EDVSTIMEDOUT, "the node at %s does not accept connections",
				 address->sun_path);
	default:
		return node_fail(cause, size, node_error_of(error), "cannot connect to the node at %s: %s",
				 address->sun_path, strerror(error));
	}
}

/* Something that needs no HELLO: a greeted connection could be taken for that of the calling process. */
int node_ask(const struct sockaddr_un *address, int *connection, char *cause, size_t size)
{
	struct dvk_node_request request = {
		.magic = DVK_WIRE_MAGIC, .version = DVK_WIRE_VERSION, .call = DVK_CALL_GET_DVS_INFO, .serial = 1
	};
	struct dvk_node_packet packet;
	int fd = connect_node(address, cause, size);
	ssize_t length;
	int rc;

	if (fd < 0)
		return fd;
	if (send(fd, &request, sizeof(request), MSG_NOSIGNAL) < 0) {
		close(fd);
		return EDVSDVSINIT;
	}
	do {
		length = recv(fd, &packet, sizeof(packet), 0);
	} while (length < 0 && errno == EINTR);
	if (length < 0 && errno == EAGAIN)
		rc = node_fail(cause, size, EDVSTIMEDOUT, "the node at %s does not answer", address->sun_path);
	else if (length <= 0)
		rc = EDVSDVSINIT;
	else if (length != (ssize_t)sizeof(packet) || packet.magic != DVK_WIRE_MAGIC ||
		 packet.version != DVK_WIRE_VERSION)
		rc = node_fail(cause, size, EDVSBADREQUEST, "the node at %s speaks another protocol or version",
			       address->sun_path);
	else if (packet.result < 0)
		rc = node_fail(cause, size, packet.result, "the node at %s refuses this user", address->sun_path);
	else
		rc = 0;
	if (rc)
		close(fd);
	else
		*connection = fd;
	return rc;
}
