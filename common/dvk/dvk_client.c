// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A client as a whole: set up, opened and closed. What is done with an open one is elsewhere:
 * binding in dvk_bind.c, peers in dvk_peer.c, messages in dvk_ipc.c, copies in dvk_copy.c.
 */
#include <errno.h>

#include "dvk_control.h"
#include "dvk_system.h"

void dvk_client_init(struct dvk_client *client)
{
	client->node_fd = -1;
	client->endpoint = NONE;
	client->outstanding = NONE;
	client->rescued_slot = -1;
	client->wait_fd = -1;
	client->interrupt_fd = -1;
	client->own_fd = -1;
	for (int slot = 0; slot < NR_SLOTS; slot++) {
		client->peers[slot].ring_fd = -1;
		client->peers[slot].bell_fd = -1;
	}
	dvk_spin_set(&client->spin, DVK_SPIN_DEFAULT_NS, 0);
}

int dvk_client_open(struct dvk_client *client, const char *path)
{
	struct dvk_node_request request = { .call = DVK_CALL_HELLO };
	struct dvk_received received;
	int rc = dvk_system_socket_seqpacket();

	if (rc < 0)
		return dvk_error_of(rc);
	client->node_fd = rc;
	client->node_lost = false;
	rc = dvk_system_connect_unix(client->node_fd, path);
	if (rc) {
		rc = rc == -ENOENT || rc == -ENOTDIR || rc == -EAGAIN ? EDVSDVSINIT : dvk_error_of(rc);
		goto fail;
	}
	rc = dvk_watch(client, client->node_fd, DVK_WATCH_NODE);
	if (rc) {
		rc = dvk_error_of(rc);
		goto fail;
	}
	request.pid = dvk_system_gettid();
	request.argument = client->wait_fd >= 0 ? DVK_HELLO_DESCRIPTORS : 0;
	rc = dvk_call_node(client, &request, -1, &dvk_short_patience, &received);
	if (!rc)
		client->nodeid = received.packet.argument;
	if (!rc && received.packet.endpoint != NONE)
		rc = dvk_binding_adopt(client, &received);
	dvk_close_received(&received);
	if (!rc)
		return 0;
fail:
	dvk_client_close(client);
	return rc;
}

/* -1 in its place before it is closed; see dvk_control.h. */
static void close_node(struct dvk_client *client)
{
	int fd = client->node_fd;

	client->node_fd = -1;
	if (fd >= 0)
		dvk_system_close(fd);
}

void dvk_client_forget(struct dvk_client *client)
{
	const struct dvk_spin spin = client->spin;
	void *page = client->page;

	for (int slot = 0; slot < NR_SLOTS; slot++) {
		dvk_grants_unmap(&client->peers[slot]);
		dvk_peer_unmap(&client->peers[slot]);
	}
	if (page)
		dvk_system_unmap(page, DVK_PAGE_SIZE);
	close_node(client);
	dvk_descriptors_forget(client);
	__builtin_memset(client, 0, sizeof(*client));
	dvk_client_init(client);
	client->spin = spin;
}

void dvk_client_close(struct dvk_client *client)
{
	dvk_binding_drop(client, EDVSNOTBIND);
	/* A child that was forked in whatever way may have the connection open for long. */
	if (client->node_fd >= 0) {
		dvk_system_disconnect(client->node_fd);
		dvk_unwatch(client, client->node_fd);
	}
	close_node(client);
	client->node_lost = false;
	client->outstanding = NONE;
	client->nr_gone_notify = 0;
}
