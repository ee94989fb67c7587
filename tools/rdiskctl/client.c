/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A connection to a server's control socket: lines out, lines in.
 */
#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "rdiskctl.h"

#define BUFFER_STEP 16384u
#define BUFFER_MAX  (1024u * 1024) /* no server says more in a line */

static void not_answering(const char *path, struct diagnostic *diagnostic)
{
	diagnostic_set(diagnostic, "the server at %s does not answer: it is stopped, or its host too busy", path);
}

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int client_open(struct client *client, const char *path, struct diagnostic *diagnostic)
{
	const struct timeval limit = { .tv_sec = CLIENT_TIMEOUT_MS / 1000 };
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int error;

	*client = (struct client){ .fd = -1, .path = path };
	if (strlen(path) >= sizeof(address.sun_path)) {
		diagnostic_set(diagnostic,
			       "the path of socket %s is longer than %zu bytes: name a shorter one (control = \"PATH\" "
			       "of the configuration, -s)",
			       path, sizeof(address.sun_path) - 1);
		return CLIENT_FAILED;
	}
	memcpy(address.sun_path, path, strlen(path));
	client->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	/* One that is stopped accepts nobody, and connections that it has not accepted may be as many as there can be.
	 */
	if (client->fd >= 0 && !setsockopt(client->fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) &&
	    !connect(client->fd, (const struct sockaddr *)&address, sizeof(address)))
		return CLIENT_OK;
	error = errno;
	client_close(client);
	if (error == ENOENT || error == ECONNREFUSED)
		diagnostic_set(diagnostic,
			       "no server listens at %s: start rdisk on this host, or say where its socket is with -s "
			       "SOCKET or -c FILE",
			       path);
	else if (error == EAGAIN)
		not_answering(path, diagnostic);
	else if (error == EACCES)
		diagnostic_set(diagnostic, "cannot reach the server at %s: %s; only root and the user who runs it can",
			       path, strerror(error));
	else
		diagnostic_set(diagnostic, "cannot reach the server at %s: %s", path, strerror(error));
	return CLIENT_NO_SERVER;
}

int client_say(struct client *client, const cJSON *object, struct diagnostic *diagnostic)
{
	char *text = object ? cJSON_PrintUnformatted(object) : NULL;
	int code = CLIENT_OK;
	size_t length, sent = 0;

	if (!text) {
		diagnostic_set(diagnostic, "out of memory");
		return CLIENT_FAILED;
	}
	length = strlen(text);
	text[length] = '\n'; /* in the place of the zero */
	while (sent <= length && !code) {
		ssize_t bytes = send(client->fd, text + sent, length + 1 - sent, MSG_NOSIGNAL);

		if (bytes >= 0) {
			sent += (size_t)bytes;
		} else if (errno != EINTR) {
			diagnostic_set(diagnostic, "cannot send to the server at %s: %s", client->path,
				       strerror(errno));
			code = CLIENT_NO_SERVER;
		}
	}
	cJSON_free(text);
	return code;
}

/* Waits until there is something to read. */
static int await(const struct client *client, int64_t deadline, struct diagnostic *diagnostic)
{
	for (;;) {
		struct pollfd descriptor = { .fd = client->fd, .events = POLLIN };
		int64_t left = deadline < 0 ? -1 : deadline - now_ms();
		int ready = poll(&descriptor, 1, deadline < 0 ? -1 : left < 0 ? 0 : (int)left);

		if (ready > 0)
			return CLIENT_OK;
		if (ready < 0 && errno != EINTR) {
			diagnostic_set(diagnostic, "cannot wait for the server at %s: %s", client->path,
				       strerror(errno));
			return CLIENT_FAILED;
		}
		if (ready == 0) {
			not_answering(client->path, diagnostic);
			return CLIENT_NO_SERVER;
		}
	}
}

/* Makes room for more, and takes what there is. */
static int receive(struct client *client, struct diagnostic *diagnostic)
{
	ssize_t bytes;

	if (client->length == client->size) {
		char *buffer = client->size < BUFFER_MAX ? realloc(client->buffer, client->size + BUFFER_STEP) : NULL;

		if (!buffer) {
			diagnostic_set(diagnostic, "the answer of the server at %s is too long", client->path);
			return CLIENT_FAILED;
		}
		client->buffer = buffer;
		client->size += BUFFER_STEP;
	}
	bytes = recv(client->fd, client->buffer + client->length, client->size - client->length, 0);
	if (bytes > 0) {
		client->length += (size_t)bytes;
		return CLIENT_OK;
	}
	if (bytes < 0 && errno == EINTR)
		return CLIENT_OK;
	diagnostic_set(diagnostic, "the server at %s has ended the connection%s%s; its log says why", client->path,
		       bytes < 0 ? ": " : "", bytes < 0 ? strerror(errno) : "");
	return CLIENT_NO_SERVER;
}

int client_hear(struct client *client, int timeout_ms, const char **line, struct diagnostic *diagnostic)
{
	int64_t deadline = timeout_ms < 0 ? -1 : now_ms() + timeout_ms;

	client->length -= client->taken;
	if (client->length)
		memmove(client->buffer, client->buffer + client->taken, client->length);
	client->taken = 0;
	for (;;) {
		char *end = client->length ? memchr(client->buffer, '\n', client->length) : NULL;
		int code;

		if (end) {
			*end = '\0';
			*line = client->buffer;
			client->taken = (size_t)(end - client->buffer) + 1;
			return CLIENT_OK;
		}
		code = await(client, deadline, diagnostic);
		if (!code)
			code = receive(client, diagnostic);
		if (code)
			return code;
	}
}

void client_close(struct client *client)
{
	if (client->fd >= 0)
		close(client->fd);
	free(client->buffer);
	*client = (struct client){ .fd = -1 };
}
