/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Connections of rdisk-bench-floor; see floor.h. The key is all that either end knows of the other.
 */
#include "floor.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PRIORITIES                                                                                                     \
	"NORMAL:-VERS-ALL:+VERS-TLS1.3:-KX-ALL:+ECDHE-PSK:+PSK:-CIPHER-ALL:+AES-128-GCM:-GROUP-ALL:+GROUP-X25519"
#define USER "floor"

static int fail(const char *what, const char *why)
{
	fprintf(stderr, "rdisk-bench-floor: %s: %s\n", what, why);
	return -1;
}

/* What GnuTLS sends and receives by, so that it does what receive_flags says. */
static ssize_t push(gnutls_transport_ptr_t context, const giovec_t *vector, int count)
{
	const struct floor_link *link = context;
	struct msghdr message = { .msg_iov = (struct iovec *)vector, .msg_iovlen = (size_t)count };

	return sendmsg(link->fd, &message, MSG_NOSIGNAL);
}

static ssize_t pull(gnutls_transport_ptr_t context, void *data, size_t bytes)
{
	const struct floor_link *link = context;

	return recv(link->fd, data, bytes, link->receive_flags);
}

static int find_key(gnutls_session_t session, const char *user, gnutls_datum_t *key)
{
	const struct floor_link *link = gnutls_session_get_ptr(session);

	if (strcmp(user, USER) != 0)
		return -1;
	key->data = gnutls_malloc(FLOOR_KEY_BYTES);
	if (!key->data)
		return -1;
	memcpy(key->data, link->key, FLOOR_KEY_BYTES);
	key->size = FLOOR_KEY_BYTES;
	return 0;
}

static int set_client(struct floor_link *link)
{
	unsigned char copy[FLOOR_KEY_BYTES];
	const gnutls_datum_t key = { copy, sizeof(copy) };
	int code;

	memcpy(copy, link->key, sizeof(copy));
	code = gnutls_psk_allocate_client_credentials(&link->client_credentials);
	if (!code)
		code = gnutls_psk_set_client_credentials(link->client_credentials, USER, &key, GNUTLS_PSK_KEY_RAW);
	if (!code)
		code = gnutls_init(&link->tls, GNUTLS_CLIENT);
	return code ? code : gnutls_credentials_set(link->tls, GNUTLS_CRD_PSK, link->client_credentials);
}

static int set_server(struct floor_link *link)
{
	int code = gnutls_psk_allocate_server_credentials(&link->server_credentials);

	if (code)
		return code;
	gnutls_psk_set_server_credentials_function(link->server_credentials, find_key);
	code = gnutls_init(&link->tls, GNUTLS_SERVER);
	return code ? code : gnutls_credentials_set(link->tls, GNUTLS_CRD_PSK, link->server_credentials);
}

/* The handshake of a link with a key; `set` is one of the two above. 0, or -1 after a message. */
static int secure(struct floor_link *link, int (*set)(struct floor_link *))
{
	int code = set(link);

	if (!code)
		code = gnutls_priority_set_direct(link->tls, PRIORITIES, NULL);
	if (code)
		return fail("TLS cannot be set up", gnutls_strerror(code));
	gnutls_session_set_ptr(link->tls, link);
	gnutls_transport_set_ptr(link->tls, link);
	gnutls_transport_set_vec_push_function(link->tls, push);
	gnutls_transport_set_pull_function(link->tls, pull);
	do
		code = gnutls_handshake(link->tls);
	while (code < 0 && !gnutls_error_is_fatal(code));
	return code < 0 ? fail("the other end is refused", gnutls_strerror(code)) : 0;
}

/* Of a link with a connected descriptor. */
static int begin(struct floor_link *link, int (*set)(struct floor_link *))
{
	const int yes = 1;
	int code = 0;

	if (setsockopt(link->fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes)))
		code = fail("TCP_NODELAY", strerror(errno));
	else if (link->key)
		code = secure(link, set);
	if (code)
		floor_close(link);
	return code;
}

int floor_listen(uint16_t *port)
{
	struct sockaddr_in name = { .sin_family = AF_INET, .sin_port = htons(*port) };
	const int yes = 1;
	socklen_t size = sizeof(name);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return fail("socket", strerror(errno));
	if (!setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes)) &&
	    !bind(fd, (const struct sockaddr *)&name, sizeof(name)) && !listen(fd, 1) &&
	    !getsockname(fd, (struct sockaddr *)&name, &size)) {
		*port = ntohs(name.sin_port);
		return fd;
	}
	fprintf(stderr, "rdisk-bench-floor: cannot listen on port %u: %s\n", *port, strerror(errno));
	(void)close(fd);
	return -1;
}

int floor_connect(struct floor_link *link, const char *address, uint16_t port, const unsigned char *key)
{
	struct sockaddr_in name = { .sin_family = AF_INET, .sin_port = htons(port) };

	*link = (struct floor_link){ .fd = -1, .key = key };
	if (inet_pton(AF_INET, address, &name.sin_addr) != 1)
		return fail(address, "this is no IPv4 address");
	link->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (link->fd < 0)
		return fail("socket", strerror(errno));
	if (connect(link->fd, (const struct sockaddr *)&name, sizeof(name))) {
		fprintf(stderr, "rdisk-bench-floor: cannot connect to %s port %u: %s\n", address, port,
			strerror(errno));
		floor_close(link);
		return -1;
	}
	return begin(link, set_client);
}

int floor_accept(struct floor_link *link, int listener, const unsigned char *key)
{
	*link = (struct floor_link){ .fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC), .key = key };
	if (link->fd < 0)
		return fail("accept", strerror(errno));
	return begin(link, set_server);
}

void floor_close(struct floor_link *link)
{
	if (link->tls)
		gnutls_deinit(link->tls);
	if (link->client_credentials)
		gnutls_psk_free_client_credentials(link->client_credentials);
	if (link->server_credentials)
		gnutls_psk_free_server_credentials(link->server_credentials);
	if (link->fd >= 0)
		(void)close(link->fd);
	*link = (struct floor_link){ .fd = -1 };
}

static ssize_t send_some(struct floor_link *link, const char *data, size_t bytes)
{
	ssize_t sent;

	if (!link->tls) {
		sent = send(link->fd, data, bytes, MSG_NOSIGNAL);
		if (sent < 0 && errno != EINTR)
			return fail("send", strerror(errno));
		return sent < 0 ? 0 : sent;
	}
	sent = gnutls_record_send(link->tls, data, bytes);
	if (sent < 0 && gnutls_error_is_fatal((int)sent))
		return fail("send", gnutls_strerror((int)sent));
	return sent < 0 ? 0 : sent;
}

int floor_send(struct floor_link *link, const void *data, size_t bytes)
{
	const char *rest = data;

	while (bytes > 0) {
		ssize_t sent = send_some(link, rest, bytes);

		if (sent < 0)
			return -1;
		rest += sent;
		bytes -= (size_t)sent;
	}
	return 0;
}

ssize_t floor_receive(struct floor_link *link, void *data, size_t bytes)
{
	ssize_t received;

	if (link->tls) {
		received = gnutls_record_recv(link->tls, data, bytes);
		if (received == GNUTLS_E_PREMATURE_TERMINATION)
			return 0;
		if (received < 0 && gnutls_error_is_fatal((int)received))
			return fail("receive", gnutls_strerror((int)received));
		return received < 0 ? -EAGAIN : received;
	}
	received = recv(link->fd, data, bytes, link->receive_flags);
	if (received < 0 && errno != EAGAIN && errno != EINTR)
		return fail("receive", strerror(errno));
	return received < 0 ? -EAGAIN : received;
}
