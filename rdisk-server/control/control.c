/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The connections of a control socket; see control.h. What a line says is control_order.c's business.
 *
 * A connection is read only while it has no order under way and has taken its last answer, and never beyond the end of
 * a line: what comes after stays with the kernel, which then says again that there is something.
 */
#include "control.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cJSON.h>

#include "control_internal.h"
#include "log.h"

#define LISTENER   CONTROL_CONNECTIONS_MAX /* in the place of a connection's index */
#define EVENTS_MAX (CONTROL_CONNECTIONS_MAX + 1)

/* ---- a connection ---- */

static uint64_t tag_of(const struct control *control, const struct control_connection *connection)
{
	return (uint64_t)connection->serial << 32 | (uint64_t)(connection - control->connections);
}

static void end_connection(struct control_connection *connection)
{
	/* epoll forgets it. */
	close(connection->fd);
	free(connection->output);
	*connection = (struct control_connection){ .fd = -1 };
}

/* Watches for what can be done next, or ends it when that is nothing. */
static void update(struct control *control, struct control_connection *connection)
{
	struct epoll_event event = { .data.u64 = tag_of(control, connection) };

	if (connection->fd < 0)
		return;
	if (connection->ended && !connection->order && !connection->output) {
		end_connection(connection);
		return;
	}
	if (connection->output)
		event.events = EPOLLOUT;
	if (connection->subscribed || (!connection->output && !connection->order))
		event.events |= EPOLLIN;
	if (connection->ended)
		event.events &= ~(uint32_t)EPOLLIN;
	if (event.events == connection->interest)
		return;
	connection->interest = event.events;
	if (epoll_ctl(control->epoll, EPOLL_CTL_MOD, connection->fd, &event)) {
		log_warning("cannot watch a connection of the control socket: %s", strerror(errno));
		end_connection(connection);
	}
}

/* Sends what there is to send, as much as is taken now. */
static void flush(struct control_connection *connection)
{
	ssize_t sent;

	do
		sent = send(connection->fd, connection->output, connection->output_size, MSG_NOSIGNAL | MSG_DONTWAIT);
	while (sent < 0 && errno == EINTR);
	if (sent < 0) {
		if (errno != EAGAIN)
			end_connection(connection);
		return;
	}
	connection->output_size -= (size_t)sent;
	if (connection->output_size) {
		memmove(connection->output, connection->output + sent, connection->output_size);
		return;
	}
	free(connection->output);
	connection->output = NULL;
}

/* Adds a line to what is to be sent. False: no memory, or it takes too little of it. */
static bool add_output(struct control_connection *connection, const char *text, size_t length)
{
	size_t size = connection->output_size + length + 1;
	char *output;

	if (size > CONTROL_OUTPUT_MAX)
		return false;
	output = realloc(connection->output, size);
	if (!output)
		return false;
	memcpy(output + connection->output_size, text, length);
	output[size - 1] = '\n';
	connection->output = output;
	connection->output_size = size;
	return true;
}

void control_send(struct control *control, struct control_connection *connection, cJSON *object)
{
	char *text = object ? cJSON_PrintUnformatted(object) : NULL;

	if (connection->fd >= 0 && text && add_output(connection, text, strlen(text))) {
		flush(connection);
	} else if (connection->fd >= 0) {
		log_warning("a connection of the control socket is ended: %s",
			    text ? "it does not take what it is sent" : "no memory for an answer");
		end_connection(connection);
	}
	update(control, connection);
	cJSON_free(text);
	cJSON_Delete(object);
}

static ssize_t receive(const struct control_connection *connection, char *bytes, size_t size, int flags)
{
	ssize_t received;

	do
		received = recv(connection->fd, bytes, size, MSG_DONTWAIT | flags);
	while (received < 0 && errno == EINTR);
	return received;
}

/* Takes bytes to the end of a line, or all that there are. Whether a line is whole now. */
static bool read_line(struct control_connection *connection)
{
	char *place = connection->line + connection->length;
	ssize_t bytes = receive(connection, place, sizeof(connection->line) - connection->length, MSG_PEEK);
	const char *end = bytes > 0 ? memchr(place, '\n', (size_t)bytes) : NULL;

	if (bytes < 0) {
		if (errno != EAGAIN)
			connection->ended = true;
		return false;
	}
	/* What was looked at is there; 0 is the end. */
	bytes = receive(connection, place, end ? (size_t)(end - place) + 1 : (size_t)bytes, 0);
	if (bytes <= 0) {
		connection->ended = true;
		return false;
	}
	connection->length += (size_t)bytes;
	return end != NULL;
}

static void take_input(struct control *control, struct control_connection *connection, uint64_t now)
{
	size_t length;

	if (connection->subscribed) {
		ssize_t bytes = receive(connection, connection->line, sizeof(connection->line), 0);

		/* It has no more to say. */
		connection->ended = bytes == 0 || (bytes < 0 && errno != EAGAIN);
		return;
	}
	connection->used = ++control->lines;
	if (!read_line(connection)) {
		if (connection->length < sizeof(connection->line))
			return;
		connection->ended = true;
		control_send(control, connection,
			     control_error_json("bad-request", "the line is longer than a command can be"));
		return;
	}
	length = connection->length;
	connection->length = 0;
	control_obey(control, connection, now, connection->line, length);
}

static void serve(struct control *control, struct control_connection *connection, uint32_t events, uint64_t now)
{
	/* Nobody is there any more. What becomes of an order that is under way is its owner's business. */
	if (events & EPOLLERR || (events & EPOLLHUP && !(events & EPOLLIN))) {
		end_connection(connection);
		return;
	}
	if (events & EPOLLOUT && connection->output)
		flush(connection);
	if (events & EPOLLIN && connection->fd >= 0)
		take_input(control, connection, now);
	/* The end of one that gets events is the end. */
	if (connection->fd >= 0 && connection->subscribed && connection->ended)
		end_connection(connection);
	update(control, connection);
}

/* ---- new ones ---- */

/* A free place, or that of the one that has been idle for longest; NULL: all are at work. */
static struct control_connection *find_place(struct control *control)
{
	struct control_connection *idle = NULL;

	for (int i = 0; i < CONTROL_CONNECTIONS_MAX; i++) {
		struct control_connection *connection = &control->connections[i];

		if (connection->fd < 0)
			return connection;
		if (!connection->order && !connection->subscribed && !connection->output &&
		    (!idle || connection->used < idle->used))
			idle = connection;
	}
	if (idle)
		end_connection(idle);
	return idle;
}

static void begin_connection(struct control *control, int fd)
{
	static const char busy[] =
		"{\"error\":\"not-now\",\"message\":\"too many others are connected to the control socket: end one "
		"(rdiskctl status --watch, rdiskctl events), or try again\"}\n";
	struct control_connection *connection = find_place(control);
	struct epoll_event event = { .events = EPOLLIN };

	if (!connection) {
		(void)!send(fd, busy, sizeof(busy) - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
		close(fd);
		return;
	}
	*connection = (struct control_connection){
		.fd = fd,
		.serial = ++control->serials,
		.interest = EPOLLIN,
		.used = ++control->lines,
	};
	event.data.u64 = tag_of(control, connection);
	if (epoll_ctl(control->epoll, EPOLL_CTL_ADD, fd, &event)) {
		log_warning("cannot watch a connection of the control socket: %s", strerror(errno));
		end_connection(connection);
	}
}

static void accept_all(struct control *control)
{
	for (;;) {
		int fd = accept4(control->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (fd >= 0) {
			begin_connection(control, fd);
			continue;
		}
		if (errno == EINTR || errno == ECONNABORTED)
			continue;
		if ((errno != EMFILE && errno != ENFILE) || control->spare < 0)
			return;
		/* Who waits is hung up on, else the listener would be ready again and again. Perhaps nobody does. */
		close(control->spare);
		fd = accept4(control->listener, NULL, NULL, SOCK_CLOEXEC);
		if (fd >= 0)
			close(fd);
		control->spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			return;
		log_limited(LOG_LEVEL_WARNING, "the control socket hangs up: too many open files");
	}
}

/* ---- the socket ---- */

int control_open(struct control **control, const struct replication_configuration *replication,
		 const struct control_orders *orders, void *user, struct diagnostic *diagnostic)
{
	struct epoll_event event = { .events = EPOLLIN, .data.u64 = LISTENER };
	struct control *fresh = calloc(1, sizeof(*fresh));

	*control = NULL;
	if (!fresh)
		return diagnostic_set(diagnostic, "no memory for the control socket");
	fresh->replication = replication;
	fresh->orders = orders;
	fresh->user = user;
	for (int i = 0; i < CONTROL_CONNECTIONS_MAX; i++)
		fresh->connections[i].fd = -1;
	fresh->spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
	fresh->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (fresh->epoll < 0 || fresh->spare < 0) {
		diagnostic_set(diagnostic, "cannot set up the control socket: %s", strerror(errno));
		goto fail;
	}
	fresh->listener = control_socket_listen(replication->control, &fresh->device, &fresh->inode, diagnostic);
	if (fresh->listener < 0)
		goto fail;
	if (epoll_ctl(fresh->epoll, EPOLL_CTL_ADD, fresh->listener, &event)) {
		diagnostic_set(diagnostic, "cannot watch control socket %s: %s", replication->control, strerror(errno));
		control_close(fresh);
		return -1;
	}
	*control = fresh;
	return 0;
fail:
	if (fresh->epoll >= 0)
		close(fresh->epoll);
	if (fresh->spare >= 0)
		close(fresh->spare);
	free(fresh);
	return -1;
}

int control_descriptor(const struct control *control)
{
	return control->epoll;
}

void control_turn(struct control *control, uint64_t now)
{
	struct epoll_event events[EVENTS_MAX];
	int nr_events = epoll_wait(control->epoll, events, EVENTS_MAX, 0);

	for (int i = 0; i < nr_events; i++) {
		uint64_t index = events[i].data.u64 & UINT32_MAX;
		struct control_connection *connection = &control->connections[index % CONTROL_CONNECTIONS_MAX];

		if (index == LISTENER)
			accept_all(control);
		else if (connection->fd >= 0 && tag_of(control, connection) == events[i].data.u64)
			serve(control, connection, events[i].events, now);
	}
}

void control_event(struct control *control, const struct control_event *event)
{
	struct timespec at;

	clock_gettime(CLOCK_REALTIME, &at);
	for (int i = 0; i < CONTROL_CONNECTIONS_MAX; i++) {
		struct control_connection *connection = &control->connections[i];

		if (connection->fd >= 0 && connection->subscribed)
			control_send(control, connection, control_event_json(control->replication, event, at));
	}
}

void control_close(struct control *control)
{
	if (!control)
		return;
	for (int i = 0; i < CONTROL_CONNECTIONS_MAX; i++) {
		if (control->connections[i].fd >= 0)
			end_connection(&control->connections[i]);
	}
	control_socket_remove(control->replication->control, control->device, control->inode);
	close(control->listener);
	close(control->epoll);
	if (control->spare >= 0)
		close(control->spare);
	free(control);
}
