/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Accepting. Anybody can connect; so what that can cost is bounded here: how many connections there are that are no
 * member's yet, and how many a second come from addresses that no member has. Who comes from a member's address is
 * preferred: it takes the place of one that does not.
 */
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <unistd.h>

#include "log.h"
#include "session_internal.h"

#define BACKLOG	      64
#define NS_PER_SECOND 1000000000ull
#define LISTEN_AGAIN  NS_PER_SECOND /* after descriptors or memory ran out */

static void listener_ready(struct session_watch *watch, uint32_t events);

/* The descriptor, or -errno. */
static int bind_and_listen(const struct resolved_address *address)
{
	const int yes = 1;
	int fd = socket(address->any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), error;

	if (fd < 0)
		return -errno;
	if (!connection_limit_receiving(fd) && !setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes)) &&
	    !bind(fd, &address->any, address->size) && !listen(fd, BACKLOG))
		return fd;
	error = errno;
	(void)close(fd);
	return -error;
}

static int describe(const struct session_member *own, int error, struct diagnostic *diagnostic)
{
	const char *cure = "";

	if (error == EADDRNOTAVAIL)
		cure = "; no interface of this host has that address: is this the right member?";
	else if (error == EADDRINUSE)
		cure = "; another process has it: is this member running already?";
	else if (error == EACCES)
		cure = "; ports below 1024 are for root";
	return diagnostic_set(diagnostic, "cannot listen on %s port %u: %s%s", own->address, own->port, strerror(error),
			      cure);
}

int listener_open(struct sessions *sessions, struct diagnostic *diagnostic)
{
	struct member *self = &sessions->members[sessions->settings.self];
	int code = -EADDRNOTAVAIL;

	if (!self->in_digits)
		resolver_look_up(self->settings.address, self->settings.port, &self->resolved);
	if (self->resolved.count == 0)
		return diagnostic_set(diagnostic, "cannot listen on %s: %s", self->settings.address,
				      self->resolved.why);
	/* A name can have others' addresses, too. */
	for (int i = 0; i < self->resolved.count; i++) {
		code = bind_and_listen(&self->resolved.addresses[i]);
		if (code != -EADDRNOTAVAIL)
			break;
	}
	if (code < 0)
		return describe(&self->settings, -code, diagnostic);
	sessions->listener = code;
	sessions->listener_watch.ready = listener_ready;
	code = sessions_watch(sessions, sessions->listener, &sessions->listener_watch, EPOLLIN, true);
	return code ? diagnostic_set(diagnostic, "cannot listen on %s: epoll: %s", self->settings.address,
				     strerror(-code))
		    : 0;
}

static bool same_host(const struct resolved_address *a, const struct resolved_address *b)
{
	if (a->any.sa_family != b->any.sa_family)
		return false;
	if (a->any.sa_family == AF_INET)
		return ((const struct sockaddr_in *)&a->storage)->sin_addr.s_addr ==
		       ((const struct sockaddr_in *)&b->storage)->sin_addr.s_addr;
	return a->any.sa_family == AF_INET6 &&
	       memcmp(&((const struct sockaddr_in6 *)&a->storage)->sin6_addr,
		      &((const struct sockaddr_in6 *)&b->storage)->sin6_addr, sizeof(struct in6_addr)) == 0;
}

static bool is_a_members(const struct sessions *sessions, const struct resolved_address *address)
{
	for (int i = 0; i < sessions->settings.count; i++) {
		const struct resolved *resolved = &sessions->members[i].resolved;

		for (int k = 0; k < resolved->count; k++) {
			if (i != sessions->settings.self && same_host(&resolved->addresses[k], address))
				return true;
		}
	}
	return false;
}

/* Whether one more from an address that no member has is within the rate; up to a second's can come at once. */
static bool stranger_may_come(struct sessions *sessions)
{
	if (sessions->strangers_ns + NS_PER_SECOND < sessions->now)
		sessions->strangers_ns = sessions->now - NS_PER_SECOND;
	if (sessions->strangers_ns > sessions->now)
		return false;
	sessions->strangers_ns += NS_PER_SECOND / STRANGERS_RATE;
	return true;
}

/* Has room for one more, if it must by closing the oldest that is worth less. */
static bool make_room(struct sessions *sessions, bool from_a_member)
{
	struct connection *connection, *stranger = NULL, *oldest = NULL;
	int count = 0;

	TAILQ_FOREACH(connection, &sessions->connections, next)
	{
		if (connection->ours || connection->failed || connection->state >= CONNECTION_HELD)
			continue;
		count++;
		if (!stranger && !connection->from_a_member && connection->member < 0)
			stranger = connection;
		if (!oldest && connection->member < 0)
			oldest = connection;
	}
	if (count < HALF_OPEN_MAX)
		return true;
	if (!stranger && from_a_member)
		stranger = oldest;
	if (!stranger)
		return false;
	connection_fail(stranger, "it says nothing, and there are too many of its kind");
	member_reap(stranger);
	return true;
}

static void take(struct sessions *sessions, int fd, const struct resolved_address *address)
{
	bool from_a_member = is_a_members(sessions, address);
	char text[SESSION_ADDRESS_SIZE];
	struct connection *connection;

	if ((!from_a_member && !stranger_may_come(sessions)) || !make_room(sessions, from_a_member)) {
		log_limited(LOG_LEVEL_WARNING, "session: %s: too many connections that are no member's",
			    address_text(address, text));
		(void)close(fd);
		return;
	}
	connection = connection_create(sessions, fd, address, false, -1);
	if (!connection) {
		log_limited(LOG_LEVEL_WARNING, "session: %s: no memory for its connection",
			    address_text(address, text));
		return;
	}
	connection->from_a_member = from_a_member;
	connection_begin(connection);
}

/* Not to be told again and again of a connection that cannot be taken. */
static void pause_listening(struct sessions *sessions, int error)
{
	log_limited(LOG_LEVEL_WARNING, "session: cannot accept connections: %s; again in a second", strerror(error));
	if (!sessions_watch(sessions, sessions->listener, &sessions->listener_watch, 0, false))
		sessions->listen_again = sessions->now + LISTEN_AGAIN;
}

static void listener_ready(struct session_watch *watch, uint32_t events)
{
	struct sessions *sessions = (struct sessions *)((char *)watch - offsetof(struct sessions, listener_watch));

	(void)events;
	for (int i = 0; i < ACCEPT_ONCE; i++) {
		struct resolved_address address = { .size = sizeof(address.storage) };
		int fd = accept4(sessions->listener, &address.any, &address.size, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd >= 0) {
			take(sessions, fd, &address);
			continue;
		}
		if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
			pause_listening(sessions, errno);
		/* Anything else is the matter of one connection, or there is none. */
		if (errno != EINTR && errno != ECONNABORTED)
			return;
	}
}

void listener_run(struct sessions *sessions)
{
	if (sessions->listen_again == 0 || sessions->now < sessions->listen_again)
		return;
	if (!sessions_watch(sessions, sessions->listener, &sessions->listener_watch, EPOLLIN, false))
		sessions->listen_again = 0;
}
