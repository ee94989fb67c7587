/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The calls of dvk_wire.h, one handler each: checks of arguments and rights, then the
 * tables' functions. The order of checks is the original's: what is called, the DC, the
 * endpoint, the rights.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/pidfd.h>

#include "node_internal.h"

static struct dvk_node_packet packet_start(const struct dvk_node *node, enum dvk_packet_kind kind, int result)
{
	struct dvk_node_packet packet;

	/* All of it, padding too: it goes to another process. */
	memset(&packet, 0, sizeof(packet));
	packet.magic = DVK_WIRE_MAGIC;
	packet.version = DVK_WIRE_VERSION;
	packet.kind = (uint16_t)kind;
	packet.result = result;
	packet.argument = node->nodeid;
	return packet;
}

struct dvk_node_packet node_event(const struct dvk_node *node, enum dvk_packet_kind kind, int result)
{
	return packet_start(node, kind, result);
}

void node_answer_late(struct dvk_node *node, struct node_client *client, uint32_t serial, int result, int endpoint)
{
	struct dvk_node_packet packet = packet_start(node, DVK_PACKET_ANSWER, result);

	packet.serial = serial;
	packet.endpoint = endpoint;
	node_client_send(node, client, &packet, NULL, 0, NULL);
}

void node_answer_add(struct node_answer *answer, int fd, bool owned)
{
	answer->fds[answer->nr_fds] = fd;
	answer->owned[answer->nr_fds++] = owned;
}

void node_answer_close(struct node_answer *answer)
{
	for (int i = 0; i < answer->nr_fds; i++)
		if (answer->owned[i])
			node_close(&answer->fds[i]);
	answer->nr_fds = 0;
}

static void send_answer(struct dvk_node *node, struct node_client *client, struct node_answer *answer)
{
	node_client_send(node, client, &answer->packet, answer->fds, answer->nr_fds, NULL);
	node_answer_close(answer);
}

/* Puts a fresh binding's page and numbers into an answer. The page's writable descriptor leaves the node with it. */
static void give_binding(const struct dvk_node *node, const struct node_client *client, struct node_answer *answer)
{
	struct node_page *page = node_client_binding(node, client)->page;

	node_binding_describe(node, client, &answer->packet);
	node_answer_add(answer, page->owner_fd, true);
	page->owner_fd = -1;
}

/* ---- handlers ---- */

struct call {
	struct dvk_node *node;
	struct node_client *client;
	const struct dvk_node_request *request;
	int fd; /* see node_dispatch() */
	struct node_answer answer;
};

/* A process that was bound before it connected. Its number alone could be that of a thread that has ended. */
static struct node_client *find_detached(const struct dvk_node *node, const struct node_client *client)
{
	struct node_client *other;

	for (other = TAILQ_FIRST(&node->clients); other; other = TAILQ_NEXT(other, link))
		if (other->fd < 0 && !other->doomed && other->pid == client->pid &&
		    (other->tid == client->tid || other->tid == client->pid))
			return other;
	return NULL;
}

static int call_hello(struct call *call)
{
	struct node_client *client = call->client;
	struct node_client *detached;
	pid_t tid = call->request->pid;

	if (client->greeted)
		return EDVSINVAL;
	if (tid != 0 && tid != client->pid && !node_process_has_thread(client->pid, tid))
		return EDVSBADPID;
	if (call->request->argument & ~DVK_HELLO_DESCRIPTORS)
		return EDVSINVAL;
	if (call->request->argument && client->access != NODE_ACCESS_FULL)
		return EDVSPERM;
	client->descriptors = call->request->argument & DVK_HELLO_DESCRIPTORS;
	client->greeted = true;
	if (tid)
		client->tid = tid;
	call->answer.packet.endpoint = NONE;
	detached = find_detached(call->node, client);
	if (!detached)
		return 0;
	node_client_attach(call->node, detached, client);
	give_binding(call->node, client, &call->answer);
	send_answer(call->node, client, &call->answer);
	node_client_inherit(call->node, detached, client);
	return NODE_NO_ANSWER;
}

static int call_bind(struct call *call)
{
	struct node_client *bound = NULL;
	int endpoint = node_bind(call->node, call->client, call->request, &bound);

	if (endpoint < EDVSERRCODE)
		return endpoint;
	if (call->request->argument != LCL_BIND) {
		give_binding(call->node, bound, &call->answer);
	} else {
		node_binding_describe(call->node, bound, &call->answer.packet);
		if (bound->fd >= 0) {
			struct node_answer event = { .packet = node_event(call->node, DVK_EVENT_BOUND, 0) };

			give_binding(call->node, bound, &event);
			node_client_send(call->node, bound, &event.packet, event.fds, event.nr_fds,
					 node_client_binding(call->node, bound)->page);
			node_answer_close(&event);
		}
	}
	node_wait_bound(call->node, bound);
	return 0;
}

/* Root, the same user, or the node's: may end that process. */
static bool may_unbind(const struct dvk_node *node, const struct node_client *client, const struct node_client *other)
{
	return client->uid == 0 || (other->fd >= 0 && client->uid == other->uid) || client->uid == node->uid;
}

static int call_unbind(struct call *call)
{
	const struct dvk_node_request *request = call->request;
	struct node_client *client = call->client;
	struct node_client *other;
	struct node_dc *dc;
	int error;

	if (request->endpoint == SELF) {
		if (client->endpoint == NONE)
			return EDVSNOTBIND;
		node_unbind(call->node, client, EDVSNOTBIND, 0);
		return 0;
	}
	dc = node_dc_find(call->node, request->dcid, &error);
	if (!dc)
		return error;
	if (!node_dc_has(dc, request->endpoint))
		return EDVSENDPOINT;
	other = node_binding_at(dc, request->endpoint)->client;
	if (!other)
		return EDVSNOTBIND;
	if (other == client) {
		node_unbind(call->node, client, EDVSNOTBIND, 0);
		return 0;
	}
	/* Another thread of the caller: a signal would end the caller as well. */
	if (other->pid == client->pid) {
		node_unbind(call->node, other, EDVSNOTBIND, EDVSNOTBIND);
		return 0;
	}
	if (!may_unbind(call->node, client, other))
		return EDVSPERM;
	if (request->timeout < TIMEOUT_FOREVER)
		return EDVSINVAL;
	/* ESRCH: it is dead already and the news is on its way. */
	if (pidfd_send_signal(other->pidfd, SIGTERM, NULL, 0) < 0 && errno != ESRCH)
		return EDVSPERM;
	return node_wait_begin(call->node, client, NODE_WAIT_UNBIND, request->dcid, request->endpoint, request);
}

static int call_getep(struct call *call)
{
	return node_find_bound(call->node, call->request->pid, &call->answer.packet.endpoint);
}

static int call_wait_bind(struct call *call)
{
	const struct dvk_node_request *request = call->request;
	struct node_client *client = call->client;
	struct node_dc *dc;

	if (request->endpoint == SELF) {
		call->answer.packet.endpoint = client->endpoint;
		if (client->endpoint != NONE)
			return 0;
		return node_wait_begin(call->node, client, NODE_WAIT_SELF_BOUND, 0, NONE, request);
	}
	if (client->endpoint == NONE)
		return EDVSNOTBIND;
	dc = node_client_dc(call->node, client);
	if (!node_dc_has(dc, request->endpoint))
		return EDVSENDPOINT;
	if (node_binding_at(dc, request->endpoint)->client)
		return 0;
	return node_wait_begin(call->node, client, NODE_WAIT_BOUND, client->dcid, request->endpoint, request);
}

static int call_wait_unbind(struct call *call)
{
	const struct dvk_node_request *request = call->request;
	struct node_client *client = call->client;
	struct node_dc *dc;

	if (client->endpoint == NONE)
		return EDVSNOTBIND;
	dc = node_client_dc(call->node, client);
	/* One's own end cannot be waited for. */
	if (!node_dc_has(dc, request->endpoint) || request->endpoint == client->endpoint)
		return EDVSENDPOINT;
	if (!node_binding_at(dc, request->endpoint)->client)
		return 0;
	return node_wait_begin(call->node, client, NODE_WAIT_FREE, client->dcid, request->endpoint, request);
}

static int call_connect(struct call *call)
{
	return node_connect(call->node, call->client, call->request, &call->answer);
}

static int call_grant(struct call *call)
{
	return node_grant(call->node, call->client, call->request, call->fd);
}

static int call_dc_init(struct call *call)
{
	return node_dc_init(call->node, call->client, &call->request->dc);
}

static int call_dc_end(struct call *call)
{
	int error;

	if (call->client->access != NODE_ACCESS_FULL)
		return EDVSPRIVILEGES;
	if (!node_dc_find(call->node, call->request->dcid, &error))
		return error;
	return node_dc_end(call->node, call->request->dcid);
}

static int call_get_dvs_info(struct call *call)
{
	node_fill_dvs(call->node, &call->answer.packet.dvs);
	return 0;
}

static int call_get_dc_info(struct call *call)
{
	int dcid = call->request->dcid;
	const struct node_dc *dc;
	int error;

	if (dcid == -1) {
		if (call->client->endpoint == NONE)
			return EDVSNOTBIND;
		dcid = call->client->dcid;
	}
	dc = node_dc_find(call->node, dcid, &error);
	if (!dc)
		return error;
	call->answer.packet.dc = dc->usr;
	return 0;
}

static int call_get_proc_info(struct call *call)
{
	struct node_dc *dc;
	int error;

	dc = node_dc_find(call->node, call->request->dcid, &error);
	if (!dc)
		return error;
	if (!node_dc_has(dc, call->request->endpoint))
		return EDVSBADPROC;
	node_fill_proc(call->node, dc, call->request->endpoint, &call->answer.packet.proc);
	return 0;
}

static int (*const handlers[])(struct call *call) = {
	[DVK_CALL_HELLO] = call_hello,
	[DVK_CALL_BIND] = call_bind,
	[DVK_CALL_UNBIND] = call_unbind,
	[DVK_CALL_GETEP] = call_getep,
	[DVK_CALL_WAIT_BIND] = call_wait_bind,
	[DVK_CALL_WAIT_UNBIND] = call_wait_unbind,
	[DVK_CALL_CONNECT] = call_connect,
	[DVK_CALL_GRANT] = call_grant,
	[DVK_CALL_DC_INIT] = call_dc_init,
	[DVK_CALL_DC_END] = call_dc_end,
	[DVK_CALL_GET_DVS_INFO] = call_get_dvs_info,
	[DVK_CALL_GET_DC_INFO] = call_get_dc_info,
	[DVK_CALL_GET_PROC_INFO] = call_get_proc_info,
};

#define NR_HANDLERS (sizeof(handlers) / sizeof(handlers[0]))

/*
 * Before HELLO only this may be asked: it lets a program see whether a node answers without
 * becoming a process that can be bound.
 */
static bool allowed_before_hello(unsigned int number)
{
	return number == DVK_CALL_HELLO || number == DVK_CALL_GET_DVS_INFO;
}

void node_dispatch(struct dvk_node *node, struct node_client *client, const struct dvk_node_request *request, int fd)
{
	struct call call = { .node = node, .client = client, .request = request, .fd = fd };
	unsigned int number = request->call;

	if (client->access == NODE_ACCESS_REFUSED) {
		node_answer_late(node, client, request->serial, EDVSACCES, NONE);
		node_client_doom(node, client, "is not allowed to use this node");
		return;
	}
	if (!client->greeted && !allowed_before_hello(number)) {
		node_client_doom(node, client, "did not begin with HELLO");
		return;
	}
	node_wait_drop(node, client);
	call.answer.packet = packet_start(node, DVK_PACKET_ANSWER, 0);
	call.answer.packet.serial = request->serial;
	call.answer.packet.dcid = request->dcid;
	call.answer.packet.endpoint = request->endpoint;
	if (number >= NR_HANDLERS || !handlers[number])
		call.answer.packet.result = EDVSBADREQUEST;
	else
		call.answer.packet.result = handlers[number](&call);
	if (call.answer.packet.result != NODE_NO_ANSWER)
		send_answer(node, client, &call.answer);
}
