/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A client of rdisk on the host: bound to a user endpoint, with memory granted to the server. What it asks for is the
 * business of who uses it (backend_rdisk.c, load.c).
 *
 * Used by the process and thread that connected it; nothing is ever closed, as in backend.h.
 */
#ifndef BENCH_CLIENT_H
#define BENCH_CLIENT_H

#include <stdint.h>

#include "backend.h"

struct bench_client {
	int server; /* endpoints */
	int self;
};

/*
 * Binds this process and grants `bytes` at `area`, a multiple of the page size, to the server: the memory of the
 * descriptor fd from its beginning on, as bench_shared_memory() gives it. 0, or -1 after a message.
 */
int bench_client_connect(struct bench_client *client, const struct bench_target *target, int fd, void *area,
			 uint64_t bytes);

/* One request of layout m2 (rdisk_protocol.h). REP_STATUS, or a code below 0 after a message. */
int bench_client_request(const struct bench_client *client, int type, unsigned int minor, int count, uint64_t position,
			 const void *address);

#endif
