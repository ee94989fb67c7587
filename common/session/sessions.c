/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sessions as a whole: settings, the turn, and what the caller sends.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <unistd.h>

#include "session_internal.h"

#define EVENTS_ONCE 64

/* ---- settings ---- */

static uint64_t time_or(uint64_t time, uint64_t otherwise)
{
	return time ? time : otherwise;
}

static int check_members(const struct session_settings *settings, struct diagnostic *diagnostic)
{
	for (int i = 0; i < settings->count; i++) {
		if (!settings->members[i].address || !settings->members[i].address[0] || settings->members[i].port == 0)
			return diagnostic_set(diagnostic, "sessions: node %u has no address or port",
					      settings->members[i].node);
		for (int k = 0; k < i; k++) {
			if (settings->members[k].node == settings->members[i].node)
				return diagnostic_set(diagnostic, "sessions: two members are node %u",
						      settings->members[i].node);
		}
	}
	return 0;
}

static int check_settings(const struct session_settings *settings, struct diagnostic *diagnostic)
{
	size_t set = settings->set ? strlen(settings->set) : 0;

	if (settings->count < 1 || settings->count > SESSION_MEMBERS_MAX || settings->self < 0 ||
	    settings->self >= settings->count)
		return diagnostic_set(diagnostic, "sessions: there have to be 1 to %d members, of which this is one",
				      SESSION_MEMBERS_MAX);
	if (set == 0 || set > SESSION_SET_MAX)
		return diagnostic_set(diagnostic, "sessions: the set's name has to have 1 to %d bytes",
				      SESSION_SET_MAX);
	if (settings->key_size != 0 && settings->key_size != SESSION_KEY_SIZE)
		return diagnostic_set(diagnostic, "sessions: a key has %d bytes", SESSION_KEY_SIZE);
	if (settings->frame_max < 1 || settings->frame_max > SESSION_FRAME_MAX)
		return diagnostic_set(diagnostic, "sessions: frames have to have 1 to %u bytes", SESSION_FRAME_MAX);
	return check_members(settings, diagnostic);
}

static int copy_times(struct sessions *sessions, struct diagnostic *diagnostic)
{
	struct session_settings *settings = &sessions->settings;

	settings->idle = time_or(settings->idle, 1000 * NS_PER_MS);
	settings->dead = time_or(settings->dead, 4 * settings->idle);
	settings->handshake = time_or(settings->handshake, 5000 * NS_PER_MS);
	settings->retry_least = time_or(settings->retry_least, 50 * NS_PER_MS);
	settings->retry_most = time_or(settings->retry_most, 2000 * NS_PER_MS);
	if (settings->dead <= settings->idle || settings->dead / NS_PER_MS > INT32_MAX)
		return diagnostic_set(diagnostic,
				      "sessions: the silence after which one ends has to be longer than that "
				      "after which a member is asked");
	if (settings->retry_most < settings->retry_least)
		settings->retry_most = settings->retry_least;
	return 0;
}

static int copy_members(struct sessions *sessions, const struct session_member *members, struct diagnostic *diagnostic)
{
	size_t queue = sessions->settings.queue_bytes, least = record_bytes(sessions->settings.frame_max);

	sessions->members = calloc((size_t)sessions->settings.count, sizeof(sessions->members[0]));
	if (!sessions->members)
		return diagnostic_set(diagnostic, "sessions: no memory");
	for (int i = 0; i < sessions->settings.count; i++) {
		struct member *member = &sessions->members[i];
		int code = 0;

		member->settings = members[i];
		member->settings.address = strdup(members[i].address);
		if (!member->settings.address)
			return diagnostic_set(diagnostic, "sessions: no memory");
		member->retry = sessions->settings.retry_least;
		member->in_digits = resolver_digits(members[i].address, members[i].port, &member->resolved);
		(void)snprintf(member->why, sizeof(member->why), "it was not seen yet");
		for (int class = 0; class < SESSION_CLASSES && !code && i != sessions->settings.self; class ++)
			code = frame_queue_init(&member->queues[class], queue > least ? queue : least);
		if (code)
			return diagnostic_set(diagnostic, "sessions: no memory for queues: %s", strerror(-code));
	}
	return 0;
}

/* ---- begin and end ---- */

int sessions_watch(struct sessions *sessions, int fd, struct session_watch *watch, uint32_t events, bool anew)
{
	struct epoll_event event = { .events = events, .data.ptr = watch };

	return epoll_ctl(sessions->epoll, anew ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, fd, &event) ? -errno : 0;
}

uint64_t sessions_random(uint64_t most)
{
	uint64_t value = 0;

	/* As little as this is always there once the host has started; else it is the least. */
	if (getrandom(&value, sizeof(value), GRND_NONBLOCK) != (ssize_t)sizeof(value))
		return 0;
	return most == UINT64_MAX ? value : value % (most + 1);
}

static int open_descriptors(struct sessions *sessions, struct diagnostic *diagnostic)
{
	int code;

	sessions->epoll = sessions->settings.epoll > 0 ? sessions->settings.epoll : epoll_create1(EPOLL_CLOEXEC);
	sessions->eventfd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (sessions->epoll < 0 || sessions->eventfd < 0)
		return diagnostic_set(diagnostic, "sessions: no descriptors: %s", strerror(errno));
	sessions->resolver_watch.ready = dialer_resolved;
	code = sessions_watch(sessions, sessions->eventfd, &sessions->resolver_watch, EPOLLIN, true);
	return code ? diagnostic_set(diagnostic, "sessions: epoll: %s", strerror(-code)) : 0;
}

static int open_all(struct sessions *sessions, const struct session_settings *settings, struct diagnostic *diagnostic)
{
	sessions->output.size = channel_bytes(SEND_SIZE + 2 * RECORD_SIZE_MAX);
	sessions->output.bytes = malloc(sessions->output.size);
	sessions->receive = malloc(RECEIVE_SIZE);
	if (!sessions->output.bytes || !sessions->receive)
		return diagnostic_set(diagnostic, "sessions: no memory");
	if (getrandom(&sessions->process, sizeof(sessions->process), 0) != (ssize_t)sizeof(sessions->process))
		return diagnostic_set(diagnostic, "sessions: no random numbers: %s", strerror(errno));
	if (copy_times(sessions, diagnostic) || copy_members(sessions, settings->members, diagnostic) ||
	    open_descriptors(sessions, diagnostic))
		return -1;
	if (settings->key_size > 0 && channel_key_create(&sessions->key, settings->key, diagnostic))
		return -1;
	return listener_open(sessions, diagnostic);
}

int sessions_open(struct sessions **sessions, const struct session_settings *settings,
		  const struct session_events *events, void *user, struct diagnostic *diagnostic)
{
	struct sessions *made;

	if (check_settings(settings, diagnostic))
		return -1;
	made = calloc(1, sizeof(*made));
	if (!made)
		return diagnostic_set(diagnostic, "sessions: no memory");
	made->epoll = made->listener = made->eventfd = -1;
	made->events = events;
	made->user = user;
	made->settings = *settings;
	made->settings.members = NULL;
	made->settings.key = NULL;
	made->settings.set = made->set;
	(void)snprintf(made->set, sizeof(made->set), "%s", settings->set);
	TAILQ_INIT(&made->connections);
	TAILQ_INIT(&made->closed);
	if (!open_all(made, settings, diagnostic)) {
		*sessions = made;
		return 0;
	}
	sessions_close(made);
	return -1;
}

static void close_member(struct member *member)
{
	if (member->session && !member->session->failed)
		sender_run(member->session);
	resolver_abandon(member->job);
	for (int class = 0; class < SESSION_CLASSES; class ++)
		frame_queue_free(&member->queues[class]);
	free((char *)member->settings.address);
}

static void close_descriptor(int fd)
{
	if (fd >= 0)
		(void)close(fd);
}

void sessions_close(struct sessions *sessions)
{
	struct connection *connection;

	if (!sessions)
		return;
	for (int i = 0; sessions->members && i < sessions->settings.count; i++)
		close_member(&sessions->members[i]);
	while ((connection = TAILQ_FIRST(&sessions->connections)))
		connection_close(connection);
	connection_free_closed(sessions);
	close_descriptor(sessions->listener);
	close_descriptor(sessions->eventfd);
	if (sessions->settings.epoll <= 0)
		close_descriptor(sessions->epoll);
	channel_key_free(sessions->key);
	free(sessions->members);
	free(sessions->output.bytes);
	free(sessions->receive);
	free(sessions);
}

int sessions_descriptor(const struct sessions *sessions)
{
	return sessions->epoll;
}

/* ---- the turn ---- */

static struct connection *first_failed(const struct sessions *sessions)
{
	struct connection *connection;

	TAILQ_FOREACH(connection, &sessions->connections, next)
	{
		if (connection->failed)
			return connection;
	}
	return NULL;
}

static void reap(struct sessions *sessions)
{
	struct connection *connection;

	while ((connection = first_failed(sessions)))
		member_reap(connection);
}

static void take_events(struct sessions *sessions)
{
	struct epoll_event events[EVENTS_ONCE];
	int count = epoll_wait(sessions->epoll, events, EVENTS_ONCE, 0);

	for (int i = 0; i < count; i++) {
		struct session_watch *watch = events[i].data.ptr;

		watch->ready(watch, events[i].events);
	}
}

static void end_late_ones(struct sessions *sessions)
{
	struct connection *connection;

	TAILQ_FOREACH(connection, &sessions->connections, next)
	{
		if (connection->state < CONNECTION_HELD && sessions->now >= connection->deadline)
			connection_fail(connection, "it took longer than %llu ms to become a session",
					(unsigned long long)(sessions->settings.handshake / NS_PER_MS));
	}
}

/* A class that refused a frame has room for it again. */
static bool has_room(const struct member *member)
{
	for (int class = 0; member->session && class < SESSION_CLASSES; class ++) {
		if (member->refused[class] > 0 &&
		    frame_queue_room(&member->queues[class]) >= record_bytes(member->refused[class]))
			return true;
	}
	return false;
}

static void tell_room(struct sessions *sessions, int index)
{
	struct member *member = &sessions->members[index];

	for (int class = 0; class < SESSION_CLASSES; class ++) {
		if (frame_queue_room(&member->queues[class]) >= record_bytes(member->refused[class]))
			member->refused[class] = 0;
	}
	sessions->events->room(sessions->user, index);
}

void sessions_turn(struct sessions *sessions, uint64_t now_ns)
{
	sessions->now = now_ns;
	take_events(sessions);
	listener_run(sessions);
	end_late_ones(sessions);
	for (int i = 0; i < sessions->settings.count; i++) {
		struct member *member = &sessions->members[i];

		if (i == sessions->settings.self)
			continue;
		member_run(sessions, i);
		dialer_run(sessions, i);
		if (member->more_to_send && member->session)
			sender_run(member->session);
		if (has_room(member))
			tell_room(sessions, i);
	}
	reap(sessions);
	connection_free_closed(sessions);
}

uint64_t sessions_next_time(const struct sessions *sessions)
{
	uint64_t next = sessions->listen_again ? sessions->listen_again : SESSION_NEVER;
	const struct connection *connection;

	TAILQ_FOREACH(connection, &sessions->connections, next)
	{
		if (connection->failed)
			return 0;
		if (connection->state < CONNECTION_HELD && connection->deadline < next)
			next = connection->deadline;
	}
	for (int i = 0; i < sessions->settings.count; i++) {
		const struct member *member = &sessions->members[i];
		uint64_t times[] = { dialer_next_time(sessions, i), member_next_time(sessions, i) };

		if (i == sessions->settings.self)
			continue;
		if (member->more_to_send || has_room(member))
			return 0;
		for (int k = 0; k < 2; k++)
			next = times[k] < next ? times[k] : next;
	}
	return next;
}

/* ---- what is sent ---- */

static bool can_send(const struct member *member)
{
	return member->session && !member->session->failed;
}

/* Whether LZ4 is to be tried on what comes next. AUTO: what is there before it waits for a link that is slow. */
static bool wants_compression(const struct sessions *sessions, const struct member *member)
{
	switch (sessions->settings.compression) {
	case SESSION_COMPRESSION_ON:
		return true;
	case SESSION_COMPRESSION_AUTO:
		return member->session->slow;
	default:
		return false;
	}
}

bool sessions_send(struct sessions *sessions, int index, int session_class, const void *head, size_t head_size,
		   const void *data, size_t data_size)
{
	struct member *member = &sessions->members[index];
	struct frame_queue *queue = &member->queues[session_class];
	struct frame_source source = {
		.head = head,
		.data = data,
		.head_size = head_size,
		.data_size = data_size,
		.total = (uint32_t)(head_size + data_size),
		.first = true,
	};
	bool first = !member->first_put, done = false;

	if (!can_send(member) || head_size > sessions->settings.frame_max ||
	    data_size > sessions->settings.frame_max - head_size || head_size + data_size == 0)
		return false;
	if (frame_queue_room(queue) < record_bytes(source.total)) {
		if (member->refused[session_class] < source.total)
			member->refused[session_class] = source.total;
		return false;
	}
	if (first) {
		member->first_put = true;
		member->first_class = (unsigned int)session_class;
		member->first_end = UINT64_MAX;
	}
	while (!done) {
		uint64_t before = queue->put;

		done = frame_queue_put(queue, (unsigned int)session_class, &source,
				       wants_compression(sessions, member) ? &member->compression : NULL);
		member->gathered += (size_t)(queue->put > before ? queue->put - before : queue->put);
		if (done && first)
			member->first_end = queue->put;
		if (member->gathered >= SEND_SIZE && !member->session->wants_output)
			sender_run(member->session);
	}
	return true;
}

size_t sessions_waiting(const struct sessions *sessions, int member, int session_class)
{
	return frame_queue_waiting(&sessions->members[member].queues[session_class]);
}

void sessions_push(struct sessions *sessions)
{
	for (int i = 0; i < sessions->settings.count; i++) {
		struct member *member = &sessions->members[i];

		/* What waits for the kernel goes on when epoll says so. */
		if (can_send(member) && member->gathered > 0 && !member->session->wants_output)
			sender_run(member->session);
	}
}

void sessions_rest(struct sessions *sessions)
{
	for (int i = 0; i < sessions->settings.count; i++) {
		for (int class = 0; class < SESSION_CLASSES && i != sessions->settings.self; class ++)
			frame_queue_rest(&sessions->members[i].queues[class]);
	}
}

void sessions_hang_up(struct sessions *sessions, int index)
{
	member_hang_up(sessions, index);
}

void sessions_status(const struct sessions *sessions, int index, struct session_status *status)
{
	const struct member *member = &sessions->members[index];

	*status = (struct session_status){
		.up = member->session,
		.since = member->since,
		.sent = member->sent,
		.received = member->received,
		.answered = member->answered,
	};
	if (member->session)
		address_text(&member->session->peer, status->address);
	else
		(void)snprintf(status->why, sizeof(status->why), "%s", member->why);
}
