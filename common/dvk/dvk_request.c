// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A request to the node and the wait for its answer, which is bounded: a node that hangs must not hold its processes
 * up. What is asked, and what becomes of the answer, is the business of the callers.
 */
#include <errno.h>
#include <limits.h>
#include <poll.h>

#include "dvk_control.h"
#include "dvk_system.h"

/* How long the node may take to answer after a signal came that does not interrupt the call. */
#define SIGNAL_MS 2000

#define MS_NS	  1000000LL

const struct dvk_patience dvk_short_patience = { false, DVK_NODE_ANSWER_MS, EDVSDVSINIT };

struct dvk_patience dvk_patience_for(int timeout_ms)
{
	return (struct dvk_patience){
		.interruptible = true,
		.limit_ms = timeout_ms < 0			  ? -1
			    : timeout_ms > INT_MAX - DVK_GRACE_MS ? INT_MAX
								  : timeout_ms + DVK_GRACE_MS,
		.at_limit = EDVSTIMEDOUT,
	};
}

/* Milliseconds until deadline, INT64_MAX: -1, for ever. */
static int left_ms(int64_t deadline)
{
	int64_t left;

	if (deadline == INT64_MAX)
		return -1;
	left = deadline - dvk_system_monotonic_ns();
	return left <= 0 ? 0 : (int)((left + MS_NS - 1) / MS_NS);
}

/* Waits for one of the events on the control socket: 0 (there may be one), or the call's result. */
static int await_node(struct dvk_client *client, int events, int64_t *deadline, const struct dvk_patience *patience)
{
	int rc = dvk_system_poll(client->node_fd, events, left_ms(*deadline));

	if (rc > 0)
		return 0;
	if (rc == -EINTR) {
		int64_t soon = dvk_system_monotonic_ns() + SIGNAL_MS * MS_NS;

		if (patience->interruptible)
			return EDVSINTR;
		if (*deadline > soon)
			*deadline = soon;
		return 0;
	}
	if (rc == 0 && patience->at_limit != EDVSDVSINIT)
		return patience->at_limit;
	return dvk_lose_node(client);
}

int dvk_call_node(struct dvk_client *client, struct dvk_node_request *request, int fd,
		  const struct dvk_patience *patience, struct dvk_received *received)
{
	int64_t deadline = INT64_MAX;
	bool sent = false;
	int rc;

	for (int i = 0; i < DVK_WIRE_MAX_FDS; i++)
		received->fds[i] = -1;
	if (client->node_fd < 0 || client->node_lost)
		return EDVSDVSINIT;
	request->magic = DVK_WIRE_MAGIC;
	request->version = DVK_WIRE_VERSION;
	request->serial = ++client->serial;
	if (patience->limit_ms >= 0)
		deadline = dvk_system_monotonic_ns() + patience->limit_ms * MS_NS;
	for (;;) {
		if (!sent) {
			rc = dvk_send_request(client, request, fd);
			/* The caller's descriptor is not open, or of a kind that the kernel sends to nobody. */
			if (fd >= 0 && (rc == -EBADF || rc == -EINVAL))
				return EDVSINVAL;
			if (rc && rc != -EAGAIN && rc != -EINTR)
				return dvk_error_of(rc) == EDVSNOMEM ? EDVSNOMEM : dvk_lose_node(client);
			sent = !rc;
		}
		/* A node that does not listen to us wants us to take what it has sent: answers that we gave up. */
		rc = await_node(client, sent ? POLLIN : POLLIN | POLLOUT, &deadline, patience);
		if (rc)
			return rc;
		rc = dvk_receive_packet(client, received);
		if (rc == -EAGAIN || rc == -EINTR)
			continue;
		if (rc)
			return rc;
		if (sent && received->packet.kind == DVK_PACKET_ANSWER && received->packet.serial == client->serial)
			return received->packet.result;
		rc = dvk_handle_event(client, received);
		if (rc)
			return rc;
	}
}

int dvk_ask_node(struct dvk_client *client, struct dvk_node_request *request, struct dvk_node_packet *answer)
{
	struct dvk_received received;
	int rc = dvk_call_node(client, request, -1, &dvk_short_patience, &received);

	dvk_close_received(&received);
	if (!rc && answer)
		*answer = received.packet;
	return rc;
}
