/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Connecting to a member that there is no session with: to its addresses one after the other, then again after a time
 * that doubles with each failure, up to a limit, and is in part random.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "log.h"
#include "session_internal.h"

void dialer_back_off(struct sessions *sessions, struct member *member)
{
	const struct session_settings *settings = &sessions->settings;

	member->next_attempt = sessions->now + member->retry / 2 + sessions_random(member->retry / 2);
	member->retry = member->retry * 2 < settings->retry_most ? member->retry * 2 : settings->retry_most;
}

void dialer_soon(struct sessions *sessions, struct member *member)
{
	bool lower = sessions->members[sessions->settings.self].settings.node < member->settings.node;

	member->retry = sessions->settings.retry_least;
	/* The one whose connection it will be anyway is first. */
	member->next_attempt = sessions->now + (lower ? 0 : sessions_random(member->retry));
}

/* Whether a connection of the other's is about to become the session. */
static bool is_expected(const struct sessions *sessions, int index)
{
	const struct connection *connection;

	TAILQ_FOREACH(connection, &sessions->connections, next)
	{
		if (connection->member == index && !connection->failed && connection->state >= CONNECTION_WAITING)
			return true;
	}
	return false;
}

/* Why, and where if that is not in the list already. */
static void describe(const struct member *member, const struct resolved_address *address, int error,
		     char why[static SESSION_WHY_SIZE])
{
	char text[SESSION_ADDRESS_SIZE];

	if (member->in_digits)
		(void)snprintf(why, SESSION_WHY_SIZE, "cannot connect: %s", strerror(error));
	else
		(void)snprintf(why, SESSION_WHY_SIZE, "cannot connect to %s: %s", address_text(address, text),
			       strerror(error));
}

static void failed(struct sessions *sessions, struct member *member, int error)
{
	char why[SESSION_WHY_SIZE];

	describe(member, &member->resolved.addresses[member->next_address - 1], error, why);
	member_note(member, why);
	if (member->next_address < member->resolved.count)
		member->next_attempt = sessions->now;
	else
		dialer_back_off(sessions, member);
}

static void connect_next(struct sessions *sessions, int index)
{
	struct member *member = &sessions->members[index];
	const struct resolved_address *address = &member->resolved.addresses[member->next_address++];
	int fd = socket(address->any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	struct connection *connection;

	if (fd < 0) {
		failed(sessions, member, errno);
		return;
	}
	if (connection_limit_receiving(fd) || (connect(fd, &address->any, address->size) && errno != EINPROGRESS)) {
		failed(sessions, member, errno);
		(void)close(fd);
		return;
	}
	/* Epoll tells when it is connected, also if it is so at once. */
	connection = connection_create(sessions, fd, address, true, index);
	if (!connection) {
		failed(sessions, member, ENOMEM);
		return;
	}
	member->attempt = connection;
}

void dialer_connected(struct connection *connection)
{
	struct sessions *sessions = connection->sessions;
	socklen_t size = sizeof(int);
	int error = 0, code;

	if (getsockopt(connection->fd, SOL_SOCKET, SO_ERROR, &error, &size))
		error = errno;
	if (error) {
		char why[SESSION_WHY_SIZE];

		describe(member_of(connection), &connection->peer, error, why);
		connection_fail(connection, "%s", why);
		return;
	}
	code = sessions_watch(sessions, connection->fd, &connection->watch, EPOLLIN, false);
	if (code)
		connection_fail(connection, "epoll: %s", strerror(-code));
	else
		connection_begin(connection);
}

/* A name is looked up again when all of its addresses were tried. */
static bool needs_look_up(const struct member *member)
{
	return !member->in_digits && member->next_address >= member->resolved.count;
}

void dialer_run(struct sessions *sessions, int index)
{
	struct member *member = &sessions->members[index];

	if (member->session || member->attempt || member->job || sessions->now < member->next_attempt ||
	    is_expected(sessions, index))
		return;
	if (needs_look_up(member)) {
		member->job = resolver_begin(member->settings.address, member->settings.port, sessions->eventfd);
		if (!member->job) {
			member_note(member, "its name cannot be looked up: no thread for it");
			dialer_back_off(sessions, member);
		}
		return;
	}
	if (member->next_address >= member->resolved.count)
		member->next_address = 0;
	connect_next(sessions, index);
}

void dialer_resolved(struct session_watch *watch, uint32_t events)
{
	struct sessions *sessions = (struct sessions *)((char *)watch - offsetof(struct sessions, resolver_watch));
	uint64_t count;

	(void)events;
	if (read(sessions->eventfd, &count, sizeof(count)) < 0)
		return;
	for (int i = 0; i < sessions->settings.count; i++) {
		struct member *member = &sessions->members[i];
		char why[SESSION_WHY_SIZE];

		if (!member->job || !resolver_collect(member->job, &member->resolved))
			continue;
		member->job = NULL;
		member->next_address = 0;
		if (member->resolved.count > 0)
			continue;
		(void)snprintf(why, sizeof(why), "its name %s: %s", member->settings.address, member->resolved.why);
		member_note(member, why);
		dialer_back_off(sessions, member);
	}
}

uint64_t dialer_next_time(const struct sessions *sessions, int index)
{
	const struct member *member = &sessions->members[index];

	if (member->session || member->attempt || member->job || is_expected(sessions, index))
		return SESSION_NEVER;
	return member->next_attempt;
}
