/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which connection is the session with a member.
 *
 * Both sides connect. When hellos are exchanged the member with the lower number says START on the connection that it
 * wants; the other answers STARTED, which makes it the session there, and with its arrival it is here. The lower one
 * says START on one connection at a time, so there is never a second one that only one of them takes for the session.
 *
 * A connection that comes while there is a session is HELD and the session is asked for a sign of life. If it gives
 * one, the new one is closed: both had connected, or a second process has that number. If it gives none, or breaks, it
 * ends, and the new one takes its place: that is a process that was started anew. The higher side takes START at once,
 * though, if it is of the same process as the session: that one has lost it.
 */
#include <stdio.h>
#include <string.h>

#include "log.h"
#include "session_internal.h"

static bool self_decides(const struct sessions *sessions, const struct member *member)
{
	return sessions->members[sessions->settings.self].settings.node < member->settings.node;
}

static void log_note(const struct member *member, const char *why)
{
	log_limited(LOG_LEVEL_WARNING, "session: node %u (%s port %u): %s", member->settings.node,
		    member->settings.address, member->settings.port, why);
}

void member_note(struct member *member, const char *why)
{
	if (member->session || strcmp(member->why, why) == 0)
		return;
	(void)snprintf(member->why, sizeof(member->why), "%s", why);
	log_note(member, why);
}

/* ---- closing ---- */

/* Closes a connection that its member, if it has one, then knows nothing of. */
static void drop(struct connection *connection)
{
	if (connection->member >= 0) {
		struct member *member = member_of(connection);

		if (member->session == connection)
			member->session = NULL;
		if (member->held == connection)
			member->held = NULL;
		if (member->attempt == connection)
			member->attempt = NULL;
	}
	connection_close(connection);
}

/* What a session that is gone leaves behind. */
static void session_ended(struct sessions *sessions, struct member *member)
{
	bool lasted = sessions->now - member->since >= sessions->settings.retry_most;

	for (int class = 0; class < SESSION_CLASSES; class ++) {
		frame_queue_clear(&member->queues[class]);
		member->refused[class] = 0;
	}
	member->gathered = 0;
	member->more_to_send = false;
	member->since = sessions->now;
	member->answered = 0;
	if (lasted)
		dialer_soon(sessions, member);
	else
		dialer_back_off(sessions, member);
}

static void end_session(struct sessions *sessions, int index)
{
	struct member *member = &sessions->members[index];
	struct connection *session = member->session;

	drop(session);
	(void)snprintf(member->why, sizeof(member->why), "%s", session->why);
	session_ended(sessions, member);
	sessions->events->down(sessions->user, index, session->why);
}

void member_hang_up(struct sessions *sessions, int index)
{
	struct member *member = &sessions->members[index];

	if (!member->session)
		return;
	drop(member->session);
	if (member->held)
		drop(member->held);
	(void)snprintf(member->why, sizeof(member->why), SESSION_HUNG_UP);
	session_ended(sessions, member);
}

/* ---- beginning ---- */

static void start(struct connection *connection)
{
	connection->state = CONNECTION_WAITING;
	connection->deadline = connection->sessions->now + connection->sessions->settings.handshake;
	connection->start_sent = true;
	connection->start_due = true;
	sender_run(connection);
}

static void begin_session(struct connection *connection)
{
	struct sessions *sessions = connection->sessions;
	struct member *member = member_of(connection);

	if (member->attempt == connection)
		member->attempt = NULL;
	if (member->attempt)
		drop(member->attempt);
	/* It was kept for the case that the last session was dead. */
	if (member->held)
		drop(member->held);
	resolver_abandon(member->job);
	member->job = NULL;
	connection->state = CONNECTION_UP;
	frame_reader_allow_frames(&connection->reader);
	member->session = connection;
	member->since = sessions->now;
	member->answered = 0;
	member->why[0] = '\0';
	member->first_put = member->first_sent = false;
	member->compression = (struct compression){ 0 };
	sessions->events->up(sessions->user, connection->member);
}

/* START was said to this side, and there is no session. */
static void accept_start(struct connection *connection)
{
	connection->started_due = true;
	sender_run(connection);
	if (!connection->failed)
		begin_session(connection);
}

/* The session that was doubted is gone: the one that was held takes its place. */
static void take_held(struct member *member)
{
	struct connection *held = member->held;

	member->held = NULL;
	if (self_decides(held->sessions, member))
		start(held);
	else
		accept_start(held);
}

/* Asks the session whether it lives, and keeps the new connection until it is known. */
static void hold(struct connection *connection)
{
	struct member *member = member_of(connection);
	struct connection *session = member->session;

	if (member->held)
		drop(member->held);
	if (member->attempt == connection)
		member->attempt = NULL;
	connection->state = CONNECTION_HELD;
	member->held = connection;
	session->ping_due = true;
	session->pings++;
	member->held_ping = session->pings;
	member->held_until = connection->sessions->now + connection->sessions->settings.idle;
	sender_run(session);
}

/* The session lives. */
static void refuse_held(struct member *member)
{
	struct connection *held = member->held;
	char old[SESSION_ADDRESS_SIZE], new[SESSION_ADDRESS_SIZE];

	if (held->peer_process != member->session->peer_process)
		log_limited(LOG_LEVEL_WARNING,
			    "session: two processes are node %u: the one at %s is kept, the one at %s is refused; each "
			    "needs a number of its own",
			    member->settings.node, address_text(&member->session->peer, old),
			    address_text(&held->peer, new));
	drop(held);
}

/* Whether START was said on another connection of that member, and not answered yet. */
static bool is_starting(const struct connection *connection)
{
	const struct connection *other;

	TAILQ_FOREACH(other, &connection->sessions->connections, next)
	{
		if (other != connection && other->member == connection->member && other->start_sent &&
		    other->state == CONNECTION_WAITING && !other->failed)
			return true;
	}
	return false;
}

static void decide(struct connection *connection)
{
	if (member_of(connection)->session)
		hold(connection);
	else if (is_starting(connection))
		drop(connection);
	else
		start(connection);
}

/* ---- the hello ---- */

static int find_node(const struct sessions *sessions, uint32_t node)
{
	for (int i = 0; i < sessions->settings.count; i++) {
		if (sessions->members[i].settings.node == node)
			return i;
	}
	return -1;
}

/* Who the other is: its index, or -1 after the connection was failed. What is wrong is noted as of who it says it is.
 */
static int check_hello(struct connection *connection, const struct hello *hello)
{
	struct sessions *sessions = connection->sessions;
	uint32_t self = sessions->members[sessions->settings.self].settings.node;
	int index = find_node(sessions, hello->from);

	if (hello->process == sessions->process)
		connection_fail(connection, "it is this process itself: a member's address in the list is wrong");
	else if (strcmp(hello->set, sessions->set) != 0)
		connection_fail(connection, "it belongs to set \"%s\", not \"%s\": the configuration files differ",
				hello->set, sessions->set);
	else if (hello->to != self)
		connection_fail(connection,
				"it looks for node %u, and this is node %u: addresses in the lists are wrong",
				hello->to, self);
	else if (hello->from == self)
		connection_fail(connection,
				"it says that it is node %u, too, as this one: each process needs a number of "
				"its own",
				self);
	else if (index < 0)
		connection_fail(connection,
				"it is node %u, which is not in the list of members: the configuration files "
				"differ",
				hello->from);
	else if (connection->ours && index != connection->member)
		connection_fail(connection, "it is node %u, not node %u: addresses in the list are wrong", hello->from,
				member_of(connection)->settings.node);
	if (connection->failed && connection->member < 0 && index != sessions->settings.self)
		connection->member = index;
	return connection->failed ? -1 : index;
}

void member_hello(struct connection *connection, const struct hello *hello)
{
	int index = check_hello(connection, hello);

	if (index < 0)
		return;
	connection->member = index;
	connection->peer_process = hello->process;
	connection->state = CONNECTION_WAITING;
	if (self_decides(connection->sessions, member_of(connection)))
		decide(connection);
}

/* ---- own messages ---- */

static void take_start(struct connection *connection)
{
	struct member *member = member_of(connection);

	if (!member->session) {
		accept_start(connection);
	} else if (member->session->peer_process != connection->peer_process) {
		hold(connection);
	} else {
		connection_fail(member->session, "it has made a new connection");
		end_session(connection->sessions, connection->member);
		/* Whoever was told of it may have closed anything. */
		if (connection->state != CONNECTION_CLOSED && !member->session)
			accept_start(connection);
	}
}

static void take_pong(struct connection *connection, uint32_t number)
{
	struct member *member = member_of(connection);

	if (member->held && (int32_t)(number - member->held_ping) >= 0)
		refuse_held(member);
}

void member_own_message(struct connection *connection, const struct own_message *message)
{
	bool decides = connection->member >= 0 && self_decides(connection->sessions, member_of(connection));
	enum connection_state state = connection->state;

	if (message->kind == OWN_START && state == CONNECTION_WAITING && !decides) {
		take_start(connection);
	} else if (message->kind == OWN_STARTED && state == CONNECTION_WAITING && connection->start_sent) {
		begin_session(connection);
	} else if (message->kind == OWN_PING && state == CONNECTION_UP) {
		connection->pong_due = true;
		connection->pong_number = message->number;
		sender_run(connection);
	} else if (message->kind == OWN_PONG && state == CONNECTION_UP) {
		take_pong(connection, message->number);
	} else {
		connection_fail(connection, "it sent a message of sessions out of turn");
	}
}

/* ---- what ends, and time ---- */

/* One that was no member's has ended. From the same host it may well be the same thing again, by another port. */
static void log_stranger(struct sessions *sessions, const struct connection *connection)
{
	char address[SESSION_ADDRESS_SIZE], host[SESSION_ADDRESS_SIZE], *port;
	uint64_t what;

	(void)address_text(&connection->peer, address);
	memcpy(host, address, sizeof(host));
	port = strstr(host, " port ");
	if (port)
		*port = '\0';
	what = log_repeat_of(host) ^ 3 * log_repeat_of(connection->why);
	if (log_repeat_due(&sessions->refused[what % 8], what, sessions->now))
		log_limited(LOG_LEVEL_WARNING, "session: %s: %s", address, connection->why);
}

void member_reap(struct connection *connection)
{
	struct sessions *sessions = connection->sessions;
	struct member *member;

	if (connection->member < 0) {
		log_stranger(sessions, connection);
		drop(connection);
		return;
	}
	member = member_of(connection);
	if (connection->state == CONNECTION_UP) {
		end_session(sessions, connection->member);
		if (member->held && !member->session)
			take_held(member);
		return;
	}
	if (!member->session && connection->state > CONNECTION_CONNECTING)
		member->answered = sessions->now;
	if (connection == member->attempt) {
		if (connection->state == CONNECTION_CONNECTING && member->next_address < member->resolved.count)
			member->next_attempt = sessions->now;
		else
			dialer_back_off(sessions, member);
	}
	drop(connection);
	member_note(member, connection->why);
}

void member_run(struct sessions *sessions, int index)
{
	const struct session_settings *settings = &sessions->settings;
	struct member *member = &sessions->members[index];
	struct connection *session = member->session;

	if (!session || session->failed)
		return;
	if (member->held && sessions->now >= member->held_until) {
		connection_fail(session, "it has made a new connection, and does not answer on this one");
	} else if (session->asked > 0) {
		if (sessions->now - session->asked >= settings->dead - settings->idle)
			connection_fail(session, "nothing was heard of it for %llu ms",
					(unsigned long long)((sessions->now - session->heard) / NS_PER_MS));
	} else if (sessions->now - session->heard >= settings->idle) {
		session->asked = sessions->now;
		session->pings++;
		session->ping_due = true;
		sender_run(session);
	}
}

uint64_t member_next_time(const struct sessions *sessions, int index)
{
	const struct session_settings *settings = &sessions->settings;
	const struct member *member = &sessions->members[index];
	const struct connection *session = member->session;
	uint64_t next;

	if (!session)
		return SESSION_NEVER;
	if (session->asked > 0)
		next = session->asked + (settings->dead - settings->idle);
	else
		next = session->heard + settings->idle;
	return member->held && member->held_until < next ? member->held_until : next;
}
