// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Events: what the node tells without being asked. They are taken from the control socket and handed to the file
 * whose state they change (dvk_bind.c, dvk_peer.c, dvk_grant.c). Waiting for one is not done here, but in
 * dvk_request.c for those that come before an answer and in dvk_wait.c for all others.
 */
#include <errno.h>

#include "dvk_control.h"

int dvk_handle_event(struct dvk_client *client, struct dvk_received *received)
{
	const struct dvk_node_packet *packet = &received->packet;
	int rc = 0;

	switch ((enum dvk_packet_kind)packet->kind) {
	case DVK_EVENT_BOUND:
		rc = dvk_binding_adopt(client, received);
		break;
	case DVK_EVENT_UNBOUND:
		dvk_binding_drop(client, EDVSNOTBIND);
		client->unbound_code = packet->result;
		break;
	case DVK_EVENT_PEER:
		rc = dvk_peer_add(client, received);
		break;
	case DVK_EVENT_PEER_GONE:
		if (dvk_endpoint_valid(packet->endpoint))
			dvk_peer_drop(client, dvk_endpoint_slot(packet->endpoint), packet->result);
		break;
	case DVK_EVENT_GRANT:
		dvk_grant_add(client, received);
		break;
	case DVK_PACKET_ANSWER: /* to a question that we gave up; an introduction counts all the same */
		if (received->fds[0] >= 0 && received->fds[1] >= 0)
			rc = dvk_peer_add(client, received);
		break;
	default:
		rc = -EPROTO;
		break;
	}
	dvk_close_received(received);
	/* The node counts us as introduced, or bound: without the mapping only a new start helps. */
	return rc ? dvk_lose_node(client) : 0;
}

int dvk_take_events(struct dvk_client *client)
{
	struct dvk_received received;
	int rc;

	if (client->node_lost)
		return EDVSDVSINIT;
	if (client->page)
		client->bell_seen = atomic_load_explicit(&client->page->bell, memory_order_acquire) & ~DVK_BELL_SLEEPER;
	for (;;) {
		rc = dvk_receive_packet(client, &received);
		if (rc == -EINTR)
			continue;
		if (rc == -EAGAIN)
			return client->endpoint == NONE ? EDVSNOTBIND : 0;
		if (!rc)
			rc = dvk_handle_event(client, &received);
		if (rc)
			return rc;
	}
}
