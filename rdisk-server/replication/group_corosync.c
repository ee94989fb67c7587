/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The engine "corosync" of group.h, by libcpg and libquorum. All of it runs in a thread of its own that does nothing
 * else, because corosync has to be read always: what a member does not read piles up in the daemon's memory without
 * limit.
 *
 * Three things are told one by one, in any order: who is in the group, who is in the ring, whether the ring is quorate.
 * A view is what all three say together after everything that has come was read. Someone in the group whose host is not
 * in the ring is a ghost: corosync 3.1.7 never says that a process has gone which came and went within one change of
 * the ring. While its host is in the ring a ghost cannot be told from a member that is there; one comes of a process
 * that ends while its daemon is stopped, for one.
 *
 * Nothing is sent to the group. When anything fails the connection is closed and made anew, after a pause that gets
 * longer; so it is when the daemon is not ready.
 */
#include <corosync/cpg.h>
#include <corosync/quorum.h>
#include <poll.h>
#include <string.h>

#include "group_internal.h"
#include "log.h"

#define PAUSE_LEAST_MS 100
#define PAUSE_MOST_MS  5000
#define DISPATCH_MS    1000 /* at least so often: what is queued does not always make the descriptor readable */

/* A connection to the daemon. The thread's alone. */
struct connection {
	struct group *group;
	cpg_handle_t cpg;
	quorum_handle_t quorum;
	bool has_cpg, has_quorum;
	int cpg_fd, quorum_fd;
	/* What was told since it was made. */
	bool told_group, told_ring, told_quorum;
	member_set in_group, in_ring;
	bool quorate;
	struct group_view published;
};

static member_set bit_of_node(const struct group *group, uint32_t node)
{
	for (int member = 0; member < group->members; member++)
		if (group->nodes[member] == node)
			return (member_set)(1u << member);
	return 0; /* of the cluster, but not of the set */
}

/* ---- what is told ---- */

static void take_group(cpg_handle_t handle, const struct cpg_name *name, const struct cpg_address *members,
		       size_t nr_members, const struct cpg_address *left, size_t nr_left,
		       const struct cpg_address *joined, size_t nr_joined)
{
	struct connection *connection;
	void *context;

	(void)name, (void)left, (void)nr_left, (void)joined, (void)nr_joined;
	if (cpg_context_get(handle, &context) != CS_OK)
		return;
	connection = context;
	connection->told_group = true;
	connection->in_group = 0;
	for (size_t i = 0; i < nr_members; i++)
		connection->in_group |= bit_of_node(connection->group, members[i].nodeid);
}

static void take_ring(cpg_handle_t handle, struct cpg_ring_id ring, uint32_t nr_nodes, const uint32_t *nodes)
{
	struct connection *connection;
	void *context;

	(void)ring;
	if (cpg_context_get(handle, &context) != CS_OK)
		return;
	connection = context;
	connection->told_ring = true;
	connection->in_ring = 0;
	for (uint32_t i = 0; i < nr_nodes; i++)
		connection->in_ring |= bit_of_node(connection->group, nodes[i]);
}

static void take_quorum(quorum_handle_t handle, uint32_t quorate, struct quorum_ring_id ring, uint32_t nr_nodes,
			const uint32_t *nodes)
{
	struct connection *connection;
	const void *context;

	(void)ring, (void)nr_nodes, (void)nodes;
	if (quorum_context_get(handle, &context) != CS_OK)
		return;
	connection = (struct connection *)(uintptr_t)context;
	connection->told_quorum = true;
	connection->quorate = quorate != 0;
}

/* Tells the loop, if anything is new. */
static void publish(struct connection *connection)
{
	const member_set self = (member_set)(1u << connection->group->self);
	struct group_view view = { .known = false };

	if (connection->told_group && connection->told_ring && connection->told_quorum &&
	    (connection->in_group & connection->in_ring & self)) {
		view.known = true;
		view.quorate = connection->quorate;
		view.present = connection->in_group & connection->in_ring;
	}
	if (view.known == connection->published.known && view.quorate == connection->published.quorate &&
	    view.present == connection->published.present)
		return;
	connection->published = view;
	group_publish(connection->group, &view);
}

/* ---- the connection ---- */

static cs_error_t join(struct connection *connection)
{
	struct group *group = connection->group;
	cpg_model_v1_data_t callbacks = {
		.model = CPG_MODEL_V1,
		.cpg_confchg_fn = take_group,
		.cpg_totem_confchg_fn = take_ring,
		.flags = CPG_MODEL_V1_DELIVER_INITIAL_TOTEM_CONF,
	};
	struct cpg_name name = { .length = (uint32_t)strlen(group->name) };
	cs_error_t error =
		cpg_model_initialize(&connection->cpg, CPG_MODEL_V1, (cpg_model_data_t *)&callbacks, connection);

	if (error != CS_OK)
		return error;
	connection->has_cpg = true;
	error = cpg_fd_get(connection->cpg, &connection->cpg_fd);
	if (error != CS_OK)
		return error;
	memcpy(name.value, group->name, name.length);
	return cpg_join(connection->cpg, &name);
}

static cs_error_t track_quorum(struct connection *connection)
{
	quorum_model_v1_data_t callbacks = { .model = QUORUM_MODEL_V1, .quorum_notify_fn = take_quorum };
	uint32_t type;
	cs_error_t error = quorum_model_initialize(&connection->quorum, QUORUM_MODEL_V1,
						   (quorum_model_data_t *)&callbacks, &type, connection);

	if (error != CS_OK)
		return error;
	connection->has_quorum = true;
	error = quorum_fd_get(connection->quorum, &connection->quorum_fd);
	if (error != CS_OK)
		return error;
	return quorum_trackstart(connection->quorum, CS_TRACK_CURRENT | CS_TRACK_CHANGES);
}

/* Whether the daemon takes this host for the node that the configuration says it is. */
static cs_error_t check_node(struct connection *connection, bool *told)
{
	const struct group *group = connection->group;
	unsigned int node;
	cs_error_t error = cpg_local_get(connection->cpg, &node);

	if (error != CS_OK || node == group->nodes[group->self])
		return error;
	if (!*told)
		log_error(
			"corosync: this host is node %u in corosync.conf, but %u in the list of members: its node ids "
			"have to be the nodes of the members; until then members go by their sessions",
			node, group->nodes[group->self]);
	*told = true;
	return CS_ERR_INVALID_PARAM;
}

/* *told: that it fails was said. */
static cs_error_t connect_daemon(struct connection *connection, bool *told)
{
	cs_error_t error = join(connection);

	if (error == CS_OK)
		error = check_node(connection, told);
	if (error == CS_OK)
		error = track_quorum(connection);
	return error;
}

static void disconnect(struct connection *connection)
{
	/* That of a daemon that has gone fails, and frees nevertheless. */
	if (connection->has_cpg)
		(void)cpg_finalize(connection->cpg);
	if (connection->has_quorum)
		(void)quorum_finalize(connection->quorum);
}

/* Nothing more to read is no error. */
static cs_error_t dispatch(struct connection *connection)
{
	cs_error_t error = cpg_dispatch(connection->cpg, CS_DISPATCH_ALL);

	if (error == CS_OK || error == CS_ERR_TRY_AGAIN)
		error = quorum_dispatch(connection->quorum, CS_DISPATCH_ALL);
	return error == CS_ERR_TRY_AGAIN ? CS_OK : error;
}

/* Reads until the thread is to end, CS_OK, or the daemon has gone. *joined: it has told of this member. */
static cs_error_t read_daemon(struct connection *connection, bool *joined)
{
	struct pollfd wait[] = {
		{ .fd = connection->group->stop_fd, .events = POLLIN },
		{ .fd = connection->cpg_fd, .events = POLLIN },
		{ .fd = connection->quorum_fd, .events = POLLIN },
	};

	for (;;) {
		cs_error_t error;

		if (poll(wait, sizeof(wait) / sizeof(wait[0]), DISPATCH_MS) < 0)
			return CS_ERR_LIBRARY;
		if (wait[0].revents)
			return CS_OK;
		error = dispatch(connection);
		if (error != CS_OK)
			return error;
		if ((wait[1].revents | wait[2].revents) & (POLLHUP | POLLERR | POLLNVAL))
			return CS_ERR_LIBRARY;
		publish(connection);
		if (connection->published.known && !*joined) {
			*joined = true;
			log_info("corosync: in the group %s", connection->group->name);
		}
	}
}

/* One connection, from its beginning to its end. *joined: it worked for a while. */
static void serve(struct group *group, bool *told, bool *joined)
{
	struct connection connection = { .group = group };
	cs_error_t error = connect_daemon(&connection, told);

	*joined = false;
	if (error == CS_OK)
		error = read_daemon(&connection, joined);
	disconnect(&connection);
	if (connection.published.known)
		group_publish(group, &(const struct group_view){ .known = false });
	if (*joined)
		*told = false;
	if (error != CS_OK && !*told) {
		log_warning("corosync: %s (%s): until it is there members go by their sessions",
			    *joined ? "the daemon has gone" : "no connection to the daemon", cs_strerror(error));
		*told = true;
	}
}

void *group_corosync(void *context)
{
	struct group *group = context;
	int pause = PAUSE_LEAST_MS;
	bool told = false;
	bool joined;

	do {
		serve(group, &told, &joined);
		pause = joined ? PAUSE_LEAST_MS : pause * 2 > PAUSE_MOST_MS ? PAUSE_MOST_MS : pause * 2;
	} while (!group_stopping(group, pause));
	group_ended(group);
	return NULL;
}
