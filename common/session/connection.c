/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One connection: from the descriptor through TLS to hello and frames. Which one becomes the session is decided in
 * member.c.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "session_internal.h"

#define TLS_HANDSHAKE 0x16 /* the first byte of a TLS connection */

const char *address_text(const struct resolved_address *address, char text[static SESSION_ADDRESS_SIZE])
{
	char digits[INET6_ADDRSTRLEN] = "?";
	unsigned int port = 0;

	if (address->any.sa_family == AF_INET) {
		const struct sockaddr_in *name = (const struct sockaddr_in *)&address->storage;

		inet_ntop(AF_INET, &name->sin_addr, digits, sizeof(digits));
		port = ntohs(name->sin_port);
	} else if (address->any.sa_family == AF_INET6) {
		const struct sockaddr_in6 *name = (const struct sockaddr_in6 *)&address->storage;

		inet_ntop(AF_INET6, &name->sin6_addr, digits, sizeof(digits));
		port = ntohs(name->sin6_port);
	}
	snprintf(text, SESSION_ADDRESS_SIZE, "%s port %u", digits, port);
	return text;
}

/* ---- beginning and end ---- */

static void connection_ready(struct session_watch *watch, uint32_t events);

/*
 * What is to be sent is sent at once, and the kernel holds little that it cannot send, or what is urgent would be
 * behind it. A receiver that does not acknowledge for as long as it may be silent has gone.
 */
static int set_options(const struct sessions *sessions, int fd)
{
	const int yes = 1, unsent = KERNEL_UNSENT;
	const unsigned int timeout = (unsigned int)(sessions->settings.dead / NS_PER_MS);

	if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes)) ||
	    setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent, sizeof(unsent)) ||
	    setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout, sizeof(timeout)))
		return -errno;
	return 0;
}

/*
 * What is urgent is behind all that the other side's kernel has received and the process there has not. Left alone that
 * grows to many MiB. So it does not grow, which limits a link to this much for each round trip. The host's limit
 * (net.core.rmem_max) may make it less.
 */
int connection_limit_receiving(int fd)
{
	const int size = KERNEL_RECEIVED;

	return setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size)) ? -errno : 0;
}

struct connection *connection_create(struct sessions *sessions, int fd, const struct resolved_address *peer, bool ours,
				     int member)
{
	struct connection *connection = calloc(1, sizeof(*connection));

	if (!connection) {
		(void)close(fd);
		return NULL;
	}
	connection->watch.ready = connection_ready;
	connection->sessions = sessions;
	connection->fd = fd;
	connection->ours = ours;
	connection->member = member;
	connection->peer = *peer;
	connection->heard = sessions->now;
	connection->deadline = sessions->now + sessions->settings.handshake;
	frame_reader_init(&connection->reader, sessions->settings.frame_max);
	if (set_options(sessions, fd) ||
	    sessions_watch(sessions, fd, &connection->watch, ours ? EPOLLOUT : EPOLLIN, true)) {
		(void)close(fd);
		free(connection);
		return NULL;
	}
	TAILQ_INSERT_TAIL(&sessions->connections, connection, next);
	return connection;
}

void connection_fail(struct connection *connection, const char *format, ...)
{
	va_list arguments;

	if (connection->failed || connection->state == CONNECTION_CLOSED)
		return;
	connection->failed = true;
	va_start(arguments, format);
	if (vsnprintf(connection->why, sizeof(connection->why), format, arguments) < 0)
		connection->why[0] = '\0';
	va_end(arguments);
}

void connection_close(struct connection *connection)
{
	struct sessions *sessions = connection->sessions;

	if (connection->state == CONNECTION_CLOSED)
		return;
	connection->state = CONNECTION_CLOSED;
	(void)close(connection->fd);
	TAILQ_REMOVE(&sessions->connections, connection, next);
	TAILQ_INSERT_TAIL(&sessions->closed, connection, next);
}

void connection_free_closed(struct sessions *sessions)
{
	struct connection *connection;

	while ((connection = TAILQ_FIRST(&sessions->closed))) {
		TAILQ_REMOVE(&sessions->closed, connection, next);
		channel_free(connection->channel);
		frame_reader_free(&connection->reader);
		free(connection->unsent);
		free(connection);
	}
}

/* ---- TLS and the hello ---- */

static void send_hello(struct connection *connection, uint32_t to)
{
	struct sessions *sessions = connection->sessions;
	struct hello hello = {
		.newest = SESSION_VERSION,
		.oldest = SESSION_VERSION,
		.from = sessions->members[sessions->settings.self].settings.node,
		.to = to,
		.process = sessions->process,
	};
	unsigned char bytes[HELLO_SIZE];

	memcpy(hello.set, sessions->set, sizeof(hello.set));
	hello_encode(&hello, bytes);
	sender_put(connection, bytes, sizeof(bytes));
	sender_flush(connection);
}

/* Who connected introduces itself; the other waits for that. */
static void greet(struct connection *connection)
{
	connection->state = CONNECTION_GREETING;
	if (connection->ours)
		send_hello(connection, member_of(connection)->settings.node);
}

static void secure(struct connection *connection)
{
	const char *why = NULL;
	enum channel_result result = channel_handshake(connection->channel, &why);

	sender_flush(connection);
	if (result == CHANNEL_DONE)
		greet(connection);
	else if (result != CHANNEL_MORE)
		connection_fail(connection, "%s", why);
}

static bool create_channel(struct connection *connection)
{
	struct sessions *sessions = connection->sessions;

	connection->channel = channel_create(sessions->key, connection->ours, &sessions->output);
	if (!connection->channel)
		connection_fail(connection, "no memory for TLS");
	return connection->channel;
}

void connection_begin(struct connection *connection)
{
	if (!connection->sessions->key) {
		greet(connection);
		return;
	}
	connection->state = CONNECTION_SECURING;
	/* Who is connected to waits for the other's first bytes, and has no TLS for it before. */
	if (connection->ours && create_channel(connection))
		secure(connection);
}

/* ---- receiving ---- */

static bool is_over(const struct connection *connection)
{
	return connection->failed || connection->state == CONNECTION_CLOSED;
}

static void deliver(struct connection *connection, void *frame, size_t size)
{
	struct sessions *sessions = connection->sessions;

	if (!sessions->events->frame(sessions->user, connection->member, frame, size) &&
	    connection->state != CONNECTION_CLOSED)
		member_hang_up(sessions, connection->member);
}

static void answer_hello(struct connection *connection, const struct hello *hello)
{
	/* The answer comes first, whatever is wrong with the other's: it will find what is, too. */
	if (!connection->ours)
		send_hello(connection, hello->from);
	if (!is_over(connection))
		member_hello(connection, hello);
}

/* Bytes in the clear. */
static void take(struct connection *connection, const unsigned char *bytes, size_t size)
{
	while (size > 0 && !is_over(connection)) {
		struct reader_item item;
		size_t taken = frame_reader_take(&connection->reader, bytes, size, &item);

		bytes += taken;
		size -= taken;
		switch (item.result) {
		case READER_MORE:
			return;
		case READER_HELLO:
			answer_hello(connection, &item.hello);
			break;
		case READER_OWN:
			member_own_message(connection, &item.own);
			break;
		case READER_FRAME:
			deliver(connection, item.frame, item.size);
			break;
		case READER_WRONG:
			connection_fail(connection, "%s", item.why);
			break;
		}
	}
}

/* What TLS has of the input. */
static void take_secured(struct connection *connection)
{
	enum channel_result result = CHANNEL_DONE;

	while (result == CHANNEL_DONE && !is_over(connection)) {
		const unsigned char *bytes;
		const char *why = NULL;
		size_t size;

		result = channel_receive(connection->channel, &bytes, &size, &why);
		/* TLS may have had to answer something; what follows may send to others. */
		sender_flush(connection);
		if (result == CHANNEL_DONE)
			take(connection, bytes, size);
		else if (result != CHANNEL_MORE)
			connection_fail(connection, "%s", why ? why : "it closed the connection");
	}
}

static void consume(struct connection *connection, const unsigned char *bytes, size_t size)
{
	if (!connection->sessions->key) {
		take(connection, bytes, size);
		return;
	}
	if (!connection->channel) {
		if (bytes[0] != TLS_HANDSHAKE) {
			connection_fail(connection,
					"what it sends is not TLS: is there no key on its side, or no rdisk?");
			return;
		}
		if (!create_channel(connection))
			return;
	}
	channel_input(connection->channel, bytes, size);
	if (connection->state == CONNECTION_SECURING)
		secure(connection);
	if (connection->state != CONNECTION_SECURING)
		take_secured(connection);
}

static void tell_end(struct connection *connection)
{
	switch (connection->state) {
	case CONNECTION_SECURING:
	case CONNECTION_GREETING:
		connection_fail(connection,
				"it closed the connection at its beginning: all members need the same key_file, or "
				"none; its log may say more");
		break;
	case CONNECTION_WAITING:
	case CONNECTION_HELD:
		connection_fail(connection,
				"it closed the connection before that was the session: its log says why, unless "
				"there was another one");
		break;
	default:
		connection_fail(connection, "it closed the connection");
	}
}

/* Once a turn: what it brings is answered before more is received. */
static void receive(struct connection *connection)
{
	struct sessions *sessions = connection->sessions;
	ssize_t size = recv(connection->fd, sessions->receive, RECEIVE_SIZE, MSG_DONTWAIT);

	if (size < 0 && errno != EAGAIN && errno != EINTR)
		connection_fail(connection, "the connection broke: %s", strerror(errno));
	else if (size == 0)
		tell_end(connection);
	if (size <= 0)
		return;
	connection->heard = sessions->now;
	connection->asked = 0;
	if (connection->member >= 0)
		member_of(connection)->received += (uint64_t)size;
	consume(connection, sessions->receive, (size_t)size);
}

static void connection_ready(struct session_watch *watch, uint32_t events)
{
	struct connection *connection = (struct connection *)watch;

	if (is_over(connection))
		return;
	if (connection->state == CONNECTION_CONNECTING) {
		dialer_connected(connection);
		return;
	}
	if (events & EPOLLOUT)
		sender_run(connection);
	if (events & ~(uint32_t)EPOLLOUT)
		receive(connection);
}
