/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * TLS between buffers; see channel.h.
 */
#include "channel.h"

#include <errno.h>
#include <gnutls/gnutls.h>
#include <stdlib.h>
#include <string.h>

#define PRIORITIES    "NONE:+VERS-TLS1.3:+ECDHE-PSK:+AES-128-GCM:+AEAD:+GROUP-X25519:+SIGN-ALL"
#define USER	      "rdisk" /* it is not secret, and the same for all: the key alone counts */
#define RECORD_MAX    16384u
#define HANDSHAKE_MAX 4096u /* bytes of a message of the handshake: those of this one are shorter */

struct channel_key {
	unsigned char key[SESSION_KEY_SIZE];
	gnutls_psk_client_credentials_t client;
	gnutls_psk_server_credentials_t server;
	gnutls_priority_t priorities;
};

struct channel {
	gnutls_session_t tls;
	const struct channel_key *key;
	struct channel_output *output;
	const unsigned char *input;
	size_t input_size;	/* bytes that are left of it */
	gnutls_packet_t packet; /* that was handed out last, or NULL */
};

static ssize_t push(gnutls_transport_ptr_t context, const giovec_t *vector, int count)
{
	struct channel *channel = context;
	struct channel_output *output = channel->output;
	size_t pushed = 0;

	for (int i = 0; i < count; i++) {
		if (vector[i].iov_len > output->size - output->used - pushed) {
			/* Callers see to it that there is room. */
			gnutls_transport_set_errno(channel->tls, ENOBUFS);
			return -1;
		}
		memcpy(output->bytes + output->used + pushed, vector[i].iov_base, vector[i].iov_len);
		pushed += vector[i].iov_len;
	}
	output->used += pushed;
	return (ssize_t)pushed;
}

static ssize_t pull(gnutls_transport_ptr_t context, void *data, size_t size)
{
	struct channel *channel = context;

	if (channel->input_size == 0) {
		gnutls_transport_set_errno(channel->tls, EAGAIN);
		return -1;
	}
	if (size > channel->input_size)
		size = channel->input_size;
	memcpy(data, channel->input, size);
	channel->input += size;
	channel->input_size -= size;
	return (ssize_t)size;
}

/* Whether there is something to pull; nothing is waited for. */
static int pull_is_ready(gnutls_transport_ptr_t context, unsigned int milliseconds)
{
	const struct channel *channel = context;

	(void)milliseconds;
	return channel->input_size > 0;
}

static int find_key(gnutls_session_t tls, const char *user, gnutls_datum_t *key)
{
	const struct channel *channel = gnutls_session_get_ptr(tls);

	if (strcmp(user, USER) != 0)
		return -1;
	key->data = gnutls_malloc(SESSION_KEY_SIZE);
	if (!key->data)
		return -1;
	memcpy(key->data, channel->key->key, SESSION_KEY_SIZE);
	key->size = SESSION_KEY_SIZE;
	return 0;
}

int channel_key_create(struct channel_key **channel_key, const unsigned char *key, struct diagnostic *diagnostic)
{
	struct channel_key *made = calloc(1, sizeof(*made));
	gnutls_datum_t datum;
	int code;

	if (!made)
		return diagnostic_set(diagnostic, "sessions: no memory");
	memcpy(made->key, key, SESSION_KEY_SIZE);
	datum = (gnutls_datum_t){ made->key, SESSION_KEY_SIZE };
	code = gnutls_psk_allocate_client_credentials(&made->client);
	if (!code)
		code = gnutls_psk_set_client_credentials(made->client, USER, &datum, GNUTLS_PSK_KEY_RAW);
	if (!code)
		code = gnutls_psk_allocate_server_credentials(&made->server);
	if (!code)
		gnutls_psk_set_server_credentials_function(made->server, find_key);
	if (!code)
		code = gnutls_priority_init(&made->priorities, PRIORITIES, NULL);
	if (!code) {
		*channel_key = made;
		return 0;
	}
	channel_key_free(made);
	return diagnostic_set(diagnostic, "sessions: TLS cannot be set up: %s", gnutls_strerror(code));
}

void channel_key_free(struct channel_key *channel_key)
{
	if (!channel_key)
		return;
	if (channel_key->client)
		gnutls_psk_free_client_credentials(channel_key->client);
	if (channel_key->server)
		gnutls_psk_free_server_credentials(channel_key->server);
	if (channel_key->priorities)
		gnutls_priority_deinit(channel_key->priorities);
	explicit_bzero(channel_key->key, sizeof(channel_key->key));
	free(channel_key);
}

static int set_up(struct channel *channel, bool client)
{
	unsigned int flags = GNUTLS_NONBLOCK | GNUTLS_NO_TICKETS | (client ? GNUTLS_CLIENT : GNUTLS_SERVER);
	int code = gnutls_init(&channel->tls, flags);

	if (!code)
		code = gnutls_priority_set(channel->tls, channel->key->priorities);
	if (!code)
		code = gnutls_credentials_set(channel->tls, GNUTLS_CRD_PSK,
					      client ? (void *)channel->key->client : (void *)channel->key->server);
	if (code)
		return code;
	gnutls_handshake_set_max_packet_length(channel->tls, HANDSHAKE_MAX);
	gnutls_session_set_ptr(channel->tls, channel);
	gnutls_transport_set_ptr(channel->tls, channel);
	gnutls_transport_set_vec_push_function(channel->tls, push);
	gnutls_transport_set_pull_function(channel->tls, pull);
	gnutls_transport_set_pull_timeout_function(channel->tls, pull_is_ready);
	return 0;
}

struct channel *channel_create(const struct channel_key *channel_key, bool client, struct channel_output *output)
{
	struct channel *channel = calloc(1, sizeof(*channel));

	if (!channel)
		return NULL;
	channel->key = channel_key;
	channel->output = output;
	if (!set_up(channel, client))
		return channel;
	channel_free(channel);
	return NULL;
}

void channel_free(struct channel *channel)
{
	if (!channel)
		return;
	if (channel->packet)
		gnutls_packet_deinit(channel->packet);
	if (channel->tls)
		gnutls_deinit(channel->tls);
	free(channel);
}

void channel_input(struct channel *channel, const unsigned char *bytes, size_t size)
{
	channel->input = bytes;
	channel->input_size = size;
}

/* What GnuTLS says, in the words of somebody who has to mend it. */
static const char *why_not(const struct channel *channel, int code)
{
	switch (code) {
	case GNUTLS_E_FATAL_ALERT_RECEIVED:
		switch (gnutls_alert_get(channel->tls)) {
		case GNUTLS_A_DECRYPT_ERROR:
		case GNUTLS_A_ILLEGAL_PARAMETER:
		case GNUTLS_A_BAD_RECORD_MAC:
		case GNUTLS_A_UNKNOWN_PSK_IDENTITY:
		case GNUTLS_A_HANDSHAKE_FAILURE:
		case GNUTLS_A_INSUFFICIENT_SECURITY:
			return "it refuses the key: all members need the same key_file";
		default:
			return "it broke TLS off with an alert";
		}
	case GNUTLS_E_RECEIVED_ILLEGAL_PARAMETER:
	case GNUTLS_E_DECRYPTION_FAILED:
	case GNUTLS_E_PK_SIG_VERIFY_FAILED:
	case GNUTLS_E_NO_CIPHER_SUITES:
	case GNUTLS_E_INSUFFICIENT_CREDENTIALS:
		return "it has no key, or another one: all members need the same key_file";
	case GNUTLS_E_UNEXPECTED_PACKET:
	case GNUTLS_E_UNEXPECTED_PACKET_LENGTH:
	case GNUTLS_E_UNSUPPORTED_VERSION_PACKET:
	case GNUTLS_E_RECORD_OVERFLOW:
		return "what it sends is not TLS: is there no key on its side, or no rdisk?";
	default:
		return gnutls_strerror(code);
	}
}

/*
 * Whether GnuTLS wants to be called again. It says "again" also when it has taken a part of the input and has nothing
 * to hand out yet: a message in several records, or one of its own.
 */
static bool again(const struct channel *channel, ssize_t code, size_t *left)
{
	bool progress = channel->input_size < *left;

	*left = channel->input_size;
	if (code == GNUTLS_E_AGAIN)
		return progress && channel->input_size > 0;
	return code < 0 && !gnutls_error_is_fatal((int)code);
}

enum channel_result channel_handshake(struct channel *channel, const char **why)
{
	size_t left = channel->input_size;
	int code;

	do
		code = gnutls_handshake(channel->tls);
	while (again(channel, code, &left));
	if (!code)
		return CHANNEL_DONE;
	if (code == GNUTLS_E_AGAIN && channel->input_size == 0)
		return CHANNEL_MORE;
	*why = why_not(channel, code);
	(void)gnutls_alert_send_appropriate(channel->tls, code); /* whoever gets none finds the connection closed */
	return CHANNEL_FAILED;
}

enum channel_result channel_receive(struct channel *channel, const unsigned char **bytes, size_t *size,
				    const char **why)
{
	size_t left = channel->input_size;
	gnutls_datum_t datum;
	ssize_t code;

	if (channel->packet)
		gnutls_packet_deinit(channel->packet);
	channel->packet = NULL;
	do
		code = gnutls_record_recv_packet(channel->tls, &channel->packet);
	while (again(channel, code, &left));
	if (code == 0)
		return CHANNEL_CLOSED;
	if (code == GNUTLS_E_AGAIN && channel->input_size == 0)
		return CHANNEL_MORE;
	if (code < 0) {
		*why = code == GNUTLS_E_DECRYPTION_FAILED ? "what it sent was changed on the way"
							  : why_not(channel, (int)code);
		return CHANNEL_FAILED;
	}
	gnutls_packet_get(channel->packet, &datum, NULL);
	*bytes = datum.data;
	*size = datum.size;
	return CHANNEL_DONE;
}

int channel_send(struct channel *channel, const unsigned char *bytes, size_t size, const char **why)
{
	while (size > 0) {
		size_t part = size < RECORD_MAX ? size : RECORD_MAX;
		ssize_t sent = gnutls_record_send(channel->tls, bytes, part);

		if (sent < 0) {
			*why = gnutls_strerror((int)sent);
			return -1;
		}
		bytes += sent;
		size -= (size_t)sent;
	}
	return 0;
}
