/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Introductions: two endpoints of a DC get a channel and each other's page, grant memory
 * to each other, and learn of each other's end. The node keeps no channel: only the
 * two peers have it.
 */
#include <unistd.h>

#include "node_internal.h"

static bool introduced(const struct node_binding *binding, int endpoint)
{
	int slot = dvk_endpoint_slot(endpoint);

	return binding->introduced[slot / 64] >> (slot % 64) & 1;
}

static void set_introduced(struct node_binding *binding, int endpoint, bool value)
{
	int slot = dvk_endpoint_slot(endpoint);
	uint64_t bit = UINT64_C(1) << (slot % 64);

	binding->granted[slot] = 0;
	if (value)
		binding->introduced[slot / 64] |= bit;
	else
		binding->introduced[slot / 64] &= ~bit;
}

/* The bound peer that a request names, or NULL and *error. */
static struct node_binding *find_peer(struct dvk_node *node, const struct node_client *client, int endpoint, int *error)
{
	struct node_dc *dc;
	struct node_binding *peer;

	*error = EDVSNOTBIND;
	if (client->endpoint == NONE)
		return NULL;
	dc = node_client_dc(node, client);
	*error = EDVSENDPOINT;
	if (endpoint == client->endpoint || !node_dc_has(dc, endpoint))
		return NULL;
	*error = EDVSNOTBIND;
	peer = node_binding_at(dc, endpoint);
	return peer->client ? peer : NULL;
}

/* What both peers are told of each other's users. */
static int same_user(const struct node_client *client, const struct node_client *peer)
{
	return client->uid == peer->uid;
}

/*
 * The descriptors of an introduction: for who asked, in *answer, and for the other, in *event. 0 or an error, and then
 * they are closed.
 */
static int make_introduction(const struct node_binding *own, const struct node_binding *peer,
			     struct node_answer *answer, struct node_answer *event)
{
	int own_ring = -1, own_bell = -1, peer_ring = -1, peer_bell = -1, error = 0;
	int channel = node_memory_create("dvk-channel");

	if (channel < 0)
		return channel;
	if (own->client->descriptors)
		error = node_bell_create(&own_ring, &own_bell);
	if (!error && peer->client->descriptors)
		error = node_bell_create(&peer_ring, &peer_bell);
	node_answer_add(event, channel, false);
	node_answer_add(event, own->page->read_fd, false);
	node_answer_add(answer, channel, true);
	node_answer_add(answer, peer->page->read_fd, false);
	if (own_ring >= 0) {
		node_answer_add(event, own_ring, true);
		event->packet.bells |= DVK_BELL_RING;
	}
	if (peer_ring >= 0) {
		node_answer_add(answer, peer_ring, true);
		answer->packet.bells |= DVK_BELL_RING;
	}
	if (own_bell >= 0) {
		node_answer_add(answer, own_bell, true);
		answer->packet.bells |= DVK_BELL_OWN;
	}
	if (peer_bell >= 0) {
		node_answer_add(event, peer_bell, true);
		event->packet.bells |= DVK_BELL_OWN;
	}
	if (error) {
		answer->packet.bells = 0;
		node_answer_close(event);
		node_answer_close(answer);
	}
	return error;
}

int node_connect(struct dvk_node *node, struct node_client *client, const struct dvk_node_request *request,
		 struct node_answer *answer)
{
	struct node_answer event = { .packet = node_event(node, DVK_EVENT_PEER, 0) };
	struct node_dc *dc;
	struct node_binding *own, *peer;
	int error;

	peer = find_peer(node, client, request->endpoint, &error);
	if (!peer)
		return error;
	dc = node_client_dc(node, client);
	own = node_client_binding(node, client);
	if (!node_dc_is_system(dc, client->endpoint) && !node_dc_is_system(dc, request->endpoint))
		return EDVSTRAPDENIED;
	answer->packet.dcid = client->dcid;
	answer->packet.endpoint = request->endpoint;
	answer->packet.pid = peer->client->pid;
	answer->packet.argument = same_user(client, peer->client);
	if (introduced(own, request->endpoint))
		return 0;

	error = make_introduction(own, peer, answer, &event);
	if (error)
		return error;
	set_introduced(own, request->endpoint, true);
	set_introduced(peer, client->endpoint, true);

	event.packet.dcid = client->dcid;
	event.packet.endpoint = client->endpoint;
	event.packet.pid = client->pid;
	event.packet.side = 1;
	event.packet.argument = same_user(client, peer->client);
	node_client_send(node, peer->client, &event.packet, event.fds, event.nr_fds, peer->page);
	node_answer_close(&event);
	answer->packet.side = 0;
	return 0;
}

static bool page_aligned(uint64_t value)
{
	return value % DVK_PAGE_SIZE == 0;
}

int node_grant(struct dvk_node *node, struct node_client *client, const struct dvk_node_request *request, int fd)
{
	struct node_binding *peer;
	struct dvk_node_packet event;
	uint8_t *granted;
	uint64_t end;
	int error;

	peer = find_peer(node, client, request->endpoint, &error);
	if (!peer)
		return error;
	if (!introduced(peer, client->endpoint))
		return EDVSNOTBIND;
	if (fd < -1)
		return fd;
	/* The last byte's offset in a file is at most INT64_MAX. */
	if (fd < 0 || !request->length || !page_aligned(request->base) || !page_aligned(request->length) ||
	    !page_aligned(request->offset) || __builtin_add_overflow(request->base, request->length, &end) ||
	    __builtin_add_overflow(request->offset, request->length, &end) || end > INT64_MAX)
		return EDVSINVAL;
	granted = &node_client_binding(node, client)->granted[dvk_endpoint_slot(request->endpoint)];
	if (*granted >= DVK_GRANTS_PER_PEER)
		return EDVSRSCBUSY;
	++*granted;
	event = node_event(node, DVK_EVENT_GRANT, 0);
	event.dcid = client->dcid;
	event.endpoint = client->endpoint;
	event.pid = client->pid;
	event.base = request->base;
	event.length = request->length;
	event.offset = request->offset;
	node_client_send(node, peer->client, &event, &fd, 1, peer->page);
	return 0;
}

void node_part_from_peers(struct dvk_node *node, struct node_dc *dc, int endpoint, int result)
{
	struct node_binding *leaving = node_binding_at(dc, endpoint);
	struct dvk_node_packet event = node_event(node, DVK_EVENT_PEER_GONE, result);

	event.dcid = dc->usr.dc_dcid;
	event.endpoint = endpoint;
	event.pid = leaving->client->pid;
	for (int peer = -NR_TASKS; peer < NR_PROCS; peer++) {
		struct node_binding *other = node_binding_at(dc, peer);

		if (!introduced(leaving, peer))
			continue;
		set_introduced(leaving, peer, false);
		set_introduced(other, endpoint, false);
		/* Who has not seen it come need not see it go. */
		if (!node_client_unsend_peer(other->client, endpoint))
			node_client_send(node, other->client, &event, NULL, 0, other->page);
	}
}
