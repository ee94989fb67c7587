/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A connection of rdisk-bench-floor: bytes over TCP, in the clear or with TLS 1.3, a pre-shared key and AES-128-GCM.
 * All functions are for one thread. Failures are messages on stderr.
 */
#ifndef BENCH_FLOOR_H
#define BENCH_FLOOR_H

#include <gnutls/gnutls.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define FLOOR_KEY_BYTES 32

struct floor_link {
	int fd;
	int receive_flags;    /* of recv(): MSG_DONTWAIT or 0 */
	gnutls_session_t tls; /* NULL: in the clear */
	gnutls_psk_client_credentials_t client_credentials;
	gnutls_psk_server_credentials_t server_credentials;
	const unsigned char *key; /* FLOOR_KEY_BYTES of the caller's, which outlive the link; NULL: in the clear */
};

/* A socket that listens on all IPv4 addresses, or -1. A *port of 0 becomes one that is free. */
int floor_listen(uint16_t *port);

/* Connects to who listens there (an IPv4 address in digits); `key` may be NULL. 0, or -1 with nothing left open. */
int floor_connect(struct floor_link *link, const char *address, uint16_t port, const unsigned char *key);

/* Waits for the next connection. As above. */
int floor_accept(struct floor_link *link, int listener, const unsigned char *key);

void floor_close(struct floor_link *link);

/* Sends all of it; in one record, where it is no longer than that. 0 or -1. */
int floor_send(struct floor_link *link, const void *data, size_t bytes);

/*
 * At least 1 of up to `bytes`; waits for it if receive_flags is 0. How many, 0 when the other end has closed, -EAGAIN
 * when there is nothing yet, or -1.
 */
ssize_t floor_receive(struct floor_link *link, void *data, size_t bytes);

#endif
