// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Grants: memory that peers share with us is mapped and unmapped here, and ours is offered to them. What granted
 * memory is used for, and when it may be, is in dvk_copy.c.
 *
 * A grant that is pinned when its peer goes keeps its entry in that peer's table until the last pin is given back. So
 * what may be mapped for one endpoint is bounded, whoever was bound there, and nobody else has less for it.
 */
#include "dvk_control.h"
#include "dvk_system.h"

#ifndef F_SEAL_SHRINK
#define F_SEAL_SHRINK 0x0002
#endif

void dvk_grant_unmap(struct dvk_grant *grant)
{
	size_t length = grant->length;

	grant->length = 0;
	grant->orphaned = false;
	grant->pins = 0;
	if (length)
		dvk_system_unmap(grant->mapping, length);
}

void dvk_grants_unmap(struct dvk_peer *peer)
{
	for (int i = 0; i < DVK_GRANTS_PER_PEER; i++)
		dvk_grant_unmap(&peer->grants[i]);
}

void dvk_grants_drop(struct dvk_peer *peer)
{
	for (int i = 0; i < DVK_GRANTS_PER_PEER; i++) {
		struct dvk_grant *grant = &peer->grants[i];

		if (grant->pins)
			grant->orphaned = true;
		else
			dvk_grant_unmap(grant);
	}
}

void dvk_grant_add(struct dvk_client *client, const struct dvk_received *received)
{
	const struct dvk_node_packet *packet = &received->packet;
	uint64_t end_of_file, end_of_range;
	struct dvk_grant *grant = NULL;
	uint64_t granted = 0;
	struct dvk_peer *peer;
	int64_t size;
	int seals;

	if (!dvk_endpoint_valid(packet->endpoint) || received->fds[0] < 0)
		return;
	peer = &client->peers[dvk_endpoint_slot(packet->endpoint)];
	for (int i = 0; i < DVK_GRANTS_PER_PEER; i++) {
		granted += peer->grants[i].length;
		if (!peer->grants[i].length)
			grant = &peer->grants[i];
	}
	size = dvk_system_file_size(received->fds[0]);
	if (!peer->channel || !grant || size < 0 || !packet->length || packet->length > DVK_GRANT_BYTES_MAX - granted ||
	    __builtin_add_overflow(packet->offset, packet->length, &end_of_file) || end_of_file > (uint64_t)size ||
	    __builtin_add_overflow(packet->base, packet->length, &end_of_range))
		return;
	if (dvk_system_map(received->fds[0], packet->offset, packet->length, 1, &grant->mapping))
		return;
	/* The size was read before the seal: a file that is sealed now was at least that long then and ever since. */
	seals = dvk_system_seals(received->fds[0]);
	grant->sealed =
		seals > 0 && (seals & F_SEAL_SHRINK) && (uint64_t)dvk_system_file_size(received->fds[0]) >= end_of_file;
	grant->base = packet->base;
	grant->length = packet->length;
}

int dvk_client_grant(struct dvk_client *client, int endpoint, int fd, uint64_t offset, void *base, size_t length)
{
	struct dvk_node_request request = { .call = DVK_CALL_GRANT,
					    .endpoint = endpoint,
					    .base = (uintptr_t)base,
					    .length = length,
					    .offset = offset };
	struct dvk_peer *peer;
	struct dvk_received received;
	int rc = dvk_peer_get(client, endpoint, NULL, &peer);

	if (rc)
		return rc;
	if (fd < 0 || !length || ((request.base | length | offset) & (DVK_PAGE_SIZE - 1)))
		return EDVSINVAL;
	rc = dvk_call_node(client, &request, fd, &dvk_short_patience, &received);
	dvk_close_received(&received);
	return rc;
}
