/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Addresses of members: in digits they are read at once, names are looked up by a thread of their own that ends with
 * the look-up, so that the loop never waits for a name server.
 */
#ifndef RDISK_RESOLVER_H
#define RDISK_RESOLVER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#define RESOLVER_ADDRESSES_MAX 8

struct resolved_address {
	union {
		struct sockaddr any;
		struct sockaddr_storage storage;
	};
	socklen_t size;
};

struct resolved {
	struct resolved_address addresses[RESOLVER_ADDRESSES_MAX];
	int count;
	const char *why; /* count 0: why, a text that stays */
};

/* Of an address in digits: whether it is one, and then *resolved. Any thread. */
bool resolver_digits(const char *text, uint16_t port, struct resolved *resolved);

/* Of a name or digits; waits for it. Any thread. */
void resolver_look_up(const char *name, uint16_t port, struct resolved *resolved);

/* A look-up that is under way. These are for the loop's thread. */
struct resolver_job;

/* Begins one; when it is done, 1 is added to the eventfd. NULL: no memory, or no thread. */
struct resolver_job *resolver_begin(const char *name, uint16_t port, int eventfd);
/* Whether it is done; then *resolved, and the job is gone. */
bool resolver_collect(struct resolver_job *job, struct resolved *resolved);
/* Its result is not wanted any more: the thread goes on alone, and touches nothing of the caller's. NULL is harmless.
 */
void resolver_abandon(struct resolver_job *job);

#endif
