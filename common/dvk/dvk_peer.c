// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The table of peers: who is introduced to us, by an event or because we asked for it, and who went. How messages
 * move between peers is in dvk_ipc.c, the memory that they grant in dvk_grant.c.
 *
 * The node is trusted (it runs as the same user or as root), the peers are not: of
 * a channel or a page only the mapping is taken here, nothing is read from it but
 * a notification and a reply that are left when a peer goes.
 */
#include <errno.h>

#include "dvk_control.h"
#include "dvk_system.h"

#define MS_NS 1000000LL

/* Where in received->fds a bell is, or -1: it did not come. */
static int bell_at(const struct dvk_received *received, uint32_t bell)
{
	int at = 2; /* after channel and page */

	if (!(received->packet.bells & bell))
		return -1;
	if (bell == DVK_BELL_OWN && received->packet.bells & DVK_BELL_RING)
		at++;
	return received->fds[at] < 0 ? -1 : at;
}

static int take_fd(struct dvk_received *received, int at)
{
	int fd = at < 0 ? -1 : received->fds[at];

	if (at >= 0)
		received->fds[at] = -1;
	return fd;
}

int dvk_peer_add(struct dvk_client *client, struct dvk_received *received)
{
	const struct dvk_node_packet *packet = &received->packet;
	int ring = bell_at(received, DVK_BELL_RING), own = bell_at(received, DVK_BELL_OWN);
	struct dvk_peer *peer;
	void *channel, *page;
	int rc;

	if (!dvk_endpoint_valid(packet->endpoint) || packet->side < 0 || packet->side > 1)
		return -EINVAL;
	if ((packet->bells & DVK_BELL_RING && ring < 0) || (client->wait_fd >= 0) != (own >= 0))
		return -EPROTO;
	peer = &client->peers[dvk_endpoint_slot(packet->endpoint)];
	if (peer->channel)
		return -EINVAL;
	rc = dvk_system_map(received->fds[0], 0, DVK_PAGE_SIZE, 1, &channel);
	if (rc)
		return rc;
	rc = dvk_system_map(received->fds[1], 0, DVK_PAGE_SIZE, 0, &page);
	if (rc)
		goto fail;
	if (own >= 0)
		rc = dvk_watch(client, received->fds[own], DVK_WATCH_BELL);
	if (rc) {
		dvk_system_unmap(page, DVK_PAGE_SIZE);
		goto fail;
	}
	peer->channel = channel;
	peer->out = &peer->channel->mailbox[packet->side];
	peer->in = &peer->channel->mailbox[!packet->side];
	peer->page = page;
	peer->endpoint = packet->endpoint;
	peer->pid = packet->pid;
	peer->same_user = packet->argument == 1;
	peer->send_sequence = 0;
	peer->want_sequence = 0;
	peer->want_state = DVK_WANT_IDLE;
	/* no sequence that a request has: they are multiples of DVK_STATE_STEP */
	peer->request_sequence = DVK_STATE_MASK;
	peer->notifies = dvk_endpoint_is_system(packet->endpoint, client->nr_tasks, client->nr_sysprocs);
	peer->ring_fd = take_fd(received, ring);
	peer->bell_fd = take_fd(received, own);
	client->active[client->nr_active++] = dvk_endpoint_slot(packet->endpoint);
	atomic_store_explicit(&peer->known, 1 + (peer->incarnation & INT32_MAX), memory_order_relaxed);
	return 0;
fail:
	dvk_system_unmap(channel, DVK_PAGE_SIZE);
	return rc;
}

void dvk_peer_unmap(struct dvk_peer *peer)
{
	void *channel = peer->channel, *page = (void *)peer->page;
	int ring_fd = peer->ring_fd, bell_fd = peer->bell_fd;

	atomic_store_explicit(&peer->known, 0, memory_order_relaxed);
	peer->channel = NULL;
	peer->in = NULL;
	peer->out = NULL;
	peer->page = NULL;
	peer->ring_fd = -1;
	peer->bell_fd = -1;
	if (channel)
		dvk_system_unmap(channel, DVK_PAGE_SIZE);
	if (page)
		dvk_system_unmap(page, DVK_PAGE_SIZE);
	if (ring_fd >= 0)
		dvk_system_close(ring_fd);
	if (bell_fd >= 0)
		dvk_system_close(bell_fd);
}

void dvk_peer_drop(struct dvk_client *client, int slot, int code)
{
	struct dvk_peer *peer = &client->peers[slot];

	if (!peer->channel)
		return;
	if (peer->notifies && atomic_load_explicit(&peer->in->notify, memory_order_acquire) &&
	    client->nr_gone_notify < NR_SLOTS) {
		client->gone_notify[client->nr_gone_notify] = peer->endpoint;
		client->gone_notify_value[client->nr_gone_notify] =
			atomic_load_explicit(&peer->in->notify_value, memory_order_relaxed);
		client->nr_gone_notify++;
	}
	if (atomic_load_explicit(&peer->in->want, memory_order_acquire) == (peer->want_sequence | DVK_WANT_DELIVERED)) {
		dvk_body_read(&client->rescued_reply, peer->in->reply_body);
		client->rescued_reply.m_source = peer->endpoint;
		client->rescued_slot = slot;
	}
	dvk_grants_drop(peer);
	dvk_unwatch(client, peer->bell_fd);
	dvk_peer_unmap(peer);
	peer->gone_code = code;
	peer->incarnation++;
	for (int i = 0; i < client->nr_active; i++) {
		if (client->active[i] == slot) {
			client->active[i] = client->active[--client->nr_active];
			break;
		}
	}
}

int dvk_client_peer_incarnation(const struct dvk_client *client, int endpoint)
{
	uint32_t known;

	if (!dvk_endpoint_valid(endpoint))
		return EDVSNOTBIND;
	known = atomic_load_explicit(&client->peers[dvk_endpoint_slot(endpoint)].known, memory_order_relaxed);
	return known ? (int)(known - 1) : EDVSNOTBIND;
}

int dvk_peer_known(struct dvk_client *client, int endpoint, struct dvk_peer **peer)
{
	int rc = dvk_client_ready(client);

	if (rc)
		return rc;
	if (!dvk_endpoint_valid(endpoint) || endpoint == client->endpoint)
		return EDVSENDPOINT;
	*peer = &client->peers[dvk_endpoint_slot(endpoint)];
	return (*peer)->channel ? 0 : EDVSNOTBIND;
}

/* Asks for an introduction within a call's own time; what it took is taken off. */
static int introduce(struct dvk_client *client, int endpoint, int *timeout_ms)
{
	struct dvk_node_request request = { .call = DVK_CALL_CONNECT, .endpoint = endpoint };
	struct dvk_patience patience = dvk_short_patience;
	int64_t start = dvk_system_monotonic_ns();
	struct dvk_received received;
	int rc;

	if (timeout_ms) {
		patience.interruptible = true;
		/* "no wait" does not mean the node, which answers at once if it answers */
		if (*timeout_ms == 0)
			patience = (struct dvk_patience){ true, DVK_GRACE_MS, EDVSAGAIN };
		else if (*timeout_ms > 0 && *timeout_ms < DVK_NODE_ANSWER_MS)
			patience = (struct dvk_patience){ true, *timeout_ms, EDVSTIMEDOUT };
	}
	rc = dvk_call_node(client, &request, -1, &patience, &received);
	if (!rc && received.fds[0] >= 0 && dvk_peer_add(client, &received))
		rc = dvk_lose_node(client);
	dvk_close_received(&received);
	if (!rc && timeout_ms && *timeout_ms > 0) {
		int64_t took = (dvk_system_monotonic_ns() - start) / MS_NS;

		*timeout_ms = took < *timeout_ms ? *timeout_ms - (int)took : 1;
	}
	return rc;
}

int dvk_peer_get(struct dvk_client *client, int endpoint, int *timeout_ms, struct dvk_peer **peer)
{
	struct dvk_peer *found;
	int rc = dvk_client_ready(client);

	if (rc)
		return rc;
	if (!dvk_endpoint_valid(endpoint) || endpoint == client->endpoint)
		return EDVSENDPOINT;
	if (dvk_events_pending(client)) {
		rc = dvk_take_events(client);
		if (rc)
			return rc;
	}
	found = &client->peers[dvk_endpoint_slot(endpoint)];
	if (!found->channel) {
		rc = introduce(client, endpoint, timeout_ms);
		if (!rc && !found->channel)
			rc = EDVSNOTBIND; /* it went away between the introduction and the answer */
		if (rc)
			return rc;
	}
	*peer = found;
	return 0;
}
