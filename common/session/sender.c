/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a connection sends: own messages first, then frames, CONTROL before STREAM, but the session's first frame before
 * all. As much as one send() is for is encrypted at a time, and when the kernel does not take it, no more is: what is
 * urgent goes before all that is still in the queues.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "session_internal.h"

static void add_unsent(struct connection *connection, const unsigned char *bytes, size_t size)
{
	size_t left = connection->unsent_size - connection->unsent_done;
	unsigned char *all;

	if (size > UNSENT_MAX - left) {
		connection_fail(connection, "it does not take what it asks for");
		return;
	}
	all = malloc(left + size);
	if (!all) {
		connection_fail(connection, "no memory for what is to be sent");
		return;
	}
	if (left > 0)
		memcpy(all, connection->unsent + connection->unsent_done, left);
	memcpy(all + left, bytes, size);
	free(connection->unsent);
	connection->unsent = all;
	connection->unsent_size = left + size;
	connection->unsent_done = 0;
}

/* What the kernel takes of it: 0 also if that is nothing, or an error, which fails the connection. */
static size_t send_some(struct connection *connection, const unsigned char *bytes, size_t size)
{
	size_t done = 0;

	while (done < size) {
		ssize_t sent = send(connection->fd, bytes + done, size - done, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (sent < 0 && errno == EINTR)
			continue;
		if (sent < 0 && errno != EAGAIN)
			connection_fail(connection, "the connection broke: %s", strerror(errno));
		if (sent < 0)
			break;
		done += (size_t)sent;
	}
	connection->rate_bytes += done;
	if (connection->member >= 0)
		member_of(connection)->sent += done;
	return done;
}

static bool has_unsent(const struct connection *connection)
{
	return connection->unsent_done < connection->unsent_size;
}

static void send_unsent(struct connection *connection)
{
	connection->unsent_done += send_some(connection, connection->unsent + connection->unsent_done,
					     connection->unsent_size - connection->unsent_done);
	if (has_unsent(connection))
		return;
	free(connection->unsent);
	connection->unsent = NULL;
	connection->unsent_size = connection->unsent_done = 0;
}

/* Has epoll tell when the kernel takes more, while there is something that waits for that. */
static void watch_output(struct connection *connection)
{
	bool wanted = has_unsent(connection);
	int code;

	if (wanted == connection->wants_output || connection->failed || connection->state == CONNECTION_CLOSED)
		return;
	code = sessions_watch(connection->sessions, connection->fd, &connection->watch,
			      EPOLLIN | (wanted ? EPOLLOUT : 0u), false);
	if (code)
		connection_fail(connection, "epoll: %s", strerror(-code));
	connection->wants_output = wanted;
}

void sender_flush(struct connection *connection)
{
	struct channel_output *output = &connection->sessions->output;
	size_t sent = 0;

	if (output->used == 0)
		return;
	if (!connection->failed && !has_unsent(connection))
		sent = send_some(connection, output->bytes, output->used);
	if (sent < output->used && !connection->failed)
		add_unsent(connection, output->bytes + sent, output->used - sent);
	output->used = 0;
	watch_output(connection);
}

void sender_put(struct connection *connection, const unsigned char *bytes, size_t size)
{
	struct channel_output *output = &connection->sessions->output;
	const char *why;

	if (!connection->channel) {
		memcpy(output->bytes + output->used, bytes, size);
		output->used += size;
	} else if (channel_send(connection->channel, bytes, size, &why)) {
		connection_fail(connection, "TLS: %s", why);
	}
}

static void put_own(struct connection *connection, bool *due, enum own_kind kind, uint32_t number)
{
	unsigned char bytes[OWN_RECORD];

	if (!*due)
		return;
	*due = false;
	own_encode((struct own_message){ .kind = kind, .number = number }, bytes);
	sender_put(connection, bytes, sizeof(bytes));
}

/* The next records that are to be sent, of one class: at most `most` bytes, or one. NULL: none wait. */
static const unsigned char *next_records(struct member *member, size_t most, unsigned int *class, size_t *size)
{
	const unsigned char *records;

	if (member->first_put && !member->first_sent) {
		*class = member->first_class;
		records = frame_queue_peek(&member->queues[*class], most, member->first_end, size);
		if (records)
			return records;
	}
	if (!member->first_sent)
		return NULL;
	for (*class = 0; *class < SESSION_CLASSES; (*class)++) {
		records = frame_queue_peek(&member->queues[*class], most, UINT64_MAX, size);
		if (records)
			return records;
	}
	return NULL;
}

static void put_frames(struct connection *connection, struct member *member)
{
	size_t gathered = 0, size;
	unsigned int class;

	while (gathered < SEND_SIZE && !connection->failed) {
		const unsigned char *records = next_records(member, SEND_SIZE - gathered, &class, &size);

		if (!records)
			break;
		sender_put(connection, records, size);
		frame_queue_take(&member->queues[class], size);
		if (!member->first_sent && member->queues[class].taken == member->first_end)
			member->first_sent = true;
		gathered += size;
	}
}

/* Fills the output with what one send() is for. */
static void gather(struct connection *connection)
{
	put_own(connection, &connection->start_due, OWN_START, 0);
	put_own(connection, &connection->started_due, OWN_STARTED, 0);
	put_own(connection, &connection->pong_due, OWN_PONG, connection->pong_number);
	put_own(connection, &connection->ping_due, OWN_PING, connection->pings);
	if (connection->state == CONNECTION_UP)
		put_frames(connection, member_of(connection));
}

/* Whether what waits for the kernel has to wait for long enough that LZ4 would be worth its time. */
static void judge_link(struct connection *connection)
{
	uint64_t now = connection->sessions->now;

	if (!has_unsent(connection)) {
		connection->rate_since = 0;
		connection->slow = false;
	} else if (connection->rate_since == 0) {
		connection->rate_since = now;
		connection->rate_bytes = 0;
	} else if (now - connection->rate_since >= RATE_WINDOW) {
		connection->slow = connection->rate_bytes / SLOW_LINK < (now - connection->rate_since) / 1000;
		connection->rate_since = now;
		connection->rate_bytes = 0;
	}
}

void sender_run(struct connection *connection)
{
	struct channel_output *output = &connection->sessions->output;
	bool up = connection->state == CONNECTION_UP;
	size_t sent = 0;

	if (up) {
		member_of(connection)->gathered = 0;
		member_of(connection)->more_to_send = false;
	}
	while (!connection->failed && connection->state != CONNECTION_CLOSED) {
		if (has_unsent(connection))
			send_unsent(connection);
		if (has_unsent(connection) || connection->failed)
			break;
		if (up && sent >= SEND_ONCE) {
			member_of(connection)->more_to_send = true;
			break;
		}
		gather(connection);
		if (output->used == 0)
			break;
		sent += output->used;
		sender_flush(connection);
	}
	judge_link(connection);
	watch_output(connection);
}
