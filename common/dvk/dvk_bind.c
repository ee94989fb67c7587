// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Binding: the client's own endpoint, taken and given back; and what a process may ask of others' bindings: to make
 * and end them, to find them, to wait for them. The table of endpoints is the node's: what is kept here is the
 * client's own place in it. Those bound elsewhere are peers once introduced (dvk_peer.c).
 */
#include "dvk_control.h"
#include "dvk_system.h"

int dvk_binding_adopt(struct dvk_client *client, const struct dvk_received *received)
{
	const struct dvk_node_packet *packet = &received->packet;
	void *page;
	int rc;

	if (client->page || !dvk_endpoint_valid(packet->endpoint))
		return EDVSSLOTUSED;
	rc = dvk_system_map(received->fds[0], 0, DVK_PAGE_SIZE, 1, &page);
	if (rc)
		return EDVSALLOCMEM;
	client->page = page;
	client->dcid = packet->dcid;
	client->endpoint = packet->endpoint;
	client->nr_tasks = packet->nr_tasks;
	client->nr_sysprocs = packet->nr_sysprocs;
	client->unbound_code = 0;
	client->nr_gone_notify = 0;
	client->next = 0;
	/* Events rung before the page was ours were sent before the answer, hence taken. */
	client->bell_seen = 0;
	return 0;
}

void dvk_binding_drop(struct dvk_client *client, int code)
{
	void *page = client->page;

	while (client->nr_active)
		dvk_peer_drop(client, client->active[0], code);
	client->page = NULL;
	client->endpoint = NONE;
	if (page)
		dvk_system_unmap(page, DVK_PAGE_SIZE);
}

int dvk_client_bind(struct dvk_client *client, int type, int dcid, int pid, int endpoint)
{
	struct dvk_node_request request = {
		.call = DVK_CALL_BIND, .dcid = dcid, .endpoint = endpoint, .argument = type, .pid = pid
	};
	struct dvk_received received;
	int rc = dvk_call_node(client, &request, -1, &dvk_short_patience, &received);

	if (!rc && type != LCL_BIND) {
		rc = dvk_binding_adopt(client, &received);
		if (rc)
			dvk_lose_node(client);
	}
	dvk_close_received(&received);
	return rc ? dvk_endpoint_error(rc) : received.packet.endpoint;
}

int dvk_client_unbind(struct dvk_client *client, int dcid, int endpoint, int timeout_ms)
{
	struct dvk_node_request request = {
		.call = DVK_CALL_UNBIND, .dcid = dcid, .endpoint = endpoint, .timeout = timeout_ms
	};
	bool own = client->endpoint != NONE &&
		   (endpoint == SELF || (endpoint == client->endpoint && dcid == client->dcid));
	const struct dvk_patience patience = own ? dvk_short_patience : dvk_patience_for(timeout_ms);
	struct dvk_received received;
	int rc;

	if (own) {
		request.dcid = client->dcid;
		request.endpoint = client->endpoint;
	}
	rc = dvk_call_node(client, &request, -1, &patience, &received);
	dvk_close_received(&received);
	if (!rc && own)
		dvk_binding_drop(client, EDVSNOTBIND);
	return rc;
}

int dvk_client_getep(struct dvk_client *client, int pid)
{
	struct dvk_node_request request = { .call = DVK_CALL_GETEP, .pid = pid };
	struct dvk_node_packet answer;
	int rc = dvk_ask_node(client, &request, &answer);

	return rc ? dvk_endpoint_error(rc) : answer.endpoint;
}

/* 0 and *answered: the endpoint that the node waited for; or an error, which may be the number of a task. */
static int wait_for(struct dvk_client *client, int call, int endpoint, int timeout_ms, int *answered)
{
	struct dvk_node_request request = {
		.call = (uint16_t)call, .dcid = client->dcid, .endpoint = endpoint, .timeout = timeout_ms
	};
	const struct dvk_patience patience = dvk_patience_for(timeout_ms);
	struct dvk_received received;
	int rc = dvk_call_node(client, &request, -1, &patience, &received);

	dvk_close_received(&received);
	if (!rc)
		*answered = received.packet.endpoint;
	return rc;
}

int dvk_client_wait_bind(struct dvk_client *client, int endpoint, int timeout_ms)
{
	int bound, rc;

	if (endpoint == SELF && client->endpoint != NONE)
		return client->endpoint;
	rc = wait_for(client, DVK_CALL_WAIT_BIND, endpoint, timeout_ms, &bound);
	return rc ? rc : bound;
}

int dvk_client_wait_unbind(struct dvk_client *client, int endpoint, int timeout_ms)
{
	int freed;

	return wait_for(client, DVK_CALL_WAIT_UNBIND, endpoint, timeout_ms, &freed);
}
