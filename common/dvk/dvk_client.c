// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A client's link to its node: connecting, asking, taking events, and the table of
 * peers that the events fill. How messages move is in dvk_ipc.c.
 *
 * The node is trusted (it runs as the same user or as root), the peers are not: of
 * a channel or a page only the mapping is taken here, nothing is read from it but
 * a notification that is left when a peer goes.
 */
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "dvk_internal.h"
#include "dvk_system.h"

#ifndef F_SEAL_SHRINK
#define F_SEAL_SHRINK 0x0002
#endif

/* How long the node may take to answer after a signal came that does not interrupt the call. */
#define SIGNAL_MS 2000

/* How long beyond the time that the node was given it may take to say that it is over. */
#define GRACE_MS  5000

#define MS_NS	  1000000LL

/* A packet from the node with the descriptors that came along; -1 where there is none. */
struct received {
	struct dvk_node_packet packet;
	int fds[DVK_WIRE_MAX_FDS];
};

int dvk_error_of(int error)
{
	switch (-error) {
	case EPERM:
		return EDVSPERM;
	case ENOENT:
		return EDVSNOENT;
	case ESRCH:
		return EDVSSRCH;
	case EINTR:
		return EDVSINTR;
	case EAGAIN:
		return EDVSAGAIN;
	case ENOMEM:
	case ENOBUFS:
	case ETOOMANYREFS:
		return EDVSNOMEM;
	case EACCES:
		return EDVSACCES;
	case EFAULT:
		return EDVSFAULT;
	case EINVAL:
		return EDVSINVAL;
	case EMFILE:
	case ENFILE:
		return EDVSMFILE;
	case ENOSYS:
		return EDVSNOSYS;
	case ENAMETOOLONG:
		return EDVSNAMETOOLONG;
	case ETIMEDOUT:
		return EDVSTIMEDOUT;
	case ECONNREFUSED:
	case ECONNRESET:
	case ENOTCONN:
	case EPIPE:
		return EDVSDVSINIT;
	default:
		return EDVSIO;
	}
}

static void close_received(struct received *received)
{
	for (int i = 0; i < DVK_WIRE_MAX_FDS; i++) {
		if (received->fds[i] >= 0)
			dvk_system_close(received->fds[i]);
		received->fds[i] = -1;
	}
}

static int lose_node(struct dvk_client *client)
{
	client->node_lost = true;
	return EDVSDVSINIT;
}

/*
 * Receives one packet without waiting. 0; -EAGAIN or -EINTR;
 * EDVSDVSINIT for a closed socket, a malformed packet, or descriptors that did not fit into our table: what
 * the node then believes of us is not so any more, and only a new start mends that.
 */
static int receive_packet(struct dvk_client *client, struct received *received)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(received->fds))];
	} control;
	struct iovec vector = { &received->packet, sizeof(received->packet) };
	struct msghdr msg = {
		.msg_iov = &vector,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *cmsg;
	long got;

	for (int i = 0; i < DVK_WIRE_MAX_FDS; i++)
		received->fds[i] = -1;
	got = dvk_system_recvmsg(client->node_fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	if (got == -EAGAIN || got == -EINTR)
		return (int)got;
	if (got <= 0)
		return lose_node(client);
	for (cmsg = CMSG_FIRSTHDR(&msg); cmsg; cmsg = CMSG_NXTHDR(&msg, cmsg)) {
		if (cmsg->cmsg_level != SOL_SOCKET || cmsg->cmsg_type != SCM_RIGHTS)
			continue;
		if (cmsg->cmsg_len > CMSG_LEN(sizeof(received->fds)))
			continue;
		__builtin_memcpy(received->fds, CMSG_DATA(cmsg), cmsg->cmsg_len - CMSG_LEN(0));
	}
	if (got != sizeof(received->packet) || (msg.msg_flags & (MSG_CTRUNC | MSG_TRUNC)) ||
	    received->packet.magic != DVK_WIRE_MAGIC || received->packet.version != DVK_WIRE_VERSION) {
		close_received(received);
		return lose_node(client);
	}
	return 0;
}

/* ---- peers ---- */

static void unmap_grants(struct dvk_peer *peer)
{
	for (int i = 0; i < DVK_GRANTS_PER_PEER; i++) {
		struct dvk_grant *grant = &peer->grants[i];

		if (grant->length)
			dvk_system_unmap(grant->mapping, grant->length);
		grant->length = 0;
	}
}

/* Forgets a peer; a notification and a reply that it left are kept for who waits for them. */
static void drop_peer(struct dvk_client *client, int slot, int code)
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
	unmap_grants(peer);
	dvk_system_unmap(peer->channel, DVK_PAGE_SIZE);
	dvk_system_unmap((void *)peer->page, DVK_PAGE_SIZE);
	peer->channel = NULL;
	peer->in = NULL;
	peer->out = NULL;
	peer->page = NULL;
	peer->gone_code = code;
	peer->incarnation++;
	for (int i = 0; i < client->nr_active; i++) {
		if (client->active[i] == slot) {
			client->active[i] = client->active[--client->nr_active];
			break;
		}
	}
}

static void drop_all(struct dvk_client *client, int code)
{
	while (client->nr_active)
		drop_peer(client, client->active[0], code);
	if (client->page)
		dvk_system_unmap(client->page, DVK_PAGE_SIZE);
	client->page = NULL;
	client->endpoint = NONE;
}

/* Maps a new peer's channel and page. Takes no descriptor over. 0 or -errno. */
static int add_peer(struct dvk_client *client, const struct received *received)
{
	const struct dvk_node_packet *packet = &received->packet;
	struct dvk_peer *peer;
	void *channel, *page;
	int rc;

	if (!dvk_endpoint_valid(packet->endpoint) || packet->side < 0 || packet->side > 1)
		return -EINVAL;
	peer = &client->peers[dvk_endpoint_slot(packet->endpoint)];
	if (peer->channel)
		return -EINVAL;
	rc = dvk_system_map(received->fds[0], 0, DVK_PAGE_SIZE, 1, &channel);
	if (rc)
		return rc;
	rc = dvk_system_map(received->fds[1], 0, DVK_PAGE_SIZE, 0, &page);
	if (rc) {
		dvk_system_unmap(channel, DVK_PAGE_SIZE);
		return rc;
	}
	peer->channel = channel;
	peer->out = &peer->channel->mailbox[packet->side];
	peer->in = &peer->channel->mailbox[!packet->side];
	peer->page = page;
	peer->endpoint = packet->endpoint;
	peer->pid = packet->pid;
	peer->send_sequence = 0;
	peer->want_sequence = 0;
	peer->want_state = DVK_WANT_IDLE;
	/* no sequence that a request has: they are multiples of DVK_STATE_STEP */
	peer->request_sequence = DVK_STATE_MASK;
	peer->notifies = dvk_endpoint_is_system(packet->endpoint, client->nr_tasks, client->nr_sysprocs);
	client->active[client->nr_active++] = dvk_endpoint_slot(packet->endpoint);
	return 0;
}

/*
 * Maps memory that a peer grants. What cannot be mapped or is badly described is
 * left out: copies to it then fail with EDVSFAULT, which is the granter's own trouble.
 */
static void add_grant(struct dvk_client *client, const struct received *received)
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

/* ---- binding ---- */

/* Takes over the page and numbers of a fresh binding. */
static int adopt_binding(struct dvk_client *client, const struct received *received)
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

static int handle_event(struct dvk_client *client, struct received *received)
{
	const struct dvk_node_packet *packet = &received->packet;
	int rc = 0;

	switch ((enum dvk_packet_kind)packet->kind) {
	case DVK_EVENT_BOUND:
		rc = adopt_binding(client, received);
		break;
	case DVK_EVENT_UNBOUND:
		drop_all(client, EDVSNOTBIND);
		client->unbound_code = packet->result;
		break;
	case DVK_EVENT_PEER:
		rc = add_peer(client, received);
		break;
	case DVK_EVENT_PEER_GONE:
		if (dvk_endpoint_valid(packet->endpoint))
			drop_peer(client, dvk_endpoint_slot(packet->endpoint), packet->result);
		break;
	case DVK_EVENT_GRANT:
		add_grant(client, received);
		break;
	case DVK_PACKET_ANSWER: /* to a question that we gave up; an introduction counts all the same */
		if (received->fds[0] >= 0 && received->fds[1] >= 0)
			rc = add_peer(client, received);
		break;
	default:
		rc = -EPROTO;
		break;
	}
	close_received(received);
	/* The node counts us as introduced, or bound: without the mapping only a new start helps. */
	return rc ? lose_node(client) : 0;
}

bool dvk_events_pending(const struct dvk_client *client)
{
	uint32_t bell = atomic_load_explicit(&client->page->bell, memory_order_acquire);

	return (bell & ~DVK_BELL_SLEEPER) != client->bell_seen;
}

int dvk_take_events(struct dvk_client *client)
{
	struct received received;
	int rc;

	if (client->node_lost)
		return EDVSDVSINIT;
	if (client->page)
		client->bell_seen = atomic_load_explicit(&client->page->bell, memory_order_acquire) & ~DVK_BELL_SLEEPER;
	for (;;) {
		rc = receive_packet(client, &received);
		if (rc == -EINTR)
			continue;
		if (rc == -EAGAIN)
			return client->endpoint == NONE ? EDVSNOTBIND : 0;
		if (!rc)
			rc = handle_event(client, &received);
		if (rc)
			return rc;
	}
}

/* ---- asking the node ---- */

/* 0 or -errno; nothing was sent then. Does not wait. */
static int send_request(struct dvk_client *client, const struct dvk_node_request *request, int fd)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	struct iovec vector = { (void *)(uintptr_t)request, sizeof(*request) };
	struct msghdr msg = { .msg_iov = &vector, .msg_iovlen = 1 };
	long sent;

	if (fd >= 0) {
		msg.msg_control = &control;
		msg.msg_controllen = sizeof(control);
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN(sizeof(int));
		__builtin_memcpy(CMSG_DATA(&control.header), &fd, sizeof(fd));
	}
	sent = dvk_system_sendmsg(client->node_fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
	return sent < 0 ? (int)sent : 0;
}

/* How long a question may take. */
struct patience {
	bool interruptible; /* EDVSINTR at once, and an answer that comes later is passed over */
	int limit_ms;	    /* -1: none */
	int at_limit;	    /* EDVSDVSINIT: the node is lost to us; else this code, and a late answer is passed over */
};

/* For a question that the node answers at once, and whose answer must not be missed. */
static const struct patience short_patience = { false, DVK_NODE_ANSWER_MS, EDVSDVSINIT };

/* For one that the node answers at that time at the latest. */
static struct patience patience_for(int timeout_ms)
{
	return (struct patience){
		.interruptible = true,
		.limit_ms = timeout_ms < 0		      ? -1
			    : timeout_ms > INT_MAX - GRACE_MS ? INT_MAX
							      : timeout_ms + GRACE_MS,
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
static int await_node(struct dvk_client *client, int events, int64_t *deadline, const struct patience *patience)
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
	return lose_node(client);
}

/*
 * One question to the node. Events that come before the answer are taken on the way. The result is the
 * node's, or EDVSDVSINIT, EDVSNOMEM (nothing was asked), or what *patience says. The caller closes received->fds.
 */
static int call_node(struct dvk_client *client, struct dvk_node_request *request, int fd,
		     const struct patience *patience, struct received *received)
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
			rc = send_request(client, request, fd);
			if (rc && rc != -EAGAIN && rc != -EINTR)
				return dvk_error_of(rc) == EDVSNOMEM ? EDVSNOMEM : lose_node(client);
			sent = !rc;
		}
		/* A node that does not listen to us wants us to take what it has sent: answers that we gave up. */
		rc = await_node(client, sent ? POLLIN : POLLIN | POLLOUT, &deadline, patience);
		if (rc)
			return rc;
		rc = receive_packet(client, received);
		if (rc == -EAGAIN || rc == -EINTR)
			continue;
		if (rc)
			return rc;
		if (sent && received->packet.kind == DVK_PACKET_ANSWER && received->packet.serial == client->serial)
			return received->packet.result;
		rc = handle_event(client, received);
		if (rc)
			return rc;
	}
}

/* A question that has neither descriptors in its answer nor waits. */
static int ask(struct dvk_client *client, struct dvk_node_request *request, struct dvk_node_packet *answer)
{
	struct received received;
	int rc = call_node(client, request, -1, &short_patience, &received);

	close_received(&received);
	if (!rc && answer)
		*answer = received.packet;
	return rc;
}

void dvk_client_init(struct dvk_client *client)
{
	client->node_fd = -1;
	client->endpoint = NONE;
	client->outstanding = NONE;
	client->rescued_slot = -1;
	client->spin_max_ns = DVK_SPIN_DEFAULT_NS;
	client->spin_ns = DVK_SPIN_DEFAULT_NS;
}

int dvk_client_open(struct dvk_client *client, const char *path)
{
	struct dvk_node_request request = { .call = DVK_CALL_HELLO };
	struct received received;
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
	request.pid = dvk_system_gettid();
	rc = call_node(client, &request, -1, &short_patience, &received);
	if (!rc)
		client->nodeid = received.packet.argument;
	if (!rc && received.packet.endpoint != NONE)
		rc = adopt_binding(client, &received);
	close_received(&received);
	if (!rc)
		return 0;
fail:
	dvk_client_close(client);
	return rc;
}

void dvk_client_close(struct dvk_client *client)
{
	drop_all(client, EDVSNOTBIND);
	if (client->node_fd >= 0)
		dvk_system_close(client->node_fd);
	client->node_fd = -1;
	client->node_lost = false;
	client->outstanding = NONE;
	client->nr_gone_notify = 0;
}

int dvk_client_ready(const struct dvk_client *client)
{
	if (client->node_fd < 0 || client->node_lost)
		return EDVSDVSINIT;
	return client->endpoint == NONE ? EDVSNOTBIND : 0;
}

int dvk_client_peer_incarnation(const struct dvk_client *client, int endpoint)
{
	if (!dvk_endpoint_valid(endpoint) || !client->peers[dvk_endpoint_slot(endpoint)].channel)
		return EDVSNOTBIND;
	return (int)(client->peers[dvk_endpoint_slot(endpoint)].incarnation & INT32_MAX);
}

int dvk_endpoint_error(int code)
{
	switch (code) {
	case EDVSNOMEM:
	case EDVSMFILE:
		return EDVSALLOCMEM;
	case EDVSPERM:
	case EDVSACCES:
		return EDVSPRIVILEGES;
	case EDVSIO:
	case EDVSINVAL:
	case EDVSNOSYS:
	case EDVSNAMETOOLONG:
		return EDVSDVSINIT;
	default:
		return code;
	}
}

int dvk_client_bind(struct dvk_client *client, int type, int dcid, int pid, int endpoint)
{
	struct dvk_node_request request = {
		.call = DVK_CALL_BIND, .dcid = dcid, .endpoint = endpoint, .argument = type, .pid = pid
	};
	struct received received;
	int rc = call_node(client, &request, -1, &short_patience, &received);

	if (!rc && type != LCL_BIND) {
		rc = adopt_binding(client, &received);
		if (rc)
			lose_node(client);
	}
	close_received(&received);
	return rc ? dvk_endpoint_error(rc) : received.packet.endpoint;
}

int dvk_client_unbind(struct dvk_client *client, int dcid, int endpoint, int timeout_ms)
{
	struct dvk_node_request request = {
		.call = DVK_CALL_UNBIND, .dcid = dcid, .endpoint = endpoint, .timeout = timeout_ms
	};
	bool own = client->endpoint != NONE &&
		   (endpoint == SELF || (endpoint == client->endpoint && dcid == client->dcid));
	const struct patience patience = own ? short_patience : patience_for(timeout_ms);
	struct received received;
	int rc;

	if (own) {
		request.dcid = client->dcid;
		request.endpoint = client->endpoint;
	}
	rc = call_node(client, &request, -1, &patience, &received);
	close_received(&received);
	if (!rc && own)
		drop_all(client, EDVSNOTBIND);
	return rc;
}

int dvk_client_getep(struct dvk_client *client, int pid)
{
	struct dvk_node_request request = { .call = DVK_CALL_GETEP, .pid = pid };
	struct dvk_node_packet answer;
	int rc = ask(client, &request, &answer);

	return rc ? dvk_endpoint_error(rc) : answer.endpoint;
}

static int wait_for(struct dvk_client *client, int call, int endpoint, int timeout_ms)
{
	struct dvk_node_request request = {
		.call = (uint16_t)call, .dcid = client->dcid, .endpoint = endpoint, .timeout = timeout_ms
	};
	const struct patience patience = patience_for(timeout_ms);
	struct received received;
	int rc;

	if (endpoint == SELF && client->endpoint != NONE)
		return client->endpoint;
	rc = call_node(client, &request, -1, &patience, &received);
	close_received(&received);
	return rc ? rc : received.packet.endpoint;
}

int dvk_client_wait_bind(struct dvk_client *client, int endpoint, int timeout_ms)
{
	return wait_for(client, DVK_CALL_WAIT_BIND, endpoint, timeout_ms);
}

int dvk_client_wait_unbind(struct dvk_client *client, int endpoint, int timeout_ms)
{
	int rc = wait_for(client, DVK_CALL_WAIT_UNBIND, endpoint, timeout_ms);

	return rc == endpoint ? 0 : rc;
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
	struct patience patience = short_patience;
	int64_t start = dvk_system_monotonic_ns();
	struct received received;
	int rc;

	if (timeout_ms) {
		patience.interruptible = true;
		/* "no wait" does not mean the node, which answers at once if it answers */
		if (*timeout_ms == 0)
			patience = (struct patience){ true, GRACE_MS, EDVSAGAIN };
		else if (*timeout_ms > 0 && *timeout_ms < DVK_NODE_ANSWER_MS)
			patience = (struct patience){ true, *timeout_ms, EDVSTIMEDOUT };
	}
	rc = call_node(client, &request, -1, &patience, &received);
	if (!rc && received.fds[0] >= 0 && add_peer(client, &received))
		rc = lose_node(client);
	close_received(&received);
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

int dvk_client_grant(struct dvk_client *client, int endpoint, int fd, uint64_t offset, void *base, size_t length)
{
	struct dvk_node_request request = { .call = DVK_CALL_GRANT,
					    .endpoint = endpoint,
					    .base = (uintptr_t)base,
					    .length = length,
					    .offset = offset };
	struct dvk_peer *peer;
	struct received received;
	int rc = dvk_peer_get(client, endpoint, NULL, &peer);

	if (rc)
		return rc;
	if (fd < 0 || !length || ((request.base | length | offset) & (DVK_PAGE_SIZE - 1)))
		return EDVSINVAL;
	rc = call_node(client, &request, fd, &short_patience, &received);
	close_received(&received);
	return rc;
}

int dvk_client_dvs_info(struct dvk_client *client, dvs_usr_t *dvs)
{
	struct dvk_node_request request = { .call = DVK_CALL_GET_DVS_INFO };
	struct dvk_node_packet answer;
	int rc = ask(client, &request, &answer);

	if (rc)
		return rc;
	*dvs = answer.dvs;
	return answer.argument;
}

int dvk_client_dc_info(struct dvk_client *client, int dcid, dc_usr_t *dc)
{
	struct dvk_node_request request = { .call = DVK_CALL_GET_DC_INFO, .dcid = dcid };
	struct dvk_node_packet answer;
	int rc = ask(client, &request, &answer);

	if (!rc)
		*dc = answer.dc;
	return rc;
}

int dvk_client_proc_info(struct dvk_client *client, int dcid, int p_nr, proc_usr_t *proc)
{
	struct dvk_node_request request = { .call = DVK_CALL_GET_PROC_INFO, .dcid = dcid, .endpoint = p_nr };
	struct dvk_node_packet answer;
	int rc = ask(client, &request, &answer);

	if (!rc)
		*proc = answer.proc;
	return rc;
}

int dvk_client_dc_init(struct dvk_client *client, const dc_usr_t *dc)
{
	struct dvk_node_request request = { .call = DVK_CALL_DC_INIT, .dcid = dc->dc_dcid, .dc = *dc };
	struct dvk_node_packet answer;
	int rc = ask(client, &request, &answer);

	return rc ? rc : answer.argument;
}

int dvk_client_dc_end(struct dvk_client *client, int dcid)
{
	struct dvk_node_request request = { .call = DVK_CALL_DC_END, .dcid = dcid };

	return ask(client, &request, NULL);
}
